"""An index of what failed, so that a page of failures does not read the deliveries that arrived."""

import sqlalchemy as sa
from alembic import op

revision = "why_lost"
down_revision = "forms_elsewhere"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE delivery SET reason = 'unsaid' WHERE state IN (30, 50) AND reason IS NULL")
    held = sa.text("reason IS NOT NULL")
    columns = ["wave_id", "code", "recipient_id", "reason", "batch_id"]
    op.create_index("ix_delivery_reason", "delivery", columns, sqlite_where=held, postgresql_where=held)


def downgrade() -> None:
    op.drop_index("ix_delivery_reason", "delivery")
