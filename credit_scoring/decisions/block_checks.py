"""Checks of blocks and decisions: every hash computed anew, every chain followed to its end."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, except_, func, select

from credit_scoring.decisions.chain import Head, Row, RowsHash, block_hash
from credit_scoring.decisions.erasure_checks import Erased, rows_left
from credit_scoring.decisions.head_checks import Place, known_blocks, portions
from credit_scoring.decisions.ids import first_id_at
from credit_scoring.decisions.tables import blocks, decisions, purges, writers
from credit_scoring.decisions.verdict import ROWS_AT_A_TIME, OnProgress, Verdict, stream

MOST_OPEN = 1_000


def check_chains(connection: Connection, verdict: Verdict) -> None:
    """Every block against the one before it, and the first one against its writer."""
    chained = select(blocks, writers.c.hash.label("begun")).outerjoin(writers, writers.c.id == blocks.c.writer)
    current, previous = "", Head(0, "")
    for block in stream(chained.order_by(blocks.c.writer, blocks.c.number), connection):
        if block.writer != current:
            current, previous = block.writer, Head(0, block.begun or "")
            if block.begun is None:
                verdict.note(f"Writer {current}: its introduction was removed.")
        _check_link(previous, block, verdict)
        previous = Head(block.number, block.hash)
        verdict.blocks += 1


def _check_link(previous: Head, block: Any, verdict: Verdict) -> None:
    writer, number, known = block.writer, block.number, block.begun is not None
    if number != previous.number + 1:
        verdict.note(f"Writer {writer}: block {previous.number + 1} was removed, or {number} inserted.")
    elif known and block.hash != block_hash(
        previous.hash, writer, number, block.decided_at, block.size, block.rows_hash
    ):
        verdict.note(f"Writer {writer}, block {number}: altered, or chained to another block.")


def check_rows(connection: Connection, verdict: Verdict, on_progress: OnProgress) -> None:
    """Every decision against its block."""
    total = connection.scalar(select(func.count()).select_from(decisions)) or 0
    erased = Erased(connection)
    for some in portions(_blocks_of_rows(connection, verdict, on_progress, total)):
        places = [place for place, _ in some]
        known, left = known_blocks(places, connection), erased.of(places)
        for place, found in some:
            _check_block(place, found, known.get(place), left.get(place, ()), verdict)
    on_progress(total, total)


def _blocks_of_rows(
    connection: Connection, verdict: Verdict, on_progress: OnProgress, total: int
) -> Iterator[tuple[Place, RowsHash]]:
    """Every block with the hash of its rows: ids rise within a writer, so its blocks come one after the other.

    A block that had no row for longest is taken for ended where very many are open.
    """
    open_blocks: OrderedDict[str, tuple[Place, RowsHash]] = OrderedDict()
    names = ("writer", "batch", *Row._fields)
    ordered = select(*(decisions.c[name] for name in names)).order_by(decisions.c.id)
    for writer, number, *values in stream(ordered, connection):
        place, current = Place(writer, number), open_blocks.get(writer)
        if current is None or current[0] != place:
            if current:
                yield current
            current = open_blocks[writer] = (place, RowsHash())
        current[1].add(Row(*values))
        open_blocks.move_to_end(writer)
        if len(open_blocks) > MOST_OPEN:
            yield open_blocks.popitem(last=False)[1]
        verdict.decisions += 1
        if verdict.decisions % ROWS_AT_A_TIME == 0:
            on_progress(verdict.decisions, total)
    yield from open_blocks.values()


def _check_block(place: Place, found: RowsHash, block: Any, erasures: Sequence[Any], verdict: Verdict) -> None:
    count, where = found.count, f"Writer {place.writer}, block {place.number}"
    if block is None:
        verdict.note(f"Writer {place.writer}: {count} decisions of block {place.number}, which is not on record.")
    elif count != block.size:
        verdict.note(f"{where}: {count} decisions, {block.size} were stored.")
    elif found.value() != rows_left(block.rows_hash, erasures):
        verdict.note(f"{where}: a decision was altered.")


def check_absences(connection: Connection, verdict: Verdict) -> None:
    """Blocks without any of their decisions: purged as on record, or removed."""
    covered = Purged(connection)
    for block in stream(_without_rows(), connection):
        if covered.has(block.writer, block.number) or covered.had(block.decided_at, block.events):
            verdict.purged += block.size
        else:
            removed = f"all of its {block.size} decisions were removed."
            verdict.note(f"Writer {block.writer}, block {block.number}: {removed}")


def _without_rows() -> Select[Any]:
    filled = select(blocks.c.writer, blocks.c.number).where(blocks.c.size > 0)
    absent = except_(filled, select(decisions.c.writer, decisions.c.batch)).subquery()
    of_absent = (blocks.c.writer == absent.c.writer) & (blocks.c.number == absent.c.number)
    by_writer = writers.c.id == blocks.c.writer
    found = select(blocks, writers.c.events).join(absent, of_absent).outerjoin(writers, by_writer)
    return found.order_by(blocks.c.writer, blocks.c.number)


class Purged:
    """Which blocks were purged as on record; the purges themselves are checked by `event_checks`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last: Any = None
        of_earlier_versions = select(func.max(purges.c.decided_before)).where(purges.c.writer.is_(None))
        self._cut: datetime | None = connection.scalar(of_earlier_versions)

    def has(self, writer: str | None, number: int | None) -> bool:
        """Whether a purge names this block; None names no block."""
        if writer is None or number is None:
            return False
        if not self._is_within_last(writer, number):
            before = select(purges).where(purges.c.writer == writer, purges.c.first <= number)
            self._last = self._connection.execute(before.order_by(purges.c.first.desc()).limit(1)).first()
        return self._is_within_last(writer, number)

    def had(self, decided_at: datetime, events: str | None) -> bool:
        """Whether a purge of an earlier version, which named none, covers a block of a writer of an earlier version."""
        return events is None and self._cut is not None and decided_at < self._cut

    def reached(self, id: str) -> bool:
        """Whether some purge took decisions that are as old as what has this id."""
        cut: datetime | None = self._connection.scalar(select(func.max(purges.c.decided_before)))
        return cut is not None and id < first_id_at(cut)

    def _is_within_last(self, writer: str, number: int) -> bool:
        last = self._last
        return last is not None and bool(last.writer == writer and last.first <= number <= last.last)
