"""A request says which news of a study is wanted; matches are found by subscription and study.

Revision: 0003
Follows: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this schema."""
    # Not in batch mode, which would make the table anew and lose its AUTOINCREMENT.
    wanted = sa.Column("trial_wants", sa.String(length=12), server_default=sa.text("'everything'"), nullable=False)
    op.add_column("pending_requests", wanted)
    op.drop_index("ix_matches_subscription_id", table_name="matches")
    op.create_index("ix_matches_subscription_id_trial_id", "matches", ["subscription_id", "trial_id"], unique=False)
