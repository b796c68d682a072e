"""The chain of what happened after decisions: one event for each outcome, review, explanation, erasure and the like."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from credit_scoring.decisions.chain import Event, Hash, Head, content_hash, event_hash
from credit_scoring.decisions.tables import (
    decisions,
    erasures,
    events,
    explanations,
    group_ends,
    outcomes,
    purges,
    reviews,
)

BEFORE_THE_FIRST = Head(0, "")

OUTCOME, REVIEW, REASONS, GROUP_END, ERASURE, PURGE = "outcome", "review", "reasons", "groupend", "erasure", "purge"
TABLES: Mapping[str, Table] = {
    OUTCOME: outcomes,
    REVIEW: reviews,
    REASONS: explanations,
    GROUP_END: group_ends,
    ERASURE: erasures,
    PURGE: purges,
}
_HASHED = {  # spelled out, so that a column added later leaves the hashes as they are
    OUTCOME: ("id", "decision", "outcome", "observed_on", "reported_at", "reported_by"),
    REVIEW: ("id", "decision", "step", "reason", "reviewer", "recorded_at", "recorded_by"),
    REASONS: ("id", "decision", "content", "given_at", "given_to"),
    GROUP_END: ("id", "decision", "writer", "batch", "ends_on", "reported_at", "reported_by"),
    ERASURE: (
        *("id", "decision", "writer", "batch", "hash", "rows_before", "rows_after", "followed"),
        *("reason", "legal_basis_ended", "erased_at", "erased_by"),
    ),
    PURGE: ("id", "purged_at", "decided_before", "decisions", "writer", "first", "last", "hash"),
}

Rows = Sequence[Mapping[Any, Any]]


def last(connection: Connection) -> Head:
    """The end of the chain."""
    ordered = select(events.c.number, events.c.hash).order_by(events.c.number.desc()).limit(1)
    found = connection.execute(ordered).first()
    return Head(*found) if found else BEFORE_THE_FIRST


def append(kind: str, rows: Rows, connection: Connection) -> None:
    """Chain these rows of a table of TABLES; the caller holds `one_at_a_time` and stores the rows."""
    places = {} if kind == PURGE else _places({row["decision"] for row in rows}, connection)
    previous, records = last(connection), []
    for row in rows:
        writer, block = places.get(row.get("decision"), (None, None))
        event = Event(kind, row["id"], writer, block, hash_of(kind, row))
        number = previous.number + 1
        previous = Head(number, event_hash(previous.hash, number, event))
        records.append(event._asdict() | previous._asdict())
    if records:
        connection.execute(insert(events), records)


def hash_of(kind: str, row: Mapping[Any, Any]) -> Hash:
    """The hash of the content of a row of `TABLES[kind]`."""
    return content_hash(row[name] for name in _HASHED[kind])


def _places(ids: Iterable[str], connection: Connection) -> dict[str | None, tuple[str, int]]:
    """Writer and block of each of these decisions."""
    found = select(decisions.c.id, decisions.c.writer, decisions.c.batch).where(decisions.c.id.in_(ids))
    return {row.id: (row.writer, row.batch) for row in connection.execute(found)}
