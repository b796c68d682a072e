"""best_effort: what the decision log does not take waits in a local SQLite file and follows later, in order."""

import asyncio
import fcntl
import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import URL, Connection, delete, exists, func, select

from credit_scoring.decisions import schema_version
from credit_scoring.decisions.chain import Row
from credit_scoring.decisions.connect import TIMEOUT_S
from credit_scoring.decisions.sqlite import SqliteDatabase
from credit_scoring.decisions.tables import blocks, claims, decisions, namesakes
from credit_scoring.errors import DecisionLogError

FILE = "decisions.db"
LARGEST_READ = 1024


class Spooled(NamedTuple):
    """Decisions that were answered together, and when."""

    decided_at: datetime
    rows: list[Row]


class Spool:
    """One worker's folder with a database of answered decisions, in the same tables as the log.

    The folder is locked while its worker lives, so that another one can tell whose work it may take over. How far the
    decisions have been copied into the log is known here only: who takes a spool over copies all that it finds.
    """

    def __init__(self, folder: Path, *, wait: bool = True) -> None:
        self.folder = folder
        self._copied = ""
        self._lock = _locked(folder, wait)
        self.database = SqliteDatabase(URL.create("sqlite", database=str(folder / FILE)), TIMEOUT_S)

    @classmethod
    def new(cls, folder: Path) -> "Spool":
        """Make the folder; raises DecisionLogError."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return cls(folder)
        except OSError as error:
            raise DecisionLogError(
                f"The spool {folder} cannot be made ({error.strerror}). "
                "Point CREDIT_SCORING_SPOOL_FOLDER at a folder that you may write to."
            ) from error

    def check_order(self, id: str) -> None:
        """Raises DecisionLogError for a decision that would be taken for copied, since it is older than one that is."""
        if id <= self._copied:
            raise DecisionLogError(
                f"The spool {self.folder} has no place for a decision older than those it gave away."
            )

    async def next(self) -> list[Spooled]:
        """The oldest decisions that are not copied, in order; none where all are."""
        return await self.database.run(partial(_read_after, self._copied))

    def note_copied(self, spooled: Spooled) -> None:
        """These are in the log; they stay in the file until it is cleared or removed."""
        self._copied = spooled.rows[-1].id

    async def clear(self) -> None:
        """Delete what is copied, so that no copy of it stays in the files."""
        await self.database.run(partial(_delete_until, self._copied))
        await asyncio.to_thread(self.database.wipe)

    def count(self) -> int:
        """How many decisions are in it."""
        return self.database.run_now(_count)

    async def close(self) -> None:
        """Leave it to the next worker; one without anything to copy is removed."""
        if self._is_done():
            await self.remove()
            return
        await self.database.close()
        os.close(self._lock)

    async def remove(self) -> None:
        """Delete it: all that is in it is in the log."""
        await self.database.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)

    def _is_done(self) -> bool:
        try:
            return not self.database.exists() or not self.database.run_now(partial(_read_after, self._copied))
        except DecisionLogError:  # as long as that is not known, nothing is deleted
            return False


def left_behind(folder: Path) -> Iterator[Spool]:
    """Spools of workers that have ended."""
    for path in sorted(folder.glob(f"*/{FILE}")):
        try:
            yield Spool(path.parent, wait=False)
        except OSError:  # its worker lives, or another one has taken it over
            continue


def _locked(folder: Path, wait: bool) -> int:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        folder.stat()  # raises where another worker has removed it meanwhile
    except OSError:
        os.close(lock)
        raise
    return lock


def _read_after(copied: str, connection: Connection) -> list[Spooled]:
    schema_version.ensure(connection)
    columns = [decisions.c[name] for name in Row._fields]
    together = (blocks.c.writer == decisions.c.writer) & (blocks.c.number == decisions.c.batch)
    found = connection.execute(
        select(blocks.c.decided_at, *columns)
        .join(blocks, together)
        .where(decisions.c.id > copied)
        .order_by(decisions.c.id)
        .limit(LARGEST_READ)
    )
    by_moment = groupby(found, key=lambda row: row[0])
    return [Spooled(moment, [Row(*row[1:]) for row in rows]) for moment, rows in by_moment]


def _delete_until(copied: str, connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA secure_delete = ON")
    for table in (claims, namesakes):
        connection.execute(delete(table).where(table.c.decision <= copied))
    connection.execute(delete(decisions).where(decisions.c.id <= copied))
    holds_some = exists().where((decisions.c.writer == blocks.c.writer) & (decisions.c.batch == blocks.c.number))
    connection.execute(delete(blocks).where(~holds_some))


def _count(connection: Connection) -> int:
    schema_version.ensure(connection)
    return connection.scalar(select(func.count()).select_from(decisions)) or 0
