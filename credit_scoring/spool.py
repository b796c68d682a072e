"""best_effort: what the decision log does not take waits in a local file and follows later, in order."""

import asyncio
import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from credit_scoring.chain import Row
from credit_scoring.decision_log import DecisionLog, Entry, Settled
from credit_scoring.errors import StorageError

logger = logging.getLogger(__name__)

PATIENCE_S = 0.3
RETRY_EVERY_S = 0.5
SUFFIX = ".jsonl"


class Spooled(NamedTuple):
    """Decisions that were answered, and when."""

    decided_at: datetime
    rows: list[Row]


class SpoolFile:
    """One worker's file of answered decisions, a line a batch; each is on the disk before `append` returns.

    The file is locked while its worker lives, so that another one can tell whose work it may take over.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = _opened(path)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._read = 0

    def append(self, spooled: Spooled) -> None:
        """Keep a batch; raises StorageError, with nothing kept, where the disk does not take it."""
        line = json.dumps([spooled.decided_at.isoformat(), *spooled.rows]).encode() + b"\n"
        end = self._file.seek(0, os.SEEK_END)
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(end)
            raise StorageError(f"The spool {self.path} cannot be written ({error.strerror}).", error) from error

    def next(self) -> Spooled | None:
        """The oldest batch that is not done; a last line that is not whole was never answered."""
        self._file.seek(self._read)
        line = self._file.readline()
        if not line.endswith(b"\n"):
            return None
        decided_at, *rows = json.loads(line)
        return Spooled(datetime.fromisoformat(decided_at), [Row(*row) for row in rows])

    def done(self) -> None:
        """The batch that `next` gave is done; after the last one the file is empty again."""
        self._file.seek(self._read)
        self._read += len(self._file.readline())
        if self.next() is None:
            self._file.truncate(0)
            self._read = 0

    def count(self) -> int:
        """How many decisions are not done."""
        self._file.seek(self._read)
        return sum(len(json.loads(line)) - 1 for line in self._file if line.endswith(b"\n"))

    def close(self) -> None:
        """Give it up; an empty one is removed."""
        if not self.path.stat().st_size:
            self.path.unlink()
        self._file.close()


def _opened(path: Path) -> BinaryIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab+")
    except OSError as error:
        raise StorageError(
            f"The spool {path} cannot be opened ({error.strerror}). "
            "Point CREDIT_SCORING_SPOOL_FOLDER at a folder that you may write to."
        ) from error


def left_behind(folder: Path) -> Iterator[SpoolFile]:
    """Files of workers that have ended."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            yield SpoolFile(path)
        except (BlockingIOError, StorageError):  # its worker lives, or another one has taken it over
            continue


class SpooledLog:
    """A decision log that takes what it is given straight away, or by way of the spool.

    It begins with what workers that have ended left behind. `tell` is told how many decisions wait in the spool
    whenever that changes. One instance belongs to one event loop.
    """

    def __init__(self, log: DecisionLog, folder: Path, tell: Callable[[int], None] = lambda waiting: None) -> None:
        self._log = log
        self._tell = tell
        self._own = SpoolFile(folder / f"{log.writer}{SUFFIX}")
        self._inherited = list(left_behind(folder))
        self._waiting = sum(each.count() for each in self._inherited)
        self._log_is_free = asyncio.Lock()
        self._draining: asyncio.Task[None] | None = None

    def store_at_once(self, entries: Sequence[Entry]) -> list[Settled] | None:
        """Straight away if nothing waits and nothing is being stored."""
        return None if self._waiting or self._log_is_free.locked() else self._log.store_at_once(entries)

    async def store(self, entries: Sequence[Entry]) -> list[Settled]:
        """Straight away if nothing waits and the log takes it soon, else by way of the spool; raises StorageError."""
        if not self._waiting:
            try:
                async with self._log_is_free:
                    return await asyncio.wait_for(self._log.store(entries), PATIENCE_S)
            except (StorageError, TimeoutError) as error:
                logger.error("%s Decisions wait in %s.", error or "The decision log is slow.", self._own.path)
        spooled = Spooled(datetime.now(UTC), [entry.row for entry in entries])
        if entries:
            self._own.append(spooled)
            self._note(len(entries))
        if self._draining is None:
            self._draining = asyncio.get_running_loop().create_task(self._drain())
        return [entry.decision for entry in entries]

    async def close(self) -> None:
        """Store what can be stored now; the rest stays in the spool for the next worker."""
        if self._draining:
            self._draining.cancel()
        for file in (*self._inherited, self._own):
            file.close()
        await self._log.close()

    async def _drain(self) -> None:
        """Bring what waits into the log, oldest first, however often it takes."""
        while self._waiting:
            try:
                await self._drain_once()
            except (StorageError, TimeoutError):
                await asyncio.sleep(RETRY_EVERY_S)
        self._draining = None
        logger.info("The decision log has everything that waited in the spool.")

    async def _drain_once(self) -> None:
        for file in (*self._inherited, self._own):
            while spooled := file.next():
                async with self._log_is_free:
                    await self._log.store_given(spooled.rows, spooled.decided_at)
                file.done()
                self._note(-len(spooled.rows))

    def _note(self, change: int) -> None:
        self._waiting += change
        self._tell(self._waiting)
