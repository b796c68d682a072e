"""How old decisions leave the log: whole batches, with all that belongs to them; their hashes stay."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select

from credit_scoring import claims
from credit_scoring.identifiers import new_id
from credit_scoring.tables import batches, decisions, outcomes, purges, reviews


def count_before(moment: datetime, connection: Connection) -> int:
    """How many decisions would go."""
    return connection.scalar(select(func.count()).select_from(_before(moment).subquery())) or 0


def purge_before(moment: datetime, connection: Connection) -> int:
    """Delete decisions of batches decided before this moment, their claims, outcomes and reviews; how many they were.

    The purge is put on record, so that `verify` can tell it from tampering. All of it or nothing is done.
    """
    gone = count_before(moment, connection)
    claims.release(_before(moment), connection)
    for table in (outcomes, reviews):
        connection.execute(delete(table).where(table.c.decision.in_(_before(moment))))
    connection.execute(delete(decisions).where(decisions.c.id.in_(_before(moment))))
    record = {"id": new_id(), "purged_at": datetime.now(UTC), "decided_before": moment, "decisions": gone}
    connection.execute(insert(purges), record)
    return gone


def _before(moment: datetime) -> Select[Any]:
    of_batch = (batches.c.writer == decisions.c.writer) & (batches.c.number == decisions.c.batch)
    return select(decisions.c.id).join(batches, of_batch).where(batches.c.decided_at < moment)
