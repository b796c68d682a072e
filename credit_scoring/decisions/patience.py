"""Time limits that a late event loop does not use up: a turn of the loop counts for one step, however long it took.

A plain timer that is due fires before the loop has noticed what ended meanwhile, and so blames others for its delay.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

STEPS = 8  # more turns than the loop needs to notice the end of what a thread did, and to act on it


class Countdown:
    """Calls `on_end` after `seconds`, counted in STEPS; a turn of the loop takes one step at most."""

    def __init__(self, seconds: float, on_end: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._step_s = seconds / STEPS
        self._left = STEPS
        self._on_end = on_end
        self._timer = self._loop.call_later(self._step_s, self._step)

    @property
    def is_half_over(self) -> bool:
        """Whether half of the time has passed."""
        return self._left <= STEPS // 2

    def cancel(self) -> None:
        """Call nothing."""
        self._timer.cancel()

    def _step(self) -> None:
        self._left -= 1
        if self._left:
            self._timer = self._loop.call_later(self._step_s, self._step)
        else:
            self._on_end()


@asynccontextmanager
async def patience(seconds: float) -> AsyncIterator[None]:
    """Cancel what runs in it after `seconds`, with TimeoutError, as `asyncio.timeout` does, but by a Countdown."""
    async with asyncio.timeout(None) as limit:
        countdown = Countdown(seconds, lambda: limit.reschedule(0))
        try:
            yield
        finally:
            countdown.cancel()
