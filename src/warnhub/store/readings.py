"""How the desk reads an alert beyond its words, and which alerts say the same again. The alert itself is never changed."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import Alert
from warnhub.store import gates
from warnhub.store.engine import Tx


async def add_reading(tx: Tx, alert: int, changes: dict[str, Any], actor: str, why: str) -> None:
    """Read an alert with these fields (JSON) in the place of its own; an earlier reading stays where this one says nothing."""
    before = await tx.conn.scalar(select(gates.reading.c.changes).where(gates.reading.c.alert_id == alert))
    await tx.conn.execute(delete(gates.reading).where(gates.reading.c.alert_id == alert))
    values = {"alert_id": alert, "changes": (before or {}) | changes, "actor": actor, "why": why, "at": tx.now}
    await tx.conn.execute(insert(gates.reading).values(**values))


async def as_read(conn: AsyncConnection, number: int, alert: Alert) -> Alert:
    """The alert as the desk reads it."""
    changes = await conn.scalar(select(gates.reading.c.changes).where(gates.reading.c.alert_id == number))
    return Alert.model_validate(alert.model_dump(mode="json") | changes) if changes else alert


async def add_reissue(tx: Tx, alert: int, first: int) -> None:
    """`alert` says again what `first` says."""
    await tx.conn.execute(insert(gates.reissue).values(alert_id=alert, first_id=first))


async def first_alerts(conn: AsyncConnection, alerts: Iterable[int]) -> list[int]:
    """The alerts, and those that they say again: theirs are the warnings that people know."""
    numbers = list(alerts)
    found = await conn.execute(select(gates.reissue.c.first_id).where(gates.reissue.c.alert_id.in_(numbers)))
    return list(dict.fromkeys([*numbers, *(int(row[0]) for row in found)]))


async def later_issues(conn: AsyncConnection, alerts: Iterable[int]) -> list[int]:
    """The alerts that say these again."""
    found = await conn.execute(select(gates.reissue.c.alert_id).where(gates.reissue.c.first_id.in_(list(alerts))))
    return [int(row[0]) for row in found]


async def prolong(tx: Tx, warning: int, expires: int) -> bool:
    """A warning said again lives as long as it is now said to; whether that is longer than before."""
    query = text("UPDATE warning SET expires_at = :e, version = version + 1 WHERE id = :w AND expires_at < :e")
    result = await tx.conn.execute(query, {"e": expires, "w": warning})
    tx.wake("living")
    return bool(result.rowcount)
