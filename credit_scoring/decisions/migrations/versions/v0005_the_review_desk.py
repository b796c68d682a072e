"""What the review desk needs: what waits is found by indexes, two people may judge, every look is on record.

Only additions: a service of the version before goes on working on these tables. It cannot show a dossier with a verdict
of the new kinds.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add a table and indexes; make room for longer steps."""
    is_postgres = op.get_bind().dialect.name == "postgresql"
    id_type = sa.Uuid(as_uuid=False) if is_postgres else sa.String(36)
    if is_postgres:
        op.alter_column("reviews", "step", type_=sa.String(20), existing_type=sa.String(9))
    in_analysis = sa.text("decision = 'EM_ANALISE'")
    op.create_index(
        "decisions_in_analysis", "decisions", ["id"], sqlite_where=in_analysis, postgresql_where=in_analysis
    )
    op.create_index("reviews_by_step", "reviews", ["step", "id"])
    whose = "Whose data was shown; it stays when the decision is purged."
    op.create_table(
        "looks",
        sa.Column("id", id_type, primary_key=True),
        sa.Column("decision", id_type, nullable=False, comment=whose),
        sa.Column("page", sa.String(20), nullable=False, comment="What was shown."),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_by", sa.Text, nullable=False, comment="Name of the key; empty where none was needed."),
    )
    op.create_index("looks_by_decision", "looks", ["decision"])


def downgrade() -> None:
    """Take them out again; longer steps stay."""
    op.drop_index("looks_by_decision", "looks")
    op.drop_table("looks")
    op.drop_index("reviews_by_step", "reviews")
    op.drop_index("decisions_in_analysis", "decisions")
