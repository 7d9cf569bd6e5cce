"""The times gate: aware moments, or a reason why not."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from lxml import etree

from warnhub.hazards import default_life
from warnhub.ingest.findings import Findings, Where
from warnhub.ingest.tree import child, words

LOCAL = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?[T\s]*(上午|下午|[AaPp][Mm])?\s*(\d{1,2})\s*[:\uff1a时時]\s*"
    r"(\d{1,2})\s*分?(?:[:\uff1a]?\s*(\d{1,2})\s*秒?)?\s*([AaPp][Mm])?\s*(Z|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
LATE = ("下午", "pm")
FORM = re.compile(r"(\d{4}-\d{2}-\d{2})[T ]\s*(\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?\s*(Z|z|[+-]\d{2}:?\d{2})?", re.ASCII)
YEARS = range(1970, 2200)
AHEAD = timedelta(minutes=2)


def read_time(text: str, where: Where, findings: Findings, zone: str | None = None) -> datetime | None:
    """The moment in UTC, or None with a problem.

    ISO 8601 with `T` or a blank. Without an offset it is read in `zone` (else in the source's own, `Limits.zone`) and
    held for a person; with no zone known, or at a local time that happens twice or never, it is refused.
    """
    found = FORM.fullmatch(text.strip()) or FORM.fullmatch(from_local(text.strip()))
    if not found:
        findings.add(where, "TIME_INVALID", text)
        return None
    day, clock, fraction, offset = found.groups()
    try:
        stated = f"{day}T{clock}" + (f".{fraction[:6]:0<6}" if fraction else "") + (offset or "").upper()
        moment = datetime.fromisoformat(stated)
    except ValueError as error:
        findings.add(where, "TIME_INVALID", text, str(error))
        return None
    if moment.year not in YEARS:
        findings.add(where, "TIME_IMPLAUSIBLE", text)
        return None
    return moment.astimezone(UTC) if moment.tzinfo else zoned(moment, text, where, findings, zone)


def from_local(text: str) -> str:
    """A time as people write it (`2026/6/12 下午 4:05:09`, `2026年6月12日16时05分`) as `YYYY-MM-DDTHH:MM:SS`; "" if it is none.

    As machines write them, 下午 12 is noon and 上午 12 midnight; 下午 16 says the same thing twice; 上午 16 is none.
    """
    found = LOCAL.fullmatch(text)
    if not found:
        return ""
    year, month, day, before, hour, minute, second, after, offset = found.groups()
    half, hours = (before or after or "").lower(), int(hour)
    if half and hours <= 12:
        hours = hours % 12 + (12 if half in LATE else 0)
    elif half and half not in LATE:
        return ""
    return f"{year}-{int(month):02}-{int(day):02}T{hours:02}:{int(minute):02}:{int(second or 0):02}{offset or ''}"


def zoned(moment: datetime, text: str, where: Where, findings: Findings, zone: str | None) -> datetime | None:
    """A naive time in the source's zone."""
    name = findings.limits.zone or zone
    if name is None:
        findings.add(where, "TIME_WITHOUT_ZONE", text)
        return None
    early, late = (moment.replace(tzinfo=ZoneInfo(name), fold=fold) for fold in (0, 1))
    if early.utcoffset() != late.utcoffset():
        findings.add(where, "TIME_AMBIGUOUS", text, name)
        return None
    findings.add(where, "TIME_ZONE_ASSUMED", text, name)
    return early.astimezone(UTC)


class Span(NamedTuple):
    """When an alert holds, and which of its ends the source itself gave."""

    effective: datetime
    onset: datetime | None
    expires: datetime
    effective_given: bool
    expires_given: bool


def read_moment(
    parent: etree._Element, name: str, findings: Findings, zone: str | None = None, required: bool = False
) -> datetime | None:
    """The time in the child of this name; None where there is none or it cannot be read."""
    element = child(parent, name)
    text = words(element).strip()
    if element is None:
        return None
    if not text:
        if required:
            findings.add(element, "MISSING_REQUIRED_ELEMENT", name)
        return None
    return read_time(text, element, findings, zone)


def settle_span(
    times: tuple[datetime | None, datetime | None, datetime | None],
    sent: datetime,
    hazard: str,
    ends: bool,
    where: Where,
    findings: Findings,
) -> Span:
    """Effective, onset and expires with what is missing filled in; `ends` as in `settle_expiry`."""
    effective, onset, stated = times
    expires, given = settle_expiry(stated, sent, hazard, where, findings, ends)
    if not ends:
        check_expiry(expires, onset, where, findings)
    return Span(effective or sent, onset, expires, effective is not None, given)


def check_sent(sent: datetime, where: Where, findings: Findings) -> None:
    """Refuse what was sent more than two minutes from now."""
    if findings.now is not None and sent > findings.now + AHEAD:
        findings.add(where, "SENT_IN_FUTURE", sent.isoformat())


def settle_expiry(
    expires: datetime | None, sent: datetime, hazard: str, where: Where, findings: Findings, ends: bool = False
) -> tuple[datetime, bool]:
    """When it expires, and whether the source said so.

    A missing expiry, or one not after `sent`, becomes the hazard's default life. `ends` is a cancel, ack or error, which
    may well come after the end.
    """
    life = default_life(hazard)
    if expires is None:
        if not ends:
            findings.add(where, "EXPIRES_MISSING", f"{sent + life:%Y-%m-%dT%H:%M:%SZ}", f"{life / timedelta(hours=1):g} h")
        return sent + life, False
    if expires <= sent:
        if not ends:
            findings.add(where, "EXPIRES_BEFORE_SENT", expires.isoformat(), f"{life / timedelta(hours=1):g} h")
        return sent + life, False
    return expires, True


def check_expiry(expires: datetime, onset: datetime | None, where: Where, findings: Findings) -> None:
    """Say what has expired already, or would before it begins."""
    if onset is not None and expires < onset:
        findings.add(where, "EXPIRES_BEFORE_ONSET", expires.isoformat(), f"onset {onset.isoformat()}")
    if findings.now is not None and expires <= findings.now:
        findings.add(where, "EXPIRED", expires.isoformat())
