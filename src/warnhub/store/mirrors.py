"""The tables of polled sources; see `warnhub.store.sources` and `warnhub.store.elsewhere`."""

from sqlalchemy import JSON, Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from warnhub.store.tables import Time, metadata, serial

source = Table(
    "source",
    metadata,
    Column("name", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("lease_until", Time, nullable=False),
)

mirror = Table(
    "mirror",
    metadata,
    Column("source", Text, primary_key=True),
    Column("url", Text, primary_key=True),
    Column("etag", Text, nullable=False),
    Column("modified", Text, nullable=False),
    Column("asked_at", Time, nullable=False),
    Column("good_at", Time),
    Column("failures", Integer, nullable=False),
    Column("error", Text, nullable=False),
)

polled = Table(
    "polled",
    metadata,
    serial(),
    Column("source", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("mark", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Time, nullable=False),
    Column("seen_at", Time, nullable=False),
    Column("problem", JSON),
    UniqueConstraint("source", "key", "mark"),
    Index("ix_polled_state", "state", "due_at"),
)

elsewhere = Table(
    "elsewhere",
    metadata,
    serial(),
    Column("source", Text, nullable=False),
    Column("agency_id", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("identifier", Text, nullable=False),
    Column("sent", Time, nullable=False),
    Column("expires", Time, nullable=False),
    Column("kind", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("headline", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("seen_at", Time, nullable=False),
    UniqueConstraint("agency_id", "identifier", "sender", "sent"),
    Index("ix_elsewhere_source", "source", "id"),
)
