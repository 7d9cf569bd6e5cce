"""Alerts inside something else: a feed, an EDXL-DE or SOAP envelope, or any element that holds several.

An alert stands there as elements; or as text, escaped or in CDATA, as some feeds have it; or in base64, as EDXL-DE allows.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from datetime import datetime

from lxml import etree

from warnhub.alert import Verdict
from warnhub.ingest.cap import read_cap, version_of
from warnhub.ingest.findings import Limits, local, xpath
from warnhub.ingest.national import is_national, read_national

WRAPPERS = frozenset(("feed", "rss", "RDF", "EDXLDistribution"))
"""The roots of feeds; an alert is read in any other element too."""

TEXTS = frozenset(("content", "description", "summary", "encoded", "embeddedXMLContent", "xmlContent", "contentData", "value"))
ALERT = re.compile(r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)?<(?:[\w.-]+:)?alert[\s>]", re.DOTALL)
PACKED = "contentData"
MOST_TEXT = 8_000_000
Read = Callable[[bytes, str | None, Limits, datetime | None], list[Verdict]]


def holds_alerts(root: etree._Element) -> bool:
    """Whether any alert is inside."""
    return next(enclosed(root), None) is not None or next(written(root), None) is not None


def enclosed(root: etree._Element) -> Iterator[etree._Element]:
    """The alerts inside that are elements; those of another kind, such as a page's, have no identifier."""
    for one in root.iterdescendants("{*}alert"):
        names = {local(inner) for inner in one if isinstance(inner.tag, str)}
        if version_of(etree.QName(one).namespace or "") or {"identifier", "sender"} <= names:
            yield one


def written(root: etree._Element) -> Iterator[tuple[etree._Element, bytes]]:
    """The alerts inside that are text, with where they stand."""
    for one in root.iterdescendants():
        if local(one) in TEXTS and not len(one) and one.text and len(one.text) <= MOST_TEXT:
            text = unpacked(one.text) if local(one) == PACKED else one.text
            if ALERT.match(text):
                yield one, re.sub(r"^\s*<\?xml[^>]*\?>", "", text).strip().encode("utf-8", "replace")


def unpacked(text: str) -> str:
    """What base64 holds; the text itself where it is none."""
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8-sig")
    except (binascii.Error, ValueError):
        return text


def read_enclosed(root: etree._Element, limits: Limits, now: datetime | None, read: Read) -> Iterator[Verdict]:
    """Each alert inside, by its own form; the places of one that is text begin with where it stands."""
    for one in enclosed(root):
        if is_national(one):
            yield read_national(one, limits, now)
        else:
            yield from read_cap(one, limits, now)
    for place, body in written(root):
        for verdict in read(body, None, limits, now):
            problems = [found.model_copy(update={"path": f"{xpath(place)}{found.path}"}) for found in verdict.problems]
            yield verdict.model_copy(update={"problems": problems})
