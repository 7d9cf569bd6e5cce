"""Questions about the people and devices of a warning, a page at a time, by index."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.states import RANKS, effective_rank

NAMES = {int(rank): state.value for state, rank in RANKS.items()}


DELIVERY = (
    "SELECT d.batch_id, d.recipient_id, d.state, d.reason, d.code, d.handed_at, d.settled_at, b.channel, b.provider, "
    "b.round, b.role, b.state AS stage, b.attempt, b.due_at, b.note, r.ref, r.name, a.tail, t.name AS town "
    "FROM batch b JOIN delivery d ON d.batch_id = b.id JOIN recipient r ON r.id = d.recipient_id "
    "JOIN address a ON a.id = d.address_id JOIN area t ON t.id = b.town_id"
)


async def list_deliveries(conn: AsyncConnection, warning: int, after: tuple[int, int], most: int) -> list[dict[str, Any]]:
    """Deliveries in the order of (batch, recipient), after that pair. Addresses by their last four characters only."""
    last = await last_batch(conn, warning, after[0], most)
    rows = await conn.execute(
        text(
            f"{DELIVERY} WHERE b.warning_id = :w AND b.id BETWEEN :b AND :z AND (b.id > :b OR d.recipient_id > :r) "
            "ORDER BY b.id, d.recipient_id LIMIT :most"
        ),
        {"w": warning, "b": after[0], "z": last, "r": after[1], "most": most},
    )
    return [delivery_line(row) for row in rows]


async def last_batch(conn: AsyncConnection, warning: int, first: int, most: int) -> int:
    """The batch where a page of `most` deliveries ends at the latest, which begins in batch `first`."""
    rows = await conn.execute(
        text("SELECT id, size FROM batch WHERE warning_id = :w AND id > :b ORDER BY id LIMIT :most"),
        {"w": warning, "b": first, "most": most},
    )
    last, held = first, 0
    for row in rows:
        last, held = int(row.id), held + int(row.size)
        if held >= most:
            break
    return last


async def list_parts(conn: AsyncConnection, warning: int, size: int = 1_000) -> list[tuple[int, int]]:
    """All batches of a warning as (first, last) of runs of about `size` deliveries, so that every one is read once."""
    rows = await conn.execute(text("SELECT id, size FROM batch WHERE warning_id = :w ORDER BY id"), {"w": warning})
    parts: list[tuple[int, int]] = []
    first, last, held = None, 0, 0
    for row in rows:
        if first is not None and held + row.size > size:
            parts.append((first, last))
            first, held = None, 0
        first, last, held = row.id if first is None else first, row.id, held + row.size
    return [*parts, (first, last)] if first is not None else parts


async def read_part(conn: AsyncConnection, warning: int, first: int, last: int) -> list[dict[str, Any]]:
    """The deliveries of the batches of one run."""
    rows = await conn.execute(
        text(f"{DELIVERY} WHERE b.warning_id = :w AND b.id BETWEEN :a AND :z ORDER BY b.id, d.recipient_id"),
        {"w": warning, "a": first, "z": last},
    )
    return [delivery_line(row) for row in rows]


def delivery_line(row: Any) -> dict[str, Any]:
    """One delivery for people to read."""
    return {
        "cursor": f"{row.batch_id}.{row.recipient_id}",
        "ref": row.ref,
        "name": row.name,
        "role": row.role,
        "town": row.town,
        "channel": row.channel,
        "provider": row.provider,
        "round": row.round,
        "address": f"••••{row.tail}",
        "state": NAMES[effective_rank(row.state, row.stage, row.attempt)],
        "reason": row.reason,
        "code": row.code,
        "waiting": row.note if row.state <= 10 and row.attempt else None,
        "due_at": row.due_at if row.state <= 10 else None,
        "handed_at": row.handed_at,
        "settled_at": row.settled_at,
    }


async def list_unconfirmed(
    conn: AsyncConnection, warning: int, after: int = 0, most: int = 100, village: int | None = None
) -> list[dict[str, Any]]:
    """Who still has to confirm, the longest overdue first within a page, by task id after `after`."""
    where = "AND a.village_id = :v" if village is not None else ""
    rows = await conn.execute(
        text(
            "SELECT k.id, k.recipient_id, k.state, k.rung, k.due_at, k.role, r.ref, r.name, a.name AS area, t.name AS town, "
            "(SELECT tail FROM address s WHERE s.recipient_id = r.id AND s.channel = 'sms') AS tail "
            "FROM task k JOIN recipient r ON r.id = k.recipient_id JOIN area a ON a.id = k.area_id "
            "JOIN area t ON t.id = k.town_id "
            f"WHERE k.warning_id = :w AND k.kind = 'confirm' AND k.state NOT IN ('done', 'covered') AND k.id > :after {where} "
            "ORDER BY k.id LIMIT :most"
        ),
        {"w": warning, "after": after, "most": most, "v": village},
    )
    return [dict(row._mapping) for row in rows]


async def list_events(conn: AsyncConnection, warning: int, most: int = 200) -> list[dict[str, Any]]:
    """The newest lines of a warning's timeline."""
    rows = await conn.execute(
        text(
            "SELECT e.id, e.at, e.kind, e.actor, e.data, r.name, r.ref FROM event e "
            "LEFT JOIN recipient r ON r.id = e.recipient_id WHERE e.warning_id = :w ORDER BY e.id DESC LIMIT :most"
        ),
        {"w": warning, "most": most},
    )
    return [dict(row._mapping) for row in rows]
