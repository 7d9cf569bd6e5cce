"""What both kinds of push share: names of levels, what a message is about, and texts that fit."""

LEVELS = {1: "red", 2: "orange", 3: "yellow", 4: "blue"}
"""By lane."""


def topic(reference: str) -> str:
    """The warning's part of our reference: the same for every round, so that a phone shows one of them."""
    return reference.partition("-")[0]


def clipped(text: str, most: int) -> str:
    """`text` in at most `most` bytes of UTF-8, with … where it was cut."""
    if len(text.encode()) <= most:
        return text
    return text.encode()[: most - 3].decode(errors="ignore") + "…"
