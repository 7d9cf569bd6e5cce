"""XML from bytes: no DTD, no entities, no network; and what readers ask of a tree."""

import codecs
import re
from collections.abc import Iterator
from itertools import islice

from lxml import etree

from warnhub.ingest.findings import Unreadable, local

PROLOG = re.compile(rb"(?:[\s\xef\xbb\xbf\xff\xfe]|<\?.*?\?>|<!--.*?-->)*+<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE | re.DOTALL)
MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
SURE = 6
COUNT = etree.XPath("count(//*)")


def parse_xml(body: bytes, most: int) -> etree._Element:
    """The root of at most so many elements. Raises `Unreadable` for a DOCTYPE or what is not well formed."""
    if PROLOG.match(body.replace(b"\0", b"")):
        raise Unreadable("XML_DOCTYPE")
    parser = etree.XMLParser(
        encoding="utf-8" if is_utf8(body) else None,
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, attribute_defaults=False,
        huge_tree=False, remove_comments=True, remove_pis=True, recover=False,
    )  # fmt: skip
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise Unreadable("XML_NOT_WELL_FORMED", str(error)[:200]) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Unreadable("XML_DOCTYPE", path=f"/{local(root)}[1]")
    if float(str(COUNT(root))) > most:
        raise Unreadable("TOO_MANY_ELEMENTS", f"most {most}", f"/{local(root)}[1]")
    return root


def is_utf8(body: bytes) -> bool:
    """Whether the bytes are UTF-8 whatever the document declares: other encodings of a few words do not happen to be."""
    if body.startswith(codecs.BOM_UTF8):
        return True
    try:
        found = sum(1 for _ in islice(MULTIBYTE.finditer(body), SURE))
        return found == SURE and bool(body.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def adopt_children(root: etree._Element) -> bool:
    """Put what stands below `root` in another namespace, or in none, into the root's own, where only the root is in it.

    Some writers name the root alone. Gives whether that was so.
    """
    own, identifier = etree.QName(root).namespace, next(root.iterchildren("{*}identifier"), None)
    if identifier is None or child(root, "identifier") is not None:
        return False
    other = etree.QName(identifier).namespace
    for one in list(root.iterdescendants(f"{{{other or ''}}}*")):
        one.tag = f"{{{own}}}{local(one)}" if own else local(one)
    return True


def children(parent: etree._Element, name: str) -> list[etree._Element]:
    """Children of this local name in the parent's namespace."""
    return list(parent.iterchildren(tag_of(parent, name)))


def child(parent: etree._Element, name: str) -> etree._Element | None:
    """The first child of this name."""
    return next(iter(parent.iterchildren(tag_of(parent, name))), None)


def tag_of(parent: etree._Element, name: str) -> str:
    """The name in the parent's namespace."""
    namespace = etree.QName(parent).namespace
    return f"{{{namespace}}}{name}" if namespace else name


def place_of(parent: etree._Element, name: str) -> etree._Element:
    """The first child of this name, or the parent itself if there is none."""
    element = child(parent, name)
    return parent if element is None else element


def words(element: etree._Element | None) -> str:
    """All text inside, as it stands; "" of nothing."""
    return "" if element is None else "".join(str(part) for part in element.itertext())


def said(parent: etree._Element, name: str) -> str:
    """The text of the first child of this name, trimmed."""
    return words(child(parent, name)).strip()


def within_namespace(parent: etree._Element) -> Iterator[etree._Element]:
    """Children in the parent's own namespace; signatures and other extensions are left alone."""
    namespace = etree.QName(parent).namespace
    return (one for one in parent if isinstance(one.tag, str) and etree.QName(one).namespace == namespace)


def stray_text(parent: etree._Element) -> str:
    """Text between the children, where only children belong."""
    parts = [parent.text, *(one.tail for one in parent)]
    return " ".join(part.strip() for part in parts if part and part.strip())
