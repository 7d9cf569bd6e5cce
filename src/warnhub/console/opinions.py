"""What experts said of a warning, with how similar ones went beside it (会商研判意见)."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.console.relief import find_named
from warnhub.console.sheets import Act, Cell, Field, Sheet, Table, number, show
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.console.works import moment
from warnhub.store.opinions import Kind, add_opinion, list_opinions
from warnhub.store.proposals import similar_to

LONGEST, NAME = 500, 60


def opinion_table(visit: Visit, rows: list[Any]) -> Table:
    """Every opinion, with whose it is and who wrote it down."""
    lang = visit.lang
    heads = [say(key, lang) for key in ("opinion.expert", "opinion.text", "col.actor", "col.at")]
    cells = [
        [Cell(row.expert), Cell(row.text), Cell(row.actor.partition(":")[2] or row.actor), Cell(moment(visit, row.at))]
        for row in rows
    ]
    return Table(say("opinion.title", lang), heads, cells, say("opinion.about", lang), say("opinion.none", lang))


def opinion_act(visit: Visit, path: str, folded: bool = False) -> Act:
    """The form that adds one; below the tables where another decision stands first."""
    lang = visit.lang
    fields = [
        Field("expert", say("opinion.expert", lang), needed=True),
        Field("text", say("opinion.text", lang), needed=True),
    ]
    title = say("opinion.add", lang) if folded else ""
    return Act(say("opinion.add", lang), path, fields, kind="" if folded else "primary", title=title)


def case_table(visit: Visit, cases: list[Any]) -> Table:
    """How it went before."""
    lang = visit.lang
    rows = [
        [
            Cell(case.headline, "", f"/warnings/{case.uid}"),
            Cell(moment(visit, case.released_at)),
            number(f"{case.confirmed}/{case.asked}"),
            number(int(case.moved)),
        ]
        for case in cases
    ]
    heads = [say(key, lang) for key in ("col.warning", "col.at", "col.confirmed", "doors.moved")]
    return Table(say("watch.cases", lang), heads, rows)


async def keep_opinion(visit: Visit, kind: Kind, subject: str) -> None:
    """Keep what was posted; 422 without a name or without words."""
    expert = " ".join(visit.form.get("expert", "").split())[:NAME]
    said = " ".join(visit.form.get("text", "").split())[:LONGEST]
    if len(expert) < 2 or len(said) < 2:
        raise HTTPException(422, "an expert's name and their opinion are needed")
    async with visit.hub.store.write() as tx:
        await add_opinion(tx, kind, subject, expert, said, visit.actor)


async def show_opinions(visit: Visit) -> Response:
    """A warning's."""
    warning, lang = await find_named(visit), visit.lang
    async with visit.hub.store.read() as conn:
        rows = await list_opinions(conn, "warning", warning.uid)
        cases = await similar_to(conn, warning.id)
    back = (f"/warnings/{warning.uid}", warning.headline)
    sheet = Sheet(say("opinion.title", lang), back, drill=warning.drill is not None, lead=say("opinion.lead", lang))
    if visit.may("duty"):
        sheet.acts = [opinion_act(visit, f"/warnings/{warning.uid}/opinions")]
    sheet.tables = [opinion_table(visit, rows), case_table(visit, cases)]
    return show(visit, sheet)


async def add(visit: Visit) -> Response:
    """One more."""
    warning = await find_named(visit)
    await keep_opinion(visit, "warning", warning.uid)
    return visit.go(f"/warnings/{warning.uid}/opinions")


ROUTES = (
    ("GET", "/warnings/{uid}/opinions", "viewer", show_opinions),
    ("POST", "/warnings/{uid}/opinions", "duty", add),
)
