"""How old decisions leave the log: whole blocks, with all that belongs to them; their hashes stay.

A block of which a decision has to be kept, since its group ended less than five years ago or has not, stays as a whole.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, delete, func, insert, select

from credit_scoring.decisions import claims, events, group_ends
from credit_scoring.decisions.claims import Unclaimed
from credit_scoring.decisions.database import Database
from credit_scoring.decisions.head_checks import Place
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.tables import (
    blocks,
    decisions,
    erasures,
    explanations,
    one_at_a_time,
    outcomes,
    purges,
    reviews,
)
from credit_scoring.decisions.tables import group_ends as group_ends_table
from credit_scoring.policy.dates import today

ROWS_AT_A_TIME = 1_000
MOST_OPEN = 1_000
BEFORE_ALL_IDS = "00000000-0000-0000-0000-000000000000"

OnPurged = Callable[[int], None]


class Kept(NamedTuple):
    """Old decisions that stay: those whose groups have not ended long enough ago, all of their blocks, until when."""

    by_law: int
    with_their_blocks: int
    until: date | None


def count_before(moment: datetime, connection: Connection) -> int:
    """How many decisions would go."""
    return connection.scalar(select(func.count()).select_from(_before(moment).subquery())) or 0


def kept_before(moment: datetime, connection: Connection) -> Kept:
    """What of the decisions before this moment has to stay today."""
    keeps = group_ends.keeps_block(today())
    old = select(blocks.c.writer, blocks.c.number, blocks.c.size).where(blocks.c.decided_at < moment, keeps).subquery()
    together = (group_ends_table.c.writer == old.c.writer) & (group_ends_table.c.batch == old.c.number)
    ends = connection.execute(group_ends.kept_today(today()).join(old, together)).all()
    until = max((group_ends.kept_until(each.ends_on) for each in ends), default=None)
    return Kept(len(ends), connection.scalar(select(func.coalesce(func.sum(old.c.size), 0))) or 0, until)


def purge_before(
    moment: datetime,
    database: Database,
    *,
    rows_at_a_time: int = ROWS_AT_A_TIME,
    on_purged: OnPurged = lambda count: None,
) -> int:
    """Delete decisions of blocks decided before this moment, their claims, outcomes and reviews; how many they were.

    Each transaction takes whole blocks of about `rows_at_a_time` decisions and records which, so that the service can
    store in between and an interrupted purge leaves a log that verifies. `on_purged` gets the count of each one.
    """
    gone, others = 0, database.run_now(claims.unclaimed, reading=True)
    for ids in _portions(moment, database, rows_at_a_time):
        count = database.run_now(partial(_purge, ids, others, moment))
        gone += count
        on_purged(count)
    return gone


def _before(moment: datetime) -> Select[Any]:
    of_block = (blocks.c.writer == decisions.c.writer) & (blocks.c.number == decisions.c.batch)
    keeps = group_ends.keeps_block(today())
    return select(decisions.c.id).join(blocks, of_block).where(blocks.c.decided_at < moment, ~keeps)


def _portions(moment: datetime, database: Database, size: int) -> Iterator[list[str]]:
    """Ids of whole blocks, so many that there are at least `size`, in the order in which they were made."""
    portion: list[str] = []
    for ids in _whole_blocks(moment, database, size):
        portion += ids
        if len(portion) >= size:
            yield portion
            portion = []
    if portion:
        yield portion


def _whole_blocks(moment: datetime, database: Database, size: int) -> Iterator[list[str]]:
    """A block is whole when all of it was found; what is left of those that lack rows comes in the end.

    Where there are very many of these, the one that had no row for longest does not wait until then.
    """
    found: OrderedDict[Place, list[str]] = OrderedDict()
    for row in _rows(moment, database, size):
        place = Place(row.writer, row.batch)
        found.setdefault(place, []).append(row.id)
        found.move_to_end(place)
        if len(found[place]) == row.size:
            yield found.pop(place)
        elif len(found) > MOST_OPEN:
            yield found.popitem(last=False)[1]
    yield from found.values()


def _rows(moment: datetime, database: Database, size: int) -> Iterator[Any]:
    after = BEFORE_ALL_IDS
    while chunk := database.run_now(partial(_chunk, moment, after, size), reading=True):
        yield from chunk
        after = chunk[-1].id


def _chunk(moment: datetime, after: str, size: int, connection: Connection) -> Sequence[Any]:
    columns = (decisions.c.writer, decisions.c.batch, blocks.c.size)
    of_chunk = _before(moment).add_columns(*columns).where(decisions.c.id > after)
    return connection.execute(of_chunk.order_by(decisions.c.id).limit(size)).all()


def _purge(ids: Sequence[str], others: Unclaimed, moment: datetime, connection: Connection) -> int:
    one_at_a_time(connection)
    there = (
        _before(moment)
        .add_columns(decisions.c.writer, decisions.c.batch)
        .where(decisions.c.id.in_(ids))
        .order_by(decisions.c.writer, decisions.c.batch)
    )
    rows = connection.execute(there).all()
    if not rows:  # another purge was faster, or the end of a group was reported meanwhile
        return 0
    ids = [row.id for row in rows]
    claims.release(ids, others, connection)
    for table in (outcomes, reviews, explanations, group_ends_table, erasures):
        connection.execute(delete(table).where(table.c.decision.in_(ids)))
    connection.execute(delete(decisions).where(decisions.c.id.in_(ids)))
    _put_on_record(_ranges((row.writer, row.batch) for row in rows), moment, connection)
    return len(rows)


class _Range(NamedTuple):
    """Blocks of one writer without a gap, and how many decisions they had."""

    writer: str
    first: int
    last: int
    decisions: int


def _ranges(places: Iterable[tuple[str, int]]) -> list[_Range]:
    """Of the block of each decision, in order."""
    found: list[_Range] = []
    for writer, number in places:
        before = found[-1] if found else None
        if before and before.writer == writer and number - before.last <= 1:
            found[-1] = _Range(writer, before.first, number, before.decisions + 1)
        else:
            found.append(_Range(writer, number, number, 1))
    return found


def _put_on_record(ranges: Sequence[_Range], moment: datetime, connection: Connection) -> None:
    """What `verify` needs to tell the purge from tampering."""
    now = datetime.now(UTC)
    rows = [
        {
            "id": new_id(),
            "purged_at": now,
            "decided_before": moment,
            **each._asdict(),
            "hash": connection.scalar(
                select(blocks.c.hash).where(blocks.c.writer == each.writer, blocks.c.number == each.last)
            ),
        }
        for each in ranges
    ]
    connection.execute(insert(purges), rows)
    events.append(events.PURGE, rows, connection)
