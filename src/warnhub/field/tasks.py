"""What one person has to do, `/a/{token}/tasks`: a list with one button each, without login, script or names of households."""

import time
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from warnhub.console.answer import YOUNGEST
from warnhub.console.field import Gate
from warnhub.console.leaf import draw_stray
from warnhub.console.scanners import is_machine
from warnhub.console.throttle import Clock
from warnhub.desk import Refusal
from warnhub.field.doors import read_fields
from warnhub.field.hub import Hub
from warnhub.field.leaf import FORM, draw, read_body
from warnhub.field.words import TROUBLES
from warnhub.monitor.board import local_time
from warnhub.store.assignments import list_own
from warnhub.store.covers import list_visits

OLDEST = 24 * 3_600


@dataclass(slots=True)
class Tasks:
    """What every list of this process shares."""

    hub: Hub
    clock: Clock
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        self.gate = Gate(self.hub, self.clock)

    async def look(self, request: Request, trouble: str = "", status: int = 200) -> Response:
        """GET: the list."""
        visit = await self.gate.visit(request)
        if visit is None:
            return draw_stray(self.hub.settings.county)
        async with self.hub.store.read() as conn:
            rows = await list_own(conn, visit.recipient)
            visits = await list_visits(conn, visit.recipient)
        zone = ZoneInfo(self.hub.settings.county.zone)
        return draw(
            "tasks.html",
            self.hub.settings,
            visit,
            status,
            rows=[(row, local_time(row.due_at, zone)) for row in rows],
            visits=[(row, local_time(row.due_at, zone)) for row in visits],
            nonce=self.hub.keys.form_nonce(visit.token, int(self.clock())),
            token=visit.token,
            trouble=TROUBLES.get(trouble),
        )

    async def answer(self, request: Request) -> Response:
        """POST: one of them is done. A person's act: from a page just looked at, by one button."""
        visit = await self.gate.visit(request)
        if visit is None:
            return draw_stray(self.hub.settings.county)
        body = await read_body(request, FORM)
        form = read_fields(body or b"")
        age = self.hub.keys.nonce_age(visit.token, form.get("nonce", ""), int(self.clock()))
        given = form.get("task", "")
        if is_machine(visit.agent) or age is None or not YOUNGEST <= age <= OLDEST or not given.isdecimal():
            return await self.look(request, "agent" if is_machine(visit.agent) else "form", 400)
        try:
            said = form.get(f"said{given}", "")
            await self.hub.responder.done(int(given), f"recipient:{visit.recipient}", said, visit.recipient)
        except Refusal as refusal:
            return await self.look(request, "place" if refusal.status == 422 else "form", refusal.status)
        return RedirectResponse("tasks", 303, {"cache-control": "no-store"})


def make_tasks(hub: Hub, clock: Clock = time.time) -> APIRouter:
    """`/a/{token}/tasks`."""
    router = APIRouter(include_in_schema=False)
    tasks = Tasks(hub, clock)

    async def look(request: Request) -> Response:
        return await tasks.look(request)

    router.add_api_route("/a/{token}/tasks", look, methods=["GET"], response_model=None)
    router.add_api_route("/a/{token}/tasks", tasks.answer, methods=["POST"], response_model=None)
    return router
