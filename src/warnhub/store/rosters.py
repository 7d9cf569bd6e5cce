"""Rosters: who is on duty at which desk, from when to when; where nobody is; and the hand-over from one to the next."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.areas import Saved
from warnhub.store.audits import add_audit
from warnhub.store.engine import Tx
from warnhub.store.rows import pack_rows, rows_table

FIRST, SECOND = 1, 2
"""The A person and the B person."""


@dataclass(frozen=True, slots=True)
class Officer:
    """Somebody at a desk. `rostered` is False for one who stands in for a roster that has nobody."""

    id: int
    ref: str
    role: str
    town_id: int
    area_id: int
    rostered: bool


@dataclass(frozen=True, slots=True)
class Shift:
    """Somebody on duty at the desk of an area, in milliseconds."""

    desk: int
    person: int
    rank: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Planned:
    """A shift as it is shown."""

    id: int
    desk: int
    place: str
    person: int
    name: str
    ref: str
    rank: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which a desk has no A person."""

    desk: int
    place: str
    start: int
    end: int


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


async def duty_people(conn: AsyncConnection) -> dict[str, int]:
    """Ref → id of everybody who may be on duty: who answers for others and is not gone."""
    rows = await conn.execute(
        text(
            "SELECT ref, id FROM recipient WHERE gone_at IS NULL "
            "AND role IN ('county_duty', 'township_duty', 'village_head', 'gridworker', 'leader', 'agency')"
        )
    )
    return {str(row.ref): int(row.id) for row in rows}


async def duty_names(conn: AsyncConnection) -> dict[str, str]:
    """Ref → name of the same people."""
    ids = await duty_people(conn)
    rows = await conn.execute(
        text("SELECT id, name FROM recipient WHERE gone_at IS NULL AND role NOT IN ('resident', 'speaker')")
    )
    names = {int(row.id): str(row.name) for row in rows}
    return {ref: names.get(id, ref) for ref, id in ids.items()}


async def save_shifts(tx: Tx, shifts: Sequence[Shift]) -> Saved:
    """Add or change shifts, known by desk, person and start."""
    rows = {(one.desk, one.person, one.start): (one.desk, one.person, one.rank, one.start, one.end) for one in shifts}
    source = rows_table(tx.conn.dialect.name == "sqlite", desk="int", person="int", rank="int", start="int", until="int")
    bind = {"rows": pack_rows(rows.values())}
    on = "s.area_id = k.desk AND s.recipient_id = k.person AND s.starts_at = k.start"
    same = await tx.conn.scalar(
        text(f"SELECT count(*) FROM {source} AS k JOIN shift s ON {on} AND s.rank = k.rank AND s.ends_at = k.until"), bind
    )
    known = await tx.conn.scalar(text(f"SELECT count(*) FROM {source} AS k JOIN shift s ON {on}"), bind)
    await tx.conn.execute(
        text(
            "INSERT INTO shift (area_id, recipient_id, rank, starts_at, ends_at) "
            f"SELECT k.desk, k.person, k.rank, k.start, k.until FROM {source} AS k WHERE 1 = 1 "
            "ON CONFLICT (area_id, recipient_id, starts_at) DO UPDATE SET rank = excluded.rank, ends_at = excluded.ends_at"
        ),
        bind,
    )
    return Saved(len(rows) - int(known or 0), int(known or 0) - int(same or 0), int(same or 0))


async def list_shifts(conn: AsyncConnection, start: int, end: int, most: int = 1_000) -> list[Planned]:
    """Every shift that touches a time, by desk and beginning, the A persons first."""
    rows = await conn.execute(
        text(
            "SELECT s.id, s.area_id, a.name AS place, r.id AS person, r.name, r.ref, s.rank, s.starts_at, s.ends_at "
            "FROM shift s JOIN area a ON a.id = s.area_id JOIN recipient r ON r.id = s.recipient_id "
            "WHERE s.ends_at > :start AND s.starts_at < :end ORDER BY a.level, a.code, s.starts_at, s.rank, s.id LIMIT :most"
        ),
        {"start": start, "end": end, "most": most},
    )
    return [Planned(*row) for row in rows]


def find_gaps(shifts: Sequence[Planned], start: int, end: int) -> list[Gap]:
    """Where a desk that has a roster at all has no A person between two times; overlaps and hand-overs leave none."""
    gaps = []
    for desk, place in dict.fromkeys((one.desk, one.place) for one in shifts):
        covered = start
        for one in sorted((one for one in shifts if one.desk == desk and one.rank == FIRST), key=lambda one: one.start):
            if one.start > covered:
                gaps.append(Gap(desk, place, covered, min(one.start, end)))
            covered = max(covered, one.end)
        if covered < end:
            gaps.append(Gap(desk, place, covered, end))
    return gaps


async def hand_over(tx: Tx, shift: int, person: int, actor: str) -> bool:
    """The rest of a shift is somebody else's from now on; False if it is over, has not begun, or is theirs already."""
    row = (
        await tx.conn.execute(
            text("SELECT * FROM shift WHERE id = :id AND starts_at <= :now AND ends_at > :now"), {"id": shift, "now": tx.now}
        )
    ).first()
    if row is None or row.recipient_id == person:
        return False
    await tx.conn.execute(text("UPDATE shift SET ends_at = :now WHERE id = :id"), {"id": shift, "now": tx.now})
    await save_shifts(tx, [Shift(row.area_id, person, row.rank, tx.now, row.ends_at)])
    await add_audit(tx, actor, "roster.handed_over", str(shift), {"from": row.recipient_id, "to": person, "rank": row.rank})
    return True
