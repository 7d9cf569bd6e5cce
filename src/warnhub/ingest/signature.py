"""XML signatures, against the certificates that a person has pinned for an agency.

A certificate inside the message proves nothing, so only pinned ones count, and only signatures over the whole alert. A
message may be signed twice (by its author and by a relay that signed after): each is tried as it stood when it was made,
without those that came later. Source: https://www.w3.org/TR/xmldsig-core1/ and CAP 1.2 §3.3.2.1.
"""

import copy
from collections.abc import Iterator
from datetime import datetime

from cryptography.x509 import Certificate, load_pem_x509_certificate
from lxml import etree
from signxml.exceptions import InvalidInput, SignXMLException
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from warnhub.alert import Problem
from warnhub.ingest.findings import Limits, Unreadable, problem, xpath

DSIG = "http://www.w3.org/2000/09/xmldsig#"
SIGNATURE = f"{{{DSIG}}}Signature"
MOST = 4


def judge_signatures(root: etree._Element, limits: Limits, now: datetime | None) -> list[Problem]:
    """What the signatures of a document's alerts are worth. Raises `Unreadable` where one must be signed and is not."""
    alerts = list(root.iter("{*}alert"))
    if not alerts and limits.signed:
        raise Unreadable("SIGNATURE_MISSING", path=xpath(root))
    return [found for alert in alerts if (found := judge_alert(alert, limits, now))]


def judge_alert(alert: etree._Element, limits: Limits, now: datetime | None) -> Problem | None:
    """One alert: nothing to say of one that need not be and is not signed."""
    signatures = alert.findall(SIGNATURE)
    if not signatures:
        if limits.signed:
            raise Unreadable("SIGNATURE_MISSING", path=xpath(alert))
        return None
    where = xpath(signatures[0])
    if not limits.certificates:
        if limits.signed:
            raise Unreadable("SIGNATURE_UNPINNED", path=where)
        return problem(where, "SIGNATURE_UNCHECKED", len(signatures))
    reasons = []
    for signature in signatures[:MOST]:
        why = find_fault(alert, signature, limits, now)
        if not why:
            return problem(xpath(signature), "SIGNATURE_VERIFIED")
        reasons.append(why)
    if limits.signed:
        raise Unreadable("SIGNATURE_INVALID", "; ".join(dict.fromkeys(reasons)), where)
    return problem(where, "SIGNATURE_INVALID", detail="; ".join(dict.fromkeys(reasons)))


def find_fault(alert: etree._Element, signature: etree._Element, limits: Limits, now: datetime | None) -> str:
    """Why no pinned certificate made this signature over the whole alert; "" if one did."""
    reasons = []
    for certificate in map(load_certificate, limits.certificates):
        for tree in as_signed(alert, signature):
            try:
                result = verify(tree, certificate, now)
            except (SignXMLException, etree.LxmlError, ValueError, KeyError, AttributeError, TypeError) as error:
                reasons.append(type(error).__name__ if not isinstance(error, InvalidInput) else str(error)[:120])
                continue
            if covers(result, tree):
                return ""
            reasons.append("it covers only a part of the alert")
    return reasons[-1] if reasons else "no certificate"


def load_certificate(pem: str) -> Certificate:
    """A pinned certificate; it was read once before it was pinned."""
    return load_pem_x509_certificate(pem.encode())


def as_signed(alert: etree._Element, signature: etree._Element) -> Iterator[etree._Element]:
    """The alert as it may have been when this signature was made: without later signatures, without any other, as it is.

    The signature itself is put first, where a verifier looks; by its own transform it is not part of what it signs.
    """
    signatures = alert.findall(SIGNATURE)
    place = signatures.index(signature)
    later, others = set(range(place + 1, len(signatures))), set(range(len(signatures))) - {place}
    seen: list[set[int]] = []
    for gone in (later, others, set()):
        if gone in seen:
            continue
        seen.append(gone)
        tree = copy.deepcopy(alert)
        found = tree.findall(SIGNATURE)
        for at in gone:
            take_out(found[at])
        mine = found[place]
        take_out(mine)
        tree.insert(0, mine)
        yield tree


def take_out(signature: etree._Element) -> None:
    """Remove an element and leave the text after it where it stands."""
    parent = signature.getparent()
    assert parent is not None
    before = signature.getprevious()
    if signature.tail and before is not None:
        before.tail = (before.tail or "") + signature.tail
    elif signature.tail:
        parent.text = (parent.text or "") + signature.tail
    signature.tail = None
    parent.remove(signature)


def verify(tree: etree._Element, certificate: Certificate, now: datetime | None) -> VerifyResult:
    """The result for the first signature below `tree`. Raises what signxml raises."""
    when = now or certificate.not_valid_before_utc
    config = SignatureConfiguration(location="./", expect_references=1, verification_time=when)
    result = XMLVerifier().verify(tree, x509_cert=certificate, expect_config=config)
    if isinstance(result, list):
        raise SignXMLException("several references")
    return result


def covers(result: VerifyResult, tree: etree._Element) -> bool:
    """Whether what was signed is all that we read: the whole alert but for its signatures."""
    return result.signed_xml is not None and bare(result.signed_xml) == bare(tree)


def bare(alert: etree._Element) -> bytes:
    """The alert without its signatures, in one canonical form."""
    tree = copy.deepcopy(alert)
    for signature in tree.findall(SIGNATURE):
        take_out(signature)
    return bytes(etree.tostring(tree, method="c14n", exclusive=True))
