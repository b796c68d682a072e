"""`credit-scoring decisions purge` and `migrate` as its users run them, and databases that cannot be used."""

import os
import pty
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from benchmarks.support.decision_records import ask, entry, put, rows_in
from benchmarks.support.postgres import OWNER, Postgres
from credit_scoring.decisions import outcomes, reviews
from credit_scoring.decisions.connect import open_database
from credit_scoring.decisions.migrations import HEAD
from credit_scoring.decisions.outcomes import Outcome, OutcomeReport
from credit_scoring.decisions.reviews import ReviewStep, Step
from credit_scoring.decisions.tables import metadata
from credit_scoring.decisions.verification import verify
from credit_scoring.errors import ConfigurationError, DecisionLogError
from tests.support.command_line import error_here, run, run_here

LONG_AGO = datetime(2020, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The address of a file that is not there yet."""
    return f"sqlite:///{tmp_path}/decisions.db"


# purge


@contextmanager
def terminal(typed: bytes) -> Iterator[int]:
    """A terminal on which somebody has typed this."""
    person, command = pty.openpty()
    try:
        os.write(person, typed)
        yield command
    finally:
        os.close(person)
        os.close(command)


def test_a_purge_asks_first_and_does_nothing_without_a_yes(database: str) -> None:
    put(database, [entry(), entry()], at=LONG_AGO)
    with terminal(b"n\n") as stdin:
        found = run("decisions", "purge", "--older-than", "1825", "--database", database, stdin=stdin)
    assert found.returncode == 0
    assert "Delete 2 decisions from before " in found.stdout
    assert found.stderr == "Nothing was deleted.\n"
    assert rows_in(database, "decisions") == 2


def test_a_purge_that_is_confirmed_takes_the_old_and_leaves_the_rest(database: str) -> None:
    put(database, [entry(), entry()], at=LONG_AGO)
    kept = put(database, [entry()])
    with terminal(b"y\n") as stdin:
        found = run("decisions", "purge", "--older-than", "1825", "--database", database, stdin=stdin)
    assert found.returncode == 0
    assert "2 decisions from before " in found.stderr
    assert rows_in(database, "decisions") == len(kept)
    assert ask(database, verify, reading=True).problems == []


def test_a_purge_without_a_terminal_needs_a_yes_said_beforehand(database: str) -> None:
    put(database, [entry()], at=LONG_AGO)
    purge = ("decisions", "purge", "--older-than", "2021-01-01", "--database", database)
    assert error_here(*purge) == "Standard input is no terminal, so nobody can confirm: use --yes to delete."
    assert rows_in(database, "decisions") == 1
    found = run_here(*purge, "--yes")
    assert (found.exit_code, found.stdout) == (0, "")
    assert "1 decisions from before 2021-01-01 00:00 UTC were deleted; the purge is on record." in found.stderr
    assert rows_in(database, "decisions") == 0


def test_a_purge_of_nothing_asks_nobody(database: str) -> None:
    put(database, [entry()])
    found = run_here("decisions", "purge", "--older-than", "1825", "--database", database)
    assert found.exit_code == 0
    assert "No decision is older than " in found.stderr
    assert rows_in(database, "purges") == 0


# migrate


def test_the_owner_makes_the_tables_and_the_service_may_only_add_and_read(postgres: Postgres) -> None:
    address = postgres.database()
    postgres.run("CREATE ROLE clerk LOGIN")
    found = run_here("decisions", "migrate", "--grant-to", "clerk", CREDIT_SCORING_DATABASE_URL=address)
    assert (found.exit_code, found.stdout) == (0, "")
    assert f"The tables in {address} are up to date." in found.stderr
    as_clerk = address.replace(f"{OWNER}@", "clerk@")
    _work_as_a_service_does(as_clerk)
    assert_denied(as_clerk, "INSERT INTO purges SELECT * FROM purges")
    for table in metadata.tables:
        for statement in (f"DELETE FROM {table}", f"TRUNCATE {table}", f"DROP TABLE {table}"):
            assert_denied(as_clerk, statement)
    for change in ("decisions SET decision = ''", "batches SET size = 0", "outcomes SET outcome = ''"):
        assert_denied(as_clerk, f"UPDATE {change}")
    assert rows_in(address, "decisions") == rows_in(address, "outcomes") == rows_in(address, "reviews") == 1


def _work_as_a_service_does(address: str) -> None:
    (decision,) = put(address, [entry(application_id="7")])
    report = OutcomeReport(decision_id=decision, outcome=Outcome.PAID, observed_on=datetime.now(UTC).date())
    ask(address, partial(outcomes.record, [report], ""))
    ask(address, partial(reviews.record, decision, ReviewStep(step=Step.REQUESTED, reason="Why."), ""))
    assert ask(address, verify, reading=True).problems == []


def test_a_role_that_purges_may_delete_what_is_old_and_record_that_and_nothing_else(postgres: Postgres) -> None:
    address = postgres.database()
    postgres.run("CREATE ROLE gardener LOGIN")
    assert run_here("decisions", "migrate", "--grant-purge-to", "gardener", "--database", address).exit_code == 0
    put(address, [entry(application_id="7")], at=LONG_AGO)
    as_gardener = address.replace(f"{OWNER}@", "gardener@")
    purge = ("decisions", "purge", "--older-than", "2021-01-01", "--yes", "--database", as_gardener)
    assert "1 decisions from before" in run_here(*purge).stderr
    assert ask(as_gardener, verify, reading=True).purged == 1
    for change in ("decisions SET decision = ''", "decisions SET asked_by = ''", "reviews SET step = ''"):
        assert_denied(as_gardener, f"UPDATE {change}")
    for kept in ("writers", "batches", "purges", "events"):
        assert_denied(as_gardener, f"DELETE FROM {kept}")
    for table in ("decisions", "outcomes", "batches"):
        assert_denied(as_gardener, f"INSERT INTO {table} SELECT * FROM {table}")


def assert_denied(address: str, statement: str) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text(statement))

    with pytest.raises(DecisionLogError, match="InsufficientPrivilegeError"):
        ask(address, work)


def test_migrating_again_changes_nothing(address: str) -> None:
    put(address, [entry()])
    for _ in range(2):
        assert run_here("decisions", "migrate", "--database", address).exit_code == 0
    assert rows_in(address, "decisions") == 1
    assert ask(address, lambda connection: connection.scalar(text("SELECT version_num FROM alembic_version"))) == HEAD


# Databases that cannot be used


def test_where_a_server_has_no_tables_the_command_that_makes_them_is_told(postgres: Postgres) -> None:
    message = error_here("decisions", "list", "--database", postgres.database())
    assert "Run `credit-scoring decisions migrate` as the owner of the database." in message


@pytest.mark.parametrize("address", ["mysql://ana:segredo@host/log", "sqlite://", "sqlite:///:memory:", "decisions.db"])
def test_a_database_that_cannot_be_used_is_refused_without_its_password(address: str) -> None:
    message = error_here("decisions", "list", "--database", address)
    assert "Expected something like sqlite:////var/lib/decisions.db or postgresql://user:password@host/" in message
    assert "segredo" not in message


def test_a_server_that_is_not_there_is_named_in_one_line_without_the_password() -> None:
    address = "postgresql://ana:segredo@127.0.0.1:1/log"
    place = "postgresql://ana:***@127.0.0.1:1/log"
    message = error_here("decisions", "list", "--database", address)
    failed = f"The decision log at {place} failed: ConnectionRefusedError."
    assert message == f"{failed} Does it run, and is the address right?"


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "decisions.db").write_bytes(b"no database at all" * 100)
    message = error_here("decisions", "list", "--database", f"sqlite:///{tmp_path}/decisions.db")
    assert message == f"The decision log at sqlite:///{tmp_path}/decisions.db failed: file is not a database."


def test_an_address_whose_password_holds_a_colon_and_an_at_sign_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        open_database("postgresql://ana:seg@redo:velho@host/log")
    assert "velho" not in str(caught.value)
