"""The tables of the decision log; only `purge` deletes, only `erase` and a migration update.

writers ─< blocks ─< decisions ─< outcomes, reviews, explanations, looks, group_ends, erasures
                      claims, namesakes (one decision for each application id of an owner)
purges
events (one for each outcome, review, explanation, group end, erasure and purge, in one chain)
compatibility

There are no foreign keys: the hashes of blocks and events (`chain.py`) hold the rows together; a purge leaves both.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    DateTime,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, UUID
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from credit_scoring.application.schemas import Answer
from credit_scoring.errors import CreditScoringError

ID = String(36).with_variant(UUID(as_uuid=False), "postgresql")
HASH = String(64)
ANSWER = String(8).with_variant(String(10), "postgresql")  # SQLite does not hold texts to their length
STEP = String(9).with_variant(String(20), "postgresql")  # the same
EXACT = Float(53).with_variant(DOUBLE_PRECISION, "postgresql")


class UtcTime(TypeDecorator[datetime]):
    """A moment; PostgreSQL keeps it with its zone, SQLite as text in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What the database is given."""
        if value is None or dialect.name == "postgresql":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """A moment in UTC."""
        if value is None:
            return None
        if not isinstance(value, datetime):
            raise CreditScoringError(f"The database holds {type(value).__name__} where a time was expected.")
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


metadata = MetaData()

writers = Table(
    "writers",
    metadata,
    Column("id", ID, primary_key=True, comment="One worker process, from its start to its end."),
    Column("started_at", UtcTime, nullable=False),
    Column("model", Text, nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("threshold", EXACT, nullable=False),
    Column("features", Text, nullable=False, comment="JSON: names of the values in decisions.seen, in order."),
    Column("service_version", Text, nullable=False),
    Column(
        "heads", Text, nullable=False, comment="JSON: the last batch of every other writer, [writer, number, hash]."
    ),
    Column("hash", HASH, nullable=False, comment="Of this row; the first batch is chained to it."),
    Column("events", Text, comment="JSON: the last event at its start, [number, hash]; absent from earlier versions."),
    Column("policy", Text, comment="JSON: the whole policy; absent from earlier versions."),
    Column("catalogue", HASH, comment="Of the field catalogue; absent from earlier versions."),
)

# The database calls a block a batch. A migration that renamed the table and its columns would lock out a service of the
# version before, which may restart on the newer tables during a rollout.
blocks = Table(
    "batches",
    metadata,
    Column("writer", ID, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False, comment="From 1, without a gap."),
    Column("decided_at", UtcTime, nullable=False),
    Column("size", Integer, nullable=False),
    Column("rows_hash", HASH, nullable=False),
    Column("hash", HASH, nullable=False, comment="Of the batch before, and of this row."),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", ID, primary_key=True),
    Column("writer", ID, nullable=False),
    Column("batch", BigInteger, nullable=False),
    Column("application_id", String(64)),
    Column("received", Text, nullable=False, comment="The application as it came."),
    Column("seen", Text, nullable=False, comment="JSON: the values that the model saw, named by writers.features."),
    Column("risk_probability", EXACT, nullable=False),
    Column("decision", ANSWER, nullable=False),
    Column("asked_by", Text, nullable=False, comment="Name of the key; empty where none was needed."),
    Column("rules", Text, comment="JSON: ids of the policy's rules that did not pass; absent where all did."),
    Column("outside_training", Text, comment="JSON: fields beyond the training range; absent where there are none."),
    Column("replaces", String(64), comment="Id of the earlier application of the same owner that this one corrects."),
)

_IN_ANALYSIS = decisions.c.decision == Answer.REVIEW.value
Index("decisions_in_analysis", decisions.c.id, sqlite_where=_IN_ANALYSIS, postgresql_where=_IN_ANALYSIS)
_REPLACING = decisions.c.replaces.is_not(None)
Index("decisions_by_replaced", decisions.c.replaces, sqlite_where=_REPLACING, postgresql_where=_REPLACING)

claims = Table(
    "claims",
    metadata,
    Column("application_id", String(64), primary_key=True),
    Column("decision", ID, nullable=False, comment="The decision that answers for this application id."),
)

namesakes = Table(
    "namesakes",
    metadata,
    Column("application_id", String(64), primary_key=True, comment="One that another owner has claimed before."),
    Column("owner", Text, primary_key=True),
    Column("decision", ID, nullable=False, comment="The decision that answers for it to this owner."),
    Index("namesakes_by_decision", "decision"),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("id", ID, primary_key=True),
    Column("decision", ID, nullable=False),
    Column("outcome", String(9), nullable=False),
    Column("observed_on", Date, nullable=False),
    Column("reported_at", UtcTime, nullable=False),
    Column("reported_by", Text, nullable=False),
    Index("outcomes_by_decision", "decision"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", ID, primary_key=True),
    Column("decision", ID, nullable=False),
    Column("step", STEP, nullable=False),
    Column("reason", Text, nullable=False),
    Column("reviewer", Text, nullable=False),
    Column("recorded_at", UtcTime, nullable=False),
    Column("recorded_by", Text, nullable=False),
    Index("reviews_by_decision", "decision"),
    Index("reviews_by_step", "step", "id"),
)

explanations = Table(
    "explanations",
    metadata,
    Column("id", ID, primary_key=True),
    Column("decision", ID, nullable=False),
    Column("content", Text, nullable=False, comment="JSON: the reasons as they were first given."),
    Column("given_at", UtcTime, nullable=False),
    Column("given_to", Text, nullable=False, comment="Name of the key; empty where none was needed."),
    Index("explanations_by_decision", "decision", unique=True),
)

looks = Table(
    "looks",
    metadata,
    Column("id", ID, primary_key=True),
    Column("decision", ID, nullable=False, comment="Whose data was shown; it stays when the decision is purged."),
    Column("page", String(20), nullable=False, comment="What was shown."),
    Column("seen_at", UtcTime, nullable=False),
    Column("seen_by", Text, nullable=False, comment="Name of the key; empty where none was needed."),
    Index("looks_by_decision", "decision"),
)

group_ends = Table(
    "group_ends",
    metadata,
    Column("id", ID, primary_key=True),
    Column("decision", ID, nullable=False),
    Column("writer", ID, nullable=False, comment="Of the decision, so that a purge finds the batches to keep."),
    Column("batch", BigInteger, nullable=False, comment="Of the decision."),
    Column("ends_on", Date, nullable=False, comment="When the consórcio group ends; the last report counts."),
    Column("reported_at", UtcTime, nullable=False),
    Column("reported_by", Text, nullable=False),
    Index("group_ends_by_decision", "decision"),
    Index("group_ends_by_batch", "writer", "batch"),
)

erasures = Table(
    "erasures",
    metadata,
    Column("id", ID, primary_key=True),
    Column("decision", ID, nullable=False, comment="Its row stays in its batch, without the applicant's data."),
    Column("writer", ID, nullable=False, comment="Of the decision."),
    Column("batch", BigInteger, nullable=False, comment="Of the decision."),
    Column("hash", HASH, nullable=False, comment="Of the batch, which stays as it is."),
    Column("rows_before", HASH, nullable=False, comment="Hash over the rows of the batch until then."),
    Column("rows_after", HASH, nullable=False, comment="Hash over the rows of the batch from then on."),
    Column("followed", Text, nullable=False, comment="JSON: hash of each review that is left, null if removed, by id."),
    Column("reason", Text, nullable=False),
    Column("legal_basis_ended", Text, comment="Why the duty to keep did not apply, where no date says so."),
    Column("erased_at", UtcTime, nullable=False),
    Column("erased_by", Text, nullable=False),
    Index("erasures_by_decision", "decision", unique=True),
    Index("erasures_by_batch", "writer", "batch"),
)

purges = Table(
    "purges",
    metadata,
    Column("id", ID, primary_key=True),
    Column("purged_at", UtcTime, nullable=False),
    Column("decided_before", UtcTime, nullable=False),
    Column("decisions", BigInteger, nullable=False),
    Column("writer", ID, comment="Whose batches; absent from earlier versions, as are the next three."),
    Column("first", BigInteger, comment="Number of the first batch whose decisions were deleted."),
    Column("last", BigInteger, comment="Number of the last one; all between them are included."),
    Column("hash", HASH, comment="Of the last batch, and so of all before it."),
    Index("purges_by_batch", "writer", "first"),
)

events = Table(
    "events",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False, comment="From 1, without a gap."),
    Column("kind", String(8), nullable=False, comment="outcome, review, reasons, groupend, erasure or purge."),
    Column("subject", ID, nullable=False, comment="Id of the outcome, review or other."),
    Column("writer", ID, comment="Of the decision; absent for a purge."),
    Column("batch", BigInteger, comment="Of the decision; absent for a purge."),
    Column("content_hash", HASH, nullable=False, comment="Of the outcome, review or other."),
    Column("hash", HASH, nullable=False, comment="Of the event before, and of this row."),
    Index("events_by_subject", "subject", unique=True),
)

compatibility = Table(
    "compatibility",
    metadata,
    Column("version", String(32), primary_key=True, comment="Of the tables."),
    Column("oldest_code", String(32), nullable=False, comment="Version of the oldest code that can work with them."),
)

_REPORTS_LOCK = 7_410_283_561  # PostgreSQL's advisory locks have numbers


def one_at_a_time(connection: Connection) -> None:
    """Let no other worker report outcomes or reviews until this transaction ends, so that nothing is kept twice."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
        connection.execute(select(func.pg_advisory_xact_lock(_REPORTS_LOCK)))
