"""The part of a data set that a model may be measured on: no row that it was trained on, as far as that can be seen."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.data.datasets import Dataset
from credit_scoring.errors import DataError
from credit_scoring.evaluation.unseen import unseen_part
from credit_scoring.model.card import DataSummary, ModelCard
from tests.evaluation.test_plots import card

UNLUCKY = (563, 113)  # rows, and rows of the test part, whose quotient times the rows is a little more than it
ROWS = 1000
FIRST = np.datetime64("2025-01-01")
DAYS = np.random.default_rng(1).permutation(ROWS)


def numbered(rows: int, days: npt.NDArray[np.integer[Any]] | None = None, **changes: Any) -> Dataset:
    """Numbered clients, of whom every fourth defaulted, with so many days since the first one."""
    whole = Dataset(
        source="csv:history.csv",
        sha256="as it was",
        note="",
        catalogue=CATALOGUE,
        frame=pd.DataFrame({"row": np.arange(rows)}),
        defaulted=np.arange(rows) % 4 == 0,
        bad_rows=(),
        unused_columns=(),
        days=None if days is None else FIRST + days.astype("timedelta64[D]"),
    )
    return replace(whole, **changes)


def trained_on(dataset: Dataset, share: float = 0.2, seed: int = 42) -> ModelCard:
    """The card of a model that was trained on this data set."""
    train_part, test_part = dataset.split(share, seed)
    data = DataSummary(
        source=dataset.source,
        sha256=dataset.sha256,
        note="",
        rows_train=len(train_part.frame),
        rows_test=len(test_part.frame),
        bad_rows=0,
        default_rate=float(dataset.defaulted.mean()),
        test_since=None if test_part.days is None else test_part.days.min().item(),
    )
    return card(data=data, seed=seed)


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(100, 5_000), share=st.floats(0.05, 0.5))
def test_the_test_part_is_drawn_again_to_the_row_whatever_its_size(seed: int, rows: int, share: float) -> None:
    """A share of rows, as a float, rounds to one row more for one size in a hundred."""
    whole = numbered(rows)
    found = unseen_part(trained_on(whole, share, seed), whole)
    assert found.clients.frame.equals(whole.split(share, seed)[1].frame)
    assert found.unseen


def test_a_test_part_of_a_size_that_its_share_rounds_up_holds_no_training_row() -> None:
    rows, tested = UNLUCKY
    assert math.ceil(tested / rows * rows) == tested + 1
    whole = numbered(rows)
    found = unseen_part(trained_on(whole, tested / (rows + 0.5)), whole)
    assert len(found.clients.frame) == tested


def test_of_another_file_every_row_counts_and_is_not_said_to_be_unseen() -> None:
    found = unseen_part(trained_on(numbered(ROWS)), numbered(100, sha256="another"))
    assert len(found.clients.frame) == 100
    assert "all 100 rows" in found.data
    assert not found.unseen


def test_with_dates_the_newest_part_is_measured_again() -> None:
    whole = numbered(ROWS, DAYS)
    found = unseen_part(trained_on(whole), whole)
    assert found.clients.frame.equals(whole.split(0.2, 42)[1].frame)
    assert found.unseen


@pytest.mark.parametrize(
    ("before", "now", "here", "then"),
    [
        (numbered(ROWS), numbered(ROWS, DAYS), "1,000 rows, of which 25.00% defaulted, tested from", "without dates"),
        (numbered(ROWS, DAYS), numbered(ROWS), "without dates", "tested from 2027-03-12 on"),
        (numbered(ROWS, DAYS), numbered(ROWS, DAYS + 30), "tested from 2027-04-11 on", "tested from 2027-03-12 on"),
        (numbered(ROWS, DAYS), numbered(ROWS, DAYS // 2), "tested from 2026-02-05 on", "tested from 2027-03-12 on"),
        (numbered(ROWS), numbered(150), "150 rows", "1,000 rows"),
        (numbered(ROWS), numbered(ROWS + 1), "1,001 rows", "1,000 rows"),
        (numbered(ROWS), numbered(ROWS, defaulted=DAYS < 300), "30.00% defaulted", "25.00% defaulted"),
    ],
    ids=[
        "now with dates",
        "now without",
        "later dates",
        "other dates",
        "fewer rows than tested",
        "a row more",
        "outcomes",
    ],
)
def test_the_training_file_read_in_another_way_is_refused_with_what_differs_and_the_way_out(
    before: Dataset, now: Dataset, here: str, then: str
) -> None:
    with pytest.raises(DataError) as caught:
        unseen_part(trained_on(before), now)
    message = str(caught.value)
    found, _, expected = message.partition("in training")
    assert here in found
    assert then in expected
    assert "Read it with the --source and --mapping of the training" in expected
    assert "\n" not in message
