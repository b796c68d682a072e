"""The spaces that hyper-parameters are searched in, by the number of rows, and what the searches begin with."""

from collections.abc import Mapping
from typing import Any, Protocol

Parameters = Mapping[str, Any]

BINS = (63, 2047)  # fewest and most bins of a number; with many rows, fine bins pay off
MANY_ROWS = 10_000
LEARNING_RATES = (0.025, 0.12)
TREES = "n_estimators"
FEW_LEAVES, MANY_LEAVES = 63, 255  # of a tree at most, below MANY_ROWS and from there on
SHALLOW, DEEP = 8, 12  # levels of a tree at most, likewise


class Trial(Protocol):
    """The part of an Optuna trial that a search space uses."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = ...) -> float:
        """Draw a number."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = ...) -> int:
        """Draw a whole number."""


def suggest_lightgbm(trial: Trial, rows: int) -> dict[str, Any]:
    """Draw parameters of LightGBM; with many rows, trees may have more leaves."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", *LEARNING_RATES, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 4, MANY_LEAVES if rows >= MANY_ROWS else FEW_LEAVES, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 2, 80, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.2, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.01, 30.0, log=True),
        "max_bin": trial.suggest_int("max_bin", *BINS, log=True),
    }


def suggest_xgboost(trial: Trial, rows: int) -> dict[str, Any]:
    """Draw parameters of XGBoost; with many rows, trees may be deeper."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", *LEARNING_RATES, log=True),
        "max_depth": trial.suggest_int("max_depth", 2, DEEP if rows >= MANY_ROWS else SHALLOW),
        "min_child_weight": trial.suggest_float("min_child_weight", 0.5, 30.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.2, 1.0),
        "colsample_bynode": trial.suggest_float("colsample_bynode", 0.3, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 30.0, log=True),
        "max_bin": trial.suggest_int("max_bin", *BINS, log=True),
    }


def suggest_random_forest(trial: Trial, _: int) -> dict[str, Any]:
    """Draw parameters of a Random Forest."""
    return {
        "n_estimators": trial.suggest_int("n_estimators", 100, 300),
        "max_depth": trial.suggest_int("max_depth", 5, 20),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 2, 40, log=True),
        "max_features": trial.suggest_float("max_features", 0.1, 0.6),
    }


def suggest_logistic_regression(trial: Trial, _: int) -> dict[str, Any]:
    """Draw the inverse strength of the penalty."""
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
DEEPER_LIGHTGBM: Parameters = {**DEEP_LIGHTGBM, "num_leaves": 63, "min_child_samples": 20, "colsample_bytree": 0.5}
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
