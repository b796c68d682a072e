"""Samples of many rows that keep the default rate, with enough of the rarer outcome."""

import math

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit

from credit_scoring.data.datasets import MIN_ROWS_PER_OUTCOME, Dataset


def rows_to_fold(part: Dataset, most: int, enough: int = MIN_ROWS_PER_OUTCOME) -> int:
    """At most so many rows, but as many as it takes for `enough` of the rarer outcome at its rate, or for all of it.

    A fold without one of the outcomes has no AUC, and a sample with more of it than its rate no calibration.
    """
    rarer = min(int(part.defaulted.sum()), int((~part.defaulted).sum()))
    least = math.ceil(len(part.frame) * min(1.0, enough / max(rarer, 1)))
    return min(len(part.frame), max(most, least))


def sampled(part: Dataset, most: int, seed: int) -> Dataset:
    """At most so many rows, drawn at random with the default rate kept; all of them in their order where they fit."""
    if len(part.frame) <= most:
        return part
    most = min(most, len(part.frame) - 2)  # what is left over has a row of each outcome, which the splitter asks for
    splitter = StratifiedShuffleSplit(1, train_size=most, random_state=seed)
    rows, _ = next(splitter.split(np.zeros(len(part.defaulted)), part.defaulted))
    return part.rows(np.sort(rows))
