"""Whether this code can work with the tables of a decision log, and how a database gets them.

Newer tables will do where all steps since have only added to them: each database says which code is old enough.
"""

from sqlalchemy import Connection, delete, insert, inspect, select, text

from credit_scoring.decisions.migrations import HEAD, OLDEST_CODE
from credit_scoring.decisions.tables import compatibility
from credit_scoring.errors import DecisionLogError


def ensure(connection: Connection) -> None:
    """SQLite's tables are made or brought up to date; those of a server only its owner may change.

    Raises DecisionLogError where this code cannot work with them.
    """
    found = version(connection)
    if found == HEAD or _is_newer_and_suits(found, connection):
        return
    if connection.dialect.name == "sqlite":
        upgrade(connection)
        return
    raise DecisionLogError(
        f"The database has the decision log's tables in version {found or 'none'}, expected {HEAD}. "
        "Run `credit-scoring decisions migrate` as the owner of the database."
    )


def version(connection: Connection) -> str | None:
    """The version of the tables in this database, None where there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def upgrade(connection: Connection) -> None:
    """Make the tables, or bring them up to date; newer ones that suit stay as they are.

    Raises DecisionLogError where this code cannot work with them.
    """
    if _is_newer_and_suits(version(connection), connection):
        return
    from alembic import command  # noqa: PLC0415 - takes a worker 80 ms and 11 MB, for something that is seldom due
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "credit_scoring.decisions:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
        _note_oldest_code(connection)
    except CommandError as error:
        raise DecisionLogError(
            f"The database has the decision log's tables in version {version(connection)}, which this code does not "
            f"know; its own is {HEAD}. Run the newer code that made them."
        ) from error


def _is_newer_and_suits(found: str | None, connection: Connection) -> bool:
    if found is None or found <= HEAD:
        return False
    stored = select(compatibility.c.oldest_code).where(compatibility.c.version == found)
    oldest = connection.scalar(stored)
    if oldest is not None and oldest <= HEAD:
        return True
    raise DecisionLogError(
        f"The database has the decision log's tables in version {found}, which code of version {oldest or found} or "
        f"newer can work with; this code's is {HEAD}. Run the newer code that made them."
    )


def _note_oldest_code(connection: Connection) -> None:
    connection.execute(delete(compatibility))
    connection.execute(insert(compatibility), {"version": HEAD, "oldest_code": OLDEST_CODE})
