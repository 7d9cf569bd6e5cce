"""How many people a warning would reach, and by which channels, before anybody is told."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.engine import Inline
from warnhub.store.rows import pack_rows, rows_table

PUBLIC = "('resident', 'speaker', 'display')"
Routes = Mapping[str, tuple[str, ...]]
"""The channels there are, each with the kinds of address its providers carry; () is all kinds."""


@dataclass(frozen=True, slots=True)
class Reach:
    """So many of one role have exactly these channels."""

    role: str
    channels: frozenset[str]
    people: int


async def count_reach(
    conn: AsyncConnection, places: Collection[tuple[int, bool]], channels: Routes, drill: str | None
) -> list[Reach]:
    """Who would be told in these places (area, home), by role and usable channels; of a drill only who is on its list.

    The public is told where it is at home, those who answer for others in the places above too. One pass over the people
    concerned: beside the event loop, and to be kept for a while by whoever asks.
    """
    source = rows_table(conn.dialect.name == "sqlite", place="int", home="int")
    bits, bind = channel_bits(channels)
    listed = "AND EXISTS (SELECT 1 FROM participant q WHERE q.drill_id = :drill AND q.recipient_id = r.id)" if drill else ""
    query = text(
        "SELECT role, mask, count(*) AS n FROM ("
        f"SELECT r.id, r.role, coalesce(sum({bits}), 0) AS mask FROM {source} AS x "
        "JOIN recipient r ON r.area_id = x.place AND r.gone_at IS NULL "
        "LEFT JOIN address a ON a.recipient_id = r.id AND a.bad IS NULL "
        f"WHERE (x.home = 1 OR r.role NOT IN {PUBLIC}) AND NOT (r.opt_out AND r.role = 'resident') {listed} "
        "GROUP BY r.id, r.role) AS people GROUP BY role, mask"
    )
    bind |= {"rows": pack_rows((place, int(home)) for place, home in places)} | ({"drill": drill} if drill else {})
    names = list(channels)
    return [
        Reach(row.role, frozenset(name for place, name in enumerate(names) if int(row.mask) & 1 << place), int(row.n))
        for row in await run_beside(conn, query, bind)
    ]


def channel_bits(channels: Routes) -> tuple[str, dict[str, Any]]:
    """SQL that makes of an address the bit of its channel, 0 if nobody carries it; and what it binds."""
    cases: list[str] = []
    bind: dict[str, Any] = {}
    for place, (channel, routes) in enumerate(channels.items()):
        kinds = {f"k{place}_{n}": route for n, route in enumerate(routes)}
        carried = f" AND a.route IN ({', '.join(f':{name}' for name in kinds)})" if kinds else ""
        cases.append(f"WHEN a.channel = :c{place}{carried} THEN {1 << place}")
        bind |= kinds | {f"c{place}": channel}
    return (f"CASE {' '.join(cases)} ELSE 0 END" if cases else "0"), bind


async def run_beside(conn: AsyncConnection, query: Any, bind: dict[str, Any]) -> list[Any]:
    """Every row; where the database is a file, in a thread, so that the loop goes on meanwhile."""
    if isinstance(conn, Inline):
        return await asyncio.to_thread(lambda: list(conn.sync.execute(query, bind).all()))
    return list((await conn.execute(query, bind)).all())
