"""The text gate: plain text in, whatever came: no markup, no hidden characters, bounded."""

import html
import re
import unicodedata
from collections.abc import Iterator

import lxml.html
from lxml import etree

from warnhub.ingest.findings import Findings, Where

LONG = 20_000
HEADLINE = 500
SHORT = 256
LINE = 2_000
LATIN, OTHERS = 1_395, 615  # characters of the longest message a phone joins: GSM-7's own, and all others (UCS-2)
ROOM = 8  # markup may take this many times the room of its words before the rest is cut unread

MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|<!--|<!\[CDATA\[")
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
BARE = re.compile(r"&(?!(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});)")
BLOCKS = re.compile(r"address|article|blockquote|br|d[dlt]|h[1-6]|hr|li|[ou]l|p|pre|section|table|tr")
SILENT = frozenset(("script", "style"))
SPACES = re.compile(r"[^\S\n]+")
GAPS = re.compile(r" ?\n ?")
BLANKS = re.compile(r"\n{3,}")
KEPT = frozenset("\n\t\u200c\u200d")
DROPPED = frozenset(("Cc", "Cf", "Co", "Cs"))
LINES = str.maketrans({"\r": "\n", "\v": "\n", "\f": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n"})


def strip_markup(text: str) -> str:
    """Without markup, and with entities decoded once; text without markup keeps its `<` and `&`."""
    if not MARKUP.search(text):
        return ENTITY.sub(lambda found: html.unescape(found.group()), text)
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    page = f"<div>{BARE.sub('&amp;', text)}</div>".encode("utf-8", "replace")
    return "".join(page_words(lxml.html.document_fromstring(page, parser=parser)))


def page_words(page: lxml.html.HtmlElement) -> Iterator[str]:
    """The words of a page in their order, with a line break where a block begins or ends; a script says nothing."""
    for event, element in etree.iterwalk(page, events=("start", "end")):
        inside = event == "start"
        if BLOCKS.fullmatch(str(element.tag)) and (inside or element.tag != "br"):
            yield "\n"
        if not inside or element.tag not in SILENT:
            yield (element.text if inside else element.tail) or ""


def drop_hidden(text: str) -> str:
    """Without control, direction, zero-width, private-use and half characters."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char for char in text if not hides(char))


def lay_out(words: str, lines: bool = True) -> str:
    """Blanks single, at most one empty line; `lines` False joins them."""
    words = SPACES.sub(" ", drop_hidden(words.translate(LINES)))
    if not lines:
        return SPACES.sub(" ", words.replace("\n", " ")).strip()
    return BLANKS.sub("\n\n", GAPS.sub("\n", words)).strip()


def plain_text(text: str, lines: bool = True) -> str:
    """Plain text: markup out, entities decoded once, hidden characters out, blanks single."""
    return lay_out(strip_markup(text.replace("\r\n", "\n")), lines)


def clean_text(text: str | None, where: Where, findings: Findings, most: int = LONG, lines: bool = True) -> str:
    """`plain_text` of what stands at `where`, cut to `most` characters; what was taken out is noted."""
    if not text or not text.strip():
        return ""
    raw = text[: ROOM * most].replace("\r\n", "\n")
    words = strip_markup(raw)
    if MARKUP.search(raw):
        findings.add(where, "HTML_REMOVED", MARKUP.findall(raw)[0])
    hidden = sorted({char for char in words.translate(LINES) if hides(char)})
    if hidden:
        findings.add(where, "TEXT_CLEANED", " ".join(f"U+{ord(char):04X}" for char in hidden))
    words = lay_out(words, lines)
    if len(words) > most or len(text) > ROOM * most:
        findings.add(where, "TEXT_TOO_LONG", len(text), f"most {most}")
        words = words[: most - 1].rstrip() + "…"
    return words


def message_room(text: str) -> int:
    """The most characters of a short message in this alphabet: one letter beyond GSM-7 more than halves it."""
    return LATIN if text.isascii() and "`" not in text else OTHERS


def hides(char: str) -> bool:
    """Whether a reader would not see it, or see it do something to its neighbours."""
    if char in KEPT:
        return False
    return unicodedata.category(char) in DROPPED or (ord(char) & 0xFFFE) == 0xFFFE
