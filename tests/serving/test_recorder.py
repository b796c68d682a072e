"""The promise that answered means stored: a recorder with a real log, and with logs that fail or wait when told to."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic_core import from_json

from benchmarks.support.decision_records import ORIGIN, TIMEOUT_S, entry
from credit_scoring.application.schemas import Decision
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.entries import Entry, Log, Settled
from credit_scoring.decisions.log import DecisionLog
from credit_scoring.errors import DecisionLogError, NotReadyError, NotStoredError, OverloadedError, RepeatError
from credit_scoring.serving.log_watch import PROBE_EVERY_S
from credit_scoring.serving.recorder import LARGEST_TRANSACTION, MOST_WAITING, Recorder, Submission

AMPLE_S = 60.0
SHORT_S = 0.05
SOON_S = 20.0

Caller = asyncio.Future[Decision]


@dataclass
class Notes:
    """What a recorder has told."""

    writable: list[bool] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@dataclass
class HeldLog(Log):
    """A log that ends a transaction when the test does; empty blocks succeed at once unless it is `broken`."""

    broken: Exception | None = None
    is_quick: bool = False
    probes: int = 0
    is_closed: bool = False
    sizes: list[int] = field(default_factory=list)
    stored: list[Entry] = field(default_factory=list)
    seconds: float = 0.0
    lost: Exception | None = None
    _held: asyncio.Queue[tuple[Sequence[Entry], asyncio.Future[None]]] = field(default_factory=asyncio.Queue)

    def store_at_once(self, entries: Sequence[Entry]) -> list[Settled] | None:
        if not self.is_quick:
            return None
        self.stored.extend(entries)
        return [each.decision for each in entries]

    async def store(self, entries: Sequence[Entry]) -> list[Settled]:
        if entries:
            self.sizes.append(len(entries))
            end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            await self._held.put((entries, end))
            await end
            self.stored.extend(entries)
        else:
            self.probes += 1
            if self.broken:
                raise self.broken
        return [each.decision for each in entries]

    def check(self) -> None:
        if self.lost:
            raise self.lost

    async def close(self) -> None:
        self.is_closed = True

    async def commit(self) -> None:
        """Let the transaction succeed that is under way, or the next one."""
        _, end = await asyncio.wait_for(self._held.get(), SOON_S)
        end.set_result(None)

    async def fail(self, error: Exception | None = None) -> None:
        """Let it fail."""
        _, end = await asyncio.wait_for(self._held.get(), SOON_S)
        end.set_exception(error or DecisionLogError("The log is broken."))


@asynccontextmanager
async def recording(log: Log, timeout: float = AMPLE_S) -> AsyncIterator[tuple[Recorder, Notes]]:
    """A recorder that is writable, closed on every path."""
    notes = Notes()
    features = ORIGIN.features
    recorder = Recorder(
        log, features, timeout=timeout, on_writable=notes.writable.append, on_stored=notes.seconds.append
    )
    await recorder.open()
    try:
        await until(lambda: recorder.writable)
        yield recorder, notes
    finally:
        await recorder.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():
            await asyncio.sleep(0)


def submission(of: Entry | None = None) -> Submission:
    given = of or entry()
    return Submission(given.application, given.row.received.encode(), given.row.asked_by)


def keep(recorder: Recorder, entries: Sequence[Entry]) -> list[Caller]:
    """Give the recorder a micro-batch; who waits for it."""
    callers: list[Caller] = [asyncio.get_running_loop().create_future() for _ in entries]
    recorder.keep([submission(each) for each in entries], callers, [each.decision for each in entries])
    return callers.copy()


async def end_of(caller: Caller) -> Decision | BaseException:
    (found,) = await asyncio.wait_for(asyncio.gather(caller, return_exceptions=True), SOON_S)
    return found


def some(count: int) -> list[Entry]:
    return [entry() for _ in range(count)]


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


# Answered means stored


def test_nobody_is_answered_before_the_decision_is_stored() -> None:
    async def scenario() -> None:
        log = HeldLog()
        async with recording(log) as (recorder, _):
            entries = some(2)
            callers = keep(recorder, entries)
            await turns(20)
            assert not any(caller.done() for caller in callers)
            await log.commit()
            assert [await end_of(caller) for caller in callers] == [each.decision for each in entries]
            assert log.stored == entries

    asyncio.run(scenario())


def test_callers_are_told_in_the_order_in_which_they_came() -> None:
    async def scenario() -> None:
        log = HeldLog()
        async with recording(log) as (recorder, _):
            told: list[str] = []
            batches = [some(2) for _ in range(5)]
            for batch in batches:
                for caller in keep(recorder, batch):
                    caller.add_done_callback(lambda done: told.append(done.result().decision_id))
                await until(lambda: log.sizes == [2])
            await log.commit()
            await log.commit()
            await until(lambda: len(told) == 10)
            assert told == [each.row.id for batch in batches for each in batch]

    asyncio.run(scenario())


def test_what_has_come_while_a_micro_batch_was_stored_is_stored_in_one_transaction() -> None:
    async def scenario() -> None:
        log = HeldLog()
        async with recording(log) as (recorder, _):
            callers = keep(recorder, some(1))
            await until(lambda: log.sizes == [1])
            for size in (2, 3, 4):
                callers += keep(recorder, some(size))
            await log.commit()
            await log.commit()
            await asyncio.gather(*callers)
            assert log.sizes == [1, 9]

    asyncio.run(scenario())


def test_a_transaction_takes_no_more_micro_batches_than_fit() -> None:
    async def scenario() -> None:
        log = HeldLog()
        half = LARGEST_TRANSACTION // 2
        async with recording(log) as (recorder, _):
            callers = keep(recorder, some(1))
            await until(lambda: log.sizes == [1])
            for size in (half, half, 1, LARGEST_TRANSACTION + 1, 1):
                callers += keep(recorder, some(size))
            for _ in range(5):
                await log.commit()
            await asyncio.gather(*callers)
            assert log.sizes == [1, 2 * half, 1, LARGEST_TRANSACTION + 1, 1]

    asyncio.run(scenario())


def test_what_the_log_takes_at_once_is_answered_at_once() -> None:
    async def scenario() -> None:
        log = HeldLog(is_quick=True)
        async with recording(log) as (recorder, notes):
            entries = some(3)
            callers = keep(recorder, entries)
            assert [caller.result() for caller in callers] == [each.decision for each in entries]
            assert log.stored == entries
            assert len(notes.seconds) == 1

    asyncio.run(scenario())


def test_while_a_micro_batch_is_being_stored_another_waits_and_is_then_stored_at_once_where_that_is_quick() -> None:
    async def scenario() -> None:
        log = HeldLog()
        async with recording(log) as (recorder, _):
            earlier, later = some(1), some(1)
            callers = keep(recorder, earlier)
            await until(lambda: log.sizes == [1])
            log.is_quick = True
            callers += keep(recorder, later)
            assert log.stored == []
            await log.commit()
            await asyncio.gather(*callers)
            assert log.stored == [*earlier, *later]
            assert log.sizes == [1]

    asyncio.run(scenario())


def test_what_could_not_be_stored_at_once_is_not_tried_so_again() -> None:
    class Trying(HeldLog):
        tried = 0

        def store_at_once(self, entries: Sequence[Entry]) -> list[Settled] | None:
            self.tried += 1
            return None

    async def scenario() -> None:
        log = Trying()
        async with recording(log) as (recorder, _):
            callers = keep(recorder, some(1))
            await log.commit()
            await asyncio.gather(*callers)
            assert log.tried == 1

    asyncio.run(scenario())


def test_a_caller_that_is_gone_keeps_nobody_from_being_answered() -> None:
    async def scenario() -> None:
        log = HeldLog()
        async with recording(log) as (recorder, _):
            entries = some(3)
            one, gone, other = keep(recorder, entries)
            gone.cancel()
            await log.commit()
            assert [await end_of(one), await end_of(other)] == [entries[0].decision, entries[2].decision]
            assert log.stored == entries

    asyncio.run(scenario())


def test_one_callers_repeat_is_refused_and_the_others_are_answered() -> None:
    class Refusing(HeldLog):
        async def store(self, entries: Sequence[Entry]) -> list[Settled]:
            return [RepeatError("Decided before.") if each.row.application_id else each.decision for each in entries]

    async def scenario() -> None:
        async with recording(Refusing()) as (recorder, _):
            new, repeated = entry(), entry(application_id="a")
            answered, refused = keep(recorder, [new, repeated])
            assert await end_of(answered) == new.decision
            assert isinstance(await end_of(refused), RepeatError)
            assert recorder.writable

    asyncio.run(scenario())


def test_the_seconds_that_each_transaction_took_where_it_was_made_are_told() -> None:
    async def scenario() -> None:
        log = HeldLog(seconds=0.25)
        async with recording(log) as (recorder, notes):
            callers = keep(recorder, some(2))
            await until(lambda: log.sizes == [2])
            callers += keep(recorder, some(1)) + keep(recorder, some(1))
            await log.commit()
            await until(lambda: log.sizes == [2, 2])
            log.seconds = 0.5
            await log.commit()
            await asyncio.gather(*callers)
            assert notes.seconds == [0.25, 0.5]

    asyncio.run(scenario())


# Opened


def test_a_recorder_that_is_open_has_tried_the_log_and_admits_whoever_comes(tmp_path: Path) -> None:
    async def scenario() -> None:
        recorder = Recorder(real_log(tmp_path / "decisions.db"), ORIGIN.features, timeout=AMPLE_S)
        await recorder.open()
        try:
            recorder.check_admission()
        finally:
            await recorder.close()

    asyncio.run(scenario())


class SlowToBegin(HeldLog):
    """Its first transaction takes as long as the test likes."""

    begun = False

    async def store(self, entries: Sequence[Entry]) -> list[Settled]:
        await until(lambda: self.begun)
        return await super().store(entries)


def test_a_log_that_does_not_answer_keeps_a_recorder_from_opening_no_longer_than_its_timeout() -> None:
    async def scenario() -> None:
        log = SlowToBegin()
        recorder = Recorder(log, ORIGIN.features, timeout=SHORT_S)
        await asyncio.wait_for(recorder.open(), SOON_S)
        try:
            with pytest.raises(NotReadyError):
                recorder.check_admission()
            log.begun = True
            await until(lambda: recorder.writable)
        finally:
            await recorder.close()

    asyncio.run(scenario())


# Not stored


def test_a_recorder_admits_nobody_before_it_has_seen_that_the_log_can_be_written() -> None:
    async def scenario() -> None:
        log = HeldLog(broken=DecisionLogError("The log is broken."))
        recorder = Recorder(log, ORIGIN.features, timeout=AMPLE_S)
        await recorder.open()
        try:
            await until(lambda: log.probes >= 2)
            with pytest.raises(NotReadyError) as refusal:
                recorder.check_admission()
            assert refusal.value.retry_after >= 1
            log.broken = None
            await until(lambda: recorder.writable)
            recorder.check_admission()
        finally:
            await recorder.close()

    asyncio.run(scenario())


FAILURES = [
    DecisionLogError("The log is broken."),
    OSError(28, "No space left on device"),
    ValueError("as nobody expected"),
]
of_any_kind = pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)


@of_any_kind
def test_when_a_transaction_fails_all_its_callers_are_told_and_nobody_is_admitted_until_a_probe_succeeds(
    error: Exception,
) -> None:
    async def scenario() -> None:
        log = HeldLog()
        async with recording(log) as (recorder, notes):
            callers = keep(recorder, some(1))
            await until(lambda: log.sizes == [1])
            callers += keep(recorder, some(2)) + keep(recorder, some(3))
            await log.commit()
            log.broken = error
            await log.fail(error)
            ends = [await end_of(caller) for caller in callers]
            assert [type(end) for end in ends] == [Decision, *[NotStoredError] * 5]
            with pytest.raises(NotReadyError):
                recorder.check_admission()
            probes = log.probes
            await until(lambda: log.probes >= probes + 2)
            assert not recorder.writable
            log.broken = None
            await until(lambda: recorder.writable)
            recorder.check_admission()
            assert notes.writable == [True, False, True]
            assert len(notes.seconds) == 1

    asyncio.run(scenario())


def test_micro_batches_that_wait_while_another_fails_are_tried_all_the_same() -> None:
    async def scenario() -> None:
        log = HeldLog()
        async with recording(log) as (recorder, notes):
            (failing,) = keep(recorder, some(1))
            await until(lambda: log.sizes == [1])
            entries = some(1)
            (waiting,) = keep(recorder, entries)
            await log.fail()
            await log.commit()
            assert isinstance(await end_of(failing), NotStoredError)
            assert await end_of(waiting) == entries[0].decision
            assert recorder.writable
            assert notes.writable == [True, False, True]

    asyncio.run(scenario())


def test_a_log_that_fails_is_tried_a_few_times_a_second_and_no_more() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        log = HeldLog(broken=DecisionLogError("The log is broken."))
        recorder = Recorder(log, ORIGIN.features, timeout=AMPLE_S)
        await recorder.open()
        try:
            times = []
            for count in range(1, 4):
                await until(lambda count=count: log.probes >= count)  # type: ignore[misc]  # mypy knows no defaults
                times.append(loop.time())
            assert all(later - earlier > PROBE_EVERY_S / 2 for earlier, later in pairwise(times))
        finally:
            await recorder.close()

    asyncio.run(scenario())


def test_a_commit_that_takes_too_long_is_given_up_and_nobody_is_admitted_until_the_log_answers() -> None:
    async def scenario() -> None:
        log = HeldLog(broken=None)
        async with recording(log, timeout=SHORT_S) as (recorder, notes):
            log.broken = DecisionLogError("The log is broken.")
            (caller,) = keep(recorder, some(1))
            assert isinstance(await end_of(caller), NotStoredError)
            with pytest.raises(NotReadyError):
                recorder.check_admission()
            log.broken = None
            await until(lambda: recorder.writable)
            assert log.stored == []
            assert notes.writable == [True, False, True]

    asyncio.run(scenario())


def test_a_micro_batch_that_was_given_up_before_its_transaction_began_is_never_stored(tmp_path: Path) -> None:
    """Its application id is free again, and the commit before it is not blamed."""
    path = tmp_path / "decisions.db"

    class Held(HeldLog):
        async def store(self, entries: Sequence[Entry]) -> list[Settled]:
            if entries and not self.sizes:
                await super().store(entries)
            return await real.store(entries)

    async def scenario() -> None:
        log = Held()
        async with recording(log) as (recorder, notes):
            (first,) = keep(recorder, [begun])
            await until(lambda: log.sizes == [1])
            with_short_timeout(recorder)
            (given_up,) = keep(recorder, [entry(application_id="a")])
            assert isinstance(await end_of(given_up), NotStoredError)
            recorder.check_admission()
            assert notes.writable == [True]
            await log.commit()
            assert await end_of(first) == begun.decision
            (sent_again,) = keep(recorder, [again])
            assert await end_of(sent_again) == again.decision

    def with_short_timeout(recorder: Recorder) -> None:
        recorder._timeout = SHORT_S

    begun, again = entry(), entry(application_id="a", age=50)
    real = real_log(path)
    asyncio.run(scenario())
    assert [row["id"] for row in rows(path)] == [begun.row.id, again.row.id]


def test_a_late_event_loop_is_not_taken_for_a_slow_log(tmp_path: Path) -> None:
    """Turns that each take longer than the timeout, as when thousands of requests are read in one."""

    async def scenario() -> None:
        async with recording(real_log(tmp_path / "decisions.db"), timeout=SHORT_S) as (recorder, notes):
            callers = []
            for _ in range(3):
                callers += keep(recorder, [entry(application_id="twice"), entry(application_id="twice")])
                time.sleep(2 * SHORT_S)  # this thread is what is late
                await turns(1)
            time.sleep(2 * SHORT_S)
            assert [type(await end_of(caller)) for caller in callers] == [Decision] * 6
            assert notes.writable == [True]

    asyncio.run(scenario())


def test_a_micro_batch_whose_transaction_waits_for_another_process_is_not_stored_once_it_is_given_up(
    tmp_path: Path,
) -> None:
    path = tmp_path / "decisions.db"

    async def scenario() -> None:
        async with recording(real_log(path), timeout=SHORT_S) as (recorder, _):
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                (caller,) = keep(recorder, [entry(application_id="a")])
                assert isinstance(await end_of(caller), NotStoredError)
                other.execute("ROLLBACK")
            await until(lambda: recorder.writable)
            other_content = entry(application_id="a", age=50)
            (caller,) = keep(recorder, [other_content])
            assert await end_of(caller) == other_content.decision

    asyncio.run(scenario())
    assert len(rows(path)) == 1


def test_while_a_transaction_is_under_way_the_log_is_not_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("credit_scoring.serving.log_watch.PROBE_EVERY_S", 0.0)

    async def scenario() -> None:
        log = HeldLog()
        async with recording(log) as (recorder, _):
            log.lost = DecisionLogError("The log is gone.")
            await until(lambda: not recorder.writable)
            keep(recorder, some(1))
            await until(lambda: log.sizes == [1])
            probes = log.probes
            await turns(100)
            assert not recorder.writable
            assert log.probes == probes
            log.lost = None
            await log.commit()

    asyncio.run(scenario())


@of_any_kind
def test_a_log_that_is_lost_while_nothing_is_stored_is_noticed(error: Exception) -> None:
    async def scenario() -> None:
        log = HeldLog()
        async with recording(log) as (recorder, notes):
            log.lost = log.broken = error
            await until(lambda: not recorder.writable)
            probes = log.probes
            await until(lambda: log.probes > probes)
            assert not recorder.writable
            log.lost = log.broken = None
            await until(lambda: recorder.writable)
            assert notes.writable == [True, False, True]

    asyncio.run(scenario())


@of_any_kind
def test_what_fails_at_once_is_stored_after_all(error: Exception) -> None:
    class Failing(HeldLog):
        def store_at_once(self, entries: Sequence[Entry]) -> list[Settled] | None:
            raise error

    async def scenario() -> None:
        log = Failing()
        async with recording(log) as (recorder, _):
            entries = some(2)
            callers = keep(recorder, entries)
            await log.commit()
            assert [await end_of(caller) for caller in callers] == [each.decision for each in entries]

    asyncio.run(scenario())


def test_a_log_that_answers_for_too_few_has_stored_nothing_that_is_given() -> None:
    class Short(HeldLog):
        async def store(self, entries: Sequence[Entry]) -> list[Settled]:
            return [each.decision for each in entries[1:]]

    async def scenario() -> None:
        async with recording(Short()) as (recorder, _):
            callers = keep(recorder, some(2)) + keep(recorder, some(1))
            assert [type(await end_of(caller)) for caller in callers] == [NotStoredError] * 3

    asyncio.run(scenario())


def test_a_caller_and_a_callback_that_raise_keep_nobody_from_being_answered() -> None:
    class Raising(asyncio.Future[Decision]):
        def set_result(self, result: Decision) -> None:
            raise ValueError

    def raising(seconds: float) -> None:
        raise OSError

    async def scenario() -> None:
        log = HeldLog()
        recorder = Recorder(log, ORIGIN.features, timeout=AMPLE_S, on_stored=raising)
        await recorder.open()
        try:
            for _ in range(2):
                bad, good = Raising(), asyncio.get_running_loop().create_future()
                recorder.keep([submission(), submission()], [bad, good], [each.decision for each in some(2)])
                await log.commit()
                assert isinstance(await end_of(good), Decision)
        finally:
            await recorder.close()

    asyncio.run(scenario())


def test_no_message_of_an_unexpected_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        log = HeldLog()
        async with recording(log) as (recorder, _):
            (caller,) = keep(recorder, some(1))
            await log.fail(ValueError("R$ 1.234,56"))
            await end_of(caller)

    asyncio.run(scenario())
    assert "ValueError at " in caplog.text
    assert "1.234,56" not in caplog.text


def test_when_too_many_wait_newcomers_are_refused_until_the_log_has_taken_them() -> None:
    async def scenario() -> None:
        log = HeldLog()
        async with recording(log) as (recorder, _):
            callers = keep(recorder, some(1))
            await until(lambda: log.sizes == [1])
            while len(callers) < MOST_WAITING:
                recorder.check_admission()
                callers += keep(recorder, some(min(LARGEST_TRANSACTION, MOST_WAITING - len(callers))))
            with pytest.raises(OverloadedError):
                recorder.check_admission()
            assert recorder.writable
            await log.commit()
            await until(callers[0].done)
            recorder.check_admission()
            while not callers[-1].done():
                await log.commit()
                await turns(20)

    asyncio.run(scenario())


def test_closing_stores_what_waits_and_answers_it_first() -> None:
    async def scenario() -> None:
        log = HeldLog()
        async with recording(log) as (recorder, _):
            entries = some(3)
            callers = keep(recorder, entries[:1])
            await until(lambda: log.sizes == [1])
            callers += keep(recorder, entries[1:])
            closing = asyncio.create_task(recorder.close())
            await turns(20)
            assert not log.is_closed
            await log.commit()
            await log.commit()
            await asyncio.wait_for(closing, SOON_S)
            assert log.is_closed
            assert log.stored == entries
            assert [caller.result() for caller in callers] == [each.decision for each in entries]

    asyncio.run(scenario())


def test_closing_a_recorder_whose_log_was_never_writable_ends() -> None:
    async def scenario() -> None:
        log = HeldLog(broken=DecisionLogError("The log is broken."))
        recorder = Recorder(log, ORIGIN.features, timeout=AMPLE_S)
        await recorder.open()
        await until(lambda: log.probes >= 1)
        await asyncio.wait_for(recorder.close(), SOON_S)
        assert log.is_closed

    asyncio.run(scenario())


# With a real log


def real_log(path: Path, timeout: float = TIMEOUT_S) -> DecisionLog:
    return DecisionLog(open_database(f"sqlite:///{path}", timeout=timeout), ORIGIN)


def rows(path: Path) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute("SELECT * FROM decisions ORDER BY id").fetchall()


def test_what_came_what_the_model_saw_and_who_asked_are_on_record_when_the_answer_comes(tmp_path: Path) -> None:
    path = tmp_path / "decisions.db"

    async def scenario() -> None:
        async with recording(real_log(path)) as (recorder, _):
            (caller,) = keep(recorder, [given])
            answer = await end_of(caller)
            (row,) = rows(path)
            assert answer == given.decision
            assert (row["id"], row["received"], row["asked_by"]) == (given.row.id, given.row.received, "branch 7")
            assert row["risk_probability"] == given.decision.risk_probability
            assert from_json(row["seen"]) == [1234.5, None]
            assert row["application_id"] == "Nº 1"

    given = entry(asked_by="branch 7", application_id="Nº 1", monthly_income=1234.5, has_negative_record=None)
    asyncio.run(scenario())


def test_what_a_model_of_one_feature_saw_is_an_array_on_record_as_well(tmp_path: Path) -> None:
    path = tmp_path / "decisions.db"
    given = entry(monthly_income=1234.5)

    async def scenario() -> None:
        recorder = Recorder(real_log(path), ORIGIN.features[:1], timeout=AMPLE_S)
        await recorder.open()
        try:
            assert await end_of(keep(recorder, [given])[0]) == given.decision
        finally:
            await recorder.close()

    asyncio.run(scenario())
    assert from_json(rows(path)[0]["seen"]) == [1234.5]


def test_each_caller_of_many_micro_batches_gets_its_own_answer_and_all_are_on_record(tmp_path: Path) -> None:
    path = tmp_path / "decisions.db"
    batches = [some(size % 7 + 1) for size in range(100)]

    async def scenario() -> None:
        async with recording(real_log(path)) as (recorder, _):
            callers = []
            for number, batch in enumerate(batches):
                callers += keep(recorder, batch)
                await turns(number % 3)
            assert await asyncio.gather(*callers) == [each.decision for batch in batches for each in batch]

    asyncio.run(scenario())
    assert [row["id"] for row in rows(path)] == [each.row.id for batch in batches for each in batch]


def test_a_database_that_another_process_has_locked_costs_the_answer_and_then_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "decisions.db"

    async def scenario() -> None:
        async with recording(real_log(path, timeout=2 * SHORT_S), timeout=SHORT_S) as (recorder, notes):
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                (caller,) = keep(recorder, some(1))
                assert isinstance(await end_of(caller), NotStoredError)
                with pytest.raises(NotReadyError):
                    recorder.check_admission()
                other.execute("ROLLBACK")
            await until(lambda: recorder.writable)
            entries = some(2)
            assert [await end_of(each) for each in keep(recorder, entries)] == [each.decision for each in entries]
            assert notes.writable[:2] == [True, False]

    asyncio.run(scenario())


def test_an_application_sent_again_is_answered_as_before_by_the_recorder(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with recording(real_log(tmp_path / "decisions.db")) as (recorder, _):
            first = entry(application_id="a")
            callers = [
                *keep(recorder, [first]),
                *keep(recorder, [entry(application_id="a"), entry(application_id="a", age=50)]),
            ]
            answer, again, other = [await end_of(caller) for caller in callers]
            assert answer == again == first.decision
            assert isinstance(other, RepeatError)
            assert recorder.writable

    asyncio.run(scenario())
