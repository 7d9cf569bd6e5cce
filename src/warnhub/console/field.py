"""The field page, `/a/{token}`: no login, no script, and nothing read from the database by a GET.

Only a POST with a nonce of ours, from a page looked at for two seconds, with one choice that nothing made beforehand, confirms.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.responses import Response

from warnhub.console.answer import Answer, judge_answer
from warnhub.console.hub import Field
from warnhub.console.leaf import draw_page, draw_stray, templates
from warnhub.console.origin import origin_of
from warnhub.console.posts import Post, TooLarge, read_post
from warnhub.console.scanners import is_machine, looks_ahead
from warnhub.console.throttle import Recent, Window
from warnhub.feedback.acks import Ack, Evidence
from warnhub.monitor.board import Card
from warnhub.monitor.metrics import PAGES
from warnhub.response.photo import Photo, Unusable, clean_photo
from warnhub.store.bursts import MANY

# A whole county's answers may come through a few addresses of the carriers' gateways: the first is against floods only.
BY_ADDRESS, BY_TOKEN = (3_000, 60.0), (10, 60.0)
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody, or something, at a link of ours. `origin` is a keyed hash of the address it comes from."""

    token: str
    wave: int
    recipient: int
    card: Card
    agent: str
    origin: str

    def ack(self, evidence: Evidence, choice: str = "", text: str = "") -> Ack:
        """What the ledger is told."""
        return Ack(self.wave, self.recipient, evidence, choice=choice, text=text, agent=self.agent, origin=self.origin)


@dataclass(slots=True)
class Gate:
    """What every field page of this process shares."""

    hub: Field
    clock: Clock
    by_address: Window = field(default_factory=lambda: Window(*BY_ADDRESS))
    by_token: Window = field(default_factory=lambda: Window(*BY_TOKEN))
    used: Recent = field(default_factory=Recent)
    darkroom: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    suspects: Recent = field(default_factory=Recent)

    async def visit(self, request: Request) -> Visit | None:
        """Who comes; None if the link is not one of ours."""
        token = str(request.path_params["token"])
        opened = self.hub.keys.open_token(token) if len(token) <= 64 else None
        card = await self.hub.board.look(opened[0]) if opened else None
        if opened is None or card is None:
            return None
        origin = self.hub.keys.blind("origin", self.address(request)).hex()
        return Visit(token, *opened, card, request.headers.get("user-agent", ""), origin)

    def address(self, request: Request) -> str:
        """Where a request comes from."""
        return origin_of(request, self.hub.settings.trusted_proxies)

    async def look(self, request: Request) -> Response:
        """GET and HEAD: the page. What no person did is noted once, after the answer."""
        visit = await self.visit(request)
        if visit is None:
            return draw_stray(self.hub.settings.county)
        why = "head" if request.method == "HEAD" else "agent" if is_machine(visit.agent) else ""
        PAGES.labels("ahead" if looks_ahead(request.headers) else "machine" if why else "opened").inc()
        response = self.page(visit)
        if why and self.suspects.add((visit.wave, visit.recipient, why)):
            response.background = BackgroundTask(self.hub.acks.take, visit.ack(Evidence.MACHINE, text=why))
        return response

    async def answer(self, request: Request) -> Response:
        """POST: a person's answer is kept and confirms; anything else is told why not."""
        visit = await self.visit(request)
        if visit is None:
            return draw_stray(self.hub.settings.county)
        if self.is_busy(visit.token, self.address(request)):
            return self.page(visit, trouble="busy", status=429)
        try:
            post = await read_post(request)
        except TooLarge:
            return self.page(visit, trouble="photo", status=413)
        if post is None:
            return self.page(visit, trouble="choice", status=415)
        nonce = post.fields.get("nonce", [""])[-1]
        answer = self.judge(visit, post, nonce)
        if answer.trouble:
            await self.suspect(visit, answer)
            return self.page(visit, trouble=answer.trouble, status=400)
        return await self.keep(visit, answer, nonce, post.photo)

    def judge(self, visit: Visit, post: Post, nonce: str) -> Answer:
        """What the form says."""
        age = self.hub.keys.nonce_age(visit.token, nonce, int(self.clock()))
        return judge_answer(post.fields, age, visit.agent)

    def is_busy(self, token: str, address: str) -> bool:
        """Whether this link or this address has posted too much; counts the post."""
        if self.by_address.full(address) or self.by_token.full(token):
            return True
        self.by_address.mark(address)
        self.by_token.mark(token)
        return False

    async def suspect(self, visit: Visit, answer: Answer) -> None:
        """Note what a machine did, once for each way; it confirms nothing."""
        PAGES.labels("refused").inc()
        if answer.machine and self.suspects.add((visit.wave, visit.recipient, answer.trouble)):
            await self.hub.acks.take(visit.ack(Evidence.MACHINE, text=answer.trouble))

    async def keep(self, visit: Visit, answer: Answer, nonce: str, sent: bytes) -> Response:
        """A person's answer; the same form sent twice is one answer. One whose photograph cannot be read counts without it."""
        key = (visit.token, nonce, answer.choice, answer.text)
        trouble = ""
        if key not in self.used:
            photo, trouble = await self.develop(sent)
            place = answer.place or (photo.place if photo and answer.camera else None)
            ack = visit.ack(Evidence.HUMAN, answer.choice, answer.text)
            outcome = await self.hub.acks.take(replace(ack, place=place, photo=photo.body if photo else b""))
            if not outcome.known:
                return draw_stray(self.hub.settings.county)
            if outcome.strange:
                PAGES.labels("refused").inc()
                return self.page(visit, trouble=MANY, status=400)
            self.used.add(key)
            PAGES.labels("answered").inc()
        return self.page(visit, thanks=answer.choice, trouble=trouble)

    async def clean(self, sent: bytes) -> Photo:
        """A photograph made anew, two at a time and beside the loop. Raises `Unusable`."""
        async with self.darkroom:
            return await asyncio.to_thread(clean_photo, sent)

    async def develop(self, sent: bytes) -> tuple[Photo | None, str]:
        """A photograph that came with a form, and what is wrong with it; what it came with counts without it."""
        try:
            return (await self.clean(sent) if sent else None), ""
        except Unusable:
            return None, "unread"

    def page(self, visit: Visit, *, trouble: str = "", thanks: str = "", status: int = 200) -> Response:
        """The page, as things stand, with a fresh nonce."""
        now = self.clock()
        nonce = self.hub.keys.form_nonce(visit.token, int(now))
        county = self.hub.settings.county
        worker = self.hub.board.is_worker(visit.card, visit.recipient)
        said = {"trouble": trouble, "thanks": thanks}
        return draw_page(county, visit.card, visit.token, nonce, now, worker=worker, status=status, **said)


def make_field(hub: Field, clock: Clock = time.time) -> APIRouter:
    """`GET|HEAD|POST /a/{token}`. `clock` gives seconds since 1970."""
    router = APIRouter(include_in_schema=False)
    templates().get_template("field.html")  # compiled before somebody waits for it
    gate = Gate(hub, clock)
    pages: dict[str, Callable[[Request], Awaitable[Response]]] = {"GET": gate.look, "HEAD": gate.look, "POST": gate.answer}
    for method, page in pages.items():
        router.add_route("/a/{token}", page, methods=[method])
    return router
