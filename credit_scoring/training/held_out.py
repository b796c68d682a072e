"""Log-odds of rows that a model has not seen, fold by fold."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from credit_scoring.application.arrays import Floats, Rows
from credit_scoring.data.datasets import Dataset, Outcomes
from credit_scoring.training.config import TrainingPlan

Split = tuple[Rows, Rows]


def held_out_log_odds(
    pipelines: Mapping[str, Pipeline], part: Dataset, splits: Sequence[Split], plan: TrainingPlan
) -> dict[str, Floats]:
    """Log-odds by name, shape (rows,), each from a model that did not see the row."""
    frame, defaulted = part.frame[list(part.features)], part.defaulted
    jobs = [(name, *split) for split in splits for name in pipelines]
    scores = Parallel(n_jobs=plan.jobs)(
        delayed(_fold_log_odds)(pipelines[name], frame, defaulted, fit_rows, held_out)
        for name, fit_rows, held_out in jobs
    )
    found = {name: np.empty(len(defaulted)) for name in pipelines}
    for (name, _, held_out), each in zip(jobs, scores, strict=True):
        found[name][held_out] = each
    return found


def _fold_log_odds(pipeline: Pipeline, frame: pd.DataFrame, defaulted: Outcomes, fit_rows: Rows, held_out: Rows) -> Any:
    return clone(pipeline).fit(frame.iloc[fit_rows], defaulted[fit_rows]).decision_function(frame.iloc[held_out])
