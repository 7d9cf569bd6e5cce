"""The national warning profile (国突, 12379) → `Alert`.

One `alert` with or without the namespace `http://com.icss.amp`; told from CAP by `senderCode`, `sendTime` or `eventType`.
Source: GB/T 35965.1-2018 appendix A, and messages as they are really sent: identifiers of 29 and of 31 characters, times with
a blank, empty `onset` and `expires`, `audenceprt`, radii in metres, points as longitude,latitude or the other way round.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from warnhub import alert
from warnhub.alert import Alert, Area, Gate, Kind, Level, Original, Reference, Scope, Spoken, Status, Verdict
from warnhub.hazards import known
from warnhub.ingest.choices import choose, read_required, read_resources, read_web
from warnhub.ingest.findings import Findings, Limits, local
from warnhub.ingest.geometry import Order
from warnhub.ingest.infos import read_language
from warnhub.ingest.mapping import CODE, UNKNOWN_HAZARD, check_titles, mapping, title_colour
from warnhub.ingest.places import MOST_CODES, read_circles, read_divisions, read_shapes, too_large, unique
from warnhub.ingest.references import FOLLOWS, check_references, read_first
from warnhub.ingest.structure import NATIONAL, check_structure
from warnhub.ingest.text import HEADLINE, LINE, LONG, SHORT, clean_text, message_room
from warnhub.ingest.times import Span, check_sent, read_moment, settle_span
from warnhub.ingest.tree import children, place_of, said, words

NAMESPACE = "http://com.icss.amp"
MARKS = frozenset(("senderCode", "sendTime"))
IDENTIFIER = re.compile(r"(\d{14})_\d{14}(?:_\d)?", re.ASCII)
BEIJING = "Asia/Shanghai"
INTERNAL = "inner"
PHONE = re.compile(r"\d{7,}")
CHINESE = "zh-CN"
SUBJECT = ("eventType", "severity", "urgency", "certainty", "effective", "onset", "expires")
SHAPES = ("geocode", "polygon", "circle")


@dataclass(slots=True)
class Head:
    """What stands above the info, as far as it can be read."""

    identifier: str
    sender: str
    code: str
    sent: datetime | None
    status: Status | None
    kind: Kind | None
    scope: Scope | None
    restriction: str
    references: list[Reference]

    @property
    def ends(self) -> bool:
        """Whether it ends or answers another alert."""
        return self.kind in (Kind.CANCEL, Kind.ACK, Kind.ERROR)


def is_national(root: etree._Element) -> bool:
    """Whether this `alert` is the national profile's and not CAP's."""
    if local(root) != "alert":
        return False
    names = {local(one) for one in root} | {local(two) for one in root if local(one) == "info" for two in one}
    return etree.QName(root).namespace == NAMESPACE or bool(names & MARKS) or "eventType" in names


def read_national(root: etree._Element, limits: Limits, now: datetime | None) -> Verdict:
    """The verdict on one national message."""
    findings = Findings(limits, now)
    check_structure(root, NATIONAL, findings)
    head = read_head(root, findings)
    if too_large(root, findings):
        return Verdict(gate=Gate.REFUSE, problems=findings.problems)
    infos = children(root, "info")
    if not infos:
        findings.add(root, "MISSING_INFO", gate=Gate.REFUSE)
        return Verdict(gate=Gate.REFUSE, problems=findings.problems)
    texts = find_translations(infos, findings)
    return findings.verdict(lambda: build_alert(root, texts, head, findings), root)


def find_translations(infos: Sequence[etree._Element], findings: Findings) -> list[etree._Element]:
    """The first info and those that say the same in another language. The profile has one info: of any other kind none is taken
    for it, and the message is held."""
    kept = [infos[0]]
    for extra in infos[1:]:
        if differing := differs_in(extra, kept):
            findings.add(extra, "INFO_MIXED", said(extra, "headline"), f"another {differing}")
        else:
            kept.append(extra)
    return kept


def differs_in(extra: etree._Element, kept: Sequence[etree._Element]) -> str:
    """The element by which an info is no translation of those that are kept; "" if it is one."""
    name = next((name for name in SUBJECT if said(extra, name).lower() != said(kept[0], name).lower()), "")
    if name:
        return name
    if (places := place_names(extra)) and places != place_names(kept[0]):
        return "area"
    spoken = {(said(one, "language") or CHINESE).lower() for one in kept}
    return f"info in {said(extra, 'language') or CHINESE}" if (said(extra, "language") or CHINESE).lower() in spoken else ""


def place_names(info: etree._Element) -> frozenset[tuple[str, str]]:
    """Codes and shapes of an info as written, whatever its places are called."""
    shapes = (one for area in children(info, "area") for name in SHAPES for one in children(area, name))
    return frozenset((local(one), " ".join(words(one).split())) for one in shapes if words(one).strip())


def read_head(root: etree._Element, findings: Findings) -> Head:
    """The elements before the info."""
    scope, restriction = read_scope(root, findings)
    head = Head(
        read_required(root, "identifier", findings),
        read_required(root, "sender", findings),
        said(root, "senderCode"),
        read_moment(root, "sendTime", findings, BEIJING, required=True),
        choose(root, "status", Status, findings, Gate.REFUSE),
        choose(root, "msgType", Kind, findings, Gate.REFUSE),
        scope,
        restriction,
        read_first(root, findings),
    )
    if head.sent:
        check_sent(head.sent, place_of(root, "sendTime"), findings)
    check_names(root, head, findings)
    return head


def read_scope(root: etree._Element, findings: Findings) -> tuple[Scope | None, str]:
    """The scope; what is classed as internal is restricted whatever the scope says."""
    scope = choose(root, "scope", Scope, findings, Gate.REFUSE)
    if said(root, "secClassification").lower() != INTERNAL:
        return scope, ""
    findings.add(place_of(root, "secClassification"), "INTERNAL_ONLY", INTERNAL)
    return (Scope.RESTRICTED if scope is Scope.PUBLIC else scope), "secClassification=Inner"


def check_names(root: etree._Element, head: Head, findings: Findings) -> None:
    """The identifier begins with the sender's code, and so does what it refers to."""
    form = IDENTIFIER.fullmatch(head.identifier)
    if head.identifier and not form:
        findings.add(place_of(root, "identifier"), "INVALID_IDENTIFIER", head.identifier)
    if form and head.code != form[1]:
        findings.add(place_of(root, "senderCode"), "SENDER_MISMATCH", head.code, form[1])
    if head.identifier:
        own = Reference(identifier=head.identifier, sent=head.sent)
        check_references(head.references, own, head.kind, place_of(root, "references"), findings)
    foreign = next((one for one in head.references if not one.identifier.startswith(head.code)), None)
    if foreign and head.kind in FOLLOWS:
        findings.add(place_of(root, "references"), "FOREIGN_REFERENCE", foreign.identifier, head.code)


def build_alert(root: etree._Element, infos: Sequence[etree._Element], head: Head, findings: Findings) -> Alert:
    """The alert of a head that is whole, its info, and the translations of it."""
    assert head.sent is not None
    info = infos[0]
    hazard = read_event(info, findings)
    texts = [read_text(one, findings) for one in infos]
    level = read_colour(info, texts[0].headline, head.ends, findings)
    check_titles(head.status, head.kind, [hazard], [text.headline for text in texts], info, findings)
    span = read_span(info, head, hazard, findings)
    areas = [read_area(one, findings) for one in findings.first(info, children(info, "area"), 1_000)]
    if not head.ends and not any(area.placeable for area in areas):
        findings.add(info, "NO_AREA")
    return Alert(
        identifier=head.identifier,
        sender=head.sender,
        sent=head.sent,
        status=head.status,
        kind=head.kind,
        references=head.references,
        hazard=hazard,
        level=level,
        urgency=choose(info, "urgency", alert.Urgency, findings, Gate.HOLD, alert.Urgency.UNKNOWN),
        severity=mapping()["level_severities"][level],
        certainty=choose(info, "certainty", alert.Certainty, findings, Gate.HOLD, alert.Certainty.UNKNOWN),
        effective=span.effective,
        onset=span.onset,
        expires=span.expires,
        areas=areas,
        texts=texts,
        spoken=read_spoken(root, head.scope, findings),
        resources=list(dict.fromkeys(resource for one in infos for resource in read_resources(one, findings))),
        scope=head.scope,
        restriction=head.restriction,
        original=read_original(root, info, head, span, findings),
    )


def read_event(info: etree._Element, findings: Findings) -> str:
    """The hazard's code. An unknown one is taken as it is; what is no code at all is held as another weather hazard."""
    code = said(info, "eventType").upper()
    where = place_of(info, "eventType")
    if not CODE.fullmatch(code):
        findings.add(where, "HAZARD_UNKNOWN", code, UNKNOWN_HAZARD, Gate.HOLD)
        return UNKNOWN_HAZARD
    if not known(code):
        findings.add(where, "HAZARD_UNKNOWN", code)
    return code


def read_colour(info: etree._Element, headline: str, ends: bool, findings: Findings) -> Level:
    """The colour that `severity` names; where it names none, a person must choose, with the headline's in its place."""
    said_colour = mapping()["colours"].get(said(info, "severity").lower())
    titled = title_colour([headline])
    where = place_of(info, "severity")
    if said_colour is None:
        if not ends:
            findings.add(where, "LEVEL_UNKNOWN", said(info, "severity"), titled.words if titled else "")
        return Level(titled.value) if titled else Level.BLUE
    if titled and titled.value != said_colour:
        findings.add(where, "LEVEL_CONFLICT", titled.words, said(info, "severity"))
    return Level(said_colour)


def read_text(info: etree._Element, findings: Findings) -> alert.Text:
    """What it says."""

    def part(name: str, most: int, lines: bool = False) -> str:
        return clean_text(said(info, name), place_of(info, name), findings, most, lines)

    return alert.Text(
        language=read_language(info, findings, CHINESE),
        headline=part("headline", HEADLINE),
        description=part("description", LONG, lines=True),
        instruction=part("instruction", LONG, lines=True),
        sender_name=part("senderName", SHORT),
        web=read_web(info, findings),
    )


def read_span(info: etree._Element, head: Head, hazard: str, findings: Findings) -> Span:
    """When it holds. An expiry equal to the sending or the beginning says nothing: some senders fill all times alike."""
    assert head.sent is not None
    effective, onset, expires = (read_moment(info, name, findings, BEIJING) for name in ("effective", "onset", "expires"))
    if expires in (head.sent, effective, onset):
        expires = None
    return settle_span((effective, onset, expires), head.sent, hazard, head.ends, info, findings)


def read_area(area: etree._Element, findings: Findings) -> Area:
    """One area: twelve-digit division codes, polygons and circles; radii are metres."""
    codes = [code for one in children(area, "geocode") for code in read_divisions(one, words(one).strip(), findings)]
    return Area(
        name=clean_text(said(area, "areaDesc"), area, findings, LINE, lines=False),
        codes=findings.first(area, unique(codes), MOST_CODES),
        polygons=read_shapes(area, findings, Order.BY_RANGE),
        circles=read_circles(area, findings, Order.BY_RANGE),
    )


def read_methods(root: etree._Element) -> Sequence[etree._Element]:
    """The channels the sender wrote words for."""
    return [method for code in children(root, "code") for method in children(code, "method")]


def read_spoken(root: etree._Element, scope: Scope | None, findings: Findings) -> list[Spoken]:
    """Words written for one channel; an empty message means the description. Named numbers are not used."""
    spoken = []
    for method in findings.first(root, read_methods(root), 30):
        name = said(method, "methodName").upper()
        channel = mapping()["methods"].get(name)
        text = clean_text(said(method, "message"), place_of(method, "message"), findings)
        if channel == "sms" and len(text) > message_room(text):
            findings.add(place_of(method, "message"), "MESSAGE_TOO_LONG", len(text), f"most {message_room(text)}")
        if not channel:
            findings.add(method, "METHOD_UNKNOWN", name)
        elif text:
            spoken.append(Spoken(channel=channel, text=text))
        check_audience(method, scope, findings)
    return spoken


def check_audience(method: etree._Element, scope: Scope | None, findings: Findings) -> None:
    """Receivers the sender names itself: counted, never used or shown. A message that is not public is for them alone: held."""
    numbers = PHONE.findall(f"{said(method, 'audiencePrt')},{said(method, 'audenceprt')}")
    groups = [one for one in said(method, "audienceGrp").split(",") if one.strip()]
    if numbers and scope is Scope.PUBLIC:
        findings.add(method, "AUDIENCE_IGNORED", f"{len(numbers)} numbers")
    elif (numbers or groups) and scope is not Scope.PUBLIC:
        findings.add(method, "AUDIENCE_NAMED", f"{len(numbers)} numbers, {len(groups)} groups")


def read_original(root: etree._Element, info: etree._Element, head: Head, span: Span, findings: Findings) -> Original:
    """What the source said that our schema says otherwise."""
    groups = dict.fromkeys(
        name for method in read_methods(root) for name in said(method, "audienceGrp").split(",") if name.strip()
    )
    return Original(
        form="national",
        hazard=said(info, "eventType"),
        level=said(info, "severity"),
        status=said(root, "status"),
        kind=said(root, "msgType"),
        note=clean_text(said(root, "note"), place_of(root, "note"), findings, LINE),
        addresses=" ".join(groups)[:LONG],
        agency_code=head.code[:SHORT],
        expires_given=span.expires_given,
        effective_given=span.effective_given,
    )
