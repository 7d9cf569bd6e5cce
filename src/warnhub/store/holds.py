"""Alerts that a person must look at, with what was found about each."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import Gate, Problem
from warnhub.store import tables
from warnhub.store.alerts import Kept, to_kept
from warnhub.store.overview import held_reasons
from warnhub.store.warnings import LIVING, Warning, warnings_of


@dataclass(frozen=True, slots=True)
class Hold:
    """One of them. `reasons`: all that holds it, in the assessment's words; `problems`: what has a place in the message."""

    warning: Warning
    kept: Kept
    problems: list[Problem]
    reasons: list[str]


async def list_holds(conn: AsyncConnection, most: int = 200) -> list[Hold]:
    """Those that wait, the oldest first."""
    alert, warning = tables.alert, tables.warning
    query = (
        select(alert)
        .join(warning, warning.c.alert_id == alert.c.id)
        .where(warning.c.state == "pending", alert.c.state == "held")
        .order_by(warning.c.id)
        .limit(most)
    )
    kept = [to_kept(row) for row in await conn.execute(query)]
    made = {one.alert_id: one for one in await warnings_of(conn, [one.id for one in kept])}
    return [await make_hold(conn, made[one.id], one) for one in kept]


async def find_hold(conn: AsyncConnection, warning: Warning) -> Hold | None:
    """What holds a warning's alert; None if nothing does."""
    kept = await find_kept(conn, warning.alert_id)
    return await make_hold(conn, warning, kept) if kept.state == "held" and warning.state == "pending" else None


async def find_kept(conn: AsyncConnection, number: int) -> Kept:
    """An alert by its number, as it came."""
    return to_kept((await conn.execute(select(tables.alert).where(tables.alert.c.id == number))).one())


async def make_hold(conn: AsyncConnection, warning: Warning, kept: Kept) -> Hold:
    """A hold with its problems, the grave ones alone."""
    problems = [Problem.model_validate(one) for one in kept.problems]
    held = [one for one in problems if one.gate is Gate.HOLD]
    return Hold(warning, kept, held, await held_reasons(conn, warning.id))


async def endable(conn: AsyncConnection, hold: Hold) -> list[Warning]:
    """The living warnings of the same agency, sender and status, which this alert may be the end of."""
    alert, warning = tables.alert, tables.warning
    query = (
        select(warning)
        .join(alert, alert.c.id == warning.c.alert_id)
        .where(
            warning.c.state == LIVING,
            warning.c.kind != "cancel",
            alert.c.agency_id == hold.kept.agency,
            alert.c.sender == hold.kept.alert.sender,
            alert.c.status == hold.kept.alert.status.value,
        )
        .order_by(warning.c.id.desc())
    )
    return [Warning(*row) for row in await conn.execute(query)]
