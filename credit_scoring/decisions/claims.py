"""Which decision answers for an application id. An id belongs to the owner of the key that sent it.

The table `claims` has the decision of the owner who used an id first, `namesakes` those of all other owners. So a new
decision costs one row, and code that knows `claims` alone goes on working. The owner of a claim is that of its
decision, whose `asked_by` is hashed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    CompoundSelect,
    Connection,
    RowMapping,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    select,
    union,
)

from credit_scoring.decisions.chain import Claims, Namesakes, Row
from credit_scoring.decisions.owners import owner_of
from credit_scoring.decisions.tables import claims, decisions, namesakes, writers


class Name(NamedTuple):
    """An application id and whose it is."""

    owner: str
    application_id: str


Unclaimed = Mapping[Name, Sequence[str]]


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


def unclaimed(connection: Connection, application_id: str | None = None) -> Unclaimed:
    """Decisions, oldest first, for whose name another one answers: `best_effort` may decide an application twice.

    It looks at all decisions; `application_id` restricts what it finds to that one.
    """
    found: dict[Name, list[str]] = defaultdict(list)
    by_another = (
        select(decisions.c.id, decisions.c.application_id, decisions.c.asked_by)
        .join(claims, claims.c.application_id == decisions.c.application_id)
        .outerjoin(namesakes, namesakes.c.decision == decisions.c.id)
        .where(claims.c.decision != decisions.c.id, namesakes.c.decision.is_(None))
        .order_by(decisions.c.id)
    )
    if application_id is not None:
        by_another = by_another.where(decisions.c.application_id == application_id)
    for row in connection.execute(by_another):
        found[Name(owner_of(row.asked_by), row.application_id)].append(row.id)
    return found


def release(gone: Collection[str], others: Unclaimed, connection: Connection) -> None:
    """Delete the claims of decisions that are about to go; of `others`, the oldest of the same name takes its place.

    Where there is none, a namesake takes the place of the first claim.
    """
    heirs = _heirs(gone, others, connection)
    connection.execute(delete(namesakes).where(namesakes.c.decision.in_(gone)))
    applied = select(decisions.c.application_id).where(decisions.c.id.in_(gone))
    first = claims.c.application_id.in_(applied) & claims.c.decision.in_(gone)  # `decision` alone has no index
    together = namesakes.join(claims, claims.c.application_id == namesakes.c.application_id)
    next_ones = connection.execute(
        select(namesakes.c.application_id, func.min(namesakes.c.owner))
        .select_from(together)
        .where(first)
        .group_by(namesakes.c.application_id)
    ).all()
    connection.execute(delete(claims).where(first))
    for application_id, owner in next_ones:
        its_own = and_(namesakes.c.application_id == application_id, namesakes.c.owner == owner)
        moved = select(namesakes.c.application_id, namesakes.c.decision).where(its_own)
        connection.execute(insert(claims).from_select(["application_id", "decision"], moved))
        connection.execute(delete(namesakes).where(its_own))
    _claim(heirs, connection)


def _heirs(gone: Collection[str], others: Unclaimed, connection: Connection) -> Mapping[Name, str]:
    """For each name that these decisions answer for, the oldest other decision that is still on record."""
    if not others:
        return {}
    is_first = exists().where(
        claims.c.application_id == decisions.c.application_id, claims.c.decision == decisions.c.id
    )
    is_further = exists().where(namesakes.c.decision == decisions.c.id)
    answering = select(decisions.c.asked_by, decisions.c.application_id).where(decisions.c.id.in_(gone))
    freed = connection.execute(answering.where(is_first | is_further)).all()
    names = {Name(owner_of(row.asked_by), row.application_id) for row in freed} & set(others)
    wanted = {id: name for name in names for id in others[name] if id not in gone}
    there = select(decisions.c.id).where(decisions.c.id.in_(wanted), decisions.c.application_id.is_not(None))
    heirs: dict[Name, str] = {}
    for id in connection.scalars(there.order_by(decisions.c.id)):
        heirs.setdefault(wanted[id], id)
    return heirs


def _claim(new: Mapping[Name, str], connection: Connection) -> None:
    ids = {name.application_id for name in new}
    taken = connection.scalars(select(claims.c.application_id).where(claims.c.application_id.in_(ids))).all()
    first, further = divide(new, taken)
    for id, decision in first:
        connection.execute(insert(claims).values(application_id=id, decision=decision))
    for owner, id, decision in further:
        connection.execute(insert(namesakes).values(owner=owner, application_id=id, decision=decision))
