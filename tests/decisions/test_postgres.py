"""What is particular to the decision log on a PostgreSQL server."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from benchmarks.support.decision_records import ORIGIN, ask, entry, rows_in
from benchmarks.support.postgres import OWNER, Postgres
from benchmarks.support.traffic import running_in
from credit_scoring.decisions import schema_version
from credit_scoring.decisions.chain import Block, Claims, Head, Row
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.database import Appender, Database
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.log import DecisionLog
from credit_scoring.errors import DecisionLogError, DuplicateError

SHORT_S = 0.2
AMPLE_S = 20.0
UNSPOKEN = "open-sesame"
MARKER = "987654321.25"


@pytest.fixture
def place(postgres: Postgres) -> str:
    """The address of a new database with the decision log's tables."""
    address = postgres.database()
    ask(address, schema_version.upgrade)
    return address


@asynccontextmanager
async def appending(address: str, timeout: float = AMPLE_S) -> AsyncIterator[Appender]:
    database = open_database(address, timeout=timeout)
    appender = database.appender()
    try:
        yield appender
    finally:
        await appender.close()
        await database.close()


@asynccontextmanager
async def worker(address: str) -> AsyncIterator[DecisionLog]:
    log = DecisionLog(open_database(address), ORIGIN)
    try:
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def another(address: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of somebody else."""
    connection = await asyncpg.connect(address)
    try:
        yield connection
    finally:
        await connection.close()


def block(*rows: Row, claims: Claims | None = None) -> Block:
    """The first of a writer that nobody knows."""
    return Head(0, "0" * 64).next(new_id(), datetime.now(UTC), rows, claims)


def a_row(application_id: str | None = None) -> Row:
    return entry(application_id=application_id).row


async def stored(other: asyncpg.Connection) -> list[str | None]:
    """The application ids of the decisions on record."""
    return [row["application_id"] for row in await other.fetch("SELECT application_id FROM decisions ORDER BY id")]


async def backends(other: asyncpg.Connection) -> list[int]:
    """The process ids of everybody else's connections to this database."""
    found = await other.fetch(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY pid"
    )
    return [row["pid"] for row in found]


# Appending


def test_what_is_appended_is_there_for_others_when_that_returns(place: str) -> None:
    async def scenario() -> None:
        async with appending(place) as appender, another(place) as other:
            await appender.append(block(a_row("a"), a_row("b")))
            assert await stored(other) == ["a", "b"]

    asyncio.run(scenario())


def test_nothing_is_appended_at_once(place: str) -> None:
    """It would have to wait for the server."""

    async def scenario() -> None:
        async with appending(place) as appender, another(place) as other:
            await appender.append(block(a_row()))
            assert not appender.append_at_once(block(a_row()))
            assert await stored(other) == [None]

    asyncio.run(scenario())


def test_an_application_id_that_is_claimed_already_is_a_duplicate_and_costs_neither_block_nor_connection(
    place: str,
) -> None:
    async def scenario() -> None:
        async with appending(place) as one, appending(place) as two, another(place) as other:
            await one.append(block(a_row("a")))
            await two.append(block())
            connections = await backends(other)
            with pytest.raises(DuplicateError):
                await two.append(block(a_row("b"), a_row("a")))
            await two.append(block(a_row("b")))
            assert await stored(other) == ["a", "b"]
            assert await backends(other) == connections

    asyncio.run(scenario())


def test_a_connection_that_was_ended_by_the_server_is_replaced(place: str) -> None:
    async def scenario() -> None:
        async with appending(place) as appender, another(place) as other:
            await appender.append(block(a_row("a")))
            (ended,) = await backends(other)
            assert await other.fetchval("SELECT pg_terminate_backend($1, 5000)", ended)
            with pytest.raises(DecisionLogError) as failure:
                await appender.append(block(a_row("b")))
            assert not isinstance(failure.value, DuplicateError)
            await appender.append(block(a_row("b")))
            assert await stored(other) == ["a", "b"]
            assert ended not in await backends(other)

    asyncio.run(scenario())


END_APPENDER = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%WITH block AS%'
"""


def test_a_worker_whose_connection_was_ended_answers_as_if_nothing_had_happened(place: str) -> None:
    async def scenario() -> None:
        async with worker(place) as log, another(place) as other:
            await log.store([])
            for _ in range(3):
                assert await other.fetchval(END_APPENDER)
                given = entry()
                assert await log.store([given]) == [given.decision]

    asyncio.run(scenario())
    assert rows_in(place, "decisions") == 3


def test_a_statement_that_takes_too_long_is_an_error_and_the_next_one_has_a_new_connection(place: str) -> None:
    async def scenario() -> None:
        async with appending(place, timeout=SHORT_S) as appender, another(place) as other:
            await appender.append(block(a_row("a")))
            async with other.transaction():
                await other.execute("LOCK TABLE batches IN EXCLUSIVE MODE")
                with pytest.raises(DecisionLogError):
                    await appender.append(block(a_row("b")))
            await appender.append(block(a_row("c")))
            assert "c" in await stored(other)

    asyncio.run(scenario())


def test_a_server_that_has_stopped_answering_is_an_error_after_the_timeout(place: str, postgres: Postgres) -> None:
    async def scenario() -> None:
        async with appending(place, timeout=SHORT_S) as known, appending(place, timeout=SHORT_S) as new:
            await known.append(block())
            with frozen(postgres):
                for appender in (known, new):
                    with pytest.raises(DecisionLogError):
                        await appender.append(block(a_row()))
            for appender in (known, new):
                await appender.append(block(a_row()))

    asyncio.run(scenario())


@contextmanager
def frozen(postgres: Postgres) -> Iterator[None]:
    """The server while none of its processes runs, as behind a network that loses everything."""
    processes = running_in(postgres.folder / "data")
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


# Values

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
rows_of_values = st.builds(
    Row,
    st.builds(new_id),
    st.none() | texts,
    texts,
    texts,
    st.floats(0, 1),
    st.sampled_from(["APROVADO"]),
    texts,
    *[st.none() | texts] * 2,
)


@pytest.fixture(scope="module")
def shared_place(postgres: Postgres) -> str:
    address = postgres.database()
    ask(address, schema_version.upgrade)
    return address


@given(st.lists(rows_of_values, min_size=1, max_size=5))
def test_every_text_and_every_float_comes_back_exactly(shared_place: str, rows: Sequence[Row]) -> None:
    wanted = text(f"SELECT {', '.join(Row._fields)} FROM decisions WHERE id = ANY (:ids) ORDER BY id")

    def work(connection: Connection) -> list[Row]:
        found = connection.execute(wanted, {"ids": [row.id for row in rows]})
        return [Row(str(id), *values) for id, *values in found]

    async def scenario() -> list[Row]:
        database = open_database(shared_place, timeout=AMPLE_S)
        async with appending(shared_place) as appender:
            await appender.append(block(*rows, claims=[]))
            found = await database.run(work, reading=True)
            await database.close()
            return found

    assert asyncio.run(scenario()) == sorted(rows)


# Errors


def test_no_message_holds_a_value_of_a_row_or_the_password(place: str) -> None:
    address = place.replace(f"{OWNER}@", f"{OWNER}:{UNSPOKEN}@")

    async def scenario() -> None:
        async with appending(address) as appender, another(place) as other:
            row = a_row(MARKER)._replace(received=MARKER, seen=MARKER, asked_by=MARKER)
            await appender.append(block(row))
            for wrong in (
                row,
                row._replace(id=new_id()),
                row._replace(id=MARKER),
                row._replace(id=new_id(), application_id=MARKER * 9),
                row._replace(id=new_id(), decision=MARKER),
                row._replace(id=new_id(), application_id=None, received=MARKER + "\x00"),
            ):
                with pytest.raises(DecisionLogError) as failure:
                    await appender.append(block(wrong))
                assert MARKER not in str(failure.value)
                assert UNSPOKEN not in str(failure.value)
            assert await stored(other) == [MARKER]

    asyncio.run(scenario())


def test_no_message_of_a_statement_holds_its_values_or_the_password(place: str) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO claims VALUES (:id, NULL)"), {"id": MARKER})

    database = open_database(place.replace(f"{OWNER}@", f"{OWNER}:{UNSPOKEN}@"))
    with pytest.raises(DecisionLogError) as failure:
        database.run_now(work)
    assert MARKER not in str(failure.value)
    assert UNSPOKEN not in str(failure.value)
    assert UNSPOKEN not in str(database)


def nobody_listens() -> str:
    """An address at which connections are refused."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"postgresql://{OWNER}:{UNSPOKEN}@127.0.0.1:{probe.getsockname()[1]}/decisions"


def test_a_server_that_is_not_there_is_an_error_that_names_it_without_the_password() -> None:
    address = nobody_listens()

    async def scenario() -> None:
        database = open_database(address)
        async with appending(address) as appender:
            for attempt in (appender.append(block()), database.run(schema_version.ensure)):
                with pytest.raises(DecisionLogError, match=r"postgresql://owner:\*\*\*@127\.0\.0\.1") as failure:
                    await attempt
                assert UNSPOKEN not in str(failure.value)

    asyncio.run(scenario())


def test_tables_that_are_not_there_are_an_error_that_says_what_to_run(postgres: Postgres) -> None:
    async def scenario() -> None:
        async with worker(postgres.database()) as log:
            with pytest.raises(DecisionLogError, match="credit-scoring decisions migrate"):
                await log.store([])

    asyncio.run(scenario())


def test_what_a_failing_piece_of_work_has_written_is_undone(place: str) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO claims VALUES ('a', '00000000-0000-7000-8000-000000000000')"))
        raise ValueError

    database: Database = open_database(place)
    with pytest.raises(DecisionLogError, match="failed: ValueError at "):
        database.run_now(work)
    assert rows_in(place, "claims") == 0
