"""The decision log: what a worker has decided, stored batch by batch, each chained to the one before."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select

from credit_scoring import ends, events, schema_version
from credit_scoring.chain import Claims, Hash, Head, Introduction, Row, writer_hash
from credit_scoring.database import Database
from credit_scoring.errors import DuplicateError, RepeatError, StorageError
from credit_scoring.identifiers import new_id
from credit_scoring.schemas import Answer, Application, Decision
from credit_scoring.tables import batches, claims, decisions, writers

CLAIMING_ATTEMPTS = 3
WRITERS_TO_RECORD = 100


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


Settled = Decision | RepeatError


class DecisionLog:
    """One writer's part of the log; an instance lives as long as the worker that it belongs to."""

    def __init__(self, database: Database, origin: Origin) -> None:
        self.writer = new_id()
        self._database = database
        self._appender = database.appender()
        self._origin = origin
        self._head: Head | None = None

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

        That is the decision itself, or the one that was given before under the same application id, or RepeatError
        where that was for other content. No entries make an empty batch, which proves that the log can be written.
        Raises StorageError when nothing was stored, or when it cannot be known.
        """
        decided_at = datetime.now(UTC)
        try:
            await self._append([entry.row for entry in entries], decided_at)
        except DuplicateError:
            return await self._store_what_is_new(entries, decided_at)
        return [entry.decision for entry in entries]

    async def store_given(self, rows: Sequence[Row], decided_at: datetime) -> None:
        """Store decisions that were answered already; those that are stored stay once, application ids are first come.

        Raises StorageError when nothing was stored, or when it cannot be known.
        """
        stored, claimed = await self._database.run(partial(_known_of, rows))
        new = [row for row in rows if row.id not in stored]
        claims = {row.application_id: row.id for row in reversed(new) if row.application_id is not None}
        await self._append(new, decided_at, [claim for claim in claims.items() if claim[0] not in claimed])

    async def close(self) -> None:
        """Wait for what is being stored, then close the database."""
        await self._appender.close()
        await self._database.close()

    async def _append(self, rows: Sequence[Row], decided_at: datetime, claims: Claims | None = None) -> None:
        """One more batch; tried again where a connection was lost."""
        try:
            await self._append_once(rows, decided_at, claims)
        except DuplicateError:
            raise
        except StorageError:
            self._head = None
            await self._append_once(rows, decided_at, claims)

    async def _append_once(self, rows: Sequence[Row], decided_at: datetime, claims: Claims | None) -> None:
        if self._head:
            head, stored = self._head, False
        else:
            head, stored = await self._database.run(partial(self._resume, rows))
        if not stored:
            batch = head.next(self.writer, decided_at, rows, claims)
            self._head = None  # whatever happens before it is known to be stored
            await self._appender.append(batch)
            head = Head(batch.number, batch.hash)
        self._head = head

    async def _store_what_is_new(self, entries: Sequence[Entry], decided_at: datetime) -> list[Settled]:
        """Store entries whose application id nobody has claimed; the others get what was answered before."""
        first = _first_by_application(entries)
        for _ in range(CLAIMING_ATTEMPTS):
            known = await self._database.run(partial(_answered, list(first)), reading=True)
            new = [entry.row for entry in entries if _is_new(entry, first, known)]
            try:
                if new:
                    await self._append(new, decided_at)
            except DuplicateError:  # another worker has claimed one meanwhile
                continue
            return [_settled(entry, first, known) for entry in entries]
        raise StorageError("Other workers claim the same application ids again and again.")

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


def _known_of(rows: Sequence[Row], connection: Connection) -> tuple[set[str], set[str]]:
    """Which of these rows are stored, by id, and which of their application ids are claimed."""
    schema_version.ensure(connection)
    ids = select(decisions.c.id).where(decisions.c.id.in_([row.id for row in rows]))
    applied = select(claims.c.application_id).where(claims.c.application_id.in_([row.application_id for row in rows]))
    return set(connection.execute(ids).scalars()), set(connection.execute(applied).scalars())


def _heads_to_record(connection: Connection) -> list[ends.End]:
    """The last batches of the newest writers that none of them has recorded: nobody can cut them off unseen.

    Older chains are left to anchors, so that a worker starts as fast on a large log as on a small one.
    """
    newest = select(writers.c.heads).order_by(writers.c.id.desc()).limit(WRITERS_TO_RECORD)
    recorded = {tuple(head) for heads in connection.scalars(newest) for head in json.loads(heads)}
    found = ends.of_newest(WRITERS_TO_RECORD, connection)
    return sorted(end for end in found if end[1] and end not in recorded)


class _Known(NamedTuple):
    """An answer that was given, and the application that it was given to."""

    decision: Decision
    application: Application


def _first_by_application(entries: Sequence[Entry]) -> dict[str, Entry]:
    first: dict[str, Entry] = {}
    for entry in entries:
        if entry.row.application_id is not None:
            first.setdefault(entry.row.application_id, entry)
    return first


def _answered(application_ids: Sequence[str], connection: Connection) -> dict[str, _Known]:
    """What was answered under these application ids before."""
    found = (
        select(decisions, writers.c.model, writers.c.policy_version, writers.c.threshold)
        .join(claims, claims.c.decision == decisions.c.id)
        .join(writers, writers.c.id == decisions.c.writer)
        .where(claims.c.application_id.in_(application_ids))
    )
    return {row["application_id"]: _known(row) for row in connection.execute(found).mappings()}


def _known(row: Mapping[Any, Any]) -> _Known:
    decision = Decision(
        decision=Answer(row["decision"]),
        risk_probability=row["risk_probability"],
        threshold=row["threshold"],
        decision_id=row["id"],
        model=row["model"],
        policy_version=row["policy_version"],
    )
    return _Known(decision, Application.model_validate_json(row["received"]))


def _is_new(entry: Entry, first: Mapping[str, Entry], known: Mapping[str, _Known]) -> bool:
    applied = entry.row.application_id
    return applied is None or (applied not in known and first[applied] is entry)


def _settled(entry: Entry, first: Mapping[str, Entry], known: Mapping[str, _Known]) -> Settled:
    applied = entry.row.application_id
    if applied is None:
        return entry.decision
    before = known.get(applied) or _Known(first[applied].decision, first[applied].application)
    if before.application == entry.application:
        return before.decision
    return RepeatError(
        "This application_id was decided before, for other content. Send a new one, or the same content."
    )
