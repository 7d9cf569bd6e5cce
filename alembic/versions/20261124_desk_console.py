"""Warnings that are held still; what an account may see, its second factor, and its name at an identity provider."""

import sqlalchemy as sa
from alembic import op

revision = "desk_console"
down_revision = "doors_households"
branch_labels = None
depends_on = None

Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Forwards."""
    op.create_table(
        "pause",
        sa.Column("warning_id", Number, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )
    with op.batch_alter_table("user") as table:
        table.add_column(sa.Column("scope", sa.Text))
        table.add_column(sa.Column("secret", sa.LargeBinary))
        table.add_column(sa.Column("step", sa.BigInteger))
        table.add_column(sa.Column("subject", sa.Text))
        table.create_unique_constraint("uq_user_subject", ["subject"])


def downgrade() -> None:
    """Backwards."""
    with op.batch_alter_table("user") as table:
        table.drop_constraint("uq_user_subject", type_="unique")
        for name in ("subject", "step", "secret", "scope"):
            table.drop_column(name)
    op.drop_table("pause")
