"""What keeps an open page up to date: server-sent events with the parts of the page that have changed.

The parts are drawn once for everybody who looks at the same page in the same language with the same rights.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
from starlette.responses import Response, StreamingResponse

from warnhub.console.details import first_page, shared
from warnhub.console.visit import Visit

EVERY = 0.5
HEARTBEAT = 4.0
CHECK = 30.0
"""Seconds after which a session is looked at again: a forced logout ends open pages too."""

PARTS = ("state", "tiles", "calls", "funnel", "asked", "channels", "towns", "silent", "latency", "events", "map", "pace")
RELOAD = b"event: reload\ndata: 1\n\n"
Draw = Callable[[], Awaitable[dict[str, str] | None]]


async def stream_list(visit: Visit) -> Response:
    """The first page."""
    return stream_board(visit, "board")


async def stream_wall(visit: Visit) -> Response:
    """The wall."""
    return stream_board(visit, "wall")


def stream_board(visit: Visit, part: str) -> Response:
    """What is drawn from the board."""
    console, lang, acts = visit.console, visit.lang, visit.may("duty")

    async def draw() -> dict[str, str]:
        board = await console.boards.look()
        if (part, lang, acts) not in console.boards.drawn:
            console.boards.drawn[part, lang, acts] = console.draw(f"parts/{part}.html", lang, board=board, acts=acts)
        return {part: console.boards.drawn[part, lang, acts]}

    return stream(visit, draw)


async def stream_warning(visit: Visit) -> Response:
    """One warning. When its state changes the page is asked to load again, since then other buttons belong on it."""
    console, lang, acts, uid = visit.console, visit.lang, visit.may("duty"), visit.argument("uid")
    states: set[int] = set()

    async def draw() -> dict[str, str] | None:
        frame = await console.scenes.look(uid)
        if frame is None or frame.scene is None:
            return None
        states.add(frame.scene.warning.version)
        if len(states) > 1:
            return None
        if (lang, acts) not in frame.drawn:
            given = shared(acts, frame.scene) | first_page(frame.scene) | await console.scenes.pictures(console, frame)
            shown = [part for part in PARTS if part != "map" or given["sheet"]]
            frame.drawn[lang, acts] = {part: console.draw(f"parts/{part}.html", lang, **given) for part in shown}
        return frame.drawn[lang, acts]

    return stream(visit, draw)


def stream(visit: Visit, draw: Draw) -> Response:
    """The answer that goes on; for somebody who may not see it, one word: load the page again."""
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    body = follow(visit, draw) if visit.may("viewer") else refuse()
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)


async def refuse() -> AsyncIterator[bytes]:
    """For nobody."""
    yield RELOAD


async def follow(visit: Visit, draw: Draw) -> AsyncIterator[bytes]:
    """The parts that differ from what this page was last given, until its session ends, or there is nothing more."""
    sent: dict[str, str] = {}
    said = checked = time.monotonic()
    while True:
        if time.monotonic() - checked > CHECK:
            checked = time.monotonic()
            await visit.enter()
        parts = await draw() if visit.may("viewer") else None
        if parts is None:
            yield RELOAD
            return
        changed = {name: html for name, html in parts.items() if sent.get(name) != html}
        if changed:
            sent |= changed
            said = time.monotonic()
            yield b"event: parts\ndata: " + orjson.dumps(changed) + b"\n\n"
        elif time.monotonic() - said > HEARTBEAT:
            said = time.monotonic()
            yield b"event: beat\ndata: 1\n\n"
        await asyncio.sleep(EVERY)
