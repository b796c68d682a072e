"""A corrected application names the earlier one; an index, of those that do, finds it from the other side.

Only additions: a service of the version before goes on working on these tables. Its `verify` reports decisions that
replace another as altered. Where it takes over the spool of a worker
of this version, it stores the decisions without `replaces`, which the application as received still has.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add a column and its index."""
    comment = "Id of the earlier application of the same owner that this one corrects."
    op.add_column("decisions", sa.Column("replaces", sa.String(64), comment=comment))
    replacing = sa.text("replaces IS NOT NULL")
    op.create_index(
        "decisions_by_replaced", "decisions", ["replaces"], sqlite_where=replacing, postgresql_where=replacing
    )


def downgrade() -> None:
    """Take them out again; `replaces` stays in the application as received."""
    op.drop_index("decisions_by_replaced", "decisions")
    op.drop_column("decisions", "replaces")
