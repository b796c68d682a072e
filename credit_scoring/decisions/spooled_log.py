"""best_effort: a decision log that answers by way of the spool while its database is away."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from credit_scoring.decisions.backlog import Backlog, Drain
from credit_scoring.decisions.entries import Entry, Settled
from credit_scoring.decisions.inheritance import Inheritance
from credit_scoring.decisions.log import DecisionLog
from credit_scoring.decisions.outage import Outage, reason
from credit_scoring.decisions.patience import patience
from credit_scoring.decisions.spool import Spool
from credit_scoring.errors import DecisionLogError

logger = logging.getLogger(__name__)

PATIENCE_S = 0.3


class SpooledLog:
    """A decision log that takes what it is given straight away, or by way of the spool.

    It takes over the spools of workers that have ended, at the start and later. Where its own cannot be written, what
    comes goes straight into the log, before what waits; where neither can be, it is refused and stored nowhere.
    `on_spooled` gets the number of decisions that wait in spools whenever it changes. One instance belongs to one event
    loop.
    """

    def __init__(
        self, log: DecisionLog, folder: Path, on_spooled: Callable[[int], None] = lambda waiting: None
    ) -> None:
        own = Spool.new(folder / log.writer.id)
        self._log = log
        self._log_is_free = asyncio.Lock()
        self._spooling = log.beside(own.database)
        self._backlog = Backlog(own, on_spooled)
        self._outage = Outage(logger)
        self._drain = Drain(self._backlog, log, self._log_is_free, self._outage)
        self._inheritance = Inheritance(folder, self._backlog, self._drain)

    @property
    def seconds(self) -> float:
        """How long the last transaction took, in the log or in the spool, measured where it was made."""
        return self._spooling.seconds if self._backlog.size else self._log.seconds

    def check(self) -> None:
        """Raises DecisionLogError where both are lost."""
        try:
            self._log.check()
        except DecisionLogError:
            self._backlog.own.database.check()

    def store_at_once(self, entries: Sequence[Entry]) -> list[Settled] | None:
        """Straight away if nothing waits and nothing is being stored."""
        return None if self._backlog.size or self._log_is_free.locked() else self._log.store_at_once(entries)

    async def store(self, entries: Sequence[Entry]) -> list[Settled]:
        """Straight away if nothing waits and the log takes it soon, else by way of the spool; raises DecisionLogError.

        No entries prove that one of the two can be written.
        """
        await self._inheritance.begin()
        await self._drain.wait_for_end(PATIENCE_S)
        try:
            return await (self._store_either_way(entries) if entries else self._probe())
        finally:
            self._drain.begin()

    async def close(self) -> None:
        """Leave what waits to the next worker."""
        await self._inheritance.stop()
        await self._drain.stop()
        await self._spooling.close()
        await self._backlog.close()
        await self._log.close()

    async def _store_either_way(self, entries: Sequence[Entry]) -> list[Settled]:
        one, other = (self._spool, self._store) if self._backlog.size else (self._store, self._spool)
        try:
            return await one(entries)
        except Exception as error:  # of any kind: there is another way
            self._outage.log(f"{reason(error)} Decisions {'go past' if self._backlog.size else 'wait in'} the spool.")
            return await other(entries)

    async def _probe(self) -> list[Settled]:
        """Try both, so that the spool is ready when it is needed."""
        try:
            await self._spool([])
        except Exception as error:  # of any kind: there is the log
            self._outage.log(f"{reason(error)} Until that is fixed nothing is decided while the decision log is away.")
            return await self._store([])
        return [] if self._backlog.size else await self._store_either_way([])

    async def _store(self, entries: Sequence[Entry]) -> list[Settled]:
        async with patience(PATIENCE_S), self._log_is_free:
            return await self._log.store(entries)

    async def _spool(self, entries: Sequence[Entry]) -> list[Settled]:
        async with self._backlog.own_is_free:
            if entries:
                self._backlog.own.check_order(entries[0].row.id)
            settled = self._spooling.store_at_once(entries) or await self._spooling.store(entries)
            self._backlog.grow(sum(answer is entry.decision for answer, entry in zip(settled, entries, strict=True)))
        return settled
