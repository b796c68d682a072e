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
    pipelines: Mapping[str, Pipeline],
    part: Dataset,
    splits: Sequence[Split],
    plan: TrainingPlan,
    labels: Mapping[str, Sequence[Floats]] | None = None,
) -> dict[str, Floats]:
    """Log-odds by name, shape (rows,), each from a model that did not see the row.

    `labels` are those of the pipelines that are fitted on other ones than outcomes: shape (rows,) for each split.
    """
    frame, defaulted = part.frame[list(part.features)], part.defaulted
    labelled = labels or {}
    jobs = [
        (name, *split, labelled[name][number][split[0]] if name in labelled else None)
        for number, split in enumerate(splits)
        for name in pipelines
    ]
    scores = Parallel(n_jobs=plan.jobs)(
        delayed(_fold_log_odds)(pipelines[name], frame, defaulted, fit_rows, held_out, own)
        for name, fit_rows, held_out, own in jobs
    )
    found = {name: np.empty(len(defaulted)) for name in pipelines}
    for (name, _, held_out, _), each in zip(jobs, scores, strict=True):
        found[name][held_out] = each
    return found


def _fold_log_odds(
    pipeline: Pipeline,
    frame: pd.DataFrame,
    defaulted: Outcomes,
    fit_rows: Rows,
    held_out: Rows,
    labels: Floats | None,
) -> Any:
    options = {} if labels is None else {"classifier__labels": labels}
    fitted = clone(pipeline).fit(frame.iloc[fit_rows], defaulted[fit_rows], **options)
    return fitted.decision_function(frame.iloc[held_out])
