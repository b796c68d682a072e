"""The candidates and the spaces that their hyper-parameters are searched in."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sklearn.pipeline import Pipeline

from credit_scoring.model.estimators import (
    LogOddsLightGBM,
    LogOddsRandomForest,
    LogOddsXGBoost,
    MonotoneLogisticRegression,
)
from credit_scoring.model.features import Columns, preprocessor

Parameters = Mapping[str, Any]

BINS = (63, 2047)  # fewest and most bins of a number; with many rows, fine bins pay off
MANY_ROWS = 10_000
LEARNING_RATES = (0.025, 0.12)
TREES = "n_estimators"
MOST_TREES = 1500
PATIENCE = 3.0  # trees without a rise in AUC after which a booster is grown no further, times its learning rate


class Trial(Protocol):
    """The part of an Optuna trial that a search space uses."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = ...) -> float:
        """Draw a number."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = ...) -> int:
        """Draw a whole number."""


@dataclass(frozen=True)
class Candidate:
    """An algorithm that may become the model.

    `build` takes parameters, the monotone direction of each column and a seed; `suggest` draws parameters from the
    search space, without the number of trees where it `grows` by them; the search begins at `start`, then tries
    `other_starts`; `trials_share` scales the trials it gets. `cost` ranks candidates by what they cost to serve and to
    explain: of two that are equally good, the one with the lower cost is chosen. It is not tried on more than
    `most_values` values, which are rows times fields.
    """

    name: str
    title: str
    build: Callable[[Parameters, Sequence[int], int], Any]
    suggest: Callable[[Trial], dict[str, Any]]
    start: Parameters
    cost: int
    other_starts: tuple[Parameters, ...] = ()
    scale: bool = False
    grows: bool = False
    trials_share: float = 1.0
    most_values: float = math.inf

    def suits(self, rows: int, fields: int) -> bool:
        """Whether it is tried on so many rows and fields."""
        return rows * fields <= self.most_values

    @property
    def starts(self) -> list[Parameters]:
        """The parameters that the search tries first, small models before large ones."""
        return [self.start, *self.other_starts]

    def starts_for(self, rows: int) -> list[Parameters]:
        """The same, large ones first where there are many rows: what is clearly behind is soon given up."""
        return self.starts if rows < MANY_ROWS else self.starts[::-1]

    def pipeline(self, columns: Columns, parameters: Parameters, seed: int) -> Pipeline:
        """The whole unfitted pipeline, from frame to probability."""
        steps = preprocessor(columns, scale=self.scale).steps
        classifier = self.build(parameters, columns.risk_directions, seed)
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
        "learning_rate": trial.suggest_float("learning_rate", *LEARNING_RATES, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 4, 127, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 2, 80, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.2, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.01, 30.0, log=True),
        "max_bin": trial.suggest_int("max_bin", *BINS, log=True),
    }


def _random_lightgbm(parameters: Parameters, directions: Sequence[int], seed: int) -> LogOddsLightGBM:
    """Splits at random thresholds; without path smoothing, which breaks the monotone constraints."""
    model: LogOddsLightGBM = _lightgbm(parameters, directions, seed).set_params(extra_trees=True)
    return model


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
        "learning_rate": trial.suggest_float("learning_rate", *LEARNING_RATES, log=True),
        "max_depth": trial.suggest_int("max_depth", 2, 10),
        "min_child_weight": trial.suggest_float("min_child_weight", 0.5, 30.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.2, 1.0),
        "colsample_bynode": trial.suggest_float("colsample_bynode", 0.3, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 30.0, log=True),
        "max_bin": trial.suggest_int("max_bin", *BINS, log=True),
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


def _logistic_regression(parameters: Parameters, directions: Sequence[int], seed: int) -> MonotoneLogisticRegression:
    return MonotoneLogisticRegression(**parameters, monotone_constraints=list(directions))


def _suggest_logistic_regression(trial: Trial) -> dict[str, Any]:
    return {"C": trial.suggest_float("C", 0.001, 100.0, log=True)}


# What the searches begin with, from small and shallow for a few thousand rows to deep on fine bins, which distinguish
# exact amounts, for many; few columns per tree for many correlated ones. The number of trees is where a model stands
# alone: the search finds its own.
SMALL_LIGHTGBM: Parameters = {
    TREES: 300,
    "learning_rate": 0.03,
    "num_leaves": 8,
    "min_child_samples": 20,
    "subsample": 0.7,
    "colsample_bytree": 0.5,
    "reg_lambda": 1.0,
    "max_bin": 255,
}
MANY_COLUMNS_LIGHTGBM: Parameters = {
    **SMALL_LIGHTGBM,
    TREES: 400,
    "num_leaves": 16,
    "min_child_samples": 60,
    "colsample_bytree": 0.3,
    "reg_lambda": 10.0,
}
DEEP_LIGHTGBM: Parameters = {
    TREES: 500,
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_child_samples": 5,
    "subsample": 0.9,
    "colsample_bytree": 0.6,
    "reg_lambda": 1.0,
    "max_bin": 2047,
}
RANDOM_LIGHTGBM: Parameters = {
    **SMALL_LIGHTGBM,
    TREES: 500,
    "num_leaves": 16,
    "colsample_bytree": 0.3,
    "reg_lambda": 5.0,
}
SMALL_XGBOOST: Parameters = {
    TREES: 300,
    "learning_rate": 0.03,
    "max_depth": 3,
    "min_child_weight": 5.0,
    "subsample": 0.7,
    "colsample_bytree": 0.5,
    "colsample_bynode": 0.6,
    "reg_lambda": 5.0,
    "max_bin": 256,
}
MIDDLE_XGBOOST: Parameters = {
    TREES: 1000,
    "learning_rate": 0.05,
    "max_depth": 5,
    "min_child_weight": 1.0,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "colsample_bynode": 1.0,
    "reg_lambda": 1.0,
    "max_bin": 2047,
}
DEEP_XGBOOST: Parameters = {**MIDDLE_XGBOOST, TREES: 400, "max_depth": 8, "subsample": 0.9, "colsample_bytree": 0.6}

FOREST_VALUES = 2e6  # its splits are exact: on 50,000 rows of 200 fields one trial did not end in 17 CPU minutes

CANDIDATES = (
    Candidate(
        "lightgbm",
        "LightGBM",
        _lightgbm,
        _suggest_lightgbm,
        SMALL_LIGHTGBM,
        cost=2,
        other_starts=(MANY_COLUMNS_LIGHTGBM, DEEP_LIGHTGBM),
        grows=True,
    ),
    Candidate(
        "xgboost",
        "XGBoost",
        _xgboost,
        _suggest_xgboost,
        SMALL_XGBOOST,
        cost=2,
        other_starts=(MIDDLE_XGBOOST, DEEP_XGBOOST),
        grows=True,
    ),
    Candidate(
        "lightgbm_random",
        "LightGBM, random splits",
        _random_lightgbm,
        _suggest_lightgbm,
        RANDOM_LIGHTGBM,
        cost=3,
        grows=True,
        trials_share=0.2,
    ),
    Candidate(
        "logistic_regression",
        "Logistic regression (baseline)",
        _logistic_regression,
        _suggest_logistic_regression,
        {"C": 1.0},
        cost=1,
        scale=True,
        trials_share=0.5,
    ),
    Candidate(
        "random_forest",
        "Random Forest",
        _random_forest,
        _suggest_random_forest,
        {TREES: 200, "max_depth": 12, "min_samples_leaf": 8, "max_features": 0.3},
        cost=4,
        trials_share=0.3,
        most_values=FOREST_VALUES,
    ),
)
CANDIDATE_BY_NAME = {candidate.name: candidate for candidate in CANDIDATES}

UNCONSTRAINED = "without constraints"
UNCONSTRAINED_TITLE = "The best, without constraints"

ENSEMBLE = "ensemble"
ENSEMBLE_TITLE = "Weighted mean"
ENSEMBLE_COST = 5
ENSEMBLE_MEMBERS = ("logistic_regression", "lightgbm", "lightgbm_random", "xgboost")  # the forest is expensive to serve
