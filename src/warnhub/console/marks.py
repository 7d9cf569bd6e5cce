"""A warning's figures with their definitions beside them, and the suggestions that the last warnings left."""

from typing import Any

import orjson
from starlette.responses import Response

from warnhub.console import figures
from warnhub.console.relief import find_named
from warnhub.console.scene import channel_name
from warnhub.console.sheets import Act, Cell, Field, Sheet, Table, Tile, number, show
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.response.figures import DEFINITIONS, confirm_times, warning_sums
from warnhub.response.lessons import decide_lesson, keep_lessons, learn, list_lessons
from warnhub.roles import Role

KINDS = ("all", "role", "channel", "town")


def defined(name: str, lang: str) -> str:
    """An indicator's definition."""
    return DEFINITIONS[name][0 if lang == "zh" else 1]


async def show_figures(visit: Visit) -> Response:
    """The figures of one warning."""
    warning, lang = await find_named(visit), visit.lang
    async with visit.hub.store.read() as conn:
        sums, groups = await warning_sums(conn, warning.id), await confirm_times(conn, warning.id)
    sheet = Sheet(say("marks.title", lang), (f"/warnings/{warning.uid}", warning.headline), drill=warning.drill is not None)
    parts = {
        "coverage": (sums.delivered, sums.targets),
        "reach": (sums.delivered, sums.accepted),
        "confirm": (sums.in_time, sums.asked),
        "doors": (sums.closed, sums.doors),
        "tasks": (sums.tasks - sums.overdue, sums.tasks),
    }
    sheet.tiles = [
        Tile(figures.percent(*part), say(f"marks.{name}", lang), defined(name, lang)) for name, part in parts.items()
    ]
    median = sums.rates()["median"]
    shown = figures.span(round(median), lang) if median is not None else "–"
    sheet.tiles.append(Tile(shown, say("marks.median", lang), defined("median", lang)))
    heads = [
        say(key, lang)
        for key in ("marks.group", "marks.asked", "col.confirmed", "marks.first", "marks.p50", "marks.p95", "marks.p100")
    ]
    rows = [
        [Cell(group_name(one, lang)), number(one.asked), number(one.confirmed)]
        + [number(figures.span(round(at), lang) if at is not None else "–") for at in one.times.values()]
        for one in sorted(groups, key=lambda one: (KINDS.index(one.kind), -one.asked))
    ]
    sheet.tables = [Table(say("marks.times", lang), heads, rows, say("marks.times.about", lang))]
    return show(visit, sheet)


def group_name(one: Any, lang: str) -> str:
    """A group in words."""
    if one.kind == "role":
        return Role(one.name).name_in(lang)
    if one.kind == "channel":
        return channel_name(one.name, lambda key: say(key, lang))
    return one.name or say("marks.everybody", lang)


async def show_lessons(visit: Visit) -> Response:
    """What the last warnings teach."""
    lang = visit.lang
    async with visit.hub.store.read() as conn:
        lessons = await learn(conn)
    async with visit.hub.store.write() as tx:
        await keep_lessons(tx, lessons)
    async with visit.hub.store.read() as conn:
        rows = await list_lessons(conn)
    sheet = Sheet(say("lessons.title", lang), lead=say("lessons.lead", lang))
    heads = [say(key, lang) for key in ("lessons.what", "lessons.rests", "col.state", "col.actor")]
    cells = [
        [
            Cell(f"{row.id}. {say(f'lessons.{row.kind}', lang)}"),
            Cell(words_of(row.data)),
            Cell(say(f"lessons.{row.state}", lang), chip="pending" if row.state == "open" else ""),
            Cell(row.actor or ""),
        ]
        for row in rows
    ]
    sheet.tables = [Table(say("lessons.title", lang), heads, cells)]
    waiting = {str(row.id): f"{row.id}. {say(f'lessons.{row.kind}', lang)}" for row in rows if row.state == "open"}
    if waiting and visit.may("duty"):
        choice = Field("id", say("lessons.what", lang), options=waiting, needed=True)
        yes = Act(say("lessons.accept", lang), "/lessons/accept", [choice], say("lessons.accept.note", lang), "primary")
        sheet.acts = [yes, Act(say("lessons.dismiss", lang), "/lessons/dismiss", [choice])]
    return show(visit, sheet)


def words_of(data: Any) -> str:
    """What a suggestion rests on."""
    found = data if isinstance(data, dict) else orjson.loads(data)
    parts = [f"{name} {value}" for name, value in found.items() if not isinstance(value, list)]
    parts += [f"{one['channel']} {one['share']:.0%}/{one['told']}" for one in found.get("order", [])]
    return " · ".join(parts)


async def decide(visit: Visit, state: str) -> Response:
    """A person's yes or no."""
    given = visit.form.get("id", "")
    async with visit.hub.store.write() as tx:
        await decide_lesson(tx, int(given) if given.isdecimal() and len(given) < 15 else 0, state, visit.actor)
    return visit.go("/lessons")


async def accept(visit: Visit) -> Response:
    """The county will do it."""
    return await decide(visit, "accepted")


async def dismiss(visit: Visit) -> Response:
    """It is not followed."""
    return await decide(visit, "dismissed")


ROUTES = (
    ("GET", "/warnings/{uid}/figures", "viewer", show_figures),
    ("GET", "/lessons", "duty", show_lessons),
    ("POST", "/lessons/accept", "duty", accept),
    ("POST", "/lessons/dismiss", "duty", dismiss),
)
