"""References to earlier alerts, in the three ways they are written."""

import re
from collections.abc import Sequence
from datetime import datetime

from lxml import etree

from warnhub.alert import Kind, Reference
from warnhub.ingest.findings import Findings
from warnhub.ingest.times import read_time
from warnhub.ingest.tree import child, words

MOST = 200
FOLLOWS = (Kind.UPDATE, Kind.CANCEL)


def read_triples(root: etree._Element, version: str, findings: Findings) -> list[Reference]:
    """CAP's `sender,identifier,sent`, apart by blanks or, as some write them, by commas; `identifier/sender` in 1.0."""
    element = child(root, "references")
    text = words(element).strip()
    if element is None or not text:
        return []
    if version == "1.0":
        found = [read_slash(part) for part in text.split()]
    else:
        found = [one for part in text.split() for one in read_joined(part, element, findings)]
    kept = [one for one in found if one]
    if len(kept) < len(found) or not kept:
        findings.add(element, "INVALID_REFERENCES", text)
    return findings.first(element, kept, MOST)


def read_slash(part: str) -> Reference | None:
    """`identifier/sender`, or an identifier alone."""
    identifier, _, sender = part.rpartition("/") if "/" in part else (part, "", "")
    fits = 0 < len(identifier) <= 256 and len(sender) <= 256
    return Reference(identifier=identifier, sender=sender or None) if fits else None


def read_joined(part: str, element: etree._Element, findings: Findings) -> list[Reference | None]:
    """One or several triples in one run of text."""
    pieces = [piece for piece in part.split(",") if piece]
    if not pieces or len(pieces) % 3:
        return [None]
    triples = [pieces[at : at + 3] for at in range(0, len(pieces), 3)]
    return [read_triple(triple, element, findings) for triple in triples]


def read_triple(triple: Sequence[str], element: etree._Element, findings: Findings) -> Reference | None:
    """One triple; None if its time is none or a name is too long."""
    sender, identifier, sent = triple
    inner = Findings(findings.limits)
    moment = read_time(sent, element, inner)
    if moment is None or max(len(sender), len(identifier)) > 256:
        return None
    return Reference(identifier=identifier, sender=sender, sent=moment)


def read_first(root: etree._Element, findings: Findings) -> list[Reference]:
    """The national profile's: the identifier of the first message."""
    element = child(root, "references")
    names = [name for name in re.split(r"[\s,，;]+", words(element).strip()) if name]
    if element is None or not names:
        return []
    kept = [Reference(identifier=name) for name in names if len(name) <= 256]
    if len(kept) < len(names):
        findings.add(element, "INVALID_REFERENCES", names[0])
    return findings.first(element, kept, MOST)


def check_references(
    references: Sequence[Reference],
    own: Reference,
    kind: Kind | None,
    where: etree._Element | str,
    findings: Findings,
) -> None:
    """What an alert refers to came before it, from the same sender, and is not itself. `own` is how it would be named."""
    if kind in FOLLOWS and not references and not findings.has("INVALID_REFERENCES"):
        findings.add(where, "MISSING_REFERENCE", kind or "")
    for one in references:
        if one.identifier == own.identifier and one.sender in (None, own.sender):
            findings.add(where, "CIRCULAR_REFERENCE", one.identifier)
        elif is_later(one.sent, own.sent):
            findings.add(where, "POSTDATED_REFERENCE", f"{one.identifier} {one.sent:%Y-%m-%dT%H:%M:%SZ}")
        if kind in FOLLOWS and one.sender not in (None, own.sender):
            findings.add(where, "FOREIGN_REFERENCE", one.sender)


def is_later(moment: datetime | None, own: datetime | None) -> bool:
    """Whether it is known to come after."""
    return moment is not None and own is not None and moment > own
