"""Tables of who stands in for whom, who is on duty when, and what people send with their answers."""

from sqlalchemy import Column, Float, ForeignKey, Index, LargeBinary, SmallInteger, Table, Text, UniqueConstraint

from warnhub.store.tables import Id, Time, metadata, serial, task

cover = Table(
    "cover",
    metadata,
    Column("task_id", Id, ForeignKey("task.id"), primary_key=True),
    Column("origin_id", Id, ForeignKey("task.id"), primary_key=True, index=True),
    Column("at", Time, nullable=False),
    sqlite_with_rowid=False,
)
"""Somebody's task stands for another's too: several of them, where one superior is called for several people."""

CALLED = task.c.rung == 99
Index("ix_task_called", task.c.warning_id, sqlite_where=CALLED, postgresql_where=CALLED)
"""Who is called for somebody else: few, and looked for with every answer."""

shift = Table(
    "shift",
    metadata,
    serial(),
    Column("area_id", Id, ForeignKey("area.id"), nullable=False),
    Column("recipient_id", Id, ForeignKey("recipient.id"), nullable=False, index=True),
    Column("rank", SmallInteger, nullable=False),
    Column("starts_at", Time, nullable=False),
    Column("ends_at", Time, nullable=False),
    UniqueConstraint("area_id", "recipient_id", "starts_at"),
    Index("ix_shift_area_id", "area_id", "starts_at"),
)
"""Who is on duty at the desk of an area; rank 1 is the A person, 2 the B person."""

proof = Table(
    "proof",
    metadata,
    serial(),
    Column("warning_id", Id, nullable=False),
    Column("recipient_id", Id, nullable=False),
    Column("lon", Float),
    Column("lat", Float),
    Column("photo", LargeBinary),
    Column("media", Text),
    Column("at", Time, nullable=False),
    Index("ix_proof_warning_id", "warning_id", "recipient_id"),
)
"""Where somebody answered from, and what they photographed: re-encoded, without what the camera wrote into it."""
