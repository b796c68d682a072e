"""Calibrators turn log-odds into true probabilities and leave the order alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.base import clone
from sklearn.model_selection import PredefinedSplit, StratifiedKFold

from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.model.calibration import CALIBRATORS, CalibratedClassifier, compare_calibrators, cross_calibrated
from credit_scoring.model.estimators import MonotoneLogisticRegression

ROWS = 4000
SPLITTER = StratifiedKFold(5, shuffle=True, random_state=0)


def sample(distort: float = 1.0, shift: float = 0.0) -> tuple[Floats, Flags]:
    """Log-odds that are wrong by a factor and a shift, and outcomes drawn from the true ones."""
    generator = np.random.default_rng(0)
    true = generator.normal(-1, 1.5, ROWS)
    return distort * true + shift, np.asarray(generator.uniform(size=ROWS) < expit(true))


@pytest.mark.parametrize("name", CALIBRATORS)
@given(log_odds=st.lists(st.floats(-700, 700), min_size=2, max_size=50))
def test_risk_never_falls_when_the_log_odds_rise_and_stays_a_probability(name: str, log_odds: list[float]) -> None:
    calibrator = CALIBRATORS[name]().fit(*sample(distort=2.0))
    risk = calibrator.predict(np.sort(np.array(log_odds)))
    assert (np.diff(risk) >= 0).all()
    assert ((risk >= 0) & (risk <= 1)).all()


@pytest.mark.parametrize("name", CALIBRATORS)
def test_a_row_s_risk_is_the_same_to_the_last_bit_in_any_company(name: str) -> None:
    log_odds, defaulted = sample()
    calibrator = CALIBRATORS[name]().fit(log_odds, defaulted)
    whole = calibrator.predict(log_odds[:200])
    singly = np.concatenate([calibrator.predict(log_odds[i : i + 1]) for i in range(200)])
    assert whole.tobytes() == singly.tobytes()


@pytest.mark.parametrize("name", [name for name in CALIBRATORS if name != "none"])
def test_overconfident_log_odds_are_made_true(name: str) -> None:
    log_odds, defaulted = sample(distort=3.0, shift=1.0)
    risk = CALIBRATORS[name]().fit(log_odds, defaulted).predict(log_odds)
    for low, high in ((0.1, 0.3), (0.3, 0.5), (0.5, 0.7)):
        rows = (risk >= low) & (risk < high)
        assert defaulted[rows].mean() == pytest.approx(risk[rows].mean(), abs=0.05)


def test_log_odds_that_are_true_are_kept_as_they_are_or_by_a_line_close_to_them() -> None:
    log_odds, defaulted = sample()
    briers, method = compare_calibrators(log_odds, defaulted, SPLITTER)
    assert method in {"none", "sigmoid"}
    assert briers["sigmoid"] == pytest.approx(briers["none"], abs=1e-3)


def test_a_distortion_that_no_line_mends_is_given_to_a_calibrator_that_does() -> None:
    log_odds, defaulted = sample()
    bent = np.where(log_odds > -1, log_odds, -1 + 0.05 * (log_odds + 1))
    briers, method = compare_calibrators(bent, defaulted, SPLITTER)
    assert method in {"isotonic", "beta"}
    assert briers[method] < briers["sigmoid"]


@pytest.mark.parametrize("name", ["sigmoid", "beta"])
def test_log_odds_that_rank_the_wrong_way_round_are_not_turned_over(name: str) -> None:
    log_odds, defaulted = sample(distort=-1.0)
    risk = CALIBRATORS[name]().fit(log_odds, defaulted).predict(np.array([-2.0, 0.0, 2.0]))
    assert np.ptp(risk) < 1e-9


def test_isotonic_risks_keep_off_certainty() -> None:
    log_odds, defaulted = np.arange(100.0), np.arange(100) >= 50
    risk = CALIBRATORS["isotonic"]().fit(log_odds, defaulted).predict(log_odds)
    assert risk.min() == 0.005
    assert risk.max() == 0.995


def test_the_calibrated_classifier_is_one_model_and_deterministic() -> None:
    log_odds, defaulted = sample()
    matrix = np.column_stack([log_odds, np.random.default_rng(1).normal(size=ROWS)])
    model = CalibratedClassifier(MonotoneLogisticRegression(), folds=3, seed=1)
    first, second = (clone(model).fit(matrix, defaulted) for _ in range(2))
    assert first.predict_proba(matrix).tobytes() == second.predict_proba(matrix).tobytes()
    assert first.predict_proba(matrix).sum(axis=1) == pytest.approx(1)
    assert set(first.briers_) == set(CALIBRATORS)
    assert (first.predict(matrix) == (first.predict_proba(matrix)[:, 1] > 0.5)).all()


def test_given_log_odds_of_held_out_rows_the_calibrator_is_fitted_on_those_and_the_model_on_all() -> None:
    generator = np.random.default_rng(2)
    matrix = generator.normal(size=(500, 3))
    defaulted = generator.uniform(size=500) < expit(matrix[:, 0])
    estimator = MonotoneLogisticRegression()
    held_out = sample(distort=3.0, shift=1.0)
    model = CalibratedClassifier(estimator, folds=5, seed=0).fit(matrix, defaulted, held_out=held_out)
    briers, method = compare_calibrators(*held_out, SPLITTER)
    assert (model.briers_, model.method_) == (briers, method)
    alone = clone(estimator).fit(matrix, defaulted).decision_function(matrix)
    expected = CALIBRATORS[method]().fit(*held_out).predict(alone)
    assert model.predict_proba(matrix)[:, 1].tobytes() == expected.tobytes()


@pytest.mark.parametrize("method", CALIBRATORS)
def test_a_row_s_outcome_does_not_reach_the_calibrator_that_its_own_risk_comes_from(method: str) -> None:
    log_odds, defaulted = sample(distort=2.0)
    folds = PredefinedSplit(np.arange(ROWS) % 5)  # the same whatever the outcomes are
    own_fold = np.flatnonzero(folds.test_fold == 0)
    changed = defaulted.copy()
    changed[own_fold] = ~changed[own_fold]
    before, after = (cross_calibrated(log_odds, each, method, folds) for each in (defaulted, changed))
    assert before[own_fold].tobytes() == after[own_fold].tobytes()
    assert method == "none" or before.tobytes() != after.tobytes()
