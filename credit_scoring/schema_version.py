"""Whether a database has the decision log's tables in the version of this code, and how it gets them."""

from sqlalchemy import Connection, inspect, text

from credit_scoring.errors import StorageError
from credit_scoring.migrations import HEAD


def ensure(connection: Connection) -> None:
    """SQLite's tables are made or brought up to date; those of a server only its owner may change.

    Raises StorageError where they are not those of this version.
    """
    found = version(connection)
    if found == HEAD:
        return
    if connection.dialect.name == "sqlite":
        upgrade(connection)
        return
    raise StorageError(
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
    """Make the tables, or bring them up to date; raises StorageError where this code does not know their version."""
    from alembic import command  # noqa: PLC0415 - takes a worker 80 ms and 11 MB, for something that is seldom due
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "credit_scoring:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StorageError(
            f"The database has the decision log's tables in version {version(connection)}, which this code does not "
            f"know; its own is {HEAD}. Run the newer code that made them."
        ) from error
