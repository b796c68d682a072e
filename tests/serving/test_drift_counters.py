"""Counting into the bins of the training distribution, many applications at a time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.support.consorcio import CATALOGUE
from credit_scoring.data.datasets import Dataset
from credit_scoring.model.reference import RISK, DriftReference, reference_of
from credit_scoring.serving.drift_counters import ENOUGH, FieldCounters
from credit_scoring.serving.metrics import exposition


@pytest.fixture(scope="module")
def reference(dataset: Dataset) -> DriftReference:
    return reference_of(dataset.frame, dataset.features, CATALOGUE, np.linspace(0, 1, len(dataset.frame)))


class Later:
    """Functions that are to be called later; a test calls them."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, seconds: float, function: Callable[[], None]) -> None:
        assert seconds > 0
        self.waiting.append(function)


def records(dataset: Dataset, count: int) -> list[dict[str, Any]]:
    rows = dataset.frame.head(count).to_dict(orient="records")
    return [{str(name): None if pd.isna(value) else value for name, value in row.items()} for row in rows]


def counted(model: str) -> dict[tuple[str, str], int]:
    """What the metrics say: how many values fell into which bin of which field."""
    return {
        (sample.labels["field"], sample.labels["bin"]): int(sample.value)
        for family in text_string_to_metric_families(exposition().decode())
        for sample in family.samples
        if sample.name == "credit_scoring_field_values_total" and sample.labels["model"] == model
    }


def test_enough_applications_are_counted_at_once_and_as_training_was(
    dataset: Dataset, reference: DriftReference
) -> None:
    counters, rows = FieldCounters(reference, "at once", Later()), records(dataset, ENOUGH)
    counters.add(rows[:-1], [0.1] * (ENOUGH - 1))
    assert sum(counted("at once").values()) == 0
    counters.add(rows[-1:], [0.9])
    found = counted("at once")
    for bins in reference.fields[:-1]:
        expected = bins.count([row[bins.field] for row in rows]).tolist()
        assert [found[bins.field, label] for label in bins.labels] == expected, bins.field
    assert sum(count for (field, _), count in found.items() if field == RISK) == ENOUGH


def test_fewer_are_counted_after_a_moment(dataset: Dataset, reference: DriftReference) -> None:
    later = Later()
    counters = FieldCounters(reference, "later", later)
    counters.add(records(dataset, 3), [0.1, 0.5, 0.9])
    counters.add(records(dataset, 2), [0.1, 0.5])
    (flush,) = later.waiting
    flush()
    assert sum(count for (field, _), count in counted("later").items() if field == RISK) == 5


def test_every_bin_is_there_before_the_first_application(reference: DriftReference) -> None:
    FieldCounters(reference, "fresh", Later())
    found = counted("fresh")
    assert set(found) == {(bins.field, label) for bins in reference.fields for label in bins.labels}
    assert set(found.values()) == {0}


def test_the_shares_of_training_are_told_beside(reference: DriftReference) -> None:
    FieldCounters(reference, "told", Later())
    shares = {
        (sample.labels["field"], sample.labels["bin"]): sample.value
        for family in text_string_to_metric_families(exposition().decode())
        for sample in family.samples
        if sample.name == "credit_scoring_reference_share" and sample.labels["model"] == "told"
    }
    for bins in reference.fields:
        assert [shares[bins.field, label] for label in bins.labels] == pytest.approx(bins.shares.tolist())
