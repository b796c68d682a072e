"""Checks of the ends of chains that were noted at a time: by a writer at its start, or by an anchor."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, tuple_

from credit_scoring.decisions.chain import Hash, Head, Introduction, writer_hash
from credit_scoring.decisions.ends import End
from credit_scoring.decisions.tables import blocks, events, writers
from credit_scoring.decisions.verdict import Verdict, stream

PLACES_AT_A_TIME = 500


class Place(NamedTuple):
    """Where a block stands."""

    writer: str
    number: int


def check_introductions(connection: Connection, verdict: Verdict) -> None:
    """Every writer's own hash, and the ends that it recorded at its start."""
    for row in stream(select(writers), connection):
        introduction = Introduction(**{name: getattr(row, name) for name in Introduction._fields})
        if writer_hash(introduction) != row.hash:
            verdict.note(f"Writer {row.id}: its introduction was altered.")
            continue
        source = f"recorded by writer {row.id}"
        check_heads(map(tuple, json.loads(row.heads)), source, connection, verdict)
        if row.events:
            check_last_event(Head(*json.loads(row.events)), source, connection, verdict)


def check_heads(heads: Iterable[End], source: str, connection: Connection, verdict: Verdict) -> None:
    """Whether these blocks, known from elsewhere, are still on record; number 0 stands for the introduction."""
    for some in portions(heads):
        known = _known_hashes([Place(writer, number) for writer, number, _ in some], connection)
        for writer, number, expected in some:
            found = known.get(Place(writer, number))
            if found is None:
                verdict.note(f"Writer {writer}: its chain was cut off before block {number}, {source}.")
            elif found != expected:
                verdict.note(f"Writer {writer}, block {number}: not the one {source}.")


def check_last_event(noted: Head, source: str, connection: Connection, verdict: Verdict) -> None:
    """Whether the event that was once the last one is still on record."""
    if not noted.number:
        return
    found = connection.scalar(select(events.c.hash).where(events.c.number == noted.number))
    if found is None:
        verdict.note(f"The chain of events was cut off before event {noted.number}, {source}.")
    elif found != noted.hash:
        verdict.note(f"Event {noted.number}: not the one {source}.")


def portions(items: Iterable[Any]) -> Iterator[list[Any]]:
    """These, some at a time."""
    remaining = iter(items)
    while some := list(islice(remaining, PLACES_AT_A_TIME)):
        yield some


def _known_hashes(places: Sequence[Place], connection: Connection) -> dict[Place, Hash]:
    wanted = select(blocks.c.writer, blocks.c.number, blocks.c.hash)
    stored = connection.execute(wanted.where(tuple_(blocks.c.writer, blocks.c.number).in_(places)))
    known = {Place(writer, number): hashed for writer, number, hashed in stored}
    begun = [place.writer for place in places if place.number == 0]
    found = connection.execute(select(writers.c.id, writers.c.hash).where(writers.c.id.in_(begun)))
    return known | {Place(writer, 0): hashed for writer, hashed in found}
