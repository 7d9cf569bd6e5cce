"""The roster: who is on duty now, who is next, where nobody is, and the hand-over."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.console import figures
from warnhub.console.sheets import Act, Cell, Field, Sheet, Table, Tile, show
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.store.audits import hold_audit
from warnhub.store.rosters import FIRST, Gap, Planned, duty_names, duty_people, find_gaps, hand_over, list_shifts

DAY = 24 * 3_600_000
AHEAD = 7 * DAY
SOON = DAY


async def show_roster(visit: Visit, trouble: str = "", status: int = 200) -> Response:
    """The page."""
    lang = visit.lang
    async with visit.hub.store.read() as conn:
        now = await visit.hub.store.now(conn)
        shifts = await list_shifts(conn, now, now + AHEAD)
        people = sorted((await duty_names(conn)).items(), key=lambda one: one[1])
    gaps, current = find_gaps(shifts, now, now + AHEAD), [one for one in shifts if one.start <= now]
    sheet = Sheet(say("roster.title", lang), lead=say("roster.lead", lang), trouble=trouble)
    sheet.tiles = roster_tiles(current, gaps, now, lang)
    sheet.tables = [gap_table(visit, gaps, now), shift_table(visit, shifts, now)]
    if visit.may("duty"):
        names = {ref: f"{name} ({ref})" for ref, name in people[:500]}
        for one in current:
            fields = [Field("shift", value=str(one.id)), Field("person", say("roster.next", lang), options=names, needed=True)]
            label = say("roster.hand_over", lang, name=one.name, place=one.place)
            sheet.acts.append(Act(label, "/roster", fields, say("roster.hand_over.about", lang)))
    return show(visit, sheet, status)


def roster_tiles(current: list[Planned], gaps: list[Gap], now: int, lang: str) -> list[Tile]:
    """Who is on duty, and how soon nobody is."""
    first = [one.name for one in current if one.rank == FIRST]
    second = [one.name for one in current if one.rank != FIRST]
    kind = "bad" if any(gap.start < now + SOON for gap in gaps) else "warn" if gaps else "good"
    return [
        Tile("、".join(first[:3]) or "–", say("roster.first", lang), say("roster.first.about", lang), "" if first else "bad"),
        Tile("、".join(second[:3]) or "–", say("roster.second", lang), say("roster.second.about", lang)),
        Tile(str(len(gaps)), say("roster.gaps", lang), say("roster.gaps.about", lang), kind),
    ]


def span(visit: Visit, start: int, end: int) -> str:
    """From when to when, by the county's clock."""
    zone, lang = visit.console.zone, visit.lang
    return f"{figures.moment(start, zone, lang)} – {figures.moment(end, zone, lang)}"


def gap_table(visit: Visit, gaps: list[Gap], now: int) -> Table:
    """Where nobody is, the next first."""
    lang = visit.lang
    rows = []
    for gap in sorted(gaps, key=lambda gap: gap.start):
        soon = gap.start < now + SOON
        state = Cell(say("roster.soon" if soon else "roster.later", lang), chip="late" if soon else "")
        rows.append([Cell(gap.place), Cell(span(visit, gap.start, gap.end)), state])
    heads = [say(key, lang) for key in ("roster.desk", "roster.span", "col.state")]
    return Table(say("roster.gaps", lang), heads, rows, say("roster.gaps.about", lang), say("roster.no_gaps", lang))


def shift_table(visit: Visit, shifts: list[Planned], now: int) -> Table:
    """Every shift of the next days."""
    lang = visit.lang
    rows = [
        [
            Cell(one.place),
            Cell(one.name, one.ref),
            Cell(say("roster.rank.a" if one.rank == FIRST else "roster.rank.b", lang)),
            Cell(span(visit, one.start, one.end)),
            Cell(say("roster.now", lang), chip="done") if one.start <= now else Cell(""),
        ]
        for one in shifts
    ]
    heads = [say(key, lang) for key in ("roster.desk", "col.person", "roster.rank", "roster.span", "col.state")]
    return Table(say("roster.shifts", lang), heads, rows, "", say("roster.empty", lang))


async def do_hand_over(visit: Visit) -> Response:
    """Somebody takes over the rest of a shift."""
    shift, ref = visit.form.get("shift", ""), visit.form.get("person", "")
    if not shift.isdecimal() or len(shift) > 15:
        raise HTTPException(400, f"shift: must be a number, not {shift[:20]!r}")
    async with visit.hub.store.write() as tx:
        await hold_audit(tx)
        person = (await duty_people(tx.conn)).get(ref)
        done = person is not None and await hand_over(tx, int(shift), person, visit.actor)
    if not done:
        return await show_roster(visit, say("roster.not_done", visit.lang), 409)
    return visit.go("/roster")


ROUTES = (("GET", "/roster", "viewer", show_roster), ("POST", "/roster", "duty", do_hand_over))
