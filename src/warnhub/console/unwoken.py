"""The list of the not woken (未叫醒): who was called as often as policy says, and who goes to their door."""

from starlette.responses import Response

from warnhub.console.relief import find_named
from warnhub.console.sheets import Cell, Sheet, Table, Tile, dial_forms, show
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.roles import Role
from warnhub.store.answers import list_unwoken

CHIPS = {"done": "done", "covered": "done", "late": "late"}


async def show_unwoken(visit: Visit) -> Response:
    """The page."""
    warning, lang = await find_named(visit), visit.lang
    async with visit.hub.store.read() as conn:
        people = await list_unwoken(conn, warning.id)
    asleep = {one.recipient for one in people if one.state != "done"}
    sheet = Sheet(
        say("unwoken.title", lang),
        (f"/warnings/{warning.uid}", warning.headline),
        drill=warning.drill is not None,
        lead=say("unwoken.lead", lang),
    )
    sheet.tiles = [
        Tile(str(len(asleep)), say("unwoken.left", lang), say("unwoken.left.about", lang), "bad" if asleep else "good"),
        Tile(str(len({one.recipient for one in people})), say("unwoken.all", lang), say("unwoken.all.about", lang)),
    ]
    when = visit.console.words(lang)["when"]
    rows = [
        [
            Cell(one.name, Role(one.role).name_in(lang), f"/warnings/{warning.uid}/people/{one.recipient}"),
            Cell(one.place, one.town if one.town != one.place else ""),
            Cell(str(when(one.at))),
            Cell(
                one.visitor or say("unwoken.nobody", lang),
                forms=dial_forms(f"/warnings/{warning.uid}/people/{one.recipient}", lang) if visit.may("duty") else (),
            ),
            Cell(say(f"unwoken.visit.{one.visit or 'none'}", lang), chip=CHIPS.get(one.visit or "", "open")),
        ]
        for one in people
    ]
    heads = [say(key, lang) for key in ("col.person", "col.place", "unwoken.at", "unwoken.visitor", "col.state")]
    sheet.tables = [Table(say("unwoken.title", lang), heads, rows, "", say("unwoken.none", lang))]
    return show(visit, sheet)


ROUTES = (("GET", "/warnings/{uid}/unwoken", "viewer", show_unwoken),)
