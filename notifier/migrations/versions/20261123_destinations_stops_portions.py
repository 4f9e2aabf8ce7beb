"""Destinations that rest, sending that is stopped, and Changes matched in portions.

Revision: 0007
Follows: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this schema."""
    op.create_table(
        "destinations",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("rests_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("queued_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_destinations")),
    )
    op.create_index(op.f("ix_destinations_seen_at"), "destinations", ["seen_at"], unique=False)
    op.create_index(
        "ix_destinations_doubtful",
        "destinations",
        ["key"],
        unique=False,
        postgresql_where=sa.text("tries > 0"),
        sqlite_where=sa.text("tries > 0"),
    )
    op.create_table(
        "sending_stops",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sending_stops")),
    )
    op.create_index(
        "ix_sending_stops_open",
        "sending_stops",
        ["id"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
        sqlite_where=sa.text("ended_at IS NULL"),
    )
    op.add_column(
        "changes", sa.Column("matched_upto", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
    )
    op.add_column("changes", sa.Column("match_after", sa.DateTime(timezone=True), nullable=True))
    # What is in no index can be written without writing the others anew.
    op.drop_index("ix_matches_delivery_id", table_name="matches")
    op.drop_index("ix_matches_waiting_of_trial", table_name="matches")
    with op.batch_alter_table("matches") as matches:
        # Of what is never deleted, and of what is deleted after them; each costs as much as an index.
        for key in ("delivery_id", "change_id", "trial_id"):
            matches.drop_constraint(f"fk_matches_{key}", type_="foreignkey")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE matches SET (fillfactor = 85)")
        # As `ROOM_IN_INDEX` says; of a primary key and of a constraint it cannot be said beside the columns.
        for index in ("pk_matches", "uq_matches_change_id_subscription_id", "ix_matches_subscription_id_trial_id"):
            op.execute(f"ALTER INDEX {index} SET (fillfactor = 70)")
    # Hardly any mail is lost, and so whose is known at once.
    lost = sa.text("ended_as = 'dropped'")
    op.create_index(
        "ix_matches_lost", "matches", ["subscriber_id"], unique=False, sqlite_where=lost, postgresql_where=lost
    )
    # With the id, what is due comes in order without sorting; without what is NULL, less is written for each mail.
    # The portions in which a Change is matched are ranges of ids of subscriptions.
    for name, table, columns, condition in (
        ("ix_deliveries_due", "deliveries", ["lane", "not_before", "id"], "state IN ('waiting', 'deferred')"),
        ("ix_deliveries_request_id", "deliveries", ["request_id"], "request_id IS NOT NULL"),
        ("ix_matches_urgent", "matches", ["subscriber_id"], "urgent AND ended_at IS NULL"),
        ("ix_subscriptions_condition_wants", "subscriptions", ["condition_id", "wants", "id"], "ended_at IS NULL"),
    ):
        op.drop_index(name, table_name=table)
        where = sa.text(condition)
        op.create_index(name, table, columns, unique=False, sqlite_where=where, postgresql_where=where)
    if op.get_bind().dialect.name == "sqlite":
        # Only so does it never give the number of a condition that links lead to to another one.
        with op.batch_alter_table("conditions", recreate="always", table_kwargs={"sqlite_autoincrement": True}):
            pass
    _lighten("told", ("subscriber_id", "trial_id"), ("seq",))
    _lighten("delivery_spans", ("delivery_id", "trial_id"), ("from_seq", "to_seq"))


def _lighten(table: str, keys: tuple[str, ...], numbers: tuple[str, ...]) -> None:
    """Leave a table its primary key: each mail writes some rows, and each index and foreign key costs as much again."""
    if table == "told":
        op.drop_index("ix_told_trial_id", table_name=table)
    if op.get_bind().dialect.name != "sqlite":
        for key in keys:
            op.drop_constraint(f"fk_{table}_{key}", table, type_="foreignkey")
        return
    # SQLite takes no constraint away from a table that there is.
    columns = ", ".join((*keys, *numbers))
    op.create_table(
        f"{table}_new",
        *(sa.Column(key, sa.Integer(), nullable=False, autoincrement=False) for key in keys),
        *(sa.Column(number, sa.Integer(), nullable=False) for number in numbers),
        sa.PrimaryKeyConstraint(*keys, name=f"pk_{table}"),
        sqlite_with_rowid=False,
    )
    ordered = f"INSERT INTO {table}_new ({columns}) SELECT {columns} FROM {table} ORDER BY {', '.join(keys)}"  # noqa: S608  # names of ours
    op.execute(ordered)
    op.drop_table(table)
    op.rename_table(f"{table}_new", table)
