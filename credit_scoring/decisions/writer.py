"""One worker's chain of blocks in a database: begun with an introduction, gone on with where it ends."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Connection, insert, select

from credit_scoring.decisions import ends, events, schema_version
from credit_scoring.decisions.chain import Claims, Hash, Head, Introduction, Namesakes, Row, writer_hash
from credit_scoring.decisions.database import Database
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.tables import blocks, decisions, writers
from credit_scoring.errors import DecisionLogError, DuplicateError

WRITERS_TO_RECORD = 100


@dataclass(frozen=True)
class Origin:
    """What all decisions of one worker have in common."""

    model: str
    policy_version: str
    threshold: float
    features: tuple[str, ...]
    service_version: str
    policy: str | None = None
    catalogue: str | None = None


class Writer:
    """Appends to the chain that `id` names; an instance lives as long as the worker that it belongs to."""

    def __init__(self, database: Database, origin: Origin) -> None:
        self.id = new_id()
        self.origin = origin
        self._database = database
        self._appender = database.appender()
        self._head: Head | None = None

    @property
    def seconds(self) -> float:
        """How long the last block took to be stored, measured where that was done."""
        return self._appender.seconds

    def append_at_once(self, rows: Sequence[Row]) -> bool:
        """Store one more block before this returns; False where that might take long, or fails."""
        if self._head is None or not self._appender.is_quick:
            return False
        block = self._head.next(self.id, datetime.now(UTC), rows)
        if not self._appender.append_at_once(block):
            return False
        self._head = Head(block.number, block.hash)
        return True

    async def append(
        self, rows: Sequence[Row], decided_at: datetime, claims: Claims | None = None, namesakes: Namesakes = ()
    ) -> None:
        """Store one more block; tried again where a connection was lost.

        Raises DuplicateError where an application id is claimed already, else DecisionLogError.
        """
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
            block = head.next(self.id, decided_at, rows, claims, namesakes)
            self._head = None  # whatever happens before it is known to be stored
            await self._appender.append(block)
            head = Head(block.number, block.hash)
        self._head = head

    async def close(self) -> None:
        """Wait for what is being stored."""
        await self._appender.close()

    def _resume(self, rows: Sequence[Row], connection: Connection) -> tuple[Head, bool]:
        """The end of the chain in the database, and whether these rows are stored already, which nobody saw."""
        schema_version.ensure(connection)
        return self._found_head(connection), _is_stored(rows, connection)

    def _found_head(self, connection: Connection) -> Head:
        """The end of this writer's chain in the database; the writer introduces itself where it has not yet."""
        last = select(blocks.c.number, blocks.c.hash).where(blocks.c.writer == self.id)
        if found := connection.execute(last.order_by(blocks.c.number.desc()).limit(1)).first():
            return Head(*found)
        if begun := connection.execute(select(writers.c.hash).where(writers.c.id == self.id)).scalar():
            return Head(0, begun)
        return Head(0, self._introduce(connection))

    def _introduce(self, connection: Connection) -> Hash:
        origin = self.origin
        introduction = Introduction(
            self.id,
            datetime.now(UTC),
            origin.model,
            origin.policy_version,
            origin.threshold,
            json.dumps(origin.features),
            origin.service_version,
            json.dumps(_heads_to_record(connection)),
            json.dumps(events.last(connection)),
            origin.policy,
            origin.catalogue,
        )
        hashed = writer_hash(introduction)
        connection.execute(insert(writers), introduction._asdict() | {"hash": hashed})
        return hashed


def _is_stored(rows: Sequence[Row], connection: Connection) -> bool:
    """Whether an attempt whose end was not seen has stored these rows after all: all of them or none."""
    return bool(rows) and connection.scalar(select(decisions.c.id).where(decisions.c.id == rows[0].id)) is not None


def _heads_to_record(connection: Connection) -> list[ends.End]:
    """The last blocks of the newest writers that none of them has recorded: nobody can cut them off unseen.

    Older chains are left to anchors, so that a worker starts as fast on a large log as on a small one.
    """
    newest = select(writers.c.heads).order_by(writers.c.id.desc()).limit(WRITERS_TO_RECORD)
    recorded = {tuple(head) for heads in connection.scalars(newest) for head in json.loads(heads)}
    found = ends.of_newest(WRITERS_TO_RECORD, connection)
    return sorted(end for end in found if end[1] and end not in recorded)
