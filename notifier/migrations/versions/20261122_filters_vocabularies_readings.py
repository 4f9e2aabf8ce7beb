"""Subscriptions have filters; vocabularies can be imported; operators may say what a study is about.

Revision: 0005
Follows: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this schema."""
    op.create_table(
        "filters",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("only_recruiting", sa.Boolean(), nullable=False),
        sa.Column("phases", sa.Integer(), nullable=False),
        sa.Column("sex", sa.String(length=6), nullable=True),
        sa.Column("born_year", sa.Integer(), nullable=True),
        sa.Column("has_countries", sa.Boolean(), nullable=False),
        sa.Column("near_x", sa.Integer(), nullable=True),
        sa.Column("near_y", sa.Integer(), nullable=True),
        sa.Column("near_z", sa.Integer(), nullable=True),
        sa.Column("within", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_filters")),
        sa.UniqueConstraint("key", name=op.f("uq_filters_key")),
    )
    op.create_table(
        "vocabularies",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("concepts", sa.Integer(), nullable=False),
        sa.Column("names", sa.Integer(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_vocabularies")),
    )
    op.create_table(
        "broader_conditions",
        sa.Column("condition_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("broader_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("vocabulary", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["broader_id"], ["conditions.id"], name=op.f("fk_broader_conditions_broader_id")),
        sa.ForeignKeyConstraint(["condition_id"], ["conditions.id"], name=op.f("fk_broader_conditions_condition_id")),
        sa.PrimaryKeyConstraint("condition_id", "broader_id", "vocabulary", name=op.f("pk_broader_conditions")),
    )
    with op.batch_alter_table("broader_conditions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_broader_conditions_broader_id"), ["broader_id"], unique=False)

    op.create_table(
        "condition_codes",
        sa.Column("vocabulary", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("condition_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["condition_id"], ["conditions.id"], name=op.f("fk_condition_codes_condition_id")),
        sa.PrimaryKeyConstraint("vocabulary", "code", name=op.f("pk_condition_codes")),
    )
    with op.batch_alter_table("condition_codes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_condition_codes_condition_id"), ["condition_id"], unique=False)

    op.create_table(
        "condition_names",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("condition_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("vocabulary", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["condition_id"], ["conditions.id"], name=op.f("fk_condition_names_condition_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_condition_names")),
        sa.UniqueConstraint(
            "condition_id", "key", "vocabulary", name=op.f("uq_condition_names_condition_id_key_vocabulary")
        ),
    )
    with op.batch_alter_table("condition_names", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_condition_names_key"), ["key"], unique=False)

    op.create_table(
        "filter_countries",
        sa.Column("filter_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.ForeignKeyConstraint(["filter_id"], ["filters.id"], name=op.f("fk_filter_countries_filter_id")),
        sa.PrimaryKeyConstraint("filter_id", "country", name=op.f("pk_filter_countries")),
    )
    op.create_table(
        "trial_readings",
        sa.Column("trial_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("substance", sa.Text(), nullable=True),
        sa.Column("could_lead_to", sa.Text(), nullable=True),
        sa.Column("could_go_wrong", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("supplied_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name=op.f("fk_trial_readings_trial_id")),
        sa.PrimaryKeyConstraint("trial_id", "language", name=op.f("pk_trial_readings")),
    )
    op.create_table(
        "state_places",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("x", sa.Integer(), nullable=True),
        sa.Column("y", sa.Integer(), nullable=True),
        sa.Column("z", sa.Integer(), nullable=True),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["state_id"], ["trial_states.id"], name=op.f("fk_state_places_state_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_state_places")),
    )
    with op.batch_alter_table("state_places", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_state_places_state_id"), ["state_id"], unique=False)

    op.create_table(
        "state_traits",
        sa.Column("state_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("is_recruiting", sa.Boolean(), nullable=False),
        sa.Column("phases", sa.Integer(), nullable=False),
        sa.Column("sex", sa.String(length=6), nullable=True),
        sa.Column("youngest_months", sa.Integer(), nullable=False),
        sa.Column("oldest_months", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["state_id"], ["trial_states.id"], name=op.f("fk_state_traits_state_id")),
        sa.PrimaryKeyConstraint("state_id", name=op.f("pk_state_traits")),
    )
    # Not in a batch: it would make the tables anew, and SQLite would forget that their ids are never given again.
    op.add_column("conditions", sa.Column("kind", sa.String(length=8), server_default="concept", nullable=False))
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("conditions", sa.Column("looked_through", big, nullable=True))
    # Words that somebody follows and no study has borne yet were followed as text before there was a name for it.
    op.execute(
        "UPDATE conditions SET kind = 'text', looked_through = 0 WHERE mesh_id IS NULL"
        " AND id IN (SELECT condition_id FROM subscriptions WHERE condition_id IS NOT NULL)"
        " AND id NOT IN (SELECT condition_id FROM trial_conditions)"
    )
    texts = sa.text("kind = 'text'")
    op.create_index("ix_conditions_text", "conditions", ["id"], sqlite_where=texts, postgresql_where=texts)
    op.create_table(
        "trial_texts",
        sa.Column("trial_id", big, nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name=op.f("fk_trial_texts_trial_id")),
        sa.PrimaryKeyConstraint("trial_id", name=op.f("pk_trial_texts")),
    )
    op.add_column("matches", sa.Column("urgent", sa.Boolean(), server_default=sa.false(), nullable=False))
    urgent = sa.text("urgent AND ended_at IS NULL")
    columns = ["delivery_id", "subscriber_id"]
    op.create_index("ix_matches_urgent", "matches", columns, sqlite_where=urgent, postgresql_where=urgent)
    for table in ("pending_requests", "subscriptions"):
        op.add_column(
            table, sa.Column("filter_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        op.add_column(table, sa.Column("urgent", sa.Boolean(), server_default=sa.false(), nullable=False))
    filtered = sa.text("ended_at IS NULL AND filter_id IS NOT NULL")
    op.create_index(
        "ix_subscriptions_condition_filter", "subscriptions", ["condition_id", "filter_id", "wants"],
        sqlite_where=filtered, postgresql_where=filtered,
    )  # fmt: skip
    for table in ("pending_requests", "subscribers"):
        op.add_column(table, sa.Column("country", sa.String(length=2), nullable=True))
    for choice in ("detailed_subjects", "quiet_notes"):
        op.add_column("subscribers", sa.Column(choice, sa.Boolean(), server_default=sa.false(), nullable=False))
    quiet = sa.text("quiet_notes")
    op.create_index(
        "ix_subscribers_quiet_notes", "subscribers", ["schedule_id"], sqlite_where=quiet, postgresql_where=quiet
    )
