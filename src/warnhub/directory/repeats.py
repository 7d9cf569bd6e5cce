"""Events of a calendar that repeat (RFC 5545: RRULE, RDATE, EXDATE, RECURRENCE-ID), as the moments at which each begins.

Nothing here goes on for ever: a rule that has no end is followed to the horizon, and only by day, week, month or year.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from icalendar import vRecur

from warnhub.directory.fields import Wrong

BEFORE, AHEAD = timedelta(days=31), timedelta(days=400)
"""How far back and ahead of now a repeated event is followed."""

MOST, STEPS = 1_000, 20_000
"""Times that one event is kept, and times its rule is followed at all, from its beginning."""

SLOW = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
PARTS = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTHDAY", "BYMONTH"})
LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def instant(value: Any, zone: ZoneInfo) -> datetime:
    """A date or time of a calendar, in the zone it says; a time without one, and a whole day, are the county's."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=zone)
    if isinstance(value, date):
        return datetime.combine(value, time(), zone)
    raise Wrong("recurring")


def listed(event: Any, name: str) -> Iterator[Any]:
    """Every date of EXDATE or RDATE, which may stand once or many times."""
    found = event.get(name)
    for part in found if isinstance(found, list) else [found] if found is not None else []:
        for one in part.dts:
            yield one.dt


def is_repeated(event: Any) -> bool:
    """Whether it takes place more than once."""
    return bool(event.get("rrule") or event.get("rdate"))


def beginnings(event: Any, zone: ZoneInfo, now: datetime) -> list[datetime]:
    """When a repeated event begins, from a month before now to the horizon, without what EXDATE takes out.

    Raises `Wrong` for a rule that is none, that repeats within a day, or that would give more than `MOST` times.
    """
    given = event["dtstart"].dt
    first = instant(given, zone)
    low, high = now - BEFORE, now + AHEAD
    out = list(listed(event, "exdate"))
    days = {one for one in out if not isinstance(one, datetime)}
    moments = {instant(one, zone) for one in out if isinstance(one, datetime)}
    found = {first, *(instant(one, zone) for one in listed(event, "rdate"))}
    for rule in rules_of(event):
        found.update(follow(rule, first, zone, high))
    kept = sorted(at for at in found if low <= at < high and at not in moments and at.date() not in days)
    if len(kept) > MOST:
        raise Wrong("recurring")
    return kept


def rules_of(event: Any) -> list[Any]:
    """The RRULEs of an event."""
    found = event.get("rrule")
    return found if isinstance(found, list) else [found] if found else []


def follow(rule: Any, first: datetime, zone: ZoneInfo, high: datetime) -> Iterator[datetime]:
    """The beginnings by one rule, by the wall clock of the event's own zone."""
    if not isinstance(rule, vRecur) or not is_plain(rule):
        raise Wrong("recurring")
    until = [last_moment(one, first, zone) for one in rule.get("UNTIL", [])]
    plain = {name: value for name, value in rule.items() if name != "UNTIL"}
    try:
        written = vRecur(plain).to_ical().decode()  # type: ignore[no-untyped-call]  # the package leaves it open
        steps = iter(rrulestr(written, dtstart=first.replace(tzinfo=None)))
    except (ValueError, TypeError, KeyError):
        raise Wrong("recurring") from None
    for number, step in enumerate(steps):
        at = step.replace(tzinfo=first.tzinfo)
        if at >= high or any(at > end for end in until):
            return
        if number >= STEPS:
            raise Wrong("recurring")
        yield at


def is_plain(rule: vRecur) -> bool:
    """Whether a rule is one that takes place again and again: what never comes true would be looked for until the year 9999."""
    if set(rule) - PARTS or {str(one).upper() for one in rule.get("FREQ", [])} - SLOW or not rule.get("FREQ"):
        return False
    days = [int(day) for day in rule.get("BYMONTHDAY", [])]
    months = [int(month) for month in rule.get("BYMONTH", [])]
    places = [str(day)[:-2] for day in rule.get("BYDAY", []) if str(day)[:-2]]
    if any(not 1 <= abs(day) <= 31 for day in days) or any(not 1 <= month <= 12 for month in months):
        return False
    if any(not 1 <= abs(int(place)) <= 5 for place in places) or (places and days):
        return False
    longest = max((LENGTHS[month - 1] for month in months), default=31)
    return not days or min(abs(day) for day in days) <= longest


def last_moment(value: Any, first: datetime, zone: ZoneInfo) -> datetime:
    """UNTIL, inclusive: a whole day is meant to its end."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=first.tzinfo or zone)
    if isinstance(value, date):
        return datetime.combine(value, time.max, first.tzinfo or zone)
    return datetime.min.replace(tzinfo=UTC)
