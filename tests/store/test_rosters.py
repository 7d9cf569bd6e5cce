"""Rosters: read from tables and calendars, gaps before they bite, and the hand-over."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from town import COUNTY, MINUTE, NOW, TOWN, County

from warnhub.directory.report import Report
from warnhub.directory.roster import import_roster
from warnhub.store.rosters import find_desk, find_gaps, hand_over, list_shifts

HOUR = 60 * MINUTE
ZONE = "Asia/Shanghai"
TABLE = """值班台,人员编号,班次,接班时间,交班时间
990123,D1,A,2026-06-12 08:00,2026-06-12 20:00
990123,T1,主班,2026/06/12 22:00,2026-06-13 08:00
990123,H1,B,2026-06-12 08:00,2026-06-13 08:00
990123100,T1,A,2026-06-12T08:00:00+08:00,2026-06-13 08:00
"""
CALENDAR = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//office//calendar//\r
BEGIN:VEVENT\r
UID:1\r
SUMMARY:D1 (A)\r
DTSTART;TZID=Asia/Shanghai:20260612T080000\r
DTEND;TZID=Asia/Shanghai:20260612T200000\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:2\r
SUMMARY:T1 副班\r
LOCATION:990123100\r
DTSTART:20260612T000000Z\r
DTEND:20260613T000000Z\r
END:VEVENT\r
END:VCALENDAR\r
"""


def at(hour: int, day: int = 12) -> int:
    """An hour of June 2026 in the county."""
    return int(datetime(2026, 6, day, hour, tzinfo=UTC).timestamp() * 1_000) - 8 * HOUR


async def take(county: County, folder: Path, text: str, name: str = "roster.csv", encoding: str = "utf-8") -> Report:
    """Import a file."""
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return await import_roster(county.store, path, ZONE, COUNTY)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
async def test_a_table_is_read(county: County, tmp_path: Path, encoding: str) -> None:
    report = await take(county, tmp_path, TABLE, encoding=encoding)
    assert (report.added, report.updated, report.bad) == (4, 0, [])
    async with county.store.read() as conn:
        shifts = await list_shifts(conn, at(0), at(0, 14))
    assert [(one.place, one.ref, one.rank, one.start, one.end) for one in shifts] == [
        ("云岭县", "D1", 1, at(8), at(20)),
        ("云岭县", "H1", 2, at(8), at(8, 13)),
        ("云岭县", "T1", 1, at(22), at(8, 13)),
        ("云溪镇", "T1", 1, at(8), at(8, 13)),
    ]
    again = await take(county, tmp_path, TABLE.replace("H1,B", "H1,A"))
    assert (again.added, again.updated, again.unchanged) == (0, 1, 3)


async def test_a_calendar_is_read(county: County, tmp_path: Path) -> None:
    report = await take(county, tmp_path, CALENDAR, "roster.ics")
    assert (report.added, report.bad) == (2, [])
    async with county.store.read() as conn:
        shifts = await list_shifts(conn, at(0), at(0, 14))
    assert [(one.place, one.ref, one.rank, one.start, one.end) for one in shifts] == [
        ("云岭县", "D1", 1, at(8), at(20)),
        ("云溪镇", "T1", 2, at(8), at(8, 13)),
    ]


@pytest.mark.parametrize(
    ("line", "field", "rule"),
    [
        ("990123,NOBODY,A,2026-06-12 08:00,2026-06-12 20:00", "person", "unknown_ref"),
        ("990123,R1,A,2026-06-12 08:00,2026-06-12 20:00", "person", "unknown_ref"),
        ("880000,D1,A,2026-06-12 08:00,2026-06-12 20:00", "desk", "area"),
        ("990123,D1,C,2026-06-12 08:00,2026-06-12 20:00", "rank", "rank"),
        ("990123,D1,A,昨天,2026-06-12 20:00", "start", "moment"),
        ("990123,D1,A,2026-06-12 08:00,", "end", "required"),
        ("990123,D1,A,2026-06-12 08:00,2026-06-12 07:00", "", "span"),
        ("990123,D1,A,2026-06-12 08:00,2026-06-29 07:00", "", "span"),
    ],
)
async def test_what_cannot_be_used_is_named_and_nothing_is_kept(
    county: County, tmp_path: Path, line: str, field: str, rule: str
) -> None:
    report = await take(county, tmp_path, TABLE + line + "\n")
    assert [(bad.line, bad.field, bad.rule) for bad in report.bad] == [(6, field, rule)]
    assert await county.rows("SELECT 1 FROM shift") == []


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("SUMMARY:D1 (A)", "SUMMARY:D1 (A)\r\nRRULE:FREQ=HOURLY", "recurring"),
        ("SUMMARY:D1 (A)", "SUMMARY:D1 (A)\r\nRRULE:FREQ=DAILY;BYDAY=XX", "recurring"),
        ("SUMMARY:D1 (A)", "SUMMARY:D1 (A)\r\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "recurring"),
        ("SUMMARY:D1 (A)", "SUMMARY:D1 (A)\r\nRRULE:FREQ=MONTHLY;BYDAY=6MO", "recurring"),
        ("SUMMARY:D1 (A)", "SUMMARY:D1 (A)\r\nRRULE:FREQ=DAILY;BYSETPOS=2", "recurring"),
        ("SUMMARY:D1 (A)", "SUMMARY:张三", "unknown_ref"),
        ("DTEND;TZID=Asia/Shanghai:20260612T200000", "X-NO:1", "required"),
        ("20260612T200000", "20260612T070000", "span"),
    ],
)
async def test_a_calendar_that_cannot_be_used_is_refused(county: County, tmp_path: Path, old: str, new: str, rule: str) -> None:
    report = await take(county, tmp_path, CALENDAR.replace(old, new), "roster.ics")
    assert [(bad.line, bad.rule) for bad in report.bad] == [(1, rule)]
    assert await county.rows("SELECT 1 FROM shift") == []


async def test_what_is_no_calendar_is_refused_whole(county: County, tmp_path: Path) -> None:
    report = await take(county, tmp_path, "BEGIN:VCALENDAR\r\nnonsense", "roster.ics")
    assert report.bad_count <= 1
    assert await county.rows("SELECT 1 FROM shift") == []


async def test_gaps_are_seen_before_they_bite(county: County, tmp_path: Path) -> None:
    await take(county, tmp_path, TABLE)
    async with county.store.read() as conn:
        shifts = await list_shifts(conn, at(9), at(12, 13))
    gaps = {(gap.place, gap.start, gap.end) for gap in find_gaps(shifts, at(9), at(12, 13))}
    assert gaps == {
        ("云岭县", at(20), at(22)),
        ("云岭县", at(8, 13), at(12, 13)),
        ("云溪镇", at(8, 13), at(12, 13)),
    }
    assert find_gaps([], at(9), at(12)) == []


async def test_the_rest_of_a_shift_is_handed_over_on_the_record(county: County, tmp_path: Path) -> None:
    await take(county, tmp_path, TABLE)
    assert timedelta(milliseconds=NOW - at(0)) == timedelta(hours=16, minutes=20)
    async with county.store.read() as conn:
        assert [one.ref for one in await find_desk(conn, NOW)] == ["D1", "H1"]
        (shift,) = [one.id for one in await list_shifts(conn, NOW, NOW + 1) if one.ref == "D1"]
    async with county.store.write() as tx:
        assert await hand_over(tx, shift, county.people["T1"], "user:a")
        assert not await hand_over(tx, shift, county.people["T1"], "user:a")
    async with county.store.read() as conn:
        assert [one.ref for one in await find_desk(conn, NOW)] == ["T1", "H1"]
        assert find_gaps(await list_shifts(conn, NOW, at(20)), NOW, at(20)) == []
        assert [one.ref for one in await find_desk(conn, at(21))] == ["H1"]
    rows = await county.rows("SELECT actor, action FROM audit WHERE action = 'roster.handed_over'")
    assert [tuple(row) for row in rows] == [("user:a", "roster.handed_over")]


async def test_without_a_roster_the_county_s_duty_stands_in(county: County) -> None:
    async with county.store.read() as conn:
        assert [(one.ref, one.rostered) for one in await find_desk(conn, NOW)] == [("D1", False)]
    assert TOWN.startswith(COUNTY)


REPEATED = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//office//calendar//\r
BEGIN:VEVENT\r
UID:day\r
SUMMARY:D1 (A)\r
DTSTART;TZID=Asia/Shanghai:20260601T080000\r
DTEND;TZID=Asia/Shanghai:20260601T200000\r
RRULE:FREQ=DAILY;INTERVAL=2;UNTIL=20260617T235959Z\r
EXDATE;TZID=Asia/Shanghai:20260613T080000\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:day\r
RECURRENCE-ID;TZID=Asia/Shanghai:20260615T080000\r
SUMMARY:T1 (A)\r
DTSTART;TZID=Asia/Shanghai:20260615T090000\r
DTEND;TZID=Asia/Shanghai:20260615T200000\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:gone\r
SUMMARY:D1 (A)\r
STATUS:CANCELLED\r
DTSTART;TZID=Asia/Shanghai:20260612T080000\r
DTEND;TZID=Asia/Shanghai:20260612T200000\r
END:VEVENT\r
END:VCALENDAR\r
"""


async def shifts_of(county: County, first: int = 1, last: int = 30) -> list[tuple[str, int, int]]:
    """Who is on duty from when to when, of June."""
    async with county.store.read() as conn:
        return [(one.ref, one.start, one.end) for one in await list_shifts(conn, at(0, first), at(0, last))]


async def test_an_event_that_repeats_is_a_shift_each_time(county: County, tmp_path: Path) -> None:
    """Every other day from the first of June until the seventeenth; not on the 13th, and another stands in on the 15th."""
    report = await take(county, tmp_path, REPEATED, "roster.ics")
    assert report.bad == []
    days = [1, 3, 5, 7, 9, 11, 17]
    wanted = [("D1", at(8, day), at(20, day)) for day in days] + [("T1", at(9, 15), at(20, 15))]
    assert sorted(await shifts_of(county), key=lambda one: one[1]) == sorted(wanted, key=lambda one: one[1])
    again = await take(county, tmp_path, REPEATED, "roster.ics")
    assert (again.added, again.updated, again.unchanged) == (0, 0, 8)


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("RRULE:FREQ=WEEKLY;BYDAY=MO,FR;COUNT=5", [1, 5, 8, 12, 15]),
        ("RRULE:FREQ=MONTHLY;BYMONTHDAY=1,20;COUNT=2", [1, 20]),
        ("RRULE:FREQ=DAILY;UNTIL=20260603", [1, 2, 3]),
        ("RRULE:FREQ=DAILY;COUNT=4\r\nEXDATE;VALUE=DATE:20260602\r\nEXDATE;TZID=Asia/Shanghai:20260604T080000", [1, 3]),
        ("RDATE;TZID=Asia/Shanghai:20260610T080000,20260612T080000", [1, 10, 12]),
    ],
)
async def test_the_rules_of_calendars_are_followed(county: County, tmp_path: Path, rule: str, days: list[int]) -> None:
    """Monday the first of June is where each begins."""
    one = CALENDAR.replace("20260612T080000", "20260601T080000").replace("20260612T200000", "20260601T200000")
    report = await take(county, tmp_path, one.replace("SUMMARY:D1 (A)", f"SUMMARY:D1 (A)\r\n{rule}"), "roster.ics")
    assert report.bad == []
    assert [start for ref, start, _ in await shifts_of(county) if ref == "D1"] == [at(8, day) for day in days]


async def test_a_rule_without_an_end_is_followed_to_the_horizon_and_no_further(county: County, tmp_path: Path) -> None:
    """It began two years ago; only what lies near now is kept."""
    old = CALENDAR.replace("20260612T080000", "20240612T080000").replace("20260612T200000", "20240612T200000")
    report = await take(county, tmp_path, old.replace("SUMMARY:D1 (A)", "SUMMARY:D1 (A)\r\nRRULE:FREQ=DAILY"), "roster.ics")
    assert report.bad == []
    rows = await county.rows("SELECT min(starts_at) AS low, max(starts_at) AS high, count(*) AS n FROM shift WHERE rank = 1")
    assert NOW - 31 * 24 * HOUR <= rows[0].low < NOW - 30 * 24 * HOUR
    assert rows[0].high < NOW + 400 * 24 * HOUR
    assert rows[0].n == 431


async def test_a_summer_time_keeps_the_hour_on_the_wall(county: County, tmp_path: Path) -> None:
    """Berlin changes its clocks in October; the shift still begins at eight there, and lasts till eight."""
    local = CALENDAR.replace("TZID=Asia/Shanghai:20260612T080000", "TZID=Europe/Berlin:20261024T080000")
    local = local.replace("TZID=Asia/Shanghai:20260612T200000", "TZID=Europe/Berlin:20261024T200000")
    await take(county, tmp_path, local.replace("SUMMARY:D1 (A)", "SUMMARY:D1 (A)\r\nRRULE:FREQ=DAILY;COUNT=3"), "roster.ics")
    rows = await county.rows("SELECT starts_at, ends_at FROM shift WHERE rank = 1 ORDER BY starts_at")
    assert [datetime.fromtimestamp(row.starts_at / 1_000, UTC).hour for row in rows] == [6, 7, 7]
    assert {row.ends_at - row.starts_at for row in rows} == {12 * HOUR}


async def test_a_change_to_all_that_follow_is_refused(county: County, tmp_path: Path) -> None:
    report = await take(
        county, tmp_path, REPEATED.replace("RECURRENCE-ID;", "RECURRENCE-ID;RANGE=THISANDFUTURE;"), "roster.ics"
    )
    assert [(bad.line, bad.field, bad.rule) for bad in report.bad] == [(2, "RECURRENCE-ID", "recurring")]
