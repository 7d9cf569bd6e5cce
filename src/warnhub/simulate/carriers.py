"""Every simulated carrier in one process, each on a port of its own.

The loudspeakers of a village are no carrier but may run beside them: see `beside` of `serve_carriers`.
"""

import asyncio
import contextlib
import inspect
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import Any

import uvicorn
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from warnhub.simulate.aliyun import AliyunCarrier
from warnhub.simulate.carrier import Carrier, Faults
from warnhub.simulate.twilio import TwilioCarrier

CARRIERS: Mapping[str, type[Carrier] | str] = {
    "twilio": TwilioCarrier,
    "aliyun": AliyunCarrier,
    "wechat": "warnhub.simulate.wechat:WechatCarrier",
    "fcm": "warnhub.simulate.fcm:FcmCarrier",
    "jpush": "warnhub.simulate.jpush:JpushCarrier",
    "voice": "warnhub.simulate.voice:VoiceCarrier",
}
FIRST_PORT = 9_101


class PlanError(Exception):
    """The carriers cannot be run as asked; the message says which, what is wrong with it, and what there is."""


class CarrierPlan(BaseModel):
    """One carrier. `port` None is its usual one, 0 a free one; `options` are those of its class (keys, `report_url` …)."""

    model_config = ConfigDict(extra="forbid")

    port: int | None = Field(None, ge=0, le=65_535)
    faults: Faults = Faults()
    options: dict[str, Any] = Field(default_factory=dict)


class CarriersPlan(BaseModel):
    """Which carriers run, and how; every one of `CARRIERS` if none is named."""

    model_config = ConfigDict(extra="forbid")

    host: str = "127.0.0.1"
    carriers: dict[str, CarrierPlan] = Field(default_factory=lambda: {name: CarrierPlan() for name in CARRIERS})

    @field_validator("carriers")
    @classmethod
    def known(cls, value: dict[str, CarrierPlan]) -> dict[str, CarrierPlan]:
        """Only carriers there are."""
        for name in value:
            if name not in CARRIERS:
                raise ValueError(f"{name}: no such carrier; there are {', '.join(CARRIERS)}")
        return value

    def port_of(self, name: str) -> int:
        """Where a carrier listens: as planned, or 9101 and up in the order of `CARRIERS`."""
        port = self.carriers[name].port
        return FIRST_PORT + list(CARRIERS).index(name) if port is None else port


def parse_faults(texts: Iterable[str], models: Mapping[str, type[BaseModel]] | None = None) -> dict[str, Any]:
    """`["aliyun.undelivered=0.02", …]` as the faults of each provider named; a later one wins.

    `models` are the providers that may be named and what their faults are (every carrier, `Faults`). Raises `PlanError`.
    """
    known = models or dict.fromkeys(CARRIERS, Faults)
    said: dict[str, dict[str, str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        provider, dot, fault = name.strip().partition(".")
        if not equals or not dot:
            raise PlanError(f"{text}: write provider.fault=value, e.g. aliyun.undelivered=0.02")
        if provider not in known:
            raise PlanError(f"{text}: no such provider as {provider!r}; there are {', '.join(known)}")
        if fault not in known[provider].model_fields:
            raise PlanError(f"{text}: {provider} has no fault {fault!r}; there are {', '.join(known[provider].model_fields)}")
        said.setdefault(provider, {})[fault] = value.strip()
    return {provider: checked(provider, known[provider], faults) for provider, faults in said.items()}


def checked(provider: str, model: type[BaseModel], faults: Mapping[str, str]) -> BaseModel:
    """The faults of a provider, or a `PlanError` that names the first that is wrong."""
    try:
        return model.model_validate(faults)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise PlanError(f"{provider}.{wrong['loc'][0]}={wrong['input']}: {wrong['msg']}") from None


def make_carrier(name: str, plan: CarrierPlan) -> Carrier:
    """A carrier as planned."""
    found = CARRIERS[name]
    if isinstance(found, str):
        module, _, attribute = found.partition(":")
        found = getattr(import_module(module), attribute)
    assert isinstance(found, type)
    known = [option for option in inspect.signature(found).parameters if option != "faults"]
    if unknown := plan.options.keys() - known:
        raise PlanError(f"{name}: no such option as {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    try:
        return found(faults=plan.faults, **plan.options)
    except TypeError as error:
        raise PlanError(f"{name}: {error}") from None


class Server(uvicorn.Server):
    """A server that leaves signals to the process, where several run, and leaves no connection behind.

    One that is accepted while the server ends is told of nothing by uvicorn, and stays open until its process ends.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End, and cut off what came in meanwhile."""
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@contextlib.asynccontextmanager
async def served(carrier: Carrier, host: str, port: int) -> AsyncIterator[str]:
    """A carrier that listens, as its base URL, until the block ends; what hangs in it is cut off after a second."""
    try:
        place = socket.create_server((host, port))
    except OSError as error:
        raise PlanError(f"{carrier.name}: cannot listen at {host}:{port}: {error.strerror}") from None
    config = uvicorn.Config(carrier.app(), log_level="critical", access_log=False, timeout_graceful_shutdown=1)
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[place]))
    try:
        while not server.started:
            if task.done():
                raise PlanError(f"{carrier.name}: did not start")
            await asyncio.sleep(0.01)
        yield f"http://{host}:{place.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@contextlib.contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set, while the block lasts."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    both = (signal.SIGTERM, signal.SIGINT)
    for one in both:
        loop.add_signal_handler(one, stop.set)
    try:
        yield stop
    finally:
        for one in both:
            loop.remove_signal_handler(one)


async def serve_carriers(
    plan: CarriersPlan,
    ready: Callable[[Mapping[str, str]], object] | None = None,
    stop: asyncio.Event | None = None,
    beside: Sequence[AbstractAsyncContextManager[Any]] = (),
) -> None:
    """Run the carriers until `stop`, or SIGTERM or SIGINT where none is given.

    `ready` is told each carrier's base URL once all listen. What stands `beside` (`serve_village(…)`) is entered after the
    carriers and left before them. Raises `PlanError` before anything listens for long.
    """
    async with contextlib.AsyncExitStack() as stack:
        made = {name: make_carrier(name, one) for name, one in plan.carriers.items()}
        urls = {}
        for name, carrier in made.items():
            urls[name] = await stack.enter_async_context(served(carrier, plan.host, plan.port_of(name)))
        for other in beside:
            await stack.enter_async_context(other)
        ended = stop or stack.enter_context(stop_signals())
        if ready:
            ready(urls)
        await ended.wait()
