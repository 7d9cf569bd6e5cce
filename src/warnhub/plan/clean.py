"""Agencies' text made fit to pass on: no markup, no control or invisible characters, nothing that poses as ours."""

import html
import re
import unicodedata

BREAKS = re.compile(r"<(?:br|/p|/div|/li|/tr)\b[^<>]{0,300}>", re.IGNORECASE)
HIDDEN = re.compile(r"<(script|style)\b[^<>]{0,300}>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
TAGS = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]{0,300}>", re.DOTALL)
BLANKS = re.compile(r"[^\S\n]+")
LINES = re.compile(r" ?\n[ \n]*")
JOINERS = "\u200c\u200d\u180e"  # Uyghur and Mongolian are spelled with these
UNWANTED = {"Cc", "Cf", "Co", "Cs", "Cn"}


def clean_text(text: str) -> str:
    """`text` without HTML, control, private-use or direction-changing characters; blanks single, lines trimmed."""
    shown = strip_tags(html.unescape(strip_tags(text)))
    kept = "".join(one for one in shown if one in "\n\t" or one in JOINERS or unicodedata.category(one) not in UNWANTED)
    return LINES.sub("\n", BLANKS.sub(" ", kept)).strip()


def strip_tags(text: str) -> str:
    """`text` without tags and comments; a line break where the markup has one. `<100` is no tag and stays."""
    return TAGS.sub("", BREAKS.sub("\n", HIDDEN.sub("", text)))


def plain_brackets(text: str) -> str:
    """`text` with 【】 made 〔〕: in a message those mark the sender and a drill, and only we set them."""
    return text.replace("【", "〔").replace("】", "〕")


def clip_text(text: str, most: int) -> str:
    """`text` in at most `most` characters, the last of them … where something is left out."""
    return text if len(text) <= most else text[: most - 1].rstrip("，,、;；。 ") + "…"
