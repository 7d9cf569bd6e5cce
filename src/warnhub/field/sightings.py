"""上报险情, `/a/{token}/report`: whoever was told may say what they see, without login or script."""

import time
from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from sqlalchemy import text
from starlette.responses import Response

from warnhub.console.answer import YOUNGEST
from warnhub.console.field import Gate, Visit
from warnhub.console.leaf import draw_stray
from warnhub.console.posts import Post, TooLarge, read_post
from warnhub.console.scanners import is_machine
from warnhub.console.throttle import Clock, Window
from warnhub.field.hub import Hub
from warnhub.field.leaf import draw
from warnhub.field.words import DANGERS, TROUBLES
from warnhub.store.proposals import Sighting

OLDEST = 24 * 3_600
EACH = (10, 3_600.0)


@dataclass(slots=True)
class Sightings:
    """What every report page of this process shares."""

    hub: Hub
    clock: Clock
    gate: Gate = field(init=False)
    limit: Window = field(init=False)

    def __post_init__(self) -> None:
        self.gate = Gate(self.hub, self.clock)
        self.limit = Window(*EACH, clock=self.clock)

    async def look(self, request: Request) -> Response:
        """GET: the form."""
        visit = await self.gate.visit(request)
        return self.page(visit) if visit else draw_stray(self.hub.settings.county)

    def page(self, visit: Visit, trouble: str = "", done: bool = False, status: int = 200) -> Response:
        """The form, or thanks."""
        nonce = self.hub.keys.form_nonce(visit.token, int(self.clock()))
        given = {"nonce": nonce, "dangers": DANGERS, "token": visit.token, "done": done, "trouble": TROUBLES.get(trouble)}
        return draw("report.html", self.hub.settings, visit, status, **given)

    async def answer(self, request: Request) -> Response:
        """POST: a person's report; the same form twice is one report."""
        visit = await self.gate.visit(request)
        if visit is None:
            return draw_stray(self.hub.settings.county)
        try:
            post = await read_post(request) or Post()
        except TooLarge:
            return self.page(visit, "photo", status=413)
        form = {name: values[-1] for name, values in post.fields.items()}
        nonce, said = form.get("nonce", ""), " ".join(form.get("text", "").split())[:500]
        age = self.hub.keys.nonce_age(visit.token, nonce, int(self.clock()))
        hazard = form.get("hazard", "")
        if is_machine(visit.agent) or age is None or not YOUNGEST <= age <= OLDEST or hazard not in DANGERS:
            return self.page(visit, "agent" if is_machine(visit.agent) else "form", status=400)
        if len(said) < 2:
            return self.page(visit, "place", status=422)
        if self.limit.full(visit.recipient):
            return self.page(visit, "busy", status=429)
        self.limit.mark(visit.recipient)
        photo, trouble = await self.gate.develop(post.photo)
        seen = await self.sighting(visit, f"page:{visit.token}:{nonce}", hazard, said)
        if photo and photo.place:
            seen = seen._replace(lon=photo.place[0], lat=photo.place[1])
        await self.hub.responder.watch.see(seen, photo.body if photo else b"")
        return self.page(visit, trouble, done=True)

    async def sighting(self, visit: Visit, client: str, hazard: str, said: str) -> Sighting:
        """What was seen, where this person lives or works."""
        async with self.hub.store.read() as conn:
            row = (
                await conn.execute(
                    text("SELECT r.area_id, r.role, v.warning_id FROM recipient r, wave v WHERE r.id = :r AND v.id = :v"),
                    {"r": visit.recipient, "v": visit.wave},
                )
            ).one()
        source = "resident" if row.role == "resident" else "gridworker"
        now = int(self.clock() * 1000)
        return Sighting(client, source, hazard, said, row.area_id, now, None, None, visit.recipient, row.warning_id)


def make_sightings(hub: Hub, clock: Clock = time.time) -> APIRouter:
    """`/a/{token}/report`."""
    router = APIRouter(include_in_schema=False)
    sightings = Sightings(hub, clock)
    router.add_api_route("/a/{token}/report", sightings.look, methods=["GET"], response_model=None)
    router.add_api_route("/a/{token}/report", sightings.answer, methods=["POST"], response_model=None)
    return router
