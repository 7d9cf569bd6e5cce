"""OASIS CAP 1.0, 1.1 and 1.2 → `Alert`. Paths are XPaths by local names.

Source: http://docs.oasis-open.org/emergency/cap/v1.2/CAP-v1.2-os.html and the two versions before it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from warnhub.alert import Alert, Gate, Kind, Level, Original, Parameter, Reference, Scope, Severity, Status, Verdict
from warnhub.ingest.carried import is_carried, restore
from warnhub.ingest.choices import choose, read_required, read_resources
from warnhub.ingest.findings import Findings, Limits
from warnhub.ingest.infos import Info, by_gravity, check_translations, read_info, read_texts
from warnhub.ingest.mapping import Named, check_titles, mapping, read_hazard, read_level
from warnhub.ingest.places import merge_areas, too_large
from warnhub.ingest.references import check_references, read_triples
from warnhub.ingest.structure import CAP, check_structure
from warnhub.ingest.text import LINE, LONG, SHORT, clean_text
from warnhub.ingest.times import Span, check_sent, read_moment, settle_span
from warnhub.ingest.tree import adopt_children, children, place_of, said, words

NAMESPACES = {
    "http://www.incident.com/cap/1.0": "1.0",
    "urn:oasis:names:tc:emergency:cap:1.0": "1.0",
    "urn:oasis:names:tc:emergency:cap:1.1": "1.1",
    "urn:oasis:names:tc:emergency:cap:1.2": "1.2",
}
VERSION = re.compile(r"cap[:/]?v?(1\.[012])\b", re.IGNORECASE)
NAME = re.compile(r"[^\s,<&]+")
ENDS = (Kind.CANCEL, Kind.ACK, Kind.ERROR)
MOST_INFOS = 100
MOST_AREAS = 1_000


@dataclass(slots=True)
class Head:
    """The alert's own elements, as far as they can be read."""

    root: etree._Element
    version: str
    identifier: str
    sender: str
    sent: datetime | None
    status: Status | None
    kind: Kind | None
    scope: Scope | None
    references: list[Reference]

    @property
    def ends(self) -> bool:
        """Whether it ends or answers another alert, and so needs no words and no place of its own."""
        return self.kind in ENDS


def version_of(namespace: str) -> str:
    """The version a namespace names: one of the standard's own, a profile of it, or something else that says so; "" of none."""
    if known := NAMESPACES.get(namespace):
        return known
    found = VERSION.search(namespace)
    return found[1] if found else ""


def read_cap(root: etree._Element, limits: Limits, now: datetime | None) -> Iterator[Verdict]:
    """One verdict for each subject of an `alert` element: its infos, joined with their translations.

    The gravest is the alert as it is named; a further one is named after it, `identifier#2`, and is a part of it: what refers
    to the whole refers to each.
    """
    findings = Findings(limits, now)
    namespace = etree.QName(root).namespace or ""
    version = version_of(namespace) or "1.2"
    if namespace not in NAMESPACES:
        gate = Gate.ACCEPT if namespace.startswith(tuple(f"{one}:" for one in NAMESPACES)) else None
        findings.add(root, "NAMESPACE_UNKNOWN", namespace, f"read as CAP {version}", gate)
    if adopt_children(root):
        findings.add(root, "NAMESPACE_MIXED", namespace)
    check_structure(root, CAP[version], findings)
    head = read_head(root, version, findings)
    if too_large(root, findings):
        yield Verdict(gate=Gate.REFUSE, problems=findings.problems)
        return
    blocks = findings.first(root, children(root, "info"), MOST_INFOS)
    noted = [Findings(limits, now) for _ in blocks]
    infos = [read_info(one, version, own) for one, own in zip(blocks, noted, strict=True)]
    groups = by_gravity(infos)
    for number, group in enumerate(groups[:1] if head.ends else groups):
        yield judge_part(
            head, number, group, [findings, *(own for info, own in zip(infos, noted, strict=True) if info in group)]
        )


def judge_part(head: Head, number: int, group: Sequence[Info], found: Sequence[Findings]) -> Verdict:
    """The verdict on one subject: what is wrong with the whole, and with its own infos."""
    findings = Findings(found[0].limits, found[0].now)
    for one in found:
        findings.take(one)
    return findings.verdict(lambda: build_alert(head, group, findings, number), head.root)


def read_head(root: etree._Element, version: str, findings: Findings) -> Head:
    """The elements before the first info."""
    head = Head(
        root,
        version,
        read_name(root, "identifier", "INVALID_IDENTIFIER", findings),
        read_name(root, "sender", "INVALID_SENDER", findings),
        read_moment(root, "sent", findings, required=True),
        choose(root, "status", Status, findings, Gate.REFUSE),
        choose(root, "msgType", Kind, findings, Gate.REFUSE),
        choose(root, "scope", Scope, findings, Gate.REFUSE, Scope.PUBLIC if version == "1.0" else None),
        read_triples(root, version, findings),
    )
    if head.sent:
        check_sent(head.sent, place_of(root, "sent"), findings)
    if head.identifier and head.sender:
        own = Reference(identifier=head.identifier, sender=head.sender, sent=head.sent)
        check_references(head.references, own, head.kind, place_of(root, "references"), findings)
    if (head.scope is Scope.RESTRICTED) is not bool(said(root, "restriction")):
        findings.add(root, "RESTRICTION_MISMATCH", said(root, "scope"))
    return head


def read_name(root: etree._Element, name: str, rule: str, findings: Findings) -> str:
    """An identifier or sender: no blank, comma, `<` or `&`."""
    text = read_required(root, name, findings)
    if text and not NAME.fullmatch(text):
        findings.add(place_of(root, name), rule, text)
    return text


def build_alert(head: Head, lead: Sequence[Info], findings: Findings, number: int = 0) -> Alert:
    """The alert of a head that is whole, on one subject of its infos; `number` counts its parts."""
    assert head.sent is not None
    where = lead[0].element if lead else head.root
    if not lead and not head.ends:
        findings.add(where, "MISSING_INFO")
    check_translations(lead, findings)
    hazard, level, original = classify(head, lead, where, findings)
    span = read_span(head, lead, hazard, findings)
    areas = merge_areas(area for info in lead for area in info.areas)
    if lead and not head.ends and not any(area.placeable for area in areas):
        findings.add(where, "NO_AREA")
    alert = Alert(
        identifier=f"{head.identifier}#{number + 1}" if number else head.identifier,
        sender=head.sender,
        sent=head.sent,
        status=head.status,
        kind=head.kind,
        references=head.references,
        hazard=hazard,
        level=level,
        urgency=lead[0].urgency if lead else "unknown",
        severity=lead[0].severity if lead else Severity.UNKNOWN,
        certainty=lead[0].certainty if lead else "unknown",
        effective=span.effective,
        onset=span.onset,
        expires=span.expires,
        areas=findings.first(where, areas, MOST_AREAS),
        texts=findings.first(where, read_texts(lead), 30),
        parameters=read_parameters(lead, where, findings),
        resources=findings.first(where, [one for info in lead[:1] for one in read_resources(info.element, findings)], 200),
        scope=head.scope,
        restriction=clean_text(said(head.root, "restriction"), head.root, findings, LINE, lines=False),
        original=original.model_copy(
            update={
                "expires_given": span.expires_given,
                "effective_given": span.effective_given,
                "part_of": head.identifier if number else "",
            }
        ),
    )
    carried = [one for info in lead[:1] for one in info.parameters if is_carried(one)]
    return restore(alert, carried, where, findings) if carried else alert


def read_span(head: Head, lead: Sequence[Info], hazard: str, findings: Findings) -> Span:
    """When it holds, by the lead info's own times."""
    assert head.sent is not None
    if not lead:
        return settle_span((None, None, None), head.sent, hazard, True, head.root, findings)
    where = lead[0].element
    effective, onset, expires = (read_moment(where, name, findings) for name in ("effective", "onset", "expires"))
    return settle_span((effective, onset, expires), head.sent, hazard, head.ends, where, findings)


def classify(head: Head, lead: Sequence[Info], where: etree._Element, findings: Findings) -> tuple[str, Level, Original]:
    """Hazard and level, with the source's words they were read from."""
    codes = [code for info in lead[:1] for code in info.codes]
    named = [*(one for info in lead[:1] for one in info.parameters), *codes]
    titles = [title for info in lead for title in (info.text.headline, info.text.event) if title]
    hazard, hazard_words = mapping()["other_hazard"], ""
    level, level_words = Level.BLUE, ""
    if lead:
        known_codes = [*codes, *(one for one in named if one.name.lower() in mapping()["event_codes"])]
        hazard, hazard_words = read_hazard(known_codes, lead_event(lead), lead[0].categories, where, findings)
        level, level_words = read_level(named, lead[0].severity, titles, where, findings, head.ends)
    check_titles(head.status, head.kind, [code.value for code in codes], titles, where, findings)
    return hazard, level, read_original(head, lead, codes, hazard_words, level_words, findings)


def lead_event(lead: Sequence[Info]) -> str:
    """The event in every language, so that the one we can read is found."""
    return "; ".join(dict.fromkeys(info.text.event for info in lead if info.text.event))


def read_original(
    head: Head, lead: Sequence[Info], codes: Sequence[Named], hazard: str, level: str, findings: Findings
) -> Original:
    """What the source said that our schema says otherwise."""
    root = head.root

    def line(name: str) -> str:
        return clean_text(said(root, name), place_of(root, name), findings, LONG, lines=False)

    return Original(
        form=f"cap-{head.version}",
        hazard=hazard,
        level=level,
        status=said(root, "status"),
        kind=said(root, "msgType"),
        category=list(lead[0].categories) if lead else [],
        response=list(lead[0].responses) if lead else [],
        codes=[text for one in children(root, "code") if (text := words(one).strip())],
        event_codes=[
            Parameter(name=code.name[:SHORT], value=code.value[:LONG]) for code in codes if code.name and not is_carried(code)
        ],
        audience=said(lead[0].element, "audience") if lead else "",
        source=line("source"),
        note=line("note"),
        incidents=line("incidents"),
        addresses=line("addresses"),
    )


def read_parameters(lead: Sequence[Info], where: etree._Element, findings: Findings) -> list[Parameter]:
    """The lead info's parameters, each as the source names it; a name of nothing that can be seen names none."""
    pairs = [one for info in lead[:1] for one in info.parameters if one.name and one.value and not is_carried(one)]
    named = [
        (clean_text(one.name, where, findings, SHORT, lines=False), one.value) for one in findings.first(where, pairs, 500)
    ]
    return [Parameter(name=name, value=clean_text(value, where, findings)) for name, value in named if name]
