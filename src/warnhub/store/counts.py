"""What a transaction counts, written as its last statement: every batch of a township counts in the same few rows, and who has
changed one holds it until the commit."""

from collections import Counter
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Column, Integer, SmallInteger, Table, Text, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.tables import Id, metadata

STEP = 5_000

latency = Table(
    "latency",
    metadata,
    Column("warning_id", Id, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("hop", Text, primary_key=True),
    Column("bucket", Integer, primary_key=True),
    Column("n", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

village_tally = Table(
    "village_tally",
    metadata,
    Column("warning_id", Id, primary_key=True),
    Column("village_id", Id, primary_key=True),
    Column("state", SmallInteger, primary_key=True),
    Column("n", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


pace = Table(
    "pace",
    metadata,
    Column("warning_id", Id, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("step", Id, primary_key=True),
    Column("n", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


class Cell(NamedTuple):
    """One count."""

    warning: int
    channel: str
    provider: str
    role: str
    town: int
    state: int


class Local(NamedTuple):
    """One count of people and devices of a village; who lives in none is counted at their township, or at the county."""

    warning: int
    village: int
    state: int


Deltas = Counter[Cell | Local]


class Beat(NamedTuple):
    """Messages handed over within one step of `STEP` milliseconds, counted from 1970."""

    warning: int
    channel: str
    step: int


class Hop(NamedTuple):
    """One bucket of a latency histogram: seconds, by hop (`handed`, `delivered`, `confirmed`)."""

    warning: int
    channel: str
    hop: str
    bucket: int


ADD_CELL = text(
    "INSERT INTO tally (warning_id, channel, provider, role, town_id, state, n) VALUES (:w, :c, :p, :r, :t, :s, :n) "
    "ON CONFLICT (warning_id, channel, provider, role, town_id, state) DO UPDATE SET n = tally.n + excluded.n"
)
ADD_LOCAL = text(
    "INSERT INTO village_tally (warning_id, village_id, state, n) VALUES (:w, :v, :s, :n) "
    "ON CONFLICT (warning_id, village_id, state) DO UPDATE SET n = village_tally.n + excluded.n"
)
ADD_BEAT = text(
    "INSERT INTO pace (warning_id, channel, step, n) VALUES (:w, :c, :s, :n) "
    "ON CONFLICT (warning_id, channel, step) DO UPDATE SET n = pace.n + excluded.n"
)
ADD_HOP = text(
    "INSERT INTO latency (warning_id, channel, hop, bucket, n) VALUES (:w, :c, :h, :b, :n) "
    "ON CONFLICT (warning_id, channel, hop, bucket) DO UPDATE SET n = latency.n + excluded.n"
)


async def write_counts(conn: AsyncConnection, cells: Deltas, hops: Counter[Hop], beats: Counter[Beat]) -> None:
    """Add all of it to what is kept; in key order, so that two transactions never wait for each other in a ring."""
    changes: list[dict[str, Any]] = [
        {"w": cell.warning, "c": cell.channel, "p": cell.provider, "r": cell.role, "t": cell.town, "s": cell.state, "n": n}
        for cell, n in sorted((cell, n) for cell, n in cells.items() if isinstance(cell, Cell))
        if n
    ]
    if changes:
        await conn.execute(ADD_CELL, changes)
    places: list[dict[str, Any]] = [
        {"w": one.warning, "v": one.village, "s": one.state, "n": n}
        for one, n in sorted((one, n) for one, n in cells.items() if isinstance(one, Local))
        if n and one.village
    ]
    if places:
        await conn.execute(ADD_LOCAL, places)
    more: list[dict[str, Any]] = [
        {"w": hop.warning, "c": hop.channel, "h": hop.hop, "b": hop.bucket, "n": n} for hop, n in sorted(hops.items())
    ]
    if more:
        await conn.execute(ADD_HOP, more)
    steps: list[dict[str, Any]] = [
        {"w": beat.warning, "c": beat.channel, "s": beat.step, "n": n} for beat, n in sorted(beats.items())
    ]
    if steps:
        await conn.execute(ADD_BEAT, steps)
