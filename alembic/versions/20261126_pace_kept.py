"""Messages over time, counted as they leave; what is kept already is counted from its rows, once."""

import sqlalchemy as sa
from alembic import op

revision = "pace_kept"
down_revision = "village_tally"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "pace",
        sa.Column("warning_id", Id, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("step", Id, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("warning_id", "channel", "step", name=op.f("pk_pace")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO pace (warning_id, channel, step, n) "
        "SELECT b.warning_id, b.channel, d.handed_at / 5000, count(*) FROM batch b JOIN delivery d ON d.batch_id = b.id "
        "WHERE d.handed_at IS NOT NULL GROUP BY b.warning_id, b.channel, d.handed_at / 5000"
    )


def downgrade() -> None:
    op.drop_table("pace")
