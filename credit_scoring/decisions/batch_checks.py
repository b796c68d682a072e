"""Checks of batches and decisions: every hash computed anew, every chain followed to its end."""

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, except_, func, select

from credit_scoring.decisions.chain import Head, Row, RowsHash, batch_hash
from credit_scoring.decisions.head_checks import Place, known_batches, portions
from credit_scoring.decisions.tables import batches, decisions, purges, writers
from credit_scoring.decisions.verdict import ROWS_AT_A_TIME, OnProgress, Verdict, stream

MOST_OPEN = 1_000


def check_chains(connection: Connection, verdict: Verdict) -> None:
    """Every batch against the one before it, and the first one against its writer."""
    chained = select(batches, writers.c.hash.label("begun")).outerjoin(writers, writers.c.id == batches.c.writer)
    current, previous = "", Head(0, "")
    for batch in stream(chained.order_by(batches.c.writer, batches.c.number), connection):
        if batch.writer != current:
            current, previous = batch.writer, Head(0, batch.begun or "")
            if batch.begun is None:
                verdict.note(f"Writer {current}: its introduction was removed.")
        _check_link(previous, batch, verdict)
        previous = Head(batch.number, batch.hash)
        verdict.batches += 1


def _check_link(previous: Head, batch: Any, verdict: Verdict) -> None:
    writer, number, known = batch.writer, batch.number, batch.begun is not None
    if number != previous.number + 1:
        verdict.note(f"Writer {writer}: batch {previous.number + 1} was removed, or {number} inserted.")
    elif known and batch.hash != batch_hash(
        previous.hash, writer, number, batch.decided_at, batch.size, batch.rows_hash
    ):
        verdict.note(f"Writer {writer}, batch {number}: altered, or chained to another batch.")


def check_rows(connection: Connection, verdict: Verdict, on_progress: OnProgress) -> None:
    """Every decision against its batch."""
    total = connection.scalar(select(func.count()).select_from(decisions)) or 0
    for some in portions(_batches_of_rows(connection, verdict, on_progress, total)):
        known = known_batches([place for place, _ in some], connection)
        for place, found in some:
            _check_batch(place, found, known.get(place), verdict)
    on_progress(total, total)


def _batches_of_rows(
    connection: Connection, verdict: Verdict, on_progress: OnProgress, total: int
) -> Iterator[tuple[Place, RowsHash]]:
    """Every batch with the hash of its rows: ids rise within a writer, so its batches come one after the other.

    A batch that had no row for longest is taken for ended where very many are open.
    """
    open_batches: OrderedDict[str, tuple[Place, RowsHash]] = OrderedDict()
    names = ("writer", "batch", *Row._fields)
    ordered = select(*(decisions.c[name] for name in names)).order_by(decisions.c.id)
    for writer, number, *values in stream(ordered, connection):
        place, current = Place(writer, number), open_batches.get(writer)
        if current is None or current[0] != place:
            if current:
                yield current
            current = open_batches[writer] = (place, RowsHash())
        current[1].add(Row(*values))
        open_batches.move_to_end(writer)
        if len(open_batches) > MOST_OPEN:
            yield open_batches.popitem(last=False)[1]
        verdict.decisions += 1
        if verdict.decisions % ROWS_AT_A_TIME == 0:
            on_progress(verdict.decisions, total)
    yield from open_batches.values()


def _check_batch(place: Place, found: RowsHash, batch: Any, verdict: Verdict) -> None:
    count, where = found.count, f"Writer {place.writer}, batch {place.number}"
    if batch is None:
        verdict.note(f"Writer {place.writer}: {count} decisions of batch {place.number}, which is not on record.")
    elif count != batch.size:
        verdict.note(f"{where}: {count} decisions, {batch.size} were stored.")
    elif found.value() != batch.rows_hash:
        verdict.note(f"{where}: a decision was altered.")


def check_absences(connection: Connection, verdict: Verdict) -> None:
    """Batches without any of their decisions: purged as on record, or removed."""
    covered = Purged(connection)
    for batch in stream(_without_rows(), connection):
        if covered.has(batch.writer, batch.number) or covered.had(batch.decided_at, batch.events):
            verdict.purged += batch.size
        else:
            removed = f"all of its {batch.size} decisions were removed."
            verdict.note(f"Writer {batch.writer}, batch {batch.number}: {removed}")


def _without_rows() -> Select[Any]:
    filled = select(batches.c.writer, batches.c.number).where(batches.c.size > 0)
    absent = except_(filled, select(decisions.c.writer, decisions.c.batch)).subquery()
    of_absent = (batches.c.writer == absent.c.writer) & (batches.c.number == absent.c.number)
    by_writer = writers.c.id == batches.c.writer
    found = select(batches, writers.c.events).join(absent, of_absent).outerjoin(writers, by_writer)
    return found.order_by(batches.c.writer, batches.c.number)


class Purged:
    """Which batches were purged as on record; the purges themselves are checked by `event_checks`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last: Any = None
        of_earlier_versions = select(func.max(purges.c.decided_before)).where(purges.c.writer.is_(None))
        self._cut: datetime | None = connection.scalar(of_earlier_versions)

    def has(self, writer: str, number: int) -> bool:
        """Whether a purge names this batch."""
        if not self._is_within_last(writer, number):
            before = select(purges).where(purges.c.writer == writer, purges.c.first <= number)
            self._last = self._connection.execute(before.order_by(purges.c.first.desc()).limit(1)).first()
        return self._is_within_last(writer, number)

    def had(self, decided_at: datetime, events: str | None) -> bool:
        """Whether a purge of an earlier version, which named none, covers a batch of a writer of an earlier version."""
        return events is None and self._cut is not None and decided_at < self._cut

    def _is_within_last(self, writer: str, number: int) -> bool:
        last = self._last
        return last is not None and bool(last.writer == writer and last.first <= number <= last.last)
