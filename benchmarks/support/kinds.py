"""Fitted scorers of every kind that training can choose, for what must hold for each of them."""

from copy import copy
from functools import cache

import numpy as np
from sklearn.pipeline import Pipeline

from benchmarks.support.made_up import scorer_of
from credit_scoring.data.datasets import Dataset, load_embedded
from credit_scoring.model.calibration import CALIBRATORS
from credit_scoring.model.scorer import Scorer
from credit_scoring.settings import PROJECT_FOLDER
from credit_scoring.training.candidates import CANDIDATE_BY_NAME, ENSEMBLE, ENSEMBLE_MEMBERS
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.selection import calibrated, calibrated_ensemble

ROWS = 1500
WEIGHTS = dict(zip(ENSEMBLE_MEMBERS, (0.1, 0.2, 0.3, 0.4), strict=True))
KINDS = (*CANDIDATE_BY_NAME, ENSEMBLE)


@cache
def clients() -> Dataset:
    """Those that the scorers are fitted to."""
    return load_embedded(PROJECT_FOLDER / "data").rows(np.arange(ROWS))


@cache
def scorer_of_kind(kind: str) -> Scorer:
    """A compiled scorer of this candidate, or of the ensemble, at the parameters that their search begins with."""
    plan = TrainingPlan(folds=3)
    parameters = {name: candidate.start for name, candidate in CANDIDATE_BY_NAME.items()}
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
    frame, other = clients().frame, copy(classifier)
    log_odds = Pipeline([*steps, (name, classifier.estimator_)]).decision_function(frame[list(scorer.card.features)])
    other.calibrator_ = CALIBRATORS[calibration]().fit(log_odds, clients().defaulted)
    pipeline = Pipeline([*steps, (name, other)])
    return Scorer.of(pipeline, scorer.catalogue, scorer.policy, scorer.card, frame).with_compiled_form()
