"""Checks of claims against decisions, in both directions; the application ids of decisions are hashed."""

from sqlalchemy import Connection, or_, select

from credit_scoring.tables import claims, decisions
from credit_scoring.verdict import Verdict, stream

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
