"""Checks of claims against decisions, in both directions; the application ids of decisions are hashed."""

from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection, or_, select

from credit_scoring.decisions.owners import owner_of
from credit_scoring.decisions.tables import claims, decisions, namesakes
from credit_scoring.decisions.verdict import Verdict, stream

_SAME_ID = claims.c.application_id == decisions.c.application_id


def check_claims(connection: Connection, verdict: Verdict) -> None:
    """Every claim belongs to a decision with its application id, every application id is claimed.

    Two decisions with the same one have one claim: `best_effort` may answer twice while the log is away.
    """
    astray = or_(decisions.c.id.is_(None), decisions.c.application_id.is_(None), ~_SAME_ID)
    claimed = select(claims.c.decision).outerjoin(decisions, decisions.c.id == claims.c.decision).where(astray)
    for row in stream(claimed, connection):
        verdict.note(f"Decision {row.decision}: claimed for an application id that is not its own, or removed.")
    applied = select(decisions.c.id).outerjoin(claims, _SAME_ID)
    unclaimed = applied.where(decisions.c.application_id.is_not(None), claims.c.application_id.is_(None))
    for row in stream(unclaimed, connection):
        verdict.note(f"Decision {row.id}: the claim for its application id was removed.")
    _check_namesakes(connection, verdict)
    _check_other_owners(connection, verdict)


def _check_namesakes(connection: Connection, verdict: Verdict) -> None:
    """Every namesake belongs to a decision with its application id, asked for by its owner."""
    found = select(namesakes, decisions.c.application_id.label("applied"), decisions.c.asked_by)
    for row in stream(found.outerjoin(decisions, decisions.c.id == namesakes.c.decision), connection):
        if row.applied != row.application_id or owner_of(row.asked_by) != row.owner:
            verdict.note(f"Decision {row.decision}: a namesake of another application id or owner, or removed.")


def _check_other_owners(connection: Connection, verdict: Verdict) -> None:
    """A decision whose application id another owner claimed first has a namesake of its own owner."""
    first = decisions.alias()
    found = (
        select(decisions.c.id, decisions.c.asked_by, first.c.asked_by.label("first_by"), namesakes.c.owner)
        .join(claims, _SAME_ID)
        .join(first, first.c.id == claims.c.decision)
        .outerjoin(namesakes, namesakes.c.application_id == decisions.c.application_id)
        .where(decisions.c.asked_by != first.c.asked_by)
        .order_by(decisions.c.id)
    )
    for id, rows in groupby(stream(found, connection), key=attrgetter("id")):
        owners = [(owner_of(row.asked_by), owner_of(row.first_by), row.owner) for row in rows]
        if owners[0][0] != owners[0][1] and owners[0][0] not in [namesake for _, _, namesake in owners]:
            verdict.note(f"Decision {id}: the namesake for its application id was removed.")
