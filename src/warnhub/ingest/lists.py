"""Public lists and weather services that pass warnings on in short → `Alert`; their names and codes are `lists.yaml`.

They say who, what and when, and rarely where: an area that is only the office's own, by its code or in the identifier, is
held for a person. An item that is not an alert's is refused at its place, and the rest is read.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml
from pydantic import Field

from warnhub.alert import (
    Alert,
    Area,
    Certainty,
    Gate,
    Kind,
    Level,
    Model,
    Original,
    Reference,
    Severity,
    Status,
    Text,
    Urgency,
    Verdict,
)
from warnhub.ingest.draft import ENDS, Draft
from warnhub.ingest.fields import Record, bare_name
from warnhub.ingest.findings import Findings, Limits, Unreadable, refusal, spot
from warnhub.ingest.mapping import LIFTED, Named, mapping, named_event, read_hazard, read_level
from warnhub.ingest.measured import UNNAMED
from warnhub.ingest.places import read_divisions, unique
from warnhub.ingest.text import HEADLINE, LINE, SHORT

NATIONAL = re.compile(r"(?:\D*_)?(\d{6})\d{8}_\d{14}(?:_\d)?", re.ASCII)
VERB = re.compile(r"(?:继续|变更|更新)?(?:发布|解除|变更|更新|升级|取消)")
DEEPEST = 5
LOOK = 100  # so many of a list are looked at to tell whether it is of warnings
MOST_REFERENCES = 200


class Scheme(Model):
    """One way to write a kind of warning, and maybe its colour, as a code."""

    name: str
    under: list[str]
    pattern: str
    hazard: str = ""
    kinds: dict[str, str] = Field(default_factory=dict)
    levels: dict[str, Level] = Field(default_factory=dict)


class Lists(Model):
    """The tables of the form."""

    form: str
    zone: str
    names: dict[str, list[str]]
    schemes: list[Scheme]
    states: dict[str, Kind]


class Coded(NamedTuple):
    """What the codes of an item say, each beside the code it was read from."""

    hazard: str
    level: Level | None
    words: str


@cache
def lists() -> Lists:
    """The tables, from their file."""
    return Lists.model_validate(yaml.safe_load(files("warnhub.ingest").joinpath("lists.yaml").read_text("utf-8")))


def flat(item: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an item with those of the objects in it beside them: `messageType.code`; of several languages the first."""
    values: dict[str, Any] = {}
    for key, value in item.items():
        if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
            values |= {name: one for name, one in value[0].items() if name not in item}
        elif isinstance(value, Mapping):
            values |= {f"{key}.{name}": one for name, one in value.items() if not isinstance(one, Mapping)}
        else:
            values[key] = value
    return values


def is_item(value: Any) -> bool:
    """Whether an object tells of a warning: it has a title, a time, and a name of its own or a code."""
    if not isinstance(value, Mapping):
        return False
    record = Record(flat(value), "", lists().names, Findings())
    named = record.has("identifier") or record.has("type")
    return record.has("headline") and record.has("sent") and named and not {"station", "hazard"} & set(value)


def find_items(value: Any, path: str = "", depth: int = 0) -> tuple[str, list[Any]] | None:
    """The first list that holds such an item, and where it stands."""
    if isinstance(value, list):
        return (path, value) if any(is_item(one) for one in value[:LOOK]) else None
    if not isinstance(value, Mapping) or depth > DEEPEST:
        return None
    found = (find_items(one, spot(path, str(key)), depth + 1) for key, one in value.items())
    return next((one for one in found if one), None)


def is_list(value: Any) -> bool:
    """Whether this JSON holds a list of warnings, or is one."""
    return is_item(value) or find_items(value) is not None


def read_list(value: Any, limits: Limits, now: datetime | None) -> Iterator[Verdict]:
    """One verdict for each item."""
    path, items = find_items(value) or ("", [value])
    for at, one in enumerate(items):
        place = spot(path, at) if items != [value] else ""
        if is_item(one):
            yield read_item(Record(flat(one), place, lists().names, Findings(limits, now)))
        else:
            yield refusal(Unreadable("FORM_NOT_READ", "no title, time and name of a warning", place).problem)


def read_item(record: Record) -> Verdict:
    """The verdict on one item."""
    identifier = record.need("identifier")
    sent = record.moment("sent", lists().zone, required=True)
    headline = record.text("headline", HEADLINE)
    return record.findings.verdict(lambda: build_alert(record, identifier, sent, headline), record.base)


def build_alert(record: Record, identifier: str, sent: datetime | None, headline: str) -> Alert:
    """The alert of an item whose head is whole."""
    assert sent
    zone = lists().zone
    kind = read_kind(record, headline)
    coded = read_codes(record)
    hazard, hazard_words = settle_hazard(record, coded, headline)
    severity = record.choice("severity", Severity, Gate.ACCEPT) or Severity.UNKNOWN
    level, level_words = settle_level(record, coded, severity, headline, kind)
    return Draft(
        record,
        identifier=UNNAMED.sub("-", identifier),
        sender=settle_sender(record, headline),
        sent=sent,
        status=Status.ACTUAL,
        kind=kind,
        hazard=hazard,
        level=level,
        original=Original(form=lists().form, hazard=hazard_words, level=level_words, kind=record.text("state")),
        references=[Reference(identifier=one) for one in record.words("references")[:MOST_REFERENCES] if len(one) <= SHORT],
        severity=severity if severity is not Severity.UNKNOWN else mapping()["level_severities"][level],
        urgency=record.choice("urgency", Urgency, Gate.ACCEPT) or Urgency.UNKNOWN,
        certainty=record.choice("certainty", Certainty, Gate.ACCEPT) or Certainty.UNKNOWN,
        times=(record.moment("effective", zone), record.moment("onset", zone), record.moment("expires", zone)),
        areas=[read_area(record, identifier, kind)],
        texts=[
            Text(
                event=record.text("name"),
                headline=headline,
                description=record.prose("description"),
                instruction=record.prose("instruction"),
            )
        ],
    ).build()


def read_kind(record: Record, headline: str) -> Kind:
    """What it does: by its state, else by whether its title lifts a warning."""
    said = record.text("state").lower()
    if said and said not in lists().states:
        record.findings.add(record.path("state"), "INVALID_VALUE", said, ", ".join(lists().states), Gate.HOLD)
    stated = lists().states.get(said, Kind.ALERT)
    return Kind.CANCEL if stated is Kind.ALERT and LIFTED.search(headline) else stated


def read_codes(record: Record) -> Coded:
    """What the first code that is known says of the kind, and the first of the colour."""
    hazard, level, words = "", None, []
    for name in lists().names["type"]:
        key = record.known.get(bare_name(name))
        value = str(record.values[key]).strip() if key else ""
        for scheme in lists().schemes if value else ():
            found = re.fullmatch(scheme.pattern, value) if name in scheme.under else None
            if found is None:
                continue
            kind = scheme.kinds.get(found[1], "") if scheme.kinds else scheme.hazard.format(*found.groups())
            colour = scheme.levels.get(found.groups()[-1])
            hazard, level = hazard or kind, level or colour
            words.append(f"{key}={value}")
            break
    return Coded(hazard, level, ", ".join(words))


def settle_hazard(record: Record, coded: Coded, headline: str) -> tuple[str, str]:
    """The hazard by its code, which the words must not contradict; else by the words."""
    event = f"{record.text('name')} {headline}".strip()
    where = record.path("type")
    if not coded.hazard:
        found = read_hazard([], event, ("met",), record.path("headline"), record.findings)
        return found.value, found.words
    named = named_event(event)
    if named and named.value != coded.hazard:
        record.findings.add(where, "HAZARD_CONFLICT", coded.words, named.words)
    found = read_hazard([Named("code", coded.hazard)], event, ("met",), where, record.findings)
    record.findings.add(where, "HAZARD_MAPPED", coded.words, coded.hazard)
    return found.value, f"{coded.words} → {found.value}"


def settle_level(record: Record, coded: Coded, severity: Severity, headline: str, kind: Kind) -> tuple[Level, str]:
    """The colour that is stated or coded, which the title must not contradict; else the title's, else the severity's."""
    said = [Named("level", record.text("level"))] if record.has("level") else []
    by_code = [Named("level", coded.level.value)] if coded.level else []
    where = record.path("level") if said else record.path("headline")
    level, words = read_level([*said, *by_code], severity, [headline], where, record.findings, kind in ENDS)
    if coded.level and coded.level is not level:
        record.findings.add(record.path("type"), "LEVEL_CONFLICT", coded.words, words)
    return level, words


def settle_sender(record: Record, headline: str) -> str:
    """Who issued it: as the item or its title says, else who passed it on."""
    verb = VERB.search(headline)
    sender = record.word("sender") or (headline[: verb.start()].strip() if verb else "") or record.findings.limits.sender
    if not sender:
        record.findings.add(record.base or "/", "MISSING_REQUIRED_ELEMENT", "sender", gate=Gate.HOLD)
    return UNNAMED.sub("-", sender or "unknown")[:SHORT]


def read_area(record: Record, identifier: str, kind: Kind) -> Area:
    """The division of the office that issued it, which a person must confirm."""
    codes = read_divisions(record.path("codes"), ",".join(record.words("codes")), record.findings)
    where = record.path("codes")
    if not codes and (found := NATIONAL.fullmatch(identifier)):
        codes = read_divisions(record.path("identifier"), found[1], record.findings)
        where = record.path("identifier")
    if kind not in ENDS:
        record.findings.add(where, "AREA_ASSUMED" if codes else "NO_AREA", codes[0].value if codes else "")
    return Area(name=record.text("area", LINE), codes=unique(codes))
