"""A town to play stories in: the whole application on a real socket, its carriers on theirs, a small county in SQLite.

Scaled out, the county is in PostgreSQL, and a server and a worker share nothing but it and a Kafka broker.

Everything runs in real time; what a story waits for it asks for until a deadline, and every town is audited before it closes.
"""

import asyncio
import contextlib
import json
import re
import shutil
import socket
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from broker import Broker
from postgres import Server as Postgres
from sqlalchemy import text

from warnhub.alert import Level
from warnhub.app import create_app
from warnhub.bus.kafka import KafkaBus
from warnhub.config import Settings, load_settings
from warnhub.crypto import KeyRing, make_key
from warnhub.hub import Hub, make_hub, run_hub
from warnhub.monitor.auditor import check_batches, check_ledger
from warnhub.monitor.summary import Summary
from warnhub.response.plans import add_plans
from warnhub.simulate.aliyun import AliyunCarrier
from warnhub.simulate.carrier import Carrier, Faults
from warnhub.simulate.carriers import Server, make_carrier, served
from warnhub.simulate.county import load_county
from warnhub.simulate.jpush import JpushCarrier
from warnhub.simulate.ports import HOST
from warnhub.simulate.scene import Scene, carriers_plan, make_scene, provider_settings
from warnhub.simulate.townsfolk import LINK, hidden_fields
from warnhub.store.agencies import add_agency
from warnhub.store.audits import verify_audit
from warnhub.store.engine import Store
from warnhub.store.migrate import upgrade_store
from warnhub.store.policies import add_policy, load_policies
from warnhub.store.users import add_user, make_token

WEATHER = "云岭县气象台"
COUNTY = "990123000000"
TOWNS = ("990123001000", "990123100000", "990123200000")
PHONE = {"user-agent": "Mozilla/5.0 (Linux; Android 12; V2166A) AppleWebKit/537.36 Chrome/116.0 Mobile Safari/537.36"}
HAZARDS = {"11B03": "暴雨", "11B09": "高温", "11D01": "滑坡"}
COLOURS = {"red": "红色", "orange": "橙色", "yellow": "黄色", "blue": "蓝色"}
OVER = "解除|All clear|lifted"
"""How a message says that a warning is over."""

READING = 2.05
"""Seconds for which a page must have been looked at."""

POLICY = """
name: 故事里的县
rules:
  - levels: [red, orange]
    roles: [county_duty, township_duty, village_head, gridworker, leader]
    channels: [sms, wechat, push]
    confirm: {within: 1h}
    reason: 故事用:责任人各渠道都告知,一小时内叫应
  - levels: [red, orange]
    roles: resident
    channels: [sms, wechat, push]
    reason: 故事用:居民各渠道都告知
  - levels: [yellow, blue]
    roles: [county_duty, township_duty, village_head, gridworker, leader]
    channels: [sms, wechat]
    confirm: {within: 1h}
    reason: 故事用:没有安静时段,几时跑测试都一样
  - levels: [yellow, blue]
    roles: resident
    channels: [wechat]
    reason: 故事用:低级别只用免费渠道
  - levels: "*"
    roles: [speaker, display]
    channels: loudspeaker
    reason: 故事用:大喇叭各级别都播
"""


@dataclass(frozen=True, slots=True)
class Base:
    """A county in a file, made once and copied for each story, with the keys to it; scaled out, in a database of `server`."""

    path: Path
    key: str = field(repr=False)
    server: Postgres | None = None
    broker: Broker | None = None
    agencies: dict[str, str] = field(repr=False, default_factory=dict)
    tokens: dict[str, str] = field(repr=False, default_factory=dict)

    @contextlib.asynccontextmanager
    async def copy(self, folder: Path) -> AsyncIterator[dict[str, Any]]:
        """A copy for one story, as the settings that lead to it."""
        if self.server is None or self.broker is None:
            yield {"database_url": f"sqlite:///{shutil.copy(self.path, folder / 'warnhub.sqlite3')}"}
            return
        name = await self.server.make(self.path.name)
        prefix = self.broker.unique("story")
        yield {
            "database_url": self.server.url(name),
            "kafka": self.broker.address,
            "kafka_prefix": prefix,
            "kafka_partitions": 2,
        }
        await self.server.drop(name)


async def build_base(path: Path, server: Postgres | None = None, broker: Broker | None = None) -> Base:
    """1,200 residents and 86 who answer for them, four agencies, two officers, the stories' policy as version 2. The plans
    are for a hazard that no story has, so that people hear of a warning alone: `open_town(plans=…)` puts others in force."""
    if server is not None:
        path = Path(await server.make())
    base = Base(path, make_key(), server, broker)
    store = Store(server.url(path.name) if server else f"sqlite:///{path}")
    await upgrade_store(store)
    await load_county(store, KeyRing(base.key), 1_200)
    await load_policies(store)
    async with store.write() as tx:
        await add_policy(tx, POLICY, "story", "fewer rules")
        await add_plans(tx, PLANS, "story", "none that begins")
        for id, given in AGENCIES.items():
            base.agencies[id] = await add_agency(tx, "story", id=id, **given)
        for name, role in (("zhang", "duty"), ("li", "approver"), ("looker", "viewer")):
            await add_user(tx, "story", name=name, password="a long enough one", role=role)
            base.tokens[name] = str(await make_token(tx, "story", name))
    await store.close()
    return base


PLANS = """
name: 故事用
plans:
  - key: none
    name: 故事里没有的灾害
    hazards: [11Z99]
    levels: {red: I}
    steps:
      - {key: look, level: I, title: 查看, owner: county_duty, at: +0h, within: 1h}
"""

AGENCIES: dict[str, dict[str, Any]] = {
    "weather": {
        "name": WEATHER,
        "classes": ["meteorological"],
        "areas": ["990123"],
        "release": Level.BLUE,
        "senders": [WEATHER, "云岭县气象局"],
    },
    "land": {
        "name": "云岭县自然资源局",
        "classes": ["geological"],
        "areas": ["990123001"],
        "highest": Level.ORANGE,
        "release": Level.ORANGE,
        "senders": ["云岭县自然资源局"],
    },
    "other": {"name": "邻县气象台", "release": Level.BLUE},
    "water": {"name": "云岭县水利局"},
}


def make_alert(identifier: str, **given: Any) -> bytes:
    """An alert of the county's weather office in our own form: red rainstorm over the whole county for two hours.

    `given`: level, hazard, status, kind, sender, areas (codes), life (timedelta), references (identifiers), more (fields).
    """
    level, hazard, sender = given.get("level", "red"), given.get("hazard", "11B03"), given.get("sender", WEATHER)
    kind, sent = given.get("kind", "alert"), given.get("sent") or datetime.now(UTC)
    verb = {"cancel": "解除", "update": "更新"}.get(kind, "发布")
    words = f"{sender}{verb}{HAZARDS[hazard]}{COLOURS[level]}预警"
    fields = {
        "identifier": identifier,
        "sender": sender,
        "sent": sent.isoformat(),
        "status": given.get("status", "actual"),
        "kind": kind,
        "references": [{"identifier": one} for one in given.get("references", ())],
        "hazard": hazard,
        "level": level,
        "expires": (sent + given.get("life", timedelta(hours=2))).isoformat(),
        "areas": [{"name": "云岭县", "codes": [{"value": code} for code in given.get("areas", (COUNTY,))]}],
        "texts": [{"headline": words, "description": f"{words}。", "instruction": "请立即转移。"}],
    }
    return json.dumps(fields | given.get("more", {}), ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Heard:
    """What one telephone, follower or device was sent. `at`, monotonic seconds, is when its carrier was called."""

    at: float
    carrier: str
    address: str
    text: str

    @property
    def channel(self) -> str:
        """The channel of its carrier."""
        return {"twilio": "sms", "aliyun": "sms", "voice": "sms", "wechat": "wechat"}.get(self.carrier, "push")


class Watchman:
    """Follows what carriers take, in their order and with its time."""

    def __init__(self, carriers: Mapping[str, Carrier]) -> None:
        self.carriers = carriers
        self.taken: dict[str, list[tuple[float, dict[str, Any]]]] = {name: [] for name in carriers}
        for name, carrier in carriers.items():
            carrier.keep = 100_000
            carrier.hear = partial(self.hear, name)

    def hear(self, name: str, what: dict[str, Any]) -> None:
        """A carrier took something; it was called its latency ago."""
        self.taken[name].append((time.monotonic() - self.carriers[name].faults.latency, what))

    def messages(self) -> list[Heard]:
        """One for each address, in the order of time."""
        found: list[Heard] = []
        for name, taken in self.taken.items():
            for place, (at, what) in enumerate(taken):
                said = json.dumps(what, ensure_ascii=False)
                found += [Heard(at, name, address, said) for address in self.addresses(name, place, what)]
        return sorted(found, key=lambda heard: heard.at)

    def addresses(self, name: str, place: int, what: Mapping[str, Any]) -> Iterable[str]:
        """Whom one call was for, as the ledger writes an address."""
        carrier = self.carriers[name]
        if isinstance(carrier, AliyunCarrier):
            return [f"+86{phone}" for phone in carrier.sent[place].phones()]
        if isinstance(carrier, JpushCarrier):
            return carrier.pushed[what["msg_id"]].devices
        return [str(what[{"twilio": "to", "voice": "to", "wechat": "openid", "fcm": "token"}[name]])]

    def links(self) -> list[str]:
        """Every recipient's own link that a carrier was given, in the order of time."""
        found = [(at, link) for taken in self.taken.values() for at, what in taken for link in LINK.findall(str(what))]
        return list(dict.fromkeys(link for _, link in sorted(found)))


@dataclass(slots=True)
class Town:
    """What a story works with. `hub` is the running system, replaced by `restart`; `hands` is where its work is done: itself,
    or, scaled out, another that is as a process of its own."""

    base: Base
    settings: Settings
    scene: Scene
    carriers: dict[str, Carrier]
    watchman: Watchman
    http: httpx.AsyncClient
    owners: dict[tuple[str, str], set[int]] = field(default_factory=lambda: defaultdict(set), repr=False)
    hub: Hub = field(init=False)
    hands: Hub = field(init=False)
    stage: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def start(self) -> None:
        """Run the application, as `warnhub serve` does, and scaled out a worker, as `warnhub worker` does."""
        place = socket.create_server((HOST, self.settings.port))
        self.hub = self.hands = await make_hub(self.settings)
        if self.settings.scaled:
            self.hands = await make_hub(self.settings, works=True)
            await self.stage.enter_async_context(run_hub(self.hands))
            await joined(self.hands)
        await self.stage.enter_async_context(serving(self.settings, self.hub, place))
        if not self.owners:
            async with self.hub.store.read() as conn:
                for owner, channel, value in await conn.execute(text("SELECT recipient_id, channel, value FROM address")):
                    self.owners[channel, self.hub.keys.unseal(value)].add(owner)

    async def stop(self) -> None:
        """End the application in good order."""
        await self.stage.aclose()

    async def restart(self) -> None:
        """End it and run it again on the same database."""
        await self.stop()
        await self.start()

    def fault(self, carrier: str, **faults: float) -> None:
        """Let a carrier go wrong from now on; what is not named goes right."""
        self.carriers[carrier].faults = Faults(**faults)  # type: ignore[arg-type]  # pydantic checks them

    async def post(
        self, body: bytes, agency: str = "weather", media: str = "application/json", **headers: str
    ) -> httpx.Response:
        """POST an alert with an agency's key; `idempotency_key=…` and the like become headers."""
        given = {"authorization": f"Bearer {self.base.agencies[agency]}", "content-type": media}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post("/v1/alerts", content=body, headers=given)

    async def release(self, body: bytes, agency: str = "weather", media: str = "application/json") -> str:
        """POST an alert that leaves at once; gives its warning."""
        answer = await self.post(body, agency, media)
        assert (answer.status_code, answer.json()["state"]) == (201, "released"), answer.text
        return str(answer.json()["warning"])

    async def get(self, path: str, agency: str = "weather") -> Any:
        """A document for machines."""
        answer = await self.http.get(path, headers={"authorization": f"Bearer {self.base.agencies[agency]}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def act(self, uid: str, verb: str, officer: str = "zhang", **body: Any) -> httpx.Response:
        """An officer's decision about a warning."""
        headers = {"authorization": f"Bearer {self.base.tokens[officer]}"}
        return await self.http.post(f"/v1/warnings/{uid}/{verb}", headers=headers, json=body or None)

    async def pages(self, path: str, key: str) -> list[dict[str, Any]]:
        """Every line of a list that comes in pages."""
        found: list[dict[str, Any]] = []
        after: object = None
        while True:
            page = await self.get(f"{path}?most=500" + (f"&after={after}" if after is not None else ""))
            found += page[key]
            after = page["next"]
            if after is None:
                return found

    async def confirm(self, link: str, choice: str = "received") -> httpx.Response:
        """Open a page, read it, choose, press the button."""
        page = await self.http.get(link, headers=PHONE)
        assert page.status_code == 200, page.text
        await asyncio.sleep(READING)
        return await self.http.post(link, data=hidden_fields(page.text) | {"choice": choice}, headers=PHONE)

    async def ask(self, query: str, **bind: Any) -> list[Any]:
        """Rows of the ledger."""
        async with self.hub.store.read() as conn:
            return list((await conn.execute(text(query), bind)).all())

    async def number(self, query: str, **bind: Any) -> int:
        """One number of the ledger."""
        return int((await self.ask(query, **bind))[0][0] or 0)

    async def until(self, reached: Callable[[], Awaitable[bool]], what: str, seconds: float = 40.0) -> None:
        """Wait until something is so; twice as long where several processes' work is on one machine."""
        seconds *= 1 + self.settings.scaled
        end = time.monotonic() + seconds
        while not await reached():
            if time.monotonic() > end:
                raise AssertionError(f"{what}: not within {seconds:g} s\n{await self.standing()}")
            await asyncio.sleep(0.05)

    async def wanted(self) -> set[tuple[str, str]]:
        """Every (channel, address) that a warning for everybody is for: not those of residents who said no."""
        silent = {row[0] for row in await self.ask("SELECT id FROM recipient WHERE opt_out AND role = 'resident'")}
        return {place for place, people in self.owners.items() if place[0] in {"sms", "wechat", "push"} and people - silent}

    async def standing(self) -> str:
        """Where everything stands, for a story that did not go on."""
        counts = "warning_id, provider, state, attempt, note, count(*), sum(open), min(due_at)"
        query = f"SELECT {counts} FROM batch GROUP BY 1, 2, 3, 4, 5"
        lines = [str(tuple(row)) for row in await self.ask(query)]
        lines += [str(tuple(row)) for row in await self.ask("SELECT topic, key, data FROM outbox")]
        return "\n".join([*lines, *(f"{name}: {dict(one.counts)} {one.faults}" for name, one in self.carriers.items())])

    async def settle(self, uid: str, seconds: float = 40.0, receipts: bool = True) -> Summary:
        """Wait until a warning is planned (or over), nothing of it waits or is in hand, and, with `receipts`, whatever was
        handed to a carrier that reports is delivered or failed; gives its figures."""
        silent = "" if receipts else "AND 1 = 0"

        async def settled() -> bool:
            (row,) = await self.ask(
                "SELECT w.id, w.planned_at IS NOT NULL OR w.state <> 'released' AS planned, "
                "(SELECT count(*) FROM batch b WHERE b.warning_id = w.id AND b.state IN (0, 1)) AS busy, "
                "(SELECT count(*) FROM batch b JOIN delivery d ON d.batch_id = b.id WHERE b.warning_id = w.id "
                f"AND d.state = 40 AND b.provider <> 'push.fcm' {silent}) AS waiting, "
                "(SELECT count(*) FROM outbox) AS entries FROM warning w WHERE w.uid = :u",
                u=uid,
            )
            return bool(row.planned and not row.busy and not row.waiting and not row.entries)

        await self.until(settled, f"{uid} has settled", seconds)
        return await self.summary(uid)

    async def summary(self, uid: str) -> Summary:
        """The figures of a warning, as the API gives them, not from its cache."""
        found = await self.hub.monitor.summary(uid, fresh=0)
        assert found is not None
        return found

    async def warning(self, uid: str) -> Any:
        """The row of a warning."""
        (row,) = await self.ask("SELECT * FROM warning WHERE uid = :u", u=uid)
        return row

    def people(self, messages: Iterable[Heard]) -> set[int]:
        """Whose telephones and devices these are; an address of two people is both."""
        return set().union(*(self.owners[heard.channel, heard.address] for heard in messages))

    def heard(self, person: int) -> list[Heard]:
        """What was sent to one person, in the order of time."""
        return [heard for heard in self.watchman.messages() if person in self.owners[heard.channel, heard.address]]

    async def audit(self) -> None:
        """Planned = sum of states, everywhere; every chain whole; nothing buried; the engine still runs."""
        assert self.hub.running, "the engine broke"
        assert self.hands.running, "the worker broke"
        async with self.hub.store.read() as conn:
            warnings = (await conn.execute(text("SELECT id, uid FROM warning"))).all()
            for number, uid in warnings:
                assert await check_ledger(conn, number) == [], uid
                assert await check_batches(conn, number) == [], uid
            assert (await verify_audit(conn))[1] is None
        assert await self.ask("SELECT topic, key, reason FROM dead") == []
        for number, uid in warnings:
            check_sums(
                await self.summary(uid),
                await self.number(
                    "SELECT count(*) FROM delivery d JOIN batch b ON b.id = d.batch_id WHERE warning_id = :w", w=number
                ),
                await self.number("SELECT count(*) FROM target WHERE warning_id = :w", w=number),
            )


def check_sums(found: Summary, deliveries: int, people: int) -> None:
    """Nobody is lost and nobody counted twice, in any of the ways a warning is counted."""
    assert found.planned == sum(found.states.values()) == deliveries
    assert found.people.total == people
    for parts, whole in (
        (found.channels, deliveries),
        (found.providers, deliveries),
        (found.roles, people),
        (found.towns, people),
    ):
        assert sum(part.funnel.total for part in parts) == whole
    for funnel in [found.people, *(part.funnel for part in [*found.channels, *found.providers, *found.roles, *found.towns])]:
        beside = funnel.remaining + funnel.failed + funnel.unknown + funnel.suppressed + funnel.stopped
        assert funnel.total == beside + funnel.accepted
        assert funnel.accepted >= funnel.delivered >= funnel.read >= funnel.confirmed >= 0


async def joined(hub: Hub, seconds: float = 40.0) -> None:
    """Wait until a worker reads its part of the topics, so that a story's way is over them."""
    assert isinstance(hub.bus, KafkaBus)
    async with asyncio.timeout(seconds):
        while not hub.bus.joined:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def serving(settings: Settings, hub: Hub, place: socket.socket) -> AsyncIterator[None]:
    """The application on a socket of its own."""
    app = create_app(settings, hub=hub)
    server = Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[place]))
    while not server.started:
        if task.done():
            raise AssertionError("the server did not start")
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


@contextlib.asynccontextmanager
async def playing(carriers: Mapping[str, Carrier]) -> AsyncIterator[dict[str, int]]:
    """Carriers that listen, each on a port of its own; they begin and end together."""
    ended = asyncio.Event()
    ports: dict[str, asyncio.Future[int]] = {name: asyncio.get_running_loop().create_future() for name in carriers}

    async def play(name: str, carrier: Carrier) -> None:
        async with served(carrier, HOST, 0) as url:
            ports[name].set_result(int(url.rpartition(":")[2]))
            await ended.wait()

    async with asyncio.TaskGroup() as group:
        for name, carrier in carriers.items():
            group.create_task(play(name, carrier))
        try:
            yield {name: await port for name, port in ports.items()}
        finally:
            ended.set()


@contextlib.asynccontextmanager
async def open_town(
    base: Base,
    folder: Path,
    *,
    policy: str = "",
    plans: str = "",
    providers: Mapping[str, Mapping[str, Any]] | None = None,
    mqtt: int = 0,
    started: bool = True,
    **given: Any,
) -> AsyncIterator[Town]:
    """A town with a copy of the county. `policy` and `plans` are put in force; `providers` changes single settings of some;
    the loudspeakers are there if a broker listens at port `mqtt`. `started` False: the story runs the application itself."""
    with socket.create_server((HOST, 0)) as place:
        port = place.getsockname()[1]
    scene = make_scene(f"http://{HOST}:{port}")
    async with contextlib.AsyncExitStack() as stack:
        place_of = await stack.enter_async_context(base.copy(folder))
        if policy or plans:
            store = Store(place_of["database_url"])
            async with store.write() as tx:
                if policy:
                    await add_policy(tx, policy, "story", "of this story")
                if plans:
                    await add_plans(tx, plans, "story", "of this story")
            await store.close()
        carriers = {name: make_carrier(name, plan) for name, plan in carriers_plan(scene).carriers.items()}
        scene.ports.update(await stack.enter_async_context(playing(carriers)), mqtt=mqtt)
        known = provider_settings(scene)
        if not mqtt:
            del known["loudspeaker.mqtt"]
        chosen = {name: section | dict((providers or {}).get(name, {})) for name, section in known.items()}
        settings = load_settings(
            **place_of,
            secret_key=base.key,
            public_url=scene.base,
            port=port,
            providers=chosen,
            **given,
        )
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=scene.base, timeout=20))
        town = Town(base, settings, scene, carriers, Watchman(carriers), http)
        if started:
            await town.start()
        try:
            yield town
            if started:
                await town.audit()
        finally:
            await town.stop()


Opener = Callable[..., contextlib.AbstractAsyncContextManager[Town]]
"""Opens a town of a story's own making."""


def texts_of(messages: Iterable[Heard], word: str) -> list[Heard]:
    """The messages that say `word`."""
    return [heard for heard in messages if re.search(word, heard.text)]
