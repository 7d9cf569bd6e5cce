"""Who stands for whom, rosters, what comes with an answer, and who was not woken."""

import sqlalchemy as sa
from alembic import op

revision = "ladder_duty"
down_revision = "0001"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "cover",
        sa.Column("task_id", Id, nullable=False),
        sa.Column("origin_id", Id, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_cover_task_id")),
        sa.ForeignKeyConstraint(["origin_id"], ["task.id"], name=op.f("fk_cover_origin_id")),
        sa.PrimaryKeyConstraint("task_id", "origin_id", name=op.f("pk_cover")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_cover_origin_id", "cover", ["origin_id"])
    op.create_table(
        "shift",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("area_id", Id, nullable=False),
        sa.Column("recipient_id", Id, nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["area_id"], ["area.id"], name=op.f("fk_shift_area_id")),
        sa.ForeignKeyConstraint(["recipient_id"], ["recipient.id"], name=op.f("fk_shift_recipient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shift")),
        sa.UniqueConstraint("area_id", "recipient_id", "starts_at", name=op.f("uq_shift_area_id_recipient_id_starts_at")),
    )
    op.create_index("ix_shift_area_id", "shift", ["area_id", "starts_at"])
    op.create_index("ix_shift_recipient_id", "shift", ["recipient_id"])
    op.create_table(
        "proof",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("warning_id", Id, nullable=False),
        sa.Column("recipient_id", Id, nullable=False),
        sa.Column("lon", sa.Float(), nullable=True),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("photo", sa.LargeBinary(), nullable=True),
        sa.Column("media", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proof")),
    )
    op.create_index("ix_proof_warning_id", "proof", ["warning_id", "recipient_id"])
    op.add_column("task", sa.Column("unwoken_at", sa.BigInteger(), nullable=True))
    # Who was called for somebody under the earlier schema still answers for them.
    op.execute(
        "INSERT INTO cover (task_id, origin_id, at) SELECT id, origin_id, due_at FROM task WHERE origin_id IS NOT NULL "
        "AND origin_id IN (SELECT id FROM task)"
    )


def downgrade() -> None:
    op.drop_column("task", "unwoken_at")
    for table in ("proof", "shift", "cover"):
        op.drop_table(table)
