"""The trace a warning and its batches belong to, as W3C traceparent, for whoever goes on with them in another process."""

import sqlalchemy as sa
from alembic import op

revision = "trace_context"
down_revision = "loop_closed"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("warning", sa.Column("trace", sa.Text(), nullable=True))
    op.add_column("batch", sa.Column("trace", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("batch", "trace")
    op.drop_column("warning", "trace")
