"""Channels and drills: which providers there are and how they do, and who takes part in a drill."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.console import figures
from warnhub.console.details import number as read_number
from warnhub.console.sheets import Act, Cell, Field, Sheet, Table, number, show
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.dispatch.failover import close_incident
from warnhub.roles import Role
from warnhub.store import tables
from warnhub.store.audits import add_audit

DRILLS = "/drills"


async def show_channels(visit: Visit) -> Response:
    """Every provider, what it carries, and what stopped it."""
    lang = visit.lang
    board = await visit.console.boards.look()
    async with visit.hub.store.read() as conn:
        found = await conn.execute(
            text("SELECT id, provider, code, detail, opened_at, closed_at, closed_by FROM incident ORDER BY id DESC LIMIT 30")
        )
        incidents = found.all()
    rows = []
    for line in board.lines:
        provider = visit.hub.providers[line.name]
        lost = line.funnel.failed + line.funnel.unknown
        state = Cell(line.stopped or say("lines.well", lang), chip="late" if line.stopped else "done")
        share = figures.percent(line.funnel.delivered, line.funnel.total) if line.funnel.total else "–"
        rows.append(
            [
                Cell(say(f"channel.{line.channel}", lang), line.name),
                state,
                number(f"{line.rate:g}"),
                Cell(" ".join(provider.settings.routes) or say("agency.everything", lang)),
                number(f"{provider.settings.weight:g}"),
                number(share),
                number(lost),
                number(line.funnel.remaining),
            ]
        )
    heads = (
        "col.provider",
        "col.state",
        "lines.rate",
        "lines.routes",
        "lines.weight",
        "stage.delivered",
        "col.lost",
        "lines.waiting",
    )
    sheet = Sheet(say("menu.channels", lang), lead=say("lines.lead", lang))
    sheet.tables.append(Table(say("lines.now", lang), [say(head, lang) for head in heads], rows, say("lines.about", lang)))
    history = [
        [
            Cell(one.provider),
            Cell(one.code, one.detail),
            Cell(visit.when(one.opened_at)),
            Cell(visit.when(one.closed_at), one.closed_by or "")
            if one.closed_at
            else Cell(say("lines.open", lang), chip="late"),
            Cell("", forms=(("/channels/close", say("lines.close", lang), {"id": str(one.id)}),))
            if not one.closed_at and visit.may("duty")
            else Cell(""),
        ]
        for one in incidents
    ]
    columns = ("col.provider", "faults.code", "lines.opened", "lines.closed")
    sheet.tables.append(
        Table(say("lines.incidents", lang), [*(say(head, lang) for head in columns), ""], history, "", say("lines.none", lang))
    )
    return show(visit, sheet)


async def close_stop(visit: Visit) -> Response:
    """An officer says that it is put right: the provider works again within seconds."""
    async with visit.hub.store.write() as tx:
        provider = await close_incident(tx, read_number(visit.form.get("id", "")) or 0, visit.actor)
    if provider is None:
        raise HTTPException(404, "there is no open incident like that")
    return visit.go("/channels")


async def show_drills(visit: Visit, status: int = 200, trouble: str = "") -> Response:
    """Every drill with its list, and the drills that were run."""
    lang = visit.lang
    async with visit.hub.store.read() as conn:
        lists = (
            await conn.execute(
                text(
                    "SELECT d.id, d.name, d.created_at, d.created_by, count(p.recipient_id) AS n FROM drill d "
                    "LEFT JOIN participant p ON p.drill_id = d.id GROUP BY d.id, d.name, d.created_at, d.created_by "
                    "ORDER BY d.created_at DESC LIMIT 50"
                )
            )
        ).all()
        ran = (
            await conn.execute(
                text(
                    "SELECT uid, headline, state, created_at, drill FROM warning "
                    "WHERE drill IS NOT NULL ORDER BY id DESC LIMIT 30"
                )
            )
        ).all()
    sheet = Sheet(say("menu.drills", lang), trouble=trouble, lead=say("drills.lead", lang))
    sheet.tables = list_tables(visit, lists, ran)
    if visit.may("duty"):
        sheet.acts.append(list_form(visit))
    return show(visit, sheet, status)


def list_tables(visit: Visit, lists: Sequence[Any], ran: Sequence[Any]) -> list[Table]:
    """The lists there are, and the drills that were run."""
    lang, made = visit.lang, []
    rows = [
        [Cell(one.id), Cell(one.name), number(int(one.n)), Cell(visit.when(one.created_at), one.created_by.partition(":")[2])]
        for one in lists
    ]
    heads = ("drills.id", "drills.name", "col.people", "drills.made")
    made.append(Table(say("drills.lists", lang), [say(head, lang) for head in heads], rows, "", say("drills.none", lang)))
    rows = [
        [
            Cell(one.headline, one.drill, href=f"/warnings/{one.uid}"),
            Cell(say(f"state.{one.state}", lang), chip=one.state),
            Cell(visit.when(one.created_at)),
        ]
        for one in ran
    ]
    columns = ("col.warning", "col.state", "drills.came")
    made.append(Table(say("drills.ran", lang), [say(head, lang) for head in columns], rows, "", say("drills.never", lang)))
    return made


def list_form(visit: Visit) -> Act:
    """The form of a new list."""
    lang = visit.lang
    places = {str(place): name for place, name in visit.hub.places.names.items() if visit.hub.places.levels[place] <= 9}
    roles = {role.value: role.name_in("zh" if lang == "zh" else "en") for role in Role if role.responsible}
    fields = [
        Field("id", say("drills.id", lang), needed=True),
        Field("name", say("drills.name", lang)),
        Field("place", say("drills.place", lang), "", places),
        Field("role", say("drills.role", lang), "", {"": say("drills.role.all", lang)} | roles),
        Field("refs", say("drills.refs", lang), kind="area"),
    ]
    return Act(
        say("drills.add", lang),
        f"{DRILLS}/add",
        fields,
        say("drills.note", lang),
        "primary",
        title=say("drills.add", lang),
    )


async def add_drill(visit: Visit) -> Response:
    """A list: the responsible people of a place, or those who are named one by one; nobody else is ever reached by it."""
    id, refs = visit.form.get("id", "").strip()[:60], visit.form.get("refs", "").split()
    person, area = tables.recipient.c, tables.area.c
    query = select(person.id, person.ref).where(person.gone_at.is_(None))
    if refs:
        query = query.where(person.ref.in_(refs[:5_000]))
    else:
        place = read_number(visit.form.get("place", "")) or 0
        role = visit.form.get("role", "")
        wanted = [role] if role else [one.value for one in Role if one.responsible]
        code = visit.hub.places.code_of(place)
        query = query.join(tables.area, area.id == person.area_id).where(area.code.startswith(code), person.role.in_(wanted))
    async with visit.hub.store.read() as conn:
        known = {row.ref: row.id for row in await conn.execute(query)}
    missing = sorted(set(refs) - set(known))
    if not id or missing or not known:
        return await show_drills(visit, 422, say("drills.missing", visit.lang, who=" ".join(missing[:5]) or id or "–"))
    try:
        async with visit.hub.store.write() as tx:
            values = {"id": id, "name": visit.form.get("name", "").strip()[:120] or id, "created_by": visit.actor}
            await tx.conn.execute(insert(tables.drill).values(**values, created_at=tx.now))
            await tx.conn.execute(insert(tables.participant), [{"drill_id": id, "recipient_id": one} for one in known.values()])
            await add_audit(tx, visit.actor, "drill.add", id, {"people": len(known)})
    except IntegrityError:
        return await show_drills(visit, 409, say("drills.taken", visit.lang, who=id))
    return visit.go(DRILLS)
