"""Administrative divisions and grids: code, name, shape, and whose they are.

A code has 6 digits (county), 9 (township), 12 (village) or 15 (grid); the parent's code is the child's without its last three
(six for a county, which has none). Codes padded with zeros name the same place (GB/T 2260, GB/T 10114).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from warnhub.store.bulk import insert_rows, run_many, take_ids
from warnhub.store.engine import Tx
from warnhub.store.tables import area

COUNTY, TOWN, VILLAGE, GRID = LEVELS = (6, 9, 12, 15)
COLUMNS = ("id", "code", "level", "name", "parent_id", "town_id", "village_id", "shape", "lon", "lat", "updated_at")


class Place(NamedTuple):
    """An area as somebody gives it. `shape` is WKB of a polygon or multipolygon, (longitude, latitude) in WGS-84 degrees; a
    missing shape or point leaves the one that is kept."""

    code: str
    name: str
    shape: bytes | None = None
    lon: float | None = None
    lat: float | None = None


class Area(NamedTuple):
    """An area as it is kept. A township is its own town and village, so is a county; a village is its own village."""

    id: int
    code: str
    level: int
    name: str
    parent_id: int | None
    town_id: int
    village_id: int
    shape: bytes | None
    lon: float | None
    lat: float | None


class Saved(NamedTuple):
    """What became of the rows that were given."""

    added: int
    updated: int
    unchanged: int

    def plus(self, other: "Saved") -> "Saved":
        """Both together."""
        return Saved(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


def trim_code(code: str) -> str | None:
    """The code without padding zeros, in 6, 9, 12 or 15 digits; None if it is no such code."""
    if not (code.isascii() and code.isdigit()):
        return None
    for width in LEVELS:
        if len(code) >= width and not code[width:].strip("0"):
            return code[:width]
    return None


def parent_code(code: str) -> str | None:
    """The code of the area around this one; None for a county."""
    return None if len(code) <= COUNTY else code[:-3]


async def load_areas(conn: AsyncConnection, *levels: int) -> list[Area]:
    """Every area, or those of `levels`, in the order of their codes."""
    query = select(*(area.c[name] for name in Area._fields)).order_by(area.c.code)
    if levels:
        query = query.where(area.c.level.in_(levels))
    return [Area(*row) for row in await conn.execute(query)]


async def load_grids(conn: AsyncConnection) -> list[Area]:
    """The grids, in the order of their codes."""
    return await load_areas(conn, GRID)


async def load_codes(conn: AsyncConnection) -> dict[str, int]:
    """The id of each code."""
    return {code: number for code, number in await conn.execute(select(area.c.code, area.c.id))}


async def find_area(conn: AsyncConnection, code: str) -> Area | None:
    """The area a code means, padded or not; None if there is none."""
    query = select(*(area.c[name] for name in Area._fields)).where(area.c.code == trim_code(code))
    row = (await conn.execute(query)).first()
    return Area(*row) if row else None


async def save_places(tx: Tx, places: Sequence[Place]) -> Saved:
    """Add or change areas by code, parents before children whatever their order here.

    Raises ValueError for a code that is not trimmed or whose parent is neither here nor in the store; nothing is deleted.
    """
    known = {row.code: row for row in await load_areas(tx.conn)}
    fresh = sorted((place for place in places if place.code not in known), key=lambda place: (len(place.code), place.code))
    changed = [row for place in places if place.code in known and (row := changed_row(known[place.code], place))]
    await add_places(tx, known, fresh)
    names = ("key", *Place._fields[1:], "updated_at")
    await run_many(tx.conn, update(area).where(area.c.id == bindparam("key")), names, [(*row, tx.now) for row in changed])
    return Saved(len(fresh), len(changed), len(places) - len(fresh) - len(changed))


async def add_places(tx: Tx, known: dict[str, Area], fresh: Sequence[Place]) -> None:
    """Insert new areas, parents first; `known` gains them."""
    ids = await take_ids(tx.conn, area, len(fresh))
    rows = []
    for number, place in zip(ids, fresh, strict=True):
        if place.code in known or trim_code(place.code) != place.code:
            raise ValueError(f"code: {place.code} must be trimmed and given once")
        known[place.code] = row = nested(number, place, known)
        rows.append((*row, tx.now))
    await insert_rows(tx.conn, area, COLUMNS, rows)


def nested(number: int, place: Place, known: dict[str, Area]) -> Area:
    """The row of a new area under its parent."""
    code, level = place.code, len(place.code)
    if level == COUNTY:
        return Area(number, code, level, place.name, None, number, number, *place[2:])
    parent = known.get(code[:-3])
    if parent is None:
        raise ValueError(f"code: the parent {code[:-3]} of {code} is unknown")
    town = number if level == TOWN else parent.town_id
    village = number if level <= VILLAGE else parent.village_id
    return Area(number, code, level, place.name, parent.id, town, village, *place[2:])


def changed_row(old: Area, new: Place) -> tuple[Any, ...] | None:
    """(id, name, shape, lon, lat) to write; None if all is as it was."""
    kept = (old.name, old.shape, old.lon, old.lat)
    wanted = tuple(mine if mine is not None else theirs for mine, theirs in zip(new[1:], kept, strict=True))
    return None if wanted == kept else (old.id, *wanted)
