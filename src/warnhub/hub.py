"""The running system: every part, made once and handed to the others. `app.create_app` gives it a door, tests a body."""

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any

import httpx
import structlog
from sqlalchemy import text

from warnhub import traces
from warnhub.bus.access import kafka_options
from warnhub.bus.kafka import KafkaBus
from warnhub.bus.local import LocalBus
from warnhub.bus.signals import Bus
from warnhub.channels import Provider, by_channel, make_providers
from warnhub.client import make_transport
from warnhub.config import ConfigError, Settings
from warnhub.crypto import KeyRing
from warnhub.desk import Desk
from warnhub.dispatch.failover import open_incidents
from warnhub.dispatch.living import Living
from warnhub.dispatch.resolve import Resolver
from warnhub.dispatch.silence import Silencer
from warnhub.dispatch.wordbook import Wordbook
from warnhub.dispatch.worker import Worker
from warnhub.feedback.acks import Acks
from warnhub.feedback.clock import Clock
from warnhub.feedback.escalation import Escalation
from warnhub.feedback.receipts import Receipts
from warnhub.feedback.replies import CAME, Replies
from warnhub.feedback.steering import Steering
from warnhub.forecast import Forecasts
from warnhub.heap import freeze_heap, keep_lean
from warnhub.ingest.scales import check_tables
from warnhub.ingest.stations import load_stations
from warnhub.inlet.calls import CallTopic
from warnhub.inlet.polls import Poller
from warnhub.inlet.topics import AlertTopic
from warnhub.monitor.board import Board
from warnhub.monitor.metrics import PARTS_FAILED
from warnhub.monitor.watch import Monitor
from warnhub.plan.audience import Places
from warnhub.plan.planner import Planner
from warnhub.plan.policy import Policy
from warnhub.plan.templates import WordingError
from warnhub.plan.trial import check_words
from warnhub.plan.wording import Wording
from warnhub.port import Listens, Report
from warnhub.publish.outlet import Outlet
from warnhub.publish.signature import Signer, SigningError
from warnhub.response.build import make_responder
from warnhub.response.responder import Responder
from warnhub.store.agencies import ensure_county
from warnhub.store.engine import Store
from warnhub.store.migrate import check_store
from warnhub.store.policies import load_policies

DRAIN = 6.0
"""Seconds for which what is in hand may go on after SIGTERM; with the rest of the ending it stays under ten."""
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Hub:
    """What everything else works with."""

    settings: Settings
    store: Store
    keys: KeyRing
    bus: Bus
    places: Places
    policies: dict[int, Policy]
    providers: dict[str, Provider]
    desk: Desk
    planner: Planner
    steering: Steering
    wordbook: Wordbook
    living: Living
    worker: Worker
    resolver: Resolver
    receipts: Receipts
    acks: Acks
    escalation: Escalation
    clock: Clock
    monitor: Monitor
    board: Board
    outlet: Outlet
    forecasts: Forecasts
    poller: Poller
    responder: Responder
    transport: httpx.AsyncBaseTransport
    works: bool = True
    running: bool = False
    map_stamp: tuple[Any, ...] = ()
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    @property
    def notices(self) -> list[str]:
        """What the adapters want an operator to know."""
        found = [getattr(provider.adapter, "warning", "") for provider in self.providers.values()]
        return [notice for notice in found if notice] + self.poller.notices

    async def reload(self) -> None:
        """Take in what somebody has changed: a new policy, a new map, a provider that was put right."""
        async with self.store.read() as conn:
            version = await conn.scalar(text("SELECT max(version) FROM policy"))
            stamp = (await conn.execute(text("SELECT count(*), max(updated_at) FROM area"))).one()
            if tuple(stamp) != self.map_stamp:
                fresh = await Places.load(conn)
                self.places.__dict__.update(fresh.__dict__)
                self.map_stamp = tuple(stamp)
            still = await open_incidents(conn)
        if version not in self.policies:
            self.policies.update(await load_policies(self.store))
        await self.poller.look()
        for name, drive in self.worker.lines.items():
            if drive.stopped and name not in still:
                self.worker.resume(name)
            elif not drive.stopped and name in still:  # another process found out
                drive.stopped = still[name]

    async def keep_fresh(self, every: float = 3.0) -> None:
        """Reload until cancelled."""
        while True:
            await self.reload()
            await asyncio.sleep(every)

    async def run(self) -> None:
        """The engine: everything that works without being asked, until cancelled. What serves only a worker runs where one
        works; the rest on any node, exactly one at a time for each row."""
        for name, code in (await self.stopped()).items():
            if name in self.worker.lines:
                self.worker.lines[name].stopped = code
        await self.clock.watch_leases(everything=self.store.sqlite)
        parts: dict[str, Callable[[], Awaitable[None]]] = {
            "clock": partial(self.clock.run, self.bus),
            "escalation": partial(self.escalation.run, self.bus),
            "receipts": self.receipts.run,
            "living": partial(self.living.run, self.bus),
            "board": partial(self.board.run, self.bus),
            "response": partial(self.responder.run, self.bus),
            "fresh": self.keep_fresh,
            "heap": keep_lean,
            **self.bus.helpers(),
        }
        if self.works:
            parts |= {"bus": self.bus.run, "worker": self.worker.run, **self.listeners()}
            if self.settings.kafka:
                parts["alerts"] = AlertTopic(self.desk, self.keys, self.settings).run
                parts["calls"] = CallTopic(self.receipts, self.providers, self.settings).run
            parts |= {f"source-{name}": partial(self.poller.run, name) for name in self.settings.sources}
        async with asyncio.TaskGroup() as group:
            for name, part in parts.items():
                group.create_task(keep_running(name, part), name=name)
            self.running = True

    def listeners(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Providers that report over connections of their own."""
        found: dict[str, Callable[[], Awaitable[None]]] = {}
        for name, provider in self.providers.items():
            adapter: object = provider.adapter
            if isinstance(adapter, Listens):
                found[f"listen-{name}"] = partial(self.listen, name, adapter)
        return found

    async def stopped(self) -> dict[str, str]:
        """Providers that an open incident keeps still."""
        async with self.store.read() as conn:
            return await open_incidents(conn)

    async def listen(self, name: str, adapter: Listens) -> None:
        """A provider that reports over its own connection."""

        async def take(reports: Sequence[Report]) -> None:
            await self.receipts.take(name, reports)

        await adapter.listen(take)

    async def close(self) -> None:
        """Give everything back."""
        await asyncio.to_thread(traces.shut_down)
        await self.poller.fetcher.close()
        await self.transport.aclose()
        await self.store.close()


def try_folders(settings: Settings) -> None:
    """Refuse a county's own templates and tables that fail, before a warning needs them."""
    check_tables(settings.tables_dir)
    if settings.kafka:
        kafka_options(settings)
    if settings.words_dir is None:
        return
    try:
        check_words(Wording(settings.county.signature, settings.county.zone, settings.words_dir))
    except WordingError as error:
        raise ConfigError(f"words_dir: {error}") from error


def begin_traces(settings: Settings, node: str) -> None:
    """Export traces, where the settings or the standard variables ask for it."""
    try:
        traces.set_up(settings.otel_endpoint, version("warnhub"), node)
    except traces.TracesError as error:
        raise ConfigError(str(error)) from error


def make_signer(settings: Settings) -> Signer | None:
    """What signs the county's CAP; None where nothing is signed."""
    if settings.signing_key is None:
        return None
    try:
        return Signer(settings.signing_key.get_secret_value(), settings.signing_certificate or "")
    except SigningError as error:
        raise ConfigError(str(error)) from error


async def keep_running(name: str, part: Callable[[], Awaitable[None]]) -> None:
    """Run one part of the engine, again and again: what breaks it is logged, and the desk goes on after 1, 2, 4 … 30 s."""
    wait = 1.0
    while True:
        started = time.monotonic()
        try:
            await part()
            return
        # The task boundary: a lost database or a bug must not end the engine.
        except Exception as error:
            log.error("engine.part_failed", part=name, error=type(error).__name__, exc_info=error)
            PARTS_FAILED.labels(name).inc()
        wait = 1.0 if time.monotonic() - started > 60 else min(30.0, wait * 2)
        await asyncio.sleep(wait)


async def make_hub(
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Callable[[], int] | None = None,
    providers: dict[str, Provider] | None = None,
    works: bool | None = None,
) -> Hub:
    """Build every part. `providers`: others than the settings name; `works`: whether this process does a worker's work, by
    default only where it is the only one. Raises `ConfigError`, or `SchemaError` if the database is not ours."""
    store = Store(settings.database_url, clock)
    await check_store(store)
    keys = KeyRing(settings.secret_key.get_secret_value())
    await check_key(store, keys)
    async with store.write() as tx:
        await ensure_county(tx, settings.county.bureau)
    transport = transport or make_transport()
    providers = make_providers(settings.providers, transport) if providers is None else providers
    node = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
    begin_traces(settings, node)
    bus = KafkaBus(store, settings, node) if settings.scaled else LocalBus(store)
    async with store.read() as conn:
        places = await Places.load(conn)
    policies = await load_policies(store)
    try_folders(settings)
    planner = Planner(store, places, policies, by_channel(providers))
    wordbook = Wordbook(store, policies, settings.county, settings.words_dir)
    living = Living(store)
    worker = Worker(store, bus, settings, keys, providers, wordbook, living, node)
    desk = Desk(store, settings, places, policies, load_stations(settings.stations))
    hub = Hub(
        settings=settings,
        store=store,
        keys=keys,
        bus=bus,
        places=places,
        policies=policies,
        providers=providers,
        desk=desk,
        planner=planner,
        steering=Steering(store, planner),
        wordbook=wordbook,
        living=living,
        worker=worker,
        resolver=Resolver(store, planner, worker),
        receipts=Receipts(store, keys),
        acks=Acks(store),
        escalation=Escalation(store, planner),
        clock=Clock(store, planner),
        monitor=Monitor(store, places, providers),
        board=Board(store, settings.county.zone, wordbook.advice),
        outlet=Outlet(store, settings, make_signer(settings)),
        forecasts=Forecasts(store, places, policies, providers, wordbook),
        responder=make_responder(store, settings, places, policies, planner),
        poller=Poller(store, desk, node),
        transport=transport,
        works=not settings.scaled or settings.worker if works is None else works,
    )
    subscribe(hub)
    return hub


def warm_up(hub: Hub) -> None:
    """Do now what the first red warning would wait for: read the table of actions, compile and try every text; then freeze."""
    check_words(hub.wordbook.wording)
    freeze_heap()


def subscribe(hub: Hub) -> None:
    """Who hears of what, on the bus."""
    bus, store, keys = hub.bus, hub.store, hub.keys
    bus.subscribe("warning.released", hub.planner.plan)
    bus.subscribe("delivery.unknown", hub.resolver.resolve)
    bus.subscribe("warning.ended", Silencer(store, hub.worker, keys).silence)
    bus.subscribe("warning.planned", hub.responder.planned)
    bus.subscribe(CAME, Replies(store, keys, hub.acks).take)


async def check_key(store: Store, keys: KeyRing) -> None:
    """Refuse to run with another key than the addresses were sealed with."""
    async with store.write() as tx:
        await tx.conn.execute(
            text("INSERT INTO meta (key, value) VALUES ('key_check', :v) ON CONFLICT DO NOTHING"), {"v": keys.check}
        )
        if await tx.conn.scalar(text("SELECT value FROM meta WHERE key = 'key_check'")) != keys.check:
            raise ConfigError("secret_key: is not the key this database was made with; addresses would not open")


@contextlib.asynccontextmanager
async def run_hub(hub: Hub) -> AsyncIterator[Hub]:
    """The hub with its engine running."""
    engine = asyncio.create_task(hub.run(), name="engine")
    try:
        yield hub
    finally:
        await hub.worker.drain(DRAIN)
        engine.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await engine
        await hub.clock.give_back(hub.worker.node)
        for line in hub.worker.lines.values():
            await line.throttle.give_back()
        await hub.close()
