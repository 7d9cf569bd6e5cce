"""Rosters: who is on duty at which desk, from when to when."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Officer:
    """Somebody at a desk. `rostered` is False for one who stands in for a roster that has nobody."""

    id: int
    ref: str
    role: str
    town_id: int
    area_id: int
    rostered: bool


async def find_desk(conn: AsyncConnection, now: int) -> list[Officer]:
    """Who is on duty at the county's desk now, the A persons first; without a roster everybody of the county's duty."""
    columns = "r.id, r.ref, r.role, a.town_id, r.area_id"
    rows = await conn.execute(
        text(
            f"SELECT {columns} FROM shift s JOIN area d ON d.id = s.area_id AND d.level = 6 "
            "JOIN recipient r ON r.id = s.recipient_id AND r.gone_at IS NULL JOIN area a ON a.id = r.area_id "
            "WHERE s.starts_at <= :now AND s.ends_at > :now ORDER BY s.rank, s.id"
        ),
        {"now": now},
    )
    found = list(dict.fromkeys(officer(row, True) for row in rows))
    if found:
        return found
    rows = await conn.execute(
        text(
            f"SELECT {columns} FROM recipient r JOIN area a ON a.id = r.area_id "
            "WHERE r.role = 'county_duty' AND r.gone_at IS NULL ORDER BY r.id LIMIT 20"
        )
    )
    return [officer(row, False) for row in rows]


def officer(row: Any, rostered: bool) -> Officer:
    """A row as somebody at a desk."""
    return Officer(int(row.id), str(row.ref), str(row.role), int(row.town_id), int(row.area_id), rostered)
