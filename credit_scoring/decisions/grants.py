"""What roles of PostgreSQL may do with each table of the decision log; they may read all of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from credit_scoring.decisions.erased import OVERWRITTEN
from credit_scoring.decisions.tables import metadata
from credit_scoring.errors import ConfigurationError

_ROLE = re.compile(r"[a-z_][a-z0-9_$]*")

Rights = Mapping[str, str]

_ADDED_BY_THE_SERVICE = (
    *("writers", "batches", "decisions", "claims", "namesakes"),
    *("outcomes", "reviews", "explanations", "looks", "events"),
)
_DELETED_BY_A_PURGE = ("decisions", "namesakes", "outcomes", "reviews", "explanations")
SERVICE_MAY: Rights = dict.fromkeys(_ADDED_BY_THE_SERVICE, "INSERT")
PURGING_MAY: Rights = {
    **dict.fromkeys(_DELETED_BY_A_PURGE, "DELETE"),
    "decisions": f"UPDATE ({', '.join(OVERWRITTEN)}), DELETE",  # an erasure leaves a remainder
    "reviews": "UPDATE (reason), DELETE",
    **dict.fromkeys(("claims", "namesakes"), "INSERT, DELETE"),  # another one takes the place of a claim that goes
    **dict.fromkeys(("group_ends", "erasures"), "INSERT, DELETE"),
    "purges": "INSERT",
    "events": "INSERT",
}


@dataclass(frozen=True)
class Grant:
    """What a role may do to a table besides reading it; `option` named the role. Raises ConfigurationError."""

    option: str
    role: str
    rights: Rights

    def __post_init__(self) -> None:
        if not _ROLE.fullmatch(self.role):
            raise ConfigurationError(f"{self.option} {self.role}: expected the plain name of a role.")


def grant(wanted: Grant, connection: Connection) -> None:
    """Give a role these rights and take away all others; raises ConfigurationError."""
    if connection.dialect.name != "postgresql":
        raise ConfigurationError(f"{wanted.option}: SQLite has no roles; whoever may write the file may do all.")
    known = text("SELECT count(*) FROM pg_roles WHERE rolname = :role")
    if not connection.scalar(known, {"role": wanted.role}):
        raise ConfigurationError(
            f"{wanted.option} {wanted.role}: the server has no such role. Make it with CREATE ROLE."
        )
    role = f'"{wanted.role}"'
    connection.execute(text(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}"))
    connection.execute(text(f"GRANT SELECT ON {', '.join(metadata.tables)}, alembic_version TO {role}"))
    for table, right in wanted.rights.items():
        connection.execute(text(f"GRANT {right} ON {table} TO {role}"))
