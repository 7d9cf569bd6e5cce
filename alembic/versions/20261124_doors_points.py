"""Hazard points, plans and runs, assignments, readings, proposals, sightings, suggestions."""

import sqlalchemy as sa
from alembic import op

revision = "doors_points"
down_revision = "scale_outbox"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "point",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("area_id", Id, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("keepers", sa.JSON(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("shelter", sa.Text()),
        sa.Column("urgency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("recheck_at", sa.BigInteger()),
        sa.Column("lon", sa.Float()),
        sa.Column("lat", sa.Float()),
        sa.Column("gone_at", sa.BigInteger()),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["area_id"], ["area.id"], name="fk_point_area_id"),
        sa.PrimaryKeyConstraint("id", name="pk_point"),
        sa.UniqueConstraint("ref", name="uq_point_ref"),
    )
    op.create_index("ix_point_area_id", "point", ["area_id"])
    op.create_table(
        "pointmove",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("point_id", Id, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["point_id"], ["point.id"], name="fk_pointmove_point_id"),
        sa.PrimaryKeyConstraint("id", name="pk_pointmove"),
    )
    op.create_index("ix_pointmove_point_id", "pointmove", ["point_id"])
    op.create_table(
        "plan",
        sa.Column("version", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_plan"),
    )
    op.create_table(
        "run",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("warning_id", Id, nullable=False),
        sa.Column("drill", sa.Text()),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("onset_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opinion", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["warning_id"], ["warning.id"], name="fk_run_warning_id"),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
        sa.UniqueConstraint("uid", name="uq_run_uid"),
    )
    op.create_index("ix_run_state", "run", ["state"])
    op.create_index("ix_run_warning_id", "run", ["warning_id"])
    op.create_table(
        "assignment",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("warning_id", Id),
        sa.Column("run_id", Id),
        sa.Column("point_id", Id),
        sa.Column("drill", sa.Text()),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("owner_id", Id),
        sa.Column("raised_id", Id),
        sa.Column("town_id", Id),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("begin_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("late_at", sa.BigInteger()),
        sa.Column("done_at", sa.BigInteger()),
        sa.Column("actor", sa.Text()),
        sa.Column("said", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_assignment"),
        sa.UniqueConstraint("key", name="uq_assignment_key"),
    )
    op.create_index("ix_assignment_owner_id", "assignment", ["owner_id", "state"])
    op.create_index("ix_assignment_run_id", "assignment", ["run_id"])
    op.create_index("ix_assignment_due_at", "assignment", ["state", "due_at"])
    op.create_index("ix_assignment_warning_id", "assignment", ["warning_id"])
    op.create_table(
        "stoporder",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("run_id", Id, nullable=False),
        sa.Column("warning_id", Id, nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("stops", sa.JSON(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["warning_id"], ["warning.id"], name="fk_stoporder_warning_id"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_stoporder_run_id"),
        sa.PrimaryKeyConstraint("id", name="pk_stoporder"),
        sa.UniqueConstraint("warning_id", name="uq_stoporder_warning_id"),
    )
    op.create_index("ix_stoporder_run_id", "stoporder", ["run_id"])
    op.create_table(
        "gauge",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("station", sa.Text(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("area_id", Id),
        sa.Column("lon", sa.Float()),
        sa.Column("lat", sa.Float()),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("said_at", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gauge"),
        sa.UniqueConstraint("client", name="uq_gauge_client"),
    )
    op.create_index("ix_gauge_measure", "gauge", ["measure", "said_at"])
    op.create_table(
        "proposal",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("hazard", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("area_id", Id, nullable=False),
        sa.Column("lon", sa.Float()),
        sa.Column("lat", sa.Float()),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("warning_id", Id),
        sa.Column("opinion", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text()),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_proposal"),
        sa.UniqueConstraint("uid", name="uq_proposal_uid"),
    )
    op.create_index("ix_proposal_state", "proposal", ["state", "hazard", "area_id"])
    op.create_table(
        "sighting",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("hazard", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("area_id", Id),
        sa.Column("lon", sa.Float()),
        sa.Column("lat", sa.Float()),
        sa.Column("recipient_id", Id),
        sa.Column("warning_id", Id),
        sa.Column("proposal_id", Id),
        sa.Column("said_at", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sighting"),
        sa.UniqueConstraint("client", name="uq_sighting_client"),
    )
    op.create_index("ix_sighting_proposal_id", "sighting", ["proposal_id"])
    op.create_table(
        "suggestion",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text()),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_suggestion"),
        sa.UniqueConstraint("key", name="uq_suggestion_key"),
    )


def downgrade() -> None:
    for name in ("suggestion", "sighting", "proposal", "gauge", "stoporder", "assignment", "run", "plan", "pointmove", "point"):
        op.drop_table(name)
