"""`credit-scoring models …` as its users run it."""

import getpass
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import bentoml
import pytest

from credit_scoring.model import store
from credit_scoring.model.promotions import Promotions
from credit_scoring.model.scorer import Scorer
from tests.support.command_line import error_here, error_of, run, run_here
from tests.support.web import served_folder


@pytest.fixture
def newer(scorer: Scorer, model_tag: str, published: Callable[[], list[str]]) -> str:
    return store.save(scorer)


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


class TestList:
    def test_models_are_listed_newest_first_with_the_champion_marked(
        self, promotions: Promotions, model_tag: str, newer: str, scorer: Scorer
    ) -> None:
        run_here("models", "promote", model_tag, "--reason", "first", "--by", "ana")
        found = run_here("models", "list")
        lines = lines_of(found.stdout)
        (new,), (old,) = ([line for line in lines if tag in line] for tag in (newer, model_tag))
        assert lines.index(new) < lines.index(old)
        assert old.startswith("*")
        assert not new.startswith("*")
        assert f"{scorer.card.test['auc'].value:.3f}" in old
        assert f"{scorer.policy.threshold:g}" in old
        assert f"{store.find(model_tag).info.creation_time:%Y-%m-%d %H:%M}" in old
        below = lines[lines.index(old) + 1]
        assert scorer.card.chosen in below
        assert scorer.policy.version in below
        assert "promoted by ana: first" in found.stderr

    def test_an_incomplete_model_is_listed_as_such(self, promotions: Promotions, newer: str) -> None:
        (Path(store.find(newer).path) / "card.json").unlink()
        found = run_here("models", "list")
        assert found.exit_code == 0
        assert newer in found.stdout
        assert "incomplete: cannot be served" in found.stdout

    def test_without_a_champion_it_says_which_command_makes_one(self, promotions: Promotions, model_tag: str) -> None:
        assert "No model has been promoted yet" in run_here("models", "list").stderr

    def test_a_champion_that_is_not_in_the_store_is_said(self, promotions: Promotions, newer: str) -> None:
        run_here("models", "promote", newer, "--reason", "first")
        bentoml.models.delete(newer)
        assert f"The champion {newer} is not in this store" in run_here("models", "list").stderr

    def test_an_empty_store_is_told_in_a_line(self, tmp_path: Path) -> None:
        found = run("models", "list", BENTOML_HOME=str(tmp_path))
        assert (found.returncode, found.stdout) == (0, "")
        assert found.stderr == "The store holds no model. Train one with `credit-scoring train`, or import one.\n"


class TestPromote:
    def test_the_tag_is_printed_and_what_happens_next_is_said(self, promotions: Promotions, model_tag: str) -> None:
        found = run_here("models", "promote", "credit_scoring:latest", "--reason", "first")
        assert found.stdout == f"{promotions.read()[0].tag}\n"
        assert "restarted or gets SIGHUP" in found.stderr

    def test_who_is_the_user_of_the_process_unless_another_is_named(
        self, promotions: Promotions, model_tag: str, newer: str
    ) -> None:
        run_here("models", "promote", model_tag, "--reason", "first")
        run_here("models", "promote", newer, "--reason", "better", "--by", "comitê")
        assert [each.by for each in promotions.read()] == [getpass.getuser(), "comitê"]

    def test_of_the_champion_itself_it_says_that_nothing_was_changed(
        self, promotions: Promotions, model_tag: str
    ) -> None:
        run_here("models", "promote", model_tag, "--reason", "first")
        found = run_here("models", "promote", "champion", "--reason", "again")
        assert (found.exit_code, found.stdout) == (0, "")
        assert found.stderr == f"{model_tag} is the champion already. Nothing was changed.\n"

    def test_without_a_reason_it_is_a_usage_error(self, promotions: Promotions, model_tag: str) -> None:
        found = run_here("models", "promote", model_tag)
        assert found.exit_code == 2
        assert "--reason" in found.stderr
        assert promotions.read() == ()

    def test_a_model_that_is_not_there_is_one_line(self, promotions: Promotions, model_tag: str) -> None:
        message = error_of(run("models", "promote", "credit_scoring:none", "--reason", "x"))
        assert message.startswith("error: No model credit_scoring:none in the BentoML store.")
        assert "credit-scoring models list" in message

    def test_a_home_that_cannot_be_written_is_one_line_and_nothing_is_changed(
        self, promotions: Promotions, model_tag: str
    ) -> None:
        promotions.path.with_suffix(".new").mkdir(parents=True)
        try:
            message = error_here("models", "promote", model_tag, "--reason", "x")
        finally:
            promotions.path.with_suffix(".new").rmdir()
        assert "the record of promotions cannot be written (Is a directory)" in message
        assert promotions.read() == ()


class TestRollback:
    def test_it_says_to_which_model_and_history_shows_it(
        self, promotions: Promotions, model_tag: str, newer: str
    ) -> None:
        run_here("models", "promote", model_tag, "--reason", "first", "--by", "ana")
        run_here("models", "promote", newer, "--reason", "better", "--by", "ana")
        found = run_here("models", "rollback", "--reason", "[red]worse[/]", "--by", "bia")
        assert found.stdout == f"{model_tag}\n"
        assert f"{model_tag} is the champion now, in place of {newer}" in found.stderr
        told = lines_of(run_here("models", "history").stdout)
        assert model_tag in told[1]
        assert "bia: rolled back: [red]worse[/]" in told[1]
        assert f"after {newer}" in told[2]
        assert [line for line in told if "ana: first" in line]

    def test_history_shows_the_last_changes_only_where_that_is_asked(
        self, promotions: Promotions, model_tag: str, newer: str
    ) -> None:
        run_here("models", "promote", model_tag, "--reason", "first")
        run_here("models", "promote", newer, "--reason", "second")
        told = run_here("models", "history", "--last", "1").stdout
        assert "second" in told
        assert "first" not in told

    def test_with_none_before_it_is_one_line(self, promotions: Promotions, model_tag: str) -> None:
        assert "there is nothing to roll back" in error_here("models", "rollback", "--reason", "x")


def test_scripts_get_the_own_tag_of_the_champion(promotions: Promotions, model_tag: str, newer: str) -> None:
    run_here("models", "promote", model_tag, "--reason", "first")
    assert run_here("models", "resolve").stdout == f"{model_tag}\n"
    assert run_here("models", "resolve", "credit_scoring:latest").stdout == f"{newer}\n"


@pytest.mark.slow
def test_every_command_that_takes_a_model_takes_the_champion(
    promotions: Promotions, model_tag: str, newer: str, tmp_path: Path
) -> None:
    run_here("models", "promote", model_tag, "--reason", "first")
    folder = tmp_path / "report"
    found = run_here("evaluate", "--output", folder)
    assert found.exit_code == 0, found.output
    assert model_tag in (folder / "card.html").read_text(encoding="utf-8")
    assert run_here("fields", "show", "champion").exit_code == 0


class TestImportFromAnAddress:
    @pytest.fixture
    def exported(
        self, scorer: Scorer, model_tag: str, promotions: Promotions, tmp_path: Path, published: Callable[[], list[str]]
    ) -> Iterator[tuple[str, str]]:
        """The address of a model that the store does not hold, and its hash."""
        tag = store.save(scorer)
        path = Path(bentoml.models.export_model(tag, str(tmp_path / "model.bentomodel")))
        bentoml.models.delete(tag)
        with served_folder(tmp_path) as address:
            yield f"{address}/{path.name}?key=s3cret", hashlib.sha256(path.read_bytes()).hexdigest()

    def test_a_model_with_the_hash_that_was_told_is_imported(self, exported: tuple[str, str]) -> None:
        address, sha256 = exported
        found = run_here("models", "import", address, "--sha256", sha256)
        assert found.exit_code == 0, found.output
        assert store.has(found.stdout.strip())
        assert "s3cret" not in found.output

    def test_for_production_the_demo_model_is_refused_and_nothing_is_imported(self, exported: tuple[str, str]) -> None:
        before = sorted(store.versions())
        message = error_here("models", "import", exported[0], "--sha256", exported[1], "--for-production")
        assert "was trained on the demo data" in message
        assert sorted(store.versions()) == before

    def test_an_address_without_a_hash_is_refused(self, exported: tuple[str, str]) -> None:
        assert "--sha256 is missing" in error_here("models", "import", exported[0])

    def test_another_hash_is_refused_by_the_address_without_its_secrets(self, exported: tuple[str, str]) -> None:
        before = sorted(store.versions())
        message = error_here("models", "import", exported[0], "--sha256", "0" * 64)
        assert message.startswith(exported[0].partition("?")[0])
        assert "--sha256 says 000000000000…" in message
        assert sorted(store.versions()) == before


class TestCheck:
    def test_the_demo_model_must_not_go_to_production(self, model_tag: str) -> None:
        assert f"{model_tag} was trained on the demo data" in error_here("models", "check", model_tag)

    def test_a_model_of_ones_own_history_may(self, scorer: Scorer, published: Callable[[], list[str]]) -> None:
        data = scorer.card.data.model_copy(update={"source": "history.csv"})
        tag = store.save(replace(scorer, card=scorer.card.model_copy(update={"data": data})))
        found = run_here("models", "check", tag)
        assert (found.exit_code, found.stdout) == (0, f"{tag}\n")

    def test_a_model_that_is_not_there_is_named(self) -> None:
        assert "credit_scoring:none" in error_here("models", "check", "credit_scoring:none")
