"""Counts of people and devices by village.

What is in force is counted from its rows; what is over keeps its counts by township alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "village_tally"
down_revision = "hot_room"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LIVING = "SELECT id FROM warning WHERE state = 'released'"


def upgrade() -> None:
    op.add_column("target", sa.Column("village_id", Id, nullable=False, server_default="0"))
    op.create_table(
        "village_tally",
        sa.Column("warning_id", Id, nullable=False),
        sa.Column("village_id", Id, nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("warning_id", "village_id", "state", name=op.f("pk_village_tally")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "UPDATE target SET village_id = (SELECT a.village_id FROM recipient r JOIN area a ON a.id = r.area_id "
        f"WHERE r.id = target.recipient_id) WHERE warning_id IN ({LIVING})"
    )
    op.execute(
        "INSERT INTO village_tally (warning_id, village_id, state, n) "
        "SELECT warning_id, village_id, state, count(*) FROM target "
        f"WHERE warning_id IN ({LIVING}) GROUP BY warning_id, village_id, state"
    )


def downgrade() -> None:
    op.drop_table("village_tally")
    op.drop_column("target", "village_id")
