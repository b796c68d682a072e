"""Application ids of several owners, and which code the tables suit; only adds."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    id_type = sa.Uuid(as_uuid=False) if op.get_bind().dialect.name == "postgresql" else sa.String(36)
    op.create_table(
        "namesakes",
        sa.Column(
            "application_id", sa.String(64), primary_key=True, comment="One that another owner has claimed before."
        ),
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("decision", id_type, nullable=False, comment="The decision that answers for it to this owner."),
    )
    op.create_index("namesakes_by_decision", "namesakes", ["decision"])
    op.create_table(
        "compatibility",
        sa.Column("version", sa.String(32), primary_key=True, comment="Of the tables."),
        sa.Column(
            "oldest_code", sa.String(32), nullable=False, comment="Version of the oldest code that can work with them."
        ),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("compatibility")
    op.drop_table("namesakes")
