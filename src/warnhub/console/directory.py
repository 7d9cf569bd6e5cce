"""The directory at the desk: places and their people, one person with their warnings, and a number put right."""

from dataclasses import dataclass
from typing import Any

import phonenumbers
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.console.details import number as read_number
from warnhub.console.sheets import Act, Cell, Field, Sheet, Table, Tile, number, show
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.crypto import KeyRing
from warnhub.roles import RESPONSIBLE, Role
from warnhub.store.audits import add_audit
from warnhub.store.engine import Tx
from warnhub.store.recipients import Entry, change_entries, find_known

PATH = "/directory"
PAGE = 60
PERSON = (
    "SELECT r.id, r.ref, r.kind, r.role, r.name, r.opt_out, r.gone_at, a.id AS place, a.name AS area, t.name AS town, "
    "(SELECT tail FROM address s WHERE s.recipient_id = r.id AND s.channel = 'sms' AND s.tail <> '') AS tail "
    "FROM recipient r JOIN area a ON a.id = r.area_id JOIN area t ON t.id = a.town_id"
)


LAST = "\U0010ffff"
"""Stands behind every character of a name."""


@dataclass(frozen=True, slots=True)
class Found:
    """Somebody of the directory; a number by its last four digits only."""

    id: int
    ref: str
    kind: str
    role: str
    name: str
    opt_out: bool
    gone_at: int | None
    place: int
    area: str
    town: str
    tail: str | None


async def find_people(conn: AsyncConnection, words: str, most: int = 30) -> list[Found]:
    """By a name's beginning, a number's last four digits, or the code a register knows them by; who answers for others first.

    Each way is one reach into an index and brings at most `most`, however many of a county begin with a common name.
    """
    bind: dict[str, Any] = {"w": words, "end": words + LAST, "most": most}
    ways = ["SELECT id FROM recipient WHERE ref = :w"]
    if len(words) == 4 and words.isdecimal():
        ways.append("SELECT recipient_id FROM address WHERE tail = :w AND channel = 'sms'")
    else:
        least, less = (">=", "<") if conn.dialect.name == "sqlite" else ("~>=~", "~<~")
        bind |= {f"r{n}": role.value for n, role in enumerate(Role)}
        ways += [
            f"SELECT id FROM (SELECT id FROM recipient WHERE role = :r{n} AND name {least} :w AND name {less} :end "
            "AND gone_at IS NULL LIMIT :most) AS named"
            for n, _ in enumerate(Role)
        ]
    rows = await conn.execute(
        text(
            f"{PERSON} WHERE r.id IN ({' UNION '.join(ways)}) AND r.gone_at IS NULL "
            "ORDER BY r.role = 'resident', r.id LIMIT :most"
        ),
        bind,
    )
    return [Found(*row) for row in rows]


async def list_people(conn: AsyncConnection, place: int, role: str, after: int) -> list[Found]:
    """The people of one place itself, a page at a time."""
    where = "AND r.role = :role" if role else ""
    rows = await conn.execute(
        text(f"{PERSON} WHERE r.area_id = :p AND r.gone_at IS NULL AND r.id > :after {where} ORDER BY r.id LIMIT {PAGE + 1}"),
        {"p": place, "role": role, "after": after},
    )
    return [Found(*row) for row in rows]


async def read_person(conn: AsyncConnection, person: int) -> Found | None:
    """One of them."""
    row = (await conn.execute(text(f"{PERSON} WHERE r.id = :r"), {"r": person})).first()
    return Found(*row) if row else None


def person_row(visit: Visit, one: Found) -> list[Cell]:
    """A line of a list."""
    role = Role(one.role).name_in("zh" if visit.lang == "zh" else "en")
    return [
        Cell(one.name, one.ref, href=f"{PATH}/people/{one.id}"),
        Cell(role),
        Cell(one.area, one.town if one.town != one.area else ""),
        Cell(say("tail", visit.lang, tail=one.tail) if one.tail else "–"),
    ]


def person_heads(lang: str) -> list[str]:
    """Over such lines."""
    return [say(key, lang) for key in ("col.person", "col.role", "col.place", "directory.number")]


async def show_directory(visit: Visit) -> Response:
    """A place: the places below it, and its own people. `?place=`, `?after=`."""
    lang, places = visit.lang, visit.hub.places
    place = read_number(visit.request.query_params.get("place", "")) or visit.console.atlas.top()
    if place not in places.names:
        raise HTTPException(404, "there is no such place")
    after = read_number(visit.request.query_params.get("after", "")) or 0
    async with visit.hub.store.read() as conn:
        people = await list_people(conn, place, "", after)
        roles = await count_below(conn, visit, place)
        bad = await conn.scalar(text("SELECT count(*) FROM address WHERE bad IS NOT NULL AND bad <> 'removed'"))
    below = [one for one, parent in places.parents.items() if parent == place]
    trail = visit.console.atlas.trail(place)
    back = (f"{PATH}?place={trail[-1][0]}", trail[-1][1]) if trail else ("", "")
    sheet = Sheet(places.names[place], back, lead=f"{places.code_of(place)} · {say('directory.lead', lang)}")
    names = {role.value: role.name_in("zh" if lang == "zh" else "en") for role in Role}
    sheet.tiles = [Tile(f"{count:,}", names[role]) for role, count in roles.items() if role in names][:8]
    if not trail:
        sheet.tiles.append(
            Tile(f"{int(bad or 0):,}", say("directory.bad", lang), say("directory.bad.about", lang), "warn" if bad else "")
        )
    rows = [
        [Cell(places.names[one], places.code_of(one), href=f"{PATH}?place={one}")] for one in sorted(below, key=places.code_of)
    ]
    if rows:
        sheet.tables.append(Table(say("directory.below", lang), [say("col.place", lang)], rows))
    table = [person_row(visit, one) for one in people[:PAGE]]
    sheet.tables.append(Table(say("directory.people", lang), person_heads(lang), table, "", say("directory.nobody", lang)))
    if len(people) > PAGE:
        sheet.following = visit.here(after=str(people[PAGE - 1].id))
    return show(visit, sheet)


async def count_below(conn: AsyncConnection, visit: Visit, place: int) -> dict[str, int]:
    """How many of each role at or below a place, those who answer for others first."""
    code = visit.hub.places.code_of(place)
    rows = await conn.execute(
        text(
            "SELECT r.role, count(*) AS n FROM recipient r JOIN area a ON a.id = r.area_id "
            "WHERE a.code >= :low AND a.code < :high AND r.gone_at IS NULL GROUP BY r.role"
        ),
        {"low": code, "high": code + "~"},
    )
    counts = {row.role: int(row.n) for row in rows}
    return {
        role.value: counts[role.value] for role in sorted(Role, key=lambda one: one not in RESPONSIBLE) if role.value in counts
    }


async def show_entry(visit: Visit, status: int = 200, trouble: str = "", dial: str = "") -> Response:
    """One person or device: their addresses, and every warning that concerned them."""
    lang = visit.lang
    async with visit.hub.store.read() as conn:
        who = await read_person(conn, read_number(visit.argument("person")) or 0)
        if who is None:
            raise HTTPException(404, "nobody like that is in the directory")
        addresses = (
            await conn.execute(
                text("SELECT channel, tail, route, bad, updated_at FROM address WHERE recipient_id = :r ORDER BY id"),
                {"r": who.id},
            )
        ).all()
        warnings = await list_history(conn, who.id)
    role = Role(who.role).name_in("zh" if lang == "zh" else "en")
    sheet = Sheet(who.name, (f"{PATH}?place={who.place}", who.area), lead=f"{role} · {who.town} · {who.ref}", trouble=trouble)
    sheet.dial = dial
    rows = [
        [
            Cell(say(f"channel.{one.channel}", lang)),
            Cell(f"••••{one.tail}" if one.tail else "–", one.route),
            Cell(one.bad, chip="late") if one.bad else Cell(say("lines.well", lang), chip="done"),
            Cell(visit.when(one.updated_at)),
        ]
        for one in addresses
    ]
    heads = ("col.channel", "directory.address", "col.state", "directory.changed")
    sheet.tables.append(
        Table(
            say("directory.addresses", lang), [say(head, lang) for head in heads], rows, "", say("directory.unreachable", lang)
        )
    )
    rows = [
        [
            Cell(one.headline, href=f"/warnings/{one.uid}/people/{who.id}"),
            number(int(one.messages)),
            Cell(say(f"choice.{one.choice}", lang), chip="done") if one.choice else Cell("–"),
            Cell(visit.when(one.released_at)),
        ]
        for one in warnings
    ]
    heads = ("col.warning", "forecast.messages", "col.confirm", "released")
    sheet.tables.append(
        Table(say("directory.warnings", lang), [say(head, lang) for head in heads], rows, "", say("person.nothing", lang))
    )
    if visit.may("duty") and who.kind == "person":
        sheet.acts += entry_acts(who, lang, dial)
    return show(visit, sheet, status)


def entry_acts(who: Found, lang: str, dial: str) -> list[Act]:
    """What an officer may do about a person: have the number shown for a call, and put it right."""
    acts = []
    if who.tail and not dial:
        acts.append(Act(say("dial.button", lang), f"{PATH}/people/{who.id}/number", note=say("dial.note", lang)))
    field, correct = Field("number", say("directory.new", lang), needed=True), say("directory.correct", lang)
    note = say("directory.new.note", lang)
    return [*acts, Act(correct, f"{PATH}/people/{who.id}", [field], note, "primary", title=correct)]


async def list_history(conn: AsyncConnection, person: int, most: int = 40) -> list[Any]:
    """The newest warnings that had this person among their targets."""
    rows = await conn.execute(
        text(
            "SELECT w.uid, w.headline, w.released_at, (SELECT count(*) FROM wave v JOIN delivery d ON d.wave_id = v.id "
            "AND d.recipient_id = :r WHERE v.warning_id = w.id) AS messages, "
            "(SELECT k.choice FROM task k WHERE k.warning_id = w.id AND k.recipient_id = :r AND k.kind = 'confirm') AS choice "
            "FROM warning w WHERE EXISTS (SELECT 1 FROM target t WHERE t.warning_id = w.id AND t.recipient_id = :r) "
            f"ORDER BY w.id DESC LIMIT {most}"
        ),
        {"r": person},
    )
    return list(rows.all())


def read_phone(words: str) -> str | None:
    """A telephone number in E.164; None for what is none. Numbers without a country are Chinese."""
    try:
        number = phonenumbers.parse(words, "CN")
    except phonenumbers.NumberParseException:
        return None
    good = phonenumbers.is_possible_number(number) and (number.country_code != 86 or len(str(number.national_number)) == 11)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if good else None


async def correct_number(tx: Tx, keys: KeyRing, actor: str, who: Found, phone: str) -> None:
    """Put a person's number right: it is tried again from now on. The audit keeps the last four digits, before and after."""
    known = (await find_known(tx.conn, [who.ref]))[who.ref]
    entry = Entry(who.ref, who.kind, None, None, known.fields[2], addresses={"sms": phone})
    await change_entries(tx, keys, [(known, entry)])
    await tx.conn.execute(
        text("UPDATE address SET bad = NULL, updated_at = :now WHERE recipient_id = :r AND channel = 'sms'"),
        {"now": tx.now, "r": who.id},
    )
    await add_audit(tx, actor, "person.number", who.ref, {"before": f"••••{who.tail or ''}", "after": f"••••{phone[-4:]}"})


async def take_number(visit: Visit) -> Response:
    """The form."""
    phone = read_phone(visit.form.get("number", ""))
    if phone is None:
        return await show_entry(visit, 422, say("directory.no_number", visit.lang))
    async with visit.hub.store.write() as tx:
        who = await read_person(tx.conn, read_number(visit.argument("person")) or 0)
        if who is None or who.kind != "person":
            raise HTTPException(404, "nobody like that is in the directory")
        await correct_number(tx, visit.hub.keys, visit.actor, who, phone)
    return visit.go(visit.form.get("back") or f"{PATH}/people/{visit.argument('person')}")
