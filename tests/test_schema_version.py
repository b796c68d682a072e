"""The tables of the decision log: how a database gets them, and that they are those that the code names."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from credit_scoring import schema_version
from credit_scoring.decision_log import DecisionLog
from credit_scoring.errors import StorageError
from credit_scoring.migrations import HEAD
from credit_scoring.storage import open_database
from credit_scoring.tables import metadata
from tests.decision_records import ORIGIN, ask, entry, put, rows_in
from tests.postgres import Postgres

PROCESSES = 3
ENDED_WITHIN = 60
ENSURE = """
import sys
from credit_scoring import schema_version
from credit_scoring.storage import open_database
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
    found.set_main_option("script_location", "credit_scoring:migrations")
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
    with pytest.raises(StorageError, match=r"in version none, expected 0*\d+\. Run `credit-scoring decisions migrate`"):
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

    with pytest.raises(StorageError, match=r"in version 0000, expected .* `credit-scoring decisions migrate`"):
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


def test_tables_of_a_newer_version_are_a_storage_error(address: str) -> None:
    ask(address, lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(StorageError, match="9999"):
        ask(address, schema_version.ensure)
    with pytest.raises(StorageError, match="9999"):
        ask(address, schema_version.upgrade)
