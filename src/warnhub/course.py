"""Where an alert stands among the others: what it follows, what it ends, what it says again, and what was waiting for it.

Matched by identifier first; where an update or an end names nothing, by agency, sender, status, hazard and place, and only
if that leaves no doubt. What is found here is kept beside the alert, never in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import Alert, Gate, Kind, Problem, Reference
from warnhub.ingest.endings import ends_by_update, lifts, said_level, same_reading, same_words
from warnhub.plan.audience import Extent, Places
from warnhub.store import gates, tables
from warnhub.store.agencies import COUNTY
from warnhub.store.alerts import PART, Kept, find_referenced, milliseconds, to_kept
from warnhub.store.assignments import UNMET, Assignment, add_assignment, close_key
from warnhub.store.audits import add_audit
from warnhub.store.elsewhere import known_elsewhere
from warnhub.store.engine import Tx
from warnhub.store.readings import first_alerts, later_issues
from warnhub.store.warnings import LIVING, Warning, read_warning, warning_alert, warnings_of

REISSUED = timedelta(hours=6)
"""Alerts that say the same within this time are one warning; after it the village hears it again."""

NAMED, TITLED = 3, 200
"""How many unknown alerts a task names, and how long its title gets."""

WITHIN = int(timedelta(hours=1).total_seconds() * 1_000)

OPEN = frozenset(("pending", LIVING))
ANSWERED = frozenset(("MISSING_REFERENCE", "LIFTED_NOT_CANCELLED"))
"""What a reader must leave to a person, and the ledger may know."""


@dataclass(slots=True)
class Course:
    """`alert` is as it is read here; `changes` what of it that is beyond its words. `first`: the warning it says again.
    `unknown`: what it names, where nothing of it is known here; `lost`: what is not known of it beside what is."""

    alert: Alert
    referenced: list[int] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)
    answered: frozenset[str] = frozenset()
    first: Warning | None = None

    def settle(self, problems: Sequence[Problem]) -> list[Problem]:
        """The reader's problems, those the ledger has answered as notes, and what was found here."""
        calm = [one.model_copy(update={"gate": Gate.ACCEPT}) if one.rule in self.answered else one for one in problems]
        return [*calm, *self.notes]

    def placing(self, extent: Extent) -> list[Problem]:
        """What cannot be placed; of an end, which goes to those who were told, a note."""
        if self.alert.kind is not Kind.CANCEL:
            return extent.problems
        return [one.model_copy(update={"gate": Gate.ACCEPT}) for one in extent.problems]

    def read_as(self, why: Problem, **changes: Any) -> None:
        """Read the alert so."""
        self.alert = self.alert.model_copy(update=changes)
        self.changes |= self.alert.model_dump(mode="json", include=set(changes))
        self.notes.append(why)


def note(path: str, rule: str, message: str, value: str = "", gate: Gate = Gate.ACCEPT) -> Problem:
    """What was found."""
    return Problem(path=path, rule=rule, message=message, value=value, gate=gate)


async def plot_course(conn: AsyncConnection, places: Places, agency: str, alert: Alert, extent: Extent) -> Course:
    """Where a new alert of an agency stands; nothing is written."""
    course = Course(alert)
    if over := ends_by_update(alert):
        course.read_as(
            note("kind", "ENDED_BY_UPDATE", "更新表明预警已结束,按解除处理 / an update that ends", over), kind=Kind.CANCEL
        )
    if not alert.references:
        await match_place(conn, places, agency, course, extent)
    found, unknown = await find_referenced(conn, course.alert, agency)
    passed = await known_elsewhere(conn, agency, alert.sender, unknown) if unknown else set()
    message = "所引用的预警只涉及外县,此前未接收 / was seen, and concerned other counties"
    course.notes += [note("references", "SEEN_ELSEWHERE", message, name) for name in sorted(passed)]
    unknown = [name for name in unknown if name not in passed]
    course.referenced = found
    course.unknown = [] if found else unknown
    if found:
        lost = [note("references", "REFERENCE_UNKNOWN", "另有未收到的引用 / not known here", name) for name in unknown]
        course.notes += lost
        course.lost = unknown
    if course.alert.kind is Kind.CANCEL:
        await check_reissued(conn, course)
        await check_succeeded(conn, agency, course)
    if course.alert.kind is Kind.ALERT and not course.alert.references:
        course.first = await find_first(conn, places, agency, course.alert, extent)
    return course


async def match_place(conn: AsyncConnection, places: Places, agency: str, course: Course, extent: Extent) -> None:
    """Find what an update, a cancel or a 解除 without references is about: the one warning that it can mean."""
    alert = course.alert
    lifting = alert.kind is Kind.ALERT and lifts(alert)
    if not (lifting or alert.kind in {Kind.UPDATE, Kind.CANCEL}):
        return
    ending = lifting or alert.kind is Kind.CANCEL
    fitting = [
        (one, said)
        for one, said in await same_subject(conn, agency, alert)
        if extent.home and same_place(places.select(said.areas).home, extent.home, ending)
    ]
    colour = said_level(alert) if ending else None
    fitting = [(one, said) for one, said in fitting if colour in {None, said.level}]
    if len(fitting) != 1:
        return
    warning, said = fitting[0]
    why = note("references", "MATCHED_BY_PLACE", "按单位、灾种和区域匹配到原预警 / found by place", warning.uid)
    named = [Reference(identifier=said.identifier, sender=said.sender, sent=said.sent)]
    course.read_as(why, references=named, **({"kind": Kind.CANCEL} if lifting else {}))
    course.answered = ANSWERED


def same_place(old: set[int], new: set[int], ending: bool) -> bool:
    """Whether one is about the other's places; an end may be wider, never narrower."""
    return old == new or (ending and bool(old) and old <= new)


async def same_subject(conn: AsyncConnection, agency: str, alert: Alert, *more: Any) -> list[tuple[Warning, Alert]]:
    """The agency's own warnings that wait or live, of the same sender, status and hazard, with what they said. `more` narrows
    by what the alert said before anybody read it otherwise."""
    query = (
        select(tables.warning, tables.alert.c.body, gates.reading.c.changes)
        .join(tables.alert, tables.alert.c.id == tables.warning.c.alert_id)
        .outerjoin(gates.reading, gates.reading.c.alert_id == tables.alert.c.id)
        .where(
            tables.warning.c.state.in_(OPEN),
            tables.warning.c.kind != Kind.CANCEL.value,
            tables.alert.c.agency_id == agency,
            tables.alert.c.sender == alert.sender,
            tables.alert.c.status == alert.status.value,
            tables.alert.c.hazard == alert.hazard,
            *more,
        )
        .order_by(tables.warning.c.id)
    )
    rows = await conn.execute(query)  # one question for all: a busy hour has hundreds
    return [(Warning(*row[:-2]), Alert.model_validate(row.body | (row.changes or {}))) for row in rows]


async def find_first(conn: AsyncConnection, places: Places, agency: str, alert: Alert, extent: Extent) -> Warning | None:
    """The warning that this alert says again under another identifier: all but its times is the same, or, of a station that is
    read again and again, all but its values."""
    about = milliseconds(alert.sent), int(REISSUED.total_seconds() * 1_000)
    near = tables.alert.c.sent.between(about[0] - about[1], about[0] + about[1])
    for warning, said in await same_subject(conn, agency, alert, near, tables.alert.c.kind == Kind.ALERT.value):
        alike = (
            said.kind is Kind.ALERT
            and said.identifier != alert.identifier
            and (said.level, said.scope, said.restriction) == (alert.level, alert.scope, alert.restriction)
            and abs(alert.sent - said.sent) <= REISSUED
            and (same_words(said, alert) or same_reading(said, alert))
        )
        if alike and extent.home and places.select(said.areas).home == extent.home:
            return warning
    return None


async def check_reissued(conn: AsyncConnection, course: Course) -> None:
    """A cancel of a warning that was said again since does not say whether that is over too."""
    later = set(await later_issues(conn, course.referenced)) - set(course.referenced)
    if later:
        message = "该预警其后又以新标识发布,须确认是否一并解除 / it was issued again since: is that over too?"
        course.notes.append(note("references", "REISSUED_SINCE", message, str(len(later)), Gate.HOLD))


async def check_succeeded(conn: AsyncConnection, agency: str, course: Course) -> None:
    """An agency ends what the county's own warning has taken the place of: whether that is over too, a person says."""
    if agency == COUNTY or not course.referenced:
        return
    older = [one.id for one in await warnings_of(conn, course.referenced)]
    query = select(tables.warning.c.uid).where(
        tables.warning.c.previous_id.in_(older),
        tables.warning.c.agency_id == COUNTY,
        tables.warning.c.kind != Kind.CANCEL.value,
        tables.warning.c.state == LIVING,
    )
    for uid in (await conn.execute(query)).scalars():
        message = "县级预警已接替该预警,须由值班员决定是否一并解除 / the county's own warning took its place: is that over too?"
        course.notes.append(note("references", "SUCCEEDED_BY_COUNTY", message, uid, Gate.HOLD))


async def ask_unmet(tx: Tx, cancel: int, alert: Alert, lost: Sequence[str]) -> None:
    """What a cancel named and we know was stopped at once; what it names beside that may live here under another name, so the
    desk is asked to find out."""
    named = "、".join(lost[:NAMED]) + (f"等{len(lost)}条" if len(lost) > NAMED else "")
    title = f"核实：{alert.sender}的解除还引用了未收到的预警 {named}"[:TITLED]
    one = Assignment(f"{UNMET}:{cancel}", UNMET, title, "county_duty", tx.now + WITHIN, tx.now, "text")
    if lost and await add_assignment(tx, one):
        await add_audit(tx, "policy", "cancel.unmet", alert.identifier, {"unknown": list(lost)})


async def close_unmet(tx: Tx, agency: str, cancel: int, alert: Alert) -> None:
    """All that a cancel names has come meanwhile: nothing is left to find out."""
    _, unknown = await find_referenced(tx.conn, alert, agency)
    if not unknown:
        await close_key(tx, f"{UNMET}:{cancel}")


async def not_over(conn: AsyncConnection, alerts: Sequence[int]) -> list[Warning]:
    """The warnings of these alerts that wait or live; an all-clear is not one."""
    found = await warnings_of(conn, await first_alerts(conn, alerts))
    return [one for one in found if one.state in OPEN and one.kind != Kind.CANCEL.value]


async def find_replaced(conn: AsyncConnection, places: Places, warning: Warning, alert: Alert) -> list[Warning]:
    """The warnings a new one takes the place of: those it refers to, and the same agency's for the same hazard and area."""
    referenced, _ = await find_referenced(conn, alert, warning.agency_id)
    found = {one.id: one for one in await warnings_of(conn, await first_alerts(conn, referenced))}
    rows = await conn.execute(
        text(
            "SELECT id FROM warning WHERE state IN ('pending', 'released') AND hazard = :h AND agency_id = :a "
            "AND id <> :id AND kind <> 'cancel' AND coalesce(drill, '') = :d"
        ),
        {"h": warning.hazard, "a": warning.agency_id, "id": warning.id, "d": warning.drill or ""},
    )
    home = places.select(alert.areas).home
    for number in [int(row[0]) for row in rows]:
        other = await read_warning(conn, number)
        if other and number not in found:
            said = await warning_alert(conn, other)
            sibling = (said.sender, said.message, said.sent) == (alert.sender, alert.message, alert.sent)
            if not sibling and places.select(said.areas).home <= home:
                found[number] = other
    found.pop(warning.id, None)
    return [one for one in found.values() if one.state in OPEN]


async def find_followers(conn: AsyncConnection, agency: str, alert: Alert) -> list[tuple[Kept, Warning | None]]:
    """What came before the alert it speaks of: the same agency's and sender's, in the same status, with their warnings."""
    query = (
        select(tables.alert)
        .join(tables.reference, tables.reference.c.alert_id == tables.alert.c.id)
        .where(
            tables.reference.c.identifier.in_({alert.identifier, alert.message}),
            tables.reference.c.position != PART,
            tables.alert.c.agency_id == agency,
            tables.alert.c.sender == alert.sender,
            tables.alert.c.status == alert.status.value,
            tables.alert.c.kind.in_([Kind.UPDATE.value, Kind.CANCEL.value]),
            tables.alert.c.sent >= milliseconds(alert.sent),
        )
        .order_by(tables.alert.c.sent, tables.alert.c.id)
    )
    kept = [to_kept(row) for row in await conn.execute(query)]
    own = {one.alert_id: one for one in await warnings_of(conn, [one.id for one in kept])}
    return [(one, own.get(one.id)) for one in kept]
