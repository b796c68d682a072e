"""The tables of the decision log: how a database gets them, and that they are those that the code names."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, inspect, text

from benchmarks.support.decision_records import ORIGIN, ask, entry, purge, put, rows_in
from benchmarks.support.postgres import Postgres
from credit_scoring.decisions import outcomes, reviews, schema_version
from credit_scoring.decisions.chain import Block, Hash, Introduction, Row, writer_hash
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.entries import Entry, Settled
from credit_scoring.decisions.log import DecisionLog
from credit_scoring.decisions.migrations import HEAD, OLDEST_CODE
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport, RecordedOutcome
from credit_scoring.decisions.reviews import ReviewStep, Step
from credit_scoring.decisions.tables import metadata, writers
from credit_scoring.decisions.verification import verify
from credit_scoring.decisions.writer import Writer
from credit_scoring.errors import DecisionLogError

REPORT: dict[str, Any] = {"outcome": Outcome.PAID, "observed_on": datetime.now(UTC).date()}
PROCESSES = 3
ENDED_WITHIN = 60
ENSURE = """
import sys
from credit_scoring.decisions import schema_version
from credit_scoring.decisions.connect import open_database
open_database(sys.argv[1], timeout=50).run_now(schema_version.ensure)
"""


@pytest.fixture
def new_file(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/folder/decisions.db"


@pytest.fixture
def empty_server_database(postgres: Postgres) -> str:
    return postgres.database()


def config(connection: Connection | None = None) -> Config:
    found = Config()
    found.set_main_option("script_location", "credit_scoring.decisions:migrations")
    found.attributes["connection"] = connection
    return found


def tables(address: str) -> set[str]:
    return set(ask(address, lambda connection: inspect(connection).get_table_names(), reading=True))


def version(address: str) -> str | None:
    return ask(address, schema_version.version, reading=True)


# How a database gets them


def test_sqlite_gets_its_folder_file_and_tables_on_first_use(new_file: str) -> None:
    decisions = put(new_file, [entry(), entry()])
    assert version(new_file) == HEAD
    assert rows_in(new_file, "decisions") == len(decisions)


def test_processes_that_make_the_same_file_at_once_do_not_get_in_each_others_way(new_file: str) -> None:
    with running(*([sys.executable, "-W", "error", "-c", ENSURE, new_file] for _ in range(PROCESSES))) as processes:
        for process in processes:
            _, said = process.communicate(timeout=ENDED_WITHIN)
            assert (process.returncode, said) == (0, "")
    assert version(new_file) == HEAD


@contextmanager
def running(*commands: list[str]) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that have ended, whatever happens, when the block is left."""
    pipes: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with ExitStack() as stack:
        processes = []
        for each in commands:
            process = stack.enter_context(subprocess.Popen(each, **pipes))
            stack.callback(process.kill)
            processes.append(process)
        yield processes


def test_a_server_without_the_tables_is_refused_with_the_command_that_makes_them(empty_server_database: str) -> None:
    with pytest.raises(
        DecisionLogError, match=r"in version none, expected 0*\d+\. Run `credit-scoring decisions migrate`"
    ):
        ask(empty_server_database, schema_version.ensure)
    assert tables(empty_server_database) == set()


def test_a_worker_stores_nothing_on_a_server_whose_tables_are_of_another_version(postgres: Postgres) -> None:
    address = postgres.database()
    ask(address, schema_version.upgrade)
    ask(address, lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '0000'")))

    async def store() -> None:
        log = DecisionLog(open_database(address, timeout=10), ORIGIN)
        try:
            await log.store([entry()])
        finally:
            await log.close()

    with pytest.raises(DecisionLogError, match=r"in version 0000, expected .* `credit-scoring decisions migrate`"):
        asyncio.run(store())
    assert rows_in(address, "decisions") == 0


def test_tables_that_are_there_already_stay_as_they_are(address: str) -> None:
    put(address, [entry()])
    for bring_up_to_date in (schema_version.ensure, schema_version.upgrade):
        ask(address, bring_up_to_date)
        assert (version(address), rows_in(address, "decisions")) == (HEAD, 1)


# Which they are


def differences(connection: Connection) -> Iterator[Any]:
    """What a new migration would have to change; SQLite has no comments."""
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    has_comments = connection.dialect.supports_comments
    for found in compare_metadata(context, metadata):
        changes = found if isinstance(found, list) else [found]
        yield from (change for change in changes if change[0] != "modify_comment" or has_comments)


def test_migrations_make_the_tables_that_the_code_names(address: str) -> None:
    assert ask(address, lambda connection: list(differences(connection)), reading=True) == []
    assert tables(address) == {"alembic_version", *metadata.tables}


def test_tables_that_were_changed_by_hand_are_seen_to_differ(address: str) -> None:
    """So that the test before this one means something."""
    ask(address, lambda connection: connection.execute(text("ALTER TABLE purges ADD COLUMN why TEXT")))
    ask(address, lambda connection: connection.execute(text("DROP INDEX reviews_by_decision")))
    found = ask(address, lambda connection: list(differences(connection)), reading=True)
    assert sorted(change[0] for change in found) == ["add_index", "remove_column"]


def test_the_version_of_this_code_is_that_of_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(config()).get_heads() == [HEAD]


def test_every_migration_can_be_taken_back(address: str) -> None:
    put(address, [entry()])
    ask(address, lambda connection: command.downgrade(config(connection), "base"))
    assert tables(address) == {"alembic_version"}
    assert version(address) is None
    ask(address, schema_version.upgrade)
    assert (version(address), rows_in(address, "decisions")) == (HEAD, 0)


# Newer tables


def add_to_every_table(address: str, oldest_code: str) -> None:
    """What a later migration may do: columns with a default, a table, an index."""

    def work(connection: Connection) -> None:
        for name in metadata.tables:
            connection.execute(text(f"ALTER TABLE {name} ADD COLUMN added TEXT NOT NULL DEFAULT ''"))
        connection.execute(text("CREATE TABLE newest (id TEXT PRIMARY KEY)"))
        connection.execute(text("CREATE INDEX decisions_by_sender ON decisions (asked_by)"))
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text(f"UPDATE compatibility SET version = '9999', oldest_code = '{oldest_code}'"))

    ask(address, work)


def test_a_worker_starts_and_goes_on_where_newer_tables_have_only_more(address: str) -> None:
    first, second, third = (entry(asked_by="one", application_id=name) for name in "abc")

    async def life() -> None:
        log = DecisionLog(open_database(address, timeout=10), ORIGIN)
        try:
            await log.store([first])
            await asyncio.to_thread(add_to_every_table, address, HEAD)
            assert log.store_at_once([second]) or await log.store([second])
        finally:
            await log.close()

    asyncio.run(life())
    repeated, other = entry(0.9, "one", application_id="a"), entry(0.9, "other", application_id="a")
    assert put(address, [third, other])
    (outcome,) = ask(address, partial(outcomes.record, [OutcomeReport(**REPORT, application_id="a")], "one"))
    assert isinstance(outcome, RecordedOutcome)
    assert outcome.decision_id == first.row.id
    ask(address, partial(reviews.record, first.row.id, ReviewStep(step=Step.REQUESTED, reason="Why."), "one"))
    assert answers(address, [repeated]) == [first.decision]
    assert rows_in(address, "decisions") == 4
    assert ask(address, verify, reading=True).problems == []
    purge(address, datetime.now(UTC))
    assert rows_in(address, "decisions") == 0


def answers(address: str, entries: Sequence[Entry]) -> list[Settled]:
    """What a worker answers that starts now."""

    async def life() -> list[Settled]:
        log = DecisionLog(open_database(address, timeout=10), ORIGIN)
        try:
            return await log.store(entries)
        finally:
            await log.close()

    return asyncio.run(life())


def test_newer_tables_that_suit_this_code_are_left_as_they_are(address: str) -> None:
    add_to_every_table(address, HEAD)
    for bring_up_to_date in (schema_version.ensure, schema_version.upgrade):
        ask(address, bring_up_to_date)
        assert version(address) == "9999"


def test_newer_tables_that_need_newer_code_are_a_storage_error_and_nothing_is_stored(address: str) -> None:
    add_to_every_table(address, "9998")
    for attempt in (schema_version.ensure, schema_version.upgrade):
        with pytest.raises(
            DecisionLogError, match=rf"version 9999, which code of version 9998 .* this code's is {HEAD}\."
        ):
            ask(address, attempt)
    with pytest.raises(DecisionLogError, match="Run the newer code"):
        put(address, [entry()])
    assert rows_in(address, "decisions") == 0


def test_newer_tables_that_do_not_say_which_code_they_suit_are_a_storage_error(address: str) -> None:
    ask(address, lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(DecisionLogError, match="9999"):
        ask(address, schema_version.ensure)
    with pytest.raises(DecisionLogError, match="9999"):
        ask(address, schema_version.upgrade)


def test_a_database_says_which_code_its_tables_suit(address: str) -> None:
    said = text("SELECT version, oldest_code FROM compatibility")
    assert ask(address, lambda connection: connection.execute(said).all(), reading=True) == [(HEAD, OLDEST_CODE)]


# A rollout, and back


OLD_ROW = Row._fields[: Row._fields.index("rules")]
LATER = ("events", "policy", "catalogue")


class OldAppender:
    """How the oldest code that suits these tables stored a block."""

    STATEMENTS = (
        "INSERT INTO batches (writer, number, decided_at, size, rows_hash, hash)",
        f"INSERT INTO decisions (id, writer, batch, {', '.join(OLD_ROW[1:])})",
        "INSERT INTO claims (application_id, decision)",
    )

    def __init__(self, address: str) -> None:
        self._address = address

    async def append(self, block: Block) -> None:
        await asyncio.to_thread(ask, self._address, partial(self._insert, block))

    def append_at_once(self, block: Block) -> bool:
        return False

    async def close(self) -> None:
        pass

    def _insert(self, block: Block, connection: Connection) -> None:
        place = (block.writer, block.number)
        is_server = connection.dialect.name == "postgresql"
        at = block.decided_at if is_server else block.decided_at.replace(tzinfo=None).isoformat(" ")
        rows: tuple[Sequence[tuple[object, ...]], ...] = (
            [(*place, at, len(block.rows), block.rows_hash, block.hash)],
            [(row[0], *place, *row[1 : len(OLD_ROW)]) for row in block.rows],
            block.claims,
        )
        for statement, some in zip(self.STATEMENTS, rows, strict=True):
            for row in some:
                marks = ", ".join(f":v{number}" for number in range(len(row)))
                values = {f"v{number}": value for number, value in enumerate(row)}
                connection.execute(text(f"{statement} VALUES ({marks})"), values)


class OldWriter(Writer):
    """How the oldest code that suits these tables introduced itself."""

    def _introduce(self, connection: Connection) -> Hash:
        origin = (ORIGIN.model, ORIGIN.policy_version, ORIGIN.threshold, json.dumps(ORIGIN.features))
        introduction = Introduction(self.id, datetime.now(UTC), *origin, ORIGIN.service_version, "[]")
        columns = {name: value for name, value in introduction._asdict().items() if name not in LATER}
        hashed = writer_hash(introduction)
        connection.execute(insert(writers), columns | {"hash": hashed})
        return hashed


@asynccontextmanager
async def worker(address: str, code: str = HEAD) -> AsyncIterator[DecisionLog]:
    """One worker's log from its start to its end, by this code or by the oldest that suits its tables."""
    database = open_database(address, timeout=10)
    with pytest.MonkeyPatch.context() as patch:
        if code != HEAD:
            patch.setattr(database, "appender", lambda: OldAppender(address))
            patch.setattr("credit_scoring.decisions.log.Writer", OldWriter)
        log = DecisionLog(database, ORIGIN)
    try:
        yield log
    finally:
        await log.close()


def as_of(code: str) -> AbstractContextManager[object]:
    """Tables are judged as code of this version does."""
    return patch.object(schema_version, "HEAD", code)


@pytest.fixture
def old_address(address: str) -> str:
    """Tables of the oldest code that suits those of today."""
    ask(address, lambda connection: command.downgrade(config(connection), "0002"))
    return address


def test_a_rollout_to_newer_tables_can_be_rolled_back(old_address: str) -> None:
    address = old_address
    sent = {name: entry(asked_by="one", application_id=name) for name in "abcde"}

    def again(name: str) -> Entry:
        return entry(0.9, "one", application_id=name)

    async def rollout() -> None:
        with as_of("0002"):
            async with worker(address, "0002") as old:
                assert await old.store([sent["a"]]) == [sent["a"].decision]
                with as_of(HEAD):
                    await asyncio.to_thread(ask, address, schema_version.upgrade)
                assert await old.store([sent["b"]]) == [sent["b"].decision]  # goes on
            async with worker(address, "0002") as old:
                assert await old.store([sent["c"]]) == [sent["c"].decision]  # and restarts
        async with worker(address) as new:
            assert await new.store([again("a"), again("c")]) == [sent["a"].decision, sent["c"].decision]
            assert await new.store([sent["d"]]) == [sent["d"].decision]
        with as_of("0002"):
            async with worker(address, "0002") as old:  # rolled back
                assert await old.store([again("d"), again("a")]) == [sent["d"].decision, sent["a"].decision]
                assert await old.store([sent["e"]]) == [sent["e"].decision]
            await asyncio.to_thread(ask, address, schema_version.upgrade)  # as the migration of old code does

    asyncio.run(rollout())
    assert version(address) == HEAD
    assert rows_in(address, "decisions") == len(sent)
    assert ask(address, verify, reading=True).problems == []
