"""What must happen at a time: kept in the store, so that it survives any restart."""

from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import insert, text

from warnhub.store import tables
from warnhub.store.engine import Tx


@dataclass(frozen=True, slots=True)
class Timer:
    """A due timer."""

    id: int
    kind: str
    warning: int | None
    data: dict[str, Any]


async def set_timer(tx: Tx, kind: str, warning: int | None, due_at: int, data: dict[str, Any]) -> None:
    """Wake up for `kind` at `due_at` (milliseconds)."""
    await tx.conn.execute(insert(tables.timer).values(kind=kind, warning_id=warning, due_at=due_at, data=data))
    tx.wake("timer")


async def take_timers(tx: Tx, most: int = 200) -> list[Timer]:
    """The timers that are due, removed in this transaction: what they cause is written in the same one."""
    due = f"SELECT id FROM timer WHERE due_at <= :now ORDER BY due_at LIMIT {int(most)}"
    # As an array: PostgreSQL may run a query behind IN once for every row beside it, and each run would lock others.
    taken = f"IN ({due})" if tx.conn.dialect.name == "sqlite" else f"= ANY(ARRAY({due} FOR UPDATE SKIP LOCKED))"
    rows = await tx.conn.execute(
        text(f"DELETE FROM timer WHERE id {taken} RETURNING id, kind, warning_id, data"), {"now": tx.now}
    )
    found = [Timer(row.id, row.kind, row.warning_id, read_json(row.data)) for row in rows]
    return sorted(found, key=lambda timer: timer.id)


def read_json(value: Any) -> dict[str, Any]:
    """A JSON column of a textual query: text from one driver, an object from another."""
    return dict(value) if isinstance(value, dict) else dict(orjson.loads(value))
