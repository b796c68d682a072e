"""The promise that answered means stored: scored micro-batches wait here until the decision log has them."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pydantic_core import to_json

from credit_scoring.application.records import getter
from credit_scoring.application.schemas import Application, Decision
from credit_scoring.decisions.chain import Row
from credit_scoring.decisions.entries import Entry, Log
from credit_scoring.decisions.outage import Outage
from credit_scoring.decisions.patience import Countdown
from credit_scoring.errors import DecisionLogError, NotReadyError, OverloadedError
from credit_scoring.serving.batching import Caller
from credit_scoring.serving.log_watch import LogWatch
from credit_scoring.serving.pending import MicroBatch, Transaction, attempt, settle

logger = logging.getLogger(__name__)

LARGEST_TRANSACTION = 1024
MOST_WAITING = 4096
NOT_WRITABLE = "The decision log cannot be written, so nothing is decided. Try again in a moment."
TOO_MANY = "More decisions wait to be stored than the decision log takes in time. Try again in a moment."


class Submission(NamedTuple):
    """An application that is to be decided: as it came, and the name of the key that asked, empty where none did."""

    application: Application
    received: bytes
    asked_by: str


class Recorder:
    """Stores micro-batches in turn, those that came meanwhile as one block, and answers their callers afterwards.

    `timeout` is how long a caller may wait for it, seconds, measured by a Countdown, so that a late event loop is not
    taken for a slow log. A micro-batch whose transaction has not begun by then is never stored. A transaction whose
    callers are all refused is cancelled. What was refused may be stored all the same where the commit was under way
    already, or where others of the same block had time left; its application id, sent again, gets that decision.

    While the log cannot be written nobody is admitted; an empty block is tried every PROBE_EVERY_S until it is stored.
    It begins like that. A log that can be written is checked as often. `features` names what the model sees.
    `on_writable` is called when the log becomes writable or unwritable, `on_stored` with the seconds that each
    transaction took where it was made. One instance belongs to one event loop.
    """

    def __init__(
        self,
        log: Log,
        features: Sequence[str],
        *,
        timeout: float,
        on_writable: Callable[[bool], None] = lambda writable: None,
        on_stored: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._log = log
        self._seen = getter(tuple(features))
        self._timeout = timeout
        self._on_stored = on_stored
        self._waiting: deque[MicroBatch] = deque()
        self._count = 0
        self._log_is_free = asyncio.Lock()
        self._storing: asyncio.Task[None] | None = None
        self._current: Transaction | None = None
        self._outage = Outage(logger)
        self._watch = LogWatch(log, self._log_is_free, self._outage, lambda: self._storing is not None, on_writable)

    @property
    def writable(self) -> bool:
        """Whether a decision could be stored now."""
        return self._watch.writable

    async def open(self) -> None:
        """Begin; returns when the log was tried for the first time, or after `timeout`.

        A worker that took requests before would refuse what the other workers can answer.
        """
        self._loop = asyncio.get_running_loop()
        await self._watch.open(self._timeout)

    async def close(self) -> None:
        """Store what waits, then end."""
        if self._storing:
            await self._storing
        await self._watch.close()
        await self._log.close()

    def check_admission(self) -> None:
        """Raises UnavailableError when a decision could not be stored in time."""
        if not self._watch.writable:
            raise NotReadyError(NOT_WRITABLE)
        if self._count >= MOST_WAITING:
            raise OverloadedError(TOO_MANY)

    def keep(
        self, submissions: Sequence[Submission], callers: Sequence[Caller[Decision]], decisions: Sequence[Decision]
    ) -> None:
        """Store these decisions, then answer."""
        entries = [_entry(self._seen, *pair) for pair in zip(submissions, decisions, strict=True)]
        batch = MicroBatch(entries, callers)
        if self._storing is None:
            if self._stored_at_once([batch]):
                return
            batch.was_tried = True
        batch.expiry = Countdown(self._timeout, lambda: self._expire(batch))
        self._waiting.append(batch)
        self._count += len(entries)
        if self._storing is None:
            self._storing = self._loop.create_task(self._store_waiting())

    async def _store_waiting(self) -> None:
        while self._waiting:
            self._current = transaction = Transaction(self._take(), self._timeout)
            try:
                if self._stored_at_once(transaction.batches):
                    await asyncio.sleep(0)  # let requests in between
                else:
                    await self._store(transaction)
            except Exception as error:  # of any kind: it must not end the task that everybody waits for
                transaction.give_up()
                self._watch.lose(error)
            self._current = None
            transaction.end()
            self._count -= len(transaction.entries)
        self._storing = None

    def _stored_at_once(self, batches: Sequence[MicroBatch]) -> bool:
        if any(each.was_tried for each in batches):
            return False
        settled = attempt(self._log.store_at_once, [entry for each in batches for entry in each.entries])
        if not settled:
            return False
        settle(batches, settled)
        attempt(self._on_stored, self._log.seconds)
        return True

    async def _store(self, transaction: Transaction) -> None:
        try:
            async with transaction.limit, self._log_is_free:
                settled = await self._log.store(transaction.entries)
        except TimeoutError as error:
            if transaction.limit.expired() and not transaction.is_slow:
                return
            raise DecisionLogError(f"The decision log takes longer than {self._timeout:g} s.", error) from error
        if len(settled) != len(transaction.entries):
            raise DecisionLogError(
                f"The decision log gave {len(settled)} answers, expected {len(transaction.entries)}."
            )
        transaction.settle(settled)
        self._watch.note(True)
        attempt(self._on_stored, self._log.seconds)

    def _take(self) -> list[MicroBatch]:
        """As many micro-batches as fit one transaction, at least one."""
        taken: list[MicroBatch] = []
        size = 0
        while self._waiting and (not taken or size + len(self._waiting[0].entries) <= LARGEST_TRANSACTION):
            taken.append(self._waiting.popleft())
            size += len(taken[-1].entries)
        return taken

    def _expire(self, batch: MicroBatch) -> None:
        """Its callers have waited as long as they may: refuse them, and do not store it if that can be helped."""
        batch.give_up()
        if batch in self._waiting:
            self._outage.log(f"Decisions waited {self._timeout:g} s for those before them to be stored: not given.")
            self._waiting.remove(batch)
            self._count -= len(batch.entries)
        elif self._current:
            self._current.cancel_unless_wanted()


def _entry(seen: Callable[[dict[str, Any]], Any], submission: Submission, decision: Decision) -> Entry:
    application = submission.application
    row = Row(
        decision.decision_id,
        application.application_id,
        submission.received.decode(),
        to_json(seen(application.__dict__)).decode(),
        decision.risk_probability,
        decision.decision.value,
        submission.asked_by,
        to_json(decision.rules).decode() if decision.rules else None,
        to_json(decision.outside_training).decode() if decision.outside_training else None,
        application.replaces,
    )
    return Entry(row, application, decision)
