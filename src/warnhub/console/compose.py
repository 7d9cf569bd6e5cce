"""A warning written at the desk, saved as an alert of the county's own, which waits for an officer who did not write it."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import text
from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.alert import (
    LANES,
    Alert,
    Area,
    Certainty,
    Code,
    Gate,
    Kind,
    Level,
    Original,
    Polygon,
    Reference,
    Scope,
    Status,
    Text,
    Urgency,
    Verdict,
)
from warnhub.console.details import area_words
from warnhub.console.drawn import LONGEST, read_drawn
from warnhub.console.maps import outlines
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.hazards import default_life, hazard_class, hazard_name, hazard_table
from warnhub.plan.actions import long_guide
from warnhub.plan.holding import SPLIT
from warnhub.store.agencies import COUNTY, read_agency
from warnhub.store.alerts import make_uid
from warnhub.store.audits import add_audit
from warnhub.store.warnings import LIVING, Warning, find_warning, warning_alert

RANKS = {"red": "I级/特别严重", "orange": "II级/严重", "yellow": "III级/较重", "blue": "IV级/一般"}
COLOURS = {"red": "红色", "orange": "橙色", "yellow": "黄色", "blue": "蓝色"}
MOST_HOURS = 72
SAVED = text("SELECT w.uid FROM repeat r JOIN warning w ON w.alert_id = r.alert_id WHERE r.agency_id = :a AND r.key = :k")
SAID = ("hazard", "level", "status", "hours", "value", "headline", "description", "instruction")
FIELDS = (*SAID, "whole", "nonce", "of", "keep")
NAMED = 8
"""Places named one by one in a text; after so many it says 等地."""


@dataclass(slots=True)
class Draft:
    """What stands in the form. `places`: codes that were ticked; `drawn`: a polygon a line; `of`: the warning it is made from,
    and `keep`: whether it takes that one's place, with the whole of its area."""

    hazard: str = ""
    level: str = ""
    status: str = "actual"
    hours: str = ""
    value: str = ""
    headline: str = ""
    description: str = ""
    instruction: str = ""
    whole: str = ""
    nonce: str = ""
    of: str = ""
    keep: str = ""
    drawn: str = ""
    places: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, form: Mapping[str, str], fields: Mapping[str, list[str]]) -> "Draft":
        """As it was posted."""
        said = {name: form.get(name, "").strip() for name in FIELDS}
        typed = [code for code in SPLIT.split(form.get("codes", "")) if code]
        places = [*dict.fromkeys([*fields.get("place", []), *typed])][:2_000]
        return cls(**said, drawn=form.get("drawn", "").replace("\r\n", "\n").strip()[:LONGEST], places=places)


@dataclass(slots=True)
class Plot:
    """What a draft comes to: the areas it names, what is wrong with them, and the warning whose place it takes."""

    areas: list[Area] = field(default_factory=list)
    polygons: list[Polygon] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    old: Warning | None = None
    said: Alert | None = None


async def plot_draft(visit: Visit, draft: Draft) -> Plot:
    """The draft's places, drawn and named, and what it follows. Nothing is judged but the places."""
    places, county, plot = visit.hub.places, visit.hub.settings.county, Plot()
    async with visit.hub.store.read() as conn:
        agency = await read_agency(conn, COUNTY)
        plot.old = await find_warning(conn, draft.of) if draft.of else None
        if draft.of and plot.old is None:
            raise HTTPException(404, "there is no such warning")
        plot.said = await warning_alert(conn, plot.old) if plot.old else None
    assert agency is not None
    if draft.keep and plot.said:
        plot.areas += plot.said.areas
    strange = [code for code in draft.places if code not in places.by_code]
    plot.wrong += [say("compose.no.code", visit.lang, code=code[:30]) for code in strange[:5]]
    codes = [county.code] if draft.whole else top_codes([code for code in draft.places if code in places.by_code])
    if codes:
        name = "、".join(places.title(code) for code in codes)[:500]
        plot.areas.append(Area(name=name, codes=[Code(value=code) for code in codes]))
    plot.polygons, problems = read_drawn(draft.drawn, visit.hub.desk.limits(agency))
    plot.wrong += [f"{one.path}: {one.message}" + (f" ({one.value})" if one.value else "") for one in problems]
    for number, polygon in enumerate(plot.polygons):
        if places.select([Area(polygons=[polygon])]).empty:
            plot.wrong.append(say("compose.no.ground", visit.lang, n=number + 1))
    if plot.polygons:
        named = name_places(visit, touched(visit, [Area(polygons=plot.polygons)]))
        plot.areas.append(Area(name=say("compose.drawn.name", "zh", names=named)[:500], polygons=plot.polygons))
    return plot


def touched(visit: Visit, areas: Sequence[Area]) -> list[str]:
    """The codes of the townships and villages that areas hold or touch: the township alone where that is all its villages."""
    places = visit.hub.places
    extent = places.select(areas)
    held = {code for code in places.codes if len(code) == 12 and places.id_of(code) in extent.home | extent.above}
    held |= {code for code in places.codes if len(code) == 9 and places.id_of(code) in extent.home}
    for town in (code for code in places.codes if len(code) == 9):
        below = {code for code in places.codes if len(code) == 12 and code.startswith(town)}
        if below and below <= held:
            held.add(town)
    return top_codes(sorted(held))


def name_places(visit: Visit, codes: Sequence[str]) -> str:
    """Some of them by name."""
    names = [visit.hub.places.title(code) for code in codes]
    return "、".join(names[:NAMED]) + ("等地" if len(names) > NAMED else "")


async def show_compose(visit: Visit) -> Response:
    """The form; `?of=warning&act=extend|upgrade` begins with what another says."""
    query = visit.request.query_params
    draft = Draft(nonce=secrets.token_urlsafe(12))
    if query.get("of"):
        await borrow(visit, draft, query["of"], query.get("act", ""))
    return await compose_page(visit, draft)


async def borrow(visit: Visit, draft: Draft, uid: str, act: str) -> None:
    """What another warning says, in the whole of its area: at a higher level for `upgrade`, for `extend` with places to add."""
    async with visit.hub.store.read() as conn:
        warning = await find_warning(conn, uid)
        if warning is None:
            raise HTTPException(404, "there is no such warning")
        alert = await warning_alert(conn, warning)
    said = alert.text()
    draft.of, draft.hazard, draft.level = uid, alert.hazard, alert.level.value
    draft.keep = "yes" if warning.state == LIVING and warning.kind != "cancel" else ""
    draft.status = "exercise" if warning.drill else "actual"
    draft.description, draft.instruction = said.description, said.instruction
    if act == "upgrade":
        higher = [level for level, lane in LANES.items() if lane == max(1, alert.level.lane - 1)]
        draft.level = higher[0].value
    draft.headline = headline_of(visit, draft)


async def compose_page(visit: Visit, draft: Draft, status: int = 200, trouble: str = "", plot: Plot | None = None) -> Response:
    """The form, with what went wrong before."""
    places = visit.hub.places
    plot = plot or await plot_draft(visit, draft)
    ticked = set(draft.places)
    towns = []
    for code in (one for one in places.codes if len(one) == 9):
        below = [one for one in places.codes if len(one) == 12 and one.startswith(code)]
        towns.append(
            (code, places.title(code), [(one, places.title(one)) for one in below], sum(one in ticked for one in below))
        )
    async with visit.hub.store.read() as conn:
        sheet = await visit.console.atlas.draw(conn, plot.said)
    kept = [sheet.frame.draw(shape) for shape in outlines(plot.said)] if sheet and plot.said and draft.keep else []
    drawn = [sheet.frame.ring(polygon.rings[0]) for polygon in plot.polygons] if sheet else []
    return visit.page(
        "compose.html",
        status,
        draft=draft,
        trouble=trouble,
        towns=towns,
        ticked=ticked,
        sheet=sheet,
        kept=kept,
        drawn=drawn,
        old=plot.old,
        old_area=area_words(plot.said) if plot.said else "",
        held=[visit.hub.places.title(code) for code in touched(visit, plot.areas)],
        typed=[code for code in draft.places if len(code) not in {9, 12} or code not in places.by_code],
        groups=hazard_groups(visit.lang),
        levels=list(Level),
        most=MOST_HOURS,
    )


def hazard_groups(lang: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Hazards by class, as a choice."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for code in sorted(hazard_table()):
        groups.setdefault(hazard_class(code).value, []).append((code, hazard_name(code, lang)))
    return list(groups.items())


def headline_of(visit: Visit, draft: Draft) -> str:
    """As the agencies write theirs."""
    hazard = hazard_name(draft.hazard).removesuffix("事件")
    return f"{visit.hub.settings.county.bureau}发布{hazard}{COLOURS[draft.level]}预警[{RANKS[draft.level]}]"


def fill(visit: Visit, draft: Draft, areas: Sequence[Area]) -> None:
    """The texts from the templates, with the alert's own values; what the officer wrote stays."""
    hazard = hazard_name(draft.hazard).removesuffix("事件")
    hours = draft.hours or f"{default_life(draft.hazard).total_seconds() / 3600:g}"
    codes = touched(visit, areas)
    where = name_places(visit, codes) if codes and not draft.whole else "全县"
    draft.headline = draft.headline or headline_of(visit, draft)
    measured = f"{draft.value}，" if draft.value else ""
    draft.description = draft.description or f"{measured}预计未来{hours}小时，{where}{hazard}风险高，请立即做好防范。"
    draft.instruction = draft.instruction or long_guide(draft.hazard, "zh")
    draft.hours = hours


def top_codes(codes: Sequence[str]) -> list[str]:
    """Codes without those that lie in another of them."""
    chosen = set(codes)
    return [code for code in codes if not any(code[:length] in chosen for length in (6, 9, 12) if length < len(code))]


def check(visit: Visit, draft: Draft, plot: Plot) -> str:
    """What is wrong with a draft, "" if nothing."""
    lang = visit.lang
    if draft.hazard not in hazard_table():
        return say("compose.no.hazard", lang)
    if draft.level not in COLOURS:
        return say("compose.no.level", lang)
    if draft.status not in {"actual", "exercise"}:
        return say("compose.no.status", lang)
    if plot.wrong:
        return " · ".join([say("compose.no.area", lang), *plot.wrong[:5]])
    if not plot.areas:
        return say("compose.no.place", lang)
    try:
        good = 0 < float(draft.hours) <= MOST_HOURS
    except ValueError:
        good = False
    if not good:
        return say("compose.no.hours", lang, most=MOST_HOURS)
    return check_succession(visit, draft, plot) if draft.keep else ""


def check_succession(visit: Visit, draft: Draft, plot: Plot) -> str:
    """Whether it can take the other's place: that one lives, and is of the same hazard and as real."""
    old, said, lang = plot.old, plot.said, visit.lang
    if old is None or said is None or old.state != LIVING or old.kind == "cancel":
        return say("compose.keep.over", lang)
    if draft.hazard != said.hazard:
        return say("compose.keep.hazard", lang, hazard=hazard_name(said.hazard, lang))
    if draft.status != said.status.value:
        return say("compose.keep.status", lang, status=said.status.value)
    return ""


def make_alert(visit: Visit, draft: Draft, plot: Plot, now: datetime) -> Alert:
    """The draft as an alert; one that takes another's place is an update of it, whoever sent that. Raises `ValidationError`."""
    county = visit.hub.settings.county
    said = Text(
        event=hazard_name(draft.hazard),
        headline=draft.headline,
        description=draft.description,
        instruction=draft.instruction,
        sender_name=county.bureau,
        contact=county.telephone,
    )
    old = plot.said if draft.keep else None
    given: dict[str, Any] = {
        "identifier": make_uid("desk"),
        "sender": county.bureau,
        "sent": now,
        "status": Status(draft.status),
        "kind": Kind.UPDATE if old else Kind.ALERT,
        "references": [Reference(identifier=old.identifier, sender=old.sender, sent=old.sent)] if old else [],
        "hazard": draft.hazard,
        "level": Level(draft.level),
        "urgency": Urgency.IMMEDIATE,
        "certainty": Certainty.LIKELY,
        "effective": now,
        "expires": now + timedelta(hours=float(draft.hours)),
        "areas": plot.areas,
        "texts": [said],
        "scope": old.scope if old else Scope.PUBLIC,
        "restriction": old.restriction if old else "",
        "original": Original(form="desk", note=f"follows {draft.of}" if draft.of else ""),
    }
    return Alert.model_validate(given)


async def take_draft(visit: Visit) -> Response:
    """Look at the area, fill the texts in, or save it: it then waits for an officer who did not write it."""
    draft = Draft.read(visit.form, visit.fields)
    act, plot = visit.form.get("act"), await plot_draft(visit, draft)
    if act == "look":
        trouble = " · ".join([say("compose.no.area", visit.lang), *plot.wrong[:5]]) if plot.wrong else ""
        return await compose_page(visit, draft, 422 if trouble else 200, trouble, plot)
    if act == "fill":
        if draft.hazard not in hazard_table() or draft.level not in COLOURS:
            return await compose_page(visit, draft, 422, say("compose.no.level", visit.lang), plot)
        fill(visit, draft, plot.areas)
        return await compose_page(visit, draft, plot=plot)
    trouble = check(visit, draft, plot)
    if not trouble and not draft.headline:
        trouble = say("compose.no.headline", visit.lang)
    if trouble:
        return await compose_page(visit, draft, 422, trouble, plot)
    key = f"{visit.actor} {draft.nonce}"
    async with visit.hub.store.read() as conn:
        county = await read_agency(conn, COUNTY)
        saved = await conn.scalar(SAVED, {"a": COUNTY, "k": key})
    if saved:
        return visit.go(f"/warnings/{saved}")  # the same form, sent twice
    assert county is not None
    try:
        alert = make_alert(visit, draft, plot, datetime.fromtimestamp(visit.now / 1000, UTC))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return await compose_page(visit, draft, 422, f"{where}: {first['msg']}", plot)
    verdict = Verdict(gate=Gate.ACCEPT, problems=[], alert=alert)
    received = await visit.hub.desk.receive(county, verdict, b"", "application/json", key)
    said = {"alert": received.alert, "level": draft.level, "status": draft.status, "follows": draft.of if draft.keep else ""}
    async with visit.hub.store.write() as tx:
        await add_audit(tx, visit.actor, "warning.composed", received.warning or received.alert, said)
    return visit.go(f"/warnings/{received.warning}" if received.warning else "")
