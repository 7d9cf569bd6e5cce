"""People with an account: name, role, password (argon2id) and at most one API token. Every change is audited.

agency    sees what became of its own agency's alerts, and nothing else
township  sees its own township's part of each warning, and enters who was told by phone there
viewer    sees everything but more of a telephone number than its last four digits; decides nothing
duty      releases, rejects, cancels, enters who was told by phone
approver  like duty; the second of the two officers a red warning takes is usually one
admin     everything, and other people's accounts
"""

import asyncio
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.crypto import hash_key
from warnhub.store import tables
from warnhub.store.audits import add_audit
from warnhub.store.engine import Store, Tx

ROLES = ("agency", "township", "viewer", "duty", "approver", "admin")
SCOPED = ("agency", "township")
"""Roles that see one part of the county, named by the account's `scope`: an agency's id, a township's or village's code."""

NAME = re.compile(r"[\w.@-]{2,40}")
SHORTEST, LONGEST = 10, 200

HASHER = PasswordHasher()
# What an unknown name's password is checked against, so that it takes as long as a known one's; nobody knows its password.
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$PqPNN1pcKBB/oVASQZOb9Q$G8bmsanBg5Zp3XnnO8DCgLn6pxCHqwiWWCmlSiM9VMY"
# Each check takes 64 MiB; more at once would let a crowd of strangers eat the memory.
CHECKS = 2


class AccountError(ValueError):
    """An account cannot be so; the message names the field, the rule and, unless it is a password, the value."""


@dataclass(frozen=True, slots=True)
class User:
    """A person at the desk."""

    name: str
    role: str
    created_at: int
    disabled_at: int | None = None
    token: bool = False
    scope: str | None = None
    second: bool = False
    subject: str | None = None

    def may(self, role: str) -> bool:
        """Whether this person's role is `role` or above; a role that sees one part only is no more than itself."""
        if role in SCOPED or self.role in SCOPED:
            return self.role == role
        return ROLES.index(self.role) >= ROLES.index(role)

    @property
    def actor(self) -> str:
        """As the audit names a person."""
        return f"user:{self.name}"


def to_user(row: Any) -> User:
    """A row as an object; neither password nor token leaves the store."""
    second, token = row.secret is not None, row.token is not None
    return User(row.name, row.role, row.created_at, row.disabled_at, token, row.scope, second, row.subject)


def check_role(role: str) -> str:
    """`role`, if it is one."""
    if role not in ROLES:
        raise AccountError(f"role: must be one of {', '.join(ROLES)}, not {role!r}")
    return role


def check_name(name: str) -> str:
    """`name`, if it can be one: 2 to 40 letters, digits, dots, dashes or @."""
    if not NAME.fullmatch(name):
        raise AccountError(f"name: must be 2 to 40 letters, digits or . _ @ -, not {name[:40]!r}")
    return name


def hash_password(password: str) -> str:
    """The argon2id hash of a password that is long enough; `AccountError` otherwise."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise AccountError(f"password: must be {SHORTEST} to {LONGEST} characters")
    return HASHER.hash(password)


async def check_scope(tx: Tx, role: str, scope: str | None) -> str | None:
    """`scope`, if it fits the role: an agency there is, a township or village there is, nothing for all others."""
    if role not in SCOPED:
        return None
    table, column = (tables.agency, tables.agency.c.id) if role == "agency" else (tables.area, tables.area.c.code)
    known = scope and (await tx.conn.execute(select(column).select_from(table).where(column == scope))).first()
    if not scope or not known or (role == "township" and len(scope) not in {9, 12}):
        wanted = "an agency's id" if role == "agency" else "a township's or village's code (9 or 12 digits)"
        raise AccountError(f"scope: the role {role} takes {wanted}, not {scope!r}")
    return scope


async def add_user(
    tx: Tx, actor: str, *, name: str, password: str, role: str = "viewer", scope: str | None = None, subject: str | None = None
) -> None:
    """A new account. `AccountError` if it cannot be so or the name is taken."""
    values = {"name": check_name(name), "password": hash_password(password), "role": check_role(role), "subject": subject}
    if await read_user(tx.conn, name):
        raise AccountError(f"name: there is an account {name!r} already")
    kept = await check_scope(tx, role, scope)
    await tx.conn.execute(insert(tables.user).values(**values, scope=kept, created_at=tx.now))
    await add_audit(tx, actor, "user.add", name, {"role": role} | ({"scope": kept} if kept else {}))


async def set_password(tx: Tx, actor: str, name: str, password: str) -> bool:
    """Another password; every session ends. False if there is no such account."""
    return await change(tx, actor, "user.password", name, {"password": hash_password(password)})


async def set_role(tx: Tx, actor: str, name: str, role: str, scope: str | None = None) -> bool:
    """Another role; every session ends. False if there is no such account."""
    user, kept = await read_user(tx.conn, name), await check_scope(tx, check_role(role), scope)
    was = [user.role, user.scope] if user and user.scope else user.role if user else None
    token = {"token": None} if role in SCOPED else {}
    said = {"before": was, "after": [role, kept] if kept else role}
    return await change(tx, actor, "user.role", name, {"role": role, "scope": kept, **token}, **said)


async def disable_user(tx: Tx, actor: str, name: str) -> bool:
    """The account opens nothing any more; sessions and token end. False if there is no such account."""
    return await change(tx, actor, "user.disable", name, {"disabled_at": tx.now, "token": None}, before="on", after="off")


async def enable_user(tx: Tx, actor: str, name: str) -> bool:
    """A disabled account opens again, with its old password and without a token. False if there is no such account."""
    return await change(tx, actor, "user.enable", name, {"disabled_at": None}, before="off", after="on")


async def make_token(tx: Tx, actor: str, name: str) -> str | None:
    """A new API token, shown once; the old one stops at once. None if there is no such account, it is
    disabled, or it sees one part only: the API shows everything."""
    user = await read_user(tx.conn, name)
    if user is None or user.disabled_at or user.role in SCOPED:
        return None
    token = f"whu_{secrets.token_urlsafe(32)}"
    where = tables.user.c.name == name
    before = await has_token(tx, name)
    await tx.conn.execute(update(tables.user).where(where).values(token=hash_key(token)))
    await add_audit(tx, actor, "user.token", name, {"before": before, "after": "new"})
    return token


async def drop_token(tx: Tx, actor: str, name: str) -> bool:
    """The API token stops. False if there is no such account."""
    where = tables.user.c.name == name
    before = await has_token(tx, name)
    result = await tx.conn.execute(update(tables.user).where(where).values(token=None))
    if result.rowcount:
        await add_audit(tx, actor, "user.token.drop", name, {"before": before, "after": "none"})
    return bool(result.rowcount)


async def has_token(tx: Tx, name: str) -> str:
    """`old` if an account has an API token, else `none`: as the audit says it, since a token is never shown again."""
    query = select(tables.user.c.name).where(tables.user.c.name == name, tables.user.c.token.is_not(None))
    return "old" if await tx.conn.scalar(query) is not None else "none"


async def change(tx: Tx, actor: str, action: str, name: str, values: dict[str, Any], **said: Any) -> bool:
    """Change an account and end its sessions: what was opened under the old terms does not go on under the new."""
    result = await tx.conn.execute(update(tables.user).where(tables.user.c.name == name).values(**values))
    if not result.rowcount:
        return False
    ended = await tx.conn.execute(tables.session.delete().where(tables.session.c.user_name == name))
    await add_audit(tx, actor, action, name, {**said, "sessions": ended.rowcount})
    return True


async def keep_secret(tx: Tx, actor: str, name: str, sealed: bytes, step: int) -> None:
    """Switch the second factor on; `step` is the half minute whose code was just used."""
    where = tables.user.c.name == name
    await tx.conn.execute(update(tables.user).where(where).values(secret=sealed, step=step))
    await add_audit(tx, actor, "user.second.on", name, {"before": "off", "after": "on"})


async def drop_secret(tx: Tx, actor: str, name: str) -> bool:
    """Switch the second factor off. False if there is no such account, or it has none."""
    where = (tables.user.c.name == name) & tables.user.c.secret.is_not(None)
    result = await tx.conn.execute(update(tables.user).where(where).values(secret=None, step=None))
    if result.rowcount:
        await add_audit(tx, actor, "user.second.off", name, {"before": "on", "after": "off"})
    return bool(result.rowcount)


async def take_step(tx: Tx, name: str, judge: Callable[[bytes], int | None]) -> bool:
    """Whether a code is right and newer than the last one used, which is noted. `judge`: sealed secret → the code's half
    minute."""
    query = select(tables.user.c.secret, tables.user.c.step).where(tables.user.c.name == name)
    row = (await tx.conn.execute(query)).first()
    step = judge(bytes(row.secret)) if row and row.secret else None
    if row is None or step is None or (row.step is not None and step <= row.step):
        return False
    await tx.conn.execute(update(tables.user).where(tables.user.c.name == name).values(step=step))
    return True


async def find_subject(conn: AsyncConnection, subject: str) -> User | None:
    """Whose account an identity provider's subject is, unless it is disabled."""
    query = select(tables.user).where(tables.user.c.subject == subject, tables.user.c.disabled_at.is_(None))
    row = (await conn.execute(query)).first()
    return to_user(row) if row else None


async def read_user(conn: AsyncConnection, name: str) -> User | None:
    """An account by its name, disabled or not."""
    row = (await conn.execute(select(tables.user).where(tables.user.c.name == name))).first()
    return to_user(row) if row else None


async def list_users(conn: AsyncConnection) -> list[User]:
    """All accounts, by name."""
    return [to_user(row) for row in await conn.execute(select(tables.user).order_by(tables.user.c.name))]


async def find_token(conn: AsyncConnection, token: str) -> User | None:
    """Whose API token this is, unless the account is disabled."""
    query = select(tables.user).where(tables.user.c.token == hash_key(token), tables.user.c.disabled_at.is_(None))
    row = (await conn.execute(query)).first()
    return to_user(row) if row else None


class Passwords:
    """Checks passwords, a few at a time, off the event loop."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.turn = asyncio.Semaphore(CHECKS)

    async def check(self, name: str, password: str) -> User | None:
        """The account, if the password is its own; the same work is done for a name nobody has."""
        async with self.store.read() as conn:
            row = (await conn.execute(select(tables.user).where(tables.user.c.name == name))).first()
        usable = row is not None and row.disabled_at is None
        async with self.turn:
            right = await asyncio.to_thread(verify, row.password if row is not None else NOBODY, password[:LONGEST])
        return to_user(row) if row is not None and usable and right else None


def verify(hashed: str, password: str) -> bool:
    """Whether the hash is this password's; a hash that is none matches nothing."""
    try:
        return HASHER.verify(hashed, password)
    except (VerifyMismatchError, InvalidHashError):
        return False
