"""What several processes share: dead letters as a table of their own, lanes in the outbox, providers' rates."""

import orjson
import sqlalchemy as sa
from alembic import op

revision = "scale_shared"
down_revision = "ladder_duty"
branch_labels = None
depends_on = None

LEAST = 4


def upgrade() -> None:
    op.create_table(
        "dead",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("replayed_at", sa.BigInteger(), nullable=True),
        sa.Column("replayed_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead")),
    )
    op.create_table(
        "quota",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("paused_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_quota")),
    )
    op.add_column("outbox", sa.Column("lane", sa.SmallInteger(), nullable=False, server_default=str(LEAST)))
    move_letters()


def move_letters() -> None:
    """What was buried in the outbox goes to its own table."""
    conn = op.get_bind()
    add = sa.text(
        "INSERT INTO dead (topic, key, data, lane, reason, source, at) VALUES (:topic, :key, :entry, :lane, :error, :s, :at)"
    )
    for row in conn.execute(sa.text("SELECT id, key, data, at FROM outbox WHERE topic = 'dead'")).all():
        data = row.data if isinstance(row.data, dict) else orjson.loads(row.data)
        conn.execute(add, data | {"key": row.key, "lane": LEAST, "s": f"outbox@{row.id}", "at": row.at})
    conn.execute(sa.text("DELETE FROM outbox WHERE topic = 'dead'"))


def downgrade() -> None:
    with op.batch_alter_table("outbox") as batch_op:
        batch_op.drop_column("lane")
    op.drop_table("quota")
    op.drop_table("dead")
