"""Counts into which bin of the training distribution each value falls; Prometheus makes drift of the counts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from credit_scoring.application.records import getter
from credit_scoring.model.reference import RISK, Counts, DriftReference, count_numbers
from credit_scoring.serving.metrics import announce_reference, bin_counters

Record = Mapping[str, Any]
Schedule = Callable[[float, Callable[[], None]], object]

ENOUGH = 512
LONGEST_WAIT_S = 1.0


class FieldCounters:
    """Counts many applications at a time, because counting has a fixed cost for each field.

    `schedule` calls a function after so many seconds; no application waits longer than LONGEST_WAIT_S to be counted.
    """

    def __init__(self, reference: DriftReference, model: str, schedule: Schedule) -> None:
        self._schedule = schedule
        self._records: list[Record] = []
        self._risks: list[float] = []
        by_name = {bins.field: bins for bins in reference.fields}
        self._risk = by_name.pop(RISK)
        self._categories = [bins for bins in by_name.values() if bins.values]
        self._numbers = [(bins.field, np.array(bins.edges)) for bins in by_name.values() if not bins.values]
        self._read = getter(tuple(name for name, _ in self._numbers))
        self._counters = {bins.field: bin_counters(model, bins.field, bins.labels) for bins in reference.fields}
        for bins in reference.fields:
            shares = dict(zip(bins.labels, bins.shares.tolist(), strict=True))
            announce_reference(model, reference.rows, bins.field, shares, bins.quantile)

    def add(self, records: Sequence[Record], risks: Sequence[float]) -> None:
        """These applications were decided."""
        if not self._records:
            self._schedule(LONGEST_WAIT_S, self.flush)
        self._records.extend(records)
        self._risks.extend(risks)
        if len(self._records) >= ENOUGH:
            self.flush()

    def flush(self) -> None:
        """Count what waits."""
        records, self._records = self._records, []
        risks, self._risks = self._risks, []
        if not records:
            return
        for name, counts in self._counted(records, risks):
            for counter, count in zip(self._counters[name], counts.tolist(), strict=True):
                if count:
                    counter.inc(count)

    def _counted(self, records: Sequence[Record], risks: Sequence[float]) -> list[tuple[str, Counts]]:
        numbers = np.array([self._read(record) for record in records], dtype=np.float64)
        found = [(name, count_numbers(numbers[:, i], edges)) for i, (name, edges) in enumerate(self._numbers)]
        found += [(bins.field, bins.count([record[bins.field] for record in records])) for bins in self._categories]
        return [*found, (RISK, count_numbers(np.array(risks), np.array(self._risk.edges)))]
