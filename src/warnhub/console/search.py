"""Search from everywhere: warnings by headline or number, people by name, the last four digits or their code, places by name or
code, agencies."""

import re

from sqlalchemy import text
from starlette.responses import Response

from warnhub.console.directory import find_people, person_heads, person_row
from warnhub.console.sheets import Cell, Sheet, Table, show
from warnhub.console.strings import say
from warnhub.console.visit import Visit

LONGEST = 60
WHOLE = re.compile(r"(?:(?:\+|00)?86)?1\d{6}(\d{4})|\+\d{4,11}(\d{4})|0\d{5,7}(\d{4})", re.ASCII)
"""A telephone number without its spaces: a mobile's, a foreign one, a landline's. Codes of places have other lengths."""


async def show_search(visit: Visit) -> Response:
    """What was found."""
    lang = visit.lang
    words = " ".join(visit.request.query_params.get("q", "").split())[:LONGEST]
    if whole := WHOLE.fullmatch(re.sub(r"[\s-]", "", words)):  # by its end: a whole number stands on no page and in no address
        return visit.go(f"/search?q={whole[whole.lastindex or 0]}")
    sheet = Sheet(say("search", lang), lead=say("search.lead", lang))
    sheet.search = [("q", say("search", lang), words)]
    if not words:
        return show(visit, sheet)
    async with visit.hub.store.read() as conn:
        people = await find_people(conn, words)
        warnings = (
            await conn.execute(
                text(
                    "SELECT uid, headline, state, created_at FROM warning WHERE headline LIKE :like OR uid = :w "
                    "ORDER BY id DESC LIMIT 20"
                ),
                {"like": f"%{words}%", "w": words},
            )
        ).all()
    places = visit.hub.places
    found = [one for one in places.ids if words in places.names[one] or places.code_of(one) == words.rstrip("0").ljust(6, "0")]
    rows = [
        [
            Cell(one.headline, href=f"/warnings/{one.uid}"),
            Cell(say(f"state.{one.state}", lang), chip=one.state),
            Cell(visit.when(one.created_at)),
        ]
        for one in warnings
    ]
    if rows:
        heads = [say(key, lang) for key in ("col.warning", "col.state", "search.came")]
        sheet.tables.append(Table(say("list", lang), heads, rows))
    if people:
        sheet.tables.append(
            Table(say("directory.people", lang), person_heads(lang), [person_row(visit, one) for one in people])
        )
    if found:
        rows = [[Cell(places.names[one], places.code_of(one), href=f"/directory?place={one}")] for one in found[:20]]
        sheet.tables.append(Table(say("directory.places", lang), [say("col.place", lang)], rows))
    if not sheet.tables:
        sheet.tables.append(Table(say("search.result", lang), [], [], "", say("search.nothing", lang, words=words)))
    return show(visit, sheet)
