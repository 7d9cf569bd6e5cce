"""A field page as bytes: the warning in large type, the form, or what became of it; under 10 kB with its style."""

import base64
import hashlib
import re
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from warnhub.config import County
from warnhub.console.answer import TRAP
from warnhub.console.phrases import CHOICES, LEVELS, OVER, OWN, TROUBLES
from warnhub.console.shapes import NUMERALS, SHAPES
from warnhub.monitor.board import Card, local_time

WHAT, DETAILS = 1_200, 1_800
"""Bytes of the agency's words on the page."""

TOKEN, NONCE, AT = "\ue001", "\ue002", "\ue003"
"""Where a reader's own things go on a page that is drawn once for all: characters that no agency's text keeps."""


MARKS = re.compile(f"([{TOKEN}{NONCE}{AT}])")


@cache
def sheet() -> tuple[Markup, str]:
    """The page's style, and the content-security policy that admits it and nothing else."""
    css = files("warnhub.console").joinpath("templates/field.css").read_text("utf-8").replace("\n", "")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    return Markup(css), policy  # noqa: S704 - our own file


@cache
def templates() -> Environment:
    """The pages' templates."""
    loader = PackageLoader("warnhub.console")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def draw_page(
    county: County,
    card: Card,
    token: str,
    nonce: str,
    now: float,
    *,
    worker: bool = False,
    trouble: str = "",
    thanks: str = "",
    status: int = 200,
) -> HTMLResponse:
    """The page behind a link. `worker`: whether the reader answers for others; `thanks`: the choice just kept; `trouble`: why
    nothing was; `now` in seconds."""
    own = {TOKEN: token, NONCE: nonce, AT: local_time(int(now * 1000), ZoneInfo(county.zone))}
    return seal_page("".join(own.get(part, part) for part in draw_frame(county, card, worker, trouble, thanks)), status)


@lru_cache(maxsize=512)
def draw_frame(county: County, card: Card, worker: bool, trouble: str, thanks: str) -> tuple[str, ...]:
    """What a page says to everybody who has this card, cut at the places of what is the reader's own."""
    choices = CHOICES if worker else OWN
    html = (
        templates()
        .get_template("field.html")
        .render(
            card=card,
            worker=worker,
            css=sheet()[0],
            shape=SHAPES.get(card.level, ""),
            numeral=NUMERALS.get(card.level, ""),
            level=LEVELS[card.level],
            over=OVER.get(card.state),
            trouble=TROUBLES.get(trouble),
            thanks=choices.get(thanks),
            urgent=thanks in {"help", "cannot"},
            asks=card.asks and card.state == "released",
            choices=choices,
            what=clip_bytes(card.what_to_do, WHAT),
            details=clip_bytes(card.description, DETAILS),
            trap=TRAP,
            county=county,
            token=TOKEN,
            nonce=NONCE,
            at=AT,
        )
    )
    return tuple(MARKS.split(html))


def draw_stray(county: County) -> HTMLResponse:
    """For a link that is none of ours, or was copied badly."""
    return seal_page(templates().get_template("stray.html").render(css=sheet()[0], county=county), 404)


def clip_bytes(text: str, most: int) -> str:
    """As much of `text` as takes at most `most` bytes on the page, with a sign where there is more."""
    sizes = [len(str(escape(character)).encode()) for character in text]
    if sum(sizes) <= most:
        return text
    size, place = 3, 0
    while size + sizes[place] <= most:
        size += sizes[place]
        place += 1
    return text[:place].rstrip() + "…"


def seal_page(html: str, status: int) -> HTMLResponse:
    """With the headers that keep it to its reader."""
    headers = {
        "cache-control": "no-store",
        "content-security-policy": sheet()[1],
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-robots-tag": "noindex, nofollow, noarchive",
    }
    return HTMLResponse(html, status, headers)
