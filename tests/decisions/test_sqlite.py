"""What is particular to the decision log in a file of SQLite."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from subprocess import PIPE, Popen
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from benchmarks.support.decision_records import entry
from credit_scoring.decisions import schema_version, sqlite
from credit_scoring.decisions.chain import Block, Claims, Head, Row
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.database import Appender
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.sqlite import LARGEST_INSERT, SqliteDatabase
from credit_scoring.errors import DecisionLogError, DuplicateError

SHORT_S = 0.1
AMPLE_S = 20.0
MARKER = "987654321.25"
RECOVERY = """
import fcntl, sys
path = sys.argv[1]
with open(path, "r+b") as database, open(path + "-wal", "wb"), open(path + "-shm", "w+b") as index:
    fcntl.lockf(database, fcntl.LOCK_SH, 510, 0x40000002)  # in use
    index.truncate(32768)  # of zeros, still to be recovered
    fcntl.lockf(index, fcntl.LOCK_SH, 1, 128)  # in use
    fcntl.lockf(index, fcntl.LOCK_EX, 3, 120)  # writing, checkpointing, recovering
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A new database with the decision log's tables."""
    path = tmp_path / "decisions.db"
    database = opened(path)
    database.run_now(schema_version.upgrade)
    asyncio.run(database.close())
    return path


def opened(path: Path, timeout: float = AMPLE_S) -> SqliteDatabase:
    database = open_database(f"sqlite:///{path}", timeout=timeout)
    assert isinstance(database, SqliteDatabase)
    return database


@asynccontextmanager
async def appending(path: Path, timeout: float = AMPLE_S) -> AsyncIterator[Appender]:
    database = opened(path, timeout)
    appender = database.appender()
    try:
        yield appender
    finally:
        await appender.close()
        await database.close()


@contextmanager
def locked(path: Path, *, to_all: bool = False) -> Iterator[sqlite3.Connection]:
    """The database while another connection writes to it, or has it for itself, as while it tidies up."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        if to_all:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        yield other
        if other.in_transaction:
            other.execute("ROLLBACK")


@contextmanager
def recovering(path: Path) -> Iterator[None]:
    """The database while another process recovers its write-ahead log, by the locks that SQLite documents."""
    command = [sys.executable, "-c", RECOVERY, str(path)]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            other.stdin.close()


def block(*rows: Row, claims: Claims | None = None) -> Block:
    """The first of a writer that nobody knows."""
    return Head(0, "0" * 64).next(new_id(), datetime.now(UTC), rows, claims)


def a_row(application_id: str | None = None) -> Row:
    return entry(application_id=application_id).row


def stored(path: Path) -> list[Row]:
    with closing(sqlite3.connect(path)) as other:
        return [Row(*row) for row in other.execute(f"SELECT {', '.join(Row._fields)} FROM decisions ORDER BY id")]


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as other:
        return int(other.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        for statement in statements:
            other.execute(statement)


# On the event loop


def test_what_is_appended_at_once_is_there_for_others_when_that_returns(path: Path) -> None:
    async def scenario() -> None:
        async with appending(path) as appender:
            row = a_row()
            assert appender.append_at_once(block(row))
            assert stored(path) == [row]

    asyncio.run(scenario())


def test_while_another_process_writes_nothing_is_appended_at_once_and_afterwards_it_is(path: Path) -> None:
    async def scenario() -> None:
        async with appending(path) as appender:
            waiting = block(a_row("a"))
            with locked(path):
                assert not appender.append_at_once(waiting)
                assert not appender.append_at_once(waiting)
            assert stored(path) == []
            assert appender.append_at_once(waiting)
            assert stored(path) == list(waiting.rows)

    asyncio.run(scenario())


def test_what_fails_at_once_leaves_nothing_of_its_block(path: Path) -> None:
    async def scenario() -> None:
        async with appending(path) as appender:
            assert appender.append_at_once(block(a_row("a")))
            assert not appender.append_at_once(block(a_row("b"), a_row("a")))
            assert not appender.append_at_once(block(a_row(), claims=[("a", new_id())]))
            assert appender.append_at_once(block(a_row("b")))

    asyncio.run(scenario())
    assert [row.application_id for row in stored(path)] == ["a", "b"]
    assert (count(path, "batches"), count(path, "claims")) == (2, 2)


class SlowDisk(sqlite3.Connection):
    """A connection to a disk that takes its time for each commit while `commit_s` says so."""

    commit_s = 0.0

    def cursor(self, *_: Any, **__: Any) -> Any:
        return super().cursor(SlowCursor)


class SlowCursor(sqlite3.Cursor):
    def execute(self, sql: str, *given: Any) -> Any:
        if sql == "COMMIT":
            Event().wait(SlowDisk.commit_s)
        return super().execute(sql, *given)


def test_while_commits_take_long_blocks_are_appended_in_the_thread_and_one_in_a_few_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would hold up the event loop; now and then one tells whether commits are short again."""
    monkeypatch.setattr(sqlite, "SHORT_S", 0.05)  # what no commit takes on a busy machine either
    monkeypatch.setattr(sqlite, "HANGS_S", AMPLE_S)
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=SlowDisk))

    async def scenario() -> None:
        async with appending(path) as appender:
            assert appender.is_quick
            assert appender.append_at_once(block(a_row()))
            monkeypatch.setattr(SlowDisk, "commit_s", 0.08)
            while appender.is_quick:
                assert appender.append_at_once(block(a_row()))
                assert count(path, "batches") < 50
            monkeypatch.setattr(SlowDisk, "commit_s", 0.0)
            is_quick = []
            for _ in range(sqlite.TRIED_EVERY):
                is_quick.append(appender.is_quick)
                await appender.append(block(a_row()))
            assert is_quick.count(True) == 1
            while not (appender.is_quick and appender.append_at_once(block(a_row())) and appender.is_quick):
                await appender.append(block(a_row()))
                assert count(path, "batches") < 1000

    asyncio.run(scenario())


def test_a_disk_that_hangs_is_not_tried_on_the_event_loop_before_it_is_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "SHORT_S", 0.05)
    monkeypatch.setattr(sqlite, "HANGS_S", 0.2)
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=SlowDisk))

    async def scenario() -> None:
        async with appending(path) as appender:
            assert appender.is_quick
            assert appender.append_at_once(block(a_row()))
            monkeypatch.setattr(SlowDisk, "commit_s", 2.0)
            assert appender.append_at_once(block(a_row()))
            assert not appender.is_quick
            monkeypatch.setattr(SlowDisk, "commit_s", 0.25)
            for _ in range(sqlite.TRIED_EVERY):
                await appender.append(block(a_row()))
                assert not appender.is_quick
            monkeypatch.setattr(SlowDisk, "commit_s", 0.0)
            execute(
                path, *SLOW_INSERTS
            )  # takes the thread longer than a disk that hangs, and tells nothing of the disk
            while not appender.is_quick:
                await appender.append(block(a_row()))
                assert count(path, "batches") < 1000

    asyncio.run(scenario())


def test_a_large_block_is_appended_at_once_though_inserting_it_takes_long(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread would take as long for it, and hold up the event loop meanwhile."""
    monkeypatch.setattr(sqlite, "SHORT_S", 0.05)

    async def scenario() -> None:
        async with appending(path) as appender:
            assert appender.append_at_once(block(a_row()))
            execute(path, *SLOW_INSERTS)
            for _ in range(5):
                assert appender.append_at_once(block(a_row()))
                assert appender.seconds > sqlite.SHORT_S
                assert appender.is_quick

    asyncio.run(scenario())


SLOW_INSERTS = (
    "CREATE VIEW long_sum AS WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number LIMIT 2000000) "
    "SELECT sum(n) AS total FROM number",
    "CREATE TRIGGER slow AFTER INSERT ON batches BEGIN SELECT total FROM long_sum; END",
)


def test_where_there_is_no_database_yet_nothing_is_appended_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with appending(tmp_path / "new.db") as appender:
            assert not appender.append_at_once(block(a_row()))

    asyncio.run(scenario())


# In the thread


@pytest.mark.parametrize(
    "busy", [locked, partial(locked, to_all=True), recovering], ids=["writing", "alone", "recovering"]
)
def test_append_waits_until_the_other_process_has_finished(
    path: Path, busy: Callable[[Path], AbstractContextManager[object]]
) -> None:
    async def scenario() -> None:
        async with appending(path) as appender:
            waiting = block(a_row())
            with busy(path):
                appending_it = asyncio.create_task(appender.append(waiting))
                done, _ = await asyncio.wait({appending_it}, timeout=SHORT_S)
                assert not done
            await appending_it
            assert stored(path) == list(waiting.rows)

    asyncio.run(scenario())


def test_a_database_that_stays_locked_is_an_error_after_the_timeout_and_nothing_is_stored(path: Path) -> None:
    async def scenario() -> None:
        async with appending(path, timeout=SHORT_S) as appender:
            waiting = block(a_row())
            with locked(path), pytest.raises(DecisionLogError, match="database is locked") as failure:
                await appender.append(waiting)
            assert not isinstance(failure.value, DuplicateError)
            assert stored(path) == []
            await appender.append(waiting)
            assert stored(path) == list(waiting.rows)

    asyncio.run(scenario())


def test_an_application_id_that_is_claimed_already_is_a_duplicate_and_nothing_of_its_block_is_stored(
    path: Path,
) -> None:
    async def scenario() -> None:
        async with appending(path) as one, appending(path) as two:
            await one.append(block(a_row("a")))
            with pytest.raises(DuplicateError):
                await two.append(block(a_row("b"), a_row("a")))
            await two.append(block(a_row("b")))

    asyncio.run(scenario())
    assert [row.application_id for row in stored(path)] == ["a", "b"]
    assert (count(path, "batches"), count(path, "claims")) == (2, 2)


def test_a_block_of_many_rows_is_stored_whole_and_in_order(path: Path) -> None:
    rows = [a_row(str(number)) for number in range(3 * LARGEST_INSERT + 1)]

    async def scenario() -> None:
        async with appending(path) as appender:
            await appender.append(block(*rows[1:]))
            assert appender.append_at_once(block(rows[0]))

    asyncio.run(scenario())
    assert stored(path) == rows
    assert count(path, "claims") == len(rows)


def test_two_workers_that_write_at_the_same_time_both_store_all_they_have(path: Path) -> None:
    async def write(appender: Appender) -> None:
        for _ in range(25):
            await appender.append(block(a_row()))

    async def scenario() -> None:
        async with appending(path) as one, appending(path) as two:
            await asyncio.gather(write(one), write(two))

    asyncio.run(scenario())
    assert count(path, "decisions") == 50


def test_each_commit_is_on_the_disk_before_it_returns(path: Path) -> None:
    with closing(opened(path).connect()) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


# Values

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
rows_of_values = st.builds(
    Row, st.builds(new_id), st.none() | texts, texts, texts, st.floats(0, 1), st.sampled_from(["APROVADO"]), texts
)


@given(st.lists(rows_of_values, min_size=1, max_size=5))
def test_every_text_and_every_float_comes_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, rows: Sequence[Row]
) -> None:
    path = tmp_path_factory.getbasetemp() / "values.db"
    database = opened(path)
    if not path.exists():
        database.run_now(schema_version.upgrade)

    async def scenario() -> None:
        async with appending(path) as appender:
            await appender.append(block(*rows, claims=[]))

    asyncio.run(scenario())

    def work(connection: Connection) -> list[Row]:
        wanted = text(f"SELECT {', '.join(Row._fields)} FROM decisions WHERE id >= :first ORDER BY id")
        return [Row(*row) for row in connection.execute(wanted, {"first": min(row.id for row in rows)})]

    assert database.run_now(work, reading=True) == sorted(rows)
    asyncio.run(database.close())


# A file that is gone


def delete(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    copy = path.with_suffix(".copy")
    with closing(sqlite3.connect(path)) as one, closing(sqlite3.connect(copy)) as other:
        one.backup(other)
    copy.replace(path)


def delete_write_ahead_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


@pytest.mark.parametrize("take_away", [delete, replace, delete_write_ahead_log])
def test_a_file_that_is_taken_away_while_it_is_in_use_is_written_no_more(
    path: Path, take_away: Callable[[Path], None]
) -> None:
    async def scenario() -> None:
        database = opened(path)
        appender = database.appender()
        try:
            assert appender.append_at_once(block(a_row()))
            await appender.append(block(a_row()))
            database.check()
            take_away(path)
            with pytest.raises(DecisionLogError, match=r"decisions\.db.* moved, deleted or replaced"):
                database.check()
            assert not appender.append_at_once(block(a_row()))
            with pytest.raises(DecisionLogError, match="Put it back, or restart the service"):
                await appender.append(block(a_row()))
            with pytest.raises(DecisionLogError, match="moved, deleted or replaced"):
                await database.run(lambda connection: connection.execute(text("INSERT INTO claims VALUES ('a', 'b')")))
            assert path.exists() == (take_away is not delete)
        finally:
            await appender.close()
            await database.close()

    asyncio.run(scenario())


def test_between_two_looks_at_the_files_none_is_taken_unless_they_were_gone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "CHECK_EVERY_S", 1000.0)
    database = opened(path)
    with closing(database.connect()):
        delete(path)
        database.check_now_and_then()
        with pytest.raises(DecisionLogError):
            database.check()
        with pytest.raises(DecisionLogError):
            database.check_now_and_then()
    asyncio.run(database.close())


def test_a_file_that_is_put_back_is_written_again(path: Path) -> None:
    async def scenario() -> None:
        async with appending(path) as appender:
            rows = [a_row(), a_row()]
            await appender.append(block(rows[0]))
            away = path.rename(path.with_suffix(".away"))
            with pytest.raises(DecisionLogError):
                await appender.append(block(a_row()))
            away.rename(path)
            await appender.append(block(rows[1]))
            assert stored(path) == rows

    asyncio.run(scenario())


# Errors


def test_no_message_holds_a_value_of_a_row(path: Path) -> None:
    async def scenario() -> None:
        async with appending(path) as appender:
            row = a_row(MARKER)._replace(received=MARKER, seen=MARKER, asked_by=MARKER)
            await appender.append(block(row))
            with pytest.raises(DuplicateError) as duplicate:
                await appender.append(block(row))
            assert MARKER not in str(duplicate.value)
            execute(path, "DROP TABLE claims")
            with pytest.raises(DecisionLogError) as failure:
                await appender.append(block(row))
            assert MARKER not in str(failure.value)

    asyncio.run(scenario())


def test_no_message_of_a_statement_holds_its_values(path: Path) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO claims VALUES (:id, NULL)"), {"id": MARKER})

    with pytest.raises(DecisionLogError) as failure:
        opened(path).run_now(work)
    assert MARKER not in str(failure.value)


def test_what_a_failing_piece_of_work_has_written_is_undone(path: Path) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO claims VALUES ('a', 'b')"))
        raise ValueError

    with pytest.raises(DecisionLogError, match="failed: ValueError at "):
        opened(path).run_now(work)
    assert count(path, "claims") == 0


def test_a_file_that_is_no_database_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "decisions.db"
    path.write_text("This is a letter to a friend, and rather longer than a page of SQLite's header is.\n" * 100)
    with pytest.raises(DecisionLogError, match=r"decisions\.db failed: file is not a database"):
        opened(path).run_now(schema_version.ensure)


def test_a_folder_that_cannot_be_made_is_an_error_that_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DecisionLogError, match="CREDIT_SCORING_DATABASE_URL"):
        opened(tmp_path / "file" / "decisions.db").run_now(schema_version.ensure)


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    path = tmp_path / "some" / "where" / "decisions.db"
    opened(path).run_now(schema_version.ensure)
    assert count(path, "decisions") == 0


def test_what_reads_waits_for_nobody_and_sees_what_was_committed_before(path: Path) -> None:
    with locked(path) as other:
        other.execute("INSERT INTO claims VALUES ('a', 'b')")
        reading = opened(path, timeout=SHORT_S)
        found = reading.run_now(lambda connection: connection.scalar(text("SELECT count(*) FROM claims")), reading=True)
        assert found == 0
        with pytest.raises(DecisionLogError, match="database is locked"):
            reading.run_now(lambda connection: connection.scalar(text("SELECT count(*) FROM claims")))
