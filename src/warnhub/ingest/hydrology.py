"""Water stations' readings and flood bulletins, as JSON or CSV → `Alert`; what the names and levels are is `hydrology.yaml`.

JSON is one record, a list of them, or an object with a list under `readings` (or `data`, `stations`, …) whose other fields
hold for all. CSV has one record a line. A record is long (`parameter`, `value`, `unit`) or wide (`水位`, `流量`), and may
state a level, its words and its areas itself; what it does not is taken from the county's table of stations.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from warnhub.alert import Verdict
from warnhub.ingest.fields import Record, bare_name
from warnhub.ingest.findings import Findings, Limits, Unreadable, refusal, spot
from warnhub.ingest.measured import judge_readings
from warnhub.ingest.readings import make_record, read_reading, split_hours, unfold
from warnhub.ingest.scales import Book, read_book
from warnhub.ingest.table import Table

FORM = "hydrology"
LOOK = 100  # so many of a list are looked at to tell whether it is of readings
TELLING = ("parameter", "value", "level", "thresholds", "headline", "description")


def is_record(value: Any, book: Book, named: bool = False) -> bool:
    """Whether an object is a record of this form: it says what was measured or warned of, and, unless what holds it has
    `named` it, its station."""
    if not isinstance(value, Mapping):
        return False
    bare = {bare_name(str(key)) for key in unfold(value, book)}
    measured = any(book.scale_of(one) or book.scale_of(split_hours(one)[0]) for one in bare)
    told = measured or any(says(bare, book, name) for name in TELLING)
    return told and (named or says(bare, book, "station") or is_bulletin(value, book))


def is_bulletin(value: Mapping[str, Any], book: Book) -> bool:
    """Whether it is a warning in words: a level, a text, a time, and a word of this form's hazards in its title or type."""
    record = Record(value, "", book.names, Findings())
    words = " ".join(str(one) for key, one in value.items() if isinstance(one, str) and len(one) < 500).lower()
    whole = record.has("level") and record.has("sent") and (record.has("headline") or record.has("description"))
    return whole and any(word in words for word in book.tell)


def says(bare: set[str], book: Book, name: str) -> bool:
    """Whether any of these names is the field's."""
    return not bare.isdisjoint(book.bare_names(name))


def records_of(value: Any, book: Book) -> tuple[str, list[Any]] | None:
    """Where the records stand and what they are; None where there is no list of them."""
    if isinstance(value, list):
        return "", value
    if isinstance(value, Mapping):
        bare = {bare_name(str(key)): str(key) for key in value}
        for name in map(bare_name, book.names["readings"]):
            if isinstance(value.get(bare.get(name, "")), list):
                return bare[name], value[bare[name]]
    return None


def holds_records(value: Any, book: Book) -> bool:
    """Whether this is a record, or a list or an object that holds some."""
    return is_record(value, book) or bool(inside(value, book))


def inside(value: Any, book: Book) -> list[Any]:
    """The list of records in a value, whose station may be named above them; [] of none."""
    found = records_of(value, book)
    named = isinstance(value, Mapping) and says({bare_name(str(key)) for key in value}, book, "station")
    return found[1] if found and any(is_record(one, book, named) for one in found[1][:LOOK]) else []


def read_records(value: Any, book: Book, limits: Limits, now: datetime | None) -> Iterator[Verdict]:
    """One verdict for each alert and for each reading that is none."""
    found = records_of(value, book) if inside(value, book) else None
    if found is None:
        place, records, above = "", [value], None
    else:
        place, records = found
        head = {key: one for key, one in value.items() if key != place} if isinstance(value, Mapping) else {}
        above = Record(unfold(head, book), "", book.names, Findings(limits, now)) if head else None
    check_count(len(records), limits)
    readings = []
    for at, one in enumerate(records):
        base = "" if records == [value] else spot(place, at)
        if isinstance(one, Mapping):
            readings.append(read_reading(make_record(one, base, book, above, limits, now), book))
        else:
            yield refusal(Unreadable("FORM_NOT_READ", type(one).__name__, base).problem)
    yield from judge_readings(readings, now)


def check_count(count: int, limits: Limits) -> None:
    """Raises `Unreadable` for more readings than one document may hold."""
    if count > limits.max_readings:
        raise Unreadable("TOO_MANY_READINGS", f"most {limits.max_readings}", value=count)


def is_hydrology(value: Any) -> bool:
    """Whether this JSON is of water stations."""
    return holds_records(value, read_book(FORM))


def read_hydrology(value: Any, limits: Limits, now: datetime | None) -> Iterator[Verdict]:
    """One verdict for each alert and for each reading that is none."""
    return read_records(value, read_book(FORM, limits.tables), limits, now)


def is_table(table: Table) -> bool:
    """Whether this CSV is of water stations."""
    return is_record(dict.fromkeys(table.headers), read_book(FORM))


def read_table(table: Table, limits: Limits, now: datetime | None) -> Iterator[Verdict]:
    """One verdict for each alert and for each line that is none."""
    return read_rows(table, read_book(FORM, limits.tables), limits, now)


def read_rows(table: Table, book: Book, limits: Limits, now: datetime | None) -> Iterator[Verdict]:
    """The verdicts on the lines of a table."""
    check_count(len(table.rows), limits)
    rows = [make_record(row.cells, f"row[{row.line}]", book, None, limits, now) for row in table.rows]
    return judge_readings([read_reading(row, book) for row in rows], now)
