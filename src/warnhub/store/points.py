"""隐患点台账: the register of hazard points, and how far putting each right has come.

A point is found, put right, looked at again and closed, one step after the other; a step back is a step of its own (what was
not accepted is worked on again, what was closed may be found again). A closed one that was looked at and is as it should be
stays closed until the next date. Every step is kept with who took it, and ends what was asked of somebody because of the last.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.areas import Saved
from warnhub.store.assignments import finish_point
from warnhub.store.engine import Tx
from warnhub.store.households import save_rows
from warnhub.store.works import point

KINDS = ("slide", "river", "reservoir", "forest", "mine", "works")
URGENCIES = ("now", "day", "planned")
"""At once, within 24 hours, by a date."""

FOUND = "found"
MOVES = {
    FOUND: ("rectifying",),
    "rectifying": ("rectified",),
    "rectified": ("accepted", "rectifying"),
    "accepted": ("closed", "rectifying"),
    "closed": ("closed", FOUND),
}
OPEN = frozenset({FOUND, "rectifying", "rectified"})
DAY = 24 * 3_600_000
RECHECK = 30 * DAY
COLUMNS = (
    *("id", "ref", "area_id", "kind", "name", "level", "keepers", "people", "way", "shelter", "urgency", "state", "due_at"),
    *("recheck_at", "lon", "lat"),
)


class Entry(NamedTuple):
    """A point as somebody gives it. `keepers`: refs of those responsible; `people`: how many it threatens; `due_at`:
    milliseconds, for what is planned; None for the other urgencies is counted from now."""

    ref: str
    area_id: int
    kind: str
    name: str
    level: str
    keepers: Sequence[str]
    people: int
    way: str
    shelter: str
    urgency: str
    due_at: int | None = None
    lon: float | None = None
    lat: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A point as it is kept, with the households that name it."""

    id: int
    ref: str
    kind: str
    name: str
    level: str
    keepers: tuple[str, ...]
    people: int
    way: str
    shelter: str | None
    urgency: str
    state: str
    due_at: int | None
    recheck_at: int | None
    lon: float | None
    lat: float | None
    area_id: int
    area: str
    town_id: int
    town: str


class Step(Exception):
    """This step cannot be taken from where the point stands."""

    def __init__(self, state: str, wanted: str) -> None:
        super().__init__(f"from {state} a point goes to {' or '.join(MOVES[state])}, not to {wanted}")


async def save_points(tx: Tx, given: Sequence[Entry]) -> Saved:
    """Add or change points by ref. A known point stays where it stands; a new one is found."""
    known = await find_points(tx.conn, [one.ref for one in given])
    rows = []
    for one in given:
        old = known.get(one.ref)
        due = one.due_at if one.due_at is not None else old.due_at if old else tx.now + (DAY if one.urgency == "day" else 0)
        keepers = orjson.dumps(list(one.keepers)).decode()
        fixed = (one.ref, one.area_id, one.kind, one.name, one.level, keepers, one.people, one.way, one.shelter or None)
        state, recheck = (old.state, old.recheck_at) if old else (FOUND, None)
        rows.append((*fixed, one.urgency, state, due, recheck, one.lon, one.lat))
    return await save_rows(tx, point, COLUMNS, rows)


SELECT = (
    "SELECT p.id, p.ref, p.kind, p.name, p.level, p.keepers, p.people, p.way, p.shelter, p.urgency, p.state, p.due_at, "
    "p.recheck_at, p.lon, p.lat, p.area_id, a.name AS area, a.town_id, t.name AS town FROM point p "
    "JOIN area a ON a.id = p.area_id JOIN area t ON t.id = a.town_id WHERE p.gone_at IS NULL "
)


def to_points(rows: Iterable[Any]) -> list[Point]:
    """Rows as points."""
    found = []
    for row in rows:
        keepers = row.keepers if isinstance(row.keepers, list) else orjson.loads(row.keepers)
        found.append(Point(**(row._asdict() | {"keepers": tuple(keepers)})))
    return found


async def find_points(conn: AsyncConnection, refs: Sequence[str]) -> dict[str, Point]:
    """Those of `refs` that are kept."""
    query = text(SELECT + "AND p.ref IN :refs").bindparams(bindparam("refs", expanding=True))
    return {one.ref: one for one in to_points(await conn.execute(query, {"refs": list(refs) or [""]}))}


async def list_points(conn: AsyncConnection, most: int = 1_000) -> list[Point]:
    """Every point, those whose deadline is nearest first, the closed last."""
    order = "ORDER BY CASE WHEN p.state IN ('closed', 'accepted') THEN 1 ELSE 0 END, p.due_at, p.ref LIMIT :most"
    return to_points(await conn.execute(text(SELECT + order), {"most": most}))


async def touched_points(conn: AsyncConnection, warning: int) -> list[Point]:
    """The points in a warning's area."""
    where = "AND p.area_id IN (SELECT area_id FROM extent WHERE warning_id = :w AND home) ORDER BY p.ref"
    return to_points(await conn.execute(text(SELECT + where), {"w": warning}))


DUE = (
    f"((p.state IN ({', '.join(repr(state) for state in sorted(OPEN))}) AND p.due_at <= :now) "
    "OR (p.state IN ('accepted', 'closed') AND p.recheck_at <= :now))"
)
"""Where a point's deadline has passed, or its date of looking again has come."""


async def due_points(conn: AsyncConnection, now: int, most: int = 200) -> list[Point]:
    """Those that are due, and of which nothing is asked of anybody yet."""
    query = SELECT + f"AND {DUE} AND NOT EXISTS ({ASKED}) ORDER BY p.id LIMIT :most"
    return to_points(await conn.execute(text(query), {"now": now, "most": most}))


ASKED = (
    "SELECT 1 FROM assignment k WHERE k.point_id = p.id AND k.kind IN ('rectify', 'recheck') AND k.state IN ('open', 'late')"
)
IDLE = (
    "SELECT k.id FROM assignment k JOIN point p ON p.id = k.point_id WHERE k.kind IN ('rectify', 'recheck') "
    f"AND k.state IN ('open', 'late') AND (p.gone_at IS NOT NULL OR NOT {DUE})"
)
"""What is asked because of a date that was put off since, or of a point that is gone."""


async def any_due(conn: AsyncConnection, now: int) -> bool:
    """Whether a point asks something of somebody that nobody was asked, or asks no more what somebody was."""
    query = f"SELECT 1 FROM point p WHERE p.gone_at IS NULL AND {DUE} AND NOT EXISTS ({ASKED}) LIMIT 1"
    return bool(await conn.scalar(text(query), {"now": now}) or await conn.scalar(text(f"{IDLE} LIMIT 1"), {"now": now}))


async def close_idle(tx: Tx) -> int:
    """Ask no more what is no longer due; gives how many."""
    query = text(f"UPDATE assignment SET state = 'closed', done_at = :now WHERE id IN ({IDLE})")
    return int((await tx.conn.execute(query, {"now": tx.now})).rowcount)


async def last_move(conn: AsyncConnection, number: int) -> int:
    """The number of a point's last step; 0 before the first."""
    return int(await conn.scalar(text("SELECT max(id) FROM pointmove WHERE point_id = :p"), {"p": number}) or 0)


async def points_in(conn: AsyncConnection, areas: Iterable[int]) -> list[Point]:
    """The points in these areas."""
    query = text(SELECT + "AND p.area_id IN :areas ORDER BY p.ref").bindparams(bindparam("areas", expanding=True))
    return to_points(await conn.execute(query, {"areas": list(areas) or [0]}))


async def move_point(tx: Tx, one: Point, state: str, note: str, actor: str) -> None:
    """Take a step. Raises `Step` for one that cannot be taken from here."""
    if state not in MOVES[one.state]:
        raise Step(one.state, state)
    recheck = tx.now + RECHECK if state in {"accepted", "closed"} else one.recheck_at
    due = tx.now + (DAY if one.urgency == "day" else 0) if state == FOUND else one.due_at
    done = await tx.conn.execute(
        text("UPDATE point SET state = :s, recheck_at = :r, due_at = :d, updated_at = :now WHERE id = :id AND state = :old"),
        {"s": state, "r": recheck, "d": due, "now": tx.now, "id": one.id, "old": one.state},
    )
    if not done.rowcount:
        raise Step(one.state, state)
    await tx.conn.execute(
        text("INSERT INTO pointmove (point_id, state, note, actor, at) VALUES (:p, :s, :n, :a, :now)"),
        {"p": one.id, "s": state, "n": note, "a": actor, "now": tx.now},
    )
    await finish_point(tx, one.id, actor, note)


async def list_moves(conn: AsyncConnection, number: int) -> list[Any]:
    """Every step of a point, the newest first."""
    query = text("SELECT state, note, actor, at FROM pointmove WHERE point_id = :p ORDER BY id DESC")
    return list((await conn.execute(query, {"p": number})).all())
