"""Decisions about a warning, each behind a page that says in words and numbers what will happen."""

from typing import Any

from sqlalchemy import select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.console.checks import replaced_by, run_checks
from warnhub.console.details import enlisted, find_frame, preview_words
from warnhub.console.scene import Scene
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.port import Speaks
from warnhub.publish.attached import list_attached
from warnhub.store import tables
from warnhub.store.overview import held_reasons, list_approvals

FITTING = {"release": "pending", "reject": "pending", "cancel": "released"}


async def ask_release(visit: Visit) -> Response:
    """Before a release."""
    return await ask(visit, "release")


async def ask_reject(visit: Visit) -> Response:
    """Before a rejection."""
    return await ask(visit, "reject")


async def ask_cancel(visit: Visit) -> Response:
    """Before a cancellation."""
    return await ask(visit, "cancel")


async def ask(visit: Visit, act: str, status: int = 200, trouble: str = "") -> Response:
    """The page before an act; 409 where the warning has gone on meanwhile."""
    scene = (await find_frame(visit, 0.0)).scene
    assert scene is not None
    if scene.warning.state != FITTING[act]:
        raise HTTPException(409, f"this warning is {scene.warning.state}")
    given = await (will_release(visit, scene) if act == "release" else will_end(visit, scene, act))
    shown = {"warning": scene.warning, "agency": scene.agency, "drill": scene.drill, "why": visit.form.get("why", "")}
    return visit.page("decide.html", status, act=act, trouble=trouble, **shown, **given)


async def will_release(visit: Visit, scene: Scene) -> dict[str, Any]:
    """What a release does: nothing yet if another officer is needed, else all this, at once."""
    warning, lang = scene.warning, visit.lang
    async with visit.hub.store.read() as conn:
        ready = await enlisted(visit, conn, scene)
        if ready is None:
            raise HTTPException(409, "a drill needs a list of participants")
        approvals = [one for one in await list_approvals(conn, warning.id) if one.actor != visit.actor]
    forecast = await visit.console.forecasts.make(ready)
    async with visit.hub.store.read() as conn:
        checks = await run_checks(visit, conn, scene, forecast)
        replaced = await replaced_by(visit, conn, scene)
        reasons = await held_reasons(conn, warning.id)
        problems = await conn.scalar(select(tables.alert.c.problems).where(tables.alert.c.id == warning.alert_id))
        sheet = await visit.console.atlas.draw(conn, scene.alert)
    need = max(1, warning.approvals)
    last = len(approvals) + 1 >= need
    numbers = {"people": f"{forecast.people:,}", "devices": f"{forecast.devices:,}", "asked": f"{forecast.asked:,}"}
    numbers |= {"towns": str(forecast.towns), "villages": str(forecast.villages), "need": str(need - len(approvals) - 1)}
    kind = "drill" if scene.drill else "real"
    sentences = [f"will.release.{kind}" if last else f"will.agree.{kind}"]
    if last and forecast.asked:
        sentences.append("will.asked")
    if last and replaced:
        sentences.append("will.replaces")
    if last:
        sentences.append(f"will.back.{kind}")
    numbers["headline"] = "、".join(one.headline for one in replaced)
    button = f"button.release.{kind}" if last else "button.agree"
    return {
        "will": [say(key, lang, **numbers) for key in sentences],
        "button": say(button, lang, **numbers),
        "last": last,
        "forecast": forecast,
        "checks": checks,
        "sheet": sheet,
        "told": 0,
        "scene": scene,
        "alert": scene.alert,
        "previews": await preview_words(visit, scene),
        "problems": problems,
        "attached": list_attached(scene.alert),
        "reasons": reasons,
        "agreed": approvals,
        "speaks": any(isinstance(provider.adapter, Speaks) for provider in visit.hub.providers.values()),
        "currency": visit.hub.settings.county.currency,
    }


async def will_end(visit: Visit, scene: Scene, act: str) -> dict[str, Any]:
    """What a rejection or a cancellation does."""
    people, lang = scene.summary.people, visit.lang
    told = people.accepted + people.unknown
    kind = "clear" if scene.warning.kind == "cancel" else "drill" if scene.drill else "real"
    numbers = {"told": f"{told:,}", "left": f"{people.remaining:,}"}
    keys = ["will.reject"] if act == "reject" else ["will.cancel", f"will.cancel.{kind}"]
    return {
        "will": [say(key, lang, **numbers) for key in keys],
        "button": say("button.reject" if act == "reject" else f"button.cancel.{kind}", lang),
        "last": True,
        "forecast": None,
        "told": told,
    }


async def do_release(visit: Visit) -> Response:
    """One officer's yes."""
    scene = await unchanged(visit)
    if scene is None:
        return await ask(visit, "release", 409, "changed")
    if not scene.drill and visit.form.get("checked") != "yes":
        return await ask(visit, "release", 422, "unchecked")
    await visit.hub.desk.release(scene.warning.uid, visit.actor)
    return visit.go(f"/warnings/{scene.warning.uid}")


async def do_reject(visit: Visit) -> Response:
    """It does not leave."""
    scene, why = await unchanged(visit), visit.form.get("why", "").strip()
    if scene is None or not why:
        return await ask(visit, "reject", 409 if why else 422, "changed" if why else "no_reason")
    await visit.hub.desk.reject(scene.warning.uid, visit.actor, why[:500])
    return visit.go(f"/warnings/{scene.warning.uid}")


async def do_cancel(visit: Visit) -> Response:
    """It stops now."""
    scene, why = await unchanged(visit), visit.form.get("why", "").strip()
    if scene is None or not why:
        return await ask(visit, "cancel", 409 if why else 422, "changed" if why else "no_reason")
    all_clear = visit.form.get("all_clear") == "yes"
    await visit.hub.desk.cancel(scene.warning.uid, visit.actor, why[:500], all_clear)
    return visit.go(f"/warnings/{scene.warning.uid}")


async def unchanged(visit: Visit) -> Scene | None:
    """The warning, if it still is what the page said it was."""
    scene = (await find_frame(visit, 0.0)).scene
    assert scene is not None
    return scene if visit.form.get("version") == str(scene.warning.version) else None
