"""A data set at a glance: of each field what is missing and who defaulted by its values; defaults by month."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from credit_scoring.application.arrays import Flags
from credit_scoring.application.fields import ApplicationField
from credit_scoring.data.datasets import Dataset

PARTS = 4
MOST_VALUES = 6


@dataclass(frozen=True)
class Part:
    """Clients with the same value, or with numbers in the same range: how many, and the share that defaulted."""

    label: str
    rows: int
    default_rate: float


@dataclass(frozen=True)
class FieldOverview:
    """A field of a data set; `parts` are quarters of a number, or the commonest values, then what is missing."""

    name: str
    missing_share: float
    parts: tuple[Part, ...]


def fields(dataset: Dataset) -> Iterator[FieldOverview]:
    """Every field that the data set holds at all, in the order of the catalogue."""
    for name, field in dataset.catalogue.fields.items():
        column = dataset.frame[name]
        if column.notna().any():
            missing = column.isna()
            parts = list(_parts(field, column, dataset))
            if missing.any():
                parts.append(_part("missing", missing.to_numpy(), dataset))
            yield FieldOverview(name, float(missing.mean()), tuple(parts))


def months(dataset: Dataset) -> Iterator[Part]:
    """Decisions by month, oldest first; none where days are not known."""
    if dataset.days is not None:
        of_row = dataset.days.astype("datetime64[M]")
        for month in np.unique(of_row):
            yield _part(str(month), of_row == month, dataset)


def _parts(field: ApplicationField, column: "pd.Series[float]", dataset: Dataset) -> Iterator[Part]:
    if field.is_number:
        edges = np.unique(np.nanquantile(column.to_numpy(dtype=np.float64), np.linspace(0, 1, PARTS + 1)))
        bins = np.searchsorted(edges[1:-1], column.to_numpy(dtype=np.float64), side="right")
        for place, low in enumerate(edges[:-1] if len(edges) > 1 else edges):
            label = f"{low:g}–{edges[min(place + 1, len(edges) - 1)]:g}"
            yield _part(label, (bins == place) & column.notna().to_numpy(), dataset)
        return
    for value in column.value_counts().index[:MOST_VALUES]:
        label = {0.0: "no", 1.0: "yes"}.get(value, value) if field.kind == "flag" else value
        yield _part(str(label), (column == value).to_numpy(), dataset)


def _part(label: str, rows: Flags, dataset: Dataset) -> Part:
    count = int(rows.sum())
    return Part(label, count, float(dataset.defaulted[rows].mean()) if count else float("nan"))
