"""Outcomes, reviews and purges in a chain of their own; a purge names its batches.

Only additions: a service of the version before goes on working on these tables.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add a table and columns that may be absent."""
    id_type = sa.Uuid(as_uuid=False) if op.get_bind().dialect.name == "postgresql" else sa.String(36)
    op.create_table(
        "events",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False, comment="From 1, without a gap."),
        sa.Column("kind", sa.String(8), nullable=False, comment="outcome, review or purge."),
        sa.Column("subject", id_type, nullable=False, comment="Id of the outcome, review or purge."),
        sa.Column("writer", id_type, comment="Of the decision; absent for a purge."),
        sa.Column("batch", sa.BigInteger, comment="Of the decision; absent for a purge."),
        sa.Column("content_hash", sa.String(64), nullable=False, comment="Of the outcome, review or purge."),
        sa.Column("hash", sa.String(64), nullable=False, comment="Of the event before, and of this row."),
    )
    op.create_index("events_by_subject", "events", ["subject"], unique=True)
    last_event = "JSON: the last event at its start, [number, hash]; absent from earlier versions."
    op.add_column("writers", sa.Column("events", sa.Text, comment=last_event))
    whose = "Whose batches; absent from earlier versions, as are the next three."
    op.add_column("purges", sa.Column("writer", id_type, comment=whose))
    first = "Number of the first batch whose decisions were deleted."
    op.add_column("purges", sa.Column("first", sa.BigInteger, comment=first))
    last = "Number of the last one; all between them are included."
    op.add_column("purges", sa.Column("last", sa.BigInteger, comment=last))
    op.add_column("purges", sa.Column("hash", sa.String(64), comment="Of the last batch, and so of all before it."))
    op.create_index("purges_by_batch", "purges", ["writer", "first"])


def downgrade() -> None:
    """Take them out again."""
    op.drop_index("purges_by_batch", "purges")
    for name in ("hash", "last", "first", "writer"):
        op.drop_column("purges", name)
    op.drop_column("writers", "events")
    op.drop_table("events")
