"""Cards of models that were not published."""

from pathlib import Path

import pytest
from bentoml._internal.configuration.containers import BentoMLContainer

from credit_scoring.model import unpublished
from credit_scoring.model.unpublished import keep_card


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(BentoMLContainer.bentoml_home, "get", lambda: str(tmp_path))
    return tmp_path


def test_a_card_is_kept_under_a_name_of_its_own(home: Path) -> None:
    first, second = keep_card('{"é": 1}'), keep_card("{}")
    assert first != second
    assert (first.read_text(encoding="utf-8"), second.read_text(encoding="utf-8")) == ('{"é": 1}', "{}")
    assert home in first.parents


def test_only_the_newest_cards_are_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpublished, "KEPT", 3)
    made = [keep_card(str(number)) for number in range(5)]
    assert sorted(made[0].parent.iterdir()) == sorted(made[-3:])
