"""best_effort: spools of workers that have ended are taken over at the start, and while this one lives."""

import asyncio
import logging
from pathlib import Path

from credit_scoring.decisions.backlog import Backlog, Drain
from credit_scoring.decisions.outage import Outage, reason
from credit_scoring.decisions.spool import left_behind

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0


class Inheritance:
    """Looks into the folder of spools every LOOK_EVERY_S: a worker that is replaced ends after its successor began."""

    def __init__(self, folder: Path, backlog: Backlog, drain: Drain) -> None:
        self._folder = folder
        self._backlog = backlog
        self._drain = drain
        self._outage = Outage(logger)
        self._running: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Look for the first time, unless that was done."""
        if self._running is None:
            await self._look()
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Look no more."""
        if self._running:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self._look()
            self._drain.begin()

    async def _look(self) -> None:
        try:
            for spool in left_behind(self._folder):
                await self._backlog.inherit(spool)
        except Exception as error:  # of any kind: without this task what others leave would wait for a restart
            self._outage.log(f"{reason(error)} What waits in the spools of other workers is not stored.")
