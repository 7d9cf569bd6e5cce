"""Readings of stations and points → alerts: values measured, the level they lead to, and where that holds.

Readings of one station and hazard at one time are one alert, at the gravest of their levels. The level is the sender's own
where one is stated, else it is derived from the tables of the form, and shown. What is below every threshold, older than
another reading, or says nothing is no alert and is told so: accepted, noted, never dropped, and never an all-clear.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from warnhub.alert import Gate, Level, Verdict
from warnhub.hazards import default_life
from warnhub.ingest.fields import NUMBER, Record, bare_name
from warnhub.ingest.findings import Findings, Limits
from warnhub.ingest.mapping import TOKENS, mapping, title_colours
from warnhub.ingest.scales import Book, Derived, Scale, Step, colour_steps, derive

FOLDED: dict[str, dict[str, str]] = {
    "station": dict.fromkeys(("code", "id", "stcd", "编号", "编码"), "station") | dict.fromkeys(("name", "名称"), "place"),
    "person": dict.fromkeys(("name", "姓名"), "person") | dict.fromkeys(("phone", "tel", "mobile", "电话"), "phone"),
    "thresholds": {},
    "readings": {},
}
"""Fields that may be objects, and which fields the names in them are."""

OFFICE = "单位"
NAMED = ("name", "type", "level", "名称")
HOURS = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
NO_VALUE = frozenset((9_999.0, 9_999.9, 9_999.99, 99_999.0, 99_999.9, 999_999.0))  # what loggers write for nothing, or less


@dataclass(frozen=True, slots=True)
class Measure:
    """One value, in its scale's unit. `hours` is how long a timed one was gathered."""

    key: str
    scale: Scale
    value: float
    path: str
    hours: float | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.hours:g}小时{self.scale.zh}" if self.hours else self.scale.zh


@dataclass(slots=True)
class Reading:
    """One record as read: whose it is, when, what it measured, and the level it states itself."""

    record: Record
    book: Book
    station: str
    sent: datetime | None
    measures: list[Measure]
    stated: tuple[Level, str] | None
    found: list[tuple[Measure, Derived]] = field(default_factory=list)
    judged: int = 0

    @property
    def findings(self) -> Findings:
        """What was found on the way."""
        return self.record.findings

    @property
    def hazard(self) -> str:
        """Which hazard its values are of."""
        return self.measures[0].scale.hazard if self.measures else self.book.hazard


def make_record(
    values: Mapping[str, object], base: str, book: Book, above: Record | None, limits: Limits, now: datetime | None
) -> Record:
    """A record over its station's row over the document."""
    findings = Findings(limits, now)
    values = unfold(values, book)
    record = Record(values, base, book.names, findings, above)
    row = limits.stations.get(str(record.value("station") or "").strip())
    if row is None:
        return record
    station = Record(row, f"stations[{record.value('station')}]", book.names, findings, above)
    return Record(values, base, book.names, findings, station)


def unfold(values: Mapping[str, object], book: Book) -> Mapping[str, object]:
    """A record whose station, person, thresholds or values are objects or lists of their own, with what they say beside it."""
    out: dict[str, object] = {}
    for key, value in values.items():
        bare = bare_name(key)
        field_name = next((name for name in FOLDED if bare in book.bare_names(name)), "")
        if not field_name or not isinstance(value, Mapping | list):
            out.setdefault(key, value)
        elif isinstance(value, list):
            out[key] = {name_of(one): one.get("value") for one in objects(value)} if field_name == "thresholds" else value
        elif field_name == "thresholds":
            out[key] = value
        else:
            renamed = {FOLDED[field_name].get(bare_name(str(inner)), str(inner)): one for inner, one in value.items()}
            out |= {inner: one for inner, one in renamed.items() if inner == key or inner not in values}
    return out


def objects(values: Sequence[object]) -> list[Mapping[str, object]]:
    """The objects in a list."""
    return [one for one in values if isinstance(one, Mapping)]


def name_of(value: Mapping[str, object]) -> str:
    """What an object in a list calls itself."""
    return str(next((value[name] for name in NAMED if name in value), ""))


def read_reading(record: Record, book: Book) -> Reading:
    """What a record says; nothing is judged yet."""
    reading = Reading(
        record, book, record.word("station"), record.moment("sent", book.zone, required=True), [], read_stated(record, book)
    )
    reading.measures = [one for one in read_measures(record, book) if one]
    return reading


def read_stated(record: Record, book: Book) -> tuple[Level, str] | None:
    """The level the sender states, and its words."""
    table: dict[str, str] = mapping()["colours"] | mapping()["ranks"] | {bare_name(key): one for key, one in book.words.items()}
    said = record.text("level") or next((str(one) for one in record.values.values() if is_word(one, book)), "")
    if not said or (NUMBER.fullmatch(said) and said not in table):
        return None  # a threshold may stand under `warning_level`
    lowered = said.lower()
    for token in (lowered, bare_name(lowered), *TOKENS.split(lowered)):
        if token in table:
            return Level(table[token]), said
    if len(colours := title_colours(said)) == 1:
        return Level(colours.pop()), said
    if lowered not in book.normal:
        record.findings.add(record.path("level"), "LEVEL_UNKNOWN", said)
    return None


def is_word(value: object, book: Book) -> bool:
    """Whether a value is a word for a level, such as 立即转移 under `stage`."""
    return isinstance(value, str) and not NUMBER.fullmatch(value) and bare_name(value) in map(bare_name, book.words)


def read_measures(record: Record, book: Book) -> Iterator[Measure | None]:
    """The values of a record: one under `parameter` and `value`, or several under their own names."""
    if record.has("value") or record.has("parameter"):
        yield read_named(record, book)
    for key, value in record.values.items():
        scale, hours = timed_scale(key, book)
        if scale and not isinstance(value, list) and not is_word(value, book):
            unit = str(value.get("unit") or "") if isinstance(value, Mapping) else ""
            yield read_measure(record, key, scale, book, unit, hours)


def read_named(record: Record, book: Book) -> Measure | None:
    """The value of a record in the long form."""
    said = record.text("parameter")
    key, hours = timed_scale(said, book)
    if key is None:
        record.findings.add(record.path("parameter"), "PARAMETER_UNKNOWN", said)
        return None
    return read_measure(record, "value", key, book, unit_of(record, book), hours)


def read_measure(record: Record, name: str, key: str, book: Book, unit: str, hours: float | None) -> Measure | None:
    """One value in its scale's unit, or None where nothing was measured."""
    scale, path = book.scales[key], record.path(name)
    value = Record(record.values, record.base, record.names, record.findings).number(name)
    if value is None:
        return None
    if abs(value) in NO_VALUE:
        record.findings.add(path, "READING_EMPTY", value, gate=Gate.ACCEPT)
        return None
    factor = book.factor(scale, unit)
    if factor is None:
        record.findings.add(path, "UNIT_UNKNOWN", unit, scale.unit)
        factor = 1.0
    if scale.timed and hours is None:
        hours = read_hours(record)
    return Measure(key, scale, value * factor, path, hours if scale.timed else None)


def unit_of(record: Record, book: Book) -> str:
    """The unit it names. 单位 is also what offices call themselves: then it is the sender, and no unit."""
    said = record.text("unit")
    return said if book.is_unit(said) or record.path("unit").rpartition(".")[2] != OFFICE else ""


def read_hours(record: Record) -> float | None:
    """For how long it was gathered, from a field that says `3`, `3h` or `3小时`."""
    found = HOURS.match(record.text("duration"))
    return float(found.group()) if found else None


def timed_scale(name: str, book: Book) -> tuple[str | None, float | None]:
    """The scale a name means, and the hours it names: `1小时雨量`, `rain_3h`."""
    bare = bare_name(name)
    if key := book.scale_of(bare):
        return key, None
    words, hours = split_hours(bare)
    key = book.scale_of(words) if hours else None
    return (key, hours) if key and book.scales[key].timed else (None, None)


def split_hours(bare: str) -> tuple[str, float | None]:
    """A bare name without the hours in it, and the hours."""
    found = re.search(r"(\d{1,2})(?:hours?|hr|h|小时|时)", bare, re.ASCII)
    if not found:
        return bare, None
    return bare[: found.start()] + bare[found.end() :], float(found[1])


def judge(reading: Reading) -> None:
    """Derive the level of each value."""
    for measure in reading.measures:
        steps = [*measure.scale.steps, *colour_steps()]
        thresholds = read_thresholds(reading, measure, steps)
        known = [step for step in steps if step.value is not None or step.at in thresholds]
        check_order(reading, measure, known, thresholds)
        reading.judged += bool(known)
        if found := derive(measure.value, known, thresholds):
            reading.found.append((measure, found))


def read_thresholds(reading: Reading, measure: Measure, steps: Iterable[Step]) -> dict[str, float]:
    """The thresholds a record or its station names for one value, in the scale's unit."""
    record, scale = reading.record, measure.scale
    nested = record.inner("thresholds")
    factor = reading.book.factor(scale, unit_of(record, reading.book)) or 1.0
    found: dict[str, float] = {}
    for step in steps:
        if not step.at:
            continue
        if step.at in reading.book.timed_names:
            value = timed_threshold(record, nested, step.at, measure.hours, reading.book)
        else:
            value = plain_threshold(record, nested, step.at)
        if value is not None:
            found[step.at] = value * factor
    return found


def plain_threshold(record: Record, nested: Record | None, name: str) -> float | None:
    """A threshold by its name: in `thresholds`, where `warning` will do for `warning_flow`, else beside the value."""
    for one in (name, name.partition("_")[0]) if nested else ():
        if nested and nested.has(one):
            return nested.number(one)
    return record.number(name) if record.has(name) else None


def timed_threshold(record: Record, nested: Record | None, name: str, hours: float | None, book: Book) -> float | None:
    """A threshold for so many hours; one that names no hours is for the record's own duration."""
    names = {bare_name(one) for one in book.timed_names[name]}
    place: Record | None = nested or record
    while place is not None:
        for key in place.values:
            words, said = split_hours(bare_name(key))
            if words in names and said in (hours, None) and not (said is None and place is not record and place is not nested):
                return Record(place.values, place.base, {"_": (key,)}, record.findings).number("_")
        place = record if place is nested else place.above
    return None


def check_order(reading: Reading, measure: Measure, steps: Sequence[Step], thresholds: Mapping[str, float]) -> None:
    """A graver threshold is not below a lesser one: then they are mixed up, and a person must look."""
    for kind in (measure.scale.steps, colour_steps()):
        bounds = [(one, one.bound(thresholds[one.at])) for one in kind if one in steps and one.at in thresholds]
        ordered = sorted(bounds, key=lambda pair: pair[0].level.lane)
        for (graver, high), (lesser, low) in pairwise(ordered):
            if high < low:
                where = reading.record.path(graver.at)
                reading.findings.add(where, "THRESHOLDS_ORDER", f"{graver.zh} {high:g}", f"{lesser.zh} {low:g}")


def stale(reading: Reading, now: datetime | None) -> bool:
    """Whether a warning of it would have ended by now."""
    return bool(now and reading.sent and reading.sent + default_life(reading.hazard) <= now)


def no_alert(reading: Reading, rule: str, value: str, detail: str = "") -> Verdict:
    """The verdict on what is no alert: there is nothing to hold, whatever else was noticed."""
    reading.findings.add(reading.record.base or "/", rule, value, detail)
    return Verdict(
        gate=Gate.ACCEPT, problems=[one.model_copy(update={"gate": Gate.ACCEPT}) for one in reading.findings.problems]
    )
