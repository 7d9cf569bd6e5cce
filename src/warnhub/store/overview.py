"""What the desk looks at first: warnings by where they stand, who has agreed, what is broken."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import LANES, Level
from warnhub.store import tables
from warnhub.store.warnings import Warning

OPEN = ("pending", "released")


@dataclass(frozen=True, slots=True)
class Approval:
    """One officer's yes."""

    actor: str
    at: int


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that stops a provider until a person puts it right."""

    id: int
    kind: str
    provider: str
    code: str
    detail: str
    opened_at: int


async def open_warnings(conn: AsyncConnection) -> list[Warning]:
    """Every warning that waits or lives, by level, then the newest first."""
    query = select(tables.warning).where(tables.warning.c.state.in_(OPEN)).order_by(tables.warning.c.id.desc())
    found = [Warning(*row) for row in await conn.execute(query)]
    return sorted(found, key=lambda warning: LANES[Level(warning.level)])


async def ended_warnings(conn: AsyncConnection, before: int | None = None, most: int = 20) -> list[Warning]:
    """The newest warnings that are over, older than id `before`."""
    query = select(tables.warning).where(tables.warning.c.state.not_in(OPEN)).order_by(tables.warning.c.id.desc()).limit(most)
    if before is not None:
        query = query.where(tables.warning.c.id < before)
    return [Warning(*row) for row in await conn.execute(query)]


async def next_warning(conn: AsyncConnection, number: int) -> Warning | None:
    """What took the place of a warning, or lifted it: the newest that says it came after."""
    query = select(tables.warning).where(tables.warning.c.previous_id == number).order_by(tables.warning.c.id.desc())
    row = (await conn.execute(query)).first()
    return Warning(*row) if row else None


async def list_approvals(conn: AsyncConnection, warning: int) -> list[Approval]:
    """Who has agreed to a release, the first first."""
    rows = await conn.execute(text("SELECT actor, at FROM approval WHERE warning_id = :w ORDER BY at, actor"), {"w": warning})
    return [Approval(*row) for row in rows]


async def held_reasons(conn: AsyncConnection, warning: int) -> list[str]:
    """Why a warning did not leave at once, in the assessment's words."""
    query = select(tables.event.c.data).where(tables.event.c.warning_id == warning, tables.event.c.kind == "made")
    data = await conn.scalar(query)
    return [str(reason) for reason in data.get("why", [])] if isinstance(data, dict) else []


async def list_incidents(conn: AsyncConnection) -> list[Incident]:
    """Those that are open, the newest first."""
    rows = await conn.execute(
        text("SELECT id, kind, provider, code, detail, opened_at FROM incident WHERE closed_at IS NULL ORDER BY opened_at DESC")
    )
    return [Incident(*row) for row in rows]


async def agency_names(conn: AsyncConnection, ids: Sequence[str]) -> dict[str, str]:
    """Agencies' names as people read them."""
    query = select(tables.agency.c.id, tables.agency.c.name).where(tables.agency.c.id.in_(set(ids)))
    return {row.id: row.name for row in await conn.execute(query)}
