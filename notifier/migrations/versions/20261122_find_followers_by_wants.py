"""Who follows a condition is found by what they want of it.

Revision: 0004
Follows: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    """Go to this schema."""
    op.drop_index("ix_subscriptions_condition", table_name="subscriptions")
    op.create_index(
        "ix_subscriptions_condition_wants",
        "subscriptions",
        ["condition_id", "wants"],
        unique=False,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
