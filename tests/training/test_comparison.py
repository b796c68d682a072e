"""Which candidate is taken, and how sure one may be of a difference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_scoring.training.comparison import Contender, behind_best, choose, corrected_interval, fold_aucs

FOLDS = 5


def contender(name: str, cost: int, *aucs: float) -> Contender:
    return Contender(name, cost, np.array(aucs))


def test_a_simpler_contender_wins_a_tie() -> None:
    simple = contender("simple", 1, 0.80, 0.82, 0.81, 0.79, 0.80)
    costly = contender("costly", 9, 0.81, 0.81, 0.82, 0.80, 0.79)
    assert choose([costly, simple], FOLDS) == "simple"


def test_a_costlier_contender_is_taken_when_it_wins_by_more_than_noise() -> None:
    simple = contender("simple", 1, 0.80, 0.82, 0.81, 0.79, 0.80)
    costly = contender("costly", 9, 0.83, 0.85, 0.841, 0.82, 0.83)
    assert choose([simple, costly], FOLDS) == "costly"


def test_a_lead_that_is_certain_but_too_small_to_matter_wins_nothing() -> None:
    simple = contender("simple", 1, 0.80, 0.82, 0.81, 0.79, 0.80)
    costly = contender("costly", 9, 0.801, 0.8211, 0.811, 0.791, 0.8011)
    assert behind_best([simple, costly], FOLDS)["simple"].low > 0
    assert choose([simple, costly], FOLDS) == "simple"


def test_of_equally_costly_ones_the_better_is_taken() -> None:
    one, other = contender("one", 2, 0.80, 0.81), contender("other", 2, 0.81, 0.81)
    assert choose([one, other], FOLDS) == "other"


def test_on_a_single_fold_nothing_is_certain_and_the_simplest_is_taken() -> None:
    assert choose([contender("simple", 1, 0.5), contender("costly", 2, 0.9)], FOLDS) == "simple"


@given(st.lists(st.floats(0.5, 1), min_size=2, max_size=30))
def test_the_corrected_interval_is_wider_than_one_that_takes_folds_for_independent(values: list[float]) -> None:
    found = corrected_interval(np.array(values), FOLDS)
    naive = np.std(values, ddof=1) / np.sqrt(len(values))
    assert found.low <= found.value <= found.high
    assert (found.high - found.low) / 2 >= naive


def test_the_corrected_variance_is_that_of_nadeau_and_bengio() -> None:
    values = np.array([0.1, 0.2, 0.3, 0.2, 0.2])
    found = corrected_interval(values, FOLDS)
    expected = 2.776 * np.sqrt((1 / 5 + 1 / 4) * values.var(ddof=1))
    assert (found.high - found.low) / 2 == pytest.approx(expected, rel=1e-3)


def test_the_best_is_nothing_behind_itself() -> None:
    found = behind_best([contender("a", 1, 0.8, 0.9), contender("b", 1, 0.7, 0.85)], FOLDS)
    assert (found["a"].low, found["a"].value, found["a"].high) == (0, 0, 0)
    assert found["b"].value == pytest.approx(0.075)


def test_each_fold_is_judged_by_its_own_repeat() -> None:
    defaulted = np.array([False, True, False, True])
    right, wrong = np.array([0.0, 1.0, 0.0, 1.0]), np.array([1.0, 0.0, 1.0, 0.0])
    parts = [np.array([0, 1]), np.array([2, 3])]
    assert fold_aucs(defaulted, np.array([right, wrong]), parts * 2).tolist() == [1, 1, 0, 0]
