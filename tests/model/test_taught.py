"""Boosters on labels between 0 and 1: like their twins on outcomes, and independent of the teacher once fitted."""

import pickle
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn.base import clone

from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.model.estimators import LogOddsLightGBM, LogOddsXGBoost
from credit_scoring.model.taught import TaughtLightGBM, TaughtXGBoost

LIGHTGBM = LogOddsLightGBM(n_estimators=60, learning_rate=0.1, num_leaves=8, min_child_samples=20, verbose=-1, n_jobs=1)
XGBOOST = LogOddsXGBoost(n_estimators=60, learning_rate=0.1, max_depth=3, n_jobs=1)
STUDENTS = [TaughtLightGBM(LIGHTGBM), TaughtXGBoost(XGBOOST)]

students = pytest.mark.parametrize("student", STUDENTS, ids=lambda each: type(each).__name__)


@pytest.fixture(scope="module")
def clients() -> tuple[Floats, Flags, Floats]:
    """Numbers, outcomes and the true risks that these were drawn by."""
    chance = np.random.default_rng(3)
    matrix = chance.normal(size=(1500, 4))
    risk = expit(matrix @ np.array([1.5, -1.0, 0.5, 0.0]) - 0.7)
    return matrix, chance.random(1500) < risk, risk


@students
def test_on_outcomes_it_says_what_its_twin_says(clients: tuple[Floats, Flags, Floats], student: Any) -> None:
    matrix, defaulted, _ = clients
    twin = clone(student.booster).fit(matrix, defaulted).decision_function(matrix)
    for labels in (None, defaulted.astype(float)):
        taught = clone(student).fit(matrix, defaulted, labels=labels).decision_function(matrix)
        np.testing.assert_allclose(taught, twin, atol=0.05)


@students
def test_it_learns_the_labels_and_not_the_outcomes(clients: tuple[Floats, Flags, Floats], student: Any) -> None:
    matrix, defaulted, risk = clients
    taught = clone(student).fit(matrix, defaulted, labels=risk).predict_proba(matrix)[:, 1]
    untaught = clone(student).fit(matrix, defaulted).predict_proba(matrix)[:, 1]
    assert np.abs(taught - risk).mean() < np.abs(untaught - risk).mean() / 2
    turned = clone(student).fit(matrix, defaulted, labels=1 - risk).decision_function(matrix)
    assert np.corrcoef(turned, risk)[0, 1] < -0.8


@students
def test_its_trees_keep_the_direction_that_labels_contradict(
    clients: tuple[Floats, Flags, Floats], student: Any
) -> None:
    matrix, defaulted, risk = clients
    bound = clone(student).set_params(booster__monotone_constraints=(-1, 0, 0, 0))
    bound.fit(matrix, defaulted, labels=risk)
    grid = np.repeat(matrix[:50, None, :], 20, axis=1)
    grid[:, :, 0] = np.linspace(-3, 3, 20)
    scores = bound.decision_function(grid.reshape(-1, 4)).reshape(50, 20)
    assert (np.diff(scores, axis=1) <= 1e-12).all()


@students
def test_what_is_stored_scores_a_row_the_same_alone_and_in_a_batch(
    clients: tuple[Floats, Flags, Floats], student: Any
) -> None:
    matrix, defaulted, risk = clients
    fitted = clone(student).fit(matrix, defaulted, labels=risk)
    loaded = pickle.loads(pickle.dumps(fitted))  # noqa: S301 - our own
    together = fitted.decision_function(matrix)
    assert loaded.decision_function(matrix).tobytes() == together.tobytes()
    assert [fitted.log_odds(matrix[row : row + 1])[0] for row in range(20)] == together[:20].tolist()


@students
@pytest.mark.parametrize("label", [-0.1, 1.1, np.nan])
def test_a_label_that_is_no_probability_is_an_error(
    clients: tuple[Floats, Flags, Floats], student: Any, label: float
) -> None:
    matrix, defaulted, risk = clients
    with pytest.raises(ValueError, match="between 0 and 1"):
        clone(student).fit(matrix, defaulted, labels=np.append(risk[1:], label))
