"""One request at the console: who it is, in which language, and how a page is made for them."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from warnhub.console import figures
from warnhub.console.answer import read_form
from warnhub.console.assets import asset_name, pack_response
from warnhub.console.board import Boards
from warnhub.console.hub import Hub
from warnhub.console.issuer import Issuer
from warnhub.console.maps import Atlas
from warnhub.console.masks import mask, unmask
from warnhub.console.menu import Item, current_item, menu_of
from warnhub.console.origin import origin_of
from warnhub.console.posts import MULTIPART, TooLarge, read_parts
from warnhub.console.scene import Scenes
from warnhub.console.shapes import NUMERALS, SHAPES
from warnhub.console.strings import LANGUAGES, say
from warnhub.console.throttle import Guesses
from warnhub.forecast import Forecasts
from warnhub.hazards import hazard_name
from warnhub.plan.clean import clean_text
from warnhub.roles import Role
from warnhub.store.sessions import SEEN_EVERY, Session, find_session, touch_session
from warnhub.store.users import Passwords

COOKIE, TONGUE, THEME = "warnhub", "lang", "theme"
THEMES = ("", "light", "dark")
LARGEST = 200_000
"""Bytes of a form: a policy is the longest there is."""

MOST_FIELDS = 2_000
"""Fields of a form: a village's boxes are the most there are."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Console:
    """What every request shares. `base` is the path the console is under, with what a proxy puts before it."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        url = urlsplit(hub.settings.public_url)
        self.base = f"{url.path}/console"
        self.secure = url.scheme == "https"
        self.zone = ZoneInfo(hub.settings.county.zone)
        self.passwords = Passwords(hub.store)
        self.guesses = Guesses()
        self.sso = Issuer()
        self.forecasts = Forecasts(hub.store, hub.places, hub.policies, hub.providers, hub.wordbook)
        self.boards = Boards(hub)
        self.scenes = Scenes(hub)
        self.atlas = Atlas(hub.places)
        self.env = Environment(
            loader=PackageLoader("warnhub.console"),
            auto_reload=False,
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.env.globals.update(
            asset=asset_name,
            base=self.base,
            county=hub.settings.county,
            shapes=SHAPES,
            numerals=NUMERALS,
            figures=figures,
            quantile=figures.quantile,
        )
        self.env.filters.update(count=figures.count, iso=figures.iso)

    def words(self, lang: str) -> dict[str, Any]:
        """What a template needs to speak a language."""
        return {
            "lang": lang,
            "t": lambda key, **given: say(key, lang, **given),
            "when": lambda at, seconds=False: figures.moment(at, self.zone, lang, seconds),
            "span": lambda seconds: figures.span(seconds, lang),
            "bound": lambda seconds: figures.bound(seconds, lang),
            "role_name": lambda role: Role(role).name_in("zh" if lang == "zh" else "en"),
            "hazard": lambda code: hazard_name(code, lang).removesuffix("事件"),
            "plain": clean_text,
        }

    def forget(self, uid: str) -> None:
        """What was read before somebody acted is not shown after it."""
        self.scenes.frames.pop(uid, None)
        self.boards.at = -1e9

    def draw(self, template: str, lang: str, **given: Any) -> str:
        """A template as text."""
        return self.env.get_template(template).render(**self.words(lang), **given)


@dataclass(slots=True)
class Visit:
    """One request. `form` is what was posted, each field's last value, `fields` all of them; `now` is the database's clock."""

    console: Console
    request: Request
    session: Session | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, list[str]] = field(default_factory=dict)
    photo: bytes = b""
    now: int = field(default_factory=lambda: int(time.time() * 1000))

    @property
    def hub(self) -> Hub:
        """The running system."""
        return self.console.hub

    @property
    def lang(self) -> str:
        """`?lang=`, else the cookie, else Chinese."""
        named = self.request.query_params.get("lang") or self.request.cookies.get(TONGUE, "")
        return named if named in LANGUAGES else LANGUAGES[0]

    @property
    def address(self) -> str:
        """Where the request comes from."""
        return origin_of(self.request, self.hub.settings.trusted_proxies)

    @property
    def theme(self) -> str:
        """`?theme=`, else the cookie, else "" for what the screen prefers."""
        named = self.request.query_params.get("theme", self.request.cookies.get(THEME, ""))
        return named if named in THEMES else ""

    @property
    def next_theme(self) -> str:
        """What the switch leads to."""
        return {"": "dark", "dark": "light", "light": ""}[self.theme]

    @property
    def path(self) -> str:
        """The page's path below /console."""
        return self.request.url.path.partition("/console")[2]

    @property
    def menu(self) -> list[tuple[str, list[Item]]]:
        """Where this person may go."""
        return menu_of(self.session.user if self.session else None)

    @property
    def current(self) -> str:
        """Where in the menu this page stands."""
        return current_item(self.path)

    @property
    def csrf(self) -> str:
        """The token of a form, another each time, so that a packed page tells nothing about it."""
        return mask(self.session.csrf) if self.session else ""

    def here(self, **given: str) -> str:
        """This page with other words in its query."""
        query = dict(parse_qsl(self.request.url.query)) | given if self.request.method == "GET" else given
        return f"?{urlencode(query)}"

    @property
    def actor(self) -> str:
        """As the audit names whoever asks."""
        assert self.session is not None
        return self.session.user.actor

    @property
    def name(self) -> str:
        """The account's name."""
        assert self.session is not None
        return self.session.user.name

    def when(self, at: int | None, seconds: bool = False) -> str:
        """A time in the county's zone."""
        return figures.moment(at, self.console.zone, self.lang, seconds)

    def may(self, role: str) -> bool:
        """Whether somebody of at least this role asks."""
        return self.session is not None and self.session.user.may(role)

    def argument(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params.get(name, ""))

    async def enter(self) -> None:
        """Find the session of the cookie, and note its use from time to time."""
        key = self.request.cookies.get(COOKIE, "")
        if not key:
            return
        async with self.hub.store.read() as conn:
            now = await self.hub.store.now(conn)
            self.session = await find_session(conn, key, now)
        self.now = now
        if self.session and now - self.session.seen_at > SEEN_EVERY:
            async with self.hub.store.write() as tx:
                await touch_session(tx, self.session)

    async def read_post(self, checked: bool) -> None:
        """The form. 403 unless it comes from a page of ours and, if `checked`, one made for this session."""
        if self.request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            raise HTTPException(403, "the form comes from another site")
        await self.read_fields()
        self.form = {name: values[-1] for name, values in self.fields.items()}
        token = unmask(self.form.get("csrf", ""))
        if checked and self.session and not secrets.compare_digest(token.encode(), self.session.csrf.encode()):
            raise HTTPException(403, "the form was not made for this session")

    async def read_fields(self) -> None:
        """What was posted: fields, or fields with a photograph. 413 for more than a form of ours can be."""
        if self.request.headers.get("content-type", "").startswith(MULTIPART):
            try:
                post = await read_parts(self.request)
            except TooLarge:
                raise HTTPException(413, "the photograph is too large") from None
            self.fields, self.photo = (post.fields, post.photo) if post else ({}, b"")
            return
        body = bytearray()
        async for chunk in self.request.stream():
            body += chunk
            if len(body) > LARGEST:
                raise HTTPException(413, "the form is too large")
        self.fields = read_form(bytes(body), MOST_FIELDS)

    def page(self, template: str, status: int = 200, **given: Any) -> HTMLResponse:
        """A page."""
        shown = {"visit": self, "user": self.session.user if self.session else None}
        return HTMLResponse(self.console.draw(template, self.lang, **shown, **given), status)

    def sorry(self, status: int, detail: str = "") -> HTMLResponse:
        """A page that says what went wrong and what to do."""
        return self.page("error.html", status, code=status, detail=detail)

    def go(self, path: str) -> RedirectResponse:
        """On to another page of the console."""
        return RedirectResponse(self.console.base + path, 303)

    def to_login(self) -> RedirectResponse:
        """Whoever has no session enters first, and comes back."""
        path = self.request.url.path.partition("/console")[2] if self.request.method == "GET" else ""
        return self.go(f"/login?next={quote(path)}" if path else "/login")

    def dress(self, response: Response) -> Response:
        """The headers of every answer, and the language if it was asked for."""
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if self.request.query_params.get("lang") in LANGUAGES:
            response.set_cookie(TONGUE, self.lang, 31_536_000, **self.cookie())
        if self.request.query_params.get("theme") in THEMES:
            response.set_cookie(THEME, self.theme, 31_536_000, **self.cookie())
        return pack_response(response, self.request.headers.get("accept-encoding", ""))

    def cookie(self) -> dict[str, Any]:
        """How our cookies are."""
        return {"path": self.console.base, "secure": self.console.secure, "httponly": True, "samesite": "lax"}
