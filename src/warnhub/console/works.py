"""The desk's pages of hazard points, plans in their course, and what everybody has to do."""

import asyncio
from typing import Any

from sqlalchemy import text
from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.console.relief import find_named
from warnhub.console.sheets import Act, Cell, Field, Sheet, Table, Tile, number, show
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.desk import Refusal
from warnhub.response.photo import MEDIA, Unusable, clean_photo
from warnhub.response.runs import find_run, list_runs
from warnhub.roles import Role
from warnhub.store.assignments import POINTS, count_assignments, list_of_points, list_of_run, list_of_warning
from warnhub.store.audits import add_audit
from warnhub.store.photos import add_photo, find_photo, list_photos
from warnhub.store.points import MOVES, OPEN, Point, Step, find_points, list_moves, list_points, move_point

CLOSED = {"closed": "done"}
POINT_HEADS = ("point.name", "col.place", "point.people", "col.state", "col.due", "point.recheck", "point.asked")
CHIPS = {"open": "pending", "late": "late", "done": "done", "closed": ""}


def moment(visit: Visit, at: int | None) -> str:
    """A time as the page's reader writes it; – for none."""
    return str(visit.console.words(visit.lang)["when"](at)) if at is not None else "–"


async def show_points(visit: Visit) -> Response:
    """Every hazard point: what is not put right, by deadline, first."""
    lang = visit.lang
    async with visit.hub.store.read() as conn:
        points, now = await list_points(conn), await visit.hub.store.now(conn)
        asked = {row.point_id: row for row in await list_of_points(conn)}
    late = [one for one in points if one.state in OPEN and one.due_at is not None and one.due_at < now]
    again = [one for one in points if one.recheck_at is not None and one.recheck_at < now]
    heads = [say(key, lang) for key in POINT_HEADS]
    rows = [
        [
            Cell(one.name, say(f"point.kind.{one.kind}", lang), f"/points/{one.ref}"),
            Cell(one.area, one.town if one.town != one.area else ""),
            number(one.people),
            Cell(
                say(f"point.state.{one.state}", lang),
                chip="late" if one in late else "done" if one.state == "closed" else "open",
            ),
            Cell(moment(visit, one.due_at) if one.state in OPEN else "–"),
            Cell(moment(visit, one.recheck_at), say("late", lang) if one in again else ""),
            asked_cell(visit, asked.get(one.id)),
        ]
        for one in points
    ]
    sheet = Sheet(say("point.title", lang), lead=say("point.lead", lang))
    sheet.tiles = [
        Tile(f"{len(points):,}", say("point.all", lang)),
        Tile(f"{sum(one.state in OPEN for one in points):,}", say("point.open", lang), say("point.open.about", lang)),
        Tile(f"{len(late):,}", say("point.late", lang), say("point.late.about", lang), "bad" if late else ""),
        Tile(f"{sum(one.people for one in points):,}", say("point.people", lang)),
    ]
    sheet.tables = [Table(say("point.title", lang), heads, rows)]
    return show(visit, sheet)


def asked_cell(visit: Visit, row: Any | None) -> Cell:
    """Who is asked because of a point's dates, and until when."""
    if row is None:
        return Cell("–")
    until = say("task.until", visit.lang, at=moment(visit, row.due_at))
    return Cell(row.owner or Role(row.role).name_in(visit.lang), until, chip="late" if row.state == "late" else "open")


async def named_point(visit: Visit) -> Point:
    """The point the path names; 404 if there is none."""
    async with visit.hub.store.read() as conn:
        found = await find_points(conn, [visit.argument("ref")])
    if not found:
        raise HTTPException(404, "there is no such point")
    return found[visit.argument("ref")]


async def show_point(visit: Visit, trouble: str = "", status: int = 200) -> Response:
    """One point, its steps, and the next one."""
    one, lang = await named_point(visit), visit.lang
    async with visit.hub.store.read() as conn:
        moves = await list_moves(conn, one.id)
        photos = await list_photos(conn, "point", [one.id])
        asked = await list_of_points(conn, 50, one.id)
    rows = [
        [Cell(moment(visit, row.at)), Cell(say(f"point.state.{row.state}", lang)), Cell(row.note), Cell(row.actor)]
        for row in moves
    ]
    heads = [say(key, lang) for key in ("col.at", "col.state", "col.note", "col.actor")]
    sheet = Sheet(
        f"{one.name} · {say(f'point.state.{one.state}', lang)}", ("/points", say("point.title", lang)), trouble=trouble
    )
    sheet.lead = say(
        "point.facts", lang, area=one.area, people=one.people, way=one.way or "–", keepers="、".join(one.keepers) or "–"
    )
    if visit.may("duty"):
        options = {
            state: say("point.same" if state == one.state else f"point.state.{state}", lang) for state in MOVES[one.state]
        }
        fields = [
            Field("state", say("point.next", lang), options=options, needed=True),
            Field("note", say("col.note", lang), needed=True),
        ]
        fields.append(Field("photo", say("photo.field", lang), kind="file"))
        shown = Field("note", say("col.note", lang)), Field("photo", say("photo.field", lang), needed=True, kind="file")
        sheet.acts = [
            Act(say("point.move", lang), f"/points/{one.ref}", fields, kind="primary"),
            Act(say("photo.add", lang), f"/points/{one.ref}/photos", shown, say("photo.about", lang)),
        ]
    sheet.tables = [Table(say("point.moves", lang), heads, rows)]
    if asked:
        sheet.tables.append(assignment_table(visit, asked, say("point.asked", lang), about="point.asked.about"))
    if photos and visit.may("duty"):
        sheet.tables.append(photo_table(visit, photos, f"/points/{one.ref}"))
    return show(visit, sheet, status)


def photo_table(visit: Visit, photos: list[Any], path: str) -> Table:
    """Photographs, the newest first."""
    lang = visit.lang
    heads = [say(key, lang) for key in ("photo.title", "col.note", "col.actor", "col.at")]
    rows = [
        [
            Cell(say("photo.open", lang, size=max(1, int(row.size) // 1_000)), "", f"{path}/photos/{row.id}"),
            Cell(row.note),
            Cell(row.actor.partition(":")[2] or row.actor),
            Cell(moment(visit, row.at)),
        ]
        for row in photos
    ]
    return Table(say("photo.title", lang), heads, rows)


def photo_number(visit: Visit) -> int:
    """Which photograph the path names; 0 for none."""
    given = visit.argument("photo")
    return int(given) if given.isdecimal() and len(given) < 16 else 0


def photo_answer(body: bytes | None) -> Response:
    """A photograph; 404 if there is none."""
    if body is None:
        raise HTTPException(404, "there is no such photograph")
    return Response(body, media_type=MEDIA, headers={"cache-control": "private, no-store"})


async def clean(visit: Visit) -> bytes:
    """The photograph that was posted, made anew without what the camera wrote in; b"" for none. 422 for what is none."""
    if not visit.photo:
        return b""
    try:
        return (await asyncio.to_thread(clean_photo, visit.photo)).body
    except Unusable as error:
        raise HTTPException(422, str(error)) from None


async def add_picture(visit: Visit) -> Response:
    """A photograph of a point."""
    one, body = await named_point(visit), await clean(visit)
    if not body:
        return await show_point(visit, say("photo.none", visit.lang), 422)
    async with visit.hub.store.write() as tx:
        await add_photo(tx, "point", one.id, body, " ".join(visit.form.get("note", "").split())[:120], visit.actor)
        await add_audit(tx, visit.actor, "point.photo", one.ref, {"bytes": len(body)})
    return visit.go(f"/points/{one.ref}")


async def show_picture(visit: Visit) -> Response:
    """One of them."""
    one = await named_point(visit)
    async with visit.hub.store.read() as conn:
        return photo_answer(await find_photo(conn, "point", [one.id], photo_number(visit)))


async def move(visit: Visit) -> Response:
    """Take a step."""
    one = await named_point(visit)
    state, note = visit.form.get("state", ""), " ".join(visit.form.get("note", "").split())[:500]
    if not note:
        return await show_point(visit, say("decide.no_reason", visit.lang), 422)
    photo = await clean(visit)
    try:
        async with visit.hub.store.write() as tx:
            await move_point(tx, one, state, note, visit.actor)
            if photo:
                await add_photo(tx, "point", one.id, photo, note[:120], visit.actor)
            await add_audit(tx, visit.actor, "point.move", one.ref, {"before": one.state, "after": state, "note": note})
    except Step as error:
        return await show_point(visit, str(error), 409)
    return visit.go(f"/points/{one.ref}")


def assignment_table(visit: Visit, rows: list[Any], title: str, acts: bool = False, about: str = "task.about") -> Table:
    """What has to be done, by deadline."""
    lang = visit.lang
    heads = [say(key, lang) for key in ("task.title", "col.town", "col.person", "col.due", "col.state", "col.note")]
    cells = [
        [
            Cell(row.title, href=task_path(row) if acts and row.state in {"open", "late"} else ""),
            Cell(row.town or "–"),
            Cell(row.owner or Role(row.role).name_in(lang), say("task.raised", lang, name=row.raised) if row.raised else ""),
            Cell(moment(visit, row.due_at)),
            Cell(say(f"task.{row.state}", lang), chip=CHIPS[row.state]),
            Cell(row.said or "", moment(visit, row.done_at) if row.state == "done" else ""),
        ]
        for row in rows
    ]
    return Table(title, heads, cells, say(about, lang))


def task_path(row: Any) -> str:
    """Where an officer deals with a task: what a point's dates ask for ends on the point's own page."""
    return f"/points/{row.point_ref}" if row.kind in POINTS else f"/tasks/{row.id}"


async def show_tasks(visit: Visit) -> Response:
    """Everything that follows from a warning."""
    warning, lang = await find_named(visit), visit.lang
    async with visit.hub.store.read() as conn:
        rows, count = await list_of_warning(conn, warning.id), await count_assignments(conn, warning.id)
        runs = await list_runs(conn, [warning.id])
    sheet = Sheet(say("task.heading", lang), (f"/warnings/{warning.uid}", warning.headline), drill=warning.drill is not None)
    sheet.tiles = [
        Tile(f"{sum(count[state] for state in CHIPS):,}", say("task.all", lang)),
        Tile(f"{count['done']:,}", say("task.done", lang), kind="good"),
        Tile(f"{count['late']:,}", say("task.late", lang), say("task.late.about", lang), "bad" if count["late"] else ""),
        Tile(f"{count['overdue']:,}", say("task.overdue", lang), say("task.overdue.about", lang)),
    ]
    sheet.links = [(f"/runs/{run.uid}", say("run.link", lang)) for run in runs]
    sheet.tables = [assignment_table(visit, rows, say("task.heading", lang), visit.may("duty"))]
    return show(visit, sheet)


async def ask_done(visit: Visit, trouble: str = "", status: int = 200) -> Response:
    """An officer notes what somebody has reported by telephone."""
    given = visit.argument("id")
    query = text(
        "SELECT k.title, k.due_at, t.name AS town, o.name AS owner FROM assignment k LEFT JOIN area t ON t.id = k.town_id "
        "LEFT JOIN recipient o ON o.id = k.owner_id WHERE k.id = :id"
    )
    async with visit.hub.store.read() as conn:
        row = (await conn.execute(query, {"id": int(given) if given.isdecimal() and len(given) < 19 else 0})).first()
    if row is None:
        raise HTTPException(404, "there is no such task")
    sheet = Sheet(say("task.note", visit.lang), ("/runs", say("run.title", visit.lang)), trouble=trouble)
    due = say("task.until", visit.lang, at=moment(visit, row.due_at))
    sheet.lead = " · ".join(part for part in (row.title, row.town, row.owner, due) if part)
    fields = [Field("said", say("task.said", visit.lang), needed=True)]
    sheet.acts = [Act(say("task.button", visit.lang), f"/tasks/{visit.argument('id')}", fields, kind="primary")]
    return show(visit, sheet, status)


async def do_done(visit: Visit) -> Response:
    """It is noted with the officer's name."""
    given = visit.argument("id")
    try:
        await visit.hub.responder.done(int(given) if given.isdecimal() else 0, visit.actor, visit.form.get("said", ""))
    except Refusal as refusal:
        return await ask_done(visit, refusal.title, refusal.status)
    return visit.go("/runs")


async def show_runs(visit: Visit) -> Response:
    """Plans in their course, and those that are over."""
    lang = visit.lang
    async with visit.hub.store.read() as conn:
        runs = await list_runs(conn)
    heads = [say(key, lang) for key in ("run.plan", "run.level", "col.warning", "run.onset", "col.state")]
    rows = [
        [
            Cell(plan_name(visit, run), say("drill", lang) if run.drill else "", f"/runs/{run.uid}"),
            Cell(say("run.rank", lang, level=run.level)),
            Cell(run.headline, href=f"/warnings/{run.warning}"),
            Cell(moment(visit, run.onset_at)),
            Cell(say(f"run.{run.state}", lang), chip="open" if run.state == "ended" else "released"),
        ]
        for run in runs
    ]
    return show(
        visit, Sheet(say("run.title", lang), tables=[Table(say("run.title", lang), heads, rows, say("run.about", lang))])
    )


def plan_name(visit: Visit, run: Any) -> str:
    """The name of a run's plan."""
    plans = visit.hub.responder.runs.plans.get(run.version)
    found = plans.named(run.plan) if plans else None
    return found.name if found else str(run.plan)


async def show_run(visit: Visit) -> Response:
    """One run: its steps by deadline."""
    lang = visit.lang
    async with visit.hub.store.read() as conn:
        run = await find_run(conn, visit.argument("uid"))
        if run is None:
            raise HTTPException(404, "there is no such run")
        rows = await list_of_run(conn, run.id)
    title = f"{plan_name(visit, run)} {say('run.rank', lang, level=run.level)}"
    sheet = Sheet(title, ("/runs", say("run.title", lang)), drill=run.drill is not None)
    sheet.lead = say("run.lead", lang, onset=moment(visit, run.onset_at), state=say(f"run.{run.state}", lang))
    sheet.tables = [assignment_table(visit, rows, say("run.steps", lang), visit.may("duty"))]
    return show(visit, sheet)


ROUTES = (
    ("GET", "/points", "viewer", show_points),
    ("GET", "/points/{ref}", "viewer", show_point),
    ("POST", "/points/{ref}", "duty", move),
    ("POST", "/points/{ref}/photos", "duty", add_picture),
    ("GET", "/points/{ref}/photos/{photo}", "duty", show_picture),
    ("GET", "/warnings/{uid}/tasks", "viewer", show_tasks),
    ("GET", "/tasks/{id}", "duty", ask_done),
    ("POST", "/tasks/{id}", "duty", do_done),
    ("GET", "/runs", "viewer", show_runs),
    ("GET", "/runs/{uid}", "viewer", show_run),
)
