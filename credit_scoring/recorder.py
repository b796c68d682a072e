"""The promise that answered means stored: scored batches wait here until the decision log has them."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import NamedTuple, Protocol

from pydantic_core import to_json

from credit_scoring.batching import Caller
from credit_scoring.chain import Row
from credit_scoring.decision_log import Entry, Settled
from credit_scoring.errors import NotReadyError, NotStoredError, OverloadedError, StorageError
from credit_scoring.schemas import Application, Decision

logger = logging.getLogger(__name__)

LARGEST_TRANSACTION = 1024
MOST_WAITING = 4096
PROBE_EVERY_S = 0.25
NOT_WRITABLE = "The decision log cannot be written, so nothing is decided. Try again in a moment."
NOT_STORED = "The decision could not be stored in time, so it is not given. Send the application again."
TOO_MANY = "More decisions wait to be stored than the decision log takes in time. Try again in a moment."


class Submission(NamedTuple):
    """An application that is to be decided: as it came, and the name of the key that asked, empty where none did."""

    application: Application
    received: bytes
    asked_by: str


class Log(Protocol):
    """Where decisions are stored."""

    def store_at_once(self, entries: Sequence[Entry]) -> list[Settled] | None:
        """Store them in one transaction; for each the answer to give. None where that might take long, or fails."""

    async def store(self, entries: Sequence[Entry]) -> list[Settled]:
        """The same, however long it takes; raises StorageError."""

    async def close(self) -> None:
        """Wait for what is being stored, then close."""


class _Batch:
    """Decisions that wait together, and who waits for them."""

    expiry: asyncio.TimerHandle | None = None

    def __init__(self, entries: list[Entry], callers: Sequence[Caller[Decision]]) -> None:
        self.entries = entries
        self.callers = callers
        self.began = time.perf_counter()

    def settle(self, answers: Sequence[Settled]) -> None:
        """Tell every caller the answer."""
        self._stop_timer()
        for caller, answer in zip(self.callers, answers, strict=True):
            if caller.done():
                continue
            if isinstance(answer, Decision):
                caller.set_result(answer)
            else:
                caller.set_exception(answer)

    def give_up(self) -> None:
        """Tell whoever still waits that there will be no answer."""
        self._stop_timer()
        for caller in self.callers:
            if not caller.done():
                caller.set_exception(NotStoredError(NOT_STORED))

    def _stop_timer(self) -> None:
        if self.expiry:
            self.expiry.cancel()


class Recorder:
    """Stores batches one after the other, what has come meanwhile together, and answers their callers afterwards.

    `timeout` is how long a caller may wait for it, seconds. Where the log cannot be written nobody is admitted until an
    empty batch, tried every PROBE_EVERY_S, could be stored; it begins like that. `features` names what the model sees,
    `tell` is told whenever the log begins or ceases to be writable, `observe` the seconds that each batch took to be
    stored. One instance belongs to one event loop.
    """

    def __init__(
        self,
        log: Log,
        features: Sequence[str],
        *,
        timeout: float,
        tell: Callable[[bool], None] = lambda writable: None,
        observe: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._log = log
        self._seen = itemgetter(*features)
        self._timeout = timeout
        self._tell = tell
        self._observe = observe
        self._waiting: deque[_Batch] = deque()
        self._count = 0
        self._storing: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self.writable = False

    async def open(self) -> None:
        """Begin; returns when the log was tried for the first time, or after `timeout`.

        A worker that took requests before would refuse what the other workers can answer.
        """
        self._loop = asyncio.get_running_loop()
        self._probing = self._loop.create_task(self._probe())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), self._timeout)

    async def close(self) -> None:
        """Store what waits, then end."""
        if self._probing:
            self._probing.cancel()
        if self._storing:
            await self._storing
        await self._log.close()

    def check_admission(self) -> None:
        """Raises UnavailableError when a decision could not be stored in time."""
        if not self.writable:
            raise NotReadyError(NOT_WRITABLE)
        if self._count >= MOST_WAITING:
            raise OverloadedError(TOO_MANY)

    def keep(
        self, submissions: Sequence[Submission], callers: Sequence[Caller[Decision]], decisions: Sequence[Decision]
    ) -> None:
        """Store these decisions, then answer."""
        entries = [self._entry(*pair) for pair in zip(submissions, decisions, strict=True)]
        batch = _Batch(entries, callers)
        if self._storing is None and (settled := self._log.store_at_once(entries)):
            self._settle(batch, settled)
            return
        batch.expiry = self._loop.call_later(self._timeout, self._expire, batch)
        self._waiting.append(batch)
        self._count += len(entries)
        if self._storing is None:
            self._storing = self._loop.create_task(self._store_waiting())

    def _entry(self, submission: Submission, decision: Decision) -> Entry:
        application = submission.application
        values = application.__dict__
        row = Row(
            decision.decision_id,
            application.application_id,
            submission.received.decode(),
            to_json(self._seen(values)).decode(),
            decision.risk_probability,
            decision.decision.value,
            submission.asked_by,
        )
        return Entry(row, application, decision)

    async def _store_waiting(self) -> None:
        while self._waiting:
            taken = self._take()
            entries = [entry for batch in taken for entry in batch.entries]
            try:
                settled = iter(await self._log.store(entries))
            except StorageError as error:
                self._fail(taken, error)
            else:
                self._note(True)
                for batch in taken:
                    self._settle(batch, [next(settled) for _ in batch.entries])
            self._count -= len(entries)
        self._storing = None

    def _settle(self, batch: _Batch, settled: Sequence[Settled]) -> None:
        self._observe(time.perf_counter() - batch.began)
        batch.settle(settled)

    def _take(self) -> list[_Batch]:
        """As many batches as fit one transaction, at least one."""
        taken: list[_Batch] = []
        size = 0
        while self._waiting and (not taken or size + len(self._waiting[0].entries) <= LARGEST_TRANSACTION):
            taken.append(self._waiting.popleft())
            size += len(taken[-1].entries)
        return taken

    def _fail(self, taken: Sequence[_Batch], error: StorageError) -> None:
        logger.error("%s Nothing is decided until it can be written again.", error)
        for batch in taken:
            batch.give_up()
        self._lose()

    def _expire(self, batch: _Batch) -> None:
        """Its callers have waited as long as they may: no answer for them, and nobody else is admitted."""
        if self.writable:
            logger.error("The decision log takes longer than %g s. Nothing is decided until it answers.", self._timeout)
        batch.give_up()
        self._lose()

    def _lose(self) -> None:
        self._note(False)
        if self._probing is None or self._probing.done():
            self._probing = self._loop.create_task(self._probe())

    async def _probe(self) -> None:
        told = ""
        while not self.writable:
            if self._storing is None:
                try:
                    await self._log.store([])
                except StorageError as error:
                    if str(error) != told:
                        told = str(error)
                        logger.error("%s Nothing is decided until it can be written.", error)
                else:
                    self._note(True)
                    return
                finally:
                    self._tried.set()
            await asyncio.sleep(PROBE_EVERY_S)

    def _note(self, writable: bool) -> None:
        if writable != self.writable:
            self.writable = writable
            self._tell(writable)
