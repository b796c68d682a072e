"""A data set at a glance, by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks.support.consorcio import CATALOGUE, EXAMPLE_APPLICATION
from credit_scoring.data import overview
from credit_scoring.data.datasets import Dataset
from credit_scoring.data.overview import Part
from credit_scoring.model.features import application_frame


@pytest.fixture
def four() -> Dataset:
    """Four clients, of whom the poorest and the one without an income defaulted."""
    incomes = (1000.0, 2000.0, 3000.0, None)
    housings = ("RENT", "OWNER", "OWNER", None)
    records = [
        {**EXAMPLE_APPLICATION, "monthly_income": income, "housing": housing, "has_negative_record": income == 1000}
        for income, housing in zip(incomes, housings, strict=True)
    ]
    frame = application_frame(records, CATALOGUE, tuple(CATALOGUE.fields)).assign(good_type=None)
    bad = np.array([True, False, False, True])
    return Dataset("csv:own.csv", "", "", CATALOGUE, frame, bad, (), ())


def parts(dataset: Dataset, name: str) -> tuple[Part, ...]:
    (found,) = [each for each in overview.fields(dataset) if each.name == name]
    return found.parts


def test_a_category_is_told_by_its_values_the_commonest_first_and_what_is_missing(four: Dataset) -> None:
    assert parts(four, "housing") == (Part("OWNER", 2, 0.0), Part("RENT", 1, 1.0), Part("missing", 1, 1.0))


def test_a_flag_is_told_as_no_and_yes(four: Dataset) -> None:
    assert parts(four, "has_negative_record") == (Part("no", 3, 1 / 3), Part("yes", 1, 1.0))


def test_a_number_is_told_by_the_quarters_of_its_values(four: Dataset) -> None:
    found = parts(four, "monthly_income")
    assert [(each.rows, each.default_rate) for each in found if each.rows] == [(1, 1.0), (1, 0.0), (1, 0.0), (1, 1.0)]
    assert sum(each.rows for each in found) == 4
    assert found[-1].label == "missing"


def test_a_number_that_is_the_same_for_all_is_one_part(four: Dataset) -> None:
    assert parts(four, "term_months") == (Part("48–48", 4, 0.5),)


def test_a_field_without_any_value_is_left_out(four: Dataset) -> None:
    assert "good_type" not in [each.name for each in overview.fields(four)]


def test_months_are_told_where_days_are_known(four: Dataset) -> None:
    assert list(overview.months(four)) == []
    days = pd.to_datetime(["2025-02-01", "2025-01-31", "2025-02-28", "2025-02-02"]).to_numpy().astype("datetime64[D]")
    found = list(overview.months(replace(four, days=days)))
    assert found == [Part("2025-01", 1, 0.0), Part("2025-02", 3, 2 / 3)]
