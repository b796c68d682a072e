"""The decision log on a PostgreSQL server, asked by asyncpg on the event loop itself."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import create_async_engine

from credit_scoring.decisions.chain import Block, Row
from credit_scoring.decisions.database import Appender, Database, Result, Work
from credit_scoring.decisions.encryption import encryption

CONNECTIONS = 4


class PostgresDatabase(Database):
    """SQLAlchemy lets synchronous code wait for asyncpg (greenlets)."""

    driver_failures = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    driver_clashes = (asyncpg.UniqueViolationError,)

    def __init__(self, url: URL, timeout: float) -> None:
        super().__init__(url, timeout)
        self._address, self._encryption = encryption(url.set(drivername="postgresql"))
        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self.connect,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=timeout,
            hide_parameters=True,
        )

    async def run(self, work: Work[Result], *, reading: bool = False) -> Result:
        """On the event loop."""
        with self.telling():
            async with self._engine.begin() as connection:
                return await connection.run_sync(work)

    def run_now(self, work: Work[Result], *, reading: bool = False) -> Result:
        """On an event loop of its own."""

        async def run_and_close() -> Result:
            try:
                return await self.run(work, reading=reading)
            finally:
                await self._engine.dispose()

        return asyncio.run(run_and_close())

    async def connect(self) -> asyncpg.Connection:
        """A connection of the driver's own; raises whatever it does."""
        return await asyncpg.connect(
            self._address.render_as_string(hide_password=False),
            ssl=self._encryption,
            timeout=self.timeout,
            command_timeout=self.timeout,
            server_settings={"timezone": "UTC"},
        )

    def appender(self) -> Appender:
        """Writes by one connection."""
        return PostgresAppender(self)

    async def close(self) -> None:
        """Close the connections."""
        await self._engine.dispose()


class PostgresAppender(Appender):
    """One statement for a block, so one way to the server and back, and its own transaction."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._connection: asyncpg.Connection | None = None
        self._statement: Any = None

    async def append(self, block: Block) -> None:
        """On the event loop; cancelled, it drops the connection, and the server undoes what it has not committed."""
        started = time.perf_counter()
        with self._database.telling():
            try:
                if self._connection is None:
                    self._connection = await self._database.connect()
                    self._statement = await self._connection.prepare(_BLOCK)
                await self._store(self._connection, block)
            except asyncpg.UniqueViolationError:
                raise  # the connection is as good as before
            except BaseException:
                self._drop()
                raise
        self.seconds = time.perf_counter() - started

    async def _store(self, connection: asyncpg.Connection, block: Block) -> None:
        if block.namesakes:
            await connection.fetch(_BLOCK_WITH_NAMESAKES, *_values(block), *_columns(block.namesakes, 3))
        else:
            await self._statement.fetch(*_values(block))

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


_BLOCK = """
WITH block AS (
    INSERT INTO batches (writer, number, decided_at, size, rows_hash, hash) VALUES ($1, $2, $3, $4, $5, $6)
), claimed AS (
    INSERT INTO claims (application_id, decision) SELECT * FROM unnest($7::text[], $8::uuid[])
)
INSERT INTO decisions
    (id, writer, batch, application_id, received, seen, risk_probability, decision, asked_by, rules, outside_training,
     replaces)
SELECT id, $1, $2, application_id, received, seen, risk_probability, decision, asked_by, rules, outside_training,
    replaces
FROM unnest(
    $9::uuid[], $10::text[], $11::text[], $12::text[], $13::float8[], $14::text[], $15::text[], $16::text[],
    $17::text[], $18::text[]
) AS row (id, application_id, received, seen, risk_probability, decision, asked_by, rules, outside_training, replaces)
"""
_BLOCK_WITH_NAMESAKES = _BLOCK.replace(
    "WITH",
    """
WITH other_owners AS (
    INSERT INTO namesakes (owner, application_id, decision)
    SELECT * FROM unnest($19::text[], $20::text[], $21::uuid[])
),""",
    1,
)


def _values(block: Block) -> tuple[Any, ...]:
    """The statement's arguments: what the block is, its claims and its rows column by column."""
    own = (block.writer, block.number, block.decided_at, len(block.rows), block.rows_hash, block.hash)
    return (*own, *_columns(block.claims, 2), *_columns(block.rows, len(Row._fields)))


def _columns(rows: Sequence[tuple[Any, ...]], count: int) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True)) or [()] * count
