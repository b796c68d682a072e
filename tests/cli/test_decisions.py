"""`credit-scoring decisions …` as its users run it."""

import csv
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.support.consorcio import EXAMPLE_APPLICATION, ConsorcioApplication
from benchmarks.support.decision_records import ask, decided_by, entry, of_model, origin_of, put, tamper
from credit_scoring.decisions import dossiers, outcomes
from credit_scoring.decisions.dossiers import Dossier
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport
from credit_scoring.decisions.queries import AFTER, BEFORE
from credit_scoring.decisions.replay import Replayed
from credit_scoring.model import champion, store
from credit_scoring.model.promotions import Promotions
from credit_scoring.model.scorer import Scorer
from tests.conftest import make_sqlite_log
from tests.support.command_line import error_here, run, run_here

LONG_AGO = datetime(2020, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The address of an empty log."""
    return make_sqlite_log(tmp_path)


def here(*arguments: str | Path, database: str, code: int = 0) -> str:
    """What a command prints on stdout, run in this process."""
    found = run_here("decisions", *arguments, CREDIT_SCORING_DATABASE_URL=database)
    assert found.exit_code == code, found.output
    return str(found.stdout)


def report(address: str, decision: str, outcome: Outcome) -> None:
    found = OutcomeReport(decision_id=decision, outcome=outcome, observed_on=datetime.now(UTC).date())
    ask(address, partial(outcomes.record, [found], ""))


# list, show, export


def test_a_log_that_is_not_there_yet_is_made_in_bentomls_home_and_is_empty(tmp_path: Path) -> None:
    found = run("decisions", "list", BENTOML_HOME=str(tmp_path))
    assert (found.returncode, found.stdout, found.stderr) == (0, "No decision is on record.\n", "")
    assert (tmp_path / "credit_scoring" / "decisions.db").exists()


def test_the_list_shows_the_newest_decisions_first_with_what_is_known_of_them(database: str) -> None:
    first, second = put(database, [entry(0.25, application_id="[red]7[/]"), entry(0.5)])
    report(database, first, Outcome.DEFAULTED)
    lines = [line for line in here("list", database=database).splitlines() if "credit_scoring:test" in line]
    assert [second in lines[0], first in lines[1], len(lines)] == [True, True, 2]
    assert all(shown in lines[1] for shown in ("[red]7[/]", "APROVADO", "0.2500", "DEFAULTED", "credit_scoring:test"))
    assert "NEGADO" in lines[0]
    assert "DEFAULTED" not in lines[0]


def test_the_list_keeps_to_what_is_asked_for(database: str) -> None:
    old = put(database, [entry()], at=LONG_AGO)
    new = put(database, [entry(), entry()], origin=of_model("credit_scoring:new"))
    asked = {
        ("--limit", "1"): new[1:],
        ("--until", "2020-11-25"): old,
        ("--since", "2020-11-24T12:00", "--until", "2020-11-24T13:00+01:00"): [],
        ("--since", "2020-11-24T12:00"): [*old, *new],
        ("--model", "credit_scoring:new"): new,
    }
    for options, expected in asked.items():
        shown = here("list", *options, database=database)
        assert [each for each in (*old, *new) if each in shown] == expected, options


def test_the_champion_stands_for_the_tag_of_its_decisions(
    database: str, model_tag: str, promotions: Promotions
) -> None:
    champion.promote(model_tag, "ana", "first")
    put(database, [entry()], origin=of_model("credit_scoring:other"))
    (decision,) = put(database, [entry()], origin=of_model(model_tag))
    shown = here("list", "--model", "champion", database=database)
    assert decision in shown
    assert "credit_scoring:other" not in shown


def test_a_dossier_is_shown_as_json(database: str) -> None:
    (decision,) = put(database, [entry(application_id="ação 7")])
    report(database, decision, Outcome.PAID)
    found = run_here("decisions", "show", decision, CREDIT_SCORING_DATABASE_URL=database)
    assert (found.exit_code, found.stderr) == (0, "")
    expected = ask(database, partial(dossiers.find, decision), reading=True)
    assert Dossier.model_validate_json(found.stdout) == expected
    assert found.stdout.count("\n") > len(Dossier.model_fields)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_export_has_a_row_for_each_decision_asked_for(database: str, tmp_path: Path, kind: str) -> None:
    put(database, [entry()], at=LONG_AGO)
    decisions = put(database, [entry(), entry(), entry()])
    report(database, decisions[1], Outcome.PAID)
    path = tmp_path / f"decisions.{kind}"
    printed = here("export", "-o", path, "--since", "2021-01-01", database=database)
    found = pd.read_csv(path) if kind == "csv" else pd.read_parquet(path)
    assert printed == f"{path}\n"
    assert tuple(found.columns) == (*BEFORE, *EXAMPLE_APPLICATION, *AFTER)
    assert found["decision_id"].tolist() == decisions
    assert found["outcome"].fillna("").tolist() == ["", "PAID", ""]


# verify


def test_an_untouched_log_is_verified(database: str) -> None:
    put(database, [entry(), entry()])
    found = run_here("decisions", "verify", CREDIT_SCORING_DATABASE_URL=database)
    assert (found.exit_code, found.stdout) == (0, "")
    assert "2 decisions in 1 blocks." in found.stderr
    assert "Nothing was altered, removed or inserted." in found.stderr


def test_a_log_that_was_tampered_with_ends_in_exit_code_1_and_the_place(database: str) -> None:
    put(database, [entry(), entry()])
    tamper(database, "UPDATE decisions SET decision = 'APROVADO'")
    found = run_here("decisions", "verify", CREDIT_SCORING_DATABASE_URL=database)
    assert (found.exit_code, found.stdout) == (1, "")
    assert re.search(r"problem: Writer \S+, block 1: a decision was altered", found.stderr)
    assert "Traceback" not in found.stderr
    assert "Nothing was altered" not in found.stderr


# replay


@pytest.fixture
def replayable(database: str, model_tag: str) -> list[str]:
    """Decisions of the stored model on three incomes, and one of a model that is lost."""
    clients = [{**EXAMPLE_APPLICATION, "monthly_income": income} for income in (500.0, 2500.0, 9000.0)]
    applications = [ConsorcioApplication.model_validate(client) for client in clients]
    served = Scorer.load(Path(store.find(model_tag).path))
    made = put(database, decided_by(served, model_tag, applications), origin=origin_of(served, model_tag))
    return [*made, *put(database, [entry()], origin=of_model("credit_scoring:lost"))]


def test_a_replay_tells_for_how_many_decisions_nothing_has_changed(
    database: str, replayable: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "replayed.csv"
    printed = here("replay", "-o", path, database=database)
    assert re.search(r"same\W+3\W+0\W", printed)
    assert re.search(r"model not in the store\W+1\W+0\W", printed)
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == Replayed._fields
    assert sorted(row[0] for row in rows) == sorted(replayable)


def test_a_replay_in_another_environment_ends_in_exit_code_1(database: str, replayable: list[str]) -> None:
    tamper(database, f"UPDATE decisions SET risk_probability = 0.999, decision = 'NEGADO' WHERE id = '{replayable[2]}'")
    printed = here("replay", "--until", "2999-01-01", database=database, code=1)
    assert re.search(r"environment changed\W+1\W+[01]\W", printed)
    assert re.search(r"same\W+2\W+0\W", printed)


def test_a_replay_by_one_model_takes_the_decisions_of_all(database: str, replayable: list[str], model_tag: str) -> None:
    printed = here("replay", "--by", model_tag, database=database)
    assert re.search(r"same\W+3\W+0\W", printed)
    assert re.search(r"model changed\W+1\W", printed)


def test_a_replay_of_an_empty_log_says_so(database: str) -> None:
    assert here("replay", database=database) == "No decision is on record.\n"


# What cannot be used


@pytest.mark.parametrize(
    "command",
    [["list"], ["show", "7"], ["export", "-o", "x.csv"], ["verify"], ["replay"], ["purge", "--older-than", "5"]],
)
def test_a_file_that_is_named_and_absent_is_an_error_and_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    address = f"sqlite:///{tmp_path}/no/decisions.db"
    message = error_here("decisions", *command, "--database", address)
    assert (
        message
        == f"There is no decision log at {address}. Check the address; the service makes the log when it starts."
    )
    assert list(tmp_path.iterdir()) == []


TOMORROW = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
WRONG = {
    "no day": (["list", "--since", "yesterday"], "yesterday: expected a day or a time, like 2026-11-24"),
    "no such day": (["export", "-o", "x.csv", "--until", "2026-02-30"], "2026-02-30: expected a day"),
    "no age": (["purge", "--older-than", "-5"], "-5: expected a day"),
    "the future": (["purge", "--older-than", TOMORROW, "--yes"], f"--older-than {TOMORROW}: lies in the future."),
    "no kind of file": (["export", "-o", "x.xlsx"], "--output x.xlsx: expected a name that ends in .csv or .parquet."),
    "no folder": (["export", "-o", "no/x.csv"], "no/x.csv cannot be written (No such file or directory)."),
    "no folder to replay to": (["replay", "-o", "no/x.csv"], "no/x.csv cannot be written (No such file"),
    "no key for anchors": (["verify", "--anchors", "x"], "--anchors and --public-key: one was given, expected both"),
    "no such model": (["replay", "--by", "credit_scoring:none"], "No model credit_scoring:none in the BentoML store."),
    "no role": (["migrate", "--grant-to", "me; DROP TABLE x"], "--grant-to me; DROP TABLE x: expected the plain name"),
    "no roles": (["migrate", "--grant-to", "clerk"], "--grant-to: SQLite has no roles"),
    "no decision": (["show", new_id()], "No such decision is on record."),
}


@pytest.mark.parametrize(("arguments", "expected"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_used_is_named_with_what_was_expected(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert error_here("decisions", *arguments, "--database", database).startswith(expected)
    assert {path.name for path in tmp_path.iterdir()} <= {"decisions.db", "decisions.db-wal", "decisions.db-shm"}


@pytest.mark.parametrize("age", ["99999999999", "²"])
def test_an_age_that_is_no_age_is_one_error(tmp_path: Path, age: str) -> None:
    address = f"sqlite:///{tmp_path}/decisions.db"
    assert age in error_here("decisions", "purge", "--older-than", age, "--yes", "--database", address)


def test_show_of_what_is_no_id_says_that_there_is_no_such_decision(address: str) -> None:
    assert "No such decision is on record" in error_here("decisions", "show", "7", "--database", address)


def test_the_newest_model_by_its_alias_is_the_same_model(tmp_path: Path, model_tag: str, scorer: Scorer) -> None:
    address = f"sqlite:///{tmp_path}/decisions.db"
    put(
        address,
        decided_by(scorer, model_tag, [ConsorcioApplication.model_validate(EXAMPLE_APPLICATION)]),
        origin=origin_of(scorer, model_tag),
    )
    tamper(address, "UPDATE decisions SET risk_probability = 0.999, decision = 'NEGADO'")
    found = run_here("decisions", "replay", "--by", "credit_scoring:latest", "--database", address)
    assert "environment changed" in found.stdout
    assert found.exit_code == 1
