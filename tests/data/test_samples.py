"""Samples of many rows: at the same default rate, with enough of the rarer outcome."""

import numpy as np
import pytest

from credit_scoring.data.datasets import Dataset
from credit_scoring.data.samples import rows_to_fold, sampled


def test_a_sample_keeps_the_default_rate_and_is_the_same_for_the_same_seed(dataset: Dataset) -> None:
    part, again, other = (sampled(dataset, 1000, seed) for seed in (1, 1, 2))
    assert len(part.frame) == 1000
    assert part.defaulted.mean() == pytest.approx(dataset.defaulted.mean(), abs=0.001)
    assert part.frame.equals(again.frame)
    assert not part.frame.equals(other.frame)


def test_where_all_rows_fit_all_are_taken_as_they_stand(dataset: Dataset) -> None:
    assert sampled(dataset, len(dataset.frame), 1) is dataset


@pytest.mark.parametrize("left_over", [0, 1, 2])
def test_a_sample_may_leave_a_single_row_over(dataset: Dataset, left_over: int) -> None:
    part = dataset.rows(np.arange(101))
    found = sampled(part, 101 - left_over, seed=1)
    assert len(found.frame) == (101 if left_over == 0 else 99)


def _with_bad(dataset: Dataset, bad: int) -> Dataset:
    """The payers, with so many defaulters."""
    defaulters, payers = (np.flatnonzero(each) for each in (dataset.defaulted, ~dataset.defaulted))
    return dataset.rows(np.sort(np.concatenate([defaulters[:bad], payers])))


def test_a_sample_to_fold_has_enough_of_a_rare_outcome_at_its_rate(dataset: Dataset) -> None:
    rare = _with_bad(dataset, 80)
    part = sampled(rare, rows_to_fold(rare, 500), seed=1)
    assert part.defaulted.sum() == 50
    assert part.defaulted.mean() == pytest.approx(rare.defaulted.mean(), rel=0.01)


def test_a_sample_has_as_much_of_a_rare_outcome_as_is_asked_for(dataset: Dataset) -> None:
    rare = _with_bad(dataset, 80)
    assert sampled(rare, rows_to_fold(rare, 500, 70), seed=1).defaulted.sum() == 70


def test_where_there_is_not_enough_of_a_rare_outcome_all_rows_are_folded(dataset: Dataset) -> None:
    rare = _with_bad(dataset, 40)
    assert rows_to_fold(rare, 500) == len(rare.frame)


def test_a_sample_with_enough_of_both_outcomes_has_as_many_rows_as_asked_for(dataset: Dataset) -> None:
    assert rows_to_fold(dataset, 500) == 500
    assert rows_to_fold(dataset, 10**6) == len(dataset.frame)
