"""The desk's view of doors: how many of a warning's households have been reached, by township, knocker and shelter."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.console import figures
from warnhub.console.sheets import Cell, Sheet, Table, Tile, number, show
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.response.action import Count, count_doors
from warnhub.roles import Role
from warnhub.store.doors import list_workers, shelter_heads
from warnhub.store.warnings import Warning, find_warning


async def find_named(visit: Visit) -> Warning:
    """The warning the path names; 404 if there is none."""
    async with visit.hub.store.read() as conn:
        found = await find_warning(conn, visit.argument("uid"))
    if found is None:
        raise HTTPException(404, "there is no such warning")
    return found


async def show_doors(visit: Visit) -> Response:
    """The page."""
    warning, lang = await find_named(visit), visit.lang
    async with visit.hub.store.read() as conn:
        whole, towns = await count_doors(conn, warning.id)
        workers, shelters = await list_workers(conn, warning.id), await shelter_heads(conn, warning.id)
    state = "doors.closed" if whole.doors and whole.closed == whole.doors else "doors.running"
    sheet = Sheet(
        say("doors.title", lang),
        (f"/warnings/{warning.uid}", warning.headline),
        drill=warning.drill is not None,
        lead=say(state, lang, left=whole.doors - whole.closed),
        tiles=door_tiles(whole, lang),
    )
    heads = [say(key, lang) for key in ("col.town", "doors.all", "doors.reached", "doors.moved", "doors.left", "doors.help")]
    rows = [
        [Cell(one.name), *map(number, (one.doors, one.reached, one.moved, one.doors - one.closed, one.help))] for one in towns
    ]
    sheet.tables.append(Table(say("towns", lang), heads, rows, say("doors.about", lang)))
    sheet.tables.append(worker_table(visit, workers))
    heads = [say(key, lang) for key in ("shelter.name", "col.place", "shelter.heads", "shelter.capacity", "shelter.way")]
    beds = [
        [
            Cell(one.name),
            Cell(one.area),
            number(one.heads, overfull(one.heads, one.capacity, lang)),
            number(one.capacity),
            Cell(one.way),
        ]
        for one in shelters
    ]
    sheet.tables.append(Table(say("shelter.title", lang), heads, beds, say("shelter.about", lang)))
    return show(visit, sheet)


def door_tiles(whole: Count, lang: str) -> list[Tile]:
    """The figures of all doors, each with how it is counted."""
    left = whole.doors - whole.closed
    return [
        Tile(f"{whole.doors:,}", say("doors.all", lang), say("doors.all.about", lang)),
        Tile(figures.percent(whole.settled, whole.doors), say("doors.rate", lang), say("doors.rate.about", lang), "good"),
        Tile(f"{whole.people_moved:,}", say("doors.people", lang), say("doors.people.about", lang)),
        Tile(f"{left:,}", say("doors.left", lang), say("doors.left.about", lang), "warn" if left else ""),
        Tile(f"{whole.help:,}", say("doors.help", lang), "", "bad" if whole.help else ""),
    ]


def overfull(heads: int, capacity: int, lang: str) -> str:
    """A word where more people were brought than there is room for."""
    return say("shelter.over", lang) if heads > capacity else ""


def worker_table(visit: Visit, workers: list[Any]) -> Table:
    """Who knocks, the furthest behind first."""
    lang, rows = visit.lang, []
    for one in workers:
        closed = one.closed_at and one.done == one.doors
        rows.append(
            [
                Cell(one.name or say("doors.nobody", lang), Role(one.role).name_in(lang) if one.role else ""),
                Cell(one.place or one.town),
                number(f"{one.done}/{one.doors}"),
                number(int(one.help)),
                Cell(say("doors.list.closed" if closed else "doors.list.open", lang), chip="done" if closed else "open"),
            ]
        )
    heads = [say(key, lang) for key in ("col.person", "col.place", "doors.done", "doors.help", "col.state")]
    return Table(say("doors.workers", lang), heads, rows, say("doors.workers.about", lang))


ROUTES = (("GET", "/warnings/{uid}/doors", "viewer", show_doors),)
