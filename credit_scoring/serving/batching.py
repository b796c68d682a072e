"""The micro-batcher: concurrent requests scored together, without waiting for company that may not come."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from credit_scoring.errors import OverloadedError, ScoringError, place_of

Item = TypeVar("Item")
Result = TypeVar("Result")
Result_contra = TypeVar("Result_contra", contravariant=True)

logger = logging.getLogger(__name__)

TURN_SHARE = 0.5  # of the budget: admitting ends; what arrives in a turn may have to wait for all that follows in it
READING_SHARE = 0.15  # of the budget: the same for what can be put off to the next turn
UNDELIVERED = "The application was scored, but its decision could not be delivered."
REFUSAL = "The service has more requests than it can answer in time. Try again in a moment."


class Caller(Protocol[Result_contra]):
    """Who waits for a result: what a future has."""

    def done(self) -> bool:
        """Whether the caller no longer waits."""

    def set_result(self, result: Result_contra, /) -> None:
        """Take the result."""

    def set_exception(self, error: Exception, /) -> None:
        """Take the reason why there is none."""


Deliver = Callable[[Sequence[Item], Sequence[Caller[Result]], Sequence[Result]], None]


class MicroBatcher(Generic[Item, Result]):
    """Collects items until the event loop has read all that has arrived or a batch is full, then scores them at once.

    Scoring runs on the event loop itself: it holds the interpreter lock for most of its time, so a thread would
    only add hand-overs. A turn of the loop reads whatever waits in the sockets, so its length is how long a newcomer
    waits: once it has taken its share of the `budget` (seconds), nothing more is admitted to it. Only processor time
    counts: a worker that was stopped or had to share its core is late, not overloaded. `deliver` is given
    each batch, its callers and results, and tells the callers, now or later. `on_batch` gets each batch's size and
    the seconds that its oldest item waited. One instance belongs to one event loop.
    """

    def __init__(
        self,
        score: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        max_batch_size: int,
        budget: float,
        deliver: Deliver[Item, Result] | None = None,
        on_batch: Callable[[int, float], None] = lambda size, oldest_wait: None,
        clock: Callable[[], float] = time.monotonic,
        processor_time: Callable[[], float] = time.thread_time,
    ) -> None:
        self._score = score
        self._max_batch_size = max_batch_size
        self._budget = budget
        self._deliver = deliver or _deliver_at_once
        self._on_batch = on_batch
        self._clock = clock
        self._processor_time = processor_time
        self._queue: list[tuple[Item, Caller[Result]]] = []
        self._oldest = 0.0
        self._turn_began: float | None = None
        self._work_began = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None

    def check_admission(self, share: float = TURN_SHARE) -> None:
        """Raises OverloadedError when this turn of the event loop has worked for longer than a share of the budget."""
        now = self._clock()
        if now - self._beginning_of_turn(now) <= share * self._budget:
            return  # without asking for processor time, which is a system call
        if self._processor_time() - self._work_began > share * self._budget:
            raise OverloadedError(REFUSAL)

    def put(self, item: Item, caller: Caller[Result]) -> None:
        """Queue an item; its caller is told the result, or ScoringError when scoring fails."""
        if not self._queue:
            self._oldest = self._clock()
            self._beginning_of_turn(self._oldest)
        self._queue.append((item, caller))
        if len(self._queue) >= self._max_batch_size:
            self._score_queue()

    def _beginning_of_turn(self, now: float) -> float:
        """When this turn of the loop began; the first call in a turn sees to its end."""
        if self._turn_began is None:
            self._turn_began, self._work_began = now, self._processor_time()
            self._running_loop().call_soon(self._end_turn)
        return self._turn_began

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """The running loop, looked up once: up to Python 3.11 each look costs a system call."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def _end_turn(self) -> None:
        self._turn_began = None
        self._score_queue()

    def _score_queue(self) -> None:
        waiting = [pair for pair in self._queue if not pair[1].done()]
        self._queue = []
        if waiting:
            oldest_wait = self._clock() - self._oldest
            self._settle(waiting)
            self._report_batch(len(waiting), oldest_wait)

    def _report_batch(self, size: int, oldest_wait: float) -> None:
        try:
            self._on_batch(size, oldest_wait)
        except Exception as error:
            _log_failure("Reporting a batch", error)

    def _settle(self, batch: Sequence[tuple[Item, Caller[Result]]]) -> None:
        items, callers = [item for item, _ in batch], [caller for _, caller in batch]
        try:
            results = _scored(self._score, items)
        except Exception as error:  # one application's failure must not reach its batch-mates
            self._settle_one_by_one(batch, error)
            return
        try:
            self._deliver(items, callers, results)
        except Exception as error:
            _log_failure("Delivering a batch", error)
            for caller in callers:
                _fail(caller, ScoringError(UNDELIVERED))

    def _settle_one_by_one(self, batch: Sequence[tuple[Item, Caller[Result]]], error: Exception) -> None:
        if len(batch) == 1:
            _log_failure("Scoring", error)
            _fail(batch[0][1], ScoringError("The application could not be scored."))
            return
        for waiting in batch:
            self._settle([waiting])


def _deliver_at_once(items: Sequence[Item], callers: Sequence[Caller[Result]], results: Sequence[Result]) -> None:
    for caller, result in zip(callers, results, strict=True):
        try:
            caller.set_result(result)
        except Exception as error:
            _log_failure("Answering a caller", error)
            _fail(caller, ScoringError(UNDELIVERED))


def _fail(caller: Caller[Result], error: ScoringError) -> None:
    """Answer with this error unless there is an answer already."""
    try:
        if not caller.done():
            caller.set_exception(error)
    except Exception as failure:
        _log_failure("Answering a caller", failure)


def _log_failure(what: str, error: Exception) -> None:
    """A callback's failure ends here: the other callers of the batch still wait for their answers."""
    logger.error("%s failed: %s at %s", what, type(error).__name__, place_of(error))


def _scored(score: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]) -> Sequence[Result]:
    results = score(items)
    if len(results) != len(items):
        raise ScoringError(f"{len(items)} items gave {len(results)} results.")
    return results
