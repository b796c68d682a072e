"""The clients that a model may be measured on: those that it was not trained on, as far as that can be seen."""

import math
from datetime import date
from typing import NamedTuple

import numpy as np

from credit_scoring.data.datasets import DECISIONS, Dataset
from credit_scoring.errors import DataError
from credit_scoring.model.card import DataSummary, ModelCard


class Part(NamedTuple):
    """Clients to measure a model on, described in a few words; `unseen` if it was surely trained on none of them."""

    clients: Dataset
    data: str
    unseen: bool


def unseen_part(card: ModelCard, dataset: Dataset) -> Part:
    """The clients of this data set that a model may be measured on.

    A new file: all of it. The file that the model was trained on: the same test part as in training; raises DataError
    if it was read in another way. The decision log, which grows: decisions that are not older than the test part;
    raises DataError if those have too few of either outcome.
    """
    since = card.data.test_since
    if since and dataset.days is not None and (dataset.source, card.data.source) == (DECISIONS, DECISIONS):
        newest = dataset.rows(np.flatnonzero(dataset.days >= np.datetime64(since)))
        newest.require_both_outcomes(f"since {since}, which training did not touch", "evaluate on a file")
        data = f"{dataset.source}, the {len(newest.frame):,} rows since {since}, which training did not touch"
        return Part(newest, data, unseen=True)
    if dataset.sha256 != card.data.sha256:
        return Part(dataset, f"{dataset.source}, all {len(dataset.frame):,} rows", unseen=False)
    _require_same_rows(card.data, dataset)
    _, test_part = dataset.split(card.data.rows_test, card.seed)  # a share may round to one row more
    data = f"{dataset.source}, the {len(test_part.frame):,} rows of the untouched test part"
    return Part(test_part, data, unseen=True)


def has_same_rows(data: DataSummary, dataset: Dataset) -> bool:
    """Whether this is the file that a model was trained and tested on, read in the same way.

    Another mapping may leave out other rows, or choose the test part by other days or outcomes.
    """
    return (
        dataset.sha256 == data.sha256
        and len(dataset.frame) == data.rows_train + data.rows_test
        and math.isclose(dataset.defaulted.mean(), data.default_rate)
        and _has_same_newest(data, dataset)
    )


def _has_same_newest(data: DataSummary, dataset: Dataset) -> bool:
    if dataset.days is None or data.test_since is None:
        return dataset.days is None and data.test_since is None
    newest = dataset.days[dataset.days >= np.datetime64(data.test_since)]
    return len(newest) == data.rows_test and newest.min().item() == data.test_since


def _require_same_rows(data: DataSummary, dataset: Dataset) -> None:
    if has_same_rows(data, dataset):
        return
    days = None if dataset.days is None else np.sort(dataset.days)[-data.rows_test :]
    found = _in_words(len(dataset.frame), dataset.defaulted.mean(), None if days is None else days[0].item())
    expected = _in_words(data.rows_train + data.rows_test, data.default_rate, data.test_since)
    raise DataError(
        f"Data of source {dataset.source}: the model was trained on this file, but read in another way: here {found}, "
        f"in training {expected}. Read it with the --source and --mapping of the training; else rows that the model "
        "was trained on would be measured."
    )


def _in_words(rows: int, default_rate: float, tested_since: date | None) -> str:
    days = "without dates" if tested_since is None else f"tested from {tested_since} on"
    return f"{rows:,} rows, of which {default_rate:.2%} defaulted, {days}"
