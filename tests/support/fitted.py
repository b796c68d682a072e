"""Small fitted scorers of every kind that training can choose, for tests of what holds for each of them."""

from copy import copy
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from sklearn.pipeline import Pipeline

from benchmarks.support.consorcio import FIELDS
from benchmarks.support.made_up import scorer_of
from credit_scoring.data.datasets import Dataset, load_embedded
from credit_scoring.model.calibration import CALIBRATORS
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import PROJECT_FOLDER
from credit_scoring.training.candidates import CANDIDATE_BY_NAME, ENSEMBLE
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.selection import calibrated, calibrated_ensemble

ROWS = 1500
SMALL: dict[str, dict[str, Any]] = {
    "logistic_regression": {},
    "random_forest": {"n_estimators": 30},
    "lightgbm": {"n_estimators": 60},
    "lightgbm_random": {"n_estimators": 60},
    "xgboost": {"n_estimators": 60},
}
WEIGHTS = dict(zip(CANDIDATE_BY_NAME, (0.1, 0.15, 0.2, 0.25, 0.3), strict=True))
KINDS = (*CANDIDATE_BY_NAME, ENSEMBLE)


@cache
def clients() -> Dataset:
    """Those that the scorers are fitted to."""
    return load_embedded(PROJECT_FOLDER / "data").rows(np.arange(ROWS))


@cache
def scorer_of_kind(kind: str) -> Scorer:
    """A compiled scorer of this candidate, or of the ensemble of all."""
    plan = TrainingPlan(folds=3)
    parameters = {name: {**candidate.start, **SMALL[name]} for name, candidate in CANDIDATE_BY_NAME.items()}
    if kind == ENSEMBLE:
        pipeline = calibrated_ensemble(WEIGHTS, parameters, clients(), plan)
    else:
        pipeline = calibrated(CANDIDATE_BY_NAME[kind], clients(), parameters[kind], plan)
    return scorer_of(pipeline, clients()).with_compiled_form()


@cache
def calibrated_otherwise(kind: str, calibration: str) -> Scorer:
    """The same scorer with the calibration of this name, and with the reference applicants that follow from it."""
    scorer = scorer_of_kind(kind)
    *steps, (name, classifier) = scorer.pipeline.steps
    records = clients().frame[list(scorer.card.features)]
    log_odds = Pipeline([*steps, (name, classifier.estimator_)]).decision_function(records)
    other = copy(classifier)
    other.calibrator_ = CALIBRATORS[calibration]().fit(log_odds, clients().defaulted)
    pipeline = Pipeline([*steps, (name, other)])
    frame = clients().frame
    made = Scorer.of(pipeline, scorer.catalogue, scorer.policy, scorer.card, frame)
    return made.with_compiled_form()


def value_of(name: str) -> st.SearchStrategy[Any]:
    """A value of a field of the shipped catalogue: plausible, missing, extreme, or a category that nobody knows."""
    field = FIELDS[name]
    if field.kind == "category":
        return st.sampled_from([*field.categories, "UNSEEN", None])
    if field.kind == "flag":
        return st.sampled_from([True, False, None])
    return st.none() | st.floats(0, 1e5) | st.floats(0, 100) | st.sampled_from([0.0, 5e-324, 1e12, 1.7e308])


APPLICATIONS = st.fixed_dictionaries({name: value_of(name) for name in clients().features})
