"""Whether the decision log is as it was written; takes the same memory however large the log is."""

from collections.abc import Iterable

from sqlalchemy import Connection, text

from credit_scoring.decisions.anchors import Anchor
from credit_scoring.decisions.block_checks import check_absences, check_chains, check_rows
from credit_scoring.decisions.claim_checks import check_claims
from credit_scoring.decisions.erasure_checks import check_erasures
from credit_scoring.decisions.event_checks import check_events, check_purges, check_strays
from credit_scoring.decisions.head_checks import check_heads, check_introductions, check_last_event
from credit_scoring.decisions.verdict import OnProgress, Verdict


def verify(
    connection: Connection,
    anchors: Iterable[Anchor] = (),
    on_progress: OnProgress = lambda done, total: None,
) -> Verdict:
    """Check the whole log as it is at one moment; nothing else may have been done on this connection.

    `anchors` were signed earlier and kept elsewhere: they prove that no chain has been truncated or rewritten since.
    `on_progress` gets the rows done and all rows.
    """
    if connection.dialect.name == "postgresql":  # SQLite's transactions always see one moment
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    verdict = Verdict()
    check_introductions(connection, verdict)
    check_chains(connection, verdict)
    check_anchors(anchors, connection, verdict)
    check_rows(connection, verdict, on_progress)
    check_absences(connection, verdict)
    check_purges(connection, verdict)
    check_erasures(connection, verdict)
    check_events(connection, verdict)
    check_strays(connection, verdict)
    check_claims(connection, verdict)
    return verdict


def check_anchors(anchors: Iterable[Anchor], connection: Connection, verdict: Verdict) -> None:
    """Whether every chain still holds what these anchors noted."""
    for anchor in anchors:
        source = f"noted in anchor {anchor.number}"
        check_heads(anchor.heads, source, connection, verdict)
        check_last_event(anchor.last_event, source, connection, verdict)
