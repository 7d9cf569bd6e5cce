"""Alerts of polled sources that concern other counties: seen, and not taken."""

import sqlalchemy as sa
from alembic import op

revision = "forms_elsewhere"
down_revision = "trace_context"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "elsewhere",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("headline", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_elsewhere")),
        sa.UniqueConstraint(
            "agency_id", "identifier", "sender", "sent", name=op.f("uq_elsewhere_agency_id_identifier_sender_sent")
        ),
    )
    op.create_index("ix_elsewhere_source", "elsewhere", ["source", "id"])


def downgrade() -> None:
    op.drop_table("elsewhere")
