"""Changes that come in many studies at once are held; studies can leave the registry.

Revision: 0002
Follows: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this schema."""
    op.create_table(
        "held_changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("field", sa.String(length=40), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("tripped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_held_changes")),
        sa.UniqueConstraint("signature", name=op.f("uq_held_changes_signature")),
    )
    op.create_table(
        "change_signatures",
        sa.Column("change_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("trial_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name=op.f("fk_change_signatures_change_id")),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name=op.f("fk_change_signatures_trial_id")),
        sa.PrimaryKeyConstraint("change_id", "signature", name=op.f("pk_change_signatures")),
    )
    with op.batch_alter_table("change_signatures", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_change_signatures_observed_at"), ["observed_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_change_signatures_signature_observed_at"), ["signature", "observed_at"], unique=False
        )

    with op.batch_alter_table("changes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("closes", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("held_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch_op.create_index(
            "ix_changes_held_id",
            ["held_id"],
            unique=False,
            sqlite_where=sa.text("held_id IS NOT NULL"),
            postgresql_where=sa.text("held_id IS NOT NULL"),
        )

    with op.batch_alter_table("trials", schema=None) as batch_op:
        batch_op.add_column(sa.Column("listing", sa.String(length=12), nullable=True))
        batch_op.add_column(
            sa.Column("merged_into_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.create_index(
            "ix_trials_merged_into_id",
            ["merged_into_id"],
            unique=False,
            sqlite_where=sa.text("merged_into_id IS NOT NULL"),
            postgresql_where=sa.text("merged_into_id IS NOT NULL"),
        )
