"""Warnings that an officer holds still: nothing more of them is taken in hand until somebody lets them go on."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.engine import Tx


@dataclass(frozen=True, slots=True)
class Pause:
    """Since when, by whom, and why."""

    at: int
    actor: str
    why: str


async def find_pause(conn: AsyncConnection, warning: int) -> Pause | None:
    """The pause of a warning; None while it runs."""
    row = (await conn.execute(text("SELECT at, actor, why FROM pause WHERE warning_id = :w"), {"w": warning})).first()
    return Pause(*row) if row else None


async def set_pause(tx: Tx, warning: int, actor: str, why: str) -> bool:
    """Hold it still; False if it is already."""
    result = await tx.conn.execute(
        text("INSERT INTO pause (warning_id, at, actor, why) VALUES (:w, :at, :a, :why) ON CONFLICT DO NOTHING"),
        {"w": warning, "at": tx.now, "a": actor, "why": why},
    )
    return bool(result.rowcount)


async def end_pause(tx: Tx, warning: int) -> bool:
    """Let it go on; False if it was not held. What waited is looked for at once."""
    result = await tx.conn.execute(text("DELETE FROM pause WHERE warning_id = :w"), {"w": warning})
    tx.wake("batch")
    return bool(result.rowcount)
