"""How many people a warning would reach, and by which channels, before anybody is told."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.engine import Inline
from warnhub.store.rows import pack_rows, rows_table

CHANNELS = ("sms", "wechat", "push", "loudspeaker", "display")
PUBLIC = "('resident', 'speaker', 'display')"


@dataclass(frozen=True, slots=True)
class Reach:
    """So many of one role have exactly these channels."""

    role: str
    channels: frozenset[str]
    people: int


async def count_reach(conn: AsyncConnection, places: Collection[tuple[int, bool]], drill: str | None) -> list[Reach]:
    """Who would be told in these places (area, home), by role and usable channels; of a drill only who is on its list.

    The public is told where it is at home, those who answer for others in the places above too. One pass over the people
    concerned: beside the event loop, and to be kept for a while by whoever asks.
    """
    sqlite = conn.dialect.name == "sqlite"
    source = rows_table(sqlite, place="int", home="int")
    bits = " ".join(f"WHEN '{channel}' THEN {1 << place}" for place, channel in enumerate(CHANNELS))
    listed = "AND EXISTS (SELECT 1 FROM participant q WHERE q.drill_id = :drill AND q.recipient_id = r.id)" if drill else ""
    query = text(
        "SELECT role, mask, count(*) AS n FROM ("
        f"SELECT r.id, r.role, coalesce(sum(CASE a.channel {bits} ELSE 0 END), 0) AS mask FROM {source} AS x "
        "JOIN recipient r ON r.area_id = x.place AND r.gone_at IS NULL "
        "LEFT JOIN address a ON a.recipient_id = r.id AND a.bad IS NULL "
        f"WHERE (x.home = 1 OR r.role NOT IN {PUBLIC}) AND NOT (r.opt_out AND r.role = 'resident') {listed} "
        "GROUP BY r.id, r.role) AS people GROUP BY role, mask"
    )
    bind = {"rows": pack_rows((place, int(home)) for place, home in places)} | ({"drill": drill} if drill else {})
    rows = await run_beside(conn, query, bind)
    return [Reach(row.role, named(int(row.mask)), int(row.n)) for row in rows]


def named(mask: int) -> frozenset[str]:
    """The channels of a mask."""
    return frozenset(channel for place, channel in enumerate(CHANNELS) if mask & 1 << place)


async def run_beside(conn: AsyncConnection, query: Any, bind: dict[str, Any]) -> list[Any]:
    """Every row; where the database is a file, in a thread, so that the loop goes on meanwhile."""
    if isinstance(conn, Inline):
        return await asyncio.to_thread(lambda: list(conn.sync.execute(query, bind).all()))
    return list((await conn.execute(query, bind)).all())
