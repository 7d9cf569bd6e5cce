"""Warnings: the decision to tell people, and how far it has come."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import Alert, Level
from warnhub.store import tables
from warnhub.store.alerts import make_uid, milliseconds, to_kept
from warnhub.store.audits import add_event
from warnhub.store.engine import Tx, new_id
from warnhub.store.ledger import hold_warnings, stop_batches
from warnhub.store.readings import as_read
from warnhub.store.states import Stage
from warnhub.traces import carried

LIVING = "released"
STAGES = {"cancelled": Stage.SUPERSEDED, "superseded": Stage.SUPERSEDED, "expired": Stage.EXPIRED}


@dataclass(frozen=True, slots=True)
class Warning:
    """A warning. `state`: pending, released, rejected, superseded, cancelled, expired. Times in milliseconds."""

    id: int
    uid: str
    alert_id: int
    policy: int
    state: str
    kind: str
    hazard: str
    hazard_class: str
    level: str
    headline: str
    agency_id: str
    drill: str | None
    restricted: bool
    approvals: int
    previous_id: int | None
    created_at: int
    released_at: int | None
    planned_at: int | None
    ended_at: int | None
    expires_at: int
    version: int
    trace: str | None = None

    @property
    def lane(self) -> int:
        """1 for red to 4 for blue."""
        return Level(self.level).lane


async def add_warning(tx: Tx, alert_id: int, alert: Alert, **given: Any) -> Warning:
    """A pending warning for an alert; `given` are the columns that the assessment decided."""
    values = {
        "uid": make_uid("wa"),
        "alert_id": alert_id,
        "state": "pending",
        "kind": alert.kind.value,
        "hazard": alert.hazard,
        "level": alert.level.value,
        "headline": alert.text().headline or alert.identifier,
        "restricted": alert.scope.value != "public",
        "created_at": tx.now,
        "expires_at": milliseconds(alert.expires),
        "version": 1,
        "trace": carried(),
    } | given
    result = await tx.conn.execute(insert(tables.warning).values(**values))
    row = await read_warning(tx.conn, new_id(result))
    assert row is not None
    return row


async def read_warning(conn: AsyncConnection, number: int) -> Warning | None:
    """A warning by its id."""
    row = (await conn.execute(select(tables.warning).where(tables.warning.c.id == number))).first()
    return Warning(*row) if row else None


async def find_warning(conn: AsyncConnection, uid: str) -> Warning | None:
    """A warning by its public id."""
    row = (await conn.execute(select(tables.warning).where(tables.warning.c.uid == uid))).first()
    return Warning(*row) if row else None


async def list_warnings(conn: AsyncConnection, agency: str | None = None, most: int = 100) -> list[Warning]:
    """The newest warnings, of one agency or of all."""
    query = select(tables.warning).order_by(tables.warning.c.id.desc()).limit(most)
    if agency is not None:
        query = query.where(tables.warning.c.agency_id == agency)
    return [Warning(*row) for row in await conn.execute(query)]


async def warning_alert(conn: AsyncConnection, warning: Warning) -> Alert:
    """What the agency said, as the desk reads it."""
    row = (await conn.execute(select(tables.alert).where(tables.alert.c.id == warning.alert_id))).one()
    return await as_read(conn, warning.alert_id, to_kept(row).alert)


async def warnings_of(conn: AsyncConnection, alerts: list[int]) -> list[Warning]:
    """The warnings made from these alerts."""
    found = await conn.execute(select(tables.warning).where(tables.warning.c.alert_id.in_(alerts)))
    return [Warning(*row) for row in found]


async def set_released(tx: Tx, warning: Warning, actor: str) -> None:
    """From pending to released; what follows is in the outbox of the same commit."""
    await tx.conn.execute(
        text(
            "UPDATE warning SET state = 'released', released_at = :now, version = version + 1, "
            "trace = coalesce(:trace, trace) WHERE id = :id AND state = 'pending'"
        ),
        {"now": tx.now, "id": warning.id, "trace": carried()},
    )
    await tx.publish("warning.released", str(warning.id), lane=warning.lane)
    await tx.conn.execute(insert(tables.timer).values(kind="expire", warning_id=warning.id, due_at=warning.expires_at, data={}))
    tx.wake("timer")
    await add_event(tx, warning.id, "released", actor)


async def end_warning(tx: Tx, warning: Warning, state: str, actor: str, data: dict[str, Any] | None = None) -> int:
    """Cancelled, superseded, expired or rejected: everything not yet submitted stops. Gives the deliveries stopped."""
    await hold_warnings(tx, [warning.id])
    result = await tx.conn.execute(
        text(
            "UPDATE warning SET state = :s, ended_at = :now, version = version + 1 "
            "WHERE id = :id AND state IN ('pending', 'released')"
        ),
        {"s": state, "now": tx.now, "id": warning.id},
    )
    if not result.rowcount:
        return 0
    stopped = await stop_batches(tx, warning.id, STAGES.get(state, Stage.SUPERSEDED))
    await tx.conn.execute(
        text("UPDATE task SET state = 'closed', done_at = :now WHERE warning_id = :id AND state = 'open'"),
        {"now": tx.now, "id": warning.id},
    )
    # A timer that the clock has in hand finds out by itself that the warning has ended.
    skip = "" if tx.conn.dialect.name == "sqlite" else "FOR UPDATE SKIP LOCKED"
    await tx.conn.execute(
        text(f"DELETE FROM timer WHERE id IN (SELECT id FROM timer WHERE warning_id = :id {skip})"), {"id": warning.id}
    )
    await tx.publish("warning.ended", str(warning.id), {"state": state}, lane=1)
    await add_event(tx, warning.id, state, actor, (data or {}) | {"stopped": stopped})
    tx.wake("living")
    return stopped
