"""What is put before the duty desk: readings, sightings from the ground, and the proposals they were gathered into."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.alerts import make_uid
from warnhub.store.engine import Tx

NEAR = 500.0
"""Metres within which two sightings are of one thing."""

TOGETHER = 30 * 60_000
"""Milliseconds within which they are, and within which whoever found a danger has to say so."""

HOLD = 2 * 3_600_000
"""What an officer has decided about is not proposed again for so long."""

KEPT = 40


class Gauge(NamedTuple):
    """One reading. `client`: the source's own id of it, so that it is kept once."""

    client: str
    station: str
    measure: str
    value: float
    unit: str
    area: int
    said_at: int
    source: str
    lon: float | None = None
    lat: float | None = None


class Sighting(NamedTuple):
    """What somebody has seen. `source`: resident, gridworker, sms, device or an agency."""

    client: str
    source: str
    hazard: str
    text: str
    area: int
    said_at: int
    lon: float | None = None
    lat: float | None = None
    recipient: int | None = None
    warning: int | None = None


async def add_gauges(tx: Tx, given: Sequence[Gauge]) -> list[Gauge]:
    """Keep readings; gives those that are new."""
    fresh = []
    for one in given:
        result = await tx.conn.execute(
            text(
                "INSERT INTO gauge (client, station, measure, value, unit, area_id, lon, lat, source, said_at, at) "
                "VALUES (:client, :station, :measure, :value, :unit, :area, :lon, :lat, :source, :said_at, "
                ":now) ON CONFLICT DO NOTHING"
            ),
            one._asdict() | {"now": tx.now},
        )
        if result.rowcount:
            fresh.append(one)
    return fresh


async def gather(
    tx: Tx,
    *,
    rule: str,
    source: str,
    hazard: str,
    level: str,
    area: int,
    facts: list[dict[str, Any]],
    drill: bool,
    **place: Any,
) -> tuple[int, bool]:
    """The proposal that these facts belong to: the open one of the same rule and area (of sightings: near it, and soon after),
    else a new one; gives (id, whether it is new), and (0, False) where an officer has just decided."""
    lon, lat, version = place.get("lon"), place.get("lat"), place.get("version")
    rows = await tx.conn.execute(
        text(
            "SELECT id, state, area_id, lon, lat, facts, last_at FROM proposal WHERE rule = :r AND hazard = :h AND drill = :d "
            "AND last_at >= :since ORDER BY id DESC"
        ),
        {"r": rule, "h": hazard, "d": drill, "since": tx.now - HOLD},
    )
    for row in rows.all():
        if not belongs(row, area, lon, lat, tx.now, source):
            continue
        if row.state != "open":
            return (0, False) if source == "rule" else (int(row.id), False)
        known = row.facts if isinstance(row.facts, list) else orjson.loads(row.facts)
        packed = orjson.dumps([*known, *facts][-KEPT:]).decode()
        await tx.conn.execute(
            text("UPDATE proposal SET facts = :f, last_at = :now, count = count + 1 WHERE id = :id"),
            {"f": packed, "now": tx.now, "id": row.id},
        )
        return int(row.id), False
    number = await tx.conn.scalar(
        text(
            "INSERT INTO proposal (uid, rule, source, hazard, level, area_id, lon, lat, facts, state, "
            "opinion, drill, first_at, last_at, count, version) "
            "VALUES (:u, :r, :s, :h, :l, :a, :lon, :lat, :f, 'open', '', :d, :now, :now, 1, :v) RETURNING id"
        ),
        {
            "u": make_uid("prop"),
            "r": rule,
            "s": source,
            "h": hazard,
            "l": level,
            "a": area,
            "lon": lon,
            "lat": lat,
            "f": orjson.dumps(facts).decode(),
            "d": drill,
            "now": tx.now,
            "v": version,
        },
    )
    tx.wake("warning")
    return int(number or 0), True


def belongs(row: Any, area: int, lon: float | None, lat: float | None, now: int, source: str) -> bool:
    """Whether something new belongs to a proposal."""
    if source == "rule":
        return bool(row.area_id == area)
    if now - row.last_at > TOGETHER:
        return False
    if None in (lon, lat, row.lon, row.lat):
        return bool(row.area_id == area)
    assert lon is not None
    assert lat is not None
    return metres(lon, lat, row.lon, row.lat) <= NEAR


def metres(lon: float, lat: float, other: float, another: float) -> float:
    """Flat-earth metres between two points, right to a few metres within a county."""
    wide = math.cos(math.radians((lat + another) / 2))
    return 111_320.0 * math.hypot((lon - other) * wide, lat - another)


async def add_sighting(tx: Tx, one: Sighting) -> bool:
    """Keep it; False if it was told before."""
    result = await tx.conn.execute(
        text(
            "INSERT INTO sighting (client, source, hazard, text, area_id, lon, lat, recipient_id, warning_id, said_at, at) "
            "VALUES (:client, :source, :hazard, :text, :area, :lon, :lat, :recipient, :warning, :said_at, "
            ":now) ON CONFLICT DO NOTHING"
        ),
        one._asdict() | {"now": tx.now},
    )
    return bool(result.rowcount)


LIST = (
    "SELECT p.*, a.name AS area, a.code, a.town_id, t.name AS town, w.uid AS warning FROM proposal p "
    "JOIN area a ON a.id = p.area_id JOIN area t ON t.id = a.town_id LEFT JOIN warning w ON w.id = p.warning_id "
)


async def list_proposals(conn: AsyncConnection, most: int = 100) -> list[Any]:
    """Those that wait for an officer first, the newest first."""
    order = "ORDER BY CASE WHEN p.state = 'open' THEN 0 ELSE 1 END, p.last_at DESC, p.id DESC LIMIT :most"
    return list((await conn.execute(text(LIST + order), {"most": most})).all())


async def find_proposal(conn: AsyncConnection, uid: str) -> Any | None:
    """One by its public id."""
    return (await conn.execute(text(LIST + "WHERE p.uid = :u"), {"u": uid})).first()


async def decide(tx: Tx, number: int, state: str, actor: str, opinion: str, warning: int | None) -> bool:
    """An officer's decision; False if another was first."""
    result = await tx.conn.execute(
        text("UPDATE proposal SET state = :s, actor = :a, opinion = :o, warning_id = :w WHERE id = :id AND state = 'open'"),
        {"s": state, "a": actor, "o": opinion, "w": warning, "id": number},
    )
    return bool(result.rowcount)


async def similar_to(conn: AsyncConnection, warning: int, most: int = 5) -> list[Any]:
    """Earlier real warnings of the same hazard over any of the same townships."""
    query = "SELECT w.hazard, e.town_id FROM warning w JOIN extent e ON e.warning_id = w.id AND e.home WHERE w.id = :w"
    rows = (await conn.execute(text(f"SELECT DISTINCT {query.removeprefix('SELECT ')}"), {"w": warning})).all()
    found: dict[str, Any] = {}
    for row in rows:
        found |= {case.uid: case for case in await similar_cases(conn, row.hazard, row.town_id, most, before=warning)}
    return sorted(found.values(), key=lambda case: -case.released_at)[:most]


async def sightings_of(conn: AsyncConnection, proposal: int) -> list[int]:
    """The sightings that a proposal was gathered from."""
    rows = await conn.execute(text("SELECT id FROM sighting WHERE proposal_id = :p ORDER BY id"), {"p": proposal})
    return [int(row[0]) for row in rows]


async def similar_cases(conn: AsyncConnection, hazard: str, town: int, most: int = 5, before: int | None = None) -> list[Any]:
    """Earlier real warnings of the hazard over a township, `before` a warning: how grave, when, and how it went with their
    doors."""
    rows = await conn.execute(
        text(
            "SELECT w.uid, w.headline, w.level, w.state, w.released_at, "
            "(SELECT count(*) FROM door d WHERE d.warning_id = w.id AND d.state = 'moved') AS moved, "
            "(SELECT count(*) FROM task k WHERE k.warning_id = w.id AND k.state = 'done') AS confirmed, "
            "(SELECT count(*) FROM task k WHERE k.warning_id = w.id) AS asked FROM warning w "
            "WHERE w.hazard = :h AND w.drill IS NULL AND w.kind <> 'cancel' AND w.released_at IS NOT NULL AND w.id < :b "
            "AND EXISTS (SELECT 1 FROM extent e WHERE e.warning_id = w.id AND e.town_id = :t AND e.home) "
            "ORDER BY w.id DESC LIMIT :most"
        ),
        {"h": hazard, "t": town, "most": most, "b": before if before is not None else 2**62},
    )
    return list(rows.all())
