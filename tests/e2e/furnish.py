"""What every page needs to be seen full: a typhoon with its plan, doors and tasks, a warning held still, proposals, rosters."""

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, FastAPI
from sqlalchemy import text
from stage import NOW, Hub, find_person, make_alert, number_of, receive

from warnhub.alert import Level
from warnhub.console.field import make_field
from warnhub.console.pages import make_router
from warnhub.field.doors import make_doors
from warnhub.field.sightings import make_sightings
from warnhub.field.tasks import make_tasks
from warnhub.store.proposals import Sighting

HOUR = 3_600_000
AIDED = (
    "SELECT d.wave_id, d.recipient_id FROM wave v JOIN delivery d ON d.wave_id = v.id "
    "JOIN recipient r ON r.id = d.recipient_id WHERE v.warning_id = :w AND {what} ORDER BY d.recipient_id LIMIT 1"
)


def make_app(hub: Hub) -> FastAPI:
    """Console and field pages, as they are served."""
    app = FastAPI()
    for router in (*field_routers(hub), make_router(hub)):
        app.include_router(router)
    return app


def field_routers(hub: Hub) -> list[APIRouter]:
    """The pages of those outside."""
    return [make(hub, hub.hand.seconds) for make in (make_doors, make_tasks, make_sightings, make_field)]


async def furnish(hub: Hub, given: dict[str, str]) -> dict[str, str]:
    """Add it; gives what pages are named by, beside the warnings."""
    typhoon = await tell_typhoon(hub)
    paused = await tell_paused(hub)
    await add_shifts(hub)
    async with hub.store.read() as conn:

        async def find(statement: str, **bind: Any) -> str:
            return str(await conn.scalar(text(statement), bind) or "")

        number = await number_of(hub, typhoon)
        found = {
            "typhoon": typhoon,
            "paused": paused,
            "person": await find_person(hub, given["living"]),
            "own_person": await find(
                "SELECT k.recipient_id FROM task k JOIN warning w ON w.id = k.warning_id JOIN area t ON t.id = k.town_id "
                "WHERE w.uid = :u AND t.code = '990123001' ORDER BY k.id LIMIT 1",
                u=given["living"],
            ),
            "town": await find("SELECT id FROM area WHERE level = 9 ORDER BY code LIMIT 1"),
            "village": await find(
                "SELECT a.village_id FROM task k JOIN area a ON a.id = k.area_id JOIN warning w ON w.id = k.warning_id "
                "WHERE w.uid = :u AND k.state = 'late' AND a.level >= 12 ORDER BY k.id LIMIT 1",
                u=given["living"],
            ),
            "point": await find("SELECT ref FROM point ORDER BY id LIMIT 1"),
            "run": await find("SELECT uid FROM run WHERE warning_id = :w", w=number),
            "task": await find("SELECT id FROM assignment WHERE state = 'open' AND evidence = 'text' ORDER BY id LIMIT 1"),
        }
        helper = (await conn.execute(text(AIDED.format(what="r.role = 'gridworker'")), {"w": number})).one()
        found["token"] = hub.keys.link_token(helper.wave_id, helper.recipient_id)
        resident = (await conn.execute(text(AIDED.format(what="r.role = 'resident'")), {"w": number})).one()
        found["resident"] = hub.keys.link_token(resident.wave_id, resident.recipient_id)
        home = int(await find("SELECT area_id FROM recipient WHERE id = :r", r=resident.recipient_id))
    seen = Sighting(
        "tour", "resident", "11D01", "屋后裂缝有手掌宽", home, hub.hand.now, None, None, resident.recipient_id, number
    )
    await hub.responder.watch.see(seen)
    async with hub.store.read() as conn:
        found["proposal"] = str(await conn.scalar(text("SELECT uid FROM proposal ORDER BY id LIMIT 1")))
    missing = [name for name, value in found.items() if not value]
    assert not missing, f"the stage has none of: {missing}"
    return given | found


async def tell_typhoon(hub: Hub) -> str:
    """A red typhoon five hours away: its plan begins, doors are listed, points are patrolled."""
    alert = make_alert(hub.hand, "ty-tour", "11B01", Level.RED, "云岭县气象台", "云岭县气象台发布台风红色预警[I级/特别严重]")
    alert = alert.model_copy(update={"onset": alert.sent + timedelta(hours=5)})
    uid = (await receive(hub, "weather", alert)).warning
    number = await number_of(hub, uid)
    await hub.planner.plan(str(number), {})
    await hub.responder.planned(str(number), {})
    assert uid
    return uid


async def tell_paused(hub: Hub) -> str:
    """A thunderstorm that an officer holds still."""
    headline = "云岭县气象台发布雷暴大风黄色预警[III级/较重]"
    alert = make_alert(hub.hand, "storm-tour", "11B06", Level.YELLOW, "云岭县气象台", headline)
    uid = (await receive(hub, "weather", alert)).warning
    assert uid
    await hub.desk.release(uid, "user:zhao")
    await hub.planner.plan(str(await number_of(hub, uid)), {})
    await hub.steering.pause(uid, "user:wang", "核对区域：城关是否在内")
    return uid


async def add_shifts(hub: Hub) -> None:
    """Somebody at the county's desk until tomorrow morning, then nobody."""
    async with hub.store.write() as tx:
        desk = await tx.conn.scalar(text("SELECT id FROM area WHERE level = 6"))
        people = (await tx.conn.execute(text("SELECT id FROM recipient WHERE role = 'county_duty' ORDER BY id LIMIT 2"))).all()
        for rank, row in enumerate(people, 1):
            await tx.conn.execute(
                text("INSERT INTO shift (area_id, recipient_id, rank, starts_at, ends_at) VALUES (:d, :p, :k, :a, :b)"),
                {"d": desk, "p": row.id, "k": rank, "a": NOW - 8 * HOUR, "b": NOW + 16 * HOUR},
            )
