"""households, shelters, doors."""

import sqlalchemy as sa
from alembic import op

revision = "doors_households"
down_revision = "gates_trust"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def serial() -> sa.Column[int]:
    return sa.Column("id", Id, autoincrement=True, nullable=False)


def upgrade() -> None:
    op.create_table(
        "shelter",
        serial(),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("area_id", Id, nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("keeper", sa.Text()),
        sa.Column("lon", sa.Float()),
        sa.Column("lat", sa.Float()),
        sa.Column("gone_at", sa.BigInteger()),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["area_id"], ["area.id"], name="fk_shelter_area_id"),
        sa.PrimaryKeyConstraint("id", name="pk_shelter"),
        sa.UniqueConstraint("ref", name="uq_shelter_ref"),
    )
    op.create_index("ix_shelter_area_id", "shelter", ["area_id"])
    op.create_table(
        "household",
        serial(),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("area_id", Id, nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("place", sa.LargeBinary(), nullable=False),
        sa.Column("phone", sa.LargeBinary()),
        sa.Column("people", sa.SmallInteger(), nullable=False),
        sa.Column("needs", sa.JSON(), nullable=False),
        sa.Column("weight", sa.SmallInteger(), nullable=False),
        sa.Column("shelter", sa.Text()),
        sa.Column("lon", sa.Float()),
        sa.Column("lat", sa.Float()),
        sa.Column("gone_at", sa.BigInteger()),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["area_id"], ["area.id"], name="fk_household_area_id"),
        sa.PrimaryKeyConstraint("id", name="pk_household"),
        sa.UniqueConstraint("ref", name="uq_household_ref"),
    )
    op.create_index("ix_household_area_id", "household", ["area_id"])
    op.create_table(
        "door",
        serial(),
        sa.Column("warning_id", Id, nullable=False),
        sa.Column("household_id", Id, nullable=False),
        sa.Column("worker_id", Id),
        sa.Column("town_id", Id, nullable=False),
        sa.Column("area_id", Id, nullable=False),
        sa.Column("weight", sa.SmallInteger(), nullable=False),
        sa.Column("people", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("shelter_id", Id),
        sa.Column("knocked_at", sa.BigInteger()),
        sa.Column("reason", sa.Text()),
        sa.ForeignKeyConstraint(["household_id"], ["household.id"], name="fk_door_household_id"),
        sa.ForeignKeyConstraint(["warning_id"], ["warning.id"], name="fk_door_warning_id"),
        sa.PrimaryKeyConstraint("id", name="pk_door"),
        sa.UniqueConstraint("warning_id", "household_id", name="uq_door_warning_id_household_id"),
    )
    op.create_index("ix_door_worker_id", "door", ["worker_id", "warning_id"])
    op.create_index("ix_door_shelter_id", "door", ["warning_id", "shelter_id"])
    op.create_table(
        "knock",
        serial(),
        sa.Column("door_id", Id, nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("choice", sa.Text(), nullable=False),
        sa.Column("shelter_id", Id),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("undoes", sa.Text()),
        sa.Column("said_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["door_id"], ["door.id"], name="fk_knock_door_id"),
        sa.PrimaryKeyConstraint("id", name="pk_knock"),
        sa.UniqueConstraint("client", name="uq_knock_client"),
    )
    op.create_index("ix_knock_door_id", "knock", ["door_id"])
    op.create_table(
        "doorlist",
        sa.Column("warning_id", Id, nullable=False),
        sa.Column("worker_id", Id, nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("warning_id", "worker_id", name="pk_doorlist"),
    )


def downgrade() -> None:
    for name in ("doorlist", "knock", "door", "household", "shelter"):
        op.drop_table(name)
