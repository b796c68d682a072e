"""Bins of the training distribution, and how far counts have moved from them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.reference import (
    BINS,
    MISSING,
    NOTABLE,
    RISK,
    UNSEEN,
    DriftReference,
    FieldBins,
    number_bins,
    psi,
    psi_limit,
    reference_of,
)

WINDOWS = 1000
SIZES = (200, 2_000, 20_000)


@pytest.fixture(scope="module")
def reference(dataset: Dataset) -> DriftReference:
    risk = np.random.default_rng(0).beta(1, 3, len(dataset.frame))
    return reference_of(dataset.frame, dataset.features, CATALOGUE, risk)


def by_name(reference: DriftReference, name: str) -> FieldBins:
    return next(bins for bins in reference.fields if bins.field == name)


def shares_of(bins: FieldBins) -> Floats:
    counts = np.array(bins.counts, dtype=np.float64)
    shares: Floats = counts / counts.sum()
    return shares


def test_every_field_of_the_model_and_its_risk_have_bins(dataset: Dataset, reference: DriftReference) -> None:
    assert [bins.field for bins in reference.fields] == [*dataset.features, RISK]
    assert reference.rows == len(dataset.frame)


def test_every_training_row_falls_into_one_bin_of_each_field(reference: DriftReference) -> None:
    for bins in reference.fields:
        assert sum(bins.counts) == reference.rows, bins.field
        assert len(bins.labels) == len(set(bins.labels)) == len(bins.counts), bins.field


def test_a_number_has_ten_bins_of_about_equal_size_where_its_values_allow(reference: DriftReference) -> None:
    bins = by_name(reference, "good_value")
    assert len(bins.counts) == BINS + 1
    assert max(bins.counts[:-1]) < 1.2 * min(bins.counts[:-1])


def test_missing_and_unseen_values_have_bins_of_their_own() -> None:
    frame = pd.DataFrame(
        {"housing": ["RENT", None], "monthly_income": [1.0, np.nan], "has_negative_record": [0.0, 1.0]}
    )
    reference = reference_of(frame, [str(name) for name in frame], CATALOGUE, np.array([0.1, 0.2]))
    housing, income, negative, _ = reference.fields
    assert dict(zip(housing.labels, housing.counts, strict=True)) | {MISSING: 1, UNSEEN: 0, "RENT": 1} == dict(
        zip(housing.labels, housing.counts, strict=True)
    )
    assert income.counts[-1] == 1
    assert (negative.labels, negative.counts) == (("false", "true", MISSING), (1, 1, 0))
    assert housing.count(["CASTLE", None, "RENT"]).tolist()[-2:] == [1, 1]
    assert negative.count([True, False, None, True]).tolist() == [1, 2, 1]


@given(
    trained=st.lists(st.none() | st.floats(-1e9, 1e9), min_size=1, max_size=50),
    now=st.lists(st.none() | st.floats(-1e12, 1e12), max_size=50),
)
def test_every_number_falls_into_exactly_one_bin(trained: list[float | None], now: list[float | None]) -> None:
    bins = number_bins("x", np.array(trained, dtype=np.float64))
    counts = bins.count(now)
    assert counts.sum() == len(now)
    assert counts[-1] == now.count(None)
    assert (np.diff(bins.edges) > 0).all()


@given(counts=st.lists(st.integers(0, 10_000), min_size=11, max_size=11))
def test_psi_is_never_negative_and_zero_for_the_training_counts(counts: list[int]) -> None:
    bins = number_bins("x", np.arange(1000.0))
    assert psi(bins, np.array(counts)) >= 0
    assert psi(bins, np.array(bins.counts)) == 0


def test_psi_of_a_known_shift_is_what_the_formula_gives() -> None:
    bins = FieldBins(field="x", edges=(0.5,), counts=(500, 500, 0))
    now = np.array([900, 100, 0])
    shares = (now + 0.5) / 1001.5
    then = np.array([500.5, 500.5, 0.5]) / 1001.5
    assert psi(bins, now) == pytest.approx(float(((shares - then) * np.log(shares / then)).sum()))
    assert psi(bins, now) == pytest.approx(0.8 * np.log(3), rel=0.01)


@pytest.mark.parametrize("size", SIZES)
def test_less_than_one_window_in_a_hundred_cries_wolf_where_nothing_has_changed(
    reference: DriftReference, size: int
) -> None:
    """Of 1,000 windows, counting one in which any of the fields is over its limit."""
    generator = np.random.default_rng(size)
    cried = np.zeros(WINDOWS, dtype=np.bool_)
    for bins in reference.fields:
        limit = psi_limit(bins, size, reference.rows)
        counts = generator.multinomial(size, shares_of(bins), WINDOWS)
        cried |= np.array([psi(bins, each) > limit for each in counts])
    assert cried.mean() < 0.01


@pytest.mark.parametrize(("size", "factor"), [(200, 2.0), (2_000, 1.3), (20_000, 1.3)])
def test_an_income_that_rose_is_told_in_every_window(
    dataset: Dataset, reference: DriftReference, size: int, factor: float
) -> None:
    generator = np.random.default_rng(size)
    bins, income = by_name(reference, "monthly_income"), dataset.frame["monthly_income"].to_numpy()
    for _ in range(50):
        shifted = factor * generator.choice(income, size)
        assert psi(bins, bins.count(shifted.tolist())) > psi_limit(bins, size, reference.rows)


def test_the_limit_is_never_below_what_is_worth_acting_on(reference: DriftReference) -> None:
    bins = reference.fields[0]
    assert psi_limit(bins, 10**9, 10**9) == NOTABLE
    assert psi_limit(bins, 50, reference.rows) > psi_limit(bins, 500, reference.rows) >= NOTABLE
    assert psi_limit(bins, 0, reference.rows) == float("inf")
