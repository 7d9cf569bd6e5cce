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
    Status,
    Text,
    Urgency,
    Verdict,
)
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.hazards import default_life, hazard_class, hazard_name, hazard_table
from warnhub.plan.actions import long_guide
from warnhub.store.agencies import COUNTY, read_agency
from warnhub.store.alerts import make_uid
from warnhub.store.warnings import find_warning, warning_alert

RANKS = {"red": "I级/特别严重", "orange": "II级/严重", "yellow": "III级/较重", "blue": "IV级/一般"}
COLOURS = {"red": "红色", "orange": "橙色", "yellow": "黄色", "blue": "蓝色"}
MOST_HOURS = 72
SAVED = text("SELECT w.uid FROM repeat r JOIN warning w ON w.alert_id = r.alert_id WHERE r.agency_id = :a AND r.key = :k")
FIELDS = ("hazard", "level", "status", "hours", "value", "headline", "description", "instruction", "whole", "nonce", "of")


@dataclass(slots=True)
class Draft:
    """What stands in the form. `places`: codes that were ticked."""

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
    places: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, form: Mapping[str, str], fields: Mapping[str, list[str]]) -> "Draft":
        """As it was posted."""
        said = {name: form.get(name, "").strip() for name in FIELDS}
        return cls(**said, places=[code for code in fields.get("place", []) if code.isdecimal()][:2_000])


async def show_compose(visit: Visit) -> Response:
    """The form; `?of=warning&act=extend|upgrade` begins with what another says."""
    query = visit.request.query_params
    draft = Draft(nonce=secrets.token_urlsafe(12))
    if query.get("of"):
        await borrow(visit, draft, query["of"], query.get("act", ""))
    return await compose_page(visit, draft)


async def borrow(visit: Visit, draft: Draft, uid: str, act: str) -> None:
    """What another warning says: at a higher level for `upgrade`, without its places for `extend`."""
    async with visit.hub.store.read() as conn:
        warning = await find_warning(conn, uid)
        if warning is None:
            raise HTTPException(404, "there is no such warning")
        alert = await warning_alert(conn, warning)
    said = alert.text()
    draft.of, draft.hazard, draft.level = uid, alert.hazard, alert.level.value
    draft.status = "exercise" if warning.drill else "actual"
    draft.description, draft.instruction = said.description, said.instruction
    home = visit.hub.places.select(alert.areas).home
    if act == "upgrade":
        higher = [level for level, lane in LANES.items() if lane == max(1, alert.level.lane - 1)]
        draft.level = higher[0].value
        draft.places = [code for code in places_of(visit) if visit.hub.places.id_of(code) in home]
    draft.headline = headline_of(visit, draft)


def places_of(visit: Visit) -> list[str]:
    """The townships' and villages' codes."""
    places = visit.hub.places
    return [code for code in places.codes if len(code) in {9, 12}]


async def compose_page(visit: Visit, draft: Draft, status: int = 200, trouble: str = "") -> Response:
    """The form, with what went wrong before."""
    places = visit.hub.places
    ticked = set(draft.places)
    towns = []
    for code in (one for one in places.codes if len(one) == 9):
        below = [one for one in places.codes if len(one) == 12 and one.startswith(code)]
        towns.append(
            (code, places.title(code), [(one, places.title(one)) for one in below], sum(one in ticked for one in below))
        )
    async with visit.hub.store.read() as conn:
        sheet = await visit.console.atlas.draw(conn, None)
    return visit.page(
        "compose.html",
        status,
        draft=draft,
        trouble=trouble,
        towns=towns,
        ticked=ticked,
        sheet=sheet,
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


def fill(visit: Visit, draft: Draft) -> None:
    """The texts from the templates, with the alert's own values; what the officer wrote stays."""
    hazard = hazard_name(draft.hazard).removesuffix("事件")
    hours = draft.hours or f"{default_life(draft.hazard).total_seconds() / 3600:g}"
    names = [visit.hub.places.title(code) for code in top_codes(draft.places)]
    where = "、".join(names[:8]) + ("等地" if len(names) > 8 else "") if names and not draft.whole else "全县"
    draft.headline = draft.headline or headline_of(visit, draft)
    measured = f"{draft.value}，" if draft.value else ""
    draft.description = draft.description or f"{measured}预计未来{hours}小时，{where}{hazard}风险高，请立即做好防范。"
    draft.instruction = draft.instruction or long_guide(draft.hazard, "zh")
    draft.hours = hours


def top_codes(codes: Sequence[str]) -> list[str]:
    """Codes without those that lie in another of them."""
    chosen = set(codes)
    return [code for code in codes if not any(code[:length] in chosen for length in (6, 9, 12) if length < len(code))]


def check(visit: Visit, draft: Draft) -> str:
    """What is wrong with a draft, "" if nothing."""
    lang = visit.lang
    if draft.hazard not in hazard_table():
        return say("compose.no.hazard", lang)
    if draft.level not in COLOURS:
        return say("compose.no.level", lang)
    if draft.status not in {"actual", "exercise"}:
        return say("compose.no.status", lang)
    if not draft.whole and not draft.places:
        return say("compose.no.place", lang)
    try:
        good = 0 < float(draft.hours) <= MOST_HOURS
    except ValueError:
        good = False
    return "" if good else say("compose.no.hours", lang, most=MOST_HOURS)


def make_alert(visit: Visit, draft: Draft, now: datetime) -> Alert:
    """The draft as an alert. Raises `ValidationError`."""
    places, county = visit.hub.places, visit.hub.settings.county
    codes = [county.code] if draft.whole else top_codes(draft.places)
    area = Area(name="、".join(places.title(code) for code in codes)[:500], codes=[Code(value=code) for code in codes])
    said = Text(
        event=hazard_name(draft.hazard),
        headline=draft.headline,
        description=draft.description,
        instruction=draft.instruction,
        sender_name=county.bureau,
        contact=county.telephone,
    )
    given: dict[str, Any] = {
        "identifier": make_uid("desk"),
        "sender": county.bureau,
        "sent": now,
        "status": Status(draft.status),
        "kind": Kind.ALERT,
        "hazard": draft.hazard,
        "level": Level(draft.level),
        "urgency": Urgency.IMMEDIATE,
        "certainty": Certainty.LIKELY,
        "effective": now,
        "expires": now + timedelta(hours=float(draft.hours)),
        "areas": [area],
        "texts": [said],
        "original": Original(form="desk", note=f"follows {draft.of}" if draft.of else ""),
    }
    return Alert.model_validate(given)


async def take_draft(visit: Visit) -> Response:
    """Fill the texts in, or save it: it then waits for an officer who did not write it."""
    draft = Draft.read(visit.form, visit.fields)
    filling = visit.form.get("act") == "fill"
    trouble = check(visit, draft) if not filling else "" if draft.hazard in hazard_table() and draft.level in COLOURS else "no"
    if filling:
        if trouble:
            return await compose_page(visit, draft, 422, say("compose.no.level", visit.lang))
        fill(visit, draft)
        return await compose_page(visit, draft)
    if not trouble and not draft.headline:
        trouble = say("compose.no.headline", visit.lang)
    if trouble:
        return await compose_page(visit, draft, 422, trouble)
    key = f"{visit.actor} {draft.nonce}"
    async with visit.hub.store.read() as conn:
        county = await read_agency(conn, COUNTY)
        saved = await conn.scalar(SAVED, {"a": COUNTY, "k": key})
    if saved:
        return visit.go(f"/warnings/{saved}")  # the same form, sent twice
    assert county is not None
    try:
        alert = make_alert(visit, draft, datetime.fromtimestamp(visit.now / 1000, UTC))
    except ValidationError as error:
        return await compose_page(visit, draft, 422, str(error.errors()[0]["msg"]))
    verdict = Verdict(gate=Gate.ACCEPT, problems=[], alert=alert)
    received = await visit.hub.desk.receive(county, verdict, b"", "application/json", key)
    return visit.go(f"/warnings/{received.warning}" if received.warning else "")
