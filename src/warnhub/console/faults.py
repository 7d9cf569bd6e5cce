"""Why messages of a warning failed, in plain words, and the people behind each reason."""

from starlette.responses import Response

from warnhub.console.details import find_frame
from warnhub.console.people import reason_words
from warnhub.console.visit import Visit
from warnhub.store.losses import PAGE, count_faults, list_victims


async def show_faults(visit: Visit) -> Response:
    """The page: every code, or with `?provider=&code=` the people behind one."""
    scene = (await find_frame(visit, 1.0)).scene
    assert scene is not None
    query = visit.request.query_params
    provider, code, after = query.get("provider", ""), query.get("code", ""), query.get("after", "")
    async with visit.hub.store.read() as conn:
        faults = await count_faults(conn, scene.warning.id)
        start = int(after) if after.isdecimal() and len(after) < 19 else 0
        people = await list_victims(conn, scene.warning.id, provider, code, start) if provider else []
    following = ""
    if len(people) > PAGE:
        following = visit.here(after=str(people[PAGE - 1].recipient))
    return visit.page(
        "faults.html",
        scene=scene,
        warning=scene.warning,
        drill=scene.drill,
        faults=faults,
        people=people[:PAGE],
        following=following,
        chosen=(provider, code),
        plain_words=lambda reason: reason_words(reason, visit.lang),
    )
