"""What a transaction counts, written as its last statement: every batch of a township counts in the same few rows, and who has
changed one holds it until the commit."""

from collections import Counter
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


class Cell(NamedTuple):
    """One count."""

    warning: int
    channel: str
    provider: str
    role: str
    town: int
    state: int


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
ADD_HOP = text(
    "INSERT INTO latency (warning_id, channel, hop, bucket, n) VALUES (:w, :c, :h, :b, :n) "
    "ON CONFLICT (warning_id, channel, hop, bucket) DO UPDATE SET n = latency.n + excluded.n"
)


async def write_counts(conn: AsyncConnection, cells: Counter[Cell], hops: Counter[Hop]) -> None:
    """Add both to what is kept; in key order, so that two transactions never wait for each other in a ring."""
    changes: list[dict[str, Any]] = [
        {"w": cell.warning, "c": cell.channel, "p": cell.provider, "r": cell.role, "t": cell.town, "s": cell.state, "n": n}
        for cell, n in sorted(cells.items())
        if n
    ]
    if changes:
        await conn.execute(ADD_CELL, changes)
    more: list[dict[str, Any]] = [
        {"w": hop.warning, "c": hop.channel, "h": hop.hop, "b": hop.bucket, "n": n} for hop, n in sorted(hops.items())
    ]
    if more:
        await conn.execute(ADD_HOP, more)
