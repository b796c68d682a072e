"""The decision log: repeats, the chain, and attempts whose end was not seen, on both kinds of database."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import count
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, text

from benchmarks.support.consorcio import ConsorcioApplication
from benchmarks.support.decision_records import ORIGIN, TIMEOUT_S, ask, entry, rows_in
from credit_scoring.application.schemas import Decision
from credit_scoring.decisions import schema_version
from credit_scoring.decisions.chain import Block, Row
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.database import Appender, Database
from credit_scoring.decisions.entries import Entry, Settled
from credit_scoring.decisions.log import DecisionLog
from credit_scoring.decisions.tables import decisions
from credit_scoring.decisions.verdict import Verdict
from credit_scoring.decisions.verification import verify
from credit_scoring.errors import DecisionLogError, DuplicateError, RepeatError


@asynccontextmanager
async def worker(address: str, timeout: float = TIMEOUT_S) -> AsyncIterator[DecisionLog]:
    """One worker's log, from its start to its end."""
    log = DecisionLog(open_database(address, timeout=timeout), ORIGIN)
    try:
        yield log
    finally:
        await log.close()


def live(address: str, life: Callable[[DecisionLog], Awaitable[None]]) -> None:
    """One worker's life."""

    async def from_start_to_end() -> None:
        async with worker(address) as log:
            await life(log)

    asyncio.run(from_start_to_end())


def stored(address: str) -> list[Row]:
    def work(connection: Connection) -> list[Row]:
        columns = [decisions.c[name] for name in Row._fields]
        return [Row(*row) for row in connection.execute(select(*columns).order_by(decisions.c.id))]

    return ask(address, work, reading=True)


def check(address: str) -> Verdict:
    return ask(address, verify, reading=True)


def given_by(entries: Sequence[Entry]) -> list[Decision]:
    """What is answered when each is new."""
    return [each.decision for each in entries]


# One worker


def test_what_is_stored_is_what_was_decided(address: str) -> None:
    entries = [entry(asked_by="branch 7"), entry(risk=0.0, application_id="Nº 1"), entry(risk=1.0)]

    async def life(log: DecisionLog) -> None:
        assert await log.store(entries) == given_by(entries)

    live(address, life)
    assert stored(address) == [each.row for each in entries]


def test_an_empty_block_is_stored_and_proves_that_the_log_can_be_written(address: str) -> None:
    async def life(log: DecisionLog) -> None:
        assert await log.store([]) == []
        assert await log.store([entry()])
        assert await log.store([]) == []

    live(address, life)
    verdict = check(address)
    assert (verdict.decisions, verdict.blocks, verdict.problems) == (1, 3, [])


def test_a_worker_that_stored_nothing_leaves_nothing(address: str) -> None:
    async def life(log: DecisionLog) -> None:
        assert log.store_at_once([entry()]) is None

    live(address, life)
    assert rows_in(address, "writers") == 0


def test_before_the_end_of_its_chain_is_known_a_worker_stores_nothing_at_once(address: str) -> None:
    async def life(log: DecisionLog) -> None:
        assert log.store_at_once([entry()]) is None
        assert await log.store([entry()])

    live(address, life)
    assert len(stored(address)) == 1


def test_what_is_stored_at_once_is_in_the_chain_as_what_is_awaited(address: str) -> None:
    """Only SQLite takes anything at once."""

    async def life(log: DecisionLog) -> None:
        await log.store([entry()])
        for _ in range(3):
            entries = [entry(), entry(application_id=None)]
            settled = log.store_at_once(entries) or await log.store(entries)
            assert settled == given_by(entries)
        await log.store([entry()])

    live(address, life)
    verdict = check(address)
    assert (verdict.decisions, verdict.blocks, verdict.problems) == (8, 5, [])


# Repeats


def test_an_application_sent_again_gets_the_answer_that_it_was_given(address: str) -> None:
    first, again = entry(risk=0.1, application_id="a"), entry(risk=0.9, application_id="a")

    async def life(log: DecisionLog) -> None:
        await log.store([first])
        assert await log.store([again]) == [first.decision]

    live(address, life)
    assert stored(address) == [first.row]


def test_the_order_and_the_notation_of_the_fields_make_no_other_content(address: str) -> None:
    first = entry(application_id="a", term_months=48)
    received = json.dumps(dict(reversed(json.loads(first.row.received).items())) | {"term_months": 48.0}, indent=1)
    other = entry(application_id="a")
    again = other._replace(
        application=ConsorcioApplication.model_validate_json(received), row=other.row._replace(received=received)
    )

    async def life(log: DecisionLog) -> None:
        await log.store([first])
        assert await log.store([again]) == [first.decision]

    live(address, life)


def test_an_application_id_used_for_other_content_is_refused_and_nothing_is_stored_for_it(address: str) -> None:
    first, other = entry(application_id="a"), entry(application_id="a", monthly_income=1.0)

    async def life(log: DecisionLog) -> None:
        await log.store([first])
        (settled,) = await log.store([other])
        assert isinstance(settled, RepeatError)
        assert settled.status == 409
        assert await log.store([entry(application_id="a")]) == [first.decision]

    live(address, life)
    assert stored(address) == [first.row]


def test_a_repeat_leaves_the_rest_of_its_block_alone(address: str) -> None:
    first = entry(application_id="a")
    new, other, plain = entry(application_id="b"), entry(application_id="a", age=50), entry()

    async def life(log: DecisionLog) -> None:
        await log.store([first])
        before, refused, mine, free = await log.store([entry(application_id="a"), other, new, plain])
        assert before == first.decision
        assert isinstance(refused, RepeatError)
        assert (mine, free) == (new.decision, plain.decision)

    live(address, life)
    assert stored(address) == [first.row, new.row, plain.row]
    assert check(address).problems == []


def test_within_one_block_the_first_of_an_application_id_counts(address: str) -> None:
    first, again, other = (
        entry(0.1, application_id="a"),
        entry(0.9, application_id="a"),
        entry(application_id="a", age=50),
    )

    async def life(log: DecisionLog) -> None:
        *same, refused = await log.store([first, again, other])
        assert same == [first.decision] * 2
        assert isinstance(refused, RepeatError)

    live(address, life)
    assert stored(address) == [first.row]


def test_a_repeat_is_not_stored_at_once(address: str) -> None:
    first, again = entry(application_id="a"), entry(application_id="a")

    async def life(log: DecisionLog) -> None:
        await log.store([first])
        assert log.store_at_once([again]) is None
        assert await log.store([again]) == [first.decision]
        assert await log.store([entry()])

    live(address, life)
    assert check(address).problems == []


def test_a_worker_of_another_model_gives_the_answer_of_the_one_that_decided(address: str) -> None:
    first = entry(application_id="a")
    live(address, lambda log: store_all(log, [first]))
    newer = replace(ORIGIN, model="credit_scoring:newer", policy_version="policy-2", threshold=0.5)

    async def life() -> None:
        log = DecisionLog(open_database(address, timeout=TIMEOUT_S), newer)
        try:
            assert await log.store([entry(application_id="a")]) == [first.decision]
        finally:
            await log.close()

    asyncio.run(life())


async def store_all(log: DecisionLog, *blocks: Sequence[Entry]) -> None:
    for each in blocks:
        await log.store(each)


def test_two_workers_that_get_the_same_applications_at_the_same_time_give_the_same_answers(address: str) -> None:
    names = [f"application {number}" for number in range(40)]

    async def lives() -> list[list[Settled]]:
        async with worker(address) as one, worker(address) as two:
            await asyncio.gather(one.store([]), two.store([]))
            return [await both(one, two, names[start : start + 4]) for start in range(0, len(names), 4)]

    async def both(one: DecisionLog, two: DecisionLog, some: Sequence[str]) -> list[Settled]:
        mine, others = await asyncio.gather(
            one.store([entry(application_id=name) for name in some]),
            two.store([entry(application_id=name) for name in some]),
        )
        assert mine == others
        return mine

    answers = [answer for block in asyncio.run(lives()) for answer in block]
    found = {row.id: row.application_id for row in stored(address)}
    assert [found.pop(answer.decision_id) for answer in answers if isinstance(answer, Decision)] == names
    assert found == {}
    assert check(address).problems == []


@pytest.fixture(scope="module")
def new_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Makes the address of a new SQLite database, far faster than by the migrations each time."""
    folder = tmp_path_factory.mktemp("databases")
    ask(f"sqlite:///{folder}/first.db", schema_version.upgrade)
    numbers = count()

    def copied() -> str:
        path = shutil.copy(folder / "first.db", folder / f"{next(numbers)}.db")
        return f"sqlite:///{path}"

    yield copied
    shutil.rmtree(folder)


class Sent(NamedTuple):
    """One application as a client sends it: by one of two owners, with its id, and one of two contents."""

    owner: str
    name: str | None
    content: int

    def decided(self) -> Entry:
        income = 1000.0 * (1 + self.content)
        return entry(asked_by=self.owner, application_id=self.name, monthly_income=income)


sent = st.builds(Sent, st.sampled_from(["", "other"]), st.sampled_from(["a", "b", "c", None]), st.integers(0, 1))
blocks = st.lists(sent, max_size=4)
rounds = st.lists(st.tuples(blocks, blocks), max_size=5)


@settings(max_examples=60)
@given(rounds)
def test_however_two_workers_interleave_each_application_id_is_decided_once_for_each_owner(
    new_file: Callable[[], str], rounds: list[tuple[list[Sent], list[Sent]]]
) -> None:
    address = new_file()
    answered = asyncio.run(_interleaved(address, rounds))
    found = {row.id: row for row in stored(address)}
    contents = {
        (row.asked_by, row.application_id, json.loads(row.received)["monthly_income"]) for row in found.values()
    }
    by_name: dict[tuple[str, str | None], Row] = {
        (row.asked_by, row.application_id): row for row in found.values() if row.application_id is not None
    }
    for each, answer in answered:
        applied, received = (each.row.asked_by, each.row.application_id), each.application.model_dump()[
            "monthly_income"
        ]
        if applied[1] is None:
            assert answer == each.decision
            assert found[each.row.id] == each.row
        elif (*applied, received) in contents:
            assert isinstance(answer, Decision)
            assert answer.decision_id == by_name[applied].id
        else:
            assert isinstance(answer, RepeatError)
    names = [(each.owner, each.name) for both in rounds for block in both for each in block]
    plain = [name for name in names if name[1] is None]
    assert len(found) == len(plain) + len(set(names) - set(plain))
    assert check(address).problems == []


async def _interleaved(
    address: str, rounds: Sequence[tuple[Sequence[Sent], Sequence[Sent]]]
) -> list[tuple[Entry, Settled]]:
    """What each is answered, when in each round both workers store a block at the same time."""
    answered: list[tuple[Entry, Settled]] = []

    async def store(log: DecisionLog, sent: Sequence[Sent]) -> None:
        entries = [each.decided() for each in sent]
        settled = (entries and log.store_at_once(entries)) or await log.store(entries)
        answered.extend(zip(entries, settled, strict=True))

    async with worker(address) as one, worker(address) as two:
        for of_one, of_two in rounds:
            await asyncio.gather(store(one, of_one), store(two, of_two))
    return answered


# Failures


def rename(address: str, table: str, name: str) -> Awaitable[None]:
    def work(connection: Connection) -> None:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO {name}"))

    return asyncio.to_thread(ask, address, work)


def test_after_a_failure_the_chain_goes_on_where_it_was(address: str) -> None:
    before, lost, after = entry(), entry(application_id="a"), entry(application_id="a", age=50)

    async def life(log: DecisionLog) -> None:
        await log.store([before])
        await rename(address, "decisions", "elsewhere")
        with pytest.raises(DecisionLogError):
            await log.store([lost])
        assert log.store_at_once([lost]) is None
        await rename(address, "elsewhere", "decisions")
        assert await log.store([after]) == [after.decision]

    live(address, life)
    assert stored(address) == [before.row, after.row]
    verdict = check(address)
    assert (verdict.blocks, verdict.problems) == (2, [])


def test_a_worker_that_could_store_nothing_at_first_begins_its_chain_later(address: str) -> None:
    late = entry()

    async def life(log: DecisionLog) -> None:
        await rename(address, "writers", "elsewhere")
        with pytest.raises(DecisionLogError):
            await log.store([])
        await rename(address, "elsewhere", "writers")
        await log.store([late])

    live(address, life)
    assert stored(address) == [late.row]
    assert check(address).problems == []


class Unseen(Appender):
    """The real appender, but the end of the next append is not seen: what it has stored is reported as a failure."""

    def __init__(self, real: Appender) -> None:
        self._real = real
        self.fails = False

    async def append(self, block: Block) -> None:
        await self._real.append(block)
        if self.fails:
            self.fails = False
            raise DecisionLogError("The connection was lost after the commit.")

    async def close(self) -> None:
        await self._real.close()


class Unfinished(Appender):
    """The real appenders, but nobody waits for the next append, which goes on by a connection of its own."""

    def __init__(self, real: Appender, other: Appender) -> None:
        self._real, self._other = real, other
        self._going_on: asyncio.Task[None] | None = None
        self.fails = False

    async def append(self, block: Block) -> None:
        if self.fails:
            self.fails = False
            self._going_on = asyncio.create_task(self._other.append(block))
            raise DecisionLogError("The answer did not come in time.")
        await self._real.append(block)

    async def close(self) -> None:
        if self._going_on:
            with suppress(DuplicateError):  # where the next attempt was faster
                await self._going_on
        await self._other.close()
        await self._real.close()


@asynccontextmanager
async def short_sighted(
    address: str, make: Callable[[Database], Unseen | Unfinished]
) -> AsyncIterator[tuple[DecisionLog, Unseen | Unfinished]]:
    """A worker's log that writes by such an appender, and has stored an empty block."""
    database = open_database(address, timeout=TIMEOUT_S)
    appender = make(database)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "appender", lambda: appender)
        log = DecisionLog(database, ORIGIN)
    try:
        await log.store([])
        appender.fails = True
        yield log, appender
    finally:
        await log.close()


APPENDERS: dict[str, Callable[[Database], Unseen | Unfinished]] = {
    "it succeeded and the connection was lost": lambda database: Unseen(database.appender()),
    "it goes on": lambda database: Unfinished(database.appender(), database.appender()),
}


@pytest.mark.parametrize("make", APPENDERS.values(), ids=APPENDERS)
def test_an_attempt_whose_end_was_not_seen_is_not_stored_twice(
    address: str, make: Callable[[Database], Unseen | Unfinished]
) -> None:
    entries = [entry(), entry(application_id="a"), entry(application_id="b"), entry()]
    next_ones = [entry(application_id="b", age=50), entry()]

    async def life() -> None:
        async with short_sighted(address, make) as (log, appender):
            assert await log.store(entries) == given_by(entries)
            assert not appender.fails
            refused, new = await log.store(next_ones)
            assert isinstance(refused, RepeatError)
            assert new == next_ones[1].decision

    asyncio.run(life())
    assert stored(address) == [each.row for each in [*entries, next_ones[1]]]
    assert check(address).problems == []


@pytest.mark.parametrize("make", APPENDERS.values(), ids=APPENDERS)
def test_an_empty_block_whose_end_was_not_seen_leaves_the_chain_whole(
    address: str, make: Callable[[Database], Unseen | Unfinished]
) -> None:
    async def life() -> None:
        async with short_sighted(address, make) as (log, _):
            assert await log.store([]) == []
            assert await log.store([entry()])

    asyncio.run(life())
    assert check(address).problems == []


def test_a_client_that_was_told_of_a_failure_gets_what_was_stored_after_all(address: str) -> None:
    """Stored, not answered: sent again it gets the answer that it missed."""
    first = entry(application_id="a")

    async def life() -> None:
        async with short_sighted(address, APPENDERS["it succeeded and the connection was lost"]) as (log, _):
            await log.store([first])
        async with worker(address) as next_one:
            assert await next_one.store([entry(application_id="a")]) == [first.decision]

    asyncio.run(life())
    assert stored(address) == [first.row]
