"""The tables of what is on the ground: households, shelters, the doors of a warning and every knock on them.

They stand on the metadata of `warnhub.store.tables`. What names a household or says how to reach it is sealed.
"""

from sqlalchemy import (
    JSON,
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

shelter = Table(
    "shelter",
    metadata,
    serial(),
    Column("ref", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("area_id", Id, ForeignKey("area.id"), nullable=False, index=True),
    Column("capacity", Integer, nullable=False),
    Column("way", Text, nullable=False),
    Column("keeper", Text),
    Column("lon", Float),
    Column("lat", Float),
    Column("gone_at", Time),
    Column("updated_at", Time, nullable=False),
)

household = Table(
    "household",
    metadata,
    serial(),
    Column("ref", Text, nullable=False, unique=True),
    Column("area_id", Id, ForeignKey("area.id"), nullable=False, index=True),
    Column("head", LargeBinary, nullable=False),
    Column("place", LargeBinary, nullable=False),
    Column("phone", LargeBinary),
    Column("people", SmallInteger, nullable=False),
    Column("needs", JSON, nullable=False),
    Column("weight", SmallInteger, nullable=False),
    Column("shelter", Text),
    Column("lon", Float),
    Column("lat", Float),
    Column("gone_at", Time),
    Column("updated_at", Time, nullable=False),
    Column("digest", LargeBinary),
)

door = Table(
    "door",
    metadata,
    serial(),
    Column("warning_id", Id, ForeignKey("warning.id"), nullable=False),
    Column("household_id", Id, ForeignKey("household.id"), nullable=False),
    Column("worker_id", Id),
    Column("town_id", Id, nullable=False),
    Column("area_id", Id, nullable=False),
    Column("weight", SmallInteger, nullable=False),
    Column("people", SmallInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("shelter_id", Id),
    Column("knocked_at", Time),
    Column("reason", Text),
    UniqueConstraint("warning_id", "household_id"),
    Index("ix_door_worker_id", "worker_id", "warning_id"),
    Index("ix_door_shelter_id", "warning_id", "shelter_id"),
)

knock = Table(
    "knock",
    metadata,
    serial(),
    Column("door_id", Id, ForeignKey("door.id"), nullable=False, index=True),
    Column("client", Text, nullable=False, unique=True),
    Column("choice", Text, nullable=False),
    Column("shelter_id", Id),
    Column("note", Text, nullable=False),
    Column("undoes", Text),
    Column("said_at", Time, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Time, nullable=False),
)

doorlist = Table(
    "doorlist",
    metadata,
    Column("warning_id", Id, primary_key=True),
    Column("worker_id", Id, primary_key=True),
    Column("closed_at", Time, nullable=False),
    Column("actor", Text, nullable=False),
)
