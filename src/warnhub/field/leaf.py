"""A page of the field as bytes: its own style inside it, its script beside it, and nothing from anywhere else."""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from warnhub.config import Settings
from warnhub.console.field import Visit

LARGEST = 262_144
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


@cache
def sheet() -> tuple[Markup, str]:
    """The style of these pages, and the content-security policy that admits it and our own scripts."""
    parts = (files("warnhub.console").joinpath("templates/field.css"), files("warnhub.field").joinpath("templates/field.css"))
    css = "".join(part.read_text("utf-8") for part in parts).replace("\n", "")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; script-src 'self'; worker-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    return Markup(css), policy  # noqa: S704 - our own files


@cache
def templates() -> Environment:
    """The pages' templates."""
    loader = PackageLoader("warnhub.field")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def draw(template: str, settings: Settings, visit: Visit, status: int = 200, **given: Any) -> HTMLResponse:
    """A page for somebody whose link is known."""
    html = templates().get_template(template).render(css=sheet()[0], county=settings.county, card=visit.card, **given)
    return HTMLResponse(html, status, headers(sheet()[1]))


def headers(policy: str) -> dict[str, str]:
    """What keeps a page to its reader."""
    return {
        "cache-control": "no-store",
        "content-security-policy": policy,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-robots-tag": "noindex, nofollow, noarchive",
    }


def serve_script(name: str) -> Response:
    """One of our scripts; asked for again each time, so that a telephone never works with an old one."""
    body = files("warnhub.field").joinpath(f"static/{name}").read_bytes()
    return Response(
        body, headers={"cache-control": "no-cache", "x-content-type-options": "nosniff"}, media_type="text/javascript"
    )


async def read_body(request: Request, media: str) -> bytes | None:
    """What was posted, if it is of this form and not too large to be ours; None otherwise."""
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said != media:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            return None
    return bytes(body)


def cookie_path(settings: Settings, token: str) -> str:
    """Where a pass for one link is sent to, behind whatever a proxy puts before it."""
    return f"{urlsplit(settings.public_url).path}/a/{token}"
