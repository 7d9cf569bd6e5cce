"""Who is calling: an agency by its key, or a person by an API token."""

import time
from collections import OrderedDict
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import select

from warnhub.alert import Problem
from warnhub.crypto import hash_key
from warnhub.desk import Refusal
from warnhub.hub import Hub
from warnhub.store import tables
from warnhub.store.agencies import Agency, find_agency
from warnhub.store.audits import add_audit

RANKS = {"viewer": 0, "duty": 1, "approver": 2, "admin": 3}


class Caller:
    """An agency (sees its own) or a person (by role)."""

    def __init__(self, agency: Agency | None = None, user: str = "", role: str = "") -> None:
        self.agency = agency
        self.user = user
        self.role = role

    @property
    def actor(self) -> str:
        """As the audit names it."""
        return f"agency:{self.agency.id}" if self.agency else f"user:{self.user}"

    def require(self, role: str) -> None:
        """403 unless a person of at least this role."""
        if RANKS.get(self.role, -1) < RANKS[role]:
            raise Refusal(403, f"this takes a person with the role {role} or above")


async def get_hub(request: Request) -> Hub:
    """The running system. Asynchronous, for FastAPI calls whatever is not in another thread."""
    hub: Hub = request.app.state.hub
    return hub


HubDep = Annotated[Hub, Depends(get_hub)]


def bearer(request: Request) -> str:
    """The key or token: `Authorization: Bearer …`, or `X-API-Key`."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "").strip()


async def get_caller(request: Request, hub: HubDep) -> Caller:
    """Whoever calls; 401 for nobody. A wrong key is audited, without the key."""
    key = bearer(request)
    if not key:
        await note_refusal(request, hub, "key.missing")
        raise unauthorised("no key was given; send `Authorization: Bearer <key>`", "MISSING_KEY")
    async with hub.store.read() as conn:
        agency = await find_agency(conn, key)
        if agency is not None:
            return Caller(agency)
        query = select(tables.user.c.name, tables.user.c.role).where(
            tables.user.c.token == hash_key(key), tables.user.c.disabled_at.is_(None)
        )
        row = (await conn.execute(query)).first()
    if row is not None and row.role in RANKS:
        return Caller(user=row.name, role=row.role)
    await note_refusal(request, hub, "key.refused")
    raise unauthorised("this key is not known, or was withdrawn", "UNKNOWN_KEY")


async def note_refusal(request: Request, hub: Hub, action: str) -> None:
    """Audit it, at most once a second for each caller: knocking must not fill the disk."""
    origin = request.client.host if request.client else ""
    if REFUSALS.pass_by(f"{action} {origin}"):
        async with hub.store.write() as tx:
            await add_audit(tx, "unknown", action, request.url.path, {"from": origin})


class Refusals:
    """When each caller was last noted, the newest thousand."""

    def __init__(self, every: float = 1.0) -> None:
        self.every = every
        self.seen: OrderedDict[str, float] = OrderedDict()

    def pass_by(self, key: str) -> bool:
        """Whether this one is to be noted."""
        now = time.monotonic()
        if now - self.seen.get(key, -1e9) < self.every:
            return False
        self.seen[key] = now
        self.seen.move_to_end(key)
        while len(self.seen) > 1_000:
            self.seen.popitem(last=False)
        return True


REFUSALS = Refusals()


def unauthorised(message: str, rule: str) -> Refusal:
    """401."""
    return Refusal(401, "who are you?", [Problem(path="Authorization", rule=rule, message=message)])


CallerDep = Annotated[Caller, Depends(get_caller)]


async def get_agency(caller: CallerDep) -> Agency:
    """The calling agency; 403 for a person."""
    if caller.agency is None:
        raise Refusal(403, "alerts are posted with an agency's key")
    return caller.agency


AgencyDep = Annotated[Agency, Depends(get_agency)]
