"""Indexes by which people are found: the beginning of a name with the role, and a number's last four digits."""

from alembic import op

revision = "people_found"
down_revision = "pace_kept"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The name first: an index that begins with the role is what SQLite would take to read a township's people by
    op.create_index("ix_recipient_name", "recipient", ["name", "role"], postgresql_ops={"name": "text_pattern_ops"})
    op.create_index("ix_address_tail", "address", ["tail", "channel"])


def downgrade() -> None:
    op.drop_index("ix_address_tail", "address")
    op.drop_index("ix_recipient_name", "recipient")
