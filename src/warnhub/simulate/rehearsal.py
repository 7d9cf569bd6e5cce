"""A script in real time: its alerts are put before the real desk as exercises of a registered list, and officers and people do
the rest. Faults and silence belong to a fast drill; here they are only said aloud."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from warnhub.alert import Alert, Area, Code, Gate, Kind, Original, Parameter, Reference, Status, Text, Verdict
from warnhub.config import Settings
from warnhub.desk import Desk
from warnhub.plan.audience import Places
from warnhub.simulate.script import Event, Said, Script
from warnhub.store.agencies import COUNTY, ensure_county, read_agency
from warnhub.store.alerts import make_uid
from warnhub.store.engine import Store
from warnhub.store.policies import load_policies


class NoList(Exception):
    """There is no such list of participants."""


async def rehearse(
    script: Script,
    store: Store,
    settings: Settings,
    drill: str,
    speed: float,
    sleep: Callable[[float], Awaitable[None]],
    say: Callable[[str], None] | None,
) -> dict[str, Any]:
    """Play it; gives the closing line. `sleep` waits seconds."""
    async with store.write() as tx:
        await ensure_county(tx, settings.county.bureau)
    async with store.read() as conn:
        if await conn.scalar(text("SELECT 1 FROM drill WHERE id = :d"), {"d": drill}) is None:
            raise NoList(f"--list: there is no list {drill}: make one with `warnhub drill add`")
        desk = Desk(store, settings, await Places.load(conn), await load_policies(store))
        begin = await store.now(conn)
    said: dict[str, Alert] = {}
    made: list[str] = []
    for event in sorted(script.events, key=lambda one: one.at):
        async with store.read() as conn:
            now = await store.now(conn)
        await sleep(max(0.0, event.at.total_seconds() / speed - (now - begin) / 1000))
        made += await act(store, desk, settings, drill, event, said)
        if say is not None:
            say(f"+{event.at}  {describe(event)}")
    return await closing_line(store, script, drill, made)


async def act(store: Store, desk: Desk, settings: Settings, drill: str, event: Event, said: dict[str, Alert]) -> list[str]:
    """One event; gives the warnings it made. An update or end refers to what was said before."""
    alert: Alert | None = None
    async with store.read() as conn:
        now = datetime.fromtimestamp(await store.now(conn) / 1000, UTC)
        agency = await read_agency(conn, COUNTY)
    if event.alert is not None:
        alert = said[event.alert.id] = make_alert(settings, drill, event.alert, said.get(event.alert.after), now)
    elif event.cancel is not None:
        alert = end_alert(said[event.cancel.of], event.cancel.why, now)
    if alert is None or agency is None:
        return []
    received = await desk.receive(agency, Verdict(gate=Gate.ACCEPT, alert=alert), b"", "application/json")
    return [received.warning] if received.warning else []


def make_alert(settings: Settings, drill: str, said: Said, before: Alert | None, now: datetime) -> Alert:
    """An exercise alert of the bureau's own over the whole county."""
    references = [Reference(identifier=before.identifier, sender=before.sender, sent=before.sent)] if before else []
    return Alert(
        identifier=make_uid(said.id),
        sender=settings.county.bureau,
        sent=now,
        status=Status.EXERCISE,
        kind=Kind.UPDATE if before else Kind.ALERT,
        references=references,
        hazard=said.hazard,
        level=said.level,
        effective=now,
        onset=now + said.onset,
        expires=now + said.life,
        areas=[Area(name=settings.county.name, codes=[Code(value=settings.county.code)])],
        texts=[Text(headline=said.headline, description=f"{said.headline}。", instruction="请按预案行动。")],
        parameters=[Parameter(name="drill", value=drill)],
        original=Original(form="drill"),
    )


def end_alert(before: Alert, why: str, now: datetime) -> Alert:
    """The end of an exercise."""
    changes = {
        "identifier": make_uid("over"),
        "sent": now,
        "kind": Kind.CANCEL,
        "references": [Reference(identifier=before.identifier, sender=before.sender, sent=before.sent)],
        "effective": now,
        "onset": None,
        "texts": [Text(headline=f"解除:{before.text().headline}", description=why)],
    }
    return before.model_copy(update=changes)


def describe(event: Event) -> str:
    """One event in words."""
    if event.alert is not None:
        return event.alert.headline
    if event.cancel is not None:
        return f"解除 {event.cancel.of}: {event.cancel.why}"
    if event.fault is not None:
        return f"设想 / imagine: {event.fault.channel} 中断 {event.fault.lasts}"
    assert event.silent is not None
    return f"设想 / imagine: {event.silent.villages} 个村失联 {event.silent.lasts}"


async def closing_line(store: Store, script: Script, drill: str, warnings: list[str]) -> dict[str, Any]:
    """What has come of it so far. `leaked`: deliveries handed over to people outside the list."""
    async with store.read() as conn:
        row = (
            await conn.execute(
                text(
                    "WITH w AS (SELECT id FROM warning WHERE drill = :d) "
                    "SELECT (SELECT count(*) FROM participant WHERE drill_id = :d) AS participants, "
                    "(SELECT count(DISTINCT recipient_id) FROM ack WHERE human "
                    "AND warning_id IN (SELECT id FROM w)) AS confirmed, "
                    "(SELECT count(*) FROM event WHERE kind = 'escalated' AND warning_id IN (SELECT id FROM w)) AS escalated, "
                    "(SELECT count(*) FROM door WHERE warning_id IN (SELECT id FROM w)) AS doors, "
                    "(SELECT count(*) FROM door WHERE warning_id IN (SELECT id FROM w) "
                    "AND (state IN ('reached', 'moved') OR reason IS NOT NULL)) AS doors_closed, "
                    "(SELECT count(*) FROM assignment WHERE drill = :d) AS tasks, "
                    "(SELECT count(*) FROM assignment WHERE drill = :d AND late_at IS NOT NULL) AS overdue, "
                    "(SELECT count(*) FROM delivery e JOIN batch b ON b.id = e.batch_id "
                    "WHERE b.warning_id IN (SELECT id FROM w) AND e.state >= 40 AND e.recipient_id NOT IN "
                    "(SELECT recipient_id FROM participant WHERE drill_id = :d)) AS leaked"
                ),
                {"d": drill},
            )
        ).one()
    return {"drill": script.name} | {name: int(value) for name, value in row._mapping.items()} | {"warnings": len(warnings)}
