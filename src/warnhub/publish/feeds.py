"""The public feeds, as Atom and as RSS 2.0: one entry an alert that lives, with a link to its CAP.

Sources: RFC 4287, https://www.rssboard.org/rss-specification. An entry's identifier is its CAP document's address, for ever. A
cancel is an alert of its own and is an entry while it lives; what is merely gone from the feed is not over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from lxml import etree

from warnhub.publish.cap import ILLEGAL, MEDIA

ATOM = "http://www.w3.org/2005/Atom"
MOST_WORDS = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """One alert, as a list shows it. `link` is where its CAP is."""

    link: str
    title: str
    summary: str
    author: str
    category: str
    published: datetime
    updated: datetime


@dataclass(frozen=True, slots=True)
class Head:
    """The feed itself. `link` is its own address."""

    link: str
    title: str
    author: str
    language: str
    updated: datetime


def node(name: str, text: str = "", **attributes: str) -> etree._Element:
    """One element; RSS has no namespace and Atom's names begin with `atom:`."""
    prefix, _, local = name.rpartition(":")
    name = f"{{{ATOM}}}{local}" if prefix else local
    made = etree.Element(name, attributes, nsmap={None: ATOM} if prefix else None)  # type: ignore[dict-item]
    made.text = ILLEGAL.sub("\ufffd", text) or None
    return made


def write_atom(head: Head, entries: Sequence[Entry]) -> bytes:
    """RFC 4287."""
    root = node("atom:feed")
    root.set("{http://www.w3.org/XML/1998/namespace}lang", head.language)
    root.append(node("atom:id", head.link))
    root.append(node("atom:title", head.title))
    root.append(node("atom:updated", head.updated.isoformat()))
    root.append(node("atom:link", rel="self", type="application/atom+xml", href=head.link))
    root.append(person(head.author))
    for entry in entries:
        inner = etree.SubElement(root, f"{{{ATOM}}}entry")
        inner.append(node("atom:id", entry.link))
        inner.append(node("atom:title", entry.title))
        inner.append(node("atom:updated", entry.updated.isoformat()))
        inner.append(node("atom:published", entry.published.isoformat()))
        inner.append(person(entry.author))
        inner.append(node("atom:category", term=entry.category))
        inner.append(node("atom:link", rel="alternate", type=MEDIA, href=entry.link))
        inner.append(node("atom:summary", entry.summary[:MOST_WORDS]))
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def person(name: str) -> etree._Element:
    """An author."""
    made = node("atom:author")
    made.append(node("atom:name", name))
    return made


def write_rss(head: Head, entries: Sequence[Entry]) -> bytes:
    """RSS 2.0."""
    root = node("rss", version="2.0")
    channel = etree.SubElement(root, "channel")
    lines = [("title", head.title), ("link", head.link), ("description", head.title), ("language", head.language)]
    channel.extend(node(name, text) for name, text in [*lines, ("lastBuildDate", mail(head.updated))])
    for entry in entries:
        item = etree.SubElement(channel, "item")
        item.extend([node("title", entry.title), node("link", entry.link), node("description", entry.summary[:MOST_WORDS])])
        item.extend([node("category", entry.category), node("guid", entry.link, isPermaLink="true")])
        item.append(node("pubDate", mail(entry.updated)))
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def mail(moment: datetime) -> str:
    """A date as mail and HTTP write it."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)
