"""best_effort: the decisions that wait in spools, and how they get into the log once it is back."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from credit_scoring.decisions.log import DecisionLog
from credit_scoring.decisions.outage import Outage, reason
from credit_scoring.decisions.spool import Spool
from credit_scoring.errors import DecisionLogError

logger = logging.getLogger(__name__)

RETRY_EVERY_S = 0.5
FEW = 8  # blocks copied in one go: so near to its end, draining is waited for, or it might never end


class Backlog:
    """The worker's own spool and those of workers that have ended; `size` counts the decisions that wait in them.

    `on_size` gets it whenever it changes. Who writes to the own spool holds `own_is_free`.
    """

    def __init__(self, own: Spool, on_size: Callable[[int], None]) -> None:
        self.own = own
        self.own_is_free = asyncio.Lock()
        self.inherited: list[Spool] = []
        self.size = 0
        self._on_size = on_size
        self._outage = Outage(logger)

    async def inherit(self, spool: Spool) -> None:
        """Take over a spool; one that cannot be read is left to whoever tries next."""
        try:
            count = spool.count()
        except DecisionLogError as error:
            self._outage.log(f"{error} What waits in it is not stored until it can be read.")
            await spool.close()
            return
        self.inherited.append(spool)
        self.grow(count)

    def grow(self, count: int) -> None:
        """So many more wait, or fewer where it is negative."""
        self.size += count
        if count:
            self._on_size(max(0, self.size))

    async def close(self) -> None:
        """Leave what waits to the next worker."""
        if self.size:
            folder = self.own.folder.parent
            logger.warning("%d answered decisions are left in %s for another worker to store.", self.size, folder)
        for spool in (*self.inherited, self.own):
            await spool.close()


class Drain:
    """Copies a backlog into the log, oldest first, with retries. Who writes to the log holds `log_is_free`."""

    def __init__(self, backlog: Backlog, log: DecisionLog, log_is_free: asyncio.Lock, outage: Outage) -> None:
        self._backlog = backlog
        self._log = log
        self._log_is_free = log_is_free
        self._outage = outage
        self._running: asyncio.Task[None] | None = None
        self._nearly_done: asyncio.Future[None] | None = None

    def begin(self) -> None:
        """Unless it has begun, or nothing waits."""
        if (self._backlog.size or self._backlog.inherited) and self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def wait_for_end(self, seconds: float) -> None:
        """Wait so long at most, and only where the end is near."""
        if self._nearly_done:
            await asyncio.wait([self._nearly_done], timeout=seconds)

    async def stop(self) -> None:
        """What it has not copied is left in the spools."""
        if self._running:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        is_done = False
        while not is_done:
            try:
                is_done = await self._run_once()
            except Exception as error:  # of any kind: without this task nothing would ever follow
                self._outage.log(f"{reason(error)} Decisions wait in the spool.")
                self._let_go()
                await asyncio.sleep(RETRY_EVERY_S)
        self._let_go()
        self._running = None
        self._outage.end()
        logger.info("The decision log has everything that waited in the spool.")

    async def _run_once(self) -> bool:
        backlog = self._backlog
        while backlog.inherited:
            self._let_go()  # the end is not near
            await self._copy(backlog.inherited[0])
            await backlog.inherited.pop(0).remove()
        await self._copy(backlog.own)
        async with backlog.own_is_free:
            if await backlog.own.next() or backlog.inherited:
                return False
            backlog.grow(-backlog.size)
            with suppress(DecisionLogError):  # a full disk takes no deletion either; then the file stays as it is
                await backlog.own.clear()
        return True

    async def _copy(self, spool: Spool) -> None:
        while found := await spool.next():
            for spooled in found:
                async with self._log_is_free:
                    await self._log.store_given(spooled.rows, spooled.decided_at)
                spool.note_copied(spooled)
                self._backlog.grow(-len(spooled.rows))
            if spool is self._backlog.own and len(found) <= FEW and self._nearly_done is None:
                self._nearly_done = asyncio.get_running_loop().create_future()

    def _let_go(self) -> None:
        """Whoever waits for the end waits no longer."""
        if self._nearly_done:
            self._nearly_done.set_result(None)
            self._nearly_done = None
