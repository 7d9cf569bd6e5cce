"""Holding a warning still, letting it go on, saying it again: each behind a page that says whom it touches."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from warnhub.console.details import find_frame, number
from warnhub.console.pace import seconds_left
from warnhub.console.scene import Scene
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.feedback.steering import Unfit
from warnhub.port import Speaks
from warnhub.store.answers import list_asked
from warnhub.store.pauses import find_pause

ACTS = ("pause", "resume", "resend")
MOST_WHY = 500


def named_act(visit: Visit) -> str:
    """The act the path ends with."""
    return visit.path.rpartition("/")[2]


async def find_living(visit: Visit) -> Scene:
    """The warning, if it can be steered."""
    scene = (await find_frame(visit, 0.0)).scene
    assert scene is not None
    if scene.warning.state != "released" or scene.warning.kind == "cancel":
        raise HTTPException(409, "only a warning that lives can be steered")
    return scene


async def ask_steer(visit: Visit) -> Response:
    """Before an act."""
    return await steer_page(visit, await find_living(visit))


async def steer_page(visit: Visit, scene: Scene, status: int = 200, trouble: str = "") -> Response:
    """The page before an act, with what went wrong before."""
    act, lang = named_act(visit), visit.lang
    village = number(visit.form.get("village", "") or visit.request.query_params.get("village", ""))
    async with visit.hub.store.read() as conn:
        asked = await list_asked(conn, scene.warning.id, most=10_000, village=village)
        pause = await find_pause(conn, scene.warning.id)
    open_ = [one for one in asked if one.state in {"open", "late"}]
    if (act == "resume") != (pause is not None) and act != "resend":
        raise HTTPException(409, "this warning is not held still" if act == "resume" else "this warning is held still already")
    numbers = {
        "n": f"{len(open_):,}",
        "left": f"{scene.summary.people.remaining:,}",
        "place": visit.hub.places.names.get(village or 0, ""),
    }
    keys = [f"will.{act}"] + ([f"will.{act}.village"] if act == "resend" and village else [])
    return visit.page(
        "steer.html",
        status,
        act=act,
        scene=scene,
        warning=scene.warning,
        agency=scene.agency,
        drill=scene.drill,
        will=[say(key, lang, **numbers) for key in keys],
        people=open_[:30] if act == "resend" else [],
        more=max(0, len(open_) - 30),
        village=village,
        trouble=trouble,
        pause=pause,
        left=seconds_left(scene.summary, visit.hub.providers),
    )


async def do_steer(visit: Visit) -> Response:
    """The act."""
    scene, act, why = await find_living(visit), named_act(visit), visit.form.get("why", "").strip()
    if visit.form.get("version") != str(scene.warning.version):
        return await steer_page(visit, scene, 409, "changed")
    if act == "pause" and not why:
        return await steer_page(visit, scene, 422, "no_reason")
    steering, uid = visit.hub.steering, scene.warning.uid
    try:
        if act == "pause":
            await steering.pause(uid, visit.actor, why[:MOST_WHY])
        elif act == "resume":
            await steering.resume(uid, visit.actor)
        else:
            await steering.resend(uid, visit.actor, number(visit.form.get("village", "")))
    except Unfit as error:
        raise HTTPException(409, str(error)) from error
    return visit.go(f"/warnings/{uid}")


async def show_speech(visit: Visit) -> Response:
    """What the loudspeakers say, as they say it; 404 where no voice is configured or nothing is said aloud."""
    scene = (await find_frame(visit, 5.0)).scene
    assert scene is not None
    book = visit.hub.wordbook
    story = await book.story(scene.warning.id)
    for provider in visit.hub.providers.values():
        adapter: Any = provider.adapter
        if isinstance(adapter, Speaks):
            words = book.words(story, provider.channel, "speaker", "zh-CN").text
            path = await adapter.speech(words)
            if path is not None:
                return FileResponse(path, media_type="audio/wav")
    raise HTTPException(404, "there is no recording")
