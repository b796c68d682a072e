"""The estimators: each offers `decision_function`, log-odds in float64.

Sigmoid calibration needs log-odds (on probabilities it would bend a true curve). They are the same for a row in
whatever batch it comes, and cheap for a few rows.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from lightgbm import LGBMClassifier
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from xgboost import XGBClassifier

from credit_scoring.preprocessing import Flags, Floats
from credit_scoring.trees import as_float32, raw_scores, sum_of_leaves, trees_of_forest, trees_of_xgboost


class LogOddsLogisticRegression(LogisticRegression):
    """Logistic regression that sums each row by itself: a BLAS product's order depends on the number of rows."""

    def decision_function(self, X: Any) -> Floats:
        """Log-odds of each row."""
        scores: Floats = (np.ascontiguousarray(X) * self.coef_[0]).sum(axis=1) + self.intercept_[0]
        return scores


class LogOddsRandomForest(RandomForestClassifier):
    """Random Forest that also offers its log-odds, from shares that are kept off 0 and 1."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the forest and rewrite its trees for `decision_function`."""
        super().fit(X, y, sample_weight)
        self.votes_ = sum_of_leaves(trees_of_forest(self), self.n_features_in_)
        return self

    def decision_function(self, X: Any) -> Floats:
        """Log-odds of each row."""
        votes = raw_scores(self.votes_, as_float32(X))
        share = np.clip(votes / len(self.estimators_), 1e-4, 1 - 1e-4)
        log_odds: Floats = np.log(share / (1 - share))
        return log_odds


class LogOddsLightGBM(LGBMClassifier):
    """LightGBM that also offers its log-odds."""

    def decision_function(self, X: Any) -> Floats:
        """Log-odds of each row."""
        return raw_scores(self.booster_, X)


class LogOddsXGBoost(XGBClassifier):
    """XGBoost that also offers its log-odds, summed in float64 where XGBoost itself sums in float32."""

    def fit(self, X: Any, y: Any, **options: Any) -> Self:
        """Fit the booster and rewrite its trees for `decision_function`."""
        super().fit(X, y, **options)
        trees, self.base_log_odds_ = trees_of_xgboost(self.get_booster())
        self.margin_ = sum_of_leaves(trees, self.n_features_in_)
        return self

    def decision_function(self, X: Any) -> Floats:
        """Log-odds of each row."""
        return raw_scores(self.margin_, as_float32(X)) + self.base_log_odds_


class LogOddsAverage(ClassifierMixin, BaseEstimator):
    """The mean of several models' log-odds; each member is a whole pipeline with its own preprocessing."""

    def __init__(self, members: Sequence[Pipeline]) -> None:
        self.members = members

    def fit(self, X: Any, y: Any) -> Self:
        """Fit every member."""
        self.classes_ = np.array([False, True])
        self.members_ = [clone(member).fit(X, y) for member in self.members]
        return self

    def decision_function(self, X: Any) -> Floats:
        """Log-odds of each row."""
        return average([member.decision_function(X) for member in self.members_])

    def predict_proba(self, X: Any) -> Floats:
        """Probabilities of paying and of defaulting, shape (rows, 2)."""
        risk = expit(self.decision_function(X))
        return np.column_stack([1 - risk, risk])

    def predict(self, X: Any) -> Flags:
        """Whether default is the likelier outcome."""
        likelier: Flags = self.decision_function(X) > 0
        return likelier


def average(log_odds: Sequence[Floats]) -> Floats:
    """The mean over members, summed in their order so that it is the same to the last bit in any batch."""
    total: Floats = sum(log_odds[1:], start=log_odds[0])
    return total / len(log_odds)
