"""The decision log: what a worker has decided, stored batch by batch, each chained to the one before."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json
from sqlalchemy import Connection, RowMapping, insert, select

from credit_scoring.application.schemas import Answer, Application, Decision
from credit_scoring.decisions import claims, ends, events, schema_version
from credit_scoring.decisions.chain import Claims, Hash, Head, Introduction, Namesakes, Row, writer_hash
from credit_scoring.decisions.claims import Found, Name, name_of
from credit_scoring.decisions.database import Database
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.tables import batches, decisions, writers
from credit_scoring.errors import DecisionLogError, DuplicateError, RepeatError, RequestError, UnreadableError

logger = logging.getLogger(__name__)

CLAIMING_ATTEMPTS = 3
WRITERS_TO_RECORD = 100
REPEATED = "This application_id was decided before, for other content. Send a new one, or the same content."
UNREADABLE = (
    "This application_id was decided before, but the decision on record cannot be read. Send a new one, and tell "
    "whoever runs the service."
)
SEE = "`credit-scoring decisions verify` says what else is wrong."

_ANSWER = (
    *(decisions.c[name] for name in ("id", "received", "risk_probability", "decision")),
    *(writers.c[name] for name in ("model", "policy_version", "threshold")),
)


@dataclass(frozen=True)
class Origin:
    """What all decisions of one worker have in common."""

    model: str
    policy_version: str
    threshold: float
    features: tuple[str, ...]
    service_version: str


class Entry(NamedTuple):
    """One decision to be stored, with the application that it answers."""

    row: Row
    application: Application
    decision: Decision


Settled = Decision | RequestError


class DecisionLog:
    """One writer's part of the log; an instance lives as long as the worker that it belongs to."""

    def __init__(self, database: Database, origin: Origin) -> None:
        self.writer = new_id()
        self._database = database
        self._appender = database.appender()
        self._origin = origin
        self._head: Head | None = None

    @property
    def seconds(self) -> float:
        """How long the last batch took to be stored, measured where that was done."""
        return self._appender.seconds

    def beside(self, database: Database) -> "DecisionLog":
        """A log of the same worker in another database."""
        return DecisionLog(database, self._origin)

    def check(self) -> None:
        """Raises DecisionLogError where it is plain, without asking the database, that nothing can be stored."""
        self._database.check()

    def store_at_once(self, entries: Sequence[Entry]) -> list[Settled] | None:
        """Store these decisions before this returns; None where that might take long, or fails: then `store` them."""
        if self._head is None:
            return None
        batch = self._head.next(self.writer, datetime.now(UTC), [entry.row for entry in entries])
        if not self._appender.append_at_once(batch):
            return None
        self._head = Head(batch.number, batch.hash)
        return [entry.decision for entry in entries]

    async def store(self, entries: Sequence[Entry]) -> list[Settled]:
        """Store these decisions in one transaction; for each the answer to give, in order.

        That is the decision itself, or the one that was given before under the same application id of the same owner,
        RepeatError where that was for other content, UnreadableError where it cannot be read. No entries make an empty
        batch, which proves that the log can be written.
        Raises DecisionLogError when nothing was stored, or when it cannot be known. Cancelled, it stores nothing unless
        its commit is under way.
        """
        decided_at = datetime.now(UTC)
        try:
            await self._append([entry.row for entry in entries], decided_at)
        except DuplicateError:
            return await self._store_what_is_new(entries, decided_at)
        return [entry.decision for entry in entries]

    async def store_given(self, rows: Sequence[Row], decided_at: datetime) -> None:
        """Store decisions that were answered already; those that are stored stay once, application ids are first come.

        Raises DecisionLogError when nothing was stored, or when it cannot be known.
        """
        stored, found = await self._database.run(partial(_known_of, rows))
        new = [row for row in rows if row.id not in stored]
        first = {name: row.id for row in reversed(new) if (name := name_of(row))}
        unclaimed = {name: decision for name, decision in first.items() if name not in found.by_name}
        await self._append(new, decided_at, *claims.divide(unclaimed, found.taken))

    async def close(self) -> None:
        """Wait for what is being stored, then close the database."""
        await self._appender.close()
        await self._database.close()

    async def _append(
        self, rows: Sequence[Row], decided_at: datetime, claims: Claims | None = None, namesakes: Namesakes = ()
    ) -> None:
        """One more batch; tried again where a connection was lost."""
        try:
            await self._append_once(rows, decided_at, claims, namesakes)
        except DuplicateError:
            raise
        except DecisionLogError:
            self._head = None
            await self._append_once(rows, decided_at, claims, namesakes)

    async def _append_once(
        self, rows: Sequence[Row], decided_at: datetime, claims: Claims | None, namesakes: Namesakes
    ) -> None:
        if self._head:
            head, stored = self._head, False
        else:
            head, stored = await self._database.run(partial(self._resume, rows))
        if not stored:
            batch = head.next(self.writer, decided_at, rows, claims, namesakes)
            self._head = None  # whatever happens before it is known to be stored
            await self._appender.append(batch)
            head = Head(batch.number, batch.hash)
        self._head = head

    async def _store_what_is_new(self, entries: Sequence[Entry], decided_at: datetime) -> list[Settled]:
        """Store entries whose application id nobody has claimed; the others get what was answered before."""
        first = _first_by_name(entries)
        for _ in range(CLAIMING_ATTEMPTS):
            found = await self._database.run(partial(_claims_of, list(first)), reading=True)
            known = {name: _known(claim) for name, claim in found.by_name.items()}
            new = [entry.row for entry in entries if _is_new(entry, first, known)]
            claimed = {name: row.id for row in new if (name := name_of(row))}
            try:
                if new:
                    await self._append(new, decided_at, *claims.divide(claimed, found.taken))
            except DuplicateError:  # another worker has claimed one meanwhile
                continue
            return [_settled(entry, first, known) for entry in entries]
        raise DecisionLogError("Other workers claim the same application ids again and again.")

    def _resume(self, rows: Sequence[Row], connection: Connection) -> tuple[Head, bool]:
        """The end of the chain in the database, and whether these rows are stored already, which nobody saw."""
        schema_version.ensure(connection)
        return self._found_head(connection), _is_stored(rows, connection)

    def _found_head(self, connection: Connection) -> Head:
        """The end of this writer's chain in the database; the writer introduces itself where it has not yet."""
        last = select(batches.c.number, batches.c.hash).where(batches.c.writer == self.writer)
        if found := connection.execute(last.order_by(batches.c.number.desc()).limit(1)).first():
            return Head(*found)
        if begun := connection.execute(select(writers.c.hash).where(writers.c.id == self.writer)).scalar():
            return Head(0, begun)
        return Head(0, self._introduce(connection))

    def _introduce(self, connection: Connection) -> Hash:
        origin = self._origin
        introduction = Introduction(
            self.writer,
            datetime.now(UTC),
            origin.model,
            origin.policy_version,
            origin.threshold,
            json.dumps(origin.features),
            origin.service_version,
            json.dumps(_heads_to_record(connection)),
            json.dumps(events.last(connection)),
        )
        hashed = writer_hash(introduction)
        connection.execute(insert(writers), introduction._asdict() | {"hash": hashed})
        return hashed


def _is_stored(rows: Sequence[Row], connection: Connection) -> bool:
    """Whether an attempt whose end was not seen has stored these rows after all: all of them or none."""
    return bool(rows) and connection.scalar(select(decisions.c.id).where(decisions.c.id == rows[0].id)) is not None


def _known_of(rows: Sequence[Row], connection: Connection) -> tuple[set[str], Found]:
    """Which of these rows are stored, by id, and which of their application ids are claimed."""
    schema_version.ensure(connection)
    ids = select(decisions.c.id).where(decisions.c.id.in_([row.id for row in rows]))
    names = [name for row in rows if (name := name_of(row))]
    return set(connection.execute(ids).scalars()), claims.find(names, connection)


def _claims_of(names: Sequence[Name], connection: Connection) -> Found:
    """What was answered under these application ids before."""
    return claims.find(names, connection, *_ANSWER)


def _heads_to_record(connection: Connection) -> list[ends.End]:
    """The last batches of the newest writers that none of them has recorded: nobody can cut them off unseen.

    Older chains are left to anchors, so that a worker starts as fast on a large log as on a small one.
    """
    newest = select(writers.c.heads).order_by(writers.c.id.desc()).limit(WRITERS_TO_RECORD)
    recorded = {tuple(head) for heads in connection.scalars(newest) for head in json.loads(heads)}
    found = ends.of_newest(WRITERS_TO_RECORD, connection)
    return sorted(end for end in found if end[1] and end not in recorded)


Content = dict[str, Any]


class _Known(NamedTuple):
    """An answer that was given, and the content that it was given to."""

    answer: Settled
    content: Content


def _known(claim: RowMapping | None) -> _Known:
    """What a claim stands for. The row may be of another version of this code, or damaged, so nothing is validated."""
    if claim is None:
        logger.error("The decision that an application id is claimed for is missing, or another one's. %s", SEE)
        return _Known(UnreadableError(UNREADABLE), {})
    try:
        return _Known(_decision(claim), _content(claim["received"]))
    except (ValidationError, ValueError, TypeError, AttributeError):
        logger.error("Decision %s is on record, but cannot be read. %s", claim["claimed"], SEE)
        return _Known(UnreadableError(UNREADABLE), {})


def _decision(claim: RowMapping) -> Decision:
    return Decision(
        decision=Answer(claim["decision"]),
        risk_probability=claim["risk_probability"],
        threshold=claim["threshold"],
        decision_id=claim["id"],
        model=claim["model"],
        policy_version=claim["policy_version"],
    )


def _content(received: str) -> Content:
    """What an application says, however it is written: 48 is 48.0, and an absent field is null."""
    return {name: value for name, value in from_json(received).items() if value is not None}


def _first_by_name(entries: Sequence[Entry]) -> dict[Name, Entry]:
    first: dict[Name, Entry] = {}
    for entry in entries:
        if name := name_of(entry.row):
            first.setdefault(name, entry)
    return first


def _is_new(entry: Entry, first: Mapping[Name, Entry], known: Mapping[Name, _Known]) -> bool:
    name = name_of(entry.row)
    return name is None or (name not in known and first[name] is entry)


def _settled(entry: Entry, first: Mapping[Name, Entry], known: Mapping[Name, _Known]) -> Settled:
    name = name_of(entry.row)
    if name is None or _is_new(entry, first, known):
        return entry.decision
    before = known.get(name) or _Known(first[name].decision, _content(first[name].row.received))
    if isinstance(before.answer, RequestError) or before.content == _content(entry.row.received):
        return before.answer
    return RepeatError(REPEATED)
