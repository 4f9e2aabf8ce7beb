"""Consent is kept in words, mails can be paused and handed over; API keys, repeated requests, an audit trail.

Revision: 0006
Follows: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this schema."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hint", sa.String(length=16), nullable=False),
        sa.Column("scopes", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_on", sa.String(length=10), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
        sa.UniqueConstraint("name", name=op.f("uq_api_keys_name")),
    )
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("what", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=16), nullable=False),
        sa.Column("count", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    op.create_index(op.f("ix_audit_entries_done_at"), "audit_entries", ["done_at"], unique=False)

    op.create_table(
        "consent_texts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("health", sa.Text(), nullable=True),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_texts")),
        sa.UniqueConstraint("digest", name=op.f("uq_consent_texts_digest")),
    )
    op.create_table(
        "idempotent_answers",
        sa.Column("api_key_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("api_key_id", "key_digest", name=op.f("pk_idempotent_answers")),
    )
    op.create_index(op.f("ix_idempotent_answers_expires_at"), "idempotent_answers", ["expires_at"], unique=False)

    op.create_table(
        "retention_marks",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_retention_marks")),
    )

    # Studies are asked for by number alone.
    op.create_index(op.f("ix_trials_number"), "trials", ["number"], unique=False)
    op.create_index(op.f("ix_trial_aliases_number"), "trial_aliases", ["number"], unique=False)

    op.add_column(
        "pending_requests", sa.Column("kind", sa.String(length=12), server_default="subscription", nullable=False)
    )
    op.add_column(
        "pending_requests",
        sa.Column("from_subscriber_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
    )
    op.add_column("pending_requests", sa.Column("narrower", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column(
        "pending_requests",
        sa.Column("consent_text_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
    )
    op.add_column(
        "pending_requests", sa.Column("consent_health", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("pending_requests", sa.Column("words_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("pending_requests", sa.Column("words_index", sa.LargeBinary(), nullable=True))
    op.create_index(
        "ix_pending_requests_from_subscriber_id",
        "pending_requests",
        ["from_subscriber_id"],
        unique=False,
        sqlite_where=sa.text("from_subscriber_id IS NOT NULL"),
        postgresql_where=sa.text("from_subscriber_id IS NOT NULL"),
    )

    op.add_column("subscribers", sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True))

    op.add_column("subscriptions", sa.Column("narrower", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column(
        "subscriptions",
        sa.Column("consent_text_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
    )
    op.add_column("subscriptions", sa.Column("consent_health", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("subscriptions", sa.Column("consent_asked_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_subscriptions_ended_at",
        "subscriptions",
        ["ended_at"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NOT NULL"),
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    op.create_index("ix_subscriptions_subscriber_id", "subscriptions", ["subscriber_id"], unique=False)

    op.create_index(op.f("ix_trials_status_id"), "trials", ["status", "id"], unique=False)
