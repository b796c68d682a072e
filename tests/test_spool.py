"""best_effort: the spool as a file, and a log that answers by way of it while its database is down."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from credit_scoring import schema_version
from credit_scoring.chain import Row
from credit_scoring.decision_log import DecisionLog, Entry
from credit_scoring.errors import RepeatError, StorageError
from credit_scoring.settings import PROJECT_FOLDER
from credit_scoring.spool import Spooled, SpooledLog, SpoolFile, left_behind
from credit_scoring.storage import open_database
from credit_scoring.tables import batches, claims, decisions
from credit_scoring.verification import verify
from tests.decision_records import ORIGIN, ask, entry
from tests.postgres import Postgres
from tests.traffic import crash

SOON_S = 30.0
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

# Of the files of workers that live, which are looked at and not closed.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file .*jsonl:ResourceWarning")

Outage = Callable[[], AbstractAsyncContextManager[None]]


def rows(count: int) -> list[Row]:
    return [entry(application_id=f"Nº {number}").row for number in range(count)]


@contextmanager
def spool(path: Path) -> Iterator[SpoolFile]:
    with closing(SpoolFile(path)) as file:
        yield file


# The file


def test_batches_come_back_in_the_order_in_which_they_were_kept(tmp_path: Path) -> None:
    kept = [Spooled(NOON + timedelta(microseconds=number), rows(number)) for number in range(1, 5)]
    with spool(tmp_path / "spool.jsonl") as file:
        for each in kept:
            file.append(each)
        assert file.count() == 10
        found = []
        while (oldest := file.next()) is not None:
            assert file.next() == oldest
            found.append(oldest)
            file.done()
        assert found == kept
        assert file.count() == 0


def test_what_is_kept_meanwhile_comes_after_what_was_kept_before(tmp_path: Path) -> None:
    first, second, third = (Spooled(NOON, rows(1)) for _ in range(3))
    with spool(tmp_path / "spool.jsonl") as file:
        file.append(first)
        file.append(second)
        assert file.next() == first
        file.append(third)
        file.done()
        assert file.next() == second
        file.done()
        assert file.next() == third
        file.done()
        assert file.next() is None


def test_a_file_is_empty_once_all_is_done_and_takes_more(tmp_path: Path) -> None:
    path = tmp_path / "spool.jsonl"
    with spool(path) as file:
        for _ in range(2):
            kept = Spooled(NOON, rows(2))
            file.append(kept)
            assert file.next() == kept
            file.done()
            assert path.stat().st_size == 0


def test_a_batch_is_on_the_disk_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "spool.jsonl"
    synced: list[bytes] = []
    sync = os.fsync

    def observed(descriptor: int) -> None:
        synced.append(path.read_bytes())
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", observed)
    with spool(path) as file:
        file.append(Spooled(NOON, rows(1)))
        assert synced == [path.read_bytes()]
        assert synced[0].endswith(b"\n")


def test_rows_come_back_as_they_were_kept_exactly(tmp_path: Path) -> None:
    strange = entry(0.1 + 0.2, asked_by="Filial São Paulo \u2028", application_id='"\\😀\u0085').row
    tiny = entry(5e-324).row
    with spool(tmp_path / "spool.jsonl") as file:
        file.append(Spooled(NOON, [strange, tiny]))
        assert file.next() == Spooled(NOON, [strange, tiny])


@pytest.mark.parametrize("cut", [1, 2, 20, -1])
def test_a_last_line_that_is_not_whole_was_never_answered_and_is_left_out(tmp_path: Path, cut: int) -> None:
    """A worker was killed while it wrote."""
    path = tmp_path / "spool.jsonl"
    whole = Spooled(NOON, rows(2))
    with spool(path) as file:
        file.append(whole)
        end = path.stat().st_size
        file.append(Spooled(NOON, rows(3)))
    os.truncate(path, end + cut if cut > 0 else path.stat().st_size + cut)
    with spool(path) as file:
        assert file.count() == 2
        assert file.next() == whole
        file.done()
        assert file.next() is None


def test_an_empty_file_is_removed_when_it_is_closed_and_another_stays(tmp_path: Path) -> None:
    empty, full = tmp_path / "empty.jsonl", tmp_path / "full.jsonl"
    with spool(empty), spool(full) as file:
        file.append(Spooled(NOON, rows(1)))
    assert sorted(tmp_path.iterdir()) == [full]


def test_a_folder_that_cannot_be_made_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="CREDIT_SCORING_SPOOL_FOLDER"):
        SpoolFile(tmp_path / "file" / "spool.jsonl")


DYING_WORKER = """
import asyncio, sys
from pathlib import Path
from credit_scoring.decision_log import DecisionLog
from credit_scoring.spool import SpooledLog
from credit_scoring.storage import open_database
from tests.decision_records import ORIGIN, entry

async def live(address, folder, *batches):
    log = SpooledLog(DecisionLog(open_database(address), ORIGIN), Path(folder))
    for size in batches:
        settled = await log.store([entry() for _ in range(int(size))])
        print(*(decision.decision_id for decision in settled), flush=True)
    print(flush=True)
    await asyncio.sleep(3600)  # until it is killed

asyncio.run(live(*sys.argv[1:]))
"""
UNREACHABLE = "postgresql://owner@127.0.0.1:9/decisions"  # the discard port: nobody listens


@contextmanager
def living_worker(address: str, folder: Path, *batches: int) -> Iterator[list[str]]:
    """Another process that has answered these batches; the ids of its decisions. It is killed at the end."""
    command = [sys.executable, "-c", DYING_WORKER, address, str(folder), *map(str, batches)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT_FOLDER) as process:
        try:
            assert process.stdout
            yield [id for line in iter(process.stdout.readline, "\n") for id in line.split()]
        finally:
            process.kill()


def test_the_file_of_a_worker_that_lives_is_left_alone_and_that_of_a_killed_one_taken_over(tmp_path: Path) -> None:
    with living_worker(UNREACHABLE, tmp_path, 2, 1) as ids:
        assert len(ids) == 3
        assert list(left_behind(tmp_path)) == []
    (file,) = left_behind(tmp_path)
    with closing(file):
        assert file.count() == 3
        oldest = file.next()
        assert oldest is not None
        assert [row.id for row in oldest.rows] == ids[:2]


def test_only_one_worker_takes_over_what_was_left_behind(tmp_path: Path) -> None:
    with living_worker(UNREACHABLE, tmp_path, 1):
        pass
    (mine,) = left_behind(tmp_path)
    with closing(mine):
        assert list(left_behind(tmp_path)) == []


# The log


@pytest.fixture
def outage(address: str, request: pytest.FixtureRequest) -> Outage:
    """An outage of the database: PostgreSQL is killed and started again, SQLite is locked by another process."""

    @asynccontextmanager
    async def of_sqlite() -> AsyncIterator[None]:
        path = address.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    @asynccontextmanager
    async def of_postgres() -> AsyncIterator[None]:
        postgres: Postgres = request.getfixturevalue("postgres")
        await asyncio.to_thread(crash, postgres)
        try:
            yield
        finally:
            await asyncio.to_thread(postgres.start)

    return of_sqlite if address.startswith("sqlite") else of_postgres


class Told(list[int]):
    """How many decisions waited, whenever that changed."""

    async def drained(self) -> None:
        """Return once none wait any more."""
        async with asyncio.timeout(SOON_S):
            while self[-1:] != [0]:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def spooling(address: str, folder: Path) -> AsyncIterator[tuple[SpooledLog, Told]]:
    """One worker's life under best_effort."""
    told = Told()
    log = SpooledLog(DecisionLog(open_database(address), ORIGIN), folder, told.append)
    try:
        yield log, told
    finally:
        await log.close()


def some(count: int) -> list[Entry]:
    return [entry() for _ in range(count)]


async def answered(log: SpooledLog, entries: Sequence[Entry]) -> None:
    """Store them as a recorder does; each gets its own decision."""
    settled = log.store_at_once(entries) or await log.store(entries)
    assert settled == [each.decision for each in entries]


def stored(address: str) -> list[str]:
    """Ids of the decisions on record, batch by batch as they were chained."""
    ordered = (
        select(decisions.c.id)
        .join(batches, (batches.c.writer == decisions.c.writer) & (batches.c.number == decisions.c.batch))
        .order_by(batches.c.writer, batches.c.number, decisions.c.id)
    )
    return ask(address, lambda connection: list(connection.execute(ordered).scalars()), reading=True)


def problems(address: str) -> list[str]:
    return ask(address, verify, reading=True).problems


def ids(*entries: Sequence[Entry]) -> list[str]:
    return [each.row.id for batch in entries for each in batch]


def test_while_the_database_takes_what_it_is_given_nothing_waits_in_the_spool(address: str, tmp_path: Path) -> None:
    first = entry(application_id="a")
    batch = some(3)

    async def life() -> None:
        async with spooling(address, tmp_path / "spool") as (log, told):
            await answered(log, [first])
            again, refused = await log.store([entry(application_id="a"), entry(application_id="a", age=50)])
            assert again == first.decision
            assert isinstance(refused, RepeatError)
            await answered(log, batch)
            assert told == []
        assert list((tmp_path / "spool").iterdir()) == []

    asyncio.run(life())
    assert stored(address) == ids([first], batch)


def test_during_an_outage_answers_are_given_and_follow_in_order_when_it_is_over(
    address: str, outage: Outage, tmp_path: Path
) -> None:
    before, *during = (some(size) for size in (1, 2, 3, 1))
    after = some(2)

    async def life() -> None:
        async with spooling(address, tmp_path / "spool") as (log, told):
            await answered(log, before)
            async with outage():
                for batch in during:
                    await answered(log, batch)
                assert told == [2, 5, 6]
            await answered(log, after)
            await told.drained()
            assert log.store_at_once(some(1)) or address.startswith("postgresql")
        assert list((tmp_path / "spool").iterdir()) == []

    asyncio.run(life())
    assert stored(address)[:9] == ids(before, *during, after)
    assert problems(address) == []


def test_what_waited_is_on_record_with_the_time_at_which_it_was_decided(
    address: str, outage: Outage, tmp_path: Path
) -> None:
    during = some(1)

    async def life() -> datetime:
        async with spooling(address, tmp_path / "spool") as (log, told):
            await log.store([])
            async with outage():
                await answered(log, during)
                decided_before = datetime.now(UTC)
            await told.drained()
            return decided_before

    decided_before = asyncio.run(life())
    newest = select(batches.c.decided_at).order_by(batches.c.number.desc()).limit(1)
    found = ask(address, lambda connection: connection.execute(newest).scalar_one(), reading=True)
    assert found <= decided_before


def test_a_worker_that_starts_during_an_outage_answers_and_its_decisions_follow(
    address: str, outage: Outage, tmp_path: Path
) -> None:
    during = [some(1), some(2)]

    async def life() -> None:
        async with outage(), spooling(address, tmp_path / "spool") as (log, _):
            assert await log.store([]) == []
            for batch in during:
                await answered(log, batch)
        async with spooling(address, tmp_path / "spool") as (log, told):
            assert await log.store([]) == []
            await told.drained()

    asyncio.run(life())
    assert stored(address) == ids(*during)
    assert problems(address) == []


def test_what_comes_while_the_spool_is_drained_follows_in_order(address: str, outage: Outage, tmp_path: Path) -> None:
    during, meanwhile = [some(1) for _ in range(5)], [some(1) for _ in range(5)]

    async def life() -> None:
        async with spooling(address, tmp_path / "spool") as (log, told):
            await log.store([])
            async with outage():
                for batch in during:
                    await answered(log, batch)
            async with asyncio.timeout(SOON_S):
                while told[-1] == len(during):
                    await asyncio.sleep(0.001)
            for batch in meanwhile:
                await answered(log, batch)
            await told.drained()

    asyncio.run(life())
    assert stored(address) == ids(*during, *meanwhile)
    assert problems(address) == []


def test_one_outage_after_another_loses_nothing_and_stores_nothing_twice(
    address: str, outage: Outage, tmp_path: Path
) -> None:
    given: list[list[Entry]] = []

    async def life() -> None:
        async with spooling(address, tmp_path / "spool") as (log, told):
            for _ in range(3):
                async with outage():
                    for size in (2, 1):
                        given.append(some(size))
                        await answered(log, given[-1])
                await told.drained()
                given.append(some(1))
                await answered(log, given[-1])

    asyncio.run(life())
    assert stored(address) == ids(*given)
    assert problems(address) == []


def test_what_a_killed_worker_left_behind_is_stored_by_the_next_one(address: str, tmp_path: Path) -> None:
    with living_worker(UNREACHABLE, tmp_path / "spool", 2, 1, 3) as left:
        assert len(left) == 6
    (file,) = (tmp_path / "spool").iterdir()
    with file.open("ab") as written:
        written.write(b'["2026-11-24T12:00:00+00:00", ["never answer')
    new = some(1)

    async def life() -> None:
        async with spooling(address, tmp_path / "spool") as (log, told):
            await answered(log, new)
            await told.drained()

    asyncio.run(life())
    assert stored(address) == [*left, *ids(new)]
    assert problems(address) == []


def test_a_worker_that_was_killed_while_it_drained_its_spool_leaves_nothing_to_be_stored_twice(
    address: str, tmp_path: Path
) -> None:
    """Where it had got to is on record nowhere but in the database."""
    kept = [Spooled(NOON, rows(size)) for size in (2, 3)]
    path = tmp_path / "spool" / "killed.jsonl"
    with spool(path) as file:
        for each in kept:
            file.append(each)

    async def die() -> None:
        async with worker(address) as log:
            await log.store_given(kept[0].rows, kept[0].decided_at)

    async def live() -> None:
        async with spooling(address, path.parent) as (log, told):
            await log.store([])
            await told.drained()

    asyncio.run(die())
    asyncio.run(live())
    assert sorted(stored(address)) == [row.id for each in kept for row in each.rows]
    assert problems(address) == []


@asynccontextmanager
async def worker(address: str) -> AsyncIterator[DecisionLog]:
    """One worker's life under `required`."""
    log = DecisionLog(open_database(address), ORIGIN)
    try:
        yield log
    finally:
        await log.close()


def claim_of(address: str, application_id: str) -> str:
    wanted = select(claims.c.decision).where(claims.c.application_id == application_id)
    return ask(address, lambda connection: str(connection.execute(wanted).scalar_one()), reading=True)


def test_an_application_sent_twice_during_an_outage_is_decided_twice_and_the_first_decision_counts(
    address: str, outage: Outage, tmp_path: Path
) -> None:
    first, second = entry(application_id="a"), entry(application_id="a")

    async def life() -> None:
        async with spooling(address, tmp_path / "spool") as (log, told):
            await log.store([])
            async with outage():
                await answered(log, [first])
                await answered(log, [second])
            await told.drained()
            assert await log.store([entry(application_id="a")]) == [first.decision]

    asyncio.run(life())
    assert stored(address) == ids([first, second])
    assert claim_of(address, "a") == first.row.id
    assert problems(address) == []


def test_an_application_id_that_another_worker_has_claimed_meanwhile_stays_with_it(
    address: str, outage: Outage, tmp_path: Path
) -> None:
    waiting, other = entry(application_id="a"), entry(application_id="a")

    async def life() -> None:
        async with outage(), spooling(address, tmp_path / "spool") as (log, _):
            await answered(log, [waiting, entry(application_id="b")])
        async with worker(address) as another:
            await another.store([other])
        async with spooling(address, tmp_path / "spool") as (log, told):
            await log.store([])
            await told.drained()
            assert await log.store([entry(application_id="a")]) == [other.decision]

    asyncio.run(life())
    assert waiting.row.id in stored(address)
    assert claim_of(address, "a") == other.row.id
    assert problems(address) == []


def test_a_database_that_takes_long_keeps_nobody_waiting_and_has_everything_in_the_end(
    postgres: Postgres, tmp_path: Path
) -> None:
    address = postgres.database()
    ask(address, schema_version.upgrade)
    slow_down(postgres, address)
    given = [some(2), some(1)]

    async def life() -> None:
        async with spooling(address, tmp_path / "spool") as (log, told):
            for batch in given:
                await answered(log, batch)
            assert told[-1] > 0
            await told.drained()

    asyncio.run(life())
    assert stored(address) == ids(*given)
    assert problems(address) == []


def slow_down(postgres: Postgres, address: str) -> None:
    """Let each commit of a batch take 500 ms."""
    body = "BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END"
    made = f"CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS '{body}'"
    event = "AFTER INSERT ON batches DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()"
    for statement in (made, f"CREATE CONSTRAINT TRIGGER slow {event}"):
        postgres.run(statement, address.rpartition("/")[2])
