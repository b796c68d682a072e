"""Threads within one fit: faster, and nothing else."""

import numpy as np
import pytest
from sklearn.base import clone

from credit_scoring.data.datasets import Dataset
from credit_scoring.training.candidates import CANDIDATES, Candidate
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.selection import calibrated, calibrated_ensemble
from credit_scoring.training.students import STUDENTS
from credit_scoring.training.threads import on_threads

PLAN = TrainingPlan(folds=3, jobs=1)
ALL = [*CANDIDATES, *STUDENTS.values()]


@pytest.mark.parametrize("candidate", ALL, ids=lambda candidate: candidate.name)
def test_a_model_that_several_threads_fitted_scores_to_the_last_bit_like_that_of_one(
    dataset: Dataset, candidate: Candidate
) -> None:
    frame = dataset.frame[list(dataset.features)]
    pipeline = candidate.pipeline(dataset.columns, candidate.start, 42)
    alone = clone(pipeline).fit(frame, dataset.defaulted)
    together = on_threads(pipeline, 3).fit(frame, dataset.defaulted)
    assert np.array_equal(alone.decision_function(frame), together.decision_function(frame))


def test_each_booster_and_forest_gets_them_and_what_comes_before_does_not(dataset: Dataset) -> None:
    parameters = {each.name: each.start for each in CANDIDATES}
    weights = {each.name: 1 / len(CANDIDATES) for each in CANDIDATES}
    pipeline = on_threads(calibrated_ensemble(weights, parameters, dataset, PLAN), 5)
    members = pipeline.get_params()["classifier__estimator__members"]
    found = {name: value for each in members for name, value in each.get_params().items() if name.endswith("n_jobs")}
    own = {name for name in found if name.startswith("classifier")}
    assert {found[name] for name in own} == {5}
    assert {value for name, value in found.items() if name not in own} <= {None}


def test_a_calibrated_model_gets_them_too(dataset: Dataset) -> None:
    candidate = next(each for each in CANDIDATES if each.grows)
    pipeline = on_threads(calibrated(candidate, dataset, candidate.start, PLAN), 4)
    assert pipeline.get_params()["classifier__estimator__n_jobs"] == 4
