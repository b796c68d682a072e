"""Folds whose matrices are made once and then shared by all trials of a candidate, and samples of many rows."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedShuffleSplit

from credit_scoring.application.arrays import Floats, Rows
from credit_scoring.data.datasets import MIN_ROWS_PER_OUTCOME, Dataset, Outcomes
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


def rows_to_fold(part: Dataset, most: int) -> int:
    """At most so many rows, but enough for MIN_ROWS_PER_OUTCOME of the rarer outcome at its rate, or for all of it.

    A fold without one of the outcomes has no AUC, and a sample with more of it than its rate no calibration.
    """
    rarer = min(int(part.defaulted.sum()), int((~part.defaulted).sum()))
    enough = math.ceil(len(part.frame) * min(1.0, MIN_ROWS_PER_OUTCOME / max(rarer, 1)))
    return min(len(part.frame), max(most, enough))


def sampled(part: Dataset, most: int, seed: int) -> Dataset:
    """At most so many rows, drawn at random with the default rate kept; all of them in their order where they fit."""
    if len(part.frame) <= most:
        return part
    most = min(most, len(part.frame) - 2)  # what is left over has a row of each outcome, which the splitter asks for
    splitter = StratifiedShuffleSplit(1, train_size=most, random_state=seed)
    rows, _ = next(splitter.split(np.zeros(len(part.defaulted)), part.defaulted))
    return part.rows(np.sort(rows))
