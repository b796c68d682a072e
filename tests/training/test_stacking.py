"""The ensemble's weights: learned from unseen rows, never negative, and nothing for a model that adds nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.model_selection import StratifiedKFold

from credit_scoring.application.arrays import Flags, Floats, Rows
from credit_scoring.evaluation.performance import auc
from credit_scoring.training.stacking import cross_stacked, stacking_weights

CLIENTS, REPEATS, FOLDS = 1500, 2, 3


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
            for _, rows in StratifiedKFold(FOLDS, shuffle=True, random_state=repeat).split(halves[0], self.defaulted)
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
