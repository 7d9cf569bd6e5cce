"""One warning: its course, those who have not answered, and the words that were sent."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.alert import Alert
from warnhub.console.scene import PAGE, Frame, Row, Scene, undelivered
from warnhub.console.visit import Visit
from warnhub.monitor.summary import read_places
from warnhub.plan.assess import DRILLED
from warnhub.plan.segments import billed_segments
from warnhub.port import CODE, LINK, Speaks
from warnhub.publish.attached import list_attached
from warnhub.store import tables
from warnhub.store.answers import Asked, count_tellings, list_asked
from warnhub.store.holds import find_hold
from warnhub.store.overview import held_reasons, list_approvals, next_warning
from warnhub.store.warnings import Warning

SHOWN = (
    *(("sms", "resident"), ("sms", "gridworker"), ("wechat", "village_head"), ("push", "resident"), ("voice", "gridworker")),
    *(("loudspeaker", "speaker"), ("loudspeaker", "display")),
)


@dataclass(frozen=True, slots=True)
class Preview:
    """What one role gets on one channel. `parts`: billed short messages, 0 where it is none."""

    channel: str
    role: str
    text: str
    parts: int


async def find_frame(visit: Visit, fresh: float) -> Frame:
    """The warning the path names; 404 if there is none."""
    frame = await visit.console.scenes.look(visit.argument("uid"), fresh)
    if frame is None:
        raise HTTPException(404, "there is no such warning")
    return frame


async def show_warning(visit: Visit) -> Response:
    """The page."""
    frame = await find_frame(visit, 0.2)
    scene = frame.scene
    assert scene is not None
    async with visit.hub.store.read() as conn:
        given = await read_page(visit, conn, scene) | await read_waiting(visit, conn, scene)
        given["newer"] = await next_warning(conn, scene.warning.id)
        given["problems"] = await conn.scalar(
            tables.alert.select().with_only_columns(tables.alert.c.problems).where(tables.alert.c.id == scene.warning.alert_id)
        )
    given["previews"] = await preview_words(visit, scene)
    given["attached"] = list_attached(scene.alert)
    given["placed"] = number(visit.request.query_params.get("place", ""))
    given["speaks"] = any(isinstance(provider.adapter, Speaks) for provider in visit.hub.providers.values())
    given["villages"] = await village_rows(visit, scene, given["placed"])
    given |= await visit.console.scenes.pictures(visit.console, frame, given["placed"])
    return visit.page("warning.html", **shared(visit.may("duty"), scene), **given)


async def village_rows(visit: Visit, scene: Scene, place: int | None) -> list[Row]:
    """The funnel of each village of a township, or of one village; who belongs to none stands under the township's name."""
    places = visit.hub.places
    if place is None or places.levels.get(place) not in {9, 12}:
        return []
    async with visit.hub.store.read() as conn:
        parts = await read_places(conn, scene.warning.id, places, place)
    return [Row(one.name, "", one.funnel, f"?village={one.key}#asked") for one in sorted(parts, key=undelivered)]


def shared(acts: bool, scene: Scene) -> dict[str, Any]:
    """What every part of the page is drawn from."""
    return {
        "scene": scene,
        "acts": acts,
        "alert": scene.alert,
        "agency": scene.agency,
        "area": area_words(scene.alert),
        "asked_open": scene.left,
        "pause": scene.pause,
        "left": scene.seconds,
    }


def area_words(alert: Alert) -> str:
    """The areas' names; their codes where they have none."""
    named = [area.name or " ".join(code.value for code in area.codes[:5]) for area in alert.areas]
    words = "、".join(name for name in named if name)
    return words if len(words) <= 120 else words[:119] + "…"


async def read_page(visit: Visit, conn: AsyncConnection, scene: Scene) -> dict[str, Any]:
    """A page of those who have not confirmed: `?after=deadline.task`, `?village=area`."""
    asked_for = visit.request.query_params
    due, _, task = asked_for.get("after", "").partition(".")
    village = number(asked_for.get("village", ""))
    if not due and not village:
        return first_page(scene)
    after = number(due) or 0, number(task) or 0
    asked = await list_asked(conn, scene.warning.id, after, PAGE + 1, village)
    tellings = await count_tellings(conn, scene.warning.id, [one.recipient for one in asked])
    place = visit.hub.places.names.get(village or 0, "")
    return page_of(asked, tellings) | {"first": False, "village": village, "place": place}


def first_page(scene: Scene) -> dict[str, Any]:
    """The page that is kept up to date."""
    return page_of(scene.asked, scene.tellings) | {"first": True, "village": None, "place": ""}


def page_of(asked: list[Asked], tellings: dict[int, int]) -> dict[str, Any]:
    """One page and where the next begins, "" if there is none."""
    last = asked[PAGE - 1] if len(asked) > PAGE else None
    following = f"{last.due_at}.{last.task}" if last else ""
    return {"asked": asked[:PAGE], "tellings": tellings, "following": following}


def number(text: str) -> int | None:
    """A number from an address; None for anything else."""
    return int(text) if text.isdecimal() and len(text) < 19 else None


async def read_waiting(visit: Visit, conn: AsyncConnection, scene: Scene) -> dict[str, Any]:
    """Why it waits, who has agreed, and what releasing it would do."""
    if scene.warning.state != "pending":
        return {}
    approvals = await list_approvals(conn, scene.warning.id)
    ready = await enlisted(visit, conn, scene)
    return {
        "reasons": await held_reasons(conn, scene.warning.id),
        "approvals": approvals,
        "mine": any(approval.actor == visit.actor for approval in approvals),
        "listless": ready is None,
        "hold": await find_hold(conn, scene.warning) is not None,
        "forecast": await visit.console.forecasts.make(ready) if ready else None,
        "currency": visit.hub.settings.county.currency,
    }


async def enlisted(visit: Visit, conn: AsyncConnection, scene: Scene) -> Warning | None:
    """The warning as its release would find it: a drill with the list it has, or that was made for it since; None where there
    is none, and it cannot be released."""
    if scene.warning.drill is not None or scene.alert.status not in DRILLED:
        return scene.warning
    found = await visit.hub.desk.drill_list(conn, scene.alert)
    return replace(scene.warning, drill=found) if found else None


async def preview_words(visit: Visit, scene: Scene) -> list[Preview]:
    """What the main audiences get, word for word; a link stands as its place."""
    book = visit.hub.wordbook
    story = await book.story(scene.warning.id)
    usable = {provider.channel for provider in visit.hub.providers.values()}
    previews = []
    for channel, role in SHOWN:
        rule = next((rule for name, rule in story.rules.items() if name == role), None)
        if rule is None or channel not in rule.channels or channel not in usable:
            continue
        words = book.words(story, channel, role, "zh-CN").text
        parts = billed_segments(words.replace(LINK, "x" * 40).replace(CODE, "0000")).count if channel == "sms" else 0
        previews.append(
            Preview(channel, role, words.replace(LINK, f"{visit.hub.settings.public_url}/a/…").replace(CODE, "····"), parts)
        )
    return previews
