"""What waits to be stored: decided micro-batches with their callers, and the transaction that stores some."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from credit_scoring.application.schemas import Decision
from credit_scoring.decisions.entries import Entry, Settled
from credit_scoring.decisions.patience import Countdown
from credit_scoring.errors import NotStoredError, place_of
from credit_scoring.serving.batching import Caller

Argument = TypeVar("Argument")
Result = TypeVar("Result")

logger = logging.getLogger(__name__)

NOT_STORED = "The decision could not be stored in time, so it is not given. Send the application again."


class MicroBatch:
    """Decisions that wait together, and their callers."""

    expiry: Countdown | None = None
    was_tried = False  # to be stored at once, in vain

    def __init__(self, entries: list[Entry], callers: Sequence[Caller[Decision]]) -> None:
        self.entries = entries
        self.callers = callers
        self.is_given_up = False

    def settle(self, answers: Sequence[Settled]) -> None:
        """Give each caller its answer."""
        self._stop_expiry()
        for caller, answer in zip(self.callers, answers, strict=True):
            if caller.done():
                continue
            if isinstance(answer, Decision):
                attempt(caller.set_result, answer)
            else:
                attempt(caller.set_exception, answer)

    def give_up(self) -> None:
        """Tell each caller that still waits that there will be no answer."""
        self._stop_expiry()
        self.is_given_up = True
        for caller in self.callers:
            if not caller.done():
                attempt(caller.set_exception, NotStoredError(NOT_STORED))

    def _stop_expiry(self) -> None:
        if self.expiry:
            self.expiry.cancel()
            self.expiry = None  # it refers to this batch: collecting such circles takes a tenth of a second


class Transaction:
    """Micro-batches that are being stored together; cancelled when all of them are given up."""

    def __init__(self, batches: Sequence[MicroBatch], timeout: float) -> None:
        self.batches = batches
        self.entries = [entry for batch in batches for entry in batch.entries]
        self.limit = asyncio.timeout(None)
        self._running = Countdown(timeout, lambda: None)

    def cancel_unless_wanted(self) -> None:
        """Cancel it, with TimeoutError, if nobody waits for it any more."""
        if all(batch.is_given_up for batch in self.batches):
            self.limit.reschedule(0)

    @property
    def is_slow(self) -> bool:
        """Whether the log is to blame: for half of the time or more that its callers waited, it was running."""
        return self._running.is_half_over

    def settle(self, settled: Sequence[Settled]) -> None:
        """Give all callers their answers."""
        settle(self.batches, settled)

    def give_up(self) -> None:
        """Tell all callers that still wait that there will be no answer."""
        for batch in self.batches:
            batch.give_up()

    def end(self) -> None:
        """Measure no longer."""
        self._running.cancel()


def settle(batches: Sequence[MicroBatch], settled: Sequence[Settled]) -> None:
    """Give all callers of these batches their answers."""
    answers = iter(settled)
    for batch in batches:
        batch.settle([next(answers) for _ in batch.entries])


def attempt(function: Callable[[Argument], Result], argument: Argument) -> Result | None:
    """What it returns; None where it raises, for one caller's failure must not reach the others."""
    try:
        return function(argument)
    except Exception as error:
        logger.error("A callback of the recorder failed: %s.", in_short(error))
        return None


def in_short(error: Exception) -> str:
    """An error without its message, which may hold an applicant's value."""
    return f"{type(error).__name__} at {place_of(error)}"
