"""The loop closed: trunk lines that workers share, tasks that are told and told again, linkage rules by version, expert
opinions, photographs of points and dangers, and what a household was when it was last imported."""

import sqlalchemy as sa
from alembic import op

revision = "loop_closed"
down_revision = "out_sources"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "line",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "slot", name=op.f("pk_line")),
        sa.UniqueConstraint("provider", "reference", name=op.f("uq_line_provider_reference")),
    )
    op.create_table(
        "linkage",
        sa.Column("version", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_linkage")),
    )
    op.create_table(
        "opinion",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("expert", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opinion")),
    )
    op.create_index("ix_opinion_subject", "opinion", ["kind", "subject"])
    op.create_table(
        "photo",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", Id, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photo")),
    )
    op.create_index("ix_photo_subject_id", "photo", ["kind", "subject_id"])
    op.create_index("ix_ack_origin", "ack", ["origin", "at"])
    op.add_column("assignment", sa.Column("stage", sa.SmallInteger(), nullable=False, server_default="0"))
    op.add_column("assignment", sa.Column("next_at", sa.BigInteger(), nullable=True))
    op.create_index("ix_assignment_next_at", "assignment", ["state", "next_at"])
    op.add_column("household", sa.Column("digest", sa.LargeBinary(), nullable=True))
    op.add_column("proposal", sa.Column("version", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("proposal", "version")
    op.drop_column("household", "digest")
    op.drop_index("ix_assignment_next_at", "assignment")
    op.drop_column("assignment", "next_at")
    op.drop_column("assignment", "stage")
    op.drop_index("ix_ack_origin", "ack")
    for table in ("photo", "opinion", "linkage", "line"):
        op.drop_table(table)
