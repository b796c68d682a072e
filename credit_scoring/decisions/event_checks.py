"""Checks of outcomes, reviews and purges against the chain of events, in both directions."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, exists, func, select

from credit_scoring.decisions import events as chained
from credit_scoring.decisions.block_checks import Purged
from credit_scoring.decisions.chain import Event, Head, event_hash
from credit_scoring.decisions.erasure_checks import Erased, Remnant, decided_in
from credit_scoring.decisions.events import ERASURE, GROUP_END, OUTCOME, PURGE, REASONS, REVIEW, TABLES, hash_of
from credit_scoring.decisions.tables import blocks, events, purges, writers
from credit_scoring.decisions.verdict import Verdict, stream

EVENTS_AT_A_TIME = 1_000
FOLLOWED = (OUTCOME, REVIEW, REASONS, GROUP_END)  # what an erasure alters or removes


def check_events(connection: Connection, verdict: Verdict) -> None:
    """Every event against the one before it and against what it is about."""
    previous, purged, erased = chained.BEFORE_THE_FIRST, Purged(connection), Erased(connection)
    for chunk in _chunks(connection):
        contents = {kind: _contents(kind, chunk, connection) for kind in TABLES}
        listed = erased.listed([row for row in chunk if row.kind in FOLLOWED])
        for row in chunk:
            _check_link(previous, row, verdict)
            content = contents.get(row.kind, {}).get(row.subject)
            remnants = listed.get((decided_in(row), row.subject), ()) if row.kind in FOLLOWED else ()
            if remnants:
                _check_remnants(row, content, remnants, verdict)
            else:
                _check_content(row, content, purged, verdict)
            previous = Head(row.number, row.hash)


def _chunks(connection: Connection) -> Iterator[Sequence[Any]]:
    ordered = select(events).order_by(events.c.number).limit(EVENTS_AT_A_TIME)
    chunk = connection.execute(ordered).all()
    while chunk:
        yield chunk
        chunk = connection.execute(ordered.where(events.c.number > chunk[-1].number)).all()


def _contents(kind: str, chunk: Sequence[Any], connection: Connection) -> dict[str, Any]:
    table = TABLES[kind]
    wanted = select(table).where(table.c.id.in_([row.subject for row in chunk if row.kind == kind]))
    return {row["id"]: row for row in connection.execute(wanted).mappings()}


def _check_link(previous: Head, row: Any, verdict: Verdict) -> None:
    event = Event(*(getattr(row, name) for name in Event._fields))
    if row.number != previous.number + 1:
        verdict.note(f"Event {previous.number + 1} was removed, or {row.number} inserted.")
    elif row.hash != event_hash(previous.hash, row.number, event):
        verdict.note(f"Event {row.number}: altered, or chained to another event.")


def _check_remnants(row: Any, content: Any, remnants: Sequence[Remnant], verdict: Verdict) -> None:
    """Of what erasures list exactly that has to be there; a restored backup may have brought more back."""
    what = f"Event {row.number}: its {row.kind} {row.subject}"
    if all(each.is_there(content) for each in remnants):
        return
    if content is None:
        verdict.note(f"{what} was removed.")
    elif hash_of(row.kind, content) == row.content_hash:
        verdict.note(f"{what} was erased, and is back.")
    else:
        verdict.note(f"{what} was altered.")


def _check_content(row: Any, content: Any, purged: Purged, verdict: Verdict) -> None:
    what = f"Event {row.number}: its {row.kind} {row.subject}"
    found = None if content is None else hash_of(row.kind, content)
    if found == row.content_hash:
        return
    if found is not None:
        verdict.note(f"{what} was altered.")
    elif row.kind == PURGE or not _is_purged(row, purged):
        verdict.note(f"{what} was removed.")


def _is_purged(row: Any, purged: Purged) -> bool:
    if row.kind == REASONS and decided_in(row) is None:  # nothing left tells of which decision they were
        return purged.reached(row.subject)
    return purged.has(row.writer, row.batch)


def check_strays(connection: Connection, verdict: Verdict) -> None:
    """Outcomes, reviews and purges without an event: inserted past the service, or stored by an earlier version."""
    by_earlier_versions = connection.scalar(select(exists().where(writers.c.events.is_(None))))
    for kind, table in TABLES.items():
        stray = select(table).outerjoin(events, events.c.subject == table.c.id).where(events.c.number.is_(None))
        for row in stream(stray, connection):
            if not by_earlier_versions or _is_always_chained(kind, row):
                verdict.note(f"{kind.capitalize()} {row.id}: inserted, it has no event.")
            elif kind != PURGE:
                verdict.unchained += 1


def _is_always_chained(kind: str, row: Any) -> bool:
    """Whether no earlier version can have stored it without an event."""
    return kind in (ERASURE, GROUP_END) or (kind == PURGE and row.writer is not None)


def check_purges(connection: Connection, verdict: Verdict) -> None:
    """Every purge against the blocks that it names."""
    for purge in stream(select(purges).where(purges.c.writer.is_not(None)), connection):
        within = blocks.c.number.between(purge.first, purge.last) & (blocks.c.writer == purge.writer)
        stored = connection.scalar(select(func.coalesce(func.sum(blocks.c.size), 0)).where(within))
        of_last = select(blocks.c.hash).where(blocks.c.writer == purge.writer, blocks.c.number == purge.last)
        if connection.scalar(of_last) != purge.hash:
            verdict.note(f"Purge {purge.id}: its blocks are not those on record.")
        elif stored != purge.decisions:
            verdict.note(f"Purge {purge.id}: it took {purge.decisions} decisions, {stored} were stored.")
