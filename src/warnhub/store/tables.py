"""The ledger's tables, the same on SQLite and PostgreSQL.

Times are integers, milliseconds since 1970 UTC, by the database's clock. States are the ranks of `warnhub.store.states`.
Hot rows hold numbers: what a delivery shares with its batch (warning, channel, round, provider, lane, township, role) stands
once, in the batch.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers a row by itself only when the key is declared INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")
Time = BigInteger


def serial() -> Column[int]:
    """A numbered primary key."""
    return Column("id", Id, primary_key=True, autoincrement=True)


meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

agency = Table(
    "agency",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("key_hash", Text, nullable=False, unique=True),
    Column("key_tail", Text, nullable=False),
    Column("classes", JSON, nullable=False),
    Column("areas", JSON, nullable=False),
    Column("highest", Text, nullable=False),
    Column("release", Text),
    Column("senders", JSON, nullable=False),
    Column("zone", Text),
    Column("created_at", Time, nullable=False),
    Column("disabled_at", Time),
)

alert = Table(
    "alert",
    metadata,
    serial(),
    Column("uid", Text, nullable=False, unique=True),
    Column("agency_id", Text, ForeignKey("agency.id"), nullable=False),
    Column("sender", Text, nullable=False),
    Column("identifier", Text, nullable=False),
    Column("sent", Time, nullable=False),
    Column("digest", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("hazard", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("expires", Time, nullable=False),
    Column("state", Text, nullable=False),
    Column("body", JSON, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("media", Text, nullable=False),
    Column("problems", JSON, nullable=False),
    Column("received_at", Time, nullable=False),
    UniqueConstraint("sender", "identifier", "sent"),
    Index("ix_alert_identifier", "identifier"),
    Index("ix_alert_agency_id", "agency_id", "id"),
)

reference = Table(
    "reference",
    metadata,
    Column("alert_id", Id, ForeignKey("alert.id"), primary_key=True),
    Column("position", SmallInteger, primary_key=True),
    Column("identifier", Text, nullable=False, index=True),
    Column("target_id", Id),
)

repeat = Table(
    "repeat",
    metadata,
    Column("agency_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("alert_id", Id, nullable=False),
    Column("at", Time, nullable=False),
)

warning = Table(
    "warning",
    metadata,
    serial(),
    Column("uid", Text, nullable=False, unique=True),
    Column("alert_id", Id, ForeignKey("alert.id"), nullable=False, unique=True),
    Column("policy", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("hazard", Text, nullable=False),
    Column("hazard_class", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("headline", Text, nullable=False),
    Column("agency_id", Text, nullable=False),
    Column("drill", Text),
    Column("restricted", Boolean, nullable=False),
    Column("approvals", SmallInteger, nullable=False),
    Column("previous_id", Id),
    Column("created_at", Time, nullable=False),
    Column("released_at", Time),
    Column("planned_at", Time),
    Column("ended_at", Time),
    Column("expires_at", Time, nullable=False),
    Column("version", Integer, nullable=False),
    Column("trace", Text),
    Index("ix_warning_state", "state", "id"),
    Index("ix_warning_expires_at", "state", "expires_at"),
)

approval = Table(
    "approval",
    metadata,
    Column("warning_id", Id, ForeignKey("warning.id"), primary_key=True),
    Column("actor", Text, primary_key=True),
    Column("at", Time, nullable=False),
)

area = Table(
    "area",
    metadata,
    serial(),
    Column("code", Text, nullable=False, unique=True),
    Column("level", SmallInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("parent_id", Id, index=True),
    Column("town_id", Id, nullable=False),
    Column("village_id", Id, nullable=False),
    Column("shape", LargeBinary),
    Column("lon", Float),
    Column("lat", Float),
    Column("updated_at", Time, nullable=False),
)

recipient = Table(
    "recipient",
    metadata,
    serial(),
    Column("ref", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("area_id", Id, ForeignKey("area.id"), nullable=False),
    Column("language", Text, nullable=False),
    Column("deputy", Text),
    Column("superior", Text),
    Column("opt_out", Boolean, nullable=False),
    Column("gone_at", Time),
    Column("updated_at", Time, nullable=False),
    Index("ix_recipient_area_id", "area_id", "role"),
    Index("ix_recipient_name", "name", "role", postgresql_ops={"name": "text_pattern_ops"}),
)

address = Table(
    "address",
    metadata,
    serial(),
    Column("recipient_id", Id, ForeignKey("recipient.id"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("blind", LargeBinary, nullable=False),
    Column("tail", Text, nullable=False),
    Column("route", Text, nullable=False, server_default=""),
    Column("bad", Text),
    Column("updated_at", Time, nullable=False),
    UniqueConstraint("recipient_id", "channel"),
    Index("ix_address_blind", "blind"),
    Index("ix_address_tail", "tail", "channel"),
)

policy = Table(
    "policy",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=True),
    Column("text", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", Time, nullable=False),
)

extent = Table(
    "extent",
    metadata,
    Column("warning_id", Id, primary_key=True),
    Column("area_id", Id, primary_key=True),
    Column("town_id", Id, nullable=False),
    Column("home", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

target = Table(
    "target",
    metadata,
    Column("warning_id", Id, primary_key=True),
    Column("recipient_id", Id, primary_key=True),
    Column("town_id", Id, nullable=False),
    Column("role", Text, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("village_id", Id, nullable=False, server_default="0"),
    Index("ix_target_town_id", "warning_id", "town_id", "role"),
    sqlite_with_rowid=False,
)

wave = Table(
    "wave",
    metadata,
    serial(),
    Column("warning_id", Id, ForeignKey("warning.id"), nullable=False),
    Column("round", SmallInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("at", Time, nullable=False),
    UniqueConstraint("warning_id", "channel", "round"),
    Index("ix_wave_channel", "channel", "at"),
)

step = Table(
    "step",
    metadata,
    serial(),
    Column("wave_id", Id, ForeignKey("wave.id"), nullable=False),
    Column("role", Text, nullable=False),
    Column("town_id", Id, nullable=False),
    Column("part", Text, nullable=False),
    Column("at", Time, nullable=False),
    UniqueConstraint("wave_id", "role", "town_id", "part"),
)

batch = Table(
    "batch",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("wave_id", Id, nullable=False),
    Column("warning_id", Id, nullable=False),
    Column("channel", Text, nullable=False),
    Column("round", SmallInteger, nullable=False),
    Column("provider", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("town_id", Id, nullable=False),
    Column("lane", SmallInteger, nullable=False),
    Column("rank", SmallInteger, nullable=False),
    Column("size", Integer, nullable=False),
    Column("open", Integer, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("due_at", Time, nullable=False),
    Column("ready_at", Time, nullable=False),
    Column("lease_until", Time),
    Column("leased_by", Text),
    Column("note", Text),
    Column("trace", Text),
    Index("ix_batch_claim", "provider", "state", "lane", "rank", "id"),
    Index("ix_batch_warning_id", "warning_id", "state"),
    sqlite_with_rowid=False,
)

delivery = Table(
    "delivery",
    metadata,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("recipient_id", BigInteger, primary_key=True, autoincrement=False),
    Column("wave_id", Id, nullable=False),
    Column("address_id", Id, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("reason", Text),
    Column("code", Text),
    Column("provider_id", Text),
    Column("handed_at", Time),
    Column("settled_at", Time),
    UniqueConstraint("wave_id", "recipient_id"),
    sqlite_with_rowid=False,
)

receipt = Table(
    "receipt",
    metadata,
    serial(),
    Column("provider", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("state", SmallInteger),
    Column("wave_id", Id),
    Column("recipient_id", Id),
    Column("provider_id", Text),
    Column("blind", LargeBinary),
    Column("reason", Text),
    Column("code", Text),
    Column("detail", Text),
    Column("reply", Text),
    Column("said_at", Time),
    Column("at", Time, nullable=False),
    Column("joined", SmallInteger, nullable=False),
    UniqueConstraint("provider", "key"),
    Index("ix_receipt_joined", "joined", "id"),
)

ack = Table(
    "ack",
    metadata,
    serial(),
    Column("warning_id", Id, nullable=False),
    Column("recipient_id", Id, nullable=False),
    Column("wave_id", Id),
    Column("evidence", Text, nullable=False),
    Column("human", Boolean, nullable=False),
    Column("choice", Text),
    Column("text", Text),
    Column("officer", Text),
    Column("agent", Text),
    Column("origin", Text),
    Column("at", Time, nullable=False),
    Index("ix_ack_warning_id", "warning_id", "recipient_id"),
    Index("ix_ack_origin", "origin", "at"),
)

task = Table(
    "task",
    metadata,
    serial(),
    Column("warning_id", Id, nullable=False),
    Column("recipient_id", Id, nullable=False),
    Column("kind", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("town_id", Id, nullable=False),
    Column("area_id", Id, nullable=False),
    Column("state", Text, nullable=False),
    Column("rung", SmallInteger, nullable=False),
    Column("origin_id", Id),
    Column("due_at", Time, nullable=False),
    Column("done_at", Time),
    Column("choice", Text),
    Column("evidence", Text),
    Column("unwoken_at", Time),
    UniqueConstraint("warning_id", "recipient_id", "kind"),
    Index("ix_task_due_at", "state", "due_at"),
)

tally = Table(
    "tally",
    metadata,
    Column("warning_id", Id, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("town_id", Id, primary_key=True),
    Column("state", SmallInteger, primary_key=True),
    Column("n", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

pause = Table(
    "pause",
    metadata,
    Column("warning_id", Id, primary_key=True, autoincrement=False),
    Column("at", Time, nullable=False),
    Column("actor", Text, nullable=False),
    Column("why", Text, nullable=False),
)

timer = Table(
    "timer",
    metadata,
    serial(),
    Column("kind", Text, nullable=False),
    Column("warning_id", Id),
    Column("due_at", Time, nullable=False, index=True),
    Column("data", JSON, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    serial(),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Column("at", Time, nullable=False),
    Column("lane", SmallInteger, nullable=False, server_default="4"),
    Column("send_at", Time, nullable=False, server_default="0"),
    Column("sends", SmallInteger, nullable=False, server_default="0"),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Index("ix_outbox_send_at", "lane", "send_at", "id"),
    Index("ix_outbox_key", "topic", "key"),
)

event = Table(
    "event",
    metadata,
    serial(),
    Column("warning_id", Id, nullable=False),
    Column("at", Time, nullable=False),
    Column("kind", Text, nullable=False),
    Column("recipient_id", Id),
    Column("actor", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Index("ix_event_warning_id", "warning_id", "id"),
)

incident = Table(
    "incident",
    metadata,
    serial(),
    Column("kind", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("opened_at", Time, nullable=False),
    Column("closed_at", Time),
    Column("closed_by", Text),
)

audit = Table(
    "audit",
    metadata,
    serial(),
    Column("at", Time, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("digest", Text, nullable=False),
)

user = Table(
    "user",
    metadata,
    Column("name", Text, primary_key=True),
    Column("password", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("token", Text, unique=True),
    Column("created_at", Time, nullable=False),
    Column("disabled_at", Time),
    Column("scope", Text),
    Column("secret", LargeBinary),
    Column("step", BigInteger),
    Column("subject", Text, unique=True),
)

session = Table(
    "session",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_name", Text, ForeignKey("user.name"), nullable=False, index=True),
    Column("csrf", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("seen_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
)

drill = Table(
    "drill",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("created_by", Text, nullable=False),
)

participant = Table(
    "participant",
    metadata,
    Column("drill_id", Text, ForeignKey("drill.id"), primary_key=True),
    Column("recipient_id", Id, primary_key=True),
)

from warnhub.store import duty, gates, mirrors, shared  # noqa: E402, F401 - their tables stand on the same metadata
