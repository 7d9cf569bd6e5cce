"""The times gate: aware moments, or a reason why not."""

from datetime import UTC, datetime, timedelta

import pytest
from alertdocs import rules

from warnhub.ingest.findings import Findings, Limits
from warnhub.ingest.times import check_expiry, check_sent, read_time, settle_expiry

NOW = datetime(2026, 6, 12, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-12T16:00:00+08:00",
        "2026-06-12 16:00:00+08:00",
        "2026-06-12T16:00+0800",
        "2026-06-12T08:00:00Z",
        "2026-06-12T08:00:00-00:00",
        "2026-06-12T08:00:00.000Z",
        " 2026-06-12T16:00:00 +08:00 ",
    ],
)
def test_the_same_moment_in_many_dresses(text: str) -> None:
    findings = Findings()
    assert read_time(text, "/t", findings) == NOW
    assert rules(findings) == []


@pytest.mark.parametrize(
    "text",
    [
        "2026年6月12日16时00分",
        "2026年6月12日 下午4:00",
        "2026/6/12 下午 04:00:00",
        "2026/06/12 下午 16:00",
        "2026-6-12 4:00 PM",
        "2026.06.12 16:00",
        "2026年6月12日16時0分0秒",
    ],
)
def test_a_time_as_people_write_it_is_read_in_the_sources_zone(text: str) -> None:
    findings = Findings(Limits(zone="Asia/Shanghai"))
    assert read_time(text, "/t", findings) == NOW
    assert rules(findings) == ["TIME_ZONE_ASSUMED"]


@pytest.mark.parametrize(("text", "hour"), [("上午 12:00", 16), ("下午 12:00", 4), ("上午 9:30", 1)])
def test_noon_and_midnight_are_as_machines_write_them(text: str, hour: int) -> None:
    moment = read_time(f"2026/6/12 {text}", "/t", Findings(Limits(zone="Asia/Shanghai")))
    assert moment is not None
    assert moment.hour == hour


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "TIME_INVALID"),
        ("2026-06-12", "TIME_INVALID"),
        ("20260612T160000+0800", "TIME_INVALID"),
        ("2026-02-30T16:00:00+08:00", "TIME_INVALID"),
        ("2026-06-12T25:00:00+08:00", "TIME_INVALID"),
        ("2026年6月12日 下午4:00", "TIME_WITHOUT_ZONE"),
        ("2026年6月12日 上午16:00+08:00", "TIME_INVALID"),
        ("2026/6/31 16:00+08:00", "TIME_INVALID"),
        ("1781251200", "TIME_INVALID"),
        ("２０２６-06-12T16:00:00+08:00", "TIME_INVALID"),
        ("2569-06-12T16:00:00+07:00", "TIME_IMPLAUSIBLE"),
        ("1900-01-01T00:00:00Z", "TIME_IMPLAUSIBLE"),
        ("2026-06-12T16:00:00", "TIME_WITHOUT_ZONE"),
    ],
)
def test_what_is_no_moment_is_refused(text: str, rule: str) -> None:
    findings = Findings()
    assert read_time(text, "/t", findings) is None
    assert rules(findings) == [rule]
    assert findings.gate == "refuse"


def test_the_sources_own_zone_is_used_and_held() -> None:
    findings = Findings(Limits(zone="Asia/Shanghai"))
    assert read_time("2026-06-12 16:00:00", "/t", findings) == NOW
    assert rules(findings) == ["TIME_ZONE_ASSUMED"]
    assert findings.gate == "hold"


@pytest.mark.parametrize("text", ["2026-10-25T02:30:00", "2026-03-29T02:30:00"])
def test_a_local_time_that_is_twice_or_never_is_refused(text: str) -> None:
    findings = Findings(Limits(zone="Europe/Berlin"))
    assert read_time(text, "/t", findings) is None
    assert rules(findings) == ["TIME_AMBIGUOUS"]


@pytest.mark.parametrize(("ahead", "found"), [(119, []), (121, ["SENT_IN_FUTURE"])])
def test_two_minutes_of_a_fast_clock_are_forgiven(ahead: int, found: list[str]) -> None:
    findings = Findings(now=NOW)
    check_sent(NOW + timedelta(seconds=ahead), "/s", findings)
    assert rules(findings) == found


def test_without_a_clock_nothing_is_judged() -> None:
    findings = Findings()
    check_sent(NOW + timedelta(days=999), "/s", findings)
    check_expiry(NOW - timedelta(days=9999), None, "/e", findings)
    assert rules(findings) == []


@pytest.mark.parametrize(
    ("stated", "ends", "hours", "given", "found"),
    [
        (None, False, 12, False, ["EXPIRES_MISSING"]),
        (None, True, 12, False, []),
        (timedelta(0), False, 12, False, ["EXPIRES_BEFORE_SENT"]),
        (timedelta(hours=-1), True, 12, False, []),
        (timedelta(hours=3), False, 3, True, []),
    ],
)
def test_expiry(stated: timedelta | None, ends: bool, hours: int, given: bool, found: list[str]) -> None:
    findings = Findings()
    expires = None if stated is None else NOW + stated
    assert settle_expiry(expires, NOW, "11B03", "/e", findings, ends) == (NOW + timedelta(hours=hours), given)
    assert rules(findings) == found


def test_the_expired_is_refused_and_an_early_end_is_noted() -> None:
    findings = Findings(now=NOW)
    check_expiry(NOW, NOW + timedelta(hours=1), "/e", findings)
    assert rules(findings) == ["EXPIRES_BEFORE_ONSET", "EXPIRED"]
    assert findings.gate == "refuse"
