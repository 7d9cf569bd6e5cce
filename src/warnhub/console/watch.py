"""What is proposed to the duty desk: by rules and from the ground, with what it rests on; one click makes a pending warning."""

from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.alert import Level
from warnhub.console.opinions import case_table, keep_opinion, opinion_act, opinion_table
from warnhub.console.sheets import Act, Cell, Field, Sheet, Table, number, show
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.console.works import moment, photo_answer, photo_number, photo_table
from warnhub.hazards import hazard_name
from warnhub.response.watch import WORDS
from warnhub.store.opinions import list_opinions
from warnhub.store.photos import find_photo, list_photos
from warnhub.store.proposals import find_proposal, list_proposals, sightings_of, similar_cases


def title_of(visit: Visit, one: Any) -> str:
    """What is proposed, in words."""
    lang = visit.lang
    return f"{hazard_name(one.hazard, lang)} · {say(f'level.{one.level}', lang)} · {one.area}"


async def show_proposals(visit: Visit) -> Response:
    """Every proposal, those that wait for an officer first."""
    lang = visit.lang
    async with visit.hub.store.read() as conn:
        rows = await list_proposals(conn)
    heads = [say(key, lang) for key in ("watch.what", "watch.source", "watch.times", "col.at", "col.state")]
    cells = [
        [
            Cell(title_of(visit, one), say("drill", lang) if one.drill else "", f"/proposals/{one.uid}"),
            Cell(say(f"watch.source.{one.source}", lang), one.rule if one.source == "rule" else ""),
            number(one.count),
            Cell(moment(visit, one.last_at)),
            Cell(say(f"watch.{one.state}", lang), chip="pending" if one.state == "open" else ""),
        ]
        for one in rows
    ]
    table = Table(say("watch.title", lang), heads, cells, say("watch.about", lang))
    return show(visit, Sheet(say("watch.title", lang), lead=say("watch.lead", lang), tables=[table]))


async def show_proposal(visit: Visit) -> Response:
    """One proposal: what fired it, whom it concerns, what happened before, and the decision."""
    lang = visit.lang
    async with visit.hub.store.read() as conn:
        one = await find_proposal(conn, visit.argument("uid"))
        if one is None:
            raise HTTPException(404, "there is no such proposal")
        points = await visit.hub.responder.watch.points(conn, one)
        cases = await similar_cases(conn, one.hazard, one.town_id)
        said = await list_opinions(conn, "proposal", one.uid)
        photos = await list_photos(conn, "sighting", await sightings_of(conn, one.id))
    facts = one.facts if isinstance(one.facts, list) else orjson.loads(one.facts)
    sheet = Sheet(title_of(visit, one), ("/proposals", say("watch.title", lang)), drill=bool(one.drill))
    sheet.lead = say("watch.state", lang, state=say(f"watch.{one.state}", lang), opinion=one.opinion or "–")
    if one.source == "rule":
        sheet.lead += " " + say("watch.version", lang, rule=one.rule, version=one.version or "–")
    if one.warning:
        sheet.links = [(f"/warnings/{one.warning}", say("watch.warning", lang))]
    if one.state == "open" and visit.may("duty"):
        sheet.acts = decisions(visit, one)
    rows = [
        [
            Cell(str(fact.get("text") or fact.get("station") or "")),
            Cell(f"{fact['measure']} {fact['value']:g} {fact['unit']}" if "measure" in fact else str(fact.get("source", ""))),
            Cell(moment(visit, int(fact.get("at", 0))), say("watch.late", lang) if fact.get("late") else ""),
        ]
        for fact in facts
    ]
    sheet.tables = [
        Table(say("watch.facts", lang), [say(key, lang) for key in ("watch.seen", "watch.value", "col.at")], rows),
        point_table(visit, points),
        next_steps(visit, one),
        opinion_table(visit, said),
        case_table(visit, cases),
    ]
    if photos and visit.may("duty"):
        sheet.tables.insert(1, photo_table(visit, photos, f"/proposals/{one.uid}"))
    if visit.may("duty"):
        sheet.acts.append(opinion_act(visit, f"/proposals/{one.uid}/opinions", folded=True))
    return show(visit, sheet)


def decisions(visit: Visit, one: Any) -> list[Act]:
    """Make a pending warning of it, or see no danger."""
    lang = visit.lang
    levels = {level.value: say(f"level.{level.value}", lang) for level in Level}
    hazards = {code: hazard_name(code, lang) for code in dict.fromkeys([one.hazard, *(code for code, _ in WORDS)])}
    accept = [
        Field("hazard", say("watch.what", lang), one.hazard, hazards, needed=True),
        Field("level", say("watch.level", lang), one.level, levels, needed=True),
        Field("opinion", say("watch.opinion", lang), needed=True),
    ]
    dismiss = [Field("opinion", say("watch.opinion", lang), needed=True)]
    path = f"/proposals/{one.uid}"
    return [
        Act(say("watch.accept", lang), f"{path}/accept", accept, say("watch.accept.note", lang), "primary"),
        Act(say("watch.dismiss", lang), f"{path}/dismiss", dismiss),
    ]


def point_table(visit: Visit, points: list[Any]) -> Table:
    """The hazard points in the area and the people they threaten."""
    lang = visit.lang
    rows = [
        [Cell(point.name, "", f"/points/{point.ref}"), Cell(point.area), number(point.people), Cell(point.way)]
        for point in points
    ]
    heads = [say(key, lang) for key in ("point.name", "col.place", "point.people", "shelter.way")]
    people = sum(point.people for point in points)
    return Table(say("watch.points", lang, people=people), heads, rows)


def next_steps(visit: Visit, one: Any) -> Table:
    """What the plan would ask for first."""
    lang, plans = visit.lang, visit.hub.responder.runs.plans
    plan = plans[max(plans)].match(one.hazard, Level(one.level)) if plans else None
    steps = plan.steps_at(plan.levels[Level(one.level)]) if plan else []
    rows = [[Cell(step.title), Cell(step.owner.name_in(lang))] for step in steps]
    return Table(say("watch.steps", lang), [say("task.title", lang), say("col.role", lang)], rows)


async def accept(visit: Visit) -> Response:
    """One click: a pending warning, which still has to be released."""
    level, hazard = visit.form.get("level", ""), visit.form.get("hazard", "")
    opinion = " ".join(visit.form.get("opinion", "").split())[:500]
    if level not in set(Level) or not (hazard.isalnum() and len(hazard) == 5) or not opinion:
        raise HTTPException(422, "hazard, level and an opinion are needed")
    watch = visit.hub.responder.watch
    made = await watch.accept(visit.argument("uid"), visit.actor, Level(level), hazard, opinion)
    return visit.go(f"/warnings/{made.uid}")


async def dismiss(visit: Visit) -> Response:
    """No danger is seen; the reason stays."""
    opinion = " ".join(visit.form.get("opinion", "").split())[:500]
    if not opinion:
        raise HTTPException(422, "an opinion is needed")
    await visit.hub.responder.watch.dismiss(visit.argument("uid"), visit.actor, opinion)
    return visit.go("/proposals")


async def add_view(visit: Visit) -> Response:
    """An expert's opinion, beside the officer's decision."""
    async with visit.hub.store.read() as conn:
        one = await find_proposal(conn, visit.argument("uid"))
    if one is None:
        raise HTTPException(404, "there is no such proposal")
    await keep_opinion(visit, "proposal", one.uid)
    return visit.go(f"/proposals/{one.uid}")


async def show_seen(visit: Visit) -> Response:
    """A photograph that came with a sighting."""
    async with visit.hub.store.read() as conn:
        one = await find_proposal(conn, visit.argument("uid"))
        subjects = await sightings_of(conn, one.id) if one else []
        return photo_answer(await find_photo(conn, "sighting", subjects, photo_number(visit)))


ROUTES = (
    ("GET", "/proposals", "viewer", show_proposals),
    ("GET", "/proposals/{uid}", "viewer", show_proposal),
    ("POST", "/proposals/{uid}/accept", "duty", accept),
    ("POST", "/proposals/{uid}/dismiss", "duty", dismiss),
    ("POST", "/proposals/{uid}/opinions", "duty", add_view),
    ("GET", "/proposals/{uid}/photos/{photo}", "duty", show_seen),
)
