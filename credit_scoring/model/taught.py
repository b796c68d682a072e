"""Boosters fitted on labels between 0 and 1, such as outcomes mixed with another model's probabilities.

They score by their trees alone, as their twins in `estimators` do: what labelled the training rows is not needed.
"""

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from lightgbm import Booster, LGBMRegressor
from sklearn.utils.validation import check_is_fitted, validate_data
from xgboost import XGBRegressor

from credit_scoring.application.arrays import Floats
from credit_scoring.model.binary import check_dense, two_classes
from credit_scoring.model.estimators import ByLogOdds, LogOddsLightGBM, LogOddsXGBoost
from credit_scoring.model.trees import as_float32, raw_scores, sum_of_leaves, trees_of_xgboost


class _Taught(ByLogOdds):
    """By the parameters of `booster`, its twin that is fitted on outcomes; that one is never fitted itself."""

    def __init__(self, booster: LogOddsLightGBM | LogOddsXGBoost) -> None:
        self.booster = booster

    def fit(self, X: Any, y: Any, labels: Any = None) -> Self:
        """Minimise log loss on `labels`, shape (rows,), or on the outcomes `y` where none are given."""
        check_dense(X)
        self.classes_, defaulted = two_classes(y)
        matrix = validate_data(self, X)
        wanted = defaulted.astype(np.float64) if labels is None else np.asarray(labels, dtype=np.float64)
        if not ((wanted >= 0) & (wanted <= 1)).all():
            raise ValueError("Labels must be between 0 and 1.")
        self._grow(matrix, wanted)
        return self

    def decision_function(self, X: Any) -> Floats:
        """Log-odds of each row."""
        check_is_fitted(self)
        return self.log_odds(validate_data(self, X, reset=False))

    @abstractmethod
    def log_odds(self, matrix: Floats) -> Floats:
        """The same, unchecked."""

    @abstractmethod
    def _grow(self, matrix: Any, labels: Floats) -> None:
        """Fit the trees and keep them."""


class TaughtLightGBM(_Taught):
    """LightGBM on labels between 0 and 1."""

    booster_: Booster

    def _grow(self, matrix: Any, labels: Floats) -> None:
        parameters = {**self.booster.get_params(), "objective": "cross_entropy"}
        self.booster_ = LGBMRegressor(**parameters).fit(matrix, labels).booster_

    def log_odds(self, matrix: Floats) -> Floats:
        """Log-odds of each row, unchecked."""
        return raw_scores(self.booster_, matrix)


class TaughtXGBoost(_Taught):
    """XGBoost on labels between 0 and 1."""

    def _grow(self, matrix: Any, labels: Floats) -> None:
        parameters = {**self.booster.get_params(), "objective": "binary:logistic"}
        trees, self.base_log_odds_ = trees_of_xgboost(XGBRegressor(**parameters).fit(matrix, labels).get_booster())
        self.margin_ = sum_of_leaves(trees, self.n_features_in_)

    def log_odds(self, matrix: Floats) -> Floats:
        """Log-odds of each row, unchecked."""
        return raw_scores(self.margin_, as_float32(matrix)) + self.base_log_odds_
