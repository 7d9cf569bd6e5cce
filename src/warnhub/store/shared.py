"""Tables by which several processes share one installation: what no handler could work on, providers' rates and lines."""

from sqlalchemy import Column, Float, Integer, SmallInteger, Table, Text, UniqueConstraint

from warnhub.store.tables import Time, metadata, serial

dead = Table(
    "dead",
    metadata,
    serial(),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("lane", SmallInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("at", Time, nullable=False),
    Column("replayed_at", Time),
    Column("replayed_by", Text),
)
"""Entries that were given up, as they came: `data` need not be JSON. `source`: the outbox row or the place in a topic."""

quota = Table(
    "quota",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("tokens", Float, nullable=False),
    Column("at", Time, nullable=False),
    Column("paused_until", Time, nullable=False),
)
"""What is left of a provider account's rate, filled up by whoever asks; its row lock is all that workers share."""

line = Table(
    "line",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("reference", Text, nullable=False),
    Column("until", Time, nullable=False),
    UniqueConstraint("provider", "reference"),
)
"""Which lines of a trunk are taken: a row for each, by whose message, and until when if nothing more is heard of it."""
