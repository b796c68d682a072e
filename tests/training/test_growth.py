"""The number of trees that a booster is given: found on held-out rows, and sought again on more rows."""

import numpy as np
import pytest
from sklearn.base import clone

from credit_scoring.data.datasets import Dataset
from credit_scoring.evaluation.performance import auc
from credit_scoring.training.candidates import CANDIDATE_BY_NAME, CANDIDATES
from credit_scoring.training.clock import Clock
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.folds import Fold, prepared
from credit_scoring.training.growth import grown
from credit_scoring.training.search import fold_aucs_by_trees
from credit_scoring.training.spaces import TREES

PLAN = TrainingPlan(folds=3, jobs=1)
BOOSTERS = [candidate.name for candidate in CANDIDATES if candidate.grows]
QUICK = {name: {**CANDIDATE_BY_NAME[name].start, "learning_rate": 0.12} for name in BOOSTERS}


@pytest.fixture(scope="module")
def fold(dataset: Dataset) -> Fold:
    split = next(iter(PLAN.splitter().split(dataset.defaulted, dataset.defaulted)))
    return prepared(dataset, dataset.columns, [split], scale=False)[0]


@pytest.mark.parametrize("name", BOOSTERS)
def test_the_auc_after_each_tree_is_that_of_a_model_with_so_many_trees(dataset: Dataset, fold: Fold, name: str) -> None:
    booster = CANDIDATE_BY_NAME[name].build({**QUICK[name], TREES: 40}, dataset.columns.risk_directions, 1)
    curve = booster.auc_by_trees(fold.fitted, fold.outcomes, fold.unseen, fold.unseen_outcomes, patience=40)
    for trees in (1, 17, 40):
        model = clone(booster).set_params(n_estimators=trees).fit(fold.fitted, fold.outcomes)
        found = auc(fold.unseen_outcomes, model.decision_function(fold.unseen), 0.0)
        assert curve[trees - 1] == pytest.approx(found, abs=1e-5)


@pytest.mark.parametrize("name", BOOSTERS)
def test_a_booster_that_ranks_no_better_is_grown_no_further(dataset: Dataset, fold: Fold, name: str) -> None:
    booster = CANDIDATE_BY_NAME[name].build({**QUICK[name], TREES: 2000}, dataset.columns.risk_directions, 1)
    curve = booster.auc_by_trees(fold.fitted, fold.outcomes, fold.unseen, fold.unseen_outcomes, patience=20)
    assert len(curve) == int(np.argmax(curve)) + 21 < 2000


@pytest.mark.parametrize("name", BOOSTERS)
def test_a_booster_whose_time_is_up_is_grown_no_further(dataset: Dataset, fold: Fold, name: str) -> None:
    booster = CANDIDATE_BY_NAME[name].build({**QUICK[name], TREES: 2000}, dataset.columns.risk_directions, 1)
    matrices = (fold.fitted, fold.outcomes, fold.unseen, fold.unseen_outcomes)
    assert len(booster.auc_by_trees(*matrices, patience=2000, seconds=0.0)) == 1


def test_only_boosters_grow_and_only_in_their_number_of_trees(dataset: Dataset) -> None:
    parameters = {**QUICK, "logistic_regression": {"C": 1.0}}
    found = grown(parameters, dataset, PLAN)
    assert found["logistic_regression"] == {"C": 1.0}
    for name in BOOSTERS:
        assert found[name].keys() == parameters[name].keys()
        assert {**found[name], TREES: 0} == {**parameters[name], TREES: 0}
        assert 1 < found[name][TREES] < 1500


def test_boosters_that_there_is_no_time_to_grow_keep_their_trees(dataset: Dataset) -> None:
    """One tree is grown before the clock is looked at, and more than five would be better."""
    few = {name: {**each, TREES: 5} for name, each in QUICK.items()}
    assert grown(few, dataset, PLAN, Clock(0.0)) == few


@pytest.mark.parametrize("name", BOOSTERS)
def test_a_booster_gets_the_number_of_trees_that_ranks_best_on_a_fold_of_these_rows(
    dataset: Dataset, fold: Fold, name: str
) -> None:
    curve, _ = fold_aucs_by_trees(CANDIDATE_BY_NAME[name].build(QUICK[name], dataset.columns.risk_directions, 42), fold)
    found = grown({name: QUICK[name]}, dataset, PLAN)[name][TREES]
    assert curve[found - 1] == max(curve)
