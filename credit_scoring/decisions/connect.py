"""Opens the database that an address names."""

from pathlib import Path

from bentoml._internal.configuration.containers import BentoMLContainer
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from credit_scoring.decisions.database import Database
from credit_scoring.decisions.sqlite import SqliteDatabase
from credit_scoring.errors import ConfigurationError

TIMEOUT_S = 0.8


def default_folder() -> Path:
    """A folder in BentoML's home, beside the model store."""
    return Path(BentoMLContainer.bentoml_home.get()) / "credit_scoring"


def default_address() -> str:
    """A file in that folder."""
    return f"sqlite:///{default_folder()}/decisions.db"


def open_database(url: str, *, timeout: float = TIMEOUT_S) -> Database:
    """The database at this address, not connected yet; raises ConfigurationError unless it is SQLite or PostgreSQL.

    `timeout` is how long one wait in it may take, in seconds.
    """
    parsed = check_address(url)
    if parsed.get_backend_name() == "sqlite":
        return SqliteDatabase(parsed.set(drivername="sqlite"), timeout)
    from credit_scoring.decisions.postgres import (  # noqa: PLC0415 - 9 MB in each worker that has no use for it
        PostgresDatabase,
    )

    return PostgresDatabase(parsed.set(drivername="postgresql"), timeout)


def check_address(url: str) -> URL:
    """The parts of an address; raises ConfigurationError unless it is one of SQLite or PostgreSQL."""
    expected = "Expected something like sqlite:////var/lib/decisions.db or postgresql://user:password@host/database."
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number, or part of a password
        raise ConfigurationError(f"The address of the decision log cannot be read. {expected}") from None
    backend = parsed.get_backend_name()
    if backend == "postgresql" or (backend == "sqlite" and parsed.database not in (None, "", ":memory:")):
        return parsed
    shown = parsed.render_as_string(hide_password=True)
    raise ConfigurationError(f"The decision log cannot be kept at {shown}. {expected}")
