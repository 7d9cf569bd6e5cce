"""`Alert` → the national profile (国突, 12379), for the upper level's system.

Source: GB/T 35965.1-2018 appendix A and the interface's own words; see `warnhub.ingest.national` for the way in. It is narrower
than ours: what it cannot say without telling more people than were meant is refused, not widened.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from lxml import etree

from warnhub.alert import Alert, Area, Scope, Text
from warnhub.hazards import hazard_name
from warnhub.ingest.mapping import mapping
from warnhub.ingest.national import BEIJING, IDENTIFIER, NAMESPACE
from warnhub.publish.cap import ILLEGAL, Unwritable, number
from warnhub.publish.shapes import cut_open

CERTAINTIES = {"observed": "Observed", "likely": "Likely", "unlikely": "Unlikely"}
DIVISION = 12


@dataclass(frozen=True, slots=True)
class Issue:
    """As whom, and under which name, an alert is passed on. `first` is the identifier of the first message of its row."""

    code: str
    sender: str
    identifier: str
    first: str = ""


def make_issue(alert: Alert, code: str, sender: str, serial: int = 0, first: str = "") -> Issue:
    """The alert's own name where it is of the national form, else one of the office `code`; `serial` tells apart what was said
    in the same second."""
    own = IDENTIFIER.fullmatch(alert.identifier)
    if own:
        return Issue(own[1], alert.sender, alert.identifier, first)
    return Issue(code, sender, f"{code}_{stamp(alert.sent)}_{serial % 10}", first)


def stamp(moment: datetime) -> str:
    """Beijing time in digits."""
    return moment.astimezone(ZoneInfo(BEIJING)).strftime("%Y%m%d%H%M%S")


def file_name(alert: Alert, issue: Issue) -> str:
    """`senderCode_签发时间_eventType_SEVERITY_MSGTYPE.XML`."""
    return f"{issue.code}_{stamp(alert.effective)}_{alert.hazard}_{alert.level.upper()}_{alert.kind.upper()}.XML"


def write_national(alert: Alert, issue: Issue) -> bytes:
    """The message. Raises `Unwritable` for an area with an exclusion and a status the profile does not have."""
    if alert.status == "system":
        raise Unwritable("the national profile has no status System")
    if any(area.excluded or any(code.exclude for code in area.codes) for area in alert.areas):
        raise Unwritable("the national profile cannot exclude a place; it would tell more people than were meant")
    root = node("alert")
    inner = alert.restriction == "secClassification=Inner"
    head = [
        ("identifier", issue.identifier),
        ("sender", issue.sender),
        ("senderCode", issue.code),
        ("sendTime", moment(alert.sent)),
        ("status", alert.status.capitalize()),
        ("msgType", alert.kind.capitalize()),
        ("scope", (Scope.PUBLIC if inner else alert.scope).capitalize()),
    ]
    add(root, *head)
    root.append(write_code(alert))
    add(root, ("secClassification", "Inner" if inner else "None"), ("note", alert.original.note))
    add(root, ("references", issue.first or " ".join(one.identifier for one in alert.references[:1])))
    root.append(write_info(alert, alert.text("zh")))
    etree.indent(root)
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def node(name: str, text: str | None = None) -> etree._Element:
    """One element of the profile's."""
    made = etree.Element(f"{{{NAMESPACE}}}{name}", nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    made.text = ILLEGAL.sub("\ufffd", text) if text else None
    return made


def add(parent: etree._Element, *lines: tuple[str, str]) -> None:
    """Children, the empty ones too: the profile's readers look for each."""
    parent.extend(node(name, text) for name, text in lines)


def write_code(alert: Alert) -> etree._Element:
    """The words for each channel."""
    names = {channel: name for name, channel in reversed(mapping()["methods"].items())}
    groups = ",".join(alert.original.addresses.split()) if alert.original.form == "national" else ""
    code = node("code")
    for one in alert.spoken:
        method = node("method")
        add(method, ("methodName", names[one.channel]), ("message", one.text), ("audienceGrp", groups), ("audenceprt", ""))
        code.append(method)
    return code


def write_info(alert: Alert, text: Text) -> etree._Element:
    """What it says, in Chinese where it says it in Chinese."""
    given = alert.original
    info = node("info")
    add(
        info,
        ("language", text.language),
        ("eventType", alert.hazard),
        ("urgency", alert.urgency.capitalize()),
        ("severity", alert.level.capitalize()),
        ("certainty", CERTAINTIES.get(alert.certainty, "Unknown")),
        ("effective", moment(alert.effective) if given.effective_given else moment(alert.sent)),
        ("onset", moment(alert.onset) if alert.onset else ""),
        ("expires", moment(alert.expires) if given.expires_given else ""),
        ("senderName", text.sender_name),
        ("headline", text.headline or hazard_name(alert.hazard)),
        ("description", text.description or text.headline),
        ("instruction", text.instruction),
        ("web", text.web),
    )
    for one in alert.resources:
        resource = node("resource")
        lines = [("resourceDesc", one.description or "附件"), ("size", str(one.size or "")), ("uri", one.uri)]
        add(resource, *[line for line in [*lines, ("digest", one.digest)] if line[1]])
        info.append(resource)
    info.extend(write_area(area) for area in alert.areas)
    return info


def write_area(area: Area) -> etree._Element:
    """Longitude first, radii in metres, divisions in twelve digits (a grid keeps its fifteen: its village would be wider)."""
    made = node("area")
    rings = [ring for polygon in area.polygons for ring in cut_open(polygon)]
    divisions = [code.value.ljust(DIVISION, "0") for code in area.codes if code.scheme == "cn"]
    add(made, ("areaDesc", area.name))
    add(made, *[("polygon", " ".join(f"{number(x)},{number(y)}" for x, y in ring)) for ring in rings] or [("polygon", "")])
    circles = [f"{number(one.center[0])},{number(one.center[1])} {number(one.radius)}" for one in area.circles]
    add(made, *[("circle", one) for one in circles] or [("circle", "")])
    add(made, ("geocode", ",".join(divisions)))
    return made


def moment(value: datetime) -> str:
    """Beijing time with a blank and its offset."""
    return value.astimezone(ZoneInfo(BEIJING)).isoformat(" ", timespec="seconds")
