"""The decision log: writers, batches, decisions, claims, outcomes, reviews and purges."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

EXACT = sa.Float(53)


def upgrade() -> None:
    """Make the tables."""
    id_type = sa.Uuid(as_uuid=False) if op.get_bind().dialect.name == "postgresql" else sa.String(36)
    time_type = sa.DateTime(timezone=True)
    op.create_table(
        "writers",
        sa.Column("id", id_type, primary_key=True, comment="One worker process, from its start to its end."),
        sa.Column("started_at", time_type, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("policy_version", sa.Text, nullable=False),
        sa.Column("threshold", EXACT, nullable=False),
        sa.Column(
            "features", sa.Text, nullable=False, comment="JSON: names of the values in decisions.seen, in order."
        ),
        sa.Column("service_version", sa.Text, nullable=False),
        sa.Column(
            "heads",
            sa.Text,
            nullable=False,
            comment="JSON: the last batch of every other writer, [writer, number, hash].",
        ),
        sa.Column("hash", sa.String(64), nullable=False, comment="Of this row; the first batch is chained to it."),
    )
    op.create_table(
        "batches",
        sa.Column("writer", id_type, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False, comment="From 1, without a gap."),
        sa.Column("decided_at", time_type, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("rows_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False, comment="Of the batch before, and of this row."),
    )
    op.create_table(
        "decisions",
        sa.Column("id", id_type, primary_key=True),
        sa.Column("writer", id_type, nullable=False),
        sa.Column("batch", sa.BigInteger, nullable=False),
        sa.Column("application_id", sa.String(64)),
        sa.Column("received", sa.Text, nullable=False, comment="The application as it came."),
        sa.Column(
            "seen", sa.Text, nullable=False, comment="JSON: the values that the model saw, named by writers.features."
        ),
        sa.Column("risk_probability", EXACT, nullable=False),
        sa.Column("decision", sa.String(8), nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False, comment="Name of the key; empty where none was needed."),
    )
    op.create_table(
        "claims",
        sa.Column("application_id", sa.String(64), primary_key=True),
        sa.Column("decision", id_type, nullable=False, comment="The decision that answers for this application id."),
    )
    op.create_table(
        "outcomes",
        sa.Column("id", id_type, primary_key=True),
        sa.Column("decision", id_type, nullable=False),
        sa.Column("outcome", sa.String(9), nullable=False),
        sa.Column("observed_on", sa.Date, nullable=False),
        sa.Column("reported_at", time_type, nullable=False),
        sa.Column("reported_by", sa.Text, nullable=False),
    )
    op.create_index("outcomes_by_decision", "outcomes", ["decision"])
    op.create_table(
        "reviews",
        sa.Column("id", id_type, primary_key=True),
        sa.Column("decision", id_type, nullable=False),
        sa.Column("step", sa.String(9), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("reviewer", sa.Text, nullable=False),
        sa.Column("recorded_at", time_type, nullable=False),
        sa.Column("recorded_by", sa.Text, nullable=False),
    )
    op.create_index("reviews_by_decision", "reviews", ["decision"])
    op.create_table(
        "purges",
        sa.Column("id", id_type, primary_key=True),
        sa.Column("purged_at", time_type, nullable=False),
        sa.Column("decided_before", time_type, nullable=False),
        sa.Column("decisions", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for name in ("purges", "reviews", "outcomes", "claims", "decisions", "batches", "writers"):
        op.drop_table(name)
