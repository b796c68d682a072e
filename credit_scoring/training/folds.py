"""Folds whose matrices are made once and then shared by all trials of a candidate."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from credit_scoring.application.arrays import Floats, Rows
from credit_scoring.data.datasets import Dataset, Outcomes
from credit_scoring.model.features import Columns, preprocessor


@dataclass(frozen=True)
class Fold:
    """What is fitted and what is held out of one split, preprocessed by what was fitted."""

    fitted: Floats
    outcomes: Outcomes
    unseen: Floats
    unseen_outcomes: Outcomes


def prepared(part: Dataset, columns: Columns, splits: Sequence[tuple[Rows, Rows]], *, scale: bool) -> list[Fold]:
    """The matrices of these splits, each of rows to fit on and rows held out."""
    frame, defaulted = part.frame[list(part.features)], part.defaulted
    return [
        Fold(
            steps.fit_transform(frame.iloc[fit_rows], defaulted[fit_rows]),
            defaulted[fit_rows],
            steps.transform(frame.iloc[held_out]),
            defaulted[held_out],
        )
        for fit_rows, held_out in splits
        for steps in [preprocessor(columns, scale=scale)]
    ]


def content_of(part: Dataset) -> str:
    """A hash of what is fitted and told apart: features and outcomes, row by row."""
    rows = pd.util.hash_pandas_object(part.frame[list(part.features)], index=False).to_numpy()
    return hashlib.sha256(rows.tobytes() + part.defaulted.tobytes()).hexdigest()
