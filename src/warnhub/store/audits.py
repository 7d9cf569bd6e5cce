"""The audit: every decision by a person or by policy, append-only, each entry hashed over the one before it."""

import hashlib
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.engine import Tx

START = "0" * 64


def entry_digest(previous: str, at: int, actor: str, action: str, subject: str, data: str) -> str:
    """SHA-256, hex, over the entry and the digest before it."""
    return hashlib.sha256("\n".join((previous, str(at), actor, action, subject, data)).encode()).hexdigest()


async def hold_audit(tx: Tx) -> None:
    """Be the only one who decides anything until the commit; who changes the ledger after it asks for this first."""
    if tx.conn.dialect.name != "sqlite":
        await tx.conn.execute(text("SELECT pg_advisory_xact_lock(7292212)"))


async def add_audit(tx: Tx, actor: str, action: str, subject: str, data: dict[str, Any] | None = None) -> None:
    """Write one decision. On PostgreSQL the chain is locked until the commit, so that it never forks."""
    await hold_audit(tx)
    previous = await tx.conn.scalar(text("SELECT digest FROM audit ORDER BY id DESC LIMIT 1")) or START
    packed = orjson.dumps(data or {}, option=orjson.OPT_SORT_KEYS).decode()
    digest = entry_digest(previous, tx.now, actor, action, subject, packed)
    await tx.conn.execute(
        text(
            "INSERT INTO audit (at, actor, action, subject, data, previous, digest) "
            "VALUES (:at, :actor, :action, :subject, :data, :previous, :digest)"
        ),
        {
            "at": tx.now,
            "actor": actor,
            "action": action,
            "subject": subject,
            "data": packed,
            "previous": previous,
            "digest": digest,
        },
    )


async def verify_audit(conn: AsyncConnection) -> tuple[int, int | None]:
    """(entries, id of the first that does not fit; None if all do)."""
    previous, count = START, 0
    found = await conn.stream(text("SELECT id, at, actor, action, subject, data, previous, digest FROM audit ORDER BY id"))
    async for row in found:
        digest = entry_digest(previous, row.at, row.actor, row.action, row.subject, row.data)
        if row.previous != previous or row.digest != digest:
            return count, int(row.id)
        previous, count = digest, count + 1
    return count, None


async def add_event(
    tx: Tx, warning: int, kind: str, actor: str, data: dict[str, Any] | None = None, recipient: int | None = None
) -> None:
    """One line on a warning's timeline."""
    await tx.conn.execute(
        text("INSERT INTO event (warning_id, at, kind, recipient_id, actor, data) VALUES (:w, :at, :kind, :r, :actor, :data)"),
        {
            "w": warning,
            "at": tx.now,
            "kind": kind,
            "r": recipient,
            "actor": actor,
            "data": orjson.dumps(data or {}).decode(),
        },
    )
    tx.wake("warning")
