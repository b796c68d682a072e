"""How far applications have moved from the training distribution: bins, and the population stability index.

PSI = Σ (a − r) ln(a / r) over the bins' shares, a now and r in the reference (Siddiqi 2006, ch. 9). Where nothing has
changed, PSI / (1/n + 1/m) is about χ² with one degree of freedom less than there are bins, n being the decisions now
and m the rows of the reference (Yurdakul & Naranjo 2020); so a limit has to know n. deploy/prometheus has the same
formulas as recording rules.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from credit_scoring.application.arrays import Floats
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.application.fields import ApplicationField

if TYPE_CHECKING:  # so that the API can be described without pandas
    import pandas as pd

Counts = npt.NDArray[np.int64]

BINS = 10
SMOOTHING = 0.5  # of a row in each bin, so that an empty one has a share
NOTABLE = 0.1  # less PSI than this is no shift worth acting on, however certain it is
BY_CHANCE = 1e-4
MISSING, UNSEEN = "missing", "unseen"
RISK = "risk_probability"
HALF = np.array([0.5])


class FieldBins(BaseModel):
    """How a field's values were distributed in training.

    Numbers fall between `edges`: bin i holds edges[i - 1] <= value < edges[i]. Flags and categories have a bin each;
    every field one for missing values, a category one for values that training did not have.
    """

    model_config = ConfigDict(frozen=True)

    field: str
    title: str = Field("", description="What people call the field; empty in models from before it was kept.")
    edges: tuple[float, ...] = Field((), description="Inner edges of a number's bins, rising.")
    values: tuple[str, ...] = Field((), description="A category's values.")
    is_flag: bool = Field(False, description="Whether its two bins are no and yes.")
    counts: tuple[int, ...] = Field(description="Training rows in each bin, in the order of `labels`.")
    quantile: float = Field(0.0, description="What PSI / (1/n + 1/m) exceeds by chance once in 10,000 times.")
    least: float | None = Field(None, description="A number's least value; absent in models from before it was kept.")
    greatest: float | None = Field(None, description="A number's greatest value.")

    @property
    def unseen(self) -> frozenset[str]:
        """A category's values that training did not have."""
        return frozenset(value for value, count in zip(self.values, self.counts, strict=False) if not count)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the bins."""
        if self.values:
            return (*self.values, UNSEEN, MISSING)
        if self.is_flag:
            return ("false", "true", MISSING)
        names = [f"{edge:.6g}" if abs(edge) >= 1 else f"{edge:.3g}" for edge in self.edges]
        if not names:
            return ("any", MISSING)
        inner = (f"{low}–{high}" for low, high in pairwise(names))
        return (f"<{names[0]}", *inner, f"≥{names[-1]}", MISSING)

    @property
    def shares(self) -> Floats:
        """Share of each bin in training; none is zero."""
        return smoothed_shares(np.array(self.counts))

    def count(self, values: Sequence[Any]) -> Counts:
        """How many of these values fall into each bin; None is missing, NaN is a missing number."""
        if self.values:
            return self._count_categories(values)
        numbers = np.array(values, dtype=np.float64)
        return count_numbers(numbers, np.array(self.edges))

    def _count_categories(self, values: Sequence[Any]) -> Counts:
        unseen, missing = len(self.values), len(self.values) + 1
        known: dict[Any, int] = {value: place for place, value in enumerate(self.values)} | {None: missing}
        places = [known.get(value, unseen) for value in values]
        return np.bincount(places, minlength=len(self.values) + 2)


def count_numbers(numbers: Floats, edges: Floats) -> Counts:
    """How many fall into each bin between edges, missing ones last."""
    missing = np.isnan(numbers)
    places = np.where(missing, len(edges) + 1, np.searchsorted(edges, numbers, side="right"))
    return np.bincount(places, minlength=len(edges) + 2)


class DriftReference(BaseModel):
    """The training distribution of every field that the model uses, and of the risk it gave to rows it had not seen."""

    model_config = ConfigDict(frozen=True)

    rows: int = Field(description="With a held-out risk; each field's bins hold at least as many.")
    fields: tuple[FieldBins, ...]


def reference_of(frame: "pd.DataFrame", features: Sequence[str], catalogue: Catalogue, risk: Floats) -> DriftReference:
    """The reference of a training frame; `risk`, shape (rows,), is held out, of all its rows or of a sample."""
    fields = [_bins_of(catalogue.fields[name], frame[name]) for name in features]
    return DriftReference(rows=len(risk), fields=(*fields, number_bins(RISK, risk)))


def _bins_of(field: ApplicationField, column: "pd.Series[Any]") -> FieldBins:
    name = field.name
    if field.kind == "category":
        bins = FieldBins(field=name, title=field.title, values=field.categories, counts=())
        values = [value if known else None for value, known in zip(column, column.notna(), strict=True)]
        return _filled(bins, bins.count(values))
    numbers = column.to_numpy(dtype=np.float64)
    if field.kind == "flag":
        return _filled(
            FieldBins(field=name, title=field.title, edges=(0.5,), is_flag=True, counts=()),
            count_numbers(numbers, HALF),
        )
    return number_bins(name, numbers, field.title)


def number_bins(name: str, numbers: Floats, title: str = "") -> FieldBins:
    """Bins of equal size, as far as equal values allow."""
    known = numbers[~np.isnan(numbers)]
    inner = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if known.size else np.array([])
    edges = tuple(edge for edge in inner.tolist() if edge > known.min())
    least, greatest = (float(known.min()), float(known.max())) if known.size else (None, None)
    bins = FieldBins(field=name, title=title, edges=edges, least=least, greatest=greatest, counts=())
    return _filled(bins, count_numbers(numbers, np.array(edges)))


def _filled(bins: FieldBins, counts: Counts) -> FieldBins:
    from scipy.special import chdtri  # noqa: PLC0415 - for training only; the service's arbiter loads this module, too

    quantile = float(chdtri(len(counts) - 1, BY_CHANCE))
    return bins.model_copy(update={"counts": tuple(counts.tolist()), "quantile": quantile})


def smoothed_shares(counts: Counts) -> Floats:
    """Shares of the whole with SMOOTHING of a row in each bin."""
    shares: Floats = (counts + SMOOTHING) / (counts.sum() + SMOOTHING * len(counts))
    return shares


def psi(bins: FieldBins, counts: Counts) -> float:
    """Population stability index of these counts against the reference."""
    return float(psi_by_bin(bins, counts).sum())


def psi_by_bin(bins: FieldBins, counts: Counts) -> Floats:
    """What each bin contributes to it; nothing is below 0."""
    now, then = smoothed_shares(counts), bins.shares
    contributions: Floats = (now - then) * np.log(now / then)
    return contributions


def psi_limit(bins: FieldBins, decisions: int, rows: int) -> float:
    """What PSI has to exceed to be a shift: notable, and more than chance makes of so many decisions and rows."""
    return max(NOTABLE, bins.quantile * (1 / decisions + 1 / rows)) if decisions else float("inf")
