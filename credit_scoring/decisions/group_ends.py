"""When the consórcio groups of decisions end, as lenders report it: known late, changed at times; the last one counts.

The proof of a capacity assessment is kept for five years after that (Resolução BCB 285/2023).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, exists, insert, select

from credit_scoring.decisions import events
from credit_scoring.decisions.erased import is_held
from credit_scoring.decisions.ids import is_id, new_id
from credit_scoring.decisions.owners import owner_of
from credit_scoring.decisions.tables import blocks, claims, decisions, group_ends, namesakes, one_at_a_time

KEPT_YEARS = 5


class Report(NamedTuple):
    """The end of the group of an application, or of a decision; `place` is where the report stands, such as a line."""

    place: int
    id: str
    ends_on: date


class Taken(NamedTuple):
    """What became of reports: new ones, those that were known, and places of those whose decision is not on record.

    `ambiguous` are places of application ids that several owners have sent.
    """

    recorded: int
    known: int
    unknown: Sequence[int]
    ambiguous: Sequence[int]


def kept_until(ends_on: date) -> date:
    """The last day on which a decision of a group with this end has to be kept."""
    return _in_years(ends_on, KEPT_YEARS)


def _in_years(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return date(day.year + years, 3, 1)


def _earliest_kept(today: date) -> date:
    """Groups that ended on this day or later are kept today."""
    found = _in_years(today, -KEPT_YEARS)
    while kept_until(found - timedelta(days=1)) >= today:
        found -= timedelta(days=1)
    return found


def record(
    reports: Sequence[Report], connection: Connection, *, by_application: bool, owner: str | None, by: str
) -> Taken:
    """Keep these reports, which name decisions or application ids: of `owner`, None: of whoever alone has sent them."""
    one_at_a_time(connection)
    found = _decisions_of([each.id for each in reports], by_application, owner, connection)
    wanted = [(each, found[each.id]) for each in reports if len(found.get(each.id, ())) == 1]
    last = last_known([ids[0] for _, ids in wanted], connection)
    new: dict[str, date] = {}
    for each, (decision,) in wanted:
        if new.get(decision, last.get(decision)) != each.ends_on:
            new[decision] = each.ends_on
    _keep(new, by, connection)
    unknown = [each.place for each in reports if not found.get(each.id)]
    ambiguous = [each.place for each in reports if len(found.get(each.id, ())) > 1]
    return Taken(len(new), len(wanted) - len(new), unknown, ambiguous)


def _decisions_of(
    ids: Collection[str], by_application: bool, owner: str | None, connection: Connection
) -> Mapping[str, list[str]]:
    """Decisions by what names them; several where several owners have sent an application id."""
    found: dict[str, list[str]] = defaultdict(list)
    if not by_application:
        held = select(decisions.c.id).where(decisions.c.id.in_([each for each in ids if is_id(each)]), is_held())
        return {id: [id] for id in connection.scalars(held)}
    for table in (claims, namesakes):
        claimed = select(table.c.application_id, table.c.decision, decisions.c.asked_by)
        claimed = claimed.join(decisions, decisions.c.id == table.c.decision).where(table.c.application_id.in_(ids))
        for row in connection.execute(claimed):
            if owner is None or owner_of(row.asked_by) == owner:
                found[row.application_id].append(row.decision)
    return found


def last_known(ids: Collection[str], connection: Connection) -> Mapping[str, date]:
    """When the groups of these decisions end, where that is known."""
    reported = select(group_ends.c.decision, group_ends.c.ends_on).order_by(group_ends.c.id)
    found = connection.execute(reported.where(group_ends.c.decision.in_(ids)))
    return {row.decision: row.ends_on for row in found}


def _keep(new: Mapping[str, date], by: str, connection: Connection) -> None:
    places = select(decisions.c.id, decisions.c.writer, decisions.c.batch).where(decisions.c.id.in_(new))
    about = {"reported_at": datetime.now(UTC), "reported_by": by}
    rows = [
        {"id": new_id(), "decision": each.id, "writer": each.writer, "batch": each.batch, "ends_on": new[each.id]}
        | about
        for each in connection.execute(places)
    ]
    if rows:
        connection.execute(insert(group_ends), rows)
        events.append(events.GROUP_END, rows, connection)


def keeps_block(today: date) -> ColumnElement[bool]:
    """For queries that name blocks: whether one of a block's decisions has to be kept today, and so all of them."""
    of_block = (group_ends.c.writer == blocks.c.writer) & (group_ends.c.batch == blocks.c.number)
    return exists(kept_today(today).where(of_block))


def kept_today(today: date) -> Select[Any]:
    """The end that counts of each decision that has to be kept."""
    later = group_ends.alias()
    outdated = exists().where(later.c.decision == group_ends.c.decision, later.c.id > group_ends.c.id)
    return select(group_ends.c.ends_on).where(group_ends.c.ends_on >= _earliest_kept(today), ~outdated)
