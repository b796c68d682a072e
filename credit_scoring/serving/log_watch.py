"""Whether the decision log can be written: found out beside the requests, so that none has to wait for it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from credit_scoring.decisions.entries import Log
from credit_scoring.decisions.outage import Outage, reason
from credit_scoring.serving.pending import attempt

PROBE_EVERY_S = 0.25


class LogWatch:
    """Tries a log that cannot be written every PROBE_EVERY_S until it can, and checks one that can as often.

    It begins with `writable` False; `on_writable` gets it whenever it changes. While something else `is_storing`,
    which will tell, nothing is tried. Who writes to the log holds `log_is_free`.
    """

    def __init__(
        self,
        log: Log,
        log_is_free: asyncio.Lock,
        outage: Outage,
        is_storing: Callable[[], bool],
        on_writable: Callable[[bool], None],
    ) -> None:
        self.writable = False
        self._log = log
        self._log_is_free = log_is_free
        self._outage = outage
        self._is_storing = is_storing
        self._on_writable = on_writable
        self._tried = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def open(self, timeout: float) -> None:
        """Begin; returns when the log was tried for the first time, or after so many seconds."""
        self._running = asyncio.get_running_loop().create_task(self._run())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), timeout)

    async def close(self) -> None:
        """End."""
        if self._running:
            self._running.cancel()
            await asyncio.wait([self._running])

    def note(self, writable: bool) -> None:
        """What was found out by storing something."""
        if writable:
            self._outage.end()
        if writable != self.writable:
            self.writable = writable
            attempt(self._on_writable, writable)

    def lose(self, error: Exception) -> None:
        """The log cannot be written, for this reason."""
        self._outage.log(f"{reason(error)} Nothing is decided until the decision log can be written.")
        self.note(False)

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except Exception as error:  # of any kind: without this task a worker would never be ready again
                self.lose(error)
            self._tried.set()
            await asyncio.sleep(PROBE_EVERY_S)

    async def _look(self) -> None:
        if self.writable:
            self._log.check()
        elif not self._is_storing():
            async with self._log_is_free:
                await self._log.store([])
            self.note(True)
