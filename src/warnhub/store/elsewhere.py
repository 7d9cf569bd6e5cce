"""Alerts of polled sources that concern other counties: on the record by name, place and time, and never on the desk."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import Alert
from warnhub.store.alerts import milliseconds
from warnhub.store.engine import Tx
from warnhub.store.mirrors import elsewhere

KEEP = 14 * 86_400_000
"""Milliseconds after its end for which one is remembered: what ends it comes before that."""


async def add_elsewhere(tx: Tx, source: str, agency: str, alert: Alert) -> None:
    """Put down that it was seen; what was put down before stays."""
    await tx.conn.execute(
        text(
            "INSERT INTO elsewhere "
            "(source, agency_id, sender, identifier, sent, expires, kind, level, headline, place, seen_at) "
            "VALUES (:s, :a, :sender, :i, :sent, :expires, :kind, :level, :headline, :place, :now) ON CONFLICT DO NOTHING"
        ),
        {
            "s": source,
            "a": agency,
            "sender": alert.sender,
            "i": alert.message,
            "sent": milliseconds(alert.sent),
            "expires": milliseconds(alert.expires),
            "kind": alert.kind.value,
            "level": alert.level.value,
            "headline": alert.text().headline[:200],
            "place": " ".join(area.name for area in alert.areas)[:200],
            "now": tx.now,
        },
    )


async def known_elsewhere(conn: AsyncConnection, agency: str, sender: str, names: Sequence[str]) -> set[str]:
    """Those of the names that an alert of this agency and sender had which was seen and not taken."""
    columns = elsewhere.c
    query = elsewhere.select().with_only_columns(columns.identifier)
    query = query.where(columns.agency_id == agency, columns.sender == sender, columns.identifier.in_(list(names)))
    return {str(row.identifier) for row in await conn.execute(query)}


async def list_elsewhere(conn: AsyncConnection, source: str, most: int = 100) -> list[Any]:
    """What was seen of a source, the newest first."""
    query = elsewhere.select().where(elsewhere.c.source == source).order_by(elsewhere.c.id.desc()).limit(most)
    return list((await conn.execute(query)).all())


async def forget_elsewhere(tx: Tx, source: str) -> None:
    """Drop what has long been over."""
    query = text("DELETE FROM elsewhere WHERE source = :s AND expires < :old AND seen_at < :old")
    await tx.conn.execute(query, {"s": source, "old": tx.now - KEEP})
