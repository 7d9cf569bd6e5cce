"""Sessions of people in a browser: a random id kept hashed, a CSRF token, an end, and no way around a forced one."""

import secrets
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.crypto import hash_key
from warnhub.store import tables
from warnhub.store.audits import add_audit
from warnhub.store.engine import Tx
from warnhub.store.users import User, read_user

SEEN_EVERY = 60_000
"""How often, in milliseconds, a session's last use is written."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session in use. `id` is the hash that is stored; times in milliseconds."""

    id: str
    user: User
    csrf: str
    seen_at: int
    expires_at: int


async def open_session(tx: Tx, user: User, hours: float, origin: str = "") -> str:
    """A new session; gives the id for the cookie, which is kept nowhere. What has expired is cleared away."""
    key = secrets.token_urlsafe(32)
    await tx.conn.execute(delete(tables.session).where(tables.session.c.expires_at <= tx.now))
    values = {"csrf": secrets.token_urlsafe(24), "created_at": tx.now, "seen_at": tx.now}
    end = tx.now + int(hours * 3_600_000)
    await tx.conn.execute(insert(tables.session).values(id=hash_key(key), user_name=user.name, expires_at=end, **values))
    await add_audit(tx, user.actor, "user.login", user.name, {"from": origin})
    return key


async def find_session(conn: AsyncConnection, key: str, now: int) -> Session | None:
    """The session a cookie names, if it has not ended and its account is not disabled."""
    one = tables.session.c
    fields = (one.id, one.csrf, one.seen_at, one.expires_at, one.user_name)
    kept = select(*fields).where(one.id == hash_key(key), one.expires_at > now)
    row = (await conn.execute(kept)).first()
    user = await read_user(conn, row.user_name) if row else None
    if row is None or user is None or user.disabled_at:
        return None
    return Session(row.id, user, row.csrf, row.seen_at, row.expires_at)


async def touch_session(tx: Tx, session: Session) -> None:
    """Its last use."""
    await tx.conn.execute(update(tables.session).where(tables.session.c.id == session.id).values(seen_at=tx.now))


async def close_session(tx: Tx, session: Session) -> None:
    """Its owner leaves."""
    await tx.conn.execute(delete(tables.session).where(tables.session.c.id == session.id))
    await add_audit(tx, session.user.actor, "user.logout", session.user.name)


async def close_sessions(tx: Tx, actor: str, name: str) -> int:
    """Somebody ends every session of an account; gives how many there were."""
    ended = await tx.conn.execute(delete(tables.session).where(tables.session.c.user_name == name))
    await add_audit(tx, actor, "user.logout.forced", name, {"sessions": ended.rowcount})
    return ended.rowcount


async def close_others(tx: Tx, session: Session) -> int:
    """Its owner ends every other one of theirs; gives how many there were."""
    one = tables.session.c
    ended = await tx.conn.execute(delete(tables.session).where(one.user_name == session.user.name, one.id != session.id))
    await add_audit(tx, session.user.actor, "user.logout.others", session.user.name, {"sessions": ended.rowcount})
    return ended.rowcount


async def count_sessions(conn: AsyncConnection, now: int) -> dict[str, int]:
    """How many are open, by account."""
    one = tables.session.c
    query = select(one.user_name, func.count()).where(one.expires_at > now).group_by(one.user_name)
    return {name: count for name, count in await conn.execute(query)}


async def list_sessions(conn: AsyncConnection, name: str, now: int) -> list[tuple[str, int, int, int]]:
    """(id, begun, last used, end) of those of an account that are open."""
    one = tables.session.c
    fields = (one.id, one.created_at, one.seen_at, one.expires_at)
    rows = await conn.execute(select(*fields).where(one.user_name == name, one.expires_at > now).order_by(one.seen_at.desc()))
    return [tuple(row) for row in rows]
