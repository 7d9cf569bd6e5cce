"""Partner agencies: who they are, what they may warn of, and a key that is shown once."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import Level
from warnhub.crypto import hash_key
from warnhub.store import tables
from warnhub.store.audits import add_audit, hold_audit
from warnhub.store.engine import Tx

COUNTY = "county"
"""The bureau itself, as the author of alerts made at the desk."""


@dataclass(frozen=True, slots=True)
class Agency:
    """`classes`: hazard classes, [] for all. `areas`: division-code prefixes. `release`: its alerts at this level or above
    leave at once (the green channel); None never. `senders`: names it may sign as, [] for any."""

    id: str
    name: str
    classes: tuple[str, ...]
    areas: tuple[str, ...]
    highest: Level
    release: Level | None
    senders: tuple[str, ...]
    zone: str | None
    key_tail: str
    disabled_at: int | None


def to_agency(row: Any) -> Agency:
    """A row as an object."""
    release = Level(row.release) if row.release else None
    return Agency(
        row.id,
        row.name,
        tuple(row.classes),
        tuple(row.areas),
        Level(row.highest),
        release,
        tuple(row.senders),
        row.zone,
        row.key_tail,
        row.disabled_at,
    )


async def add_agency(
    tx: Tx,
    actor: str,
    *,
    id: str,
    name: str,
    classes: Sequence[str] = (),
    areas: Sequence[str] = (),
    highest: Level = Level.RED,
    release: Level | None = None,
    senders: Sequence[str] = (),
    zone: str | None = None,
) -> str:
    """Register an agency; gives its key, which is kept nowhere."""
    key = f"whk_{secrets.token_urlsafe(32)}"
    await tx.conn.execute(
        insert(tables.agency).values(
            id=id,
            name=name,
            key_hash=hash_key(key),
            key_tail=key[-4:],
            classes=list(classes),
            areas=list(areas),
            highest=highest.value,
            release=release.value if release else None,
            senders=list(senders),
            zone=zone,
            created_at=tx.now,
        )
    )
    scope = {"classes": list(classes), "areas": list(areas), "highest": highest, "release": release}
    await add_audit(tx, actor, "agency.add", id, scope)
    return key


async def rotate_key(tx: Tx, actor: str, id: str) -> str | None:
    """A new key for an agency; the old one stops at once. None if there is no such agency."""
    key = f"whk_{secrets.token_urlsafe(32)}"
    row = (await tx.conn.execute(text("SELECT key_tail FROM agency WHERE id = :id"), {"id": id})).first()
    result = await tx.conn.execute(
        text("UPDATE agency SET key_hash = :h, key_tail = :t WHERE id = :id"), {"h": hash_key(key), "t": key[-4:], "id": id}
    )
    if not result.rowcount:
        return None
    await add_audit(
        tx, actor, "agency.rotate", id, {"before": f"••••{row.key_tail if row else ''}", "after": f"••••{key[-4:]}"}
    )
    return key


async def disable_agency(tx: Tx, actor: str, id: str) -> bool:
    """Its key opens nothing any more; its alerts stay."""
    result = await tx.conn.execute(
        text("UPDATE agency SET disabled_at = :now WHERE id = :id AND disabled_at IS NULL"), {"now": tx.now, "id": id}
    )
    if result.rowcount:
        await add_audit(tx, actor, "agency.disable", id, {"before": "on", "after": "off"})
    return bool(result.rowcount)


async def find_agency(conn: AsyncConnection, key: str) -> Agency | None:
    """The agency a key belongs to, if it is not disabled."""
    query = select(tables.agency).where(tables.agency.c.key_hash == hash_key(key), tables.agency.c.disabled_at.is_(None))
    row = (await conn.execute(query)).first()
    return to_agency(row) if row else None


async def read_agency(conn: AsyncConnection, id: str) -> Agency | None:
    """An agency by id."""
    row = (await conn.execute(select(tables.agency).where(tables.agency.c.id == id))).first()
    return to_agency(row) if row else None


async def list_agencies(conn: AsyncConnection) -> list[Agency]:
    """All of them."""
    return [to_agency(row) for row in await conn.execute(select(tables.agency).order_by(tables.agency.c.id))]


async def ensure_county(tx: Tx, name: str) -> None:
    """The bureau itself as an agency; nobody ever holds its key. One, however many processes start at once."""
    if await read_agency(tx.conn, COUNTY) is None:
        await hold_audit(tx)
        if await read_agency(tx.conn, COUNTY) is None:
            await add_agency(tx, "warnhub", id=COUNTY, name=name)
