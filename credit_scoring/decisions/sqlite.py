"""The decision log in a file of SQLite, in write-ahead mode; each commit is on the disk before it returns."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from credit_scoring.decisions.chain import Block, Row
from credit_scoring.decisions.database import Appender, Database, Result, Work
from credit_scoring.errors import DecisionLogError

THREADS = 4
LARGEST_INSERT = 64
SHORT_S = 0.003
USUAL_WEIGHT = 0.05
STALL = 4  # times SHORT_S: what takes longer counts as much, so that one standstill does not make a disk slow
HANGS_S = 0.1  # but what takes as long as this counts in full
TRIED_EVERY = 16  # blocks of a slow disk; to the thread, waiting for the interpreter lock would look like the disk's
TRIED_WEIGHT = 0.5
CHECK_EVERY_S = 0.05
POLL_S = 0.0005  # SQLite's own waiting sleeps up to 100 ms, for a lock that workers hold for less than one
_READING = {"reading": True}
_COLUMNS = {
    "batches": ("writer", "number", "decided_at", "size", "rows_hash", "hash"),
    "decisions": (Row._fields[0], "writer", "batch", *Row._fields[1:]),
    "claims": ("application_id", "decision"),
    "namesakes": ("owner", "application_id", "decision"),
}
_NEVER = Event()

_Identity = tuple[int, int]


class SqliteDatabase(Database):
    """Asked in threads."""

    driver_failures = (sqlite3.Error,)
    driver_clashes = (sqlite3.IntegrityError,)

    def __init__(self, url: URL, timeout: float) -> None:
        super().__init__(url, timeout)
        self._engine = _engine(self.connect)
        self._paths = (Path(str(url.database)), Path(f"{url.database}-wal"))
        self._files: tuple[_Identity, ...] = ()
        self._check_at = 0.0
        self._threads = ThreadPoolExecutor(THREADS, "database")

    def exists(self) -> bool:
        """Whether there is such a file."""
        return Path(str(self.url.database)).exists()

    async def run(self, work: Work[Result], *, reading: bool = False) -> Result:
        """In a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: self.run_now(work, reading=reading))

    def run_now(self, work: Work[Result], *, reading: bool = False) -> Result:
        """In this thread."""
        options = _READING if reading else {}
        with self.telling(), self._engine.connect().execution_options(**options) as connection, connection.begin():
            result = work(connection)
            self.check()
            return result

    def check_now_and_then(self) -> None:
        """The same as `check`, unless that was done within CHECK_EVERY_S: it takes a quarter as long as a commit."""
        if time.monotonic() >= self._check_at:
            self.check()

    def check(self) -> None:
        """Raises DecisionLogError where the file, or its write-ahead log, is no longer the one that was opened."""
        self._check_at = 0.0
        if self._files and self._identities() != self._files:
            raise DecisionLogError(
                f"The decision log's file {self.url.database}, or its write-ahead log beside it, was moved, deleted or "
                "replaced while it was in use. Put it back, or restart the service."
            )
        self._check_at = time.monotonic() + CHECK_EVERY_S

    def _identities(self) -> "tuple[_Identity, ...]":
        try:
            return tuple([(found.st_dev, found.st_ino) for found in (path.stat() for path in self._paths)])
        except FileNotFoundError:
            return ()

    def connect(self, timeout: float | None = None) -> sqlite3.Connection:
        """A connection of the driver's own, which waits so many seconds for other processes.

        Raises sqlite3.Error, and DecisionLogError where the file is no longer the one that was opened first.
        """
        self.check()  # before SQLite makes a new file in the place of one that is gone
        path = Path(str(self.url.database))
        _make_folder(path.parent)
        wait = self.timeout if timeout is None else timeout
        connection = sqlite3.connect(path, wait, isolation_level=None, check_same_thread=False, cached_statements=256)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1")  # opens the write-ahead log
            self._files = self._files or self._identities()
            self.check()
        except (sqlite3.Error, DecisionLogError):
            connection.close()
            raise
        return connection

    def wipe(self) -> bool:
        """Write the write-ahead log back and empty it, which a reader in another process can keep from happening."""
        with self.telling(), closing(self.connect()) as connection:
            is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not is_busy

    def appender(self) -> Appender:
        """Writes on the event loop, or in a thread."""
        return SqliteAppender(self)

    async def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown(wait=False)
        self._engine.dispose()
        self._files = ()  # SQLite deletes the write-ahead log with the last connection

    def in_short(self, cause: BaseException) -> str:
        """SQLite's own words name no value."""
        return str(cause) if isinstance(cause, sqlite3.Error) else super().in_short(cause)


def _engine(connect: Callable[[], sqlite3.Connection]) -> Engine:
    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, hide_parameters=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DecisionLogError(
            f"The decision log's folder {folder} cannot be made ({error.strerror}). "
            "Point CREDIT_SCORING_DATABASE_URL at a place that you may write to."
        ) from error


class SqliteAppender(Appender):
    """Writes on the event loop itself as long as a commit takes less than SHORT_S, else in a thread.

    A local disk takes a fraction of a millisecond. A thread costs more than that: it and the event loop wait for one
    another's interpreter lock at every statement. docs/adr/0010 has the measurements.
    """

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(1, "decision-log")
        self._here: sqlite3.Connection | None = None
        self._there: sqlite3.Connection | None = None
        self._usual_s = 0.0
        self._commit_s = 0.0  # the last one
        self._blocks = 0

    @property
    def is_quick(self) -> bool:
        """Whether commits are short, or it is time to try how short they are."""
        return self._usual_s <= SHORT_S or (self._blocks % TRIED_EVERY == 0 and self._commit_s < HANGS_S)

    def append_at_once(self, block: Block) -> bool:
        """On the event loop, unless another process is writing."""
        try:
            self._here = self._here or self._database.connect(timeout=0)
            self._append_by(self._here, block, self._database.check_now_and_then)
        except (sqlite3.Error, DecisionLogError):
            return False
        taken = self._commit_s
        weight = USUAL_WEIGHT if self._usual_s <= SHORT_S else TRIED_WEIGHT
        self._usual_s += weight * ((taken if taken > HANGS_S else min(taken, STALL * SHORT_S)) - self._usual_s)
        return True

    async def append(self, block: Block) -> None:
        """In the thread, which waits for other processes; cancelled, it stores nothing unless it is committing."""
        given_up = Event()
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._append_there, block, given_up)
        except asyncio.CancelledError:
            given_up.set()
            raise

    async def close(self) -> None:
        """Wait for the thread, then close."""
        await asyncio.get_running_loop().run_in_executor(self._thread, lambda: None)
        self._thread.shutdown()
        for connection in filter(None, (self._here, self._there)):
            connection.close()

    def _append_there(self, block: Block, given_up: Event) -> None:
        started = time.perf_counter()
        with self._database.telling():
            while not self._append_unless_locked(block, given_up, started + self._database.timeout):
                time.sleep(POLL_S)
        self.seconds = time.perf_counter() - started

    def _append_unless_locked(self, block: Block, given_up: Event, deadline: float) -> bool:
        try:
            self._there = self._there or self._database.connect(timeout=0)
            self._append_by(self._there, block, self._database.check, given_up)
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or given_up.is_set() or time.perf_counter() > deadline:
                raise
            return False
        return True

    def _append_by(
        self, connection: sqlite3.Connection, block: Block, check: Callable[[], None], given_up: Event = _NEVER
    ) -> None:
        cursor = connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        started = time.perf_counter()
        try:
            _insert(cursor, block)
            check()
            if given_up.is_set():
                raise DecisionLogError("Nobody waits for this block any more.")
            inserted = time.perf_counter()
            cursor.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
        now = time.perf_counter()
        self.seconds = now - started
        self._commit_s = now - inserted  # the rest would take no less in the thread
        self._blocks += 1


def _is_busy(error: sqlite3.Error) -> bool:
    """By any of the extended codes, as while another process recovers the write-ahead log; the kind is the low byte."""
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _insert(cursor: sqlite3.Cursor, block: Block) -> None:
    decided_at = block.decided_at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", timespec="microseconds")
    place = (block.writer, block.number)
    _insert_many(cursor, "batches", [(*place, decided_at, len(block.rows), block.rows_hash, block.hash)])
    _insert_many(cursor, "decisions", [(row[0], *place, *row[1:]) for row in block.rows])
    _insert_many(cursor, "claims", block.claims)
    _insert_many(cursor, "namesakes", block.namesakes)


def _insert_many(cursor: sqlite3.Cursor, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """As many rows as possible in one statement; the driver hands the interpreter lock over at each."""
    for start in range(0, len(rows), LARGEST_INSERT):
        part = rows[start : start + LARGEST_INSERT]
        cursor.execute(_statement(table, len(part)), [value for row in part for value in row])


@cache
def _statement(table: str, rows: int) -> str:
    columns = _COLUMNS[table]
    row = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * rows)}"  # noqa: S608 - our own names
