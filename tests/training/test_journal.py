"""Trials that are kept: an interrupted search goes on where it was and finds what it would have found."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.errors import ConfigurationError
from credit_scoring.training import journal
from credit_scoring.training import search as searching
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.folds import Fold
from credit_scoring.training.journal import Journal, Tried, key_of
from credit_scoring.training.search import Searched, TrialReport, search, search_unconstrained

TRIED = Tried(parameters={"C": 0.5}, aucs=(0.7, 0.8), seconds=1.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trials.jsonl"


@pytest.fixture(scope="module")
def small(dataset: Dataset) -> Dataset:
    part, _ = dataset.split(1 - 500 / len(dataset.frame), seed=3)
    return part


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = tuple(CANDIDATE_BY_NAME[name] for name in ("logistic_regression", "lightgbm_random"))
    monkeypatch.setattr(searching, "CANDIDATES", candidates)


def _timeless(results: list[Searched]) -> list[tuple[object, ...]]:
    return [(each.name, each.trials, each.aucs, dict(each.parameters)) for each in results]


def _noted_fits(monkeypatch: pytest.MonkeyPatch) -> list[Fold]:
    """The folds that models are fitted on from now on."""
    fits: list[Fold] = []
    original = searching.fold_aucs_by_trees

    def noted(classifier: Any, fold: Fold, seconds: float) -> tuple[Floats, float]:
        fits.append(fold)
        return original(classifier, fold, seconds)

    monkeypatch.setattr(searching, "fold_aucs_by_trees", noted)
    return fits


def test_what_is_kept_is_found_by_whoever_opens_the_file_again(path: Path) -> None:
    Journal.at(path).add(key_of("a"), TRIED)
    again = Journal.at(path)
    assert again.find(key_of("a")) == TRIED
    assert again.find(key_of("b")) is None


def test_an_interrupted_search_goes_on_and_finds_the_same(
    small: Dataset, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = TrainingPlan(trials=8, jobs=1, folds=3, resume=path)
    expected = search(small, TrainingPlan(trials=8, jobs=1, folds=3), lambda _: None)

    def interrupt(report: TrialReport) -> None:
        if report.candidate.name == "lightgbm_random":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(small, plan, interrupt)
    kept = len(path.read_text(encoding="utf-8").splitlines())
    fits = _noted_fits(monkeypatch)
    assert _timeless(search(small, plan, lambda _: None)) == _timeless(expected)
    done = len(path.read_text(encoding="utf-8").splitlines())
    assert 0 < kept < done
    assert 0 < len(fits) <= 3 * (done - kept)
    fits.clear()
    assert _timeless(search(small, plan, lambda _: None)) == _timeless(expected)
    assert fits == []


def test_trials_on_other_data_or_with_another_seed_are_not_taken_for_these(small: Dataset, path: Path) -> None:
    def lines(data: Dataset, seed: int) -> int:
        search(data, TrainingPlan(trials=1, jobs=1, folds=3, resume=path, seed=seed), lambda _: None)
        return len(path.read_text(encoding="utf-8").splitlines())

    assert lines(small, 1) == 2
    assert lines(small, 1) == 2
    assert lines(small, 2) == 4
    assert lines(small.rows(np.arange(1, len(small.frame))), 1) == 6


def test_trials_on_the_same_file_read_otherwise_are_not_taken_for_these(small: Dataset, path: Path) -> None:
    """The hash and the rows of the file stay the same when its mapping is corrected."""
    swapped = replace(small, defaulted=~small.defaulted)
    raised = replace(small, frame=small.frame.assign(monthly_income=small.frame["monthly_income"] + 1))
    plan = TrainingPlan(trials=1, jobs=1, folds=3, resume=path)
    for count, data in enumerate((small, swapped, raised), start=1):
        search(data, plan, lambda _: None)
        assert len(path.read_text(encoding="utf-8").splitlines()) == 2 * count


def test_trials_of_another_algorithm_without_constraints_are_not_taken_for_these(small: Dataset, path: Path) -> None:
    plan = TrainingPlan(trials=1, jobs=1, folds=3, resume=path)
    parameters = {**CANDIDATE_BY_NAME["lightgbm"].start, "learning_rate": 0.12}
    for count, name in enumerate(("lightgbm", "lightgbm_random"), start=1):
        best = Searched(name, 1, (0.8,) * 3, parameters, rows=300, seconds=0.1)
        search_unconstrained(best, small, plan, lambda _: None)
        assert len(path.read_text(encoding="utf-8").splitlines()) == count


def test_trials_of_another_version_of_this_project_are_not_taken_for_these(monkeypatch: pytest.MonkeyPatch) -> None:
    key = key_of("a")
    monkeypatch.setattr(journal, "__version__", "0.0.0")
    assert key_of("a") != key


def test_a_trial_without_an_auc_is_none_so_that_every_line_can_be_read_again() -> None:
    with pytest.raises(ValidationError, match="finite number"):
        Tried(parameters={}, aucs=(0.7, float("nan")), seconds=1.0)


def test_a_last_line_that_was_cut_off_is_tried_again(path: Path) -> None:
    kept = Journal.at(path)
    kept.add(key_of("a"), TRIED)
    kept.add(key_of("b"), TRIED)
    path.write_text(path.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    again = Journal.at(path)
    assert again.find(key_of("a")) == TRIED
    assert again.find(key_of("b")) is None
    again.add(key_of("c"), TRIED)
    assert Journal.at(path).find(key_of("c")) == TRIED


def test_a_first_line_that_was_cut_off_is_tried_again(path: Path) -> None:
    Journal.at(path).add(key_of("a"), TRIED)
    path.write_text(path.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    assert Journal.at(path).find(key_of("a")) is None


def test_a_file_that_is_whole_is_not_written_when_it_is_opened(path: Path) -> None:
    Journal.at(path).add(key_of("a"), TRIED)
    os.utime(path, (1, 1))
    Journal.at(path)
    assert path.stat().st_mtime == 1


def test_a_trial_that_cannot_be_written_is_one_error_that_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match=r"--resume /dev/full: .*No space left on device.*goes on from there"):
        Journal(Path("/dev/full")).add(key_of("a"), TRIED)


def test_a_file_of_another_kind_is_refused_by_line(path: Path) -> None:
    for text in ("outcome,age\nPAID,30\n", "one line", '{"key":"value"}'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigurationError, match=r"trials\.jsonl: line 1 is no trial of a search\. Name a file"):
            Journal.at(path)
        assert path.read_text(encoding="utf-8") == text


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"--resume .*: cannot be read and written as text \(IsADirectoryError"
    ):
        Journal.at(tmp_path)
