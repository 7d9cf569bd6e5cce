"""Importing rosters (值班表): who is on duty at which desk, from when to when, as a table or as a calendar.

A calendar's events each name one person: `ATTENDEE` or `SUMMARY` begins with their ref, and with ` B` (or `副班`) behind it for
the B person; `LOCATION` is the desk's code, the county's where there is none. An event that repeats is a shift each time, from
a month back to the horizon of `repeats`; what EXDATE takes out is none, and an event with a RECURRENCE-ID stands in its place.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar

from warnhub.directory.fields import Reader, Wrong, read_ref
from warnhub.directory.listing import Listing, Values, import_listing
from warnhub.directory.reading import CodeReader
from warnhub.directory.repeats import beginnings, instant, is_repeated
from warnhub.directory.report import BadLine, Progress, Report
from warnhub.store.areas import load_codes
from warnhub.store.engine import Store
from warnhub.store.rosters import Shift, duty_people, save_shifts

COLUMNS = {
    "desk": ("值班台", "区划代码", "区划", "area_code", "code"),
    "person": ("人员编号", "值班员", "值班人员", "编号", "ref"),
    "rank": ("班次", "主副班", "ab"),
    "start": ("开始", "接班时间", "开始时间", "from"),
    "end": ("结束", "交班时间", "结束时间", "to"),
}
RANKS = dict.fromkeys(("a", "主", "主班", "a岗", "a班", "1"), 1) | dict.fromkeys(("b", "副", "副班", "b岗", "b班", "2"), 2)
FORMS = ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S")
LARGEST, LONGEST, MOST = 4_000_000, 7 * 24 * 3_600_000, 20_000
PATIENCE = 20.0
"""Seconds that a calendar may take to be read."""


def read_rank(cell: str) -> int:
    """A or B, in any of their usual words: 1 or 2."""
    if cell.lower() not in RANKS:
        raise Wrong("rank")
    return RANKS[cell.lower()]


def read_moment(zone: ZoneInfo) -> Reader:
    """A reader of times of the county's clock, or with an offset of their own, as milliseconds."""

    def read(cell: str) -> int:
        for form in FORMS:
            try:
                return moment(datetime.strptime(cell, form), zone)
            except ValueError:
                continue
        try:
            return moment(datetime.fromisoformat(cell), zone)
        except ValueError:
            raise Wrong("moment") from None

    return read


def moment(at: datetime, zone: ZoneInfo) -> int:
    """Milliseconds since 1970; a time without a zone is the county's."""
    return int((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp() * 1_000)


def read_person(people: Mapping[str, int]) -> Reader:
    """A reader of refs of people who may be on duty."""

    def read(cell: str) -> int:
        ref = read_ref(cell)
        if ref not in people:
            raise Wrong("unknown_ref")
        return people[ref]

    return read


def make_shift(values: Values) -> Shift:
    """A shift from a line. Raises `Wrong` where it ends before it begins, or lasts more than a week."""
    start, end = int(values["start"]), int(values["end"])
    if not start < end <= start + LONGEST:
        raise Wrong("span")
    return Shift(int(values["desk"]), int(values["person"]), int(values.get("rank", 1)), start, end)


async def import_roster(
    store: Store, path: Path, zone: str, county: str, *, partial: bool = False, progress: Progress | None = None
) -> Report:
    """Add shifts from a CSV file (the columns are COLUMNS) or an iCalendar; a shift that is known is left alone.

    `zone` is the county's, `county` its code. OSError if the file cannot be read.
    """
    async with store.read() as conn:
        codes, people = await load_codes(conn), await duty_people(conn)
    readers: dict[str, Reader] = {
        "desk": CodeReader(codes),
        "person": read_person(people),
        "rank": read_rank,
        "start": read_moment(ZoneInfo(zone)),
        "end": read_moment(ZoneInfo(zone)),
    }
    if not await asyncio.to_thread(is_calendar, path):
        listing = Listing(COLUMNS, readers, ("desk", "person", "start", "end"))
        return await import_listing(store, path, listing, make_shift, save_shifts, partial, progress)
    report = Report()
    async with store.read() as conn:
        now = datetime.fromtimestamp(await store.now(conn) / 1_000, UTC)
    shifts = await asyncio.to_thread(read_calendar, path, readers, ZoneInfo(zone), county, report, now)
    if shifts and (partial or not report.bad_count):
        async with store.write() as tx:
            report.count(await save_shifts(tx, shifts))
    return report


def is_calendar(path: Path) -> bool:
    """Whether a file begins as an iCalendar does."""
    with path.open("rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \r\n").upper().startswith(b"BEGIN:VCALENDAR")


def read_calendar(
    path: Path, readers: Mapping[str, Reader], zone: ZoneInfo, county: str, report: Report, now: datetime
) -> list[Shift]:
    """The shifts of a calendar's events; what cannot be used is refused by the number of its event."""
    body = path.read_bytes()
    try:
        if len(body) > LARGEST:
            raise ValueError(f"{len(body)} bytes")
        events = Calendar.from_ical(body).walk("VEVENT")
    except (ValueError, KeyError, IndexError) as error:
        report.refuse(BadLine(1, "", "file", str(error)[:60]))
        return []
    shifts: list[Shift] = []
    end = monotonic() + PATIENCE
    replaced = {key for event in events if (key := replaced_key(event, zone))}
    for number, event in enumerate(events, 1):
        report.lines += 1
        if str(event.get("status", "")).upper() == "CANCELLED":
            continue
        shift, wrong = read_event(number, event, readers, zone, county)
        if shift is None:
            report.refuse(*wrong)
            continue
        try:
            shifts += repeat_shift(shift, event, zone, now, replaced) if is_repeated(event) else [shift]
        except Wrong as error:
            report.refuse(BadLine(number, "RRULE", error.rule))
        if len(shifts) > MOST or monotonic() > end:
            report.refuse(BadLine(number, "RRULE", "recurring"))
            return []
    return shifts


def replaced_key(event: Any, zone: ZoneInfo) -> tuple[str, int] | None:
    """(UID, the beginning that it stands in for) of an event that takes the place of one time of another."""
    found = event.get("recurrence-id")
    at = getattr(found, "dt", None)
    return (str(event.get("uid", "")), moment(instant(at, zone), zone)) if at is not None else None


def repeat_shift(shift: Shift, event: Any, zone: ZoneInfo, now: datetime, replaced: set[tuple[str, int]]) -> list[Shift]:
    """A shift for each time an event takes place, as long as the first by the clock on the wall."""
    name, first = str(event.get("uid", "")), instant(event["dtstart"].dt, zone)
    length = instant(event["dtend"].dt, zone).replace(tzinfo=None) - first.replace(tzinfo=None)
    found = []
    for at in beginnings(event, zone, now):
        start = moment(at, zone)
        if (name, start) not in replaced:
            found.append(replace(shift, start=start, end=moment(at + length, zone)))
    return found


def read_event(
    number: int, event: Any, readers: Mapping[str, Reader], zone: ZoneInfo, county: str
) -> tuple[Shift | None, list[BadLine]]:
    """One event as a shift, or what is wrong with it."""
    wrong: list[BadLine] = []
    values: Values = {}
    if "RANGE" in getattr(event.get("recurrence-id"), "params", {}):
        return None, [BadLine(number, "RECURRENCE-ID", "recurring")]
    for column, cell in event_cells(event, county).items():
        try:
            values[column] = readers[column](cell)
        except Wrong as error:
            wrong.append(BadLine(number, column, error.rule, cell[:40]))
    for column, name in (("start", "dtstart"), ("end", "dtend")):
        at = getattr(event.get(name), "dt", None)
        if isinstance(at, datetime):
            values[column] = moment(at, zone)
        elif isinstance(at, date):
            values[column] = moment(datetime.combine(at, time(), zone), zone)
        else:
            wrong.append(BadLine(number, name.upper(), "required"))
    if wrong:
        return None, wrong
    try:
        return make_shift(values), []
    except Wrong as error:
        return None, [BadLine(number, "DTEND", error.rule)]


def event_cells(event: Any, county: str) -> dict[str, str]:
    """The desk, the person and the rank of an event, as a table would have them."""
    attendee = event.get("attendee")
    named = attendee[0] if isinstance(attendee, Sequence) and not isinstance(attendee, str) and attendee else attendee
    said = str(getattr(named, "params", {}).get("CN", "") or event.get("summary", "")).strip()
    person, _, rest = said.partition(" ")
    rank = rest.strip().strip("()（）") or "A"
    return {"desk": str(event.get("location", "") or county).strip(), "person": person, "rank": rank}
