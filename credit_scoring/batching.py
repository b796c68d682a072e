"""The micro-batcher: concurrent requests scored together, without waiting for company that may not come."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from credit_scoring.errors import OverloadedError, ScoringError
from credit_scoring.exchange import place_of

Item = TypeVar("Item")
Result = TypeVar("Result")

logger = logging.getLogger(__name__)

DURATION_WEIGHT = 0.2
CROWD = 64  # a shorter queue with an old head means that the process was held up, not that there is too much to do


@dataclass
class _Waiting(Generic[Item, Result]):
    item: Item
    answer: "asyncio.Future[Result]"
    since: float


class MicroBatcher(Generic[Item, Result]):
    """Collects items until the event loop has read all that has arrived, then scores them in one call.

    Scoring runs on the event loop itself: it holds the interpreter lock for most of its time, so a thread would
    only add hand-overs. Requests that arrive meanwhile wait in their sockets and form the next batch.
    `budget` is in seconds; `observe` is told each batch's size and the seconds that its oldest item waited.
    One instance belongs to one event loop.
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
        self._crowd = min(CROWD, max_batch_size)
        self._budget = budget
        self._observe = observe
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._batch_duration = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None

    async def submit(self, item: Item) -> Result:
        """The item's result; raises OverloadedError when it cannot come in time, ScoringError when scoring fails."""
        now = time.monotonic()
        loop = self._loop or self._remember_loop()
        if not self._queue:
            loop.call_soon(self._score_next_batch)
        elif len(self._queue) >= self._crowd and self._expected_latency(now) > self._budget:
            raise OverloadedError("The service has more requests than it can answer in time. Try again in a moment.")
        answer: asyncio.Future[Result] = loop.create_future()
        self._queue.append(_Waiting(item, answer, now))
        return await answer

    def _remember_loop(self) -> asyncio.AbstractEventLoop:
        """The running loop, looked up once: up to Python 3.11 each look costs a system call."""
        self._loop = asyncio.get_running_loop()
        return self._loop

    def _expected_latency(self, now: float) -> float:
        """Seconds from a newcomer's arrival to its answer.

        What the event loop needs for one turn is what the oldest item has waited so far. The newcomer spent the turn
        before this one unseen in its socket, and has this one and the scoring of the batch ahead.
        """
        return 2 * (now - self._queue[0].since) + self._batch_duration

    def _score_next_batch(self) -> None:
        size = min(self._max_batch_size, len(self._queue))
        batch = [self._queue.popleft() for _ in range(size)]
        if self._queue and self._loop:
            self._loop.call_soon(self._score_next_batch)
        batch = [waiting for waiting in batch if not waiting.answer.done()]
        if batch:
            self._settle(batch)

    def _settle(self, batch: list[_Waiting[Item, Result]]) -> None:
        started = time.monotonic()
        try:
            results = _scored(self._score, [waiting.item for waiting in batch])
        except Exception as error:  # one application's failure must not reach its batch-mates
            self._settle_one_by_one(batch, error)
            return
        for waiting, result in zip(batch, results, strict=True):
            waiting.answer.set_result(result)
        self._batch_duration += DURATION_WEIGHT * (time.monotonic() - started - self._batch_duration)
        self._observe(len(batch), started - batch[0].since)

    def _settle_one_by_one(self, batch: list[_Waiting[Item, Result]], error: Exception) -> None:
        if len(batch) == 1:
            logger.error("Scoring failed: %s at %s", type(error).__name__, place_of(error))
            batch[0].answer.set_exception(ScoringError("The application could not be scored."))
            return
        for waiting in batch:
            self._settle([waiting])


def _scored(score: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]) -> Sequence[Result]:
    results = score(items)
    if len(results) != len(items):
        raise ScoringError(f"{len(items)} items gave {len(results)} results.")
    return results
