"""The search: what it draws takes the place of what it begins with only where it is better beyond noise."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.training import search as module
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from credit_scoring.training.clock import Clock
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.folds import Fold
from credit_scoring.training.journal import Tried
from credit_scoring.training.search import IDLE, Searched, _Search, search, search_unconstrained
from credit_scoring.training.spaces import TREES

LIGHTGBM = CANDIDATE_BY_NAME["lightgbm"]
STARTS = len(LIGHTGBM.starts_for(1))
START = (0.80, 0.81, 0.79, 0.80, 0.80)


def searched(part: Dataset, drawn: Iterator[tuple[float, ...]], monkeypatch: pytest.MonkeyPatch) -> Searched:
    """LightGBM's search whose starts reach `START`, and whose draws reach what is given, one after the other."""
    monkeypatch.setattr(module, "CANDIDATES", [replace(LIGHTGBM)])
    starts = iter([START] * STARTS)

    def fresh(_: object, parameters: dict[str, float]) -> Tried:
        return Tried(parameters=parameters, aucs=next(starts, None) or next(drawn), seconds=1.0)

    monkeypatch.setattr(module._Search, "_fresh", fresh)
    (found,) = search(part, TrainingPlan(trials=20, jobs=1), lambda _: None)
    return found


def test_a_trial_that_the_clock_cut_short_is_tried_again_with_more_time(few: Dataset, tmp_path: Path) -> None:
    """What --resume keeps would else hide that the parameters are good, given time."""
    plan = TrainingPlan(trials=1, jobs=1, folds=2, resume=tmp_path / "trials.jsonl")
    slow = replace(LIGHTGBM, start={**LIGHTGBM.start, "learning_rate": 0.025}, other_starts=(), large_starts=())
    trial = _Search(slow, few, few.columns, plan, Clock(), 0.0)
    trial.run(lambda _: None)
    whole = (tmp_path / "trials.jsonl").read_text(encoding="utf-8")
    assert whole.count("\n") == 1
    assert not trial.run(lambda _: None).was_cut
    (tmp_path / "trials.jsonl").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SHORTEST_S", 0.0)
        cut = _Search(slow, few, few.columns, plan, Clock(0.0), 0.0)
        found = cut.run(lambda _: None)
    assert (tmp_path / "trials.jsonl").read_text(encoding="utf-8") == ""
    assert found.parameters[TREES] == 1
    assert found.was_cut


def test_a_trial_of_a_candidate_that_no_clock_cuts_is_kept_however_little_time_there_is(
    few: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHORTEST_S", 0.0)
    plan = TrainingPlan(trials=1, jobs=1, folds=2, resume=tmp_path / "trials.jsonl")
    _Search(CANDIDATE_BY_NAME["logistic_regression"], few, few.columns, plan, Clock(0.0), 0.0).run(lambda _: None)
    assert (tmp_path / "trials.jsonl").read_text(encoding="utf-8").count("\n") == 1


def test_the_search_without_constraints_is_not_charged_the_time_of_those_before_it(few: Dataset) -> None:
    """Half of the stage's time has gone: as much as one trial would take, if all of it had been this search's."""
    clock = Clock(1_000.0, lambda: 500.0, began=0.0)
    best = Searched("logistic_regression", 1, (0.8, 0.8), {"C": 1.0}, rows=100, seconds=0.1)
    found = search_unconstrained(best, few, TrainingPlan(trials=6, jobs=1, folds=2), lambda _: None, clock)
    assert found.trials == 3


def test_every_fold_of_a_trial_has_the_same_part_of_the_time_that_is_left(
    few: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes all that it may, by a clock that is moved by hand."""
    now, given = 0.0, []
    original = module.fold_aucs_by_trees

    def slow(classifier: Any, fold: Fold, seconds: float) -> tuple[Floats, float]:
        nonlocal now
        now += seconds
        given.append(seconds)
        return original(classifier, fold, seconds)

    monkeypatch.setattr(module, "fold_aucs_by_trees", slow)
    quick = {**LIGHTGBM.start, "learning_rate": 0.12}
    trial = _Search(LIGHTGBM, few, few.columns, TrainingPlan(jobs=1), Clock(1_000.0, lambda: now, 0.0), 0.0)
    trial._fresh(quick)
    assert given == pytest.approx([200.0] * 5)


@pytest.fixture(scope="module")
def few(dataset: Dataset) -> Dataset:
    part, _ = dataset.split(1 - 200 / len(dataset.frame), seed=7)
    return part


def test_a_draw_that_is_ahead_by_luck_on_some_folds_does_not_replace_a_start(
    few: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    lucky = (0.84, 0.80, 0.80, 0.79, 0.82)
    found = searched(few, iter([lucky] * 20), monkeypatch)
    assert found.aucs == START
    assert found.trials == 1 + IDLE  # the other starts were no better, either


def test_a_draw_that_is_ahead_on_every_fold_does(few: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    better = tuple(each + 0.002 for each in START)
    found = searched(few, iter([better] * 20), monkeypatch)
    assert found.aucs == better
    assert found.trials == STARTS + 1 + IDLE
