"""Objects and rows of foreign forms: a value by any of the names it goes under, each with its place.

Names are compared without case, blanks, marks and bracketed units: `水位(m)`, `STCD` and `station_code` are found as they
stand. Which names mean what is data of each form.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

from warnhub.alert import Gate
from warnhub.ingest.findings import Findings, spot
from warnhub.ingest.text import LONG, SHORT, clean_text
from warnhub.ingest.times import FORM, from_local, read_time

E = TypeVar("E", bound=StrEnum)
NOISE = re.compile(r"[\s_\-:：*@.]+|[(（\[【].*?[)）\]】]")
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,2})?", re.ASCII)
PACKED = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})?", re.ASCII)
LONG_NAME = 100
EPOCH = (1e9, 4e9)
NOTHING = frozenset(
    ("", "-", "--", "---", "—", "——", "/", "\\", "null", "none", "nan", "n/a", "无", "无数据", "缺测", "未知", "*")
)


def bare_name(name: str) -> str:
    """A name without what differs from one writer to the next. Long ones are no names, and are not remembered."""
    return short_name(name) if len(name) <= LONG_NAME else NOISE.sub("", name).lower()


@lru_cache(maxsize=4096)
def short_name(name: str) -> str:
    """The same, remembered."""
    return NOISE.sub("", name).lower()


def usual_time(value: object) -> str:
    """A time as it is usually written, from the ways tables and web services write it; anything else as it stands.

    Seconds or milliseconds since 1970 are UTC.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) > EPOCH[1] * 1_000:
            return str(value)[:40]
        seconds = value / 1000 if value > EPOCH[1] else float(value)
        return datetime.fromtimestamp(seconds, UTC).isoformat() if EPOCH[0] <= seconds <= EPOCH[1] else str(value)
    text = str(value).strip()
    if found := PACKED.fullmatch(text):
        year, month, day, hour, minute, second = found.groups()
        return f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}"
    return text if FORM.fullmatch(text) else from_local(text) or text


@dataclass(frozen=True, slots=True)
class Record:
    """One object or row. `names` gives the names each field may go under; `above` is asked where the record is silent."""

    values: Mapping[str, Any]
    base: str
    names: Mapping[str, Sequence[str]]
    findings: Findings
    above: "Record | None" = None
    known: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Index the keys by their bare names; the first of two alike counts."""
        object.__setattr__(self, "known", {bare_name(key): key for key in reversed(list(self.values))})

    def key_of(self, name: str) -> str | None:
        """The key that stands for a field and says something, or None."""
        for one in self.names.get(name, (name,)):
            key = self.known.get(bare_name(one))
            if key is not None and not is_nothing(self.values[key]):
                return key
        return None

    def holder(self, name: str) -> "Record":
        """This record, or the nearest above that says it."""
        record: Record | None = self
        while record is not None:
            if record.key_of(name) is not None:
                return record
            record = record.above
        return self

    def has(self, name: str) -> bool:
        """Whether it is said here or above."""
        return self.holder(name).key_of(name) is not None

    def value(self, name: str) -> Any:
        """The value as it stands, or None."""
        holder = self.holder(name)
        key = holder.key_of(name)
        return None if key is None else holder.values[key]

    def path(self, name: str) -> str:
        """Where it stands, or the record's own place."""
        holder = self.holder(name)
        key = holder.key_of(name)
        return (self.base or "/") if key is None else spot(holder.base, key)

    def text(self, name: str, most: int = SHORT, lines: bool = False) -> str:
        """Plain text through the text gate; "" of nothing, and a problem of what is no text."""
        value = self.value(name)
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            value = "\n".join(value)
        if value is None or isinstance(value, Mapping | list):
            if value is not None:
                self.findings.add(self.path(name), "INVALID_VALUE", type(value).__name__, "text", Gate.HOLD)
            return ""
        return clean_text(str(value), self.path(name), self.findings, most, lines)

    def prose(self, name: str) -> str:
        """Long text, with its lines."""
        return self.text(name, LONG, lines=True)

    def word(self, name: str) -> str:
        """A short text that must be whole; "" of nothing. Refused where it is too long."""
        text = self.text(name, LONG)
        if len(text) > SHORT:
            self.findings.add(self.path(name), "TOO_LONG", text, f"most {SHORT}")
            return ""
        return text

    def need(self, name: str) -> str:
        """`word` that must be there."""
        text = self.word(name)
        if not text and not self.has(name):
            self.findings.add(self.base or "/", "MISSING_REQUIRED_ELEMENT", name, name, Gate.REFUSE)
        return text

    def number(self, name: str, gate: Gate = Gate.REFUSE) -> float | None:
        """A number, or None with a problem where something else stands."""
        value = self.value(name)
        if isinstance(value, Mapping):  # {"value": 25.5, "unit": "m"}
            return Record(value, self.path(name), {}, self.findings).number("value", gate)
        if value is None:
            return None
        text = str(value).strip().replace("，", "").replace(",", "")
        if isinstance(value, bool) or not NUMBER.fullmatch(text):
            self.findings.add(self.path(name), "NUMBER_INVALID", value, gate=gate)
            return None
        return float(text)

    def moment(self, name: str, zone: str | None = None, required: bool = False) -> datetime | None:
        """A time. Where it has no offset it is the form's own `zone`, which is noted, unless the source has another."""
        value = self.value(name)
        if value is None:
            if required:
                self.findings.add(self.base or "/", "MISSING_REQUIRED_ELEMENT", name, name, Gate.REFUSE)
            return None
        text = usual_time(value)
        if zone and self.findings.limits.zone in (None, zone) and (found := FORM.fullmatch(text)) and not found[4]:
            self.findings.add(self.path(name), "TIME_ZONE_OF_FORM", text, zone)
            inner = Findings(replace(self.findings.limits, zone=zone))
            moment = read_time(text, self.path(name), inner)
            for one in inner.problems:
                if one.rule != "TIME_ZONE_ASSUMED":
                    self.findings.add(one.path, one.rule, one.value)
            return moment
        return read_time(text, self.path(name), self.findings)

    def choice(
        self, name: str, kind: type[E], gate: Gate, default: E | None = None, words: Mapping[str, str] | None = None
    ) -> E | None:
        """The member of `kind` that is said, in any case and by the source's own `words`; `default` of nothing."""
        value = self.value(name)
        if value is None:
            return default
        text = str(value).strip().lower()
        text = (words or {}).get(text, text)
        if text in kind._value2member_map_:
            return kind(text)
        self.findings.add(self.path(name), "INVALID_VALUE", value, ", ".join(kind), gate)
        return default

    def inner(self, name: str) -> "Record | None":
        """The object that stands there."""
        value = self.value(name)
        if not isinstance(value, Mapping):
            return None
        return Record(value, self.path(name), self.names, self.findings)

    def items(self, name: str) -> Iterator["Record"]:
        """The objects in the list that stands there; what is no object is a problem."""
        value = self.value(name)
        for at, one in enumerate(value if isinstance(value, list) else []):
            place = spot(self.path(name), at)
            if isinstance(one, Mapping):
                yield Record(one, place, self.names, self.findings)
            else:
                self.findings.add(place, "INVALID_VALUE", one, "an object", Gate.HOLD)

    def words(self, name: str) -> list[str]:
        """The texts in a list, or one text alone."""
        value = self.value(name)
        listed = value if isinstance(value, list) else [] if value is None else [value]
        listed = [one.get("code", one.get("name")) if isinstance(one, Mapping) else one for one in listed]
        return [str(one).strip() for one in listed if isinstance(one, str | int | float) and not is_nothing(one)]


def is_nothing(value: object) -> bool:
    """Whether a value says nothing: absent, empty, or one of the marks tables have for that."""
    return value is None or (isinstance(value, str) and value.strip().lower() in NOTHING)
