"""What a model trained on decisions cannot know: where on its scale no outcome is, and how the refused differ.

Clients who were refused have no outcome, and none is made up for them here (no reject inference).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from credit_scoring.application.arrays import Floats
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.data.past_decisions import PastDecisions
from credit_scoring.evaluation.approved import FEWEST_OF_EACH
from credit_scoring.model.card import FieldGap, RiskBand, SelectionBias
from credit_scoring.model.reference import RISK, FieldBins, psi_by_bin, psi_limit, reference_of

BANDS = 20
LEAST_IN_BAND = 50  # applications; with few of them there are fewer bands
FEWEST_KNOWN = 20  # a band with fewer outcomes is one without

Score = Callable[[pd.DataFrame], Floats]


def selection_bias(
    known: pd.DataFrame, risk: Floats, past: PastDecisions, features: Sequence[str], catalogue: Catalogue, score: Score
) -> SelectionBias:
    """Coverage by risk, and the gap of each field; without a study.

    `known` are the applications with an outcome, and `risk`, shape (rows,), what the new model gives them while it has
    not seen them: those that it was fitted to would lie further apart than others. `score` is for the rest.
    """
    refused_risk = _scored(past.refused, score)
    bands = risk_bands(risk, _scored(past.open, score), refused_risk)
    gaps: list[FieldGap] = []
    if len(past.refused) >= FEWEST_OF_EACH:
        reference = reference_of(known, features, catalogue, risk)
        refused = {**{name: _values(past.refused[name]) for name in features}, RISK: refused_risk.tolist()}
        gaps = sorted(_gaps(reference.fields, refused, len(known)), key=lambda each: each.psi, reverse=True)
    return SelectionBias(
        known=len(known),
        open=len(past.open),
        refused=len(past.refused),
        unusable=past.unusable,
        fewest=FEWEST_KNOWN,
        bands=tuple(bands),
        fields=tuple(gaps),
    )


def _scored(frame: pd.DataFrame, score: Score) -> Floats:
    return score(frame) if len(frame) else np.empty(0)


def risk_bands(known: Floats, open_ones: Floats, refused: Floats) -> Iterator[RiskBand]:
    """Bands of about equal numbers of applications by risk, lowest first; equal risks stay together."""
    everyone = np.concatenate([known, open_ones, refused])
    number = max(1, min(BANDS, len(everyone) // LEAST_IN_BAND))
    quantiles = np.quantile(everyone, np.linspace(0, 1, number + 1)[1:-1], method="higher")
    inner = np.unique(quantiles[quantiles > everyone.min()])
    edges = [everyone.min(), *inner, everyone.max()]
    counts = zip(*(_counts(each, inner) for each in (known, open_ones, refused)), strict=True)
    for (low, high), found in zip(pairwise(edges), counts, strict=True):
        yield RiskBand(low=low, high=high, known=found[0], open=found[1], refused=found[2])


def _counts(risks: Floats, inner: Floats) -> list[int]:
    places = np.searchsorted(inner, risks, side="right")
    counts: list[int] = np.bincount(places, minlength=len(inner) + 1).tolist()
    return counts


def _values(column: "pd.Series[Any]") -> list[Any]:
    return [value if there else None for value, there in zip(column, column.notna(), strict=True)]


def _gaps(reference: Sequence[FieldBins], refused: Mapping[str, Sequence[Any]], known: int) -> Iterator[FieldGap]:
    for bins in reference:
        counts = bins.count(refused[bins.field])
        by_bin = psi_by_bin(bins, counts)
        most = int(by_bin.argmax())
        yield FieldGap(
            field=bins.field,
            psi=float(by_bin.sum()),
            limit=psi_limit(bins, int(counts.sum()), known),
            bin=bins.labels[most],
            known_share=bins.counts[most] / known,
            refused_share=float(counts[most] / counts.sum()),
        )
