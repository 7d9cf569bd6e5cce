"""What providers reported of one person's messages, word for word as it is kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

EARLY, LATE = 60_000, 60_000
"""A report may come before its message was recorded as handed over, and again after it settled it: milliseconds."""

WAITS = 15 * 60_000
"""How long after it was handed over a message without an outcome is looked for."""

MOST = 200_000
"""Receipts that are looked through for one message."""


@dataclass(frozen=True, slots=True)
class Reported:
    """One report. `said_at` is the provider's own time, `at` when it came; `joined` 1 where it found its delivery."""

    id: int
    provider: str
    key: str
    state: int | None
    provider_id: str | None
    reason: str | None
    code: str | None
    detail: str | None
    reply: str | None
    said_at: int | None
    at: int
    joined: int


async def list_reports(conn: AsyncConnection, message: Mapping[str, Any], recipient: int) -> tuple[list[Reported], bool]:
    """(the reports of one message, whether all were looked through that came in its time).

    The table is in the order reports came and has no index by person, which a fan-out would pay for with every receipt: its
    part of that time is found by halving, and read.
    """
    start = message["handed_at"] or message["at"]
    end = max(start, message["settled_at"] or start + WAITS) + LATE
    first, last = await first_since(conn, start - EARLY), await first_since(conn, end + 1)
    rows = await conn.execute(
        text(
            "SELECT id, provider, key, state, provider_id, reason, code, detail, reply, said_at, at, joined FROM receipt "
            "WHERE id >= :first AND id < :last AND provider = :p AND ((wave_id = :v AND recipient_id = :r) "
            "OR (blind = :b AND (wave_id = :v OR (wave_id IS NULL AND provider_id = :pid)))) ORDER BY id LIMIT 50"
        ),
        {
            "first": max(first, last - MOST),
            "last": last,
            "p": message["provider"],
            "v": message["wave"],
            "r": recipient,
            "b": message["blind"],
            "pid": message["provider_id"],
        },
    )
    return [Reported(*row) for row in rows], last - first <= MOST


async def first_since(conn: AsyncConnection, at: int) -> int:
    """The id of the first receipt that came at `at` or later; one past the last where there is none."""
    low, high = 1, int(await conn.scalar(text("SELECT coalesce(max(id), 0) FROM receipt")) or 0) + 1
    probe = text("SELECT id, at FROM receipt WHERE id >= :id ORDER BY id LIMIT 1")
    while low < high:
        middle = (low + high) // 2
        row = (await conn.execute(probe, {"id": middle})).first()
        if row is None or row.at >= at:
            high = middle
        else:
            low = int(row.id) + 1
    return low
