"""Decisions are counted when they are given: repeated applications and what could not be stored are not."""

import asyncio
from collections.abc import Callable, Sequence

from credit_scoring.application.schemas import Application, Decision
from credit_scoring.decisions.entries import Entry, Log, Settled
from credit_scoring.serving.decision_engine import DecisionDesk
from credit_scoring.serving.drift_counters import FieldCounters
from credit_scoring.serving.metrics import count_decisions
from credit_scoring.serving.pending import attempt


class Tally:
    """Counts the decisions of one desk by answer, failed rule and bin of the training distribution."""

    def __init__(self, desk: DecisionDesk) -> None:
        drift = desk.scorer.reference.drift
        self._fields = FieldCounters(drift, desk.tag, _call_later) if drift else None

    def add(self, applications: Sequence[Application], decisions: Sequence[Decision]) -> None:
        """These decisions on these applications are given."""
        count_decisions(decisions)
        if self._fields:
            self._fields.add([each.__dict__ for each in applications], [each.risk_probability for each in decisions])


class CountedLog:
    """A decision log that calls `on_given` with the applications and decisions that it has stored, block by block.

    A decision that was stored before, and is the answer to a repeated application, is not among them.
    """

    def __init__(self, log: Log, on_given: Callable[[Sequence[Application], Sequence[Decision]], None]) -> None:
        self._log = log
        self._on_given = on_given

    @property
    def seconds(self) -> float:
        """How long the last transaction took."""
        return self._log.seconds

    def store_at_once(self, entries: Sequence[Entry]) -> list[Settled] | None:
        """As the log does."""
        if settled := self._log.store_at_once(entries):
            self._count(entries, settled)
        return settled

    async def store(self, entries: Sequence[Entry]) -> list[Settled]:
        """As the log does; raises DecisionLogError."""
        settled = await self._log.store(entries)
        self._count(entries, settled)
        return settled

    def check(self) -> None:
        """Raises DecisionLogError where nothing can be stored."""
        self._log.check()

    async def close(self) -> None:
        """Close the log."""
        await self._log.close()

    def _count(self, entries: Sequence[Entry], settled: Sequence[Settled]) -> None:
        """Never raises: the decisions are stored."""
        pairs = zip(entries, settled, strict=False)  # whoever stores checks the number of answers
        if given := [entry for entry, answer in pairs if answer is entry.decision]:
            attempt(self._add, given)

    def _add(self, given: Sequence[Entry]) -> None:
        self._on_given([each.application for each in given], [each.decision for each in given])


def _call_later(seconds: float, function: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(seconds, function)
