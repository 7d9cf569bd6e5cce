"""What a partner agency and a township see: their own part, and no way to any other. Every question here names the scope."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.console import figures
from warnhub.console.details import number as read_number
from warnhub.console.people import tell_act, tell_message
from warnhub.console.scene import undelivered
from warnhub.console.sheets import Act, Cell, Field, Sheet, Table, Tile, dial_forms, number, show
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.feedback.acks import CHOICES, Ack, Evidence
from warnhub.monitor.summary import Part as Village
from warnhub.monitor.summary import make_funnel, read_places
from warnhub.roles import Role
from warnhub.store.answers import Asked, list_acts, list_messages
from warnhub.store.audits import add_audit
from warnhub.store.tallies import Count

MOST = 50
AGENCY, TOWN = "/mine", "/own"


def scope_of(visit: Visit) -> str:
    """The scope of whoever asks; 403 for an account that has none."""
    assert visit.session is not None
    if not visit.session.user.scope:
        raise HTTPException(403, "this account has no scope: ask the administrator")
    return visit.session.user.scope


async def show_agency(visit: Visit) -> Response:
    """An agency's own alerts and what became of each."""
    lang, scope = visit.lang, scope_of(visit)
    async with visit.hub.store.read() as conn:
        found = await conn.execute(
            text(
                "SELECT a.uid, a.identifier, a.level, a.state, a.received_at, w.uid AS warning, w.headline, w.state AS stage "
                "FROM alert a LEFT JOIN warning w ON w.alert_id = a.id WHERE a.agency_id = :a ORDER BY a.id DESC LIMIT :most"
            ),
            {"a": scope, "most": MOST},
        )
        rows = [alert_row(visit, row) for row in found]
    sheet = Sheet(say("mine.title", lang), lead=say("mine.lead", lang))
    heads = [say(key, lang) for key in ("col.warning", "mine.identifier", "col.state", "search.came")]
    sheet.tables.append(Table(say("mine.alerts", lang), heads, rows, "", say("mine.none", lang)))
    return show(visit, sheet)


def alert_row(visit: Visit, row: Any) -> list[Cell]:
    """One alert."""
    state = row.stage or row.state
    words = say(f"state.{state}", visit.lang) if row.stage else say(f"alert.{row.state}", visit.lang)
    href = f"{AGENCY}/{row.warning}" if row.warning else ""
    level = say(f"level.{row.level}", visit.lang)
    return [
        Cell(row.headline or row.uid, level, href),
        Cell(row.identifier),
        Cell(words, chip=state),
        Cell(visit.when(row.received_at)),
    ]


async def show_agency_warning(visit: Visit) -> Response:
    """What became of one alert, in figures: nobody's name."""
    lang, scope, uid = visit.lang, scope_of(visit), visit.argument("uid")
    async with visit.hub.store.read() as conn:
        row = (
            await conn.execute(
                text("SELECT id, headline, state, drill FROM warning WHERE uid = :u AND agency_id = :a"), {"u": uid, "a": scope}
            )
        ).first()
        if row is None:
            raise HTTPException(404, "there is no such warning of yours")
        events = (
            await conn.execute(
                text("SELECT at, kind, data FROM event WHERE warning_id = :w AND recipient_id IS NULL ORDER BY id"),
                {"w": row.id},
            )
        ).all()
    summary = await visit.hub.monitor.summary(uid)
    assert summary is not None
    sheet = Sheet(
        row.headline, (AGENCY, say("mine.title", lang)), drill=row.drill is not None, lead=say(f"state.{row.state}", lang)
    )
    people = summary.people
    sheet.tiles = [
        Tile(figures.count(people.total), say("stage.total", lang)),
        *(
            Tile(
                figures.count(getattr(people, stage)),
                say(f"stage.{stage}", lang),
                figures.percent(getattr(people, stage), people.total),
            )
            for stage in ("accepted", "delivered", "confirmed", "failed", "unknown")
        ),
    ]
    rows = [[Cell(visit.when(one.at, True)), Cell(say(f"event.short.{one.kind}", lang))] for one in events if one.kind in SHORT]
    sheet.tables.append(Table(say("events", lang), [say("audit.at", lang), say("audit.what", lang)], rows))
    return show(visit, sheet)


SHORT = ("made", "released", "rejected", "cancelled", "superseded", "expired")


@dataclass(frozen=True, slots=True)
class Part:
    """A township's or village's part of the county. `places`: its area ids; `town`: the township it lies in."""

    code: str
    name: str
    place: int
    town: int
    column: str


def part_of(visit: Visit) -> Part:
    """The part of whoever asks."""
    scope, places = scope_of(visit), visit.hub.places
    place = places.id_of(scope)
    if place is None or places.levels[place] not in {9, 12}:
        raise HTTPException(403, "this account's place is not in the county: ask the administrator")
    column = "town_id" if places.levels[place] == 9 else "village_id"
    return Part(scope, places.title(scope), place, places.towns[place], column)


async def show_town(visit: Visit) -> Response:
    """The warnings that live and concern this place."""
    lang, part = visit.lang, part_of(visit)
    async with visit.hub.store.read() as conn:
        found = (
            await conn.execute(
                text(
                    "SELECT w.id, w.uid, w.headline, w.level, w.state, w.drill, w.released_at, w.expires_at FROM warning w "
                    "WHERE w.released_at IS NOT NULL AND EXISTS (SELECT 1 FROM extent x JOIN area a ON a.id = x.area_id "
                    f"WHERE x.warning_id = w.id AND a.{part.column} = :p) "
                    "ORDER BY CASE WHEN w.state = 'released' THEN 0 ELSE 1 END, w.id DESC LIMIT :most"
                ),
                {"p": part.place, "most": MOST},
            )
        ).all()
        rows = []
        for one in found:
            total, done = await count_asked(conn, one.id, part)
            drill = f"{say('drill', lang)} " if one.drill else ""
            rows.append(
                [
                    Cell(drill + one.headline, say(f"level.{one.level}", lang), f"{TOWN}/{one.uid}"),
                    Cell(say(f"state.{one.state}", lang), chip=one.state),
                    number(f"{done}/{total}"),
                    Cell(visit.when(one.expires_at)),
                ]
            )
    sheet = Sheet(part.name, lead=say("own.lead", lang))
    heads = [say(key, lang) for key in ("col.warning", "col.state", "col.confirmed", "expires")]
    sheet.tables.append(Table(say("list", lang), heads, rows, "", say("list.none_living", lang)))
    return show(visit, sheet)


async def count_asked(conn: AsyncConnection, warning: int, part: Part) -> tuple[int, int]:
    """(asked, confirmed) of a place."""
    row = (
        await conn.execute(
            text(
                "SELECT count(*) AS n, coalesce(sum(CASE WHEN k.state IN ('done', 'covered') THEN 1 ELSE 0 END), 0) AS done "
                "FROM task k JOIN area a ON a.id = k.area_id "
                f"WHERE k.warning_id = :w AND k.kind = 'confirm' AND a.{part.column} = :p"
            ),
            {"w": warning, "p": part.place},
        )
    ).one()
    return int(row.n), int(row.done)


async def find_part(visit: Visit, part: Part) -> Any:
    """The warning the path names, if it concerns this place; 404 otherwise."""
    async with visit.hub.store.read() as conn:
        row = (
            await conn.execute(
                text(
                    "SELECT w.id, w.uid, w.headline, w.state, w.drill FROM warning w "
                    "WHERE w.uid = :u AND w.released_at IS NOT NULL "
                    "AND EXISTS (SELECT 1 FROM extent x JOIN area a ON a.id = x.area_id "
                    f"WHERE x.warning_id = w.id AND a.{part.column} = :p)"
                ),
                {"u": visit.argument("uid"), "p": part.place},
            )
        ).first()
    if row is None:
        raise HTTPException(404, "there is no such warning here")
    return row


async def show_town_warning(visit: Visit) -> Response:
    """One warning in one place: the funnel, and who has not confirmed."""
    lang, part = visit.lang, part_of(visit)
    warning = await find_part(visit, part)
    async with visit.hub.store.read() as conn:
        asked = await list_asked_in(conn, warning.id, part)
        counts = await conn.execute(
            text("SELECT role, state, n FROM tally WHERE warning_id = :w AND channel = '' AND town_id = :t"),
            {"w": warning.id, "t": part.town},
        )
        funnel = make_funnel(Count("", "", row.role, part.town, row.state, row.n) for row in counts)
        total, done = await count_asked(conn, warning.id, part)
        villages = await read_places(conn, warning.id, visit.hub.places, part.place)
    sheet = Sheet(
        warning.headline, (TOWN, part.name), drill=warning.drill is not None, lead=say(f"state.{warning.state}", lang)
    )
    sheet.tiles = [Tile(f"{done}/{total}", say("tile.confirmed", lang), kind="good" if done == total else "warn")]
    if part.column == "town_id":
        for stage in ("total", "delivered", "failed", "unknown"):
            sheet.tiles.append(Tile(figures.count(getattr(funnel, stage)), say(f"stage.{stage}", lang)))
    rows = [
        [
            Cell(one.name, Role(one.role).name_in("zh" if lang == "zh" else "en"), f"{TOWN}/{warning.uid}/{one.recipient}"),
            Cell(one.place),
            Cell(say("late", lang), chip="late") if one.state == "late" else Cell(visit.when(one.due_at)),
            Cell(say("tail", lang, tail=one.tail), forms=dial_forms(f"{TOWN}/{warning.uid}/{one.recipient}", lang))
            if one.tail
            else Cell("–"),
        ]
        for one in asked
        if one.state in {"open", "late", "closed"}
    ]
    heads = [say(key, lang) for key in ("col.person", "col.place", "col.due", "directory.number")]
    sheet.tables.append(Table(say("asked", lang), heads, rows, "", say("asked.none", lang)))
    if villages:
        sheet.tables.append(village_table(villages, lang))
    return show(visit, sheet)


def village_table(villages: list[Village], lang: str) -> Table:
    """How far each village was told, the least first."""
    heads = [say(f"col.{name}", lang) for name in ("village", "targeted", "delivered", "confirm", "lost")]
    rows = [
        [
            Cell(one.name),
            number(one.funnel.total),
            number(figures.percent(one.funnel.delivered, one.funnel.total)),
            number(one.funnel.confirmed),
            number(one.funnel.failed + one.funnel.unknown),
        ]
        for one in sorted(villages, key=undelivered)
    ]
    return Table(say("villages", lang), heads, rows, say("villages.note", lang))


ASKED = (
    "SELECT k.id, k.recipient_id, k.state, k.rung, k.due_at, k.done_at, k.choice, k.evidence, k.role, r.name, r.ref, "
    "a.name AS place, v.name AS village, t.name AS town, "
    "(SELECT tail FROM address s WHERE s.recipient_id = r.id AND s.channel = 'sms') AS tail "
    "FROM task k JOIN recipient r ON r.id = k.recipient_id JOIN area a ON a.id = k.area_id "
    "JOIN area v ON v.id = a.village_id JOIN area t ON t.id = k.town_id WHERE k.warning_id = :w AND k.kind = 'confirm'"
)


async def list_asked_in(conn: AsyncConnection, warning: int, part: Part, person: int | None = None) -> list[Asked]:
    """Who must confirm in a place, or one of them."""
    one = "AND k.recipient_id = :r" if person is not None else ""
    rows = await conn.execute(
        text(f"{ASKED} AND a.{part.column} = :p {one} ORDER BY k.due_at, k.id LIMIT 500"),
        {"w": warning, "p": part.place, "r": person},
    )
    return [Asked(*row) for row in rows]


async def find_mine(visit: Visit, part: Part, warning: Any) -> Asked:
    """Who the path names, if they are of this place; 404 otherwise."""
    async with visit.hub.store.read() as conn:
        found = await list_asked_in(conn, warning.id, part, read_number(visit.argument("person")) or 0)
    if not found:
        raise HTTPException(404, "nobody like that is asked here")
    return found[0]


async def show_town_person(visit: Visit, status: int = 200, trouble: str = "", dial: str = "") -> Response:
    """One person of the place: what was tried, what they did, and what they said on the telephone."""
    lang, part = visit.lang, part_of(visit)
    warning = await find_part(visit, part)
    who = await find_mine(visit, part, warning)
    async with visit.hub.store.read() as conn:
        lines = [line for one in await list_messages(conn, warning.id, who.recipient) for line in tell_message(one, lang)]
        lines += [tell_act(act, lang) for act in await list_acts(conn, warning.id, who.recipient)]
    role = Role(who.role).name_in("zh" if lang == "zh" else "en")
    back = (f"{TOWN}/{warning.uid}", warning.headline)
    sheet = Sheet(who.name, back, drill=warning.drill is not None, lead=f"{role} · {who.place}", trouble=trouble, dial=dial)
    rows = [[Cell(visit.when(line.at, True)), Cell(line.text, line.small)] for line in sorted(lines, key=lambda line: line.at)]
    sheet.tables.append(Table(say("person.history", lang), [say("audit.at", lang), say("audit.what", lang)], rows))
    path = f"{TOWN}/{warning.uid}/{who.recipient}"
    if who.tail and not dial:
        sheet.acts.append(Act(say("dial.button", lang), f"{path}/number", note=say("dial.note", lang)))
    if warning.state == "released" and who.state != "done":
        choices = {choice: say(f"choice.{choice}", lang) for choice in CHOICES}
        fields = [Field("choice", say("told.said", lang), "", choices), Field("text", say("told.note", lang))]
        note = say("told.will", lang, name=who.name, officer=visit.name)
        sheet.acts.append(Act(say("told.button", lang), path, fields, note, "primary"))
    return show(visit, sheet, status)


async def take_town_word(visit: Visit) -> Response:
    """The township spoke with them: it counts as told, with the officer's name."""
    part = part_of(visit)
    warning = await find_part(visit, part)
    who = await find_mine(visit, part, warning)
    if warning.state != "released":
        raise HTTPException(409, f"this warning is {warning.state}")
    choice = visit.form.get("choice", "")
    if choice not in CHOICES:
        return await show_town_person(visit, 422, say("decide.no_choice", visit.lang))
    note = " ".join(visit.form.get("text", "").split())[:120]
    await visit.hub.acks.take(Ack(0, who.recipient, Evidence.TOLD, warning.id, choice, note, by=visit.actor))
    async with visit.hub.store.write() as tx:
        said = {"person": who.ref, "choice": choice, "before": who.state, "after": "done"}
        await add_audit(tx, visit.actor, "person.told", warning.uid, said)
    return visit.go(f"{TOWN}/{warning.uid}")
