"""What a model trained on decisions cannot know: where on its scale no outcome is, and how the refused differ.

Clients who were refused have no outcome, and none is made up for them here (no reject inference).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from credit_scoring.application.arrays import Floats
from credit_scoring.application.catalogue import Catalogue
from credit_scoring.evaluation.approved import FEWEST_OF_EACH
from credit_scoring.model.card import FieldGap, ScoreBand, SelectionBias
from credit_scoring.model.reference import RISK, DriftReference, psi_by_bin, psi_limit, reference_of

BANDS = 20
LEAST_IN_BAND = 50  # applications; with few of them there are fewer bands
FEWEST_KNOWN = 20  # a band with fewer outcomes is one without


@dataclass(frozen=True)
class Scored:
    """Applications with what the new model gives them: log-odds before calibration, and the risk, shape (rows,)."""

    frame: pd.DataFrame
    log_odds: Floats
    risk: Floats


def together(one: Scored, other: Scored) -> Scored:
    """All of both."""
    frame = pd.concat([one.frame, other.frame], ignore_index=True)
    return Scored(frame, np.append(one.log_odds, other.log_odds), np.append(one.risk, other.risk))


def selection_bias(
    known: Scored, open_ones: Scored, refused: Scored, features: Sequence[str], catalogue: Catalogue
) -> SelectionBias:
    """Coverage by score, and the gap of each field; without a study.

    What the model gives those with an outcome should be held out: those that it was fitted to lie further apart.
    """
    gaps: list[FieldGap] = []
    if len(refused.frame) >= FEWEST_OF_EACH:
        reference = reference_of(known.frame, features, catalogue, known.risk)
        values = {**{name: _values(refused.frame[name]) for name in features}, RISK: refused.risk.tolist()}
        gaps = sorted(_gaps(reference, values), key=lambda each: each.psi, reverse=True)
    return SelectionBias(
        known=len(known.frame),
        open=len(open_ones.frame),
        refused=len(refused.frame),
        fewest=FEWEST_KNOWN,
        bands=tuple(score_bands(known, open_ones, refused)),
        fields=tuple(gaps),
    )


def score_bands(known: Scored, open_ones: Scored, refused: Scored) -> Iterator[ScoreBand]:
    """Bands of about equal numbers of applications by log-odds, lowest first; equal ones stay together."""
    everyone = np.concatenate([each.log_odds for each in (known, open_ones, refused)])
    number = max(1, min(BANDS, len(everyone) // LEAST_IN_BAND))
    quantiles = np.quantile(everyone, np.linspace(0, 1, number + 1)[1:-1], method="higher")
    inner = np.unique(quantiles[quantiles > everyone.min()])
    edges = [everyone.min(), *inner, everyone.max()]
    places = [np.searchsorted(inner, each.log_odds, side="right") for each in (known, open_ones, refused)]
    counts = np.array([np.bincount(each, minlength=len(inner) + 1) for each in places])
    risks = np.concatenate([each.risk for each in (known, open_ones, refused)])
    means = np.bincount(np.concatenate(places), weights=risks) / counts.sum(axis=0)
    for (low, high), risk, found in zip(pairwise(edges), means, counts.T.tolist(), strict=True):
        yield ScoreBand(low=low, high=high, risk=risk, known=found[0], open=found[1], refused=found[2])


def _values(column: "pd.Series[Any]") -> list[Any]:
    return [value if there else None for value, there in zip(column, column.notna(), strict=True)]


def _gaps(reference: DriftReference, refused: Mapping[str, Sequence[Any]]) -> Iterator[FieldGap]:
    for bins in reference.fields:
        counts = bins.count(refused[bins.field])
        by_bin = psi_by_bin(bins, counts)
        shares, known_shares = counts / counts.sum(), np.array(bins.counts) / reference.rows
        most = int(np.where(shares >= known_shares, by_bin, -np.inf).argmax())
        yield FieldGap(
            field=bins.field,
            psi=float(by_bin.sum()),
            limit=psi_limit(bins, int(counts.sum()), reference.rows),
            bin=bins.labels[most],
            known_share=float(known_shares[most]),
            refused_share=float(shares[most]),
        )
