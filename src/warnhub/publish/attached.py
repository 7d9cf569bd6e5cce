"""Attachments of the packages that alerts came in: which there are, and their bytes out of the package as it is kept.

They are others' files: whoever gets one is told to keep it and not to show it, and of types only those are named that no
reader takes for a page or a program.
"""

import asyncio
from typing import NamedTuple
from urllib.parse import quote

from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import Alert
from warnhub.ingest.findings import Limits, Unreadable
from warnhub.ingest.package import START, take_attachment
from warnhub.store.alerts import Kept, read_raw

DIGEST = "sha256:"
PLAIN = "application/octet-stream"
SHOWN = frozenset(("application/pdf", "audio/mpeg", "audio/x-wav", "image/bmp", "image/gif", "image/jpeg", "image/png"))
HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "cache-control": "private, no-store",
}


class Attached(NamedTuple):
    """One of an alert's attachments: its place among the resources, its name, type and size."""

    number: int
    name: str
    mime: str
    size: int

    @property
    def headers(self) -> dict[str, str]:
        """What it is sent under: a file to keep, under its own name."""
        plain = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in self.name)
        named = f"attachment; filename=\"{plain or 'file'}\"; filename*=UTF-8''{quote(self.name, safe='')}"
        return HEADERS | {"content-disposition": named}


def list_attached(alert: Alert) -> list[Attached]:
    """The resources that came in a package with the alert."""
    return [
        Attached(number, one.uri or one.description, one.mime if one.mime in SHOWN else PLAIN, one.size)
        for number, one in enumerate(alert.resources)
        if one.digest.startswith(DIGEST) and one.size is not None
    ]


async def read_attached(conn: AsyncConnection, kept: Kept, number: int, most: int) -> tuple[Attached, bytes] | None:
    """An attachment and its bytes, just those that its digest was taken of; None where there is none of at most so many."""
    one = next((one for one in list_attached(kept.alert) if one.number == number and one.size <= most), None)
    raw = await read_raw(conn, kept.id) if one else b""
    if one is None or not raw.startswith(START):
        return None
    digest = kept.alert.resources[number].digest.removeprefix(DIGEST)
    try:
        body = await asyncio.to_thread(take_attachment, raw, digest, one.size, Limits(max_bytes=most))
    except Unreadable:
        return None
    return None if body is None else (one, body)
