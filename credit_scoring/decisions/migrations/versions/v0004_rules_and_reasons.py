"""What rules said, what the model did not know, the policy of each writer, and reasons that were given.

Only additions: a service of the version before goes on working on these tables. Its `verify` does not know the new
columns, so it takes decisions that have something in them for altered.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add a table and columns that may be absent; make room for a longer answer."""
    is_postgres = op.get_bind().dialect.name == "postgresql"
    id_type = sa.Uuid(as_uuid=False) if is_postgres else sa.String(36)
    if is_postgres:
        op.alter_column("decisions", "decision", type_=sa.String(10), existing_type=sa.String(8))
    rules = "JSON: ids of the policy's rules that did not pass; absent where all did."
    op.add_column("decisions", sa.Column("rules", sa.Text, comment=rules))
    outside = "JSON: fields beyond the training range; absent where there are none."
    op.add_column("decisions", sa.Column("outside_training", sa.Text, comment=outside))
    policy = "JSON: the whole policy; absent from earlier versions."
    op.add_column("writers", sa.Column("policy", sa.Text, comment=policy))
    catalogue = "Of the field catalogue; absent from earlier versions."
    op.add_column("writers", sa.Column("catalogue", sa.String(64), comment=catalogue))
    op.create_table(
        "explanations",
        sa.Column("id", id_type, primary_key=True),
        sa.Column("decision", id_type, nullable=False),
        sa.Column("content", sa.Text, nullable=False, comment="JSON: the reasons as they were first given."),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_to", sa.Text, nullable=False, comment="Name of the key; empty where none was needed."),
    )
    op.create_index("explanations_by_decision", "explanations", ["decision"], unique=True)


def downgrade() -> None:
    """Take them out again; answers of the longer kind stay."""
    op.drop_index("explanations_by_decision", "explanations")
    op.drop_table("explanations")
    for table, column in (
        ("writers", "catalogue"),
        ("writers", "policy"),
        ("decisions", "outside_training"),
        ("decisions", "rules"),
    ):
        op.drop_column(table, column)
