"""The candidates: algorithms that may become the model."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.pipeline import Pipeline

from credit_scoring.model.estimators import (
    LogOddsLightGBM,
    LogOddsRandomForest,
    LogOddsXGBoost,
    MonotoneLogisticRegression,
)
from credit_scoring.model.features import Columns, preprocessor
from credit_scoring.training.spaces import (
    DEEP_LIGHTGBM,
    DEEP_XGBOOST,
    DEEPER_LIGHTGBM,
    MANY_COLUMNS_LIGHTGBM,
    MANY_ROWS,
    MIDDLE_XGBOOST,
    RANDOM_LIGHTGBM,
    SMALL_LIGHTGBM,
    SMALL_XGBOOST,
    TREES,
    Parameters,
    Trial,
    suggest_lightgbm,
    suggest_logistic_regression,
    suggest_random_forest,
    suggest_xgboost,
)

MOST_TREES = 1500
PATIENCE = 3.0  # trees without a rise in AUC after which a booster is grown no further, times its learning rate


@dataclass(frozen=True)
class Candidate:
    """An algorithm that may become the model.

    `build` takes parameters, the monotone direction of each column and a seed; `suggest` draws parameters from the
    search space for so many rows, without the number of trees where it `grows` by them; the search begins at `start`,
    then tries `other_starts`, and with many rows `large_starts`; `trials_share` scales the trials it gets. `cost` ranks
    candidates by what they cost to serve and to explain: of two that are equally good, the one with the lower cost is
    chosen. It is not tried on more than `most_values` values, which are rows times fields.
    """

    name: str
    title: str
    build: Callable[[Parameters, Sequence[int], int], Any]
    suggest: Callable[[Trial, int], dict[str, Any]]
    start: Parameters
    cost: int
    other_starts: tuple[Parameters, ...] = ()
    large_starts: tuple[Parameters, ...] = ()
    scale: bool = False
    grows: bool = False
    trials_share: float = 1.0
    most_values: float = math.inf

    def suits(self, rows: int, fields: int) -> bool:
        """Whether it is tried on so many rows and fields."""
        return rows * fields <= self.most_values

    @property
    def takes_threads(self) -> bool:
        """Whether several threads may fit it."""
        return "n_jobs" in self.build(self.start, (), 0).get_params()

    @property
    def starts(self) -> list[Parameters]:
        """All parameters that a search may begin with, small models before large ones."""
        return [self.start, *self.other_starts, *self.large_starts]

    def starts_for(self, rows: int) -> list[Parameters]:
        """What it begins with here: with many rows large models, too, and first, as what is behind is soon given up."""
        return [self.start, *self.other_starts] if rows < MANY_ROWS else self.starts[::-1]

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


def _random_forest(parameters: Parameters, directions: Sequence[int], seed: int) -> LogOddsRandomForest:
    return LogOddsRandomForest(
        **parameters, monotonic_cst=list(directions), criterion="entropy", random_state=seed, n_jobs=1
    )


def _logistic_regression(parameters: Parameters, directions: Sequence[int], seed: int) -> MonotoneLogisticRegression:
    return MonotoneLogisticRegression(**parameters, monotone_constraints=list(directions))


FOREST_VALUES = 2e6  # its splits are exact: on 50,000 rows of 200 fields one trial did not end in 17 CPU minutes

CANDIDATES = (
    Candidate(
        "lightgbm",
        "LightGBM",
        _lightgbm,
        suggest_lightgbm,
        SMALL_LIGHTGBM,
        cost=2,
        other_starts=(MANY_COLUMNS_LIGHTGBM, DEEP_LIGHTGBM),
        large_starts=(DEEPER_LIGHTGBM,),
        grows=True,
    ),
    Candidate(
        "xgboost",
        "XGBoost",
        _xgboost,
        suggest_xgboost,
        SMALL_XGBOOST,
        cost=2,
        other_starts=(MIDDLE_XGBOOST, DEEP_XGBOOST),
        grows=True,
    ),
    Candidate(
        "lightgbm_random",
        "LightGBM, random splits",
        _random_lightgbm,
        suggest_lightgbm,
        RANDOM_LIGHTGBM,
        cost=3,
        grows=True,
        trials_share=0.2,
    ),
    Candidate(
        "logistic_regression",
        "Logistic regression (baseline)",
        _logistic_regression,
        suggest_logistic_regression,
        {"C": 1.0},
        cost=1,
        scale=True,
        trials_share=0.5,
    ),
    Candidate(
        "random_forest",
        "Random Forest",
        _random_forest,
        suggest_random_forest,
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
