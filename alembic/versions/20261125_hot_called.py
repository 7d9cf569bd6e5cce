"""The tasks of those who are called for somebody else have an index of their own: every answer asks for them."""

import sqlalchemy as sa
from alembic import op

revision = "hot_called"
down_revision = "why_lost"
branch_labels = None
depends_on = None

CALLED = sa.text("rung = 99")


def upgrade() -> None:
    op.create_index("ix_task_called", "task", ["warning_id"], sqlite_where=CALLED, postgresql_where=CALLED)


def downgrade() -> None:
    op.drop_index("ix_task_called", "task")
