"""`credit-scoring policy backtest` as an analyst runs it."""

import asyncio
from functools import partial
from pathlib import Path

import bentoml
import pytest

from benchmarks.support.decided_clients import fill
from benchmarks.support.decision_records import ask, tamper
from credit_scoring.application.schemas import Answer
from credit_scoring.decisions import queries
from credit_scoring.decisions.ids import made_at
from credit_scoring.decisions.queries import Record, Wanted
from credit_scoring.evaluation.backtest_results import Backtest
from credit_scoring.model.scorer import Scorer
from tests.conftest import make_sqlite_log
from tests.support.command_line import error_here, error_of, run, run_here, walk_on_terminal

DECISIONS = 600
POLICY = """
[policy]
name = "nova"

[threshold]
deny_at = 0.45

[[rule]]
id = "PARCELA_RENDA"
when = { field = "instalment_over_income", above = 0.30 }
if_missing = "pass"
then = "deny"
reason = "Parcela acima de 30% da renda mensal"

[[rule]]
id = "RESTRICAO"
when = { field = "has_negative_record", in = [true] }
if_missing = "pass"
then = "review"
reason = "Restrição cadastral"
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "nova.toml"
    path.write_text(POLICY, encoding="utf-8")
    return path


def filled(address: str, scorer: Scorer, tag: str, decisions: int = DECISIONS) -> None:
    async def whole() -> None:
        async for _ in fill(address, scorer, tag, decisions, seed=1):
            pass

    asyncio.run(whole())


def records(address: str) -> list[Record]:
    return ask(address, partial(queries.latest, Wanted(), DECISIONS), reading=True)


@pytest.fixture(scope="module")
def log(scorer: Scorer, model_tag: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A log that no test changes."""
    address = make_sqlite_log(tmp_path_factory.mktemp("log"))
    filled(address, scorer, model_tag)
    return address


class TestReport:
    def test_console_json_and_page_say_the_same_on_both_databases(
        self, address: str, scorer: Scorer, model_tag: str, policy: Path, tmp_path: Path
    ) -> None:
        filled(address, scorer, model_tag)
        options = ("--model", model_tag, "--database", address, "--output", tmp_path / "report")
        done = run_here("policy", "backtest", policy, *options, COLUMNS="80")
        assert done.exit_code == 0, done.output
        assert done.stdout.splitlines()[-1] == str(tmp_path / "report" / "backtest.html")
        found = Backtest.model_validate_json((tmp_path / "report" / "backtest.json").read_bytes())
        was = [record["decision"] for record in records(address)]
        assert {name: sum(row.values()) for name, row in found.changes.items()} == {
            answer: was.count(answer) for answer in Answer
        }
        assert found.known == sum(record["outcome"] is not None for record in records(address))
        page = (tmp_path / "report" / "backtest.html").read_text(encoding="utf-8")
        for each in found.quadrants:
            row = next(line for line in done.stdout.splitlines() if each.name.replace("_", " ") in line)
            assert f" {each.clients:,} " in row
            assert f"{each.clients:,}" in page
        assert {path.name for path in (tmp_path / "report").iterdir()} == {"backtest.html", "backtest.json"}

    def test_everything_fits_a_terminal_of_80_columns(
        self, log: str, model_tag: str, policy: Path, tmp_path: Path
    ) -> None:
        command = f"policy backtest {policy} --model {model_tag} --database {log} --output {tmp_path / 'report'}"
        printed = walk_on_terminal(command, columns=80)[command]
        *lines, path = printed[printed.index("nova (") :].splitlines()  # after the progress bar
        assert max(map(len, lines)) <= 80
        assert "…" not in printed
        assert path == str(tmp_path / "report" / "backtest.html")
        assert "EM_ANALISE counts as not approved" in printed
        assert "Outcomes are known of" in printed
        assert "PARCELA_RENDA" in printed

    def test_the_models_own_policy_changes_nothing(
        self, log: str, scorer: Scorer, model_tag: str, tmp_path: Path
    ) -> None:
        (path := tmp_path / "own.toml").write_text('[policy]\nname = "own"\n', encoding="utf-8")
        options = ("--model", model_tag, "--database", log, "--output", tmp_path)
        assert run_here("policy", "backtest", path, *options).exit_code == 0
        found = Backtest.model_validate_json((tmp_path / "backtest.json").read_bytes())
        assert [each.clients for each in found.quadrants][1:3] == [0, 0]
        assert found.threshold == scorer.policy.threshold
        assert found.difference.value == 0

    def test_a_version_published_with_the_policy_decides_by_the_risks_on_record(
        self, log: str, model_tag: str, policy: Path, tmp_path: Path
    ) -> None:
        why = ("--model", model_tag, "--reason", "backtest")
        tag = run_here("policy", "publish", policy, *why).stdout.strip()
        try:
            options = ("--model", tag, "--database", log, "--output", tmp_path)
            assert run_here("policy", "backtest", policy, *options).exit_code == 0
        finally:
            bentoml.models.delete(tag)
        found = Backtest.model_validate_json((tmp_path / "backtest.json").read_bytes())
        assert (found.model, found.rescored) == (tag, 0)
        assert [each.model for each in found.history] == [model_tag]

    def test_only_the_period_asked_for_is_decided_again(
        self, log: str, model_tag: str, policy: Path, tmp_path: Path
    ) -> None:
        times = sorted(made_at(record["id"]) for record in records(log))
        since = times[DECISIONS // 2]
        options = ("--model", model_tag, "--database", log, "--output", tmp_path, "--since", since.isoformat())
        assert run_here("policy", "backtest", policy, *options).exit_code == 0
        found = Backtest.model_validate_json((tmp_path / "backtest.json").read_bytes())
        assert found.since == since
        assert found.decisions == sum(time >= since for time in times) < DECISIONS
        until = ("--model", model_tag, "--database", log, "--until", "2020-01-01")
        assert "no decision before 2020-01-01 00:00" in error_here("policy", "backtest", policy, *until)


class TestHistoryThatDiffers:
    @pytest.fixture
    def altered(self, address: str, scorer: Scorer, model_tag: str) -> tuple[str, str]:
        """A log of which one answer was reversed; its address and the decision."""
        filled(address, scorer, model_tag, 20)
        denied = next(record["id"] for record in records(address) if record["decision"] == "NEGADO")
        tamper(address, f"UPDATE decisions SET decision = 'APROVADO' WHERE id = '{denied}'")
        return address, denied

    def test_it_is_shown_with_exit_code_1_and_nothing_is_written(
        self, altered: tuple[str, str], model_tag: str, policy: Path, tmp_path: Path
    ) -> None:
        address, denied = altered
        output = tmp_path / "report"
        done = run_here("policy", "backtest", policy, "--model", model_tag, "--database", address, "-o", output)
        assert done.exit_code == 1
        assert done.stdout == ""
        assert f"differs: {denied}, on record APROVADO, now NEGADO" in done.stderr
        assert "1 of 20 decisions differ" in done.stderr
        assert "decisions verify" in done.stderr
        assert not output.exists()
        for record in records(address):
            assert str(record["received"])[:40] not in done.output


class TestWrongInput:
    def test_a_policy_with_a_defect_is_refused_before_the_log_is_read(
        self, model_tag: str, policy: Path, tmp_path: Path
    ) -> None:
        policy.write_text(POLICY.replace("instalment_over_income", "instalment_over_incme"), encoding="utf-8")
        database = f"sqlite:///{tmp_path}/none.db"
        message = error_here("policy", "backtest", policy, "--model", model_tag, "--database", database)
        assert "rule PARCELA_RENDA" in message
        assert "instalment_over_incme" in message

    def test_a_policy_whose_case_fails_is_refused(self, model_tag: str, policy: Path, log: str) -> None:
        case = "application = { credit_letter_value = 60000, term_months = 60, monthly_income = 2000, age = 30 }"
        wrong = f'[[case]]\nname = "metade"\n{case}\nexpect = {{ decision = "APROVADO" }}\n'
        policy.write_text(f"{POLICY}\n{wrong}", encoding="utf-8")
        message = error_here("policy", "backtest", policy, "--model", model_tag, "--database", log)
        assert "case 'metade': came to NEGADO by PARCELA_RENDA" in message

    def test_a_log_without_decisions_is_named(self, model_tag: str, policy: Path, address: str) -> None:
        message = error_here("policy", "backtest", policy, "--model", model_tag, "--database", address)
        assert "has no decision; there is nothing to decide again" in message
        assert address.rpartition("/")[2] in message

    def test_a_model_that_is_not_in_the_store_is_named(self, policy: Path, log: str) -> None:
        message = error_here("policy", "backtest", policy, "--model", "credit_scoring:gone", "--database", log)
        assert "No model credit_scoring:gone in the BentoML store" in message

    def test_a_log_that_is_not_there_is_not_made(self, model_tag: str, policy: Path, tmp_path: Path) -> None:
        path = tmp_path / "typo.db"
        message = error_here("policy", "backtest", policy, "--model", model_tag, "--database", f"sqlite:///{path}")
        assert "There is no decision log at" in message
        assert not path.exists()

    def test_an_output_that_is_a_file_is_refused_before_the_log_is_read(
        self, model_tag: str, policy: Path, log: str
    ) -> None:
        message = error_here("policy", "backtest", policy, "--model", model_tag, "--database", log, "--output", policy)
        assert message == f"--output {policy}: is a file, expected a folder. Name another."

    def test_an_output_that_cannot_be_made_is_named(self, model_tag: str, policy: Path, log: str) -> None:
        inside = policy / "report"
        message = error_here("policy", "backtest", policy, "--model", model_tag, "--database", log, "--output", inside)
        assert f"--output {inside}: cannot be written" in message

    def test_in_a_process_of_its_own_a_mistake_is_one_line(self, policy: Path) -> None:
        line = error_of(run("policy", "backtest", policy.with_name("gone.toml")))
        assert "gone.toml" in line
