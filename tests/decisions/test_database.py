"""Whatever goes wrong in a database is an error of ours: the tasks that wait for it know no other."""

import asyncpg
import pytest
from sqlalchemy import URL, Connection, make_url

from benchmarks.support.decision_records import ask
from credit_scoring.decisions.database import Database
from credit_scoring.decisions.postgres import PostgresDatabase
from credit_scoring.errors import ConfigurationError, CreditScoringError, DecisionLogError, DuplicateError

POSTGRES: URL = make_url("postgresql://owner:secret@127.0.0.1:1/decisions")


@pytest.fixture
def database() -> Database:
    return PostgresDatabase(POSTGRES, timeout=1.0)


def failure(database: Database, error: Exception) -> CreditScoringError:
    with pytest.raises(CreditScoringError) as raised, database.telling():
        raise error
    return raised.value


@pytest.mark.parametrize(
    "error", [asyncpg.InterfaceError("lost"), asyncpg.InternalClientError(), asyncpg.PostgresError(), ConnectionError()]
)
def test_what_a_driver_raises_when_a_connection_breaks_is_told_by_its_kind(
    database: Database, error: Exception
) -> None:
    told = failure(database, error)
    assert type(told) is DecisionLogError
    assert f" failed: {type(error).__name__}." in str(told)
    assert str(told).endswith(" Does it run, and is the address right?") == isinstance(error, ConnectionError)
    assert "secret" not in str(told)


def test_what_a_driver_should_not_raise_is_told_with_its_place_and_without_its_words(database: Database) -> None:
    told = failure(database, KeyError("an applicant's value"))
    assert type(told) is DecisionLogError
    assert "failed: KeyError at " in str(told)
    assert "test_database.py:" in str(told)
    assert "applicant" not in str(told)


def test_an_error_of_ours_comes_as_it_is(database: Database) -> None:
    error = ConfigurationError("The address cannot be read.")
    assert failure(database, error) is error


def test_an_application_id_that_is_taken_is_told_apart(database: Database) -> None:
    assert type(failure(database, asyncpg.UniqueViolationError())) is DuplicateError


def test_work_that_fails_in_any_way_leaves_the_database_usable(address: str) -> None:
    def fail(connection: Connection) -> None:
        raise RuntimeError

    with pytest.raises(DecisionLogError, match="RuntimeError at"):
        ask(address, fail)
    ask(address, lambda connection: None)
