"""The reasons of decisions as they were first given; whoever asks again gets the same bytes."""

from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select

from credit_scoring.decisions import events
from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.tables import explanations, one_at_a_time


def given(decision_id: str, connection: Connection) -> str | None:
    """The reasons that were given, as JSON; None where nobody has asked yet."""
    found: str | None = connection.scalar(select(explanations.c.content).where(explanations.c.decision == decision_id))
    return found


def keep(decision_id: str, content: str, given_to: str, connection: Connection) -> str:
    """Keep the reasons unless there are some; those on record."""
    one_at_a_time(connection)
    if (known := given(decision_id, connection)) is not None:
        return known
    row = {
        "id": new_id(),
        "decision": decision_id,
        "content": content,
        "given_at": datetime.now(UTC),
        "given_to": given_to,
    }
    connection.execute(insert(explanations), row)
    events.append(events.REASONS, [row], connection)
    return content
