"""Checks of blocks and decisions: every hash computed anew, every chain followed to its end."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, except_, func, select

from credit_scoring.decisions.chain import Hash, Head, Row, RowsHash, block_hash
from credit_scoring.decisions.erasure_checks import Erased, rows_left
from credit_scoring.decisions.head_checks import Place, portions
from credit_scoring.decisions.ids import first_id_at
from credit_scoring.decisions.tables import blocks, decisions, purges, writers
from credit_scoring.decisions.verdict import ROWS_AT_A_TIME, OnProgress, Verdict, stream

MANY_OPEN, MOST_OPEN = 100, 1_000


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
        left = erased.of([found.place for found in some])
        for found in some:
            _check_block(found, left.get(found.place, ()), verdict)
    on_progress(total, total)


class _Found(NamedTuple):
    """The rows found of a block so far, and what was stored of it; None where it is not on record."""

    place: Place
    size: int | None
    rows_hash: Hash | None
    rows: RowsHash

    @property
    def is_whole(self) -> bool:
        """Whether no more rows are expected."""
        return self.size is not None and self.rows.count >= self.size


def _blocks_of_rows(connection: Connection, verdict: Verdict, on_progress: OnProgress, total: int) -> Iterator[_Found]:
    """Every block with the hash of its rows, between which there may be rows of others, even of the same writer.

    For it copies the spools of workers that ran side by side, and a clock may be set back.
    """
    open_blocks: OrderedDict[Place, _Found] = OrderedDict()
    for writer, number, size, rows_hash, *values in stream(_rows_with_blocks(), connection):
        place = Place(writer, number)
        found = open_blocks.get(place) or _Found(place, size, rows_hash, RowsHash())
        found.rows.add(Row(*values))
        open_blocks[place] = found
        open_blocks.move_to_end(place)
        if ended := _ended(open_blocks):
            yield open_blocks.pop(ended)
        verdict.decisions += 1
        if verdict.decisions % ROWS_AT_A_TIME == 0:
            on_progress(verdict.decisions, total)
    yield from open_blocks.values()


def _rows_with_blocks() -> Select[Any]:
    of_block = (blocks.c.writer == decisions.c.writer) & (blocks.c.number == decisions.c.batch)
    place, stored = (decisions.c.writer, decisions.c.batch), (blocks.c.size, blocks.c.rows_hash)
    rows = select(*place, *stored, *(decisions.c[name] for name in Row._fields))
    return rows.outerjoin(blocks, of_block).order_by(decisions.c.id)


def _ended(open_blocks: OrderedDict[Place, _Found]) -> Place | None:
    """Of many blocks a whole one, of very many any: the one that had no row for longest."""
    if len(open_blocks) <= MANY_OPEN:
        return None
    whole = (place for place, found in open_blocks.items() if found.is_whole)
    return next(whole, next(iter(open_blocks)) if len(open_blocks) > MOST_OPEN else None)


def _check_block(found: _Found, erasures: Sequence[Any], verdict: Verdict) -> None:
    place, count = found.place, found.rows.count
    where = f"Writer {place.writer}, block {place.number}"
    if found.size is None or found.rows_hash is None:
        verdict.note(f"Writer {place.writer}: {count} decisions of block {place.number}, which is not on record.")
    elif count != found.size:
        verdict.note(f"{where}: {count} decisions, {found.size} were stored.")
    elif found.rows.value() != rows_left(found.rows_hash, erasures):
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
