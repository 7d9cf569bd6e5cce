"""The door list, `/a/{token}/doors`: opens from the link in the message and four digits, works by thumb, without a line and
without a script."""

import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Request
from sqlalchemy import text
from starlette.responses import JSONResponse, RedirectResponse, Response

from warnhub.console.field import Gate, Visit
from warnhub.console.leaf import draw_stray
from warnhub.console.phrases import Said
from warnhub.console.scanners import is_machine
from warnhub.console.throttle import Clock
from warnhub.desk import Refusal
from warnhub.field.entry import Entry
from warnhub.field.hub import Hub
from warnhub.field.leaf import FORM, JSON, cookie_path, draw, read_body, serve_script
from warnhub.field.words import NEEDS, REASONS, STATES, TROUBLES
from warnhub.monitor.board import local_time
from warnhub.response.action import LONGEST, read_knock
from warnhub.store.doors import CHOICES, SETTLED, UNDO, Door, Knock, list_closed, list_doors, shelter_heads

PURPOSE = Said("敲门名单", "Door list")
SERIAL = 16


@dataclass(frozen=True, slots=True)
class Row:
    """A door as the page shows it: opened, in words."""

    id: int
    state: str
    head: str
    place: str
    phone: str
    area: str
    people: int
    needs: list[str]
    planned: int | None
    shelter_name: str
    reason: str | None


@dataclass(slots=True)
class Doors:
    """What every door list of this process shares."""

    hub: Hub
    clock: Clock
    gate: Gate = field(init=False)
    entry: Entry = field(init=False)

    def __post_init__(self) -> None:
        self.gate = Gate(self.hub, self.clock)
        self.entry = Entry(self.hub.store, self.hub.keys, self.clock, self.hub.settings.trusted_proxies)

    async def warning_of(self, visit: Visit) -> int:
        """The number of the warning a link belongs to."""
        async with self.hub.store.read() as conn:
            found = await conn.scalar(text("SELECT warning_id FROM wave WHERE id = :v"), {"v": visit.wave})
        return int(found or 0)

    async def look(self, request: Request) -> Response:
        """GET: the list; or the question who this is."""
        visit = await self.gate.visit(request)
        if visit is None:
            return draw_stray(self.hub.settings.county)
        if not self.entry.is_open(request, visit):
            return self.ask(visit)
        return await self.page(visit)

    def ask(self, visit: Visit, trouble: str = "", status: int = 200, here: str = "doors") -> Response:
        """The question for four digits."""
        said = TROUBLES.get(trouble)
        return draw("entry.html", self.hub.settings, visit, status, purpose=PURPOSE, here=here, trouble=said)

    async def page(self, visit: Visit, trouble: str = "", status: int = 200) -> Response:
        """The list as things stand."""
        number = await self.warning_of(visit)
        async with self.hub.store.read() as conn:
            found = await list_doors(conn, number, visit.recipient)
            shelters = await shelter_heads(conn, number)
            closed = await list_closed(conn, number, visit.recipient)
        names = {one.id: one.name for one in shelters}
        zone = ZoneInfo(self.hub.settings.county.zone)
        response = draw(
            "doors.html",
            self.hub.settings,
            visit,
            status,
            doors=[self.row(door, names) for door in found],
            done=sum(door.state in SETTLED for door in found),
            closed=local_time(closed, zone) if closed else "",
            living=visit.card.state == "released",
            shelters=shelters,
            states=STATES,
            choices={key: STATES[key] for key in CHOICES},
            serial=secrets.token_hex(SERIAL // 2),
            token=visit.token,
            trouble=TROUBLES.get(trouble),
        )
        response.headers["x-doors"] = "open"
        return response

    def row(self, door: Door, shelters: dict[int, str]) -> Row:
        """One door, opened."""
        head, place, phone = [self.hub.keys.unseal(part) if part else "" for part in (door.head, door.place, door.phone)]
        needs = [said.zh for name, said in NEEDS.items() if door.needs.get(name)]
        shelter = shelters.get(door.shelter or door.planned or 0, "")
        named = (door.area, door.people, needs, door.planned, shelter, door.reason)
        return Row(door.id, door.state, head, place, phone, *named)

    async def answer(self, request: Request) -> Response:
        """POST of the page's form: the four digits, or one button of one door."""
        visit = await self.gate.visit(request)
        if visit is None:
            return draw_stray(self.hub.settings.county)
        body = await read_body(request, FORM)
        if body is None or is_machine(visit.agent):
            return self.ask(visit, "agent" if is_machine(visit.agent) else "form", 400)
        form = read_fields(body)
        if "pin" in form:
            return await self.unlock(request, visit, form["pin"], "doors")
        if not self.entry.is_open(request, visit):
            return self.ask(visit, status=403)
        return await self.press(visit, form)

    async def unlock(self, request: Request, visit: Visit, digits: str, then: str) -> Response:
        """Four digits were given."""
        trouble = await self.entry.show(request, visit, digits.strip())
        if trouble:
            return self.ask(visit, trouble, 429 if trouble == "busy" else 403, here=then)
        settings = self.hub.settings
        path = cookie_path(settings, visit.token)
        onward = RedirectResponse(then, 303, {"cache-control": "no-store"})
        return self.entry.admit(onward, visit, path, settings.public_url.startswith("https"))

    async def press(self, visit: Visit, form: dict[str, str]) -> Response:
        """One button, from a browser without our script. The page's serial makes the same press twice one knock."""
        head, _, choice = form.get("k", "").partition(".")
        serial = form.get("nonce", "")
        shelter = form.get("shelter", "")
        if not head.isdecimal() or choice not in (*CHOICES, UNDO) or len(serial) != SERIAL:
            return await self.page(visit, "form", 400)
        number, door = await self.warning_of(visit), int(head)
        chosen = int(shelter) if shelter.isdecimal() else None
        if choice == "moved" and chosen is None:
            async with self.hub.store.read() as conn:
                known = {one.id: one.planned for one in await list_doors(conn, number, visit.recipient)}
            chosen = known.get(door)
        undoes = "last" if choice == UNDO else ""
        knock = Knock(f"f-{serial}.{door}.{choice}", door, choice, int(self.clock() * 1000), chosen, undoes=undoes)
        try:
            await self.hub.responder.action.knock(number, visit.recipient, [knock], actor_of(visit))
        except Refusal as refusal:
            return await self.page(visit, "over" if refusal.status == 409 else "form", refusal.status)
        return RedirectResponse(f"doors#d{door}", 303, {"cache-control": "no-store"})

    async def take(self, request: Request) -> Response:
        """POST of knocks that a telephone kept: each is answered for by its client id, so that nothing is sent for ever."""
        visit = await self.gate.visit(request)
        if visit is None or is_machine(visit.agent):
            return JSONResponse({"title": "no such link"}, 404)
        if not self.entry.is_open(request, visit):
            return JSONResponse({"title": "show who you are first"}, 403)
        try:
            items = orjson.loads(await read_body(request, JSON) or b"")["knocks"]
        except (ValueError, TypeError, KeyError):
            items = None
        if not isinstance(items, list):
            return JSONResponse({"title": "send {knocks: [...]} as JSON"}, 400)
        good, outcome = sort_knocks(items, int(self.clock() * 1000))
        try:
            number = await self.warning_of(visit)
            outcome |= await self.hub.responder.action.knock(number, visit.recipient, good, actor_of(visit))
        except Refusal as refusal:
            return JSONResponse({"title": refusal.title}, refusal.status)
        return JSONResponse({"outcome": outcome})

    async def ask_close(self, request: Request, trouble: str = "", status: int = 200) -> Response:
        """GET: what still needs a reason."""
        visit = await self.gate.visit(request)
        if visit is None:
            return draw_stray(self.hub.settings.county)
        if not self.entry.is_open(request, visit):
            return self.ask(visit, status=403, here="../doors")
        return await self.close_page(visit, trouble, status)

    async def close_page(self, visit: Visit, trouble: str = "", status: int = 200) -> Response:
        """The doors that were not answered, each with room for why."""
        number = await self.warning_of(visit)
        async with self.hub.store.read() as conn:
            found = await list_doors(conn, number, visit.recipient)
        rows = [self.row(door, {}) for door in found if door.state not in SETTLED]
        said = TROUBLES.get(trouble)
        return draw("close.html", self.hub.settings, visit, status, doors=rows, reasons=REASONS, states=STATES, trouble=said)

    async def close(self, request: Request) -> Response:
        """POST: close the list, if every door is answered or explained."""
        visit = await self.gate.visit(request)
        if visit is None:
            return draw_stray(self.hub.settings.county)
        body = await read_body(request, FORM)
        if not self.entry.is_open(request, visit) or body is None or is_machine(visit.agent):
            return self.ask(visit, status=403, here="../doors")
        said = {name[1:]: " ".join(value.split())[:LONGEST] for name, value in read_fields(body).items() if name[:1] == "r"}
        reasons = {int(door): why for door, why in said.items() if door.isdecimal() and why}
        try:
            number = await self.warning_of(visit)
            missing = await self.hub.responder.action.close(number, visit.recipient, reasons, actor_of(visit))
        except Refusal as refusal:
            return await self.close_page(visit, "over", refusal.status)
        if missing:
            return await self.close_page(visit, "reasons", 409)
        return RedirectResponse("../doors", 303, {"cache-control": "no-store"})


def actor_of(visit: Visit) -> str:
    """As the audit names whoever came by a link."""
    return f"recipient:{visit.recipient}"


def sort_knocks(items: list[Any], now: int) -> tuple[list[Knock], dict[str, str]]:
    """(those that can be taken, what is wrong with the others by client id)."""
    good: list[Knock] = []
    outcome: dict[str, str] = {}
    for item in items:
        try:
            good.append(read_knock(item, now))
        except Refusal as refusal:
            client = item.get("client") if isinstance(item, dict) else None
            problem = refusal.problems[0]
            outcome[str(client)[:80]] = f"refused: {problem.path} {problem.message}"
    return good, outcome


def read_fields(body: bytes) -> dict[str, str]:
    """A form's fields, each field's last value; {} for what is no form."""
    try:
        return {
            name: values[-1] for name, values in parse_qs(body.decode(), keep_blank_values=True, max_num_fields=1_200).items()
        }
    except ValueError:
        return {}


def make_doors(hub: Hub, clock: Clock = time.time) -> APIRouter:
    """`/a/{token}/doors` and what belongs to it."""
    router = APIRouter(include_in_schema=False)
    doors = Doors(hub, clock)
    routes: tuple[tuple[str, str, Callable[[Request], Awaitable[Response]]], ...] = (
        ("GET", "/a/{token}/doors", doors.look),
        ("POST", "/a/{token}/doors", doors.answer),
        ("POST", "/a/{token}/doors/knocks", doors.take),
        ("GET", "/a/{token}/doors/close", doors.ask_close),
        ("POST", "/a/{token}/doors/close", doors.close),
    )
    for method, path, page in routes:
        router.add_api_route(path, page, methods=[method], response_model=None)
    for name in ("doors.js", "worker.js"):
        router.add_api_route(f"/a/{name}", make_script(name), methods=["GET"], response_model=None)
    return router


def make_script(name: str) -> Callable[[], Awaitable[Response]]:
    """A script as the framework wants it."""

    async def script() -> Response:
        return serve_script(name)

    return script
