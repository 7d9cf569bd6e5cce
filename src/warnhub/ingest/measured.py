"""Readings of one station and hazard → one alert, with its words, its place, and how its level was come by."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from warnhub.alert import (
    Alert,
    Area,
    Certainty,
    Gate,
    Kind,
    Level,
    Original,
    Parameter,
    Reference,
    Scope,
    Status,
    Text,
    Urgency,
    Verdict,
)
from warnhub.ingest.draft import ENDS, Draft
from warnhub.ingest.fields import Record, bare_name
from warnhub.ingest.findings import Findings
from warnhub.ingest.geojson import read_geometry
from warnhub.ingest.mapping import Named, mapping, read_hazard
from warnhub.ingest.places import MOST_CODES, read_divisions, unique
from warnhub.ingest.readings import Measure, Reading, judge, no_alert, stale
from warnhub.ingest.scales import Book, Derived
from warnhub.ingest.text import HEADLINE, LINE, SHORT
from warnhub.logs import redact_text

UNNAMED = re.compile(r"[\s,<&]+")
COLOUR = {Level.RED: "红色", Level.ORANGE: "橙色", Level.YELLOW: "黄色", Level.BLUE: "蓝色"}
STATUSES = {"正式": "actual", "实际": "actual", "演练": "exercise", "测试": "test", "试验": "test"}
KINDS = {"发布": "alert", "首次": "alert", "更新": "update", "变更": "update", "解除": "cancel", "取消": "cancel"}
MOST_REFERENCES = 200


def judge_readings(readings: Sequence[Reading], now: datetime | None) -> Iterator[Verdict]:
    """One verdict for each station and hazard, and one for each reading that is no part of it."""
    groups: dict[object, list[Reading]] = {}
    for at, reading in enumerate(readings):
        alone = reading.findings.gate is Gate.REFUSE or not reading.station or not reading.measures
        groups.setdefault(at if alone else (reading.station, reading.hazard), []).append(reading)
    for group in groups.values():
        yield from judge_group(group, now)


def judge_group(group: Sequence[Reading], now: datetime | None) -> Iterator[Verdict]:
    """The newest readings together; older ones are told apart."""
    newest = max((one.sent for one in group if one.sent), default=None)
    current = [one for one in group if one.sent == newest]
    yield judge_current(current, now)
    for reading in group:
        if reading.sent and newest and reading.sent != newest:
            yield no_alert(reading, "READING_OLDER", reading.sent.isoformat(), newest.isoformat())


def judge_current(group: Sequence[Reading], now: datetime | None) -> Verdict:
    """The verdict on what a station says at one time."""
    lead = group[0]
    for reading in group:
        judge(reading)
    for other in group[1:]:
        lead.findings.take(other.findings)
    findings = lead.findings
    if findings.gate is not Gate.REFUSE and not lead.station and lead.measures:
        findings.add(lead.record.base or "/", "MISSING_REQUIRED_ELEMENT", "station", gate=Gate.REFUSE)
    found = min((pair for one in group for pair in one.found), key=lambda pair: pair[1].step.level.lane, default=None)
    stated = next((one.stated for one in group if one.stated), None)
    if findings.gate is Gate.ACCEPT and not stated and not found and not ends(lead):
        if not any(one.measures for one in group) and not lead.record.has("headline") and not lead.record.has("description"):
            return no_alert(lead, "READING_EMPTY", lead.station)
        if all(one.judged for one in group):
            return no_alert(lead, "READING_BELOW", "; ".join(shown(one) for one in measures_of(group)), below(group))
    if findings.gate is Gate.ACCEPT and stale(lead, now):
        return no_alert(lead, "READING_STALE", lead.sent.isoformat() if lead.sent else "")
    return findings.verdict(lambda: build_alert(group, found, stated), lead.record.base)


def ends(reading: Reading) -> bool:
    """Whether it lifts what was said before."""
    return read_kind(reading.record, Findings()) in ENDS


def read_kind(record: Record, findings: Findings | None = None) -> Kind:
    """What it does; an alert where it does not say."""
    quiet = Record(record.values, record.base, record.names, findings, record.above) if findings else record
    return quiet.choice("kind", Kind, Gate.REFUSE, Kind.ALERT, KINDS) or Kind.ALERT


def measures_of(group: Iterable[Reading]) -> list[Measure]:
    """Everything measured."""
    return [measure for one in group for measure in one.measures]


def shown(measure: Measure) -> str:
    """A value as people read it."""
    return f"{measure.name} {measure.scale.shown(measure.value)} {measure.scale.unit}"


def below(group: Iterable[Reading]) -> str:
    """The lowest threshold of each value, for who wonders why this is no alert."""
    lowest = [(one, step) for one in measures_of(group) for step in one.scale.steps[-1:]]
    return ", ".join(f"{one.scale.zh} < {step.zh}" for one, step in lowest)


def explain(measure: Measure, derived: Derived) -> str:
    """How a level was come by: value, threshold, colour."""
    step, scale = derived.step, measure.scale
    return f"{shown(measure)} ≥ {step.zh} {scale.shown(derived.bound)} {scale.unit} → {COLOUR[step.level]}"


def settle_level(
    group: Sequence[Reading], found: tuple[Measure, Derived] | None, stated: tuple[Level, str] | None, kind: Kind
) -> tuple[Level, str]:
    """The level and what it was read from. Held where the two ways to it disagree, or there is none."""
    lead = group[0]
    findings, record = lead.findings, lead.record
    words = explain(*found) if found else ""
    if stated:
        derived = found[1].step.level if found else None
        if (found or any(one.judged for one in group)) and derived is not stated[0]:
            findings.add(record.path("level"), "LEVEL_CONFLICT", stated[1], words or below(group))
        return stated[0], f"level={stated[1]}" + (f"; {words}" if words else "")
    if found:
        findings.add(found[0].path, "LEVEL_DERIVED", words)
        return found[1].step.level, words
    if kind not in ENDS and not findings.has("LEVEL_UNKNOWN"):
        findings.add(record.base or "/", "LEVEL_UNKNOWN", lead.station, "no thresholds are known for it")
    return Level.BLUE, ""


def build_alert(group: Sequence[Reading], found: tuple[Measure, Derived] | None, stated: tuple[Level, str] | None) -> Alert:
    """The alert of a group whose head is whole."""
    lead = group[0]
    record, book = lead.record, lead.book
    assert lead.sent
    kind = read_kind(record)
    level, words = settle_level(group, found, stated, kind)
    hazard, event = settle_hazard(lead, found, stated)
    place = record.text("place") or lead.station
    return Draft(
        record,
        identifier=name_alert(lead, hazard),
        sender=settle_sender(record, book, lead.station),
        sent=lead.sent,
        status=record.choice("status", Status, Gate.REFUSE, Status.ACTUAL, STATUSES) or Status.ACTUAL,
        kind=kind,
        hazard=hazard,
        level=level,
        original=Original(form=book.form, hazard=event, level=words),
        references=read_references(record),
        severity=mapping()["level_severities"][level],
        urgency=Urgency.IMMEDIATE if found or lead.measures else Urgency.EXPECTED,
        certainty=Certainty.OBSERVED if lead.measures else Certainty.LIKELY,
        times=(None, record.moment("onset", book.zone), record.moment("expires", book.zone)),
        areas=[read_area(record, place, kind)],
        texts=make_texts(group, found, level, place),
        parameters=[*describe(record, place), *measured(group, words)],
        scope=Scope.PUBLIC,
    ).build()


def name_alert(lead: Reading, hazard: str) -> str:
    """Its own identifier, else one that is the same whenever this reading comes again."""
    own = lead.record.word("identifier")
    named = own or f"{lead.station or lead.record.text('area')}-{hazard}-{lead.sent:%Y%m%dT%H%M%SZ}"
    return UNNAMED.sub("-", named)


def settle_sender(record: Record, book: Book, station: str) -> str:
    """Who says it: as the record, else as whoever sent the document, else the station itself."""
    said = record.word("sender")
    sender = (said if not book.is_unit(said) else "") or record.findings.limits.sender
    if sender:
        return UNNAMED.sub("-", sender.strip())
    record.findings.add(record.base or "/", "SENDER_ASSUMED", station)
    return f"station:{station}"


def settle_hazard(lead: Reading, found: tuple[Measure, Derived] | None, stated: tuple[Level, str] | None) -> tuple[str, str]:
    """Its own hazard, else that of the value or of the word for the level."""
    record, book = lead.record, lead.book
    said = record.text("hazard")
    if said:
        reading = read_hazard([Named("hazard", said)], said, (), record.path("hazard"), record.findings)
        return reading.value, reading.words
    if found:
        return found[0].scale.hazard, f"{found[0].scale.zh} → {found[0].scale.hazard}"
    if stated and book.word_hazard and bare_name(stated[1]) in map(bare_name, book.words) and not lead.measures:
        return book.word_hazard, f"level={stated[1]} → {book.word_hazard}"
    return lead.hazard, f"{book.form} → {lead.hazard}"


def read_references(record: Record) -> list[Reference]:
    """The identifiers it follows."""
    value = record.value("references")
    listed = value if isinstance(value, list) else [value]
    named = [str((one.get("identifier") if isinstance(one, Mapping) else one) or "").strip() for one in listed]
    return [Reference(identifier=one) for one in named[:MOST_REFERENCES] if 0 < len(one) <= SHORT]


def read_area(record: Record, place: str, kind: Kind) -> Area:
    """Where it holds: codes and geometry of the record or its station; where a station stands is not what it warns of."""
    findings = record.findings
    codes = read_divisions(record.path("codes"), ",".join(record.words("codes")), findings)
    polygons = read_geometry(record.value("geometry"), record.path("geometry"), findings)
    if not codes and not polygons and record.has("seat"):
        codes = read_divisions(record.path("seat"), ",".join(record.words("seat")), findings)
        if codes and kind not in ENDS:
            findings.add(record.path("seat"), "AREA_ASSUMED", codes[0].value)
    if not codes and not polygons and kind not in ENDS:
        findings.add(record.base or "/", "NO_AREA", place)
    name = record.text("area", LINE) or place
    return Area(name=name, codes=findings.first(record.path("codes"), unique(codes), MOST_CODES), polygons=polygons)


def make_texts(group: Sequence[Reading], found: tuple[Measure, Derived] | None, level: Level, place: str) -> list[Text]:
    """The sender's own words, else the value and the threshold in Chinese and English."""
    lead = group[0]
    record = lead.record
    headline, description = record.text("headline", HEADLINE), record.prose("description")
    if not (headline or description) and not lead.measures:
        record.findings.add(record.base or "/", "MISSING_INFO")
        return []
    river = record.text("river")
    moment = lead.sent.astimezone(ZoneInfo(lead.book.zone)) if lead.sent else None
    time = f"{moment:%m}月{moment:%d}日{moment:%H}时{moment:%M}分" if moment else ""
    values = "，".join(shown(one).replace(" ", "") for one in measures_of(group))
    passed = f"，达到{found[1].step.zh}({found[0].scale.shown(found[1].threshold)}{found[0].scale.unit})" if found else ""
    chinese = Text(
        language="zh-CN",
        event=f"{found[0].scale.zh}{found[1].step.zh}" if found else "",
        headline=headline or f"{place}{found[1].step.zh if found else ''}{COLOUR[level]}预警",
        description=description or f"{river}{place}{time}{values}{passed}。",
        instruction=record.prose("instruction"),
        sender_name=record.text("sender_name"),
    )
    if headline or description or not found:
        return [chinese]
    measure, derived = found
    said = f"{measure.scale.en} {measure.scale.shown(measure.value)} {measure.scale.unit}, {derived.step.en}"
    english = Text(
        language="en",
        headline=f"{level.value.capitalize()}: {derived.step.en} at {place}",
        description=f"{place}: {said} ({measure.scale.shown(derived.threshold)} {measure.scale.unit}).",
    )
    return [chinese, english]


def describe(record: Record, place: str) -> list[Parameter]:
    """The station, and who answers for it; of telephone numbers only the last digits are kept."""
    named = (
        ("station", record.text("station")),
        ("place", place),
        ("river", record.text("river")),
        ("responsible", record.text("person")),
        ("responsible_phone", redact_text(record.text("phone"))),
        ("longitude", record.text("longitude")),
        ("latitude", record.text("latitude")),
    )
    return [Parameter(name=name, value=value) for name, value in named if value]


def measured(group: Sequence[Reading], words: str) -> list[Parameter]:
    """Every value, the thresholds they passed, and how the level was come by."""
    kept = [Parameter(name=one.name, value=one.scale.shown(one.value), unit=one.scale.unit) for one in measures_of(group)]
    for reading in group:
        for measure, derived in reading.found:
            value = measure.scale.shown(derived.threshold)
            kept.append(Parameter(name=f"{measure.name}:{derived.step.zh}", value=value, unit=measure.scale.unit))
    return [*kept, Parameter(name="derivation", value=words)] if words else kept
