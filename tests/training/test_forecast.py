"""What stages will take, before they begin: by the rows that they work on and the threads that they have."""

import pytest

from credit_scoring.data.datasets import Dataset
from credit_scoring.training import threads
from credit_scoring.training.clock import Clock
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.forecast import FEWEST_ROWS, Forecast
from credit_scoring.training.search import Searched


def _searched(name: str) -> Searched:
    return Searched(name, 1, (0.8,), {}, rows=1_000, seconds=1.0)


def test_the_last_fits_are_counted_in_the_threads_that_each_of_them_takes(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "MANY_ROWS", 1)
    monkeypatch.setattr(threads, "cpu_count", lambda: 2)
    forecast, alone = Forecast(dataset, TrainingPlan(jobs=2)), len(dataset.frame) / 1_000
    assert forecast.last_fits([_searched("lightgbm")]) == pytest.approx(alone / 2)
    assert forecast.last_fits([_searched("logistic_regression")]) == pytest.approx(alone)
    assert forecast.last_fits([_searched("lightgbm"), _searched("logistic_regression")]) == pytest.approx(1.5 * alone)


def test_a_comparison_without_time_is_foretold_by_the_rows_that_it_has_all_the_same(dataset: Dataset) -> None:
    forecast, candidates = Forecast(dataset, TrainingPlan(jobs=1)), [_searched("lightgbm"), _searched("xgboost")]
    rows, seconds = forecast.comparison(candidates, Clock(0.0))
    assert rows == FEWEST_ROWS
    assert seconds == pytest.approx(2 * forecast.folds(candidates[0], FEWEST_ROWS))
    assert seconds > 10


def test_a_comparison_with_time_enough_has_all_rows(dataset: Dataset) -> None:
    forecast, candidates = Forecast(dataset, TrainingPlan(jobs=1)), [_searched("lightgbm")]
    assert forecast.comparison(candidates, Clock())[0] == len(dataset.frame)
    assert forecast.comparison(candidates, Clock(1e6))[0] == len(dataset.frame)
