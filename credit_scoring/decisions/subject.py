"""Everything that is held on one application, for the client whose data it is (LGPD arts. 18 and 19)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Connection, Table, select

from credit_scoring.decisions import dossiers
from credit_scoring.decisions.dossiers import Dossier
from credit_scoring.decisions.owners import owner_of
from credit_scoring.decisions.tables import decisions, events, metadata
from credit_scoring.errors import RequestError

Rows = list[dict[str, Any]]


class Held(BaseModel):
    """One decision, and every row of the log that belongs to it, by table."""

    dossier: Dossier
    rows: dict[str, Rows] = Field(description="As they are stored, the events of the hash chain included.")


class Subject(BaseModel):
    """What is held on an application that one owner has sent."""

    application_id: str
    owner: str = Field(description="Whose key sent it; empty where none was needed.")
    read_at: datetime
    decisions: list[Held] = Field(description="Oldest first.")


def subject(application_id: str, owner: str | None, connection: Connection) -> Subject:
    """What is held; every decision is looked at, so that none is missed which no claim names.

    Raises RequestError: 404 where there is nothing, 409 where several owners have sent such an id and none is named.
    """
    whose, ids = decisions_of(application_id, owner, connection)
    held = [Held(dossier=dossiers.find(each, connection), rows=_rows(each, connection)) for each in ids]
    return Subject(application_id=application_id, owner=whose, read_at=datetime.now(UTC), decisions=held)


def decisions_of(application_id: str, owner: str | None, connection: Connection) -> tuple[str, list[str]]:
    """The one owner who has sent this id, and all decisions on it, oldest first; raises as `subject` does."""
    asked = select(decisions.c.id, decisions.c.asked_by).where(decisions.c.application_id == application_id)
    found = {row.id: owner_of(row.asked_by) for row in connection.execute(asked.order_by(decisions.c.id))}
    if owner is not None:
        found = {decision: of for decision, of in found.items() if of == owner}
    whose = sorted(set(found.values()))
    if not whose:
        raise RequestError(
            404, "No decision on this application is on record. Check its id and --owner.", "no_decision"
        )
    if len(whose) > 1:
        named = ", ".join(f"'{each}'" for each in whose)
        raise RequestError(
            409,
            f"{len(whose)} owners have sent this id, perhaps for different clients: {named}. Name one: --owner.",
            "owners",
        )
    return whose[0], list(found)


def tables_of_a_decision() -> Sequence[Table]:
    """Every table besides `decisions` whose rows name a decision."""
    return [table for table in metadata.sorted_tables if table is not decisions and "decision" in table.c]


def _rows(decision: str, connection: Connection) -> dict[str, Rows]:
    rows = {each.name: _of(each, decision, connection) for each in tables_of_a_decision()}
    ids = [row["id"] for of_table in rows.values() for row in of_table if "id" in row]
    chained = connection.execute(select(events).where(events.c.subject.in_(ids)).order_by(events.c.number))
    return {name: each for name, each in {**rows, "events": _dicts(chained.mappings().all())}.items() if each}


def _of(table: Table, decision: str, connection: Connection) -> Rows:
    found = select(table).where(table.c.decision == decision)
    return _dicts(connection.execute(found).mappings().all())


def _dicts(rows: Sequence[Mapping[Any, Any]]) -> Rows:
    return [dict(row) for row in rows]
