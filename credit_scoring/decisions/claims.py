"""Which decision answers for an application id. An id belongs to the owner of the key that sent it.

The table `claims` has the decision of the owner who used an id first, `namesakes` those of all other owners. So a new
decision costs one row, and code that knows `claims` alone goes on working. The owner of a claim is that of its
decision, whose `asked_by` is hashed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, CompoundSelect, Connection, RowMapping, Table, and_, delete, func, insert, select, union

from credit_scoring.decisions.chain import Claims, Namesakes, Row
from credit_scoring.decisions.owners import owner_of
from credit_scoring.decisions.tables import claims, decisions, namesakes, writers


class Name(NamedTuple):
    """An application id and whose it is."""

    owner: str
    application_id: str


class Found(NamedTuple):
    """What is on record: the claim of each name, and the ids that are in `claims`, whoever has them.

    A claim is None where its decision is missing or another one's, so that it cannot be known whose it is.
    """

    by_name: Mapping[Name, RowMapping | None]
    taken: Collection[str]


def name_of(row: Row) -> Name | None:
    """The application id of a decision and whose it is, if it has one."""
    return None if row.application_id is None else Name(owner_of(row.asked_by), row.application_id)


def find(names: Collection[Name], connection: Connection, *columns: Column[Any]) -> Found:
    """The claims of these names, with these columns of their decisions and writers."""
    if not names:
        return Found({}, ())
    ids = {name.application_id for name in names}
    first = list(_claims_of(claims, ids, connection, *columns))
    further = _claims_of(namesakes, ids, connection, namesakes.c.owner, *columns)
    lost = {claim["application_id"] for claim in first if not _is_whole(claim)}
    by_name: dict[Name, RowMapping | None] = {name: None for name in names if name.application_id in lost}
    by_name |= dict(_read(claim, owner_of(claim["asked_by"])) for claim in first if _is_whole(claim))
    by_name |= dict(_read(claim, claim["owner"]) for claim in further)
    return Found({name: by_name[name] for name in names if name in by_name}, {each["application_id"] for each in first})


def _claims_of(
    table: Table, ids: Collection[str], connection: Connection, *columns: Column[Any]
) -> Iterator[RowMapping]:
    of_decision = (decisions.c.application_id.label("decided_for"), decisions.c.asked_by)
    found = (
        select(table.c.application_id, table.c.decision.label("claimed"), *of_decision, *columns)
        .outerjoin(decisions, decisions.c.id == table.c.decision)
        .outerjoin(writers, writers.c.id == decisions.c.writer)
        .where(table.c.application_id.in_(ids))
    )
    return connection.execute(found).mappings()


def _read(claim: RowMapping, owner: str) -> tuple[Name, RowMapping | None]:
    is_its_own = _is_whole(claim) and owner_of(claim["asked_by"]) == owner
    return Name(owner, claim["application_id"]), claim if is_its_own else None


def _is_whole(claim: RowMapping) -> bool:
    return bool(claim["decided_for"] == claim["application_id"])


def answering_for(application_id: str) -> CompoundSelect[Any]:
    """Ids of the decisions that answer for an application id, whoever has sent it."""
    return union(
        *(select(each.c.decision).where(each.c.application_id == application_id) for each in (claims, namesakes))
    )


def divide(new: Mapping[Name, str], taken: Collection[str]) -> tuple[Claims, Namesakes]:
    """The rows for new claims, given the ids that are in `claims` already."""
    first: dict[str, str] = {}
    further: list[tuple[str, str, str]] = []
    for name, decision in new.items():
        if name.application_id in taken or name.application_id in first:
            further.append((*name, decision))
        else:
            first[name.application_id] = decision
    return list(first.items()), further


def release(purged: Sequence[str], connection: Connection) -> None:
    """Delete the claims of decisions that are being purged; a namesake takes the place of the first one."""
    connection.execute(delete(namesakes).where(namesakes.c.decision.in_(purged)))
    applied = select(decisions.c.application_id).where(decisions.c.id.in_(purged))
    first = claims.c.application_id.in_(applied) & claims.c.decision.in_(purged)  # `decision` alone has no index
    together = namesakes.join(claims, claims.c.application_id == namesakes.c.application_id)
    heirs = (
        select(namesakes.c.application_id, func.min(namesakes.c.owner))
        .select_from(together)
        .where(first)
        .group_by(namesakes.c.application_id)
    )
    next_ones = connection.execute(heirs).all()
    connection.execute(delete(claims).where(first))
    for application_id, owner in next_ones:
        its_own = and_(namesakes.c.application_id == application_id, namesakes.c.owner == owner)
        moved = select(namesakes.c.application_id, namesakes.c.decision).where(its_own)
        connection.execute(insert(claims).from_select(["application_id", "decision"], moved))
        connection.execute(delete(namesakes).where(its_own))
