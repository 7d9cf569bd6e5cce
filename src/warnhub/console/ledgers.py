"""The audit as people read it: who did what, when, to whom, with what was before and after; and whether the chain is whole."""

from typing import Any

import orjson
from sqlalchemy import text
from starlette.responses import Response

from warnhub.console.details import number as read_number
from warnhub.console.sheets import Act, Cell, Sheet, Table, show
from warnhub.console.strings import has_words, say
from warnhub.console.visit import Visit
from warnhub.store.audits import verify_audit

PAGE = 60


def deed_words(action: str, lang: str) -> str:
    """What was done, in words; the code of what an older version did and this one does not."""
    return say(f"deed.{action}", lang) if has_words(f"deed.{action}") else action


async def show_audit(visit: Visit, verdict: str = "", whole: bool = True) -> Response:
    """The page: `?who=`, `?what=`, `?subject=` and `?before=` narrow it down."""
    lang, query = visit.lang, visit.request.query_params
    asked = {name: query.get(name, "").strip()[:60] for name in ("who", "what", "subject")}
    where = [
        f"{column} LIKE :{name}"
        for name, column in (("who", "actor"), ("what", "action"), ("subject", "subject"))
        if asked[name]
    ]
    bind: dict[str, Any] = {name: f"%{words}%" for name, words in asked.items() if words}
    before = read_number(query.get("before", ""))
    if before:
        where.append("id < :before")
        bind["before"] = before
    async with visit.hub.store.read() as conn:
        found = (
            await conn.execute(
                text(
                    "SELECT id, at, actor, action, subject, data FROM audit "
                    f"{'WHERE ' + ' AND '.join(where) if where else ''} ORDER BY id DESC LIMIT {PAGE + 1}"
                ),
                bind,
            )
        ).all()
    rows = [
        [
            Cell(visit.when(one.at, True)),
            Cell(one.actor.partition(":")[2] or one.actor, one.actor.partition(":")[0]),
            Cell(deed_words(one.action, lang), one.action),
            Cell(one.subject, href=f"/warnings/{one.subject}" if one.subject.startswith("wa_") else ""),
            Cell(readable(one.data)),
        ]
        for one in found[:PAGE]
    ]
    sheet = Sheet(
        say("menu.audit", lang), lead=say("audit.lead", lang), trouble="" if whole else verdict, done=verdict if whole else ""
    )
    sheet.search = [(name, say(f"audit.{name}", lang), asked[name]) for name in asked]
    heads = [say(f"audit.{name}", lang) for name in ("at", "who", "what", "subject", "data")]
    sheet.tables.append(Table(say("audit.all", lang), heads, rows, "", say("audit.none", lang)))
    if len(found) > PAGE:
        sheet.following = visit.here(before=str(found[PAGE - 1].id))
    sheet.acts.append(
        Act(say("audit.verify", lang), "/audit/verify", note=say("audit.verify.note", lang), title=say("audit.verify", lang))
    )
    return show(visit, sheet)


def readable(data: str) -> str:
    """An entry's data as `name: value`, short."""
    try:
        said = orjson.loads(data)
    except orjson.JSONDecodeError:
        return data[:200]
    words = " · ".join(f"{key}: {value}" for key, value in said.items()) if isinstance(said, dict) else str(said)
    return words if len(words) <= 240 else words[:239] + "…"


async def check_audit(visit: Visit) -> Response:
    """Every entry against the one before it."""
    async with visit.hub.store.read() as conn:
        count, wrong = await verify_audit(conn)
    key = "audit.whole" if wrong is None else "audit.broken"
    return await show_audit(visit, say(key, visit.lang, n=f"{count:,}", id=wrong or 0), wrong is None)
