"""One decision can be erased, and decisions may know when their consórcio group ends.

Only additions: a service of the version before goes on working on these tables. Its `verify` reports what was erased
as altered, and its `purge` does not know which decisions have to be kept: use those of this version.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

KINDS = "outcome, review or purge.", "outcome, review, reasons, groupend, erasure or purge."
SUBJECTS = "Id of the outcome, review or purge.", "Id of the outcome, review or other."
CONTENTS = "Of the outcome, review or purge.", "Of the outcome, review or other."


def upgrade() -> None:
    """Add two tables."""
    is_postgres = op.get_bind().dialect.name == "postgresql"
    id_type = sa.Uuid(as_uuid=False) if is_postgres else sa.String(36)
    op.create_table(
        "group_ends",
        sa.Column("id", id_type, primary_key=True),
        sa.Column("decision", id_type, nullable=False),
        sa.Column(
            "writer", id_type, nullable=False, comment="Of the decision, so that a purge finds the batches to keep."
        ),
        sa.Column("batch", sa.BigInteger, nullable=False, comment="Of the decision."),
        sa.Column("ends_on", sa.Date, nullable=False, comment="When the consórcio group ends; the last report counts."),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reported_by", sa.Text, nullable=False),
    )
    op.create_index("group_ends_by_decision", "group_ends", ["decision"])
    op.create_index("group_ends_by_batch", "group_ends", ["writer", "batch"])
    stays = "Its row stays in its batch, without the applicant's data."
    left = "JSON: hash of each review that is left, null if removed, by id."
    op.create_table(
        "erasures",
        sa.Column("id", id_type, primary_key=True),
        sa.Column("decision", id_type, nullable=False, comment=stays),
        sa.Column("writer", id_type, nullable=False, comment="Of the decision."),
        sa.Column("batch", sa.BigInteger, nullable=False, comment="Of the decision."),
        sa.Column("hash", sa.String(64), nullable=False, comment="Of the batch, which stays as it is."),
        sa.Column("rows_before", sa.String(64), nullable=False, comment="Hash over the rows of the batch until then."),
        sa.Column("rows_after", sa.String(64), nullable=False, comment="Hash over the rows of the batch from then on."),
        sa.Column("followed", sa.Text, nullable=False, comment=left),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("legal_basis_ended", sa.Text, comment="Why the duty to keep did not apply, where no date says so."),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_by", sa.Text, nullable=False),
    )
    op.create_index("erasures_by_decision", "erasures", ["decision"], unique=True)
    op.create_index("erasures_by_batch", "erasures", ["writer", "batch"])
    _comment_events(1)


def downgrade() -> None:
    """Take them out again; what was erased stays erased, and `verify` then reports it."""
    _comment_events(0)
    op.drop_table("erasures")
    op.drop_table("group_ends")


def _comment_events(which: int) -> None:
    if op.get_bind().dialect.name != "postgresql":  # SQLite has no comments
        return
    for column, comments in {"kind": KINDS, "subject": SUBJECTS, "content_hash": CONTENTS}.items():
        op.execute(sa.text(f"COMMENT ON COLUMN events.{column} IS '{comments[which]}'"))
