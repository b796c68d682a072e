"""The micro-batcher: concurrent requests scored together, without waiting for company that may not come."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from credit_scoring.errors import OverloadedError, ScoringError
from credit_scoring.exchange import place_of

Item = TypeVar("Item")
Result = TypeVar("Result")
Result_contra = TypeVar("Result_contra", contravariant=True)

logger = logging.getLogger(__name__)

PACE_WEIGHT = 0.1
PACE_JUMP = 4.0  # a batch that took longer than so many times the usual was held up by something else
REFUSAL = "The service has more requests than it can answer in time. Try again in a moment."


class Caller(Protocol[Result_contra]):
    """Who waits for a result: what a future has."""

    def done(self) -> bool:
        """Whether the caller no longer waits."""

    def set_result(self, result: Result_contra, /) -> None:
        """Take the result."""

    def set_exception(self, error: Exception, /) -> None:
        """Take the reason why there is none."""


class MicroBatcher(Generic[Item, Result]):
    """Collects items until the event loop has read all that has arrived, then scores them in one call.

    Scoring runs on the event loop itself: it holds the interpreter lock for most of its time, so a thread would
    only add hand-overs. Of a long queue one batch is scored, then the loop reads again, so that newcomers are seen,
    and refused if they must be, within the time of one batch. `budget` is in seconds; `observe` is told each batch's
    size and the seconds that its oldest item waited. One instance belongs to one event loop.
    """

    def __init__(
        self,
        score: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        max_batch_size: int,
        budget: float,
        observe: Callable[[int, float], None] = lambda size, oldest_wait: None,
    ) -> None:
        self._score = score
        self._max_batch_size = max_batch_size
        self._budget = budget
        self._observe = observe
        self._queue: deque[tuple[Item, Caller[Result], float]] = deque()
        self._pace = 0.0
        self._last_batch_end: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def submit(self, item: Item) -> Result:
        """The item's result; raises OverloadedError when it cannot come in time, ScoringError when scoring fails."""
        self.check_admission()
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.put(item, answer)
        return await answer

    def check_admission(self) -> None:
        """Raises OverloadedError when a newcomer would wait too long behind those who are already here.

        Ahead of it is the queue, besides the batch that it waited for unseen in its socket and its own batch; an item
        takes the time, reading and answering included, that late batches took which followed one another without a
        pause.
        """
        queued = len(self._queue)
        ahead = queued + 2 * min(queued, self._max_batch_size)
        if ahead * self._pace > self._budget:
            raise OverloadedError(REFUSAL)

    def put(self, item: Item, caller: Caller[Result]) -> None:
        """Queue an item; its caller is told the result, or ScoringError when scoring fails."""
        if not self._queue:
            self._running_loop().call_soon(self._score_next_batch)
        self._queue.append((item, caller, time.monotonic()))

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """The running loop, looked up once: up to Python 3.11 each look costs a system call."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def _score_next_batch(self) -> None:
        size = min(self._max_batch_size, len(self._queue))
        batch = [self._queue.popleft() for _ in range(size)]
        waiting = [(item, caller) for item, caller, _ in batch if not caller.done()]
        if waiting:
            self._observe(len(waiting), time.monotonic() - batch[0][2])
            self._settle(waiting)
        self._keep_pace(size)
        if self._queue:
            self._running_loop().call_soon(self._score_next_batch)

    def _keep_pace(self, size: int) -> None:
        """Learn the time per item from a batch that followed another without a pause."""
        now = time.monotonic()
        if self._last_batch_end is not None:
            pace = (now - self._last_batch_end) / size
            pace = min(pace, PACE_JUMP * self._pace) if self._pace else pace
            self._pace += PACE_WEIGHT * (pace - self._pace) if self._pace else pace
        self._last_batch_end = now if self._queue else None

    def _settle(self, batch: Sequence[tuple[Item, Caller[Result]]]) -> None:
        try:
            results = _scored(self._score, [item for item, _ in batch])
        except Exception as error:  # one application's failure must not reach its batch-mates
            self._settle_one_by_one(batch, error)
            return
        for (_, caller), result in zip(batch, results, strict=True):
            caller.set_result(result)

    def _settle_one_by_one(self, batch: Sequence[tuple[Item, Caller[Result]]], error: Exception) -> None:
        if len(batch) == 1:
            logger.error("Scoring failed: %s at %s", type(error).__name__, place_of(error))
            batch[0][1].set_exception(ScoringError("The application could not be scored."))
            return
        for waiting in batch:
            self._settle([waiting])


def _scored(score: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]) -> Sequence[Result]:
    results = score(items)
    if len(results) != len(items):
        raise ScoringError(f"{len(items)} items gave {len(results)} results.")
    return results
