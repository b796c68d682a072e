"""The matrices of folds."""

import numpy as np
import pytest

from credit_scoring.data.datasets import Dataset
from credit_scoring.training.candidates import CANDIDATE_BY_NAME
from credit_scoring.training.config import TrainingPlan
from credit_scoring.training.folds import prepared


@pytest.mark.parametrize("name", ["lightgbm", "logistic_regression"])
def test_the_matrices_of_a_fold_are_those_that_the_pipeline_makes(dataset: Dataset, name: str) -> None:
    candidate, plan = CANDIDATE_BY_NAME[name], TrainingPlan(folds=3)
    splits = list(plan.splitter().split(dataset.defaulted, dataset.defaulted))
    folds = prepared(dataset, dataset.columns, splits, scale=candidate.scale)
    frame = dataset.frame[list(dataset.features)]
    for fold, (fit_rows, held_out) in zip(folds, splits, strict=True):
        steps = candidate.pipeline(dataset.columns, candidate.start, plan.seed)[:-1]
        fitted = steps.fit_transform(frame.iloc[fit_rows], dataset.defaulted[fit_rows])
        assert np.array_equal(fold.fitted, fitted)
        assert np.array_equal(fold.unseen, steps.transform(frame.iloc[held_out]))
        assert np.array_equal(fold.unseen_outcomes, dataset.defaulted[held_out])
