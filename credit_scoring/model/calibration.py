"""From a model's log-odds to a probability that is true: four ways, of which the data choose one."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.utils.validation import validate_data

from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.model.binary import binary_only, check_frame, likelier, two_classes

ALMOST_FREE = 1e6  # inverse strength of the penalty


class Calibrator(Protocol):
    """Learns to turn log-odds into risk probabilities; both have shape (rows,)."""

    def fit(self, log_odds: Floats, defaulted: Flags) -> Self:
        """Learn from held-out log-odds."""

    def predict(self, log_odds: Floats) -> Floats:
        """Risk probabilities; each depends on its own log-odds only and never falls when they rise."""


class NoCalibration:
    """The log-odds as they are."""

    def fit(self, log_odds: Floats, defaulted: Flags) -> Self:
        """Learn nothing."""
        return self

    def predict(self, log_odds: Floats) -> Floats:
        """Inverse of the logit."""
        risk: Floats = expit(log_odds)
        return risk


class SigmoidCalibration:
    """A straight line through the log-odds (Platt 1999)."""

    def fit(self, log_odds: Floats, defaulted: Flags) -> Self:
        """Learn slope and offset; a slope below zero would turn the ranking round and becomes zero."""
        line = LogisticRegression(C=ALMOST_FREE).fit(log_odds[:, None], defaulted)
        self.slope, self.offset = max(float(line.coef_[0, 0]), 0.0), float(line.intercept_[0])
        return self

    def predict(self, log_odds: Floats) -> Floats:
        """Inverse of the logit of the line."""
        risk: Floats = expit(self.slope * log_odds + self.offset)
        return risk


class BetaCalibration:
    """A line in ln p and one in -ln(1 - p), so that both tails bend on their own (Kull, Silva Filho & Flach 2017)."""

    def fit(self, log_odds: Floats, defaulted: Flags) -> Self:
        """Learn both slopes and the offset; a slope below zero is left out and the other one learned anew."""
        tails, self.slopes = _tails(log_odds), np.zeros(2)
        kept = np.array([True, True])
        while kept.any():
            line = LogisticRegression(C=ALMOST_FREE).fit(tails[:, kept], defaulted)
            self.offset = float(line.intercept_[0])
            if (line.coef_[0] >= 0).all():
                self.slopes[kept] = line.coef_[0]
                return self
            kept[np.flatnonzero(kept)[line.coef_[0] < 0]] = False
        return self

    def predict(self, log_odds: Floats) -> Floats:
        """Inverse of the logit of the sum."""
        tails = _tails(log_odds)
        risk: Floats = expit(self.slopes[0] * tails[:, 0] + self.slopes[1] * tails[:, 1] + self.offset)
        return risk


class IsotonicCalibration:
    """The rising step function that fits best, kept off 0 and 1 by half a client (Zadrozny & Elkan 2002)."""

    def fit(self, log_odds: Floats, defaulted: Flags) -> Self:
        """Learn the steps."""
        edge = 0.5 / len(defaulted)
        self.steps = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip").fit(log_odds, defaulted)
        return self

    def predict(self, log_odds: Floats) -> Floats:
        """The step's height, straight lines between steps."""
        risk: Floats = np.interp(log_odds, self.steps.X_thresholds_, self.steps.y_thresholds_)
        return risk


CALIBRATORS: Mapping[str, Callable[[], Calibrator]] = {
    "sigmoid": SigmoidCalibration,
    "none": NoCalibration,
    "beta": BetaCalibration,
    "isotonic": IsotonicCalibration,
}


class CalibratedClassifier(ClassifierMixin, BaseEstimator):
    """One model, fitted on everything, with the calibrator that does best on its held-out log-odds.

    Which one that is, is decided by the Brier score of calibrators fitted on some folds and tried on the others; the
    sigmoid is kept unless another is better by more than the standard error of the difference. `estimator` offers
    `decision_function`; `folds` is the number of stratified folds.
    """

    def __init__(self, estimator: Any, folds: int = 5, seed: int = 0) -> None:
        self.estimator = estimator
        self.folds = folds
        self.seed = seed

    def fit(self, X: Any, y: Any, held_out: tuple[Floats, Flags] | None = None, labels: Floats | None = None) -> Self:
        """Fit model and calibrator; `held_out` are log-odds and outcomes of rows that such a model has not seen.

        Without them, they are made by cross-validation, which takes `folds` more fits. `labels` are for a model that is
        fitted on other ones than outcomes; calibration knows outcomes alone.
        """
        validate_data(self, X, skip_check_array=True)  # the model checks it: frames are for pipelines
        self.classes_, y = two_classes(y)
        splitter = StratifiedKFold(self.folds, shuffle=True, random_state=self.seed)
        if held_out is None:
            held_out = cross_val_predict(clone(self.estimator), X, y, cv=splitter, method="decision_function"), y
        self.briers_, self.method_ = compare_calibrators(*held_out, splitter)
        self.calibrator_ = CALIBRATORS[self.method_]().fit(*held_out)
        self.estimator_ = clone(self.estimator).fit(X, y, **({} if labels is None else {"labels": labels}))
        return self

    def predict_proba(self, X: Any) -> Floats:
        """Probabilities of paying and of defaulting, shape (rows, 2)."""
        check_frame(self, X)
        risk = self.calibrator_.predict(self.estimator_.decision_function(X))
        return np.column_stack([1 - risk, risk])

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The likelier class."""
        risk = self.predict_proba(X)[:, 1]  # says that it is not fitted, where `classes_` would only be missing
        return likelier(self.classes_, risk > 0.5)

    def __sklearn_tags__(self) -> Any:
        return binary_only(super().__sklearn_tags__())


def compare_calibrators(log_odds: Floats, defaulted: Flags, splitter: StratifiedKFold) -> tuple[dict[str, float], str]:
    """The held-out Brier score of each calibrator, and the name of the one to use."""
    squares = {name: np.empty(len(defaulted)) for name in CALIBRATORS}
    for fit_rows, held_out in splitter.split(log_odds, defaulted):
        for name, make in CALIBRATORS.items():
            risk = make().fit(log_odds[fit_rows], defaulted[fit_rows]).predict(log_odds[held_out])
            squares[name][held_out] = (risk - defaulted[held_out]) ** 2
    briers = {name: float(each.mean()) for name, each in squares.items()}
    best = min(briers, key=lambda name: briers[name])
    gain = squares["sigmoid"] - squares[best]
    better = gain.mean() > gain.std() / np.sqrt(len(gain))
    return briers, best if better else "sigmoid"


def cross_calibrated(log_odds: Floats, defaulted: Flags, method: str, splitter: StratifiedKFold) -> Floats:
    """Risk of each row from its held-out log-odds, by a calibrator that was fitted on the other folds."""
    risk = np.empty(len(log_odds))
    for fit_rows, held_out in splitter.split(log_odds, defaulted):
        calibrator = CALIBRATORS[method]().fit(log_odds[fit_rows], defaulted[fit_rows])
        risk[held_out] = calibrator.predict(log_odds[held_out])
    return risk


def _tails(log_odds: Floats) -> Floats:
    """Both tails, ln p and -ln(1 - p), shape (rows, 2), without loss in either tail."""
    return np.column_stack([-np.logaddexp(0, -log_odds), np.logaddexp(0, log_odds)])
