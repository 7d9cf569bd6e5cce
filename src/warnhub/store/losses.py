"""What was lost on its way: why messages of a warning failed or are unknown, and whose they were.

Found by an index that holds only what has a reason, so that its cost is that of the failures and not of the deliveries.
"""

from dataclasses import dataclass

from sqlalchemy import Index, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.addresses import address_kind
from warnhub.store.engine import run_beside
from warnhub.store.states import Rank
from warnhub.store.tables import delivery

MOST, PAGE = 20_000, 50
"""Failures read to be counted; people on a page."""

UNSAID = "unsaid"
"""The reason of what failed and nobody said why."""

LOST = f"d.state IN ({int(Rank.FAILED)}, {int(Rank.UNKNOWN)})"
HELD = delivery.c.reason.is_not(None)

Index(
    "ix_delivery_reason",
    delivery.c.wave_id,
    delivery.c.code,
    delivery.c.recipient_id,
    delivery.c.reason,
    delivery.c.batch_id,
    sqlite_where=HELD,
    postgresql_where=HELD,
)


def lost_rows(conn: AsyncConnection) -> str:
    """`delivery d` as it is read by that index. SQLite, which keeps no statistics here, would take another."""
    return "delivery d INDEXED BY ix_delivery_reason" if conn.dialect.name == "sqlite" else "delivery d"


@dataclass(frozen=True, slots=True)
class Fault:
    """So many messages of one provider failed with one code."""

    provider: str
    channel: str
    state: int
    reason: str | None
    code: str | None
    n: int
    people: int


@dataclass(frozen=True, slots=True)
class Victim:
    """Somebody whose message failed; by whom else they were reached is `reached`."""

    recipient: int
    name: str
    role: str
    town: str
    place: str
    tail: str
    reached: bool


async def count_faults(conn: AsyncConnection, warning: int) -> list[Fault]:
    """By provider and code, the commonest first; of `MOST` failures at most."""
    rows = await run_beside(
        conn,
        text(
            "SELECT provider, channel, state, reason, code, count(*) AS n, count(DISTINCT recipient_id) AS people FROM ("
            "SELECT b.provider, b.channel, d.state, d.reason, d.code, d.recipient_id FROM wave v "
            f"CROSS JOIN {lost_rows(conn)} JOIN batch b ON b.id = d.batch_id "
            f"WHERE v.warning_id = :w AND d.wave_id = v.id AND d.reason IS NOT NULL AND {LOST} LIMIT {MOST}) AS lost "
            "GROUP BY provider, channel, state, reason, code ORDER BY n DESC, provider, code"
        ),
        {"w": warning},
    )
    return [Fault(*tuple(row)) for row in rows]


async def list_victims(conn: AsyncConnection, warning: int, provider: str, code: str, after: int) -> list[Victim]:
    """Those behind one code, a page by number after `after`, and one more if there are more."""
    found: set[int] = set()
    waves = await conn.execute(text("SELECT id FROM wave WHERE warning_id = :w"), {"w": warning})
    same = "d.code = :c" if code else "d.code IS NULL"
    for wave in waves.all():
        rows = await conn.execute(
            text(
                f"SELECT d.recipient_id FROM {lost_rows(conn)} JOIN batch b ON b.id = d.batch_id "
                f"WHERE d.wave_id = :v AND {same} AND d.recipient_id > :after AND d.reason IS NOT NULL AND {LOST} "
                f"AND b.provider = :p ORDER BY d.recipient_id LIMIT {PAGE + 1}"
            ),
            {"v": wave.id, "c": code, "p": provider, "after": after},
        )
        found |= {int(row.recipient_id) for row in rows}
    people = sorted(found)[: PAGE + 1]
    if not people:
        return []
    rows = await conn.execute(
        text(
            "SELECT r.id, r.name, r.role, t.name AS town, a.name AS place, "
            "coalesce((SELECT s.tail FROM address s WHERE s.recipient_id = r.id AND s.channel = :c), '') AS tail, "
            "g.state >= 40 AS reached FROM recipient r JOIN area a ON a.id = r.area_id JOIN area t ON t.id = a.town_id "
            "JOIN target g ON g.warning_id = :w AND g.recipient_id = r.id "
            f"WHERE r.id IN ({', '.join(map(str, people))}) ORDER BY r.id"
        ),
        {"w": warning, "c": address_kind(provider.partition(".")[0])},
    )
    return [Victim(r.id, r.name, r.role, r.town, r.place, r.tail, bool(r.reached)) for r in rows]
