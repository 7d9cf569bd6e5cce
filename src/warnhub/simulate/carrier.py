"""What every simulated carrier shares: faults on demand, a memory of what was taken, and call-backs over real HTTP.

A carrier is a Starlette application on a real socket that speaks its provider's wire form. Its own routes are the provider's;
beside them stand `GET /_sim/state` (what was taken, as JSON), `POST /_sim/faults` (change the faults) and `POST /_sim/reset`.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pyreqwest.client import ClientBuilder
from pyreqwest.compatibility.httpx import HttpxTransport
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route


class Faults(BaseModel):
    """What goes wrong, as shares of 0..1 of the calls (or of the call-backs), and how slow the carrier is, in seconds."""

    model_config = ConfigDict(extra="forbid")

    latency: float = Field(0.0, ge=0, description="seconds before each answer")
    jitter: float = Field(0.0, ge=0, description="seconds added at random to the latency")
    rate: float = Field(0.0, ge=0, description="calls a second before 429; 0 is no limit")
    throttle: float = Field(0.0, ge=0, le=1, description="share answered 429 at once")
    error: float = Field(0.0, ge=0, le=1, description="share answered 503 before anything is taken")
    broken: float = Field(0.0, ge=0, le=1, description="share answered 500 AFTER it was taken")
    hang: float = Field(0.0, ge=0, le=1, description="share taken and never answered")
    refuse: float = Field(0.0, ge=0, le=1, description="share refused inside a 200")
    drop: float = Field(0.0, ge=0, le=1, description="share of call-backs never sent")
    duplicate: float = Field(0.0, ge=0, le=1, description="share of call-backs sent twice")
    reorder: float = Field(0.0, ge=0, le=1, description="share of call-backs held back behind later ones")
    early: float = Field(0.0, ge=0, le=1, description="share of call-backs sent before the answer to the call")
    undelivered: float = Field(0.0, ge=0, le=1, description="share of messages that end undelivered")
    delay: float = Field(0.2, ge=0, description="seconds from the call to its last call-back")


class Carrier:
    """A provider's stand-in. Subclasses give `routes()` and use `gate()`, `take()` and `call_back()`."""

    name = "carrier"

    def __init__(self, faults: Faults | None = None, seed: int = 1) -> None:
        self.faults = faults or Faults()
        self.random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.taken: list[dict[str, Any]] = []
        self.keep = 2_000
        self.tasks: set[asyncio.Task[None]] = set()
        self.stamps: list[float] = []
        self.http: httpx.AsyncClient | None = None
        self.slots = asyncio.Semaphore(64)
        self.hear: Callable[[dict[str, Any]], None] | None = None

    def routes(self) -> list[Route]:
        """The provider's own routes."""
        raise NotImplementedError

    def throttled(self, request: Request) -> Response:
        """The provider's own 429."""
        return PlainTextResponse("too many requests", 429, {"retry-after": "1"})

    def failed(self, request: Request) -> Response:
        """The provider's own 5xx."""
        return PlainTextResponse("service unavailable", 503)

    def hit(self, share: float) -> bool:
        """True in `share` of the cases."""
        return share > 0 and self.random.random() < share

    def over(self) -> bool:
        """Whether this call is above the carrier's rate."""
        if not self.faults.rate:
            return False
        now = asyncio.get_running_loop().time()
        self.stamps = [t for t in self.stamps if now - t < 1.0]
        if len(self.stamps) >= self.faults.rate:
            return True
        self.stamps.append(now)
        return False

    async def gate(self, request: Request) -> Response | None:
        """Wait as long as this carrier takes; an answer if the call goes wrong before anything is taken."""
        self.counts["calls"] += 1
        if self.over() or self.hit(self.faults.throttle):
            self.counts["throttled"] += 1
            return self.throttled(request)
        if self.hit(self.faults.error):
            self.counts["errors"] += 1
            return self.failed(request)
        if self.faults.latency or self.faults.jitter:
            await asyncio.sleep(self.faults.latency + self.random.random() * self.faults.jitter)
        return None

    async def settle(self, request: Request, answer: Response) -> Response:
        """The answer after something was taken: as it is, or lost in a 500, or never."""
        if self.hit(self.faults.hang):
            self.counts["hung"] += 1
            await asyncio.sleep(3_600)
        if self.hit(self.faults.broken):
            self.counts["broken"] += 1
            return PlainTextResponse("internal error", 500)
        return answer

    def take(self, **what: Any) -> None:
        """Remember a message that was taken (the newest `keep`), and count it."""
        self.counts["taken"] += 1
        if self.hear:
            self.hear(what)
        self.taken.append(what)
        if len(self.taken) > self.keep:
            del self.taken[: self.keep // 2]

    def forget(self) -> None:
        """Lose the memory of what was taken; a subclass with a memory of its own loses that too."""
        self.counts.clear()
        self.taken.clear()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` beside the calls, until it or the carrier ends."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def call_back(self, send: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]], after: float) -> None:
        """Send one call-back after `after` seconds (at once, awaited, for the `early` share), with its faults.

        A call-back that is not answered 2xx is sent again after 0.5 and 2 s, as carriers do.
        """
        if self.hit(self.faults.drop):
            self.counts["callbacks_dropped"] += 1
            return
        copies = 2 if self.hit(self.faults.duplicate) else 1
        wait = after + (self.faults.delay * 3 if self.hit(self.faults.reorder) else 0)
        if self.hit(self.faults.early):
            await self.deliver(send)
            copies -= 1
        for _ in range(copies):
            self.spawn(self.later(send, wait))

    async def later(self, send: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]], wait: float) -> None:
        """Deliver after `wait` seconds."""
        await asyncio.sleep(wait)
        await self.deliver(send)

    async def deliver(self, send: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]) -> None:
        """Try a call-back up to three times."""
        assert self.http is not None
        for pause in (0.5, 2.0, None):
            with contextlib.suppress(httpx.HTTPError):
                async with self.slots:
                    answer = await send(self.http)
                if answer.is_success:
                    self.counts["callbacks"] += 1
                    return
            if pause is not None:
                await asyncio.sleep(pause)
        self.counts["callbacks_lost"] += 1

    def app(self) -> Starlette:
        """The application: the provider's routes and the simulator's own."""

        @contextlib.asynccontextmanager
        async def life(app: Starlette) -> Any:
            # httpx's own pool takes 3 ms of processor time a call-back, this one 0.5
            transport = HttpxTransport(ClientBuilder().no_proxy().build())
            # the transport adds the four httpx time-outs up
            async with httpx.AsyncClient(timeout=httpx.Timeout(None, read=10), transport=transport) as self.http:
                yield
                ended = list(self.tasks)
                for task in ended:
                    task.cancel()
                await asyncio.gather(*ended, return_exceptions=True)

        async def state(request: Request) -> Response:
            return JSONResponse({"name": self.name, "counts": dict(self.counts), "taken": self.taken[-500:]})

        async def faults(request: Request) -> Response:
            try:
                self.faults = Faults.model_validate(self.faults.model_dump() | await request.json())
            except (ValueError, TypeError) as error:
                problems = error.errors(include_url=False) if isinstance(error, ValidationError) else "not a JSON object"
                return JSONResponse({"errors": problems}, 422)
            return JSONResponse(self.faults.model_dump())

        async def reset(request: Request) -> Response:
            self.forget()
            self.faults = Faults()
            return JSONResponse({})

        own = [
            Route("/_sim/state", state),
            Route("/_sim/faults", faults, methods=["POST"]),
            Route("/_sim/reset", reset, methods=["POST"]),
        ]
        return Starlette(routes=[*self.routes(), *own], lifespan=life)
