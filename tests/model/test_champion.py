"""The champion: what `credit_scoring:champion` stands for, how a model becomes it, and which never does."""

import getpass
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bentoml
import numpy as np
import pytest
from bentoml.exceptions import NotFound

from credit_scoring.errors import ConfigurationError, ModelNotFoundError, ModelRejectedError
from credit_scoring.model import champion, store
from credit_scoring.model.champion import FIRST, LONGEST, SERVED_SO_FAR
from credit_scoring.model.promotions import Promotions
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import CHAMPION


@pytest.fixture
def newer(scorer: Scorer, model_tag: str, published: Callable[[], list[str]]) -> str:
    """A second model, stored after the first; removed in the end."""
    return store.save(scorer)


@pytest.fixture
def untrue(scorer: Scorer, model_tag: str, published: Callable[[], list[str]]) -> str:
    """A stored model whose reference holds another risk than it gives."""
    risk = (scorer.reference.risk[0] + 0.1, *scorer.reference.risk[1:])
    return store.save(replace(scorer, reference=scorer.reference.model_copy(update={"risk": risk})))


@pytest.fixture
def incomplete(newer: str) -> str:
    (Path(store.find(newer).path) / "policy.json").unlink()
    return newer


class TestAlias:
    @pytest.mark.parametrize("alias", [CHAMPION, "champion"])
    def test_it_stands_for_the_promoted_model_not_for_the_newest(
        self, promotions: Promotions, model_tag: str, newer: str, alias: str
    ) -> None:
        champion.promote(model_tag, "ana", "first")
        assert str(store.find(alias).tag) == model_tag
        assert store.has(alias)
        assert str(store.find("credit_scoring:latest").tag) == newer

    def test_without_a_promotion_it_is_the_newest_and_that_is_said(
        self, promotions: Promotions, newer: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert str(store.find(CHAMPION).tag) == newer
        assert f"No model has been promoted yet: {newer}, the newest, is used" in caplog.text
        assert "credit-scoring models promote" in caplog.text

    def test_a_champion_that_is_gone_is_an_error_not_another_model(self, promotions: Promotions, newer: str) -> None:
        champion.promote(newer, "ana", "best so far")
        bentoml.models.delete(newer)
        with pytest.raises(ModelNotFoundError, match=rf"The champion {newer} \(promoted on .* by ana\) is not in"):
            store.find(CHAMPION)

    def test_a_reference_by_the_alias_resolves_to_the_own_tag(
        self, promotions: Promotions, model_tag: str, newer: str
    ) -> None:
        champion.promote(model_tag, "ana", "first")
        assert str(store.StoredModel(CHAMPION).resolve().tag) == model_tag
        assert str(store.StoredModel(CHAMPION).to_info().tag) == model_tag

    def test_what_a_bento_carries_of_the_champion_has_its_promotion_and_of_another_model_none(
        self, promotions: Promotions, model_tag: str, newer: str
    ) -> None:
        made = champion.promote(model_tag, "ana", "first")
        assert made
        told = store.StoredModel(CHAMPION).to_info().metadata
        assert told == {"promotion": made.model_dump(mode="json")}
        assert store.StoredModel(newer).to_info().metadata is None

    def test_in_a_bento_the_alias_is_the_model_that_it_was_built_with(
        self, promotions: Promotions, model_tag: str, newer: str
    ) -> None:
        champion.promote(newer, "ana", "later than the build")
        for given, expected in ((CHAMPION, model_tag), ("credit_scoring:latest", model_tag), (newer, newer)):
            reference = store.StoredModel(given)
            reference.use_of_bento(store.find(model_tag).tag)
            assert str(reference.resolve().tag) == expected

    def test_a_damaged_record_is_one_line_of_the_bentoml_command(self, promotions: Promotions, model_tag: str) -> None:
        promotions.path.parent.mkdir(parents=True, exist_ok=True)
        promotions.path.write_text("?\n", encoding="utf-8")
        with pytest.raises(NotFound, match=r"promotions\.jsonl: line 1"):
            store.StoredModel(CHAMPION).resolve()
        assert str(store.StoredModel(model_tag).resolve().tag) == model_tag


class TestPromote:
    def test_who_when_why_and_what_it_replaced_are_on_record(
        self, promotions: Promotions, model_tag: str, newer: str
    ) -> None:
        champion.promote(model_tag, "ana", "first")
        champion.promote("credit_scoring:latest", " bia ", "better\n on  2026")
        first, second = promotions.read()
        assert (first.tag, first.by, first.reason, first.replaced) == (model_tag, "ana", "first", None)
        assert (second.tag, second.by, second.reason) == (newer, "bia", "better on 2026")
        assert second.replaced == model_tag
        assert first.at <= second.at

    @pytest.mark.parametrize("again", ["own tag", CHAMPION])
    def test_of_the_champion_itself_nothing_is_written(
        self, promotions: Promotions, model_tag: str, again: str
    ) -> None:
        champion.promote(model_tag, "ana", "first")
        assert champion.promote(model_tag if again == "own tag" else again, "bia", "again") is None
        assert len(promotions.read()) == 1

    def test_a_model_that_is_not_there_is_refused(self, promotions: Promotions, model_tag: str) -> None:
        with pytest.raises(ModelNotFoundError, match="No model credit_scoring:none"):
            champion.promote("credit_scoring:none", "ana", "x")
        assert promotions.read() == ()

    def test_an_incomplete_model_is_refused(self, promotions: Promotions, incomplete: str) -> None:
        with pytest.raises(ModelRejectedError, match="incomplete"):
            champion.promote(incomplete, "ana", "x")
        assert promotions.read() == ()

    def test_a_model_that_does_not_prove_its_scores_is_refused(self, promotions: Promotions, untrue: str) -> None:
        with pytest.raises(ModelRejectedError, match="does not score as it did"):
            champion.promote(untrue, "ana", "x")
        assert promotions.read() == ()

    @pytest.mark.parametrize(
        ("by", "reason", "message"),
        [
            ("ana", " \n ", "--reason: is empty"),
            ("", "x", "--by: is empty"),
            ("ana", "x" * (LONGEST + 1), "--reason: has 501 characters, at most 500"),
            ("ana", "\x1b[31mred", "--reason: contains control characters"),
        ],
    )
    def test_a_text_that_says_nothing_or_too_much_is_refused(
        self, promotions: Promotions, model_tag: str, by: str, reason: str, message: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=message):
            champion.promote(model_tag, by, reason)
        assert promotions.read() == ()


class TestRollback:
    def test_it_goes_back_to_the_one_before_and_says_so_on_record(
        self, promotions: Promotions, model_tag: str, newer: str
    ) -> None:
        champion.promote(model_tag, "ana", "first")
        champion.promote(newer, "ana", "better")
        made = champion.rollback("bia", "it was not")
        assert (made.tag, made.replaced, made.by, made.rollback) == (model_tag, newer, "bia", True)
        assert str(store.find(CHAMPION).tag) == model_tag
        assert len(promotions.read()) == 3

    def test_without_a_promotion_or_before_the_first_one_it_is_refused(
        self, promotions: Promotions, model_tag: str
    ) -> None:
        with pytest.raises(ConfigurationError, match="No model has been promoted yet"):
            champion.rollback("ana", "x")
        champion.promote(model_tag, "ana", "first")
        with pytest.raises(ConfigurationError, match=f"{model_tag} is the first champion on record"):
            champion.rollback("ana", "x")
        assert len(promotions.read()) == 1

    def test_to_a_model_that_is_gone_it_is_refused(self, promotions: Promotions, model_tag: str, newer: str) -> None:
        champion.promote(newer, "ana", "first")
        champion.promote(model_tag, "ana", "better")
        bentoml.models.delete(newer)
        with pytest.raises(ModelNotFoundError, match=f"No model {newer}"):
            champion.rollback("ana", "x")
        assert str(store.find(CHAMPION).tag) == model_tag


class TestFirst:
    def test_the_first_model_of_a_store_becomes_champion(self, promotions: Promotions, model_tag: str) -> None:
        made = champion.begin(model_tag, None, "ana")
        assert made
        assert (made.tag, made.by, made.reason) == (model_tag, "ana", FIRST)

    def test_where_one_was_served_before_that_one_does(
        self, promotions: Promotions, model_tag: str, newer: str
    ) -> None:
        made = champion.begin(newer, model_tag, "ana")
        assert made
        assert (made.tag, made.reason) == (model_tag, SERVED_SO_FAR)

    def test_where_that_one_cannot_serve_the_new_one_does(
        self, promotions: Promotions, model_tag: str, untrue: str
    ) -> None:
        made = champion.begin(model_tag, untrue, "ana")
        assert made
        assert made.tag == model_tag

    def test_where_there_is_a_champion_it_stays(self, promotions: Promotions, model_tag: str, newer: str) -> None:
        champion.promote(model_tag, "ana", "first")
        assert champion.begin(newer, newer, "ana") is None
        assert str(store.find(CHAMPION).tag) == model_tag


def test_the_user_of_this_process_has_a_name_even_where_the_system_knows_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1034")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert champion.operating_user().startswith("uid ")


def test_promoting_does_not_change_what_a_model_scores(promotions: Promotions, model_tag: str, scorer: Scorer) -> None:
    champion.promote(model_tag, "ana", "first")
    rows = scorer.reference.rows
    loaded = Scorer.load(Path(store.find(CHAMPION).path))
    assert np.array_equal(loaded.score_records(rows), Scorer.load(Path(store.find(model_tag).path)).score_records(rows))
