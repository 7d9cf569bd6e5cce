"""What a feed names: alerts inside it, or links to them. Atom, RSS 1.0 and 2.0, and EDXL-DE."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin

from lxml import etree

from warnhub.ingest.findings import Limits, Unreadable, local
from warnhub.ingest.tree import parse_xml, words
from warnhub.ingest.wrapper import WRAPPERS, enclosed, written

ITEMS = frozenset(("entry", "item"))
CAP_MEDIA = "cap+xml"
MOST = 2_000


class NotAFeed(ValueError):
    """A 200 that is no feed: an error page, a login page, something else. It says nothing about any alert."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: `key` is its own name, `mark` changes when it does. `body` is the alert if it is inside, else `link` leads to
    it."""

    key: str
    mark: str
    link: str = ""
    body: bytes = b""


def read_entries(body: bytes, url: str) -> list[Entry]:
    """The entries, each once. Raises `NotAFeed`."""
    try:
        root = parse_xml(body, Limits().max_elements)
    except Unreadable as error:
        raise NotAFeed(f"{error.problem.rule}: {error.problem.value[:100]}") from error
    if local(root) not in WRAPPERS:
        raise NotAFeed(f"its root is {local(root)[:100]}")
    found = {entry.key: entry for entry in all_entries(root, url)}
    if len(found) > MOST:
        raise NotAFeed(f"{len(found)} entries, at most {MOST}")
    return list(found.values())


def all_entries(root: etree._Element, url: str) -> Iterator[Entry]:
    """Alerts that are inside as they are, and of every other item its link."""
    inside = [etree.tostring(alert, encoding="utf-8", with_tail=False) for alert in enclosed(root)]
    for body in [*inside, *(text for _, text in written(root))]:
        mark = digest(body)
        yield Entry(f"alert:{mark}", mark, body=body)
    for item in root.iter("{*}entry", "{*}item"):
        whole = next(enclosed(item), None) is not None or next(written(item), None) is not None
        if not whole and (link := link_of(item, url)):
            said = [text_of(item, name) for name in ("updated", "pubDate", "date", "guid", "id")]
            yield Entry(link, digest("\n".join([link, *said]).encode()), link=link)


def link_of(item: etree._Element, url: str) -> str:
    """Where the alert is: a link or enclosure that says CAP, else the plain link."""
    links = [one for one in item if local(one) in ("link", "enclosure")]
    named = [
        (one.get("type") or "", one.get("rel") or "alternate", one.get("href") or one.get("url") or one.text or "")
        for one in links
    ]
    typed = [href for media, _, href in named if CAP_MEDIA in media]
    plain = [href for _, rel, href in named if rel == "alternate"]
    href = next((one.strip() for one in (*typed, *plain) if one.strip()), "")
    return urljoin(url, href)[:2_000] if href else ""


def text_of(item: etree._Element, name: str) -> str:
    """The text of the first child of this name, in any namespace."""
    return next((words(one).strip() for one in item if local(one) == name), "")


def digest(body: bytes) -> str:
    """SHA-256, short."""
    return hashlib.sha256(body).hexdigest()[:32]
