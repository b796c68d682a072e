"""The report on a period: drift of each field, and performance by cohort."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydantic_core import from_json

from credit_scoring.decisions.database import Database
from credit_scoring.decisions.erased import is_erased
from credit_scoring.decisions.queries import Record, Wanted, chunks
from credit_scoring.errors import ConfigurationError
from credit_scoring.model import store
from credit_scoring.model.card import Interval, ModelCard
from credit_scoring.model.manifest import CARD_FILE, REFERENCE_FILE
from credit_scoring.model.reference import RISK, Counts, DriftReference, FieldBins, psi, psi_limit
from credit_scoring.model.scorer import Reference
from credit_scoring.monitoring.cohorts import Cohort


@dataclass(frozen=True)
class FieldDrift:
    """Drift of a field; `counts` are by bin, in the order of the bins' labels."""

    bins: FieldBins
    counts: Counts
    rows: int

    @property
    def decisions(self) -> int:
        """How many decisions were counted."""
        return int(self.counts.sum())

    @property
    def psi(self) -> float:
        """Population stability index."""
        return psi(self.bins, self.counts)

    @property
    def limit(self) -> float:
        """The PSI above which the field counts as drifted."""
        return psi_limit(self.bins, self.decisions, self.rows)

    @property
    def has_moved(self) -> bool:
        """Whether the field has drifted."""
        return self.psi > self.limit


@dataclass(frozen=True)
class PeriodReport:
    """A period of one model; fields by drift, greatest first; cohorts, oldest first.

    `tested` has the metrics of the test part's approved clients, with which cohorts are compared.
    """

    model: str
    since: datetime | None
    until: datetime | None
    fields: Sequence[FieldDrift]
    cohorts: Sequence[Cohort]
    tested: Mapping[str, Interval]

    @property
    def decisions(self) -> int:
        """Decisions by this model in the period."""
        return self.fields[0].decisions if self.fields else 0

    @property
    def moved(self) -> list[FieldDrift]:
        """The fields that have drifted."""
        return [each for each in self.fields if each.has_moved]


def report(database: Database, wanted: Wanted, cohorts: Sequence[Cohort]) -> PeriodReport:
    """The report on these decisions; `wanted` names the model. Raises ConfigurationError where it has no reference."""
    model = str(wanted.model)
    reference = stored_reference(model)
    totals = {bins.field: np.zeros(len(bins.labels), dtype=np.int64) for bins in reference.fields}
    for chunk in chunks(database, wanted):
        for name, counts in _counted(chunk, reference).items():
            totals[name] += counts
    drifts = [FieldDrift(bins, totals[bins.field], reference.rows) for bins in reference.fields]
    ranked = sorted(drifts, key=lambda each: each.psi - each.limit, reverse=True)
    mine = [each for each in cohorts if each.model == model]
    return PeriodReport(model, wanted.since, wanted.until, ranked, mine, _tested(model))


def stored_reference(tag: str) -> DriftReference:
    """The training distribution that a stored model was saved with; raises ConfigurationError where it has none."""
    content = (Path(store.find(tag).path) / REFERENCE_FILE).read_bytes()
    reference = Reference.model_validate_json(content).drift
    if reference is None:
        raise ConfigurationError(f"Model {tag} was saved without its training distribution. Retrain it.")
    return reference


def _tested(tag: str) -> Mapping[str, Interval]:
    content = (Path(store.find(tag).path) / CARD_FILE).read_bytes()
    return ModelCard.model_validate_json(content).test_approved


def _counted(chunk: Sequence[Record], reference: DriftReference) -> Mapping[str, Counts]:
    seen = [_seen(record) for record in chunk if not is_erased(record["received"])]
    return {bins.field: bins.count([each.get(bins.field) for each in seen]) for bins in reference.fields}


def _seen(record: Record) -> dict[str, Any]:
    values = dict(zip(from_json(record["features"]), from_json(record["seen"]), strict=True))
    return values | {RISK: record["risk_probability"]}
