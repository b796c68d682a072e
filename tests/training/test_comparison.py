"""Which candidate is taken, and how sure one may be of a difference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.model_selection import StratifiedKFold

from credit_scoring.application.arrays import Flags, Floats, Rows
from credit_scoring.evaluation.performance import auc
from credit_scoring.model.card import MATTERS
from credit_scoring.training.comparison import (
    Contender,
    behind_best,
    choose,
    corrected_interval,
    cross_stacked,
    decided,
    fold_aucs,
    stacking_weights,
)

FOLDS = 5


def contender(name: str, cost: int, *aucs: float) -> Contender:
    return Contender(name, cost, np.array(aucs))


def test_a_simpler_contender_wins_a_tie() -> None:
    simple = contender("simple", 1, 0.80, 0.82, 0.81, 0.79, 0.80)
    costly = contender("costly", 9, 0.81, 0.81, 0.82, 0.80, 0.79)
    assert choose([costly, simple], FOLDS) == "simple"


def test_a_costlier_contender_is_taken_when_its_lead_is_more_than_a_standard_error() -> None:
    simple = contender("simple", 1, 0.80, 0.82, 0.81, 0.79, 0.80)
    costly = contender("costly", 9, 0.83, 0.82, 0.82, 0.80, 0.81)
    assert behind_best([simple, costly], FOLDS)["simple"].low < 0
    assert choose([simple, costly], FOLDS) == "costly"


def test_a_lead_by_luck_on_one_fold_wins_nothing() -> None:
    simple = contender("simple", 1, 0.80, 0.82, 0.81, 0.79, 0.80)
    lucky = contender("lucky", 9, 0.90, 0.79, 0.84, 0.78, 0.77)
    assert lucky.aucs.mean() - simple.aucs.mean() > MATTERS
    assert choose([simple, lucky], FOLDS) == "simple"


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


@given(st.lists(st.tuples(st.integers(1, 5), st.floats(0.5, 1)), min_size=1, max_size=6))
def test_where_all_folds_agree_what_is_taken_is_the_cheapest_that_is_not_behind_by_what_matters(
    found: list[tuple[int, float]],
) -> None:
    contenders = [contender(str(number), cost, mean, mean) for number, (cost, mean) in enumerate(found)]
    cost, mean = found[int(choose(contenders, FOLDS))]
    best = max(each for _, each in found)
    assert best - mean <= MATTERS
    assert all(other >= cost for other, each in found if best - each <= MATTERS)


def test_where_another_may_be_ahead_by_what_matters_it_is_not_decided_yet() -> None:
    simple = contender("simple", 1, 0.80, 0.82, 0.81, 0.79, 0.80)
    unsure = contender("unsure", 9, 0.83, 0.82, 0.80, 0.81, 0.77)
    assert choose([simple, unsure], FOLDS) == "simple"
    assert not decided([simple, unsure], FOLDS)


def test_where_no_other_can_be_ahead_by_what_matters_it_is_decided() -> None:
    simple = contender("simple", 1, 0.80, 0.82, 0.81, 0.79, 0.80)
    alike = contender("alike", 9, 0.801, 0.8205, 0.811, 0.7905, 0.8005)
    hopeless = contender("hopeless", 9, 0.70, 0.72, 0.71, 0.69, 0.70)
    assert decided([simple, alike, hopeless], FOLDS)


def test_one_that_had_fewer_folds_is_judged_on_those_that_it_had() -> None:
    best = contender("best", 1, 0.80, 0.82, 0.90, 0.90)
    early = contender("early", 2, 0.79, 0.81)
    assert behind_best([best, early], 2)["early"].value == pytest.approx(0.01)


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


CLIENTS, REPEATS, FOLDS_EACH = 1500, 2, 3


class Said:
    """Two models that see different halves of the truth, one that guesses and one that has it the wrong way round."""

    def __init__(self) -> None:
        chance = np.random.default_rng(5)
        halves = chance.normal(size=(2, CLIENTS))
        self.defaulted: Flags = chance.random(CLIENTS) < expit(1.2 * halves.sum(axis=0) - 1)
        noise = 0.2 * chance.normal(size=(4, REPEATS, CLIENTS))
        self.log_odds: dict[str, Floats] = {
            "one": halves[0] + noise[0],
            "other": halves[1] + noise[1],
            "guess": 5 * noise[2],
            "reversed": -halves[0] + noise[3],
        }
        self.held_out: list[Rows] = [
            rows
            for repeat in range(REPEATS)
            for _, rows in StratifiedKFold(FOLDS_EACH, shuffle=True, random_state=repeat).split(
                halves[0], self.defaulted
            )
        ]


@pytest.fixture(scope="module")
def said() -> Said:
    return Said()


def test_models_that_see_different_things_weigh_alike_and_one_that_has_it_wrong_nothing(said: Said) -> None:
    weights = stacking_weights(said.log_odds, said.defaulted)
    assert "reversed" not in weights
    assert weights["one"] == pytest.approx(0.5, abs=0.1) == weights["other"]
    assert weights.get("guess", 0.0) < 0.05


def test_no_model_gets_any_weight_where_none_can_rank(said: Said) -> None:
    assert stacking_weights({"reversed": said.log_odds["reversed"]}, said.defaulted) == {}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), models=st.integers(1, 5))
def test_weights_are_positive_and_sum_to_one(said: Said, seed: int, models: int) -> None:
    chance = np.random.default_rng(seed)
    scales = chance.uniform(0.1, 10, size=(models, 1, 1))
    useful = np.stack([said.log_odds["one"]] * models) + chance.normal(size=(models, REPEATS, CLIENTS))
    weights = stacking_weights({str(i): each for i, each in enumerate(scales * useful)}, said.defaulted)
    assert sum(weights.values()) == pytest.approx(1)
    assert all(each > 0 for each in weights.values())


def test_the_ensemble_ranks_better_than_its_best_member(said: Said) -> None:
    stacked = cross_stacked(said.log_odds, said.defaulted, said.held_out)
    members = [auc(said.defaulted, each[0], 0.0) for each in said.log_odds.values()]
    assert auc(said.defaulted, stacked[0], 0.0) > max(members) + 0.05


def test_what_became_of_a_client_does_not_reach_the_weights_that_it_is_judged_by(said: Said) -> None:
    changed = said.defaulted.copy()
    first = said.held_out[0]
    changed[first] = ~changed[first]
    before, after = (cross_stacked(said.log_odds, each, said.held_out) for each in (said.defaulted, changed))
    assert (before[0, first] == after[0, first]).all()
    rest = np.setdiff1d(np.arange(CLIENTS), first)
    assert (before[0, rest] != after[0, rest]).any()
