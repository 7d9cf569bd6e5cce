"""The outbox keeps an entry until its work is done, and knows when it was sent and how often it was tried."""

import sqlalchemy as sa
from alembic import op

revision = "scale_outbox"
down_revision = "desk_console"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox", sa.Column("send_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("outbox", sa.Column("sends", sa.SmallInteger(), nullable=False, server_default="0"))
    op.add_column("outbox", sa.Column("attempts", sa.SmallInteger(), nullable=False, server_default="0"))
    op.create_index("ix_outbox_send_at", "outbox", ["lane", "send_at", "id"])
    op.create_index("ix_outbox_key", "outbox", ["topic", "key"])


def downgrade() -> None:
    op.drop_index("ix_outbox_key", "outbox")
    op.drop_index("ix_outbox_send_at", "outbox")
    with op.batch_alter_table("outbox") as batch_op:
        for name in ("attempts", "sends", "send_at"):
            batch_op.drop_column(name)
