"""A thread beside the event loop for work that decisions do not wait for: reasons have one, simulations another."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from credit_scoring.errors import OverloadedError

MOST_WAITING = 64

Result = TypeVar("Result")


class ExplanationThread:
    """Runs one piece of work at a time, first come, first served; `what` names it in a refusal."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._thread = ThreadPoolExecutor(1, what)
        self.waiting = 0  # with what is being done

    @property
    def is_full(self) -> bool:
        """Whether another piece of work would be refused."""
        return self.waiting >= MOST_WAITING

    async def run(self, work: Callable[[], Result], *, admitted: bool = False) -> Result:
        """What `work` returns or raises; raises OverloadedError where too many wait and it was not `admitted`."""
        if self.is_full and not admitted:
            raise OverloadedError(f"Too many {self._what} are asked for. Try again in a moment.")
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self.waiting -= 1
