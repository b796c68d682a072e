"""Who has looked at whose data, and when; a purge of decisions leaves this record."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, RowMapping, insert, select

from credit_scoring.decisions.ids import new_id
from credit_scoring.decisions.tables import looks


def record(decision_id: str, page: str, by: str, connection: Connection) -> None:
    """Keep that this page of a decision is shown to the key `by`."""
    row = {"id": new_id(), "decision": decision_id, "page": page, "seen_at": datetime.now(UTC), "seen_by": by}
    connection.execute(insert(looks), row)


def latest(decision_id: str, most: int, connection: Connection) -> Sequence[RowMapping]:
    """The newest looks at a decision, newest first."""
    found = select(looks).where(looks.c.decision == decision_id).order_by(looks.c.id.desc()).limit(most)
    return connection.execute(found).mappings().all()
