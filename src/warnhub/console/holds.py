"""Held alerts: what is wrong with each, and what an officer makes of it.

As it is, an alert can be taken and released from one page, which says what that does. Any other reading of it is kept first:
the next page says what its release does, and nothing is told before.
"""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.alert import Kind, Level
from warnhub.console.decisions import will_release
from warnhub.console.details import area_words, enlisted, find_frame, number
from warnhub.console.scene import Scene
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.desk import Choice, Refusal, author_of
from warnhub.plan.holding import placeable_areas, spares_all, unplaced
from warnhub.publish.attached import list_attached, read_attached
from warnhub.store.holds import Hold, endable, find_hold, find_kept, list_holds
from warnhub.store.overview import agency_names

HOWS = ("as_is", "without", "areas", "ends")


async def show_holds(visit: Visit) -> Response:
    """Those that wait for a person."""
    async with visit.hub.store.read() as conn:
        holds = await list_holds(conn)
        names = await agency_names(conn, [one.kept.agency for one in holds])
    areas = {one.warning.id: area_words(one.kept.alert) for one in holds}
    return visit.page("holds.html", holds=holds, names=names, areas=areas, acts=visit.may("duty"))


async def ask_settle(visit: Visit) -> Response:
    """One of them, with what can be made of it."""
    return await settle_page(visit)


async def settle_page(visit: Visit, status: int = 200, trouble: str = "") -> Response:
    """The page, with what was wrong about the choice before."""
    frame = await find_frame(visit, 0.0)
    assert frame.scene is not None
    async with visit.hub.store.read() as conn:
        hold = await find_hold(conn, frame.scene.warning)
        if hold is None:
            raise HTTPException(409, "this alert is not held any more")
        ends = await endable(conn, hold)
        ready = await is_ready(visit, conn, frame.scene, hold)
    given = offer(visit, hold) | {"ends": ends, "trouble": trouble, "form": visit.form, "agency": frame.scene.agency}
    given |= {"attached": list_attached(hold.kept.alert), "drill": frame.scene.drill, "last": False, "button": ""}
    if ready:
        given |= await will_release(visit, frame.scene)
    return visit.page("settle.html", status, hold=hold, ready=ready, **given)


async def is_ready(visit: Visit, conn: AsyncConnection, scene: Scene, hold: Hold) -> bool:
    """Whether the alert as it is can be released by whoever looks: it tells somebody, nobody whom it excludes, and is theirs to
    release. What an end of earlier warnings would end is chosen first."""
    alert = scene.alert
    extent = visit.hub.places.select(alert.areas)
    if alert.kind is Kind.CANCEL or extent.empty or not spares_all(alert, extent.problems, hold.problems):
        return False
    if scene.warning.expires_at <= visit.now or await author_of(conn, scene.warning.alert_id) == visit.actor:
        return False
    return await enlisted(visit, conn, scene) is not None


async def may_take(visit: Visit, scene: Scene) -> bool:
    """Whether it is held still, and can be released as it is."""
    async with visit.hub.store.read() as conn:
        hold = await find_hold(conn, scene.warning)
        return hold is not None and await is_ready(visit, conn, scene, hold)


def offer(visit: Visit, hold: Hold) -> dict[str, Any]:
    """What can be chosen: the part that can be placed, and the places there are."""
    places, alert = visit.hub.places, hold.kept.alert
    extent = places.select(alert.areas)
    rest = places.select(placeable_areas(alert, extent))
    gone = sorted(unplaced(extent.problems))
    known = [(code, places.names[number]) for code, number in zip(places.codes, places.ids, strict=True) if len(code) <= 12]
    return {
        "area": area_words(alert),
        "everywhere": len(extent.home),
        "rest": len(rest.home),
        "gone": [alert.areas[number].codes[place].value for number, place in gone],
        "known": known,
        "levels": [level.value for level in Level],
    }


async def send_attachment(visit: Visit) -> Response:
    """A file that came with a warning's alert, to be kept; 404 if there is none."""
    frame = await find_frame(visit, 0.2)
    assert frame.scene is not None
    async with visit.hub.store.read() as conn:
        kept = await find_kept(conn, frame.scene.warning.alert_id)
        most = visit.hub.settings.limits.max_bytes
        asked = number(visit.argument("number"))
        found = await read_attached(conn, kept, asked, most) if asked is not None else None
    if found is None:
        raise HTTPException(404, "there is no such attachment")
    return Response(found[1], media_type=found[0].mime, headers=found[0].headers)


async def do_settle(visit: Visit) -> Response:
    """The choice, and on to the page that says what a release will do; taken as it is, the release as well."""
    frame = await find_frame(visit, 0.0)
    assert frame.scene is not None
    form, scene = visit.form, frame.scene
    if form.get("version") != str(scene.warning.version):
        return await settle_page(visit, 409, say("settle.changed", visit.lang))
    at_once = form.get("then") == "release"
    how, why, level = "as_is" if at_once else form.get("how", ""), form.get("why", "").strip()[:500], form.get("level", "")
    if how not in HOWS or not why:
        return await settle_page(visit, 422, say("settle.no_reason" if how in HOWS else "settle.no_choice", visit.lang))
    if at_once and not await may_take(visit, scene):
        return await settle_page(visit, 409, say("settle.changed", visit.lang))
    if at_once and not scene.drill and form.get("checked") != "yes":
        return await settle_page(visit, 422, say("decide.unchecked", visit.lang))
    colour = Level(level) if level in {one.value for one in Level} else None
    choice = Choice(how, why, form.get("codes", "")[:2_000], form.get("ends", "")[:64], colour)
    try:
        if at_once:
            await visit.hub.desk.take(scene.warning.uid, visit.actor, Choice(how, why))
        else:
            await visit.hub.desk.settle(scene.warning.uid, visit.actor, choice)
    except Refusal as refusal:
        if refusal.status != 422:
            raise
        return await settle_page(visit, 422, refusal.title)
    return visit.go(f"/warnings/{scene.warning.uid}{'' if at_once else '/release'}")
