"""The hashes that tie the decision log together: of a block's rows, of the block before it, of the writer at its start.

All are SHA-256 over text in which U+001F ends a value and U+001E a row; numbers are written as Python's `repr` does,
which reads back as the same float, moments as ISO 8601 in UTC with microseconds, an absent value as U+0000. What people
write may hold these characters: the content of an event is hashed as a JSON array.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple

Hash = str
Claims = Sequence[tuple[str, str]]
Namesakes = Sequence[tuple[str, str, str]]

_END, _ROW_END, _ABSENT = "\x1f", "\x1e", "\x00"


class Row(NamedTuple):
    """One decision as it is hashed and stored; `seen` is a JSON array of the values that the model saw.

    `rules` is a JSON array of the ids of rules that did not pass, `outside_training` one of fields; None where empty.
    `replaces` is the application id of an earlier application of the same owner, which this one corrects.
    """

    id: str
    application_id: str | None
    received: str
    seen: str
    risk_probability: float
    decision: str
    asked_by: str
    rules: str | None = None
    outside_training: str | None = None
    replaces: str | None = None


@dataclass(frozen=True)
class Block:
    """What one transaction stores: decisions in the order of their ids, chained to the block before.

    `claims` are the application ids that it answers for, each with its decision; `namesakes` those that another owner
    has claimed before, each with its owner and its decision.
    """

    writer: str
    number: int
    decided_at: datetime
    rows: Sequence[Row]
    rows_hash: Hash
    hash: Hash
    claims: Claims
    namesakes: Namesakes = ()


class Head(NamedTuple):
    """The end of a writer's chain: number and hash of its last block; before the first 0 and the writer's own hash."""

    number: int
    hash: Hash

    def next(
        self,
        writer: str,
        decided_at: datetime,
        rows: Sequence[Row],
        claims: Claims | None = None,
        namesakes: Namesakes = (),
    ) -> Block:
        """The block of these rows, chained to this end; without `claims` it claims every application id in it."""
        number, of_rows = self.number + 1, rows_hash(rows)
        chained = block_hash(self.hash, writer, number, decided_at, len(rows), of_rows)
        if claims is None:
            claims = [(row.application_id, row.id) for row in rows if row.application_id is not None]
        return Block(writer, number, decided_at, rows, of_rows, chained, claims, namesakes)


class Introduction(NamedTuple):
    """What all decisions of a writer have in common, and where other chains ended when it began.

    `features` is a JSON array of names, `heads` one of [writer, number, hash], `events` the last event's
    [number, hash]; writers of earlier versions have none. `policy` is the whole policy as JSON, `catalogue` the hash of
    the field catalogue; they came later still.
    """

    id: str
    started_at: datetime
    model: str
    policy_version: str
    threshold: float
    features: str
    service_version: str
    heads: str
    events: str | None = None
    policy: str | None = None
    catalogue: str | None = None


class Event(NamedTuple):
    """An outcome, a review or a purge, `subject` being its id; a purge belongs to no single block.

    `batch` is the number of the block, under the name that its column has.
    """

    kind: str
    subject: str
    writer: str | None
    batch: int | None
    content_hash: Hash


class RowsHash:
    """`rows_hash` of rows that come one after the other and are not kept."""

    def __init__(self) -> None:
        self.count = 0
        self._hash = hashlib.sha256()

    def add(self, row: Row) -> None:
        """One more row, in the order of their ids."""
        text = _row_text(*row)
        self._hash.update((f"{_ROW_END}{text}" if self.count else text).encode())
        self.count += 1

    def value(self) -> Hash:
        """The hash of all rows so far."""
        return self._hash.hexdigest()


def rows_hash(rows: Iterable[Row]) -> Hash:
    """Of a block's rows in the order of their ids."""
    text = _ROW_END.join([_row_text(*row) for row in rows])
    return hashlib.sha256(text.encode()).hexdigest()


def _row_text(
    id: str,
    application_id: str | None,
    received: str,
    seen: str,
    risk: float,
    decision: str,
    asked_by: str,
    rules: str | None,
    outside: str | None,
    replaces: str | None,
) -> str:
    applied = _ABSENT if application_id is None else application_id
    text = f"{id}{_END}{applied}{_END}{received}{_END}{seen}{_END}{risk!r}{_END}{decision}{_END}{asked_by}"
    if rules is None and outside is None and replaces is None:  # as rows were hashed before there were any
        return text
    text = f"{text}{_END}{_ABSENT if rules is None else rules}{_END}{_ABSENT if outside is None else outside}"
    return text if replaces is None else f"{text}{_END}{replaces}"


def block_hash(previous: Hash, writer: str, number: int, decided_at: datetime, size: int, of_rows: Hash) -> Hash:
    """Of a block and of all before it; `previous` is that of the block before, or of the writer."""
    return _hash(previous, writer, str(number), moment(decided_at), str(size), of_rows)


def writer_hash(writer: Introduction) -> Hash:
    """Of a writer's introduction; its chain begins with this."""
    id, started_at, model, policy_version, threshold, features, service_version, heads, *later = writer
    while later and later[-1] is None:  # as writers were hashed before there were any
        later.pop()
    known = [_ABSENT if each is None else each for each in later]
    start = moment(started_at)
    return _hash(id, start, model, policy_version, repr(threshold), features, service_version, heads, *known)


def event_hash(previous: Hash, number: int, event: Event) -> Hash:
    """Of an event and of all before it; `previous` is empty for the first."""
    kind, subject, writer, block, content = event
    place = (writer or _ABSENT, _ABSENT if block is None else str(block))
    return _hash(previous, str(number), kind, subject, *place, content)


def content_hash(values: Iterable[str | int | date | datetime | None]) -> Hash:
    """Of the values of an outcome, a review or a purge, in the order of their columns."""
    text = json.dumps([_plain(value) for value in values], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: str | int | date | datetime | None) -> str | int | None:
    if isinstance(value, datetime):
        return moment(value)
    return value.isoformat() if isinstance(value, date) else value


def moment(time: datetime) -> str:
    """A moment as it is hashed."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _hash(*values: str) -> Hash:
    return hashlib.sha256(_END.join(values).encode()).hexdigest()
