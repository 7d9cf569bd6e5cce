"""`Alert` → OASIS CAP 1.2, valid against its schema, from which the same alert is read again.

Source: http://docs.oasis-open.org/emergency/cap/v1.2/CAP-v1.2-os.html. What CAP has no element for travels as parameters named
`warnhub:…` (see `warnhub.ingest.carried`). A hole in a polygon is cut open, for CAP has none and to tell it without would be to
tell it wider; every other shape leaves as it came.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from lxml import etree

from warnhub.alert import Alert, Area, Circle, Parameter, Point, Reference, Resource, Text
from warnhub.hazards import HazardClass, hazard_class, hazard_name
from warnhub.ingest.carried import HAZARD, LEVEL, PREFIX, differences
from warnhub.ingest.choices import is_absolute
from warnhub.ingest.findings import Limits
from warnhub.ingest.forms import read_alerts
from warnhub.ingest.mapping import mapping
from warnhub.publish.shapes import cut_open

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
MEDIA = "application/cap+xml"
CATEGORIES = frozenset(
    ["Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other"]
)
RESPONSES = frozenset(["Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"])
CLASS_CATEGORIES = {HazardClass.METEOROLOGICAL: "Met", HazardClass.HYDROLOGICAL: "Met", HazardClass.GEOLOGICAL: "Geo"}
DIVISIONS = "GB/T 2260"
ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
URI = re.compile(r"[!#-;=?-\[\]_a-z~]+")
ROOMY = Limits(max_bytes=10**9, max_elements=10**7, max_polygons=10**6, max_points=10**7)


class Unwritable(ValueError):
    """CAP cannot say this: a name holds a character that no XML may hold."""


def write_cap(alert: Alert, zone: str = "UTC", known: Mapping[str, datetime] | None = None) -> bytes:
    """The document, in UTF-8, with times in `zone`. `known` are the sending times of alerts that a reference names only by
    identifier. Raises `Unwritable`."""
    for name in (alert.identifier, alert.sender):
        if ILLEGAL.search(name):
            raise Unwritable(f"U+{ord(ILLEGAL.findall(name)[0]):04X} in {alert.identifier!r}")
    root = write_alert(alert, ZoneInfo(zone), known or {})
    first = root.find(f"{{{NAMESPACE}}}info")
    assert first is not None
    read = read_alerts(etree.tostring(root, encoding="utf-8"), limits=ROOMY)[0].alert
    carried = [(f"{PREFIX}{path}", pack(value)) for path, value in differences(alert, read).items()]
    at = max(first.index(one) for one in first if etree.QName(one).localname in BEFORE_CARRIED)
    for offset, (name, value) in enumerate(carried, 1):
        first.insert(at + offset, pair("parameter", name, value))
    etree.indent(root)
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


BEFORE_CARRIED = frozenset(("event", "certainty", "eventCode", "expires", "headline", "web", "contact", "parameter"))


def pack(value: object) -> str:
    """JSON with Chinese legible; what XML cannot hold is escaped."""
    return ILLEGAL.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def element(name: str, text: str = "") -> etree._Element:
    """One element of CAP's."""
    made = etree.Element(f"{{{NAMESPACE}}}{name}", nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    made.text = ILLEGAL.sub("\ufffd", text)
    return made


def pair(name: str, key: str, value: str) -> etree._Element:
    """A name with its value."""
    made = element(name)
    made.text = None
    made.extend([element("valueName", key), element("value", value)])
    return made


def write_alert(alert: Alert, zone: tzinfo, known: Mapping[str, datetime]) -> etree._Element:
    """The `alert` element with its infos, one a language."""
    original = alert.original
    root = element("alert")
    root.text = None
    lines = [
        ("identifier", alert.identifier),
        ("sender", alert.sender),
        ("sent", moment(alert.sent, zone)),
        ("status", alert.status.capitalize()),
        ("msgType", alert.kind.capitalize()),
        ("source", original.source),
        ("scope", alert.scope.capitalize()),
        ("restriction", alert.restriction),
        ("addresses", original.addresses),
        *(("code", code) for code in original.codes),
        ("note", original.note),
        ("references", write_references(alert, zone, known)),
        ("incidents", original.incidents),
    ]
    root.extend(element(name, text) for name, text in lines if text)
    texts = {text.language.lower(): text for text in reversed(alert.texts)}
    spoken = list(texts.values())[::-1] or [Text()]
    root.extend(write_info(alert, text, zone) for text in spoken)
    return root


def write_references(alert: Alert, zone: tzinfo, known: Mapping[str, datetime]) -> str:
    """`sender,identifier,sent` of each; one whose time nobody knows cannot be said and is carried."""

    def triple(one: Reference) -> str:
        sent = one.sent or known.get(one.identifier)
        return f"{one.sender or alert.sender},{one.identifier},{moment(sent, zone)}" if sent else ""

    return " ".join(filter(None, map(triple, alert.references)))


def write_info(alert: Alert, text: Text, zone: tzinfo) -> etree._Element:
    """The alert in one language."""
    info = element("info")
    info.text = None
    severity = mapping()["level_severities"][alert.level] if alert.severity == "unknown" else alert.severity
    words = [
        ("language", text.language),
        *(("category", one) for one in categories(alert)),
        ("event", text.event or hazard_name(alert.hazard, text.language)),
        *(("responseType", one) for one in alert.original.response if one in RESPONSES),
        ("urgency", alert.urgency.capitalize()),
        ("severity", severity.capitalize()),
        ("certainty", alert.certainty.capitalize()),
        ("audience", alert.original.audience),
    ]
    info.extend(element(name, said) for name, said in words if said)
    codes = [(one.name, one.value) for one in alert.original.event_codes]
    info.extend(pair("eventCode", name, value) for name, value in [(HAZARD, alert.hazard), *codes])
    # Up to the next second, so that what ends within the second it was sent in still ends after it.
    ends = alert.expires + timedelta(microseconds=-alert.expires.microsecond % 1_000_000)
    times = [("effective", alert.effective), ("onset", alert.onset), ("expires", ends)]
    info.extend(element(name, moment(value, zone)) for name, value in times if value)
    prose = [
        ("senderName", text.sender_name),
        ("headline", text.headline),
        ("description", text.description),
        ("instruction", text.instruction),
        ("web", text.web if is_absolute(text.web) and URI.fullmatch(text.web) else ""),
        ("contact", text.contact),
    ]
    info.extend(element(name, said) for name, said in prose if said)
    info.append(pair("parameter", LEVEL, alert.level.value))
    info.extend(pair("parameter", one.name, measured(one)) for one in alert.parameters if not one.name.startswith(PREFIX))
    info.extend(write_resource(one) for one in alert.resources)
    info.extend(write_area(area) for area in alert.areas)
    return info


def measured(parameter: Parameter) -> str:
    """A value with its unit, as a person writes it."""
    return f"{parameter.value} {parameter.unit}" if parameter.unit else parameter.value


def categories(alert: Alert) -> Sequence[str]:
    """The source's own, else the one of the hazard's class: CAP wants at least one."""
    stated = [one for one in alert.original.category if one in CATEGORIES]
    return stated or [CLASS_CATEGORIES.get(hazard_class(alert.hazard), "Other")]


def write_resource(resource: Resource) -> etree._Element:
    """An attachment by its description."""
    made = element("resource")
    made.text = None
    lines = [
        ("resourceDesc", resource.description or "附件"),
        ("mimeType", resource.mime or "application/octet-stream"),
        ("size", str(resource.size) if resource.size is not None else ""),
        ("uri", resource.uri if URI.fullmatch(resource.uri) else ""),
        ("digest", resource.digest),
    ]
    made.extend(element(name, text) for name, text in lines if text)
    return made


def write_area(area: Area) -> etree._Element:
    """A place. CAP writes latitude first, and radii in kilometres."""
    made = element("area")
    made.text = None
    made.append(element("areaDesc", area.name or " ".join(code.value for code in area.codes[:20]) or "-"))
    rings = [ring for polygon in area.polygons for ring in cut_open(polygon)]
    made.extend(element("polygon", " ".join(map(point, ring))) for ring in rings)
    made.extend(element("circle", circle(one)) for one in area.circles)
    for code in area.codes:
        scheme = DIVISIONS if code.scheme == "cn" else code.scheme
        exclude = code.exclude and not scheme.upper().startswith("EXCLUDE")
        made.append(pair("geocode", f"EXCLUDE {scheme}" if exclude else scheme, code.value))
    cuts = [ring for polygon in area.excluded for ring in cut_open(polygon)]
    made.extend(pair("geocode", "EXCLUDE_POLYGON", " ".join(map(point, ring))) for ring in cuts)
    heights = [("altitude", area.altitude), ("ceiling", area.ceiling)]
    made.extend(element(name, number(value)) for name, value in heights if value is not None)
    return made


def point(value: Point) -> str:
    """latitude,longitude."""
    return f"{number(value[1])},{number(value[0])}"


def circle(value: Circle) -> str:
    """latitude,longitude and kilometres."""
    return f"{point(value.center)} {Decimal(repr(value.radius)).scaleb(-3):f}"


def number(value: float) -> str:
    """All its digits and no exponent."""
    text = repr(value)
    return text if "e" not in text else f"{Decimal(text):f}"


def moment(value: datetime, zone: tzinfo) -> str:
    """To the second, with the offset CAP wants; never Z."""
    text = value.astimezone(zone).isoformat(timespec="seconds")
    return f"{text[:-6]}-00:00" if text.endswith("+00:00") else text
