"""Which elements a form has, in which order, and which must be there."""

from dataclasses import dataclass
from typing import NamedTuple

from lxml import etree

from warnhub.alert import Gate
from warnhub.ingest.findings import Findings, local
from warnhub.ingest.tree import stray_text, within_namespace


class Form(NamedTuple):
    """The children of one element: their order, those that must be there, those that may repeat."""

    order: tuple[str, ...]
    required: tuple[str, ...] = ()
    repeated: frozenset[str] = frozenset()
    missing: Gate = Gate.HOLD


@dataclass(frozen=True, slots=True)
class Dialect:
    """The elements of one form by name; `unknown` is what an element of no name becomes."""

    forms: dict[str, Form]
    unknown: Gate = Gate.HOLD


def names(text: str) -> tuple[str, ...]:
    """The names in a line of text."""
    return tuple(text.split())


PAIR = Form(("valueName", "value"), ("valueName", "value"))
CAP_FORMS = {
    "alert": Form(
        names(
            "identifier sender password sent status msgType source scope restriction addresses code note references "
            "incidents info"
        ),
        names("identifier sender sent status msgType scope"),
        frozenset(("code", "info")),
        Gate.REFUSE,
    ),
    "info": Form(
        names(
            "language category event responseType urgency severity certainty audience eventCode effective onset "
            "expires senderName headline description instruction web contact parameter resource area"
        ),
        names("category event urgency severity certainty"),
        frozenset(names("category responseType eventCode parameter resource area")),
    ),
    "resource": Form(names("resourceDesc mimeType size uri derefUri digest"), ("resourceDesc",)),
    "area": Form(
        names("areaDesc polygon circle geocode altitude ceiling"),
        ("areaDesc",),
        frozenset(names("polygon circle geocode")),
    ),
    "eventCode": PAIR,
    "parameter": PAIR,
    "geocode": PAIR,
}
OLD_FORMS = {name: form for name, form in CAP_FORMS.items() if form is not PAIR} | {
    "alert": CAP_FORMS["alert"]._replace(required=names("identifier sender sent status msgType")),
    "info": CAP_FORMS["info"]._replace(required=names("event urgency severity certainty")),
}
CAP = {"1.0": Dialect(OLD_FORMS), "1.1": Dialect(CAP_FORMS), "1.2": Dialect(CAP_FORMS)}

NATIONAL = Dialect(
    {
        "alert": Form(
            names(
                "identifier sender senderCode phone sendTime status msgType scope code secClassification note references info"
            ),
            names("identifier sender sendTime status msgType scope"),
            frozenset(("info",)),
            Gate.REFUSE,
        ),
        "code": Form(("method",), (), frozenset(("method",))),
        "method": Form(names("methodName message audienceGrp audiencePrt audenceprt"), ("methodName",)),
        "info": Form(
            names(
                "language eventType urgency severity certainty effective onset expires senderName headline description "
                "instruction web resource area"
            ),
            names("eventType severity headline description"),
            frozenset(("resource", "area")),
        ),
        "resource": Form(names("resourceDesc size uri digest"), ("resourceDesc",)),
        "area": Form(names("areaDesc polygon circle geocode"), (), frozenset(names("polygon circle geocode"))),
    },
    unknown=Gate.ACCEPT,
)


def check_structure(element: etree._Element, dialect: Dialect, findings: Findings) -> None:
    """Note every child that is unknown, missing, repeated or out of order, all the way down."""
    form = dialect.forms[local(element)]
    seen: set[str] = set()
    furthest = 0
    for one in within_namespace(element):
        tag = local(one)
        if tag not in form.order:
            findings.add(one, "UNSUPPORTED_ELEMENT", tag, gate=dialect.unknown)
            continue
        if tag in seen and tag not in form.repeated:
            findings.add(one, "REPEATED_ELEMENT", tag)
        seen.add(tag)
        if form.order.index(tag) < furthest:
            findings.add(one, "ELEMENT_ORDER", tag)
        furthest = max(furthest, form.order.index(tag))
        check_child(one, dialect, findings)
    for tag in form.required:
        if tag not in seen:
            findings.add(element, "MISSING_REQUIRED_ELEMENT", tag, tag, form.missing)
    if stray := stray_text(element):
        findings.add(element, "UNEXPECTED_TEXT", stray)


def check_child(one: etree._Element, dialect: Dialect, findings: Findings) -> None:
    """Go on where there are more elements; a value has none inside."""
    if local(one) in dialect.forms:
        check_structure(one, dialect, findings)
    else:
        for inner in within_namespace(one):
            findings.add(inner, "UNSUPPORTED_ELEMENT", local(inner))
