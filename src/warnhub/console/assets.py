"""The console's style, script and icon: served by a name that changes with what is in them, so that they are kept for good."""

import hashlib
from functools import cache
from importlib.resources import files

from starlette.responses import Response

MEDIA = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


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


def serve_asset(name: str) -> Response | None:
    """A file, to be kept for a year; None if there is none by that name."""
    body = assets().get(name)
    if body is None:
        return None
    headers = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}
    return Response(body, headers=headers, media_type=MEDIA[name.rpartition(".")[2]])
