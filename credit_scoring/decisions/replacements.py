"""Corrected applications and the earlier ones that they replace, found from both sides.

A correction names the earlier application by its application id, which belongs to the owner of the key that sent it.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Connection, RowMapping, exists, select

from credit_scoring.decisions import claims
from credit_scoring.decisions.chain import Row
from credit_scoring.decisions.claims import Name
from credit_scoring.decisions.owners import owner_of
from credit_scoring.decisions.tables import decisions

Rows = Sequence[Mapping[str, Any] | RowMapping]


class Linked(BaseModel):
    """The other one of two linked applications."""

    application_id: str | None
    decision_id: str | None = Field(
        description="Null where the earlier application is not on record, or no longer: it was purged, or `replaces` "
        "could not be checked while the log was away."
    )


def replaced_name(row: Row) -> Name | None:
    """The earlier application that a decision's one replaces, and whose it is."""
    return None if row.replaces is None else Name(owner_of(row.asked_by), row.replaces)


def earlier_ones(rows: Rows, connection: Connection) -> dict[str, Linked]:
    """What these decisions replace, by their ids; the rows have `id`, `asked_by` and `replaces`."""
    names = {row["id"]: Name(owner_of(row["asked_by"]), row["replaces"]) for row in rows if row["replaces"]}
    found = claims.find(set(names.values()), connection).by_name
    return {
        id: Linked(application_id=name.application_id, decision_id=_claimed(found, name)) for id, name in names.items()
    }


def _claimed(found: Mapping[Name, RowMapping | None], name: Name) -> str | None:
    claim = found.get(name)
    return claim["claimed"] if claim else None


def later_ones(rows: Rows, connection: Connection) -> Mapping[str, list[Linked]]:
    """What has replaced these decisions, by their ids, oldest first.

    The rows have `id`, `asked_by` and `application_id`.
    """
    by_name = _replacing({row["application_id"] for row in rows} - {None}, connection)
    names = {row["id"]: Name(owner_of(row["asked_by"]), row["application_id"]) for row in rows}
    return {id: by_name[name] for id, name in names.items() if name in by_name}


def _replacing(application_ids: Collection[str], connection: Connection) -> Mapping[Name, list[Linked]]:
    found: dict[Name, list[Linked]] = defaultdict(list)
    if not application_ids or not connection.scalar(_IS_USED):
        return found
    columns = (decisions.c[name] for name in ("id", "application_id", "replaces", "asked_by"))
    later = select(*columns).where(decisions.c.replaces.in_(application_ids)).order_by(decisions.c.id)
    for row in connection.execute(later):
        name = Name(owner_of(row.asked_by), row.replaces)
        found[name].append(Linked(application_id=row.application_id, decision_id=row.id))
    return found


_IS_USED = select(exists().where(decisions.c.replaces.is_not(None)))  # at once, by the index
