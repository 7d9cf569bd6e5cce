"""An index of what a hazard point asks of somebody, so that a deadline is looked for without reading every task."""

from alembic import op

revision = "points_called"
down_revision = "hot_called"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_assignment_point_id", "assignment", ["point_id"])


def downgrade() -> None:
    op.drop_index("ix_assignment_point_id", "assignment")
