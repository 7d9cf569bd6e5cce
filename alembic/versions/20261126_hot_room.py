"""Room in the pages of what is written once and changed once, so that PostgreSQL changes it in place."""

from alembic import op

revision = "hot_room"
down_revision = "points_called"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE target SET (fillfactor = 50)")
        op.execute("ALTER TABLE delivery SET (fillfactor = 40)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE delivery RESET (fillfactor)")
        op.execute("ALTER TABLE target RESET (fillfactor)")
