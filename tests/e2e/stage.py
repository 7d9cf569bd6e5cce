"""A county with four warnings in it: one in full course, one that waits for an officer, one long over, and a drill."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy import text

from warnhub.alert import Alert, Area, Code, Gate, Kind, Level, Original, Problem, Status, Text, Verdict
from warnhub.channels import Provider, by_channel
from warnhub.config import Settings, load_settings
from warnhub.crypto import KeyRing, make_key
from warnhub.desk import Desk, Received
from warnhub.dispatch.wordbook import Wordbook
from warnhub.feedback.acks import Ack, Acks, Evidence
from warnhub.feedback.steering import Steering
from warnhub.monitor.board import Board
from warnhub.monitor.watch import Monitor
from warnhub.plan.audience import Places
from warnhub.plan.planner import Planner
from warnhub.plan.policy import Policy
from warnhub.port import ChannelSettings
from warnhub.response.build import make_responder
from warnhub.response.responder import Responder
from warnhub.simulate.carriers import Server
from warnhub.simulate.county import load_county
from warnhub.store.agencies import Agency, add_agency, ensure_county, read_agency
from warnhub.store.audits import add_event
from warnhub.store.engine import Store
from warnhub.store.ledger import Move, advance
from warnhub.store.migrate import upgrade_store
from warnhub.store.policies import load_policies
from warnhub.store.states import Rank
from warnhub.store.users import add_user
from warnhub.store.warnings import end_warning, find_warning
from warnhub.testing import Outbox

KEY = make_key()
PASSWORD = "yunling-2026-river"
NOW = 1_781_252_400_000  # 12 June 2026, 16:20 in the county
TOWNS = "990123"
OFFICERS = {"qian": "viewer", "wang": "duty", "zhao": "duty", "li": "approver", "boss": "admin"}
OFFICERS |= {"rain": "agency", "town": "township"}
SCOPES = {"rain": "weather", "town": "990123001"}
RATES = {"sms.aliyun": 20.0, "sms.twilio": 5.0, "wechat.template": 50.0, "push.jpush": 100.0, "loudspeaker.mqtt": 20.0}
PRICES = {"sms.aliyun": Decimal("0.045"), "wechat.template": Decimal(0), "push.jpush": Decimal(0)}


class Hand:
    """A clock that is set by hand: milliseconds for the store, seconds for a page."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def seconds(self) -> float:
        """The same in seconds."""
        return self.now / 1000


@dataclass(slots=True)
class Hub:
    """What pages need of the running system, without the engine."""

    settings: Settings
    store: Store
    keys: KeyRing
    places: Places
    policies: dict[int, Policy]
    providers: dict[str, Provider]
    desk: Desk
    planner: Planner
    steering: Steering
    wordbook: Wordbook
    acks: Acks
    monitor: Monitor
    board: Board
    responder: Responder
    hand: Hand
    notices: list[str] = field(default_factory=list)

    async def close(self) -> None:
        """Give back the database."""
        await self.store.close()


def make_providers() -> dict[str, Provider]:
    """Providers that keep what they are given."""
    made = {}
    for name, rate in RATES.items():
        routes = {"sms.aliyun": ("cn",), "sms.twilio": ("intl",)}.get(name, ())
        price = PRICES.get(name)
        made[name] = Provider(name, name.partition(".")[0], Outbox(), ChannelSettings(rate=rate, routes=routes, price=price))
    return made


async def open_hub(path: Path, hand: Hand, **given: Any) -> Hub:
    """The parts over a database that is there."""
    settings = load_settings(database_url=f"sqlite:///{path}", secret_key=KEY, **given)
    store, keys = Store(settings.database_url, hand), KeyRing(KEY)
    async with store.read() as conn:
        places = await Places.load(conn)
    policies, providers = await load_policies(store), make_providers()
    wordbook = Wordbook(store, policies, settings.county)
    planner = Planner(store, places, policies, by_channel(providers))
    return Hub(
        settings=settings,
        store=store,
        keys=keys,
        places=places,
        policies=policies,
        providers=providers,
        desk=Desk(store, settings, places, policies),
        planner=planner,
        steering=Steering(store, planner),
        wordbook=wordbook,
        acks=Acks(store),
        monitor=Monitor(store, places),
        board=Board(store, settings.county.zone, wordbook.advice),
        responder=make_responder(store, settings, places, policies, planner),
        hand=hand,
    )


def make_alert(hand: Hand, identifier: str, hazard: str, level: Level, sender: str, headline: str, **given: Any) -> Alert:
    """An alert sent now that ends in six hours."""
    now = datetime.fromtimestamp(hand.now / 1000, UTC)
    said = {key: given.pop(key) for key in ("description", "instruction") if key in given}
    values = {
        "identifier": identifier,
        "sender": sender,
        "sent": now,
        "status": Status.ACTUAL,
        "kind": Kind.ALERT,
        "hazard": hazard,
        "level": level,
        "effective": now,
        "expires": now + timedelta(hours=6),
        "areas": [Area(name="云岭县全境", codes=[Code(value=TOWNS)])],
        "texts": [Text(headline=headline, sender_name=sender, **said)],
        "original": Original(form="native"),
    }
    return Alert.model_validate(values | given)


async def agency(hub: Hub, id: str) -> Agency:
    """An agency of the county."""
    async with hub.store.read() as conn:
        found = await read_agency(conn, id)
    assert found
    return found


async def receive(hub: Hub, id: str, alert: Alert, *problems: Problem) -> Received:
    """The agency says it."""
    gate = Gate.HOLD if problems else Gate.ACCEPT
    verdict = Verdict(gate=gate, problems=list(problems), alert=alert)
    return await hub.desk.receive(await agency(hub, id), verdict, b"{}", "application/json")


async def number_of(hub: Hub, uid: str | None) -> int:
    """A warning's number."""
    async with hub.store.read() as conn:
        found = await find_warning(conn, uid or "")
    assert found
    return found.id


async def find_person(hub: Hub, uid: str) -> str:
    """The number of somebody who has not confirmed this warning."""
    async with hub.store.read() as conn:
        found = await conn.scalar(
            text(
                "SELECT k.recipient_id FROM task k JOIN warning w ON w.id = k.warning_id "
                "WHERE w.uid = :u AND k.state <> 'done' ORDER BY k.id LIMIT 1"
            ),
            {"u": uid},
        )
    return str(found)


async def build_county(path: Path, residents: int = 3_000) -> dict[str, str]:
    """Write the county to `path`; gives the warnings' ids by what they are."""
    hand = Hand(NOW - 40 * 60_000)
    store = Store(f"sqlite:///{path}", hand)
    await upgrade_store(store)
    await load_county(store, KeyRing(KEY), residents)
    async with store.write() as tx:
        given: dict[str, Any] = {"areas": [TOWNS]}
        await ensure_county(tx, "云岭县应急管理局")
        await add_agency(tx, "test", id="weather", name="云岭县气象台", release=Level.ORANGE, **given)
        await add_agency(tx, "test", id="water", name="云岭县水利局", release=Level.ORANGE, **given)
        await add_agency(tx, "test", id="land", name="云岭县自然资源局", **given)
        for name, role in OFFICERS.items():
            await add_user(tx, "test", name=name, password=PASSWORD, role=role, scope=SCOPES.get(name))
    await store.close()
    hub = await open_hub(path, hand)
    made = {
        "over": await tell_blue(hub),
        "living": await tell_red(hub),
        "drill": await tell_drill(hub),
        "pending": await tell_orange(hub),
        "held": await tell_held(hub),
    }
    await open_incident(hub)
    await hub.close()
    return made


async def tell_blue(hub: Hub) -> str:
    """A gale that is over."""
    alert = make_alert(hub.hand, "wind-1", "11B06", Level.BLUE, "云岭县气象台", "云岭县气象台发布大风蓝色预警[IV级/一般]")
    uid = (await receive(hub, "weather", alert)).warning
    assert uid
    await hub.desk.release(uid, "user:wang")
    number = await number_of(hub, uid)
    await hub.planner.plan(str(number), {})
    await play(hub, number, 1.0, 0.97, seed=3)
    await confirm(hub, number, 0.96, seed=5, calls=False)
    async with hub.store.write() as tx:
        warning = await find_warning(tx.conn, uid)
        assert warning
        await end_warning(tx, warning, "expired", "policy")
    return uid


async def tell_red(hub: Hub) -> str:
    """A rainstorm, four minutes into its course: most are told, many have confirmed, some need help."""
    hub.hand.now = NOW - 4 * 60_000
    alert = make_alert(
        hub.hand,
        "rain-1",
        "11B03",
        Level.RED,
        "云岭县气象台",
        "云岭县气象台发布暴雨红色预警[I级/特别严重]",
        description="过去3小时，城关街道、古镇镇、新桥乡降雨量已达100毫米以上，预计降雨仍将持续，山洪、滑坡、泥石流风险很高。",
        instruction="立即转移危险地带群众；停止集会、停课、停业；注意防范山洪、滑坡、泥石流。",
    )
    uid = (await receive(hub, "weather", alert)).warning
    assert uid
    number = await number_of(hub, uid)
    await hub.planner.plan(str(number), {})
    await play(hub, number, 0.93, 0.96, seed=7)
    await confirm(hub, number, 0.71, seed=11)
    hub.hand.now = NOW
    return uid


async def tell_drill(hub: Hub) -> str:
    """A flood drill with a list of forty."""
    async with hub.store.write() as tx:
        await tx.conn.execute(
            text("INSERT INTO drill (id, name, created_at, created_by) VALUES ('flood-26', '汛期演练', :now, 'test')"),
            {"now": tx.now},
        )
        await tx.conn.execute(
            text(
                "INSERT INTO participant (drill_id, recipient_id) SELECT 'flood-26', id FROM recipient "
                "WHERE role IN ('gridworker', 'village_head') ORDER BY id LIMIT 40"
            )
        )
    alert = make_alert(
        hub.hand, "drill-1", "11A01", Level.YELLOW, "云岭县水利局", "云岭县水利局发布洪水黄色预警", status=Status.EXERCISE
    )
    uid = (await receive(hub, "water", alert)).warning
    assert uid
    return uid


async def tell_orange(hub: Hub) -> str:
    """A landslide that takes one officer."""
    hub.hand.now = NOW - 95_000
    alert = make_alert(
        hub.hand,
        "slide-1",
        "11D01",
        Level.RED,
        "云岭县自然资源局",
        "云岭县自然资源局发布地质灾害气象风险红色预警",
        description="受持续强降雨影响，未来6小时发生滑坡、泥石流的风险很高。",
        instruction="立即撤离危险区。",
    )
    uid = (await receive(hub, "land", alert)).warning
    hub.hand.now = NOW
    assert uid
    return uid


async def tell_held(hub: Hub) -> str:
    """A fog whose place is not in the table."""
    hub.hand.now = NOW - 11 * 60_000
    alert = make_alert(hub.hand, "fog-1", "11B17", Level.YELLOW, "云岭县气象台", "云岭县气象台发布大雾黄色预警[III级/较重]")
    strange = Problem(
        path="areas[0].codes[3]",
        rule="UNKNOWN_AREA",
        message="本县没有此区划代码 / no such place",
        value="990123999",
        gate=Gate.HOLD,
    )
    uid = (await receive(hub, "weather", alert, strange)).warning
    hub.hand.now = NOW
    assert uid
    return uid


async def open_incident(hub: Hub) -> None:
    """A provider that cannot carry on."""
    async with hub.store.write() as tx:
        await tx.conn.execute(
            text(
                "INSERT INTO incident (kind, provider, code, detail, opened_at) VALUES "
                "('config', 'wechat.template', '40037', '模板编号无效 / invalid template id', :now)"
            ),
            {"now": NOW - 180_000},
        )


async def play(hub: Hub, number: int, told: float, arrive: float, seed: int) -> None:
    """Let the carriers do their work: `told` of all are handed over, `arrive` of those delivered; times are drawn."""
    rng, start = random.Random(seed), hub.hand.now
    async with hub.store.read() as conn:
        rows = (
            await conn.execute(
                text(
                    "SELECT d.batch_id, d.recipient_id, b.channel, b.role FROM batch b JOIN delivery d ON d.batch_id = b.id "
                    "WHERE b.warning_id = :w ORDER BY b.rank, d.batch_id, d.recipient_id"
                ),
                {"w": number},
            )
        ).all()
    steps: dict[int, list[Move]] = defaultdict(list)
    for row in rows[: int(len(rows) * told)]:
        key = (row.batch_id, row.recipient_id)
        at = int(rng.gammavariate(2, 9))
        fate = rng.random()
        if fate > 0.995:
            steps[at].append(Move(*key, Rank.UNKNOWN))
            continue
        if fate > arrive:
            steps[at].append(Move(*key, Rank.FAILED, "recipient", "MOBILE_NOT_ON_SERVICE"))
            continue
        steps[at].append(Move(*key, Rank.ACCEPTED))
        if rng.random() < 0.06:
            continue
        steps[at + 1 + int(rng.expovariate(1 / 6))].append(Move(*key, Rank.DELIVERED))
        if row.channel in {"wechat", "push", "loudspeaker"} and rng.random() < 0.55:
            steps[at + 20 + int(rng.expovariate(1 / 30))].append(Move(*key, Rank.READ))
    for at in sorted(steps):
        hub.hand.now = start + at * 1000
        async with hub.store.write() as tx:
            await advance(tx, steps[at])
    hub.hand.now = max(hub.hand.now, start + 240_000)


async def confirm(hub: Hub, number: int, share: float, seed: int, calls: bool = True) -> None:
    """So many of those who must confirm do; a village stays silent; three call for help."""
    rng, end = random.Random(seed), hub.hand.now
    async with hub.store.read() as conn:
        rows = (
            await conn.execute(
                text(
                    "SELECT k.recipient_id, a.village_id, a.level, min(d.wave_id) AS wave FROM task k "
                    "JOIN area a ON a.id = k.area_id JOIN wave v ON v.warning_id = k.warning_id "
                    "JOIN delivery d ON d.wave_id = v.id AND d.recipient_id = k.recipient_id "
                    "WHERE k.warning_id = :w GROUP BY 1, 2, 3 ORDER BY 1"
                ),
                {"w": number},
            )
        ).all()
    silent = sorted({row.village_id for row in rows if row.level >= 12})[1:3] if calls else []
    chosen = [row for row in rows if row.village_id not in silent and rng.random() < share]
    released = end - 240_000
    for place, row in enumerate(sorted(chosen, key=lambda row: rng.random())):
        hub.hand.now = released + 25_000 + int(210_000 * place / len(chosen))
        choice, said = "moved" if rng.random() < 0.4 else "received", ""
        if calls and place in {5, 9}:
            choice, said = "help", ("河堤漫水，需要两条冲锋舟", "三户老人不肯走，请派人")[place == 9]
        elif calls and place == 14:
            choice, said = "cannot", "道路中断，进不去"
        await hub.acks.take(Ack(row.wave, row.recipient_id, Evidence.HUMAN, choice=choice, text=said))
    hub.hand.now = end
    async with hub.store.write() as tx:
        late = [row.recipient_id for row in rows if row.village_id in silent][:6]
        await tx.conn.execute(
            text("UPDATE task SET state = 'late' WHERE warning_id = :w AND state = 'open' AND due_at <= :now"),
            {"w": number, "now": tx.now},
        )
        for person in late:
            data = {"step": "next_channel", "round": 2, "to": "wechat"}
            await add_event(tx, number, "escalated", "policy", data, person)
            await add_event(tx, number, "unanswered", "policy", {"role": "village_head"}, person)


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """A server on a free port of this machine."""
    server = Server(
        uvicorn.Config(app, "127.0.0.1", 0, log_config=None, lifespan="off", access_log=False, timeout_graceful_shutdown=1)
    )
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has no event to wait for
        await asyncio.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    yield f"http://{host}:{port}"
    server.should_exit = True
    await task
