"""What the public may see of the ledger: released, actual, public, in no drill."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.tables import agency, alert, warning

PUBLIC = "w.released_at IS NOT NULL AND w.drill IS NULL AND NOT w.restricted"
URGENT = "CASE w.level WHEN 'red' THEN 1 WHEN 'orange' THEN 2 WHEN 'yellow' THEN 3 ELSE 4 END"


@dataclass(frozen=True, slots=True)
class Living:
    """What is told now. `rows` are (warning, alert, version), the most urgent first; `changed`: when this last became so, in
    milliseconds, 0 if never."""

    rows: tuple[tuple[int, int, int], ...]
    changed: int


async def living_public(conn: AsyncConnection, now: int, most: int) -> Living:
    """What lives, at most so many."""
    found = await conn.execute(
        text(
            f"SELECT w.id, w.alert_id, w.version FROM warning w JOIN alert a ON a.id = w.alert_id WHERE w.state = 'released' "
            f"AND a.status = 'actual' AND {PUBLIC} AND w.expires_at > :now ORDER BY {URGENT}, w.released_at DESC LIMIT :most"
        ),
        {"now": now, "most": most},
    )
    rows = tuple((int(row.id), int(row.alert_id), int(row.version)) for row in found)
    ends = "max(CASE WHEN w.expires_at <= :now THEN w.expires_at END)"
    query = text(f"SELECT max(w.released_at) AS out, max(w.ended_at) AS ended, {ends} AS over FROM warning w WHERE {PUBLIC}")
    last = (await conn.execute(query, {"now": now})).one()
    return Living(rows, max(int(last.out or 0), int(last.ended or 0), int(last.over or 0)))


async def read_living(conn: AsyncConnection, numbers: Sequence[int]) -> list[Any]:
    """Those warnings with their alerts' bodies, in the same order."""
    query = (
        select(warning.c.id, warning.c.released_at, alert.c.uid, alert.c.body, agency.c.name)
        .join_from(warning, alert, alert.c.id == warning.c.alert_id)
        .join(agency, agency.c.id == alert.c.agency_id)
        .where(warning.c.id.in_(numbers))
    )
    rows = {int(row.id): row for row in await conn.execute(query)}
    return [rows[number] for number in numbers if number in rows]


async def is_public(conn: AsyncConnection, number: int) -> bool:
    """Whether an alert was told to the public: it stays readable when it is over."""
    query = text(
        f"SELECT 1 FROM warning w JOIN alert a ON a.id = w.alert_id WHERE a.id = :a AND a.status = 'actual' AND {PUBLIC}"
    )
    return bool(await conn.scalar(query, {"a": number}))
