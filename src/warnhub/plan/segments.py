"""How many short messages a text is: what carriers count and what China's cloud providers bill.

GSM 03.38: 160 septets alone, 153 a part; its extension characters take two and never straddle parts. Any other character makes
the whole text UCS-2: 70 UTF-16 units alone, 67 a part; a surrogate pair never straddles. In China a text is billed by
characters with its signature: 70 alone, else a part for each 67, whatever the alphabet.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Literal

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = frozenset("\f^{}\\[~]|€")
ALONE = {"GSM-7": 160, "UCS-2": 70}
PART = {"GSM-7": 153, "UCS-2": 67}

Encoding = Literal["GSM-7", "UCS-2"]


@dataclass(frozen=True, slots=True)
class Segments:
    """`units` are septets (GSM-7) or UTF-16 code units (UCS-2); `count` is the number of messages, 0 for an empty text."""

    encoding: Encoding
    units: int
    count: int


def count_segments(text: str) -> Segments:
    """What the text is on the air."""
    encoding = encoding_of(text)
    return Segments(encoding, sum(cost_of(one, encoding) for one in text), sum(1 for _ in split_segments(text)))


def billed_segments(text: str, signature: str = "") -> Segments:
    """What a cloud provider in China bills for 【signature】 and text; `signature` is bare, "" if the text has it."""
    whole = f"【{signature}】{text}" if signature else text
    units = sum(cost_of(one, "UCS-2") for one in whole)
    return Segments("UCS-2", units, min(units, 1) if units <= ALONE["UCS-2"] else ceil(units / PART["UCS-2"]))


def first_segment(text: str) -> str:
    """What stands in the first message: all of the text, if it is only one."""
    return next(split_segments(text), "")


def encoding_of(text: str) -> Encoding:
    """The alphabet the text needs."""
    return "GSM-7" if all(one in BASIC or one in EXTENSION for one in text) else "UCS-2"


def cost_of(character: str, encoding: Encoding) -> int:
    """1 or 2: septets in GSM-7, UTF-16 units in UCS-2."""
    if encoding == "GSM-7":
        return 2 if character in EXTENSION else 1
    return 2 if ord(character) > 0xFFFF else 1


def split_segments(text: str) -> Iterator[str]:
    """The messages of a text, in order; joined they are the text. An empty text has none."""
    encoding = encoding_of(text)
    total = sum(cost_of(one, encoding) for one in text)
    room = ALONE[encoding] if total <= ALONE[encoding] else PART[encoding]
    start = used = 0
    for index, character in enumerate(text):
        cost = cost_of(character, encoding)
        if used + cost > room:
            yield text[start:index]
            start, used = index, 0
        used += cost
    if text:
        yield text[start:]
