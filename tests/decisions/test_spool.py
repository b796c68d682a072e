"""best_effort: the spool as a file, and a log that answers by way of it while its database is down."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from benchmarks.support.decision_records import ORIGIN, ask, entry
from benchmarks.support.postgres import Postgres
from benchmarks.support.traffic import crash
from credit_scoring.application.schemas import Decision
from credit_scoring.decisions import schema_version
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.entries import Entry
from credit_scoring.decisions.log import DecisionLog
from credit_scoring.decisions.retention import purge_before
from credit_scoring.decisions.spool import FILE, Spool, left_behind
from credit_scoring.decisions.spooled_log import SpooledLog
from credit_scoring.decisions.tables import blocks, claims, decisions
from credit_scoring.decisions.verification import verify
from credit_scoring.errors import DecisionLogError, NotReadyError, NotStoredError, RepeatError
from credit_scoring.serving.recorder import Recorder, Submission
from credit_scoring.settings import PROJECT_FOLDER
from tests.support.disks import fill_up, small_disk

SOON_S = 30.0
AMPLE_S = 60.0

Outage = Callable[[], AbstractAsyncContextManager[None]]


def some(count: int) -> list[Entry]:
    return [entry() for _ in range(count)]


def ids(*entries: Sequence[Entry]) -> list[str]:
    return [each.row.id for block in entries for each in block]


@asynccontextmanager
async def spool(folder: Path) -> AsyncIterator[tuple[Spool, DecisionLog]]:
    """A spool, and the log that writes into it."""
    spool = Spool.new(folder)
    log = DecisionLog(spool.database, ORIGIN)
    try:
        yield spool, log
    finally:
        await log.close()
        await spool.close()


async def copied(spool: Spool) -> list[str]:
    """The ids of all that is left in it, which are then copied."""
    found = []
    while blocks := await spool.next():
        for block in blocks:
            found += [row.id for row in block.rows]
            spool.note_copied(block)
    return found


# The spool


def test_blocks_come_back_in_the_order_in_which_they_were_kept_as_they_were(tmp_path: Path) -> None:
    strange = {"asked_by": "Filial São Paulo \u2028", "application_id": '"\\😀\u0085'}
    kept = [some(2), [entry(0.1 + 0.2, **strange), entry(5e-324)], some(1)]

    async def life() -> None:
        async with spool(tmp_path / "spool") as (each, log):
            before = datetime.now(UTC)
            for block in kept:
                await log.store(block)
            found = await each.next()
            assert [block.rows for block in found] == [[given.row for given in block] for block in kept]
            assert all(before <= block.decided_at <= datetime.now(UTC) for block in found)
            assert each.count() == 5
            assert await copied(each) == ids(*kept)

    asyncio.run(life())


@pytest.mark.parametrize("is_cleared", [False, True])
def test_what_is_copied_does_not_come_back_and_what_is_kept_meanwhile_does(tmp_path: Path, is_cleared: bool) -> None:
    first, second, third = some(2), some(1), some(1)

    async def life() -> None:
        async with spool(tmp_path / "spool") as (each, log):
            for block in (first, second):
                await log.store(block)
            each.note_copied((await each.next())[0])
            await log.store(third)
            if is_cleared:
                await each.clear()
                assert each.count() == 2
            assert await copied(each) == ids(second, third)
            if is_cleared:
                await each.clear()
                assert each.count() == 0
            with pytest.raises(DecisionLogError, match="older"):
                each.check_order(first[0].row.id)
            each.check_order(entry().row.id)

    asyncio.run(life())


def test_of_what_is_cleared_no_copy_stays_in_the_files_while_the_worker_lives(tmp_path: Path) -> None:
    async def life() -> None:
        async with spool(tmp_path / "spool") as (each, log):
            await log.store([entry(application_id="P-GONE", monthly_income=987_654_321)])
            assert files_with(tmp_path / "spool", "P-GONE", "987654321")
            await copied(each)
            await each.clear()
            await log.store([entry(application_id="P-KEPT")])
            assert not files_with(tmp_path / "spool", "P-GONE", "987654321")
            assert files_with(tmp_path / "spool", "P-KEPT")

    asyncio.run(life())


def files_with(folder: Path, *values: str) -> list[Path]:
    """Files that hold one of these."""
    return [path for path in folder.iterdir() if any(value.encode() in path.read_bytes() for value in values)]


def test_an_application_id_is_free_again_once_its_decision_is_cleared(tmp_path: Path) -> None:
    async def life() -> None:
        async with spool(tmp_path / "spool") as (each, log):
            await log.store([entry(application_id="a")])
            await copied(each)
            await each.clear()
            again = entry(application_id="a", age=50)
            assert await log.store([again]) == [again.decision]

    asyncio.run(life())


def test_a_spool_with_nothing_to_copy_is_removed_when_it_is_closed_and_another_stays(tmp_path: Path) -> None:
    async def life() -> None:
        async with spool(tmp_path / "unused"), spool(tmp_path / "copied") as (done, log):
            await log.store(some(1))
            await copied(done)
            async with spool(tmp_path / "full") as (_, other):
                await other.store(some(1))

    asyncio.run(life())
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_a_folder_that_cannot_be_made_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DecisionLogError, match="CREDIT_SCORING_SPOOL_FOLDER"):
        Spool.new(tmp_path / "file" / "spool")


DYING_WORKER = """
import asyncio, sys
from pathlib import Path
from credit_scoring.decisions.log import DecisionLog
from credit_scoring.decisions.spooled_log import SpooledLog
from credit_scoring.decisions.connect import open_database
from benchmarks.support.decision_records import ORIGIN, entry

async def live(address, folder, *blocks):
    log = SpooledLog(DecisionLog(open_database(address), ORIGIN), Path(folder))
    for size in blocks:
        settled = await log.store([entry() for _ in range(int(size))])
        print(*(decision.decision_id for decision in settled), flush=True)
    print(flush=True)
    await asyncio.sleep(3600)  # until it is killed

asyncio.run(live(*sys.argv[1:]))
"""
UNREACHABLE = "postgresql://owner@127.0.0.1:9/decisions"  # the discard port: nobody listens


@contextmanager
def living_worker(address: str, folder: Path, *blocks: int) -> Iterator[list[str]]:
    """Another process that has answered these blocks; the ids of its decisions. It is killed at the end."""
    command = [sys.executable, "-c", DYING_WORKER, address, str(folder), *map(str, blocks)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT_FOLDER) as process:
        try:
            assert process.stdout
            yield [id for line in iter(process.stdout.readline, "\n") for id in line.split()]
        finally:
            process.kill()


async def close(*spools: Spool) -> None:
    for each in spools:
        await each.close()


def test_the_spool_of_a_worker_that_lives_is_left_alone_and_that_of_a_killed_one_taken_over(tmp_path: Path) -> None:
    with living_worker(UNREACHABLE, tmp_path, 2, 1) as given:
        assert len(given) == 3
        assert list(left_behind(tmp_path)) == []
    (left,) = left_behind(tmp_path)

    async def look() -> None:
        assert left.count() == 3
        assert await copied(left) == given

    asyncio.run(look())
    asyncio.run(close(left))


def test_only_one_worker_takes_over_what_was_left_behind(tmp_path: Path) -> None:
    with living_worker(UNREACHABLE, tmp_path, 1):
        pass
    (mine,) = left_behind(tmp_path)
    assert list(left_behind(tmp_path)) == []
    asyncio.run(close(mine))
    (again,) = left_behind(tmp_path)
    asyncio.run(close(again))


# The log


@pytest.fixture(autouse=True)
def ample_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the log may take long without being away."""
    monkeypatch.setattr("credit_scoring.decisions.spooled_log.PATIENCE_S", SOON_S)


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


async def answered(log: SpooledLog, entries: Sequence[Entry]) -> None:
    """Store them as a recorder does; each gets its own decision."""
    settled = log.store_at_once(entries) or await log.store(entries)
    assert settled == [each.decision for each in entries]


def stored(address: str) -> list[str]:
    """Ids of the decisions on record, block by block as they were chained."""
    ordered = (
        select(decisions.c.id)
        .join(blocks, (blocks.c.writer == decisions.c.writer) & (blocks.c.number == decisions.c.batch))
        .order_by(blocks.c.writer, blocks.c.number, decisions.c.id)
    )
    return ask(address, lambda connection: list(connection.execute(ordered).scalars()), reading=True)


def problems(address: str) -> list[str]:
    return ask(address, verify, reading=True).problems


def test_while_the_database_takes_what_it_is_given_nothing_waits_in_the_spool(address: str, tmp_path: Path) -> None:
    first = entry(application_id="a")
    block = some(3)

    async def life() -> None:
        async with spooling(address, tmp_path / "spool") as (log, told):
            await answered(log, [first])
            again, refused = await log.store([entry(application_id="a"), entry(application_id="a", age=50)])
            assert again == first.decision
            assert isinstance(refused, RepeatError)
            await answered(log, block)
            assert told == []
        assert list((tmp_path / "spool").iterdir()) == []

    asyncio.run(life())
    assert stored(address) == ids([first], block)


def test_during_an_outage_answers_are_given_and_follow_in_order_when_it_is_over(
    address: str, outage: Outage, tmp_path: Path
) -> None:
    before, *during = (some(size) for size in (1, 2, 3, 1))
    after = some(2)

    async def life() -> None:
        async with spooling(address, tmp_path / "spool") as (log, told):
            await answered(log, before)
            async with outage():
                for block in during:
                    await answered(log, block)
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
    newest = select(blocks.c.decided_at).order_by(blocks.c.number.desc()).limit(1)
    found = ask(address, lambda connection: connection.execute(newest).scalar_one(), reading=True)
    assert found <= decided_before


def test_a_worker_that_starts_during_an_outage_answers_and_its_decisions_follow(
    address: str, outage: Outage, tmp_path: Path
) -> None:
    during = [some(1), some(2)]

    async def life() -> None:
        async with outage(), spooling(address, tmp_path / "spool") as (log, _):
            assert await log.store([]) == []
            for block in during:
                await answered(log, block)
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
                for block in during:
                    await answered(log, block)
            async with asyncio.timeout(SOON_S):
                while told[-1] == len(during):
                    await asyncio.sleep(0.001)
            for block in meanwhile:
                await answered(log, block)
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
    new = some(1)

    async def life() -> None:
        async with spooling(address, tmp_path / "spool") as (log, told):
            await answered(log, new)
            await told.drained()

    asyncio.run(life())
    assert stored(address) == [*left, *ids(new)]
    assert problems(address) == []


def test_what_a_worker_leaves_that_ends_after_its_successor_began_is_counted_and_stored_by_the_successor(
    address: str, outage: Outage, often: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left = some(3)

    async def life() -> None:
        async with spooling(address, tmp_path / "spool") as (successor, told):
            async with outage(), spooling(address, tmp_path / "spool") as (log, _):
                await answered(log, left)
                assert await successor.store([]) == []
                assert told == []
            await told.drained()
            assert told[0] == len(left)

    asyncio.run(life())
    assert stored(address) == ids(left)
    assert problems(address) == []
    assert "3 answered decisions are left in " in caplog.text


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers look every moment for what others have left."""
    monkeypatch.setattr("credit_scoring.decisions.inheritance.LOOK_EVERY_S", 0.01)


def test_what_was_inherited_counts_among_what_waits(address: str, outage: Outage, tmp_path: Path) -> None:
    async def life() -> None:
        async with spool(tmp_path / "spool" / "ended") as (_, ended):
            await ended.store(some(2))
        async with outage(), spooling(address, tmp_path / "spool") as (log, told):
            await log.store([])
            assert told == [2]

    asyncio.run(life())


def test_a_spool_that_cannot_be_read_is_told_once_and_left_to_whichever_worker_can_read_it_later(
    address: str, often: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left = some(2)
    file, aside = tmp_path / "spool" / "ended" / FILE, tmp_path / "aside"

    async def life() -> None:
        async with spool(file.parent) as (_, ended):
            await ended.store(left)
        file.rename(aside)
        file.write_bytes(b"no database" * 100)
        async with spooling(address, tmp_path / "spool") as (log, told):
            await log.store([])
            (unlocked,) = left_behind(tmp_path / "spool")
            await unlocked.close()
            aside.replace(file)
            await told.drained()

    asyncio.run(life())
    assert stored(address) == ids(left)
    assert caplog.text.count("is not stored until it can be read") == 1


def test_a_worker_that_was_killed_while_it_drained_its_spool_leaves_nothing_to_be_stored_twice(
    address: str, tmp_path: Path
) -> None:
    """It had copied the first block and not deleted it."""
    kept = [[entry(application_id="a"), entry()], some(3)]

    async def die() -> None:
        async with spool(tmp_path / "spool" / "killed") as (each, log), worker(address) as main:
            for block in kept:
                await log.store(block)
            first, _ = await each.next()
            await main.store_given(first.rows, first.decided_at)

    async def live() -> None:
        async with spooling(address, tmp_path / "spool") as (log, told):
            await log.store([])
            await told.drained()

    asyncio.run(die())
    asyncio.run(live())
    assert sorted(stored(address)) == ids(*kept)
    assert claim_of(address, "a") == kept[0][0].row.id
    assert problems(address) == []


def test_a_log_verifies_that_has_spools_of_workers_that_ran_side_by_side_and_so_it_does_once_it_is_purged(
    address: str, tmp_path: Path
) -> None:
    """Their decisions alternate in time, and all come from one worker."""
    given = some(16)

    async def die() -> None:
        async with spool(tmp_path / "spool" / "one") as (_, one), spool(tmp_path / "spool" / "other") as (_, other):
            for start in range(0, len(given), 4):
                for log, place in ((one, start), (other, start + 1)):
                    await log.store([given[place], given[place + 2]])

    async def live() -> None:
        async with spooling(address, tmp_path / "spool") as (log, told):
            await log.store([])
            await told.drained()

    asyncio.run(die())
    asyncio.run(live())
    assert sorted(stored(address)) == ids(given)
    assert problems(address) == []
    assert purge_some_at_a_time(address, datetime.now(UTC), 3) == [4, 4, 4, 4]
    assert problems(address) == []


def purge_some_at_a_time(address: str, moment: datetime, count: int) -> list[int]:
    """Purge what was decided before this moment; how many decisions each transaction took."""
    sizes: list[int] = []
    database = open_database(address, timeout=AMPLE_S)
    purge_before(moment, database, rows_at_a_time=count, on_purged=sizes.append)
    asyncio.run(database.close())
    return sizes


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


def test_an_application_sent_again_during_an_outage_is_answered_as_before(
    address: str, outage: Outage, tmp_path: Path
) -> None:
    first = entry(application_id="a")

    async def life() -> None:
        async with spooling(address, tmp_path / "spool") as (log, told):
            await log.store([])
            async with outage():
                await answered(log, [first])
                again, refused = await log.store([entry(application_id="a"), entry(application_id="a", age=50)])
                assert again == first.decision
                assert isinstance(refused, RepeatError)
                assert told == [1]
            await told.drained()
            assert await log.store([entry(application_id="a")]) == [first.decision]

    asyncio.run(life())
    assert stored(address) == ids([first])
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
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("credit_scoring.decisions.spooled_log.PATIENCE_S", 0.3)
    address = postgres.database()
    ask(address, schema_version.upgrade)
    slow_down(postgres, address)
    given = [some(2), some(1)]

    async def life() -> None:
        async with spooling(address, tmp_path / "spool") as (log, told):
            for block in given:
                await answered(log, block)
            assert told[-1] > 0
            await told.drained()

    asyncio.run(life())
    assert stored(address) == ids(*given)
    assert problems(address) == []


def slow_down(postgres: Postgres, address: str) -> None:
    """Let each commit of a block take 500 ms."""
    body = "BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END"
    made = f"CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS '{body}'"
    event = "AFTER INSERT ON batches DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()"
    for statement in (made, f"CREATE CONSTRAINT TRIGGER slow {event}"):
        postgres.run(statement, address.rpartition("/")[2])


# The disk of the spool


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Room for a few spools."""
    with small_disk(tmp_path / "disk", "2m") as folder:
        yield folder


@asynccontextmanager
async def deciding(log: SpooledLog) -> AsyncIterator[Recorder]:
    """A worker's recorder under best_effort; it closes the log."""
    recorder = Recorder(log, ORIGIN.features, timeout=AMPLE_S)
    await recorder.open()
    try:
        yield recorder
    finally:
        await recorder.close()


async def ask_for(recorder: Recorder, given: Entry) -> Decision | BaseException:
    caller: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
    submission = Submission(given.application, given.row.received.encode(), given.row.asked_by)
    recorder.keep([submission], [caller], [given.decision])
    (found,) = await asyncio.gather(caller, return_exceptions=True)
    return found


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():
            await asyncio.sleep(0.005)


def test_while_the_log_is_away_and_the_spools_disk_is_full_nothing_is_decided_and_afterwards_it_is_again(
    address: str, outage: Outage, disk: Path
) -> None:
    """What was refused is stored nowhere, ever, and its application id is free."""
    kept, refused, after = (entry(application_id=name) for name in "aba")
    again = entry(application_id="b", age=50)
    told = Told()

    async def life() -> None:
        log = SpooledLog(DecisionLog(open_database(address), ORIGIN), disk / "spool", told.append)
        async with deciding(log) as recorder:
            await until(lambda: recorder.writable)
            async with outage():
                assert await ask_for(recorder, kept) == kept.decision
                ballast = fill_up(disk)
                assert isinstance(await ask_for(recorder, refused), NotStoredError)
                with pytest.raises(NotReadyError):
                    recorder.check_admission()
                ballast.unlink()
                await until(lambda: recorder.writable)
                assert await ask_for(recorder, again) == again.decision
            await told.drained()
            assert await ask_for(recorder, after) == kept.decision

    asyncio.run(life())
    assert stored(address) == ids([kept, again])
    assert problems(address) == []


def test_what_a_full_disk_keeps_from_being_deleted_is_stored_once_and_no_more_is_spooled(
    address: str, outage: Outage, disk: Path
) -> None:
    """The log is back before there is room: what comes now goes past the spool, which drains all the same."""
    during, after = some(3), some(2)
    told = Told()

    async def life() -> None:
        log = SpooledLog(DecisionLog(open_database(address), ORIGIN), disk / "spool", told.append)
        async with deciding(log) as recorder:
            await until(lambda: recorder.writable)
            async with outage():
                for each in during:
                    assert await ask_for(recorder, each) == each.decision
                fill_up(disk)
            await told.drained()
            for each in after:
                assert await ask_for(recorder, each) == each.decision
            assert told[-1] == 0
            assert recorder.writable
        assert list((disk / "spool").iterdir()) == []

    asyncio.run(life())
    assert stored(address) == ids(during, after)
    assert problems(address) == []


def test_a_worker_starts_with_a_full_disk_for_its_spool_and_says_so(
    disk: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address = f"sqlite:///{tmp_path}/decisions.db"
    given = entry()

    async def life() -> None:
        async with spooling(address, disk / "spool") as (log, _):
            fill_up(disk)
            assert await log.store([]) == []
            await answered(log, [given])

    asyncio.run(life())
    assert stored(address) == ids([given])
    assert "nothing is decided while the decision log is away" in caplog.text
