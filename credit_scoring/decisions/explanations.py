"""The reasons of decisions as they were first given; whoever asks again gets the same bytes."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, insert, select

from credit_scoring.decisions import events
from credit_scoring.decisions.erased import is_held
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.tables import decisions, explanations, one_at_a_time


def given(decision_id: str, connection: Connection) -> str | None:
    """The reasons that were given, as JSON; None where nobody has asked yet."""
    found: str | None = connection.scalar(select(explanations.c.content).where(explanations.c.decision == decision_id))
    return found


def keep(contents: Mapping[str, str], given_to: Mapping[str, str], connection: Connection) -> dict[str, str]:
    """Keep the reasons of those decisions that are on record, with their data, and have none yet.

    By decision, the reasons that count: those on record first. A decision that waits in a spool has no block yet, which
    the event of its reasons would have to name.
    """
    one_at_a_time(connection)
    by_decision = select(explanations.c.decision, explanations.c.content)
    known = {row.decision: row.content for row in connection.execute(by_decision.where(_among(contents)))}
    held = set(connection.scalars(select(decisions.c.id).where(decisions.c.id.in_(contents), is_held())))
    new = {decision: content for decision, content in contents.items() if decision in held - known.keys()}
    now = datetime.now(UTC)
    rows = [
        {"id": new_id(), "decision": id, "content": content, "given_at": now, "given_to": given_to[id]}
        for id, content in new.items()
    ]
    if rows:
        connection.execute(insert(explanations), rows)
        events.append(events.REASONS, rows, connection)
    return {**contents, **known}


def _among(ids: Collection[str]) -> ColumnElement[bool]:
    return explanations.c.decision.in_(ids)
