"""Dead letters: entries that no handler could work on, kept with the reason until a person replays them."""

from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store import shared
from warnhub.store.audits import add_audit
from warnhub.store.engine import Tx


@dataclass(frozen=True, slots=True)
class Letter:
    """One of them. `data` as it came, which need not be JSON; times in milliseconds."""

    id: int
    topic: str
    key: str
    data: str
    lane: int
    reason: str
    source: str
    at: int
    replayed_at: int | None
    replayed_by: str | None


async def bury(tx: Tx, topic: str, key: str, data: str, reason: str, source: str, lane: int) -> None:
    """Keep an entry that is given up. Taken from the same place before, it is kept once."""
    known = await tx.conn.scalar(
        text("SELECT 1 FROM dead WHERE source = :s AND topic = :t AND key = :k AND at >= :day"),
        {"s": source, "t": topic, "k": key, "day": tx.now - 86_400_000},
    )
    if known is None:
        values = {"topic": topic, "key": key, "data": data, "lane": lane, "reason": reason[:2_000], "source": source}
        await tx.conn.execute(insert(shared.dead).values(**values, at=tx.now))
        tx.wake("dead")


async def list_dead(conn: AsyncConnection, everything: bool = False) -> list[Letter]:
    """Those that wait for somebody, the oldest first; with `everything` also those that were replayed."""
    query = select(shared.dead).order_by(shared.dead.c.id)
    if not everything:
        query = query.where(shared.dead.c.replayed_at.is_(None))
    return [Letter(*row) for row in await conn.execute(query)]


async def read_dead(conn: AsyncConnection, number: int) -> Letter | None:
    """One by its number."""
    row = (await conn.execute(select(shared.dead).where(shared.dead.c.id == number))).first()
    return Letter(*row) if row else None


async def replay_dead(tx: Tx, number: int, actor: str) -> str | None:
    """Put an entry back on the bus, once; gives why that cannot be, or None."""
    letter = await read_dead(tx.conn, number)
    if letter is None:
        return f"there is no dead letter {number}"
    if letter.replayed_at is not None:
        return f"dead letter {number} was replayed before, by {letter.replayed_by}"
    data = read_object(letter.data)
    if data is None:
        return f"dead letter {number} is not a JSON object and cannot be replayed: nothing could work on it"
    taken = await tx.conn.execute(
        text("UPDATE dead SET replayed_at = :now, replayed_by = :a WHERE id = :id AND replayed_at IS NULL"),
        {"now": tx.now, "a": actor, "id": number},
    )
    if not taken.rowcount:
        return f"dead letter {number} was replayed before"
    said = {"topic": letter.topic, "key": letter.key, "before": "dead", "after": "replayed"}
    await add_audit(tx, actor, "dead_letter.replay", str(number), said)
    await tx.publish(letter.topic, letter.key, data, letter.lane)
    return None


def read_object(data: str) -> dict[str, Any] | None:
    """The JSON object that `data` is; None if it is none."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
