"""best_effort: a decision log that answers by way of the spool while its database is away."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from credit_scoring.decisions.log import DecisionLog, Entry, Settled
from credit_scoring.decisions.patience import patience
from credit_scoring.decisions.spool import Spool, left_behind
from credit_scoring.errors import DecisionLogError, place_of

logger = logging.getLogger(__name__)

PATIENCE_S = 0.3
RETRY_EVERY_S = 0.5
FEW = 8  # batches copied in one go: so near to its end, draining is waited for, or it might never end


class SpooledLog:
    """A decision log that takes what it is given straight away, or by way of the spool.

    It begins with the spools of workers that have ended. Where the spool cannot be written, what comes goes straight
    into the log, before what waits; where neither can be, it is refused and stored nowhere. `on_spooled`
    gets the number of decisions that wait in spools whenever it changes. One instance belongs to one event loop.
    """

    def __init__(
        self, log: DecisionLog, folder: Path, on_spooled: Callable[[int], None] = lambda waiting: None
    ) -> None:
        self._log = log
        self._on_spooled = on_spooled
        self._own = Spool.new(folder / log.writer)
        self._spooling = log.beside(self._own.database)
        self._inherited: list[Spool] = []
        self._waiting = 0
        self._log_is_free = asyncio.Lock()
        self._spool_is_free = asyncio.Lock()
        self._draining: asyncio.Task[None] | None = None
        self._nearly_drained: asyncio.Future[None] | None = None
        self._logged = ""
        for spool in left_behind(folder):
            self._inherit(spool)

    def _inherit(self, spool: Spool) -> None:
        try:
            self._waiting += spool.count()
            self._inherited.append(spool)
        except DecisionLogError as error:
            logger.error("%s What waits in it is not stored.", error)

    @property
    def seconds(self) -> float:
        """How long the last transaction took, in the log or in the spool, measured where it was made."""
        return self._spooling.seconds if self._waiting else self._log.seconds

    def check(self) -> None:
        """Raises DecisionLogError where both are lost."""
        try:
            self._log.check()
        except DecisionLogError:
            self._own.database.check()

    def store_at_once(self, entries: Sequence[Entry]) -> list[Settled] | None:
        """Straight away if nothing waits and nothing is being stored."""
        return None if self._waiting or self._log_is_free.locked() else self._log.store_at_once(entries)

    async def store(self, entries: Sequence[Entry]) -> list[Settled]:
        """Straight away if nothing waits and the log takes it soon, else by way of the spool; raises DecisionLogError.

        No entries prove that one of the two can be written.
        """
        if self._nearly_drained:
            await asyncio.wait([self._nearly_drained], timeout=PATIENCE_S)
        try:
            return await (self._store_either_way(entries) if entries else self._probe())
        finally:
            if (self._waiting or self._inherited) and self._draining is None:
                self._draining = asyncio.get_running_loop().create_task(self._drain())

    async def close(self) -> None:
        """Leave what waits to the next worker."""
        if self._draining:
            self._draining.cancel()
            await asyncio.wait([self._draining])
        await self._spooling.close()
        for spool in (*self._inherited, self._own):
            await spool.close()
        await self._log.close()

    async def _store_either_way(self, entries: Sequence[Entry]) -> list[Settled]:
        one, other = (self._spool, self._store) if self._waiting else (self._store, self._spool)
        try:
            return await one(entries)
        except Exception as error:  # of any kind: there is another way
            self._log_once(f"{_in_short(error)} Decisions {'go past' if self._waiting else 'wait in'} the spool.")
            return await other(entries)

    async def _probe(self) -> list[Settled]:
        """Try both, so that the spool is ready when it is needed."""
        try:
            await self._spool([])
        except Exception as error:  # of any kind: there is the log
            self._log_once(f"{_in_short(error)} Until that is fixed nothing is decided while the decision log is away.")
            return await self._store([])
        return [] if self._waiting else await self._store_either_way([])

    async def _store(self, entries: Sequence[Entry]) -> list[Settled]:
        async with patience(PATIENCE_S), self._log_is_free:
            return await self._log.store(entries)

    async def _spool(self, entries: Sequence[Entry]) -> list[Settled]:
        async with self._spool_is_free:
            if entries:
                self._own.check_order(entries[0].row.id)
            settled = self._spooling.store_at_once(entries) or await self._spooling.store(entries)
            self._note(sum(answer is entry.decision for answer, entry in zip(settled, entries, strict=True)))
        return settled

    async def _drain(self) -> None:
        """Bring what waits into the log, oldest first, however often it takes."""
        is_drained = False
        while not is_drained:
            try:
                is_drained = await self._drain_once()
            except Exception as error:  # of any kind: without this task nothing would ever follow
                self._log_once(f"{_in_short(error)} Decisions wait in the spool.")
                self._let_go()
                await asyncio.sleep(RETRY_EVERY_S)
        self._let_go()
        self._draining = None
        self._logged = ""
        logger.info("The decision log has everything that waited in the spool.")

    async def _drain_once(self) -> bool:
        while self._inherited:
            await self._copy(self._inherited[0])
            await self._inherited.pop(0).remove()
        await self._copy(self._own)
        async with self._spool_is_free:
            if await self._own.next():
                return False
            self._note(-self._waiting)
            with suppress(DecisionLogError):  # a full disk takes no deletion either; then the file stays as it is
                await self._own.clear()
        return True

    async def _copy(self, spool: Spool) -> None:
        while found := await spool.next():
            for spooled in found:
                async with self._log_is_free:
                    await self._log.store_given(spooled.rows, spooled.decided_at)
                spool.note_copied(spooled)
                self._note(-len(spooled.rows))
            if spool is self._own and len(found) <= FEW and self._nearly_drained is None:
                self._nearly_drained = asyncio.get_running_loop().create_future()

    def _let_go(self) -> None:
        """Whoever waits for the end of draining waits no longer."""
        if self._nearly_drained:
            self._nearly_drained.set_result(None)
            self._nearly_drained = None

    def _note(self, change: int) -> None:
        self._waiting += change
        if change:
            self._on_spooled(max(0, self._waiting))

    def _log_once(self, message: str) -> None:
        if message != self._logged:
            self._logged = message
            logger.error("%s", message)


def _in_short(error: Exception) -> str:
    """An error without any value of an applicant."""
    if isinstance(error, DecisionLogError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "The decision log is slow."
    return f"Storing failed: {type(error).__name__} at {place_of(error)}."
