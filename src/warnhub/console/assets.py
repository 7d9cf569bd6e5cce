"""The console's style, script and icon: served by a name that changes with what is in them, so that they are kept for good, and
packed once, as small as the browser understands."""

import gzip
import hashlib
from functools import cache
from importlib.resources import files

import brotli
from starlette.responses import Response

MEDIA = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
SMALL = 600
"""Bytes below which packing is not worth it."""


@cache
def assets() -> dict[str, bytes]:
    """Every file by the name it is served under: `console.1a2b3c4d5e.css`."""
    found = {}
    for path in files("warnhub.console").joinpath("static").iterdir():
        stem, _, kind = path.name.rpartition(".")
        if kind in MEDIA:
            body = path.read_bytes()
            found[f"{stem}.{hashlib.sha256(body).hexdigest()[:10]}.{kind}"] = body
    return found


@cache
def asset_name(name: str) -> str:
    """The name `console.css` is served under."""
    stem, _, kind = name.rpartition(".")
    return next(served for served in assets() if served.startswith(f"{stem}.") and served.endswith(f".{kind}"))


def choose_coding(accepted: str) -> str:
    """The best of what `Accept-Encoding` allows: "br", "gzip" or ""."""
    offers = {part.partition(";")[0].strip(): part.partition("q=")[2].strip() for part in accepted.lower().split(",")}
    return next((name for name in ("br", "gzip") if name in offers and offers[name] not in {"0", "0.0", "0.000"}), "")


def pack(body: bytes, coding: str, hard: bool = False) -> bytes:
    """`body` in a content coding; `hard` takes its time."""
    if coding == "br":
        return bytes(brotli.compress(body, quality=11 if hard else 4))
    return gzip.compress(body, 9 if hard else 5, mtime=0) if coding == "gzip" else body


@cache
def packed_asset(name: str, coding: str) -> bytes:
    """A file, packed once."""
    return pack(assets()[name], coding, hard=True)


def serve_asset(name: str, accepted: str = "") -> Response | None:
    """A file, to be kept for a year; None if there is none by that name."""
    if name not in assets():
        return None
    coding = choose_coding(accepted)
    headers = {
        "cache-control": "public, max-age=31536000, immutable",
        "x-content-type-options": "nosniff",
        "vary": "accept-encoding",
    }
    if coding:
        headers["content-encoding"] = coding
    return Response(packed_asset(name, coding), headers=headers, media_type=MEDIA[name.rpartition(".")[2]])


def pack_response(response: Response, accepted: str) -> Response:
    """A page, packed where its reader understands that; one that streams stays as it is."""
    body = bytes(getattr(response, "body", b""))
    coding = choose_coding(accepted)
    if len(body) < SMALL or "content-encoding" in response.headers or not coding:
        return response
    response.body = pack(body, coding)
    response.headers["content-encoding"] = coding
    response.headers["content-length"] = str(len(response.body))
    response.headers.add_vary_header("accept-encoding")
    return response
