"""The candidate estimators and the spaces that their hyper-parameters are searched in.

Each candidate offers `decision_function`: log-odds in float64, which sigmoid calibration needs (on probabilities it
would bend a true curve), the same for a row in whatever batch it comes, and cheap for a few rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import numpy as np
from lightgbm import LGBMClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from xgboost import XGBClassifier

from credit_scoring.preprocessing import Columns, Floats, preprocessor
from credit_scoring.trees import as_float32, raw_scores, sum_of_leaves, trees_of_forest, trees_of_xgboost

Parameters = Mapping[str, Any]


class Trial(Protocol):
    """The part of an Optuna trial that a search space uses."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = ...) -> float:
        """Draw a number."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = ...) -> int:
        """Draw a whole number."""


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


@dataclass(frozen=True)
class Candidate:
    """An algorithm that may become the model.

    `build` takes parameters, the monotone direction of each column and a seed; `suggest` draws parameters
    from the search space; `start` is where the search begins; `trials_share` scales the trials it gets.
    """

    name: str
    title: str
    build: Callable[[Parameters, Sequence[int], int], Any]
    suggest: Callable[[Trial], dict[str, Any]]
    start: Parameters
    treatment: Literal["native", "impute", "scale"] = "native"
    trials_share: float = 1.0

    def pipeline(self, columns: Columns, parameters: Parameters, seed: int) -> Pipeline:
        """The whole unfitted pipeline, from frame to probability."""
        impute = self.treatment != "native"
        steps = preprocessor(columns, impute=impute, scale=self.treatment == "scale").steps
        classifier = self.build(parameters, columns.risk_directions(with_indicators=impute), seed)
        return Pipeline([*steps, ("classifier", classifier)])


def _lightgbm(parameters: Parameters, directions: Sequence[int], seed: int) -> LogOddsLightGBM:
    return LogOddsLightGBM(
        **parameters,
        subsample_freq=1,
        monotone_constraints=list(directions),
        monotone_constraints_method="intermediate",  # "advanced" breaks them: LightGBM issues 5358 and 6155
        deterministic=True,
        force_row_wise=True,
        random_state=seed,
        n_jobs=1,
        verbose=-1,
    )


def _suggest_lightgbm(trial: Trial) -> dict[str, Any]:
    return {
        "n_estimators": trial.suggest_int("n_estimators", 100, 500),
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.1, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 4, 31, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 5, 80, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.2, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.01, 30.0, log=True),
    }


def _xgboost(parameters: Parameters, directions: Sequence[int], seed: int) -> LogOddsXGBoost:
    return LogOddsXGBoost(
        **parameters,
        monotone_constraints=tuple(directions),
        tree_method="hist",
        random_state=seed,
        n_jobs=1,
        verbosity=0,
    )


def _suggest_xgboost(trial: Trial) -> dict[str, Any]:
    return {
        "n_estimators": trial.suggest_int("n_estimators", 100, 500),
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.1, log=True),
        "max_depth": trial.suggest_int("max_depth", 2, 6),
        "min_child_weight": trial.suggest_float("min_child_weight", 0.5, 30.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.2, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 30.0, log=True),
    }


def _random_forest(parameters: Parameters, directions: Sequence[int], seed: int) -> LogOddsRandomForest:
    return LogOddsRandomForest(
        **parameters, monotonic_cst=list(directions), criterion="entropy", random_state=seed, n_jobs=1
    )


def _suggest_random_forest(trial: Trial) -> dict[str, Any]:
    return {
        "n_estimators": trial.suggest_int("n_estimators", 100, 300),
        "max_depth": trial.suggest_int("max_depth", 5, 20),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 2, 40, log=True),
        "max_features": trial.suggest_float("max_features", 0.1, 0.6),
    }


def _logistic_regression(parameters: Parameters, directions: Sequence[int], seed: int) -> LogOddsLogisticRegression:
    return LogOddsLogisticRegression(**parameters, max_iter=1000, random_state=seed)


def _suggest_logistic_regression(trial: Trial) -> dict[str, Any]:
    return {"C": trial.suggest_float("C", 0.001, 100.0, log=True)}


CANDIDATES = (
    Candidate(
        "logistic_regression",
        "Logistic regression (baseline)",
        _logistic_regression,
        _suggest_logistic_regression,
        {"C": 1.0},
        treatment="scale",
        trials_share=0.5,
    ),
    Candidate(
        "random_forest",
        "Random Forest",
        _random_forest,
        _suggest_random_forest,
        {"n_estimators": 200, "max_depth": 12, "min_samples_leaf": 8, "max_features": 0.3},
        treatment="impute",
        trials_share=0.5,
    ),
    Candidate(
        "lightgbm",
        "LightGBM",
        _lightgbm,
        _suggest_lightgbm,
        {
            "n_estimators": 300,
            "learning_rate": 0.03,
            "num_leaves": 8,
            "min_child_samples": 20,
            "subsample": 0.7,
            "colsample_bytree": 0.5,
            "reg_lambda": 1.0,
        },
    ),
    Candidate(
        "xgboost",
        "XGBoost",
        _xgboost,
        _suggest_xgboost,
        {
            "n_estimators": 300,
            "learning_rate": 0.03,
            "max_depth": 3,
            "min_child_weight": 5.0,
            "subsample": 0.7,
            "colsample_bytree": 0.5,
            "reg_lambda": 1.0,
        },
    ),
)
CANDIDATE_BY_NAME = {candidate.name: candidate for candidate in CANDIDATES}
