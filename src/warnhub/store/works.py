"""The tables of the response: hazard points, plans and their runs, who has to do what by when, what was measured and seen, what
is proposed to the desk because of it, and what the last warnings suggest."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from warnhub.store.tables import Id, Time, metadata, serial

point = Table(
    "point",
    metadata,
    serial(),
    Column("ref", Text, nullable=False, unique=True),
    Column("area_id", Id, ForeignKey("area.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("keepers", JSON, nullable=False),
    Column("people", Integer, nullable=False),
    Column("way", Text, nullable=False),
    Column("shelter", Text),
    Column("urgency", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", Time),
    Column("recheck_at", Time),
    Column("lon", Float),
    Column("lat", Float),
    Column("gone_at", Time),
    Column("updated_at", Time, nullable=False),
)

pointmove = Table(
    "pointmove",
    metadata,
    serial(),
    Column("point_id", Id, ForeignKey("point.id"), nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Time, nullable=False),
)

plan = Table(
    "plan",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=True),
    Column("text", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", Time, nullable=False),
)

run = Table(
    "run",
    metadata,
    serial(),
    Column("uid", Text, nullable=False, unique=True),
    Column("plan", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("warning_id", Id, ForeignKey("warning.id"), nullable=False, index=True),
    Column("drill", Text),
    Column("level", Text, nullable=False),
    Column("onset_at", Time, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("opinion", Text, nullable=False),
    Column("started_at", Time, nullable=False),
    Column("ended_at", Time),
)

assignment = Table(
    "assignment",
    metadata,
    serial(),
    Column("key", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("warning_id", Id, index=True),
    Column("run_id", Id, index=True),
    Column("point_id", Id, index=True),
    Column("drill", Text),
    Column("title", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("owner_id", Id),
    Column("raised_id", Id),
    Column("town_id", Id),
    Column("evidence", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("begin_at", Time, nullable=False),
    Column("due_at", Time, nullable=False),
    Column("late_at", Time),
    Column("done_at", Time),
    Column("actor", Text),
    Column("said", Text),
    Column("stage", SmallInteger, nullable=False, server_default="0"),
    Column("next_at", Time),
    Index("ix_assignment_due_at", "state", "due_at"),
    Index("ix_assignment_next_at", "state", "next_at"),
    Index("ix_assignment_owner_id", "owner_id", "state"),
)

stoporder = Table(
    "stoporder",
    metadata,
    serial(),
    Column("run_id", Id, ForeignKey("run.id"), nullable=False),
    Column("warning_id", Id, ForeignKey("warning.id"), nullable=False, unique=True),
    Column("level", Text, nullable=False),
    Column("stops", JSON, nullable=False),
    Column("at", Time, nullable=False),
    Index("ix_stoporder_run_id", "run_id"),
)

gauge = Table(
    "gauge",
    metadata,
    serial(),
    Column("client", Text, nullable=False, unique=True),
    Column("station", Text, nullable=False),
    Column("measure", Text, nullable=False),
    Column("value", Float, nullable=False),
    Column("unit", Text, nullable=False),
    Column("area_id", Id),
    Column("lon", Float),
    Column("lat", Float),
    Column("source", Text, nullable=False),
    Column("said_at", Time, nullable=False),
    Column("at", Time, nullable=False),
    Index("ix_gauge_measure", "measure", "said_at"),
)

proposal = Table(
    "proposal",
    metadata,
    serial(),
    Column("uid", Text, nullable=False, unique=True),
    Column("rule", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("hazard", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("area_id", Id, nullable=False),
    Column("lon", Float),
    Column("lat", Float),
    Column("facts", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("warning_id", Id),
    Column("opinion", Text, nullable=False),
    Column("actor", Text),
    Column("drill", Boolean, nullable=False),
    Column("first_at", Time, nullable=False),
    Column("last_at", Time, nullable=False),
    Column("count", Integer, nullable=False),
    Column("version", Integer),
    Index("ix_proposal_state", "state", "hazard", "area_id"),
)

sighting = Table(
    "sighting",
    metadata,
    serial(),
    Column("client", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("hazard", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("area_id", Id),
    Column("lon", Float),
    Column("lat", Float),
    Column("recipient_id", Id),
    Column("warning_id", Id),
    Column("proposal_id", Id, index=True),
    Column("said_at", Time, nullable=False),
    Column("at", Time, nullable=False),
)

suggestion = Table(
    "suggestion",
    metadata,
    serial(),
    Column("key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("actor", Text),
    Column("at", Time, nullable=False),
    Column("decided_at", Time),
    UniqueConstraint("key"),
)

linkage = Table(
    "linkage",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=True),
    Column("text", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", Time, nullable=False),
)

opinion = Table(
    "opinion",
    metadata,
    serial(),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("expert", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Time, nullable=False),
    Index("ix_opinion_subject", "kind", "subject"),
)

photo = Table(
    "photo",
    metadata,
    serial(),
    Column("kind", Text, nullable=False),
    Column("subject_id", Id, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Time, nullable=False),
    Index("ix_photo_subject_id", "kind", "subject_id"),
)
