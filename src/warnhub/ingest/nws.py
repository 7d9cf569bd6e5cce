"""The alerts of api.weather.gov (GeoJSON feature, collection, or `@graph`) → `Alert`. Paths are `features[0].properties.sent`.

Nine in ten have no geometry and say where by codes of their own schemes (UGC, SAME): those are held for a person, with the
codes named. Where there is a geometry it is the place, and the codes are kept as parameters.
Source: https://www.weather.gov/documentation/services-web-api
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from warnhub.alert import (
    Alert,
    Area,
    Certainty,
    Code,
    Gate,
    Kind,
    Original,
    Parameter,
    Polygon,
    Reference,
    Scope,
    Severity,
    Status,
    Text,
    Urgency,
    Verdict,
)
from warnhub.ingest.draft import ENDS, Draft
from warnhub.ingest.fields import Record
from warnhub.ingest.findings import Findings, Limits, Unreadable, refusal, spot
from warnhub.ingest.geojson import read_geometry
from warnhub.ingest.infos import LANGUAGE, UNDETERMINED
from warnhub.ingest.mapping import Named, read_hazard, read_level
from warnhub.ingest.text import HEADLINE, LINE, LONG, SHORT
from warnhub.ingest.times import read_time

MARKS = frozenset(("event", "messageType", "severity"))
SCHEMES = ("SAME", "UGC")
VTEC = re.compile(
    r"/?([OTEX])\.(NEW|CON|EXT|EXA|EXB|UPG|CAN|EXP|COR|ROU)\.([A-Z]{4})\.([A-Z]{2})\.([WAYSFON])\.(\d{4})\.\d{6}T\d{4}Z-\d{6}T\d{4}Z/?"
)
UGC = re.compile(r"[A-Z]{2}[CZ]\d{3}", re.ASCII)
OVER = frozenset(("CAN", "EXP", "UPG"))
NAMES: dict[str, tuple[str, ...]] = {"kind": ("messageType", "msgType"), "identifier": ("id", "identifier")}


class Vtec(NamedTuple):
    """One P-VTEC string: whether it is operational, what it does, and to which event."""

    product: str
    action: str
    office: str
    phenomenon: str
    significance: str
    number: str


def is_alert(feature: Any) -> bool:
    """Whether this feature is an alert of the weather service."""
    properties = feature.get("properties") if isinstance(feature, Mapping) else None
    return isinstance(properties, Mapping) and (properties.get("@type") == "wx:Alert" or set(properties) >= MARKS)


def is_nws(value: Any) -> bool:
    """A feature, a collection with at least one, or the JSON-LD `@graph` of the same."""
    if not isinstance(value, Mapping):
        return False
    return is_alert(value) or any(is_alert(one) for one in listed(value)[1]) or is_graph(value)


def is_graph(value: Mapping[str, Any]) -> bool:
    """JSON-LD: the properties themselves in a list."""
    graph = value.get("@graph")
    return isinstance(graph, list) and any(isinstance(one, Mapping) and one.get("@type") == "wx:Alert" for one in graph)


def listed(value: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The list of features and the name it stands under."""
    features = value.get("features")
    return "features", features if isinstance(features, list) else []


def read_nws(value: Mapping[str, Any], limits: Limits, now: datetime | None) -> Iterator[Verdict]:
    """One verdict for each feature."""
    if is_alert(value):
        yield read_feature(value, "", limits, now)
        return
    if is_graph(value):
        for at, one in enumerate(value["@graph"]):
            inside = {"properties": one, "geometry": one.get("geometry") if isinstance(one, Mapping) else None}
            yield read_one(inside, spot("", "@graph", at), limits, now)
        return
    name, features = listed(value)
    for at, one in enumerate(features):
        yield read_one(one, spot("", name, at), limits, now)


def read_one(feature: Any, base: str, limits: Limits, now: datetime | None) -> Verdict:
    """The verdict on what stands in the list."""
    if not is_alert(feature):
        return refusal(Unreadable("FORM_NOT_READ", "no alert of the weather service", base).problem)
    return read_feature(feature, base, limits, now)


def read_feature(feature: Mapping[str, Any], base: str, limits: Limits, now: datetime | None) -> Verdict:
    """The verdict on one feature."""
    findings = Findings(limits, now)
    record = Record(feature["properties"], spot(base, "properties"), NAMES, findings)
    for name in ("identifier", "sender", "kind", "status", "event"):
        record.need(name)
    status = record.choice("status", Status, Gate.REFUSE)
    kind = record.choice("kind", Kind, Gate.REFUSE)
    sent = record.moment("sent", required=True)
    polygons = read_geometry(feature.get("geometry"), spot(base, "geometry"), findings)
    return findings.verdict(lambda: build_alert(record, sent, status, kind, polygons), record.base)


def build_alert(
    record: Record, sent: datetime | None, status: Status | None, kind: Kind | None, polygons: list[Polygon]
) -> Alert:
    """The alert of a feature whose head is whole."""
    assert sent
    assert status
    assert kind
    codes, parameters = read_pairs(record, "eventCode"), read_pairs(record, "parameters")
    vtec = read_vtec(record, parameters, status, kind)
    text = read_text(record)
    hazard, hazard_words = read_hazard(
        [*(Named("vtec", one.phenomenon) for one in vtec), *codes],
        text.event,
        record.words("category"),
        record.path("event"),
        record.findings,
    )
    severity = record.choice("severity", Severity, Gate.HOLD) or Severity.UNKNOWN
    level, words = read_level(parameters, severity, [text.headline], record.path("severity"), record.findings, kind in ENDS)
    area, placed = read_area(record, polygons, kind)
    return Draft(
        record,
        identifier=record.word("identifier"),
        sender=record.word("sender"),
        sent=sent,
        status=status,
        kind=kind,
        hazard=hazard,
        level=level,
        original=read_original(record, codes, hazard_words, words),
        references=read_references(record),
        severity=severity,
        urgency=record.choice("urgency", Urgency, Gate.HOLD) or Urgency.UNKNOWN,
        certainty=record.choice("certainty", Certainty, Gate.HOLD) or Certainty.UNKNOWN,
        times=(record.moment("effective"), record.moment("onset"), record.moment("expires")),
        areas=[area],
        texts=[text],
        parameters=keep_parameters(record, [*parameters, *placed]),
        scope=record.choice("scope", Scope, Gate.REFUSE) or Scope.PUBLIC,
        codes=[one.value for one in codes],
    ).build()


def read_text(record: Record) -> Text:
    """What it says."""
    language = record.text("language") or "en-US"
    return Text(
        language=language if LANGUAGE.fullmatch(language) else UNDETERMINED,
        event=record.text("event"),
        headline=record.text("headline", HEADLINE),
        description=record.prose("description"),
        instruction=record.prose("instruction"),
        sender_name=record.text("senderName"),
        web=record.text("web", LINE),
    )


def read_original(record: Record, codes: Sequence[Named], hazard: str, level: str) -> Original:
    """What the source said that our schema says otherwise."""
    return Original(
        form="nws",
        hazard=hazard,
        level=level,
        status=record.text("status"),
        kind=record.text("kind"),
        category=record.words("category")[:10],
        response=record.words("response")[:10],
        codes=record.words("code")[:10],
        event_codes=[Parameter(name=one.name[:SHORT], value=one.value[:LONG]) for one in codes if one.name],
    )


def read_pairs(record: Record, name: str) -> list[Named]:
    """An object of lists as named values, one for each."""
    value = record.value(name)
    pairs = value.items() if isinstance(value, Mapping) else ()
    return [
        Named(str(key), str(one))
        for key, many in pairs
        for one in (many if isinstance(many, list) else [many])
        if isinstance(one, str | int | float)
    ]


def keep_parameters(record: Record, named: Sequence[Named]) -> list[Parameter]:
    """What the source says beyond our fields, and when the event itself ends."""
    ends = record.moment("ends")
    more = [Named("ends", ends.isoformat())] if ends else []
    kept = [one for one in (*named, *more) if one.name and one.value]
    return [Parameter(name=one.name[:SHORT], value=one.value[:LONG]) for one in kept]


def read_vtec(record: Record, parameters: Sequence[Named], status: Status, kind: Kind) -> list[Vtec]:
    """The event codes of the product. One that is a test's, or that ends what an `update` still tells, is held."""
    place = record.path("parameters")
    found = []
    for one in parameters:
        if one.name != "VTEC":
            continue
        parts = VTEC.fullmatch(one.value.strip())
        if parts:
            found.append(Vtec(*parts.groups()))
        else:
            record.findings.add(place, "VTEC_INVALID", one.value)
    trial = next((one for one in found if one.product in "TEX"), None)
    if trial and status is Status.ACTUAL:
        record.findings.add(place, "TEST_CONTENT", f"VTEC {trial.product}")
    if found and kind not in ENDS and all(one.action in OVER for one in found):
        record.findings.add(place, "VTEC_OVER", ", ".join(one.action for one in found))
    return found


def read_references(record: Record) -> list[Reference]:
    """The earlier messages, each an object of identifier, sender and sent."""
    found = []
    for one in record.items("references"):
        identifier, sender = one.word("identifier"), one.word("sender")
        inner = Findings(record.findings.limits)
        sent = read_time(str(one.value("sent")), one.path("sent"), inner) if one.has("sent") else None
        if identifier:
            found.append(Reference(identifier=identifier, sender=sender or None, sent=sent))
        else:
            record.findings.add(one.base, "INVALID_REFERENCES")
    return found


def read_zones(record: Record) -> list[Named]:
    """The zones that are named by their addresses alone: their last part is the UGC code."""
    codes = [one.rpartition("/")[2] for one in record.words("affectedZones")]
    return [Named("UGC", one) for one in codes if UGC.fullmatch(one)]


def read_area(record: Record, polygons: list[Polygon], kind: Kind) -> tuple[Area, list[Named]]:
    """The place, and the codes that go with the parameters where the geometry says it better."""
    findings = record.findings
    name = record.text("areaDesc", LINE)
    named = [one for one in read_pairs(record, "geocode") if one.value and len(one.value) <= 128] or read_zones(record)
    if polygons:
        return Area(name=name, polygons=polygons), named
    codes = [Code(value=one.value, scheme=one.name[:128] or "unnamed") for one in named]
    if kind not in ENDS:
        shown = "; ".join(f"{scheme} {' '.join(one.value for one in named if one.name == scheme)}" for scheme in SCHEMES)
        if codes:
            findings.add(record.path("geocode"), "AREA_BY_CODE", shown.strip("; "))
        else:
            findings.add(record.base, "NO_AREA", name)
    return Area(name=name, codes=findings.first(record.path("geocode"), codes, 5_000)), []
