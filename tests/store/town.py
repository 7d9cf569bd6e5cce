"""A county of seventeen people, small enough to count by hand, with the desk and the planner that work on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import shapely
from sqlalchemy import text

from warnhub.alert import Alert, Area, Code, Gate, Kind, Level, Original, Status, Text, Verdict
from warnhub.channels import Provider, by_channel
from warnhub.config import load_settings
from warnhub.crypto import KeyRing, make_key
from warnhub.desk import Desk, Received
from warnhub.monitor.auditor import check_batches, check_ledger
from warnhub.plan.audience import Places
from warnhub.plan.loading import read_policy
from warnhub.plan.planner import Planner
from warnhub.plan.policy import Policy
from warnhub.port import ChannelSettings
from warnhub.roles import Role
from warnhub.store.agencies import Agency, add_agency, ensure_county, read_agency
from warnhub.store.areas import Place, save_places
from warnhub.store.engine import Store
from warnhub.store.policies import add_policy
from warnhub.store.recipients import Entry, save_entries
from warnhub.store.warnings import Warning, find_warning
from warnhub.testing import Outbox

NOW = 1_781_252_400_000  # 12 June 2026, 16:20 in the county
MINUTE = 60_000
COUNTY, TOWN, OTHER = "990123", "990123100", "990123101"
VILLAGE, GRID, GRID2 = "990123100200", "990123100200001", "990123100200002"
FAR, FAR_GRID = "990123101200", "990123101200001"

POLICY = """
name: 试验
rules:
  - levels: [red, orange]
    roles: [county_duty, township_duty, village_head, gridworker]
    channels: [sms, wechat]
    repeat: {every: 2m, times: 3}
    confirm: {within: 3m, then: [next_channel, deputy, superior]}
    reason: 试验用的规则
  - levels: [red, orange]
    roles: resident
    channels: [sms, wechat, push]
    mode: first
    repeat: {every: 5m, times: 2}
    reason: 试验用的规则
  - levels: [red, orange]
    roles: speaker
    channels: loudspeaker
    repeat: {every: 10m, times: 2}
    reason: 试验用的规则
  - levels: [yellow, blue]
    roles: resident
    channels: [push, wechat]
    mode: all
    quiet: {from: "16:00", to: "17:00"}
    reason: 试验用的规则
"""


class Hand:
    """A clock that is set by hand, in milliseconds."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def pass_by(self, milliseconds: int) -> None:
        """Let time go by."""
        self.now += milliseconds


def person(ref: str, role: Role, code: str, codes: dict[str, int], **given: Any) -> Entry:
    """A recipient; what is not said is an address by channel."""
    said = {key: given.pop(key) for key in ("deputy", "superior", "opt_out", "language") if key in given}
    kind = "device" if role is Role.SPEAKER else "person"
    return Entry(ref, kind, role.value, ref, codes[code], addresses=given, **said)


def list_people(codes: dict[str, int]) -> list[Entry]:
    """Everybody. R4 has no address, R5 wants no messages, R6's number is a foreign one."""
    resident = Role.RESIDENT
    rows: Sequence[tuple[str, Role, str, dict[str, Any]]] = (
        ("D1", Role.COUNTY_DUTY, COUNTY, {"sms": "+8614500000001"}),
        ("T1", Role.TOWNSHIP_DUTY, TOWN, {"sms": "+8614500000002", "wechat": "oT1", "superior": "D1"}),
        ("H1", Role.VILLAGE_HEAD, VILLAGE, {"sms": "+8614500000003", "deputy": "H2", "superior": "T1"}),
        ("H2", Role.VILLAGE_HEAD, VILLAGE, {"sms": "+8614500000004"}),
        ("G1", Role.GRIDWORKER, GRID, {"sms": "+8614500000005", "push": "jpush:g1", "deputy": "G2", "superior": "H1"}),
        ("G2", Role.GRIDWORKER, GRID2, {"sms": "+8614500000006", "wechat": "oG2", "superior": "H1"}),
        ("S1", Role.SPEAKER, VILLAGE, {"loudspeaker": "990123100200/s1"}),
        ("R1", resident, GRID, {"sms": "+8614500000011"}),
        ("R2", resident, GRID, {"wechat": "oR2"}),
        ("R3", resident, GRID, {"push": "fcm:r3"}),
        ("R4", resident, GRID2, {}),
        ("R5", resident, GRID2, {"sms": "+8614500000015", "opt_out": True}),
        ("R6", resident, GRID2, {"sms": "+447700900006", "wechat": "oR6", "language": "en"}),
        ("R7", resident, VILLAGE, {"sms": "+8614500000017", "push": "jpush:r7"}),
        ("R8", resident, TOWN, {"sms": "+8614500000018"}),
        ("H9", Role.VILLAGE_HEAD, FAR, {"sms": "+8614500000009"}),
        ("R9", resident, FAR_GRID, {"sms": "+8614500000019"}),
    )
    return [person(ref, role, code, codes, **given) for ref, role, code, given in rows]


def list_places() -> list[Place]:
    """A county of two townships, each with a village; grids a tenth of a degree wide, side by side."""
    grids = {GRID: 117.1, GRID2: 117.2, FAR_GRID: 117.5}
    names = {COUNTY: "云岭县", TOWN: "云溪镇", OTHER: "新桥乡", VILLAGE: "石坪村", FAR: "南山村"}
    shaped = [Place(code, code[-3:], shapely.to_wkb(shapely.box(west, 26.1, west + 0.1, 26.2))) for code, west in grids.items()]
    return [Place(code, name) for code, name in names.items()] + shaped


def make_providers(rate: float = 4) -> dict[str, Provider]:
    """Two for SMS and two for push, by the kind of address; batches of two people."""
    routes = {
        "sms.aliyun": ("cn",),
        "sms.twilio": (),
        "wechat.template": (),
        "push.jpush": ("jpush",),
        "push.fcm": ("fcm",),
        "loudspeaker.mqtt": (),
    }
    return {
        name: Provider(
            name,
            name.partition(".")[0],
            Outbox(),
            ChannelSettings(rate=rate, routes=kinds, weight=2.0 if name == "sms.aliyun" else 1.0),
        )
        for name, kinds in routes.items()
    }


@dataclass(slots=True)
class County:
    """The whole of it. `people` is ref → id; `codes` is area code → id."""

    store: Store
    hand: Hand
    keys: KeyRing
    codes: dict[str, int]
    people: dict[str, int]
    refs: dict[int, str]
    policies: dict[int, Policy]
    providers: dict[str, Provider]
    desk: Desk
    planner: Planner
    weather: Agency

    async def rows(self, statement: str, **bind: Any) -> list[Any]:
        """What a question finds."""
        async with self.store.read() as conn:
            return list((await conn.execute(text(statement), bind)).all())

    async def run(self, statement: str, **bind: Any) -> None:
        """Change something behind everybody's back."""
        async with self.store.write() as tx:
            await tx.conn.execute(text(statement), bind)

    async def warning(self, uid: str | None) -> Warning:
        """A warning as it stands."""
        async with self.store.read() as conn:
            found = await find_warning(conn, uid or "")
        assert found
        return found

    async def receive(self, alert: Alert, agency: Agency | None = None, key: str | None = None) -> Received:
        """An agency says it; the weather station unless told."""
        verdict = Verdict(gate=Gate.ACCEPT, alert=alert)
        return await self.desk.receive(agency or self.weather, verdict, b"{}", "application/json", key)

    async def warn(self, **given: Any) -> Warning:
        """A warning that has left, by itself or by two officers' yes."""
        received = await self.receive(make_alert(self.hand, **given))
        found = await self.warning(received.warning)
        for officer in ("user:a", "user:b"):
            if found.state == "pending":
                found = await self.desk.release(found.uid, officer)
        return found

    async def plan(self, warning: Warning) -> Warning:
        """Plan it whole."""
        await self.planner.plan(str(warning.id), {})
        return await self.warning(warning.uid)

    async def told(self, warning: Warning, round_: int | None = None) -> set[tuple[str, str]]:
        """(ref, provider) of every delivery there is, of all rounds or of one."""
        rows = await self.rows(
            "SELECT d.recipient_id, b.provider, b.round FROM batch b JOIN delivery d ON d.batch_id = b.id "
            "WHERE b.warning_id = :w",
            w=warning.id,
        )
        return {(self.refs[row[0]], row[1]) for row in rows if round_ in {None, row[2]}}

    async def targets(self, warning: Warning) -> dict[str, int]:
        """Ref → the person's state."""
        rows = await self.rows("SELECT recipient_id, state FROM target WHERE warning_id = :w", w=warning.id)
        return {self.refs[row[0]]: row[1] for row in rows}

    async def tasks(self, warning: Warning) -> dict[str, tuple[str, int]]:
        """Ref → (state, rung) of who must confirm."""
        rows = await self.rows("SELECT recipient_id, state, rung FROM task WHERE warning_id = :w", w=warning.id)
        return {self.refs[row[0]]: (row[1], row[2]) for row in rows}

    async def sound(self, warning: Warning) -> None:
        """Every count is what the rows are."""
        async with self.store.read() as conn:
            assert await check_ledger(conn, warning.id) == []
            assert await check_batches(conn, warning.id) == []


def make_alert(hand: Hand, identifier: str = "rain-1", **given: Any) -> Alert:
    """A red rainstorm over the first township, sent now, for six hours."""
    now = datetime.fromtimestamp(hand.now / 1000, UTC)
    codes = given.pop("codes", [TOWN])
    values = {
        "identifier": identifier,
        "sender": "云岭县气象台",
        "sent": now,
        "status": Status.ACTUAL,
        "kind": Kind.ALERT,
        "hazard": "11B03",
        "level": Level.RED,
        "effective": now,
        "expires": now + timedelta(hours=6),
        "areas": [Area(name="云溪镇", codes=[Code(value=code) for code in codes])],
        # Its own words: the same again within six hours would be a re-issue, told to nobody.
        "texts": [Text(headline="云岭县气象台发布暴雨红色预警", description=f"第 {identifier} 次险情")],
        "original": Original(form="native"),
    }
    return Alert.model_validate(values | given)


async def build_county(store: Store, hand: Hand, keys: KeyRing) -> County:
    """Write it all down."""
    async with store.write() as tx:
        await save_places(tx, list_places())
        codes = {row.code: row.id for row in await tx.conn.execute(text("SELECT id, code FROM area"))}
        await save_entries(tx, keys, list_people(codes))
        people = {row.ref: row.id for row in await tx.conn.execute(text("SELECT id, ref FROM recipient"))}
        await ensure_county(tx, "云岭县应急管理局")
        await add_agency(tx, "test", id="weather", name="云岭县气象台", areas=[COUNTY], release=Level.ORANGE)
        version = await add_policy(tx, POLICY, "test", "")
    async with store.read() as conn:
        places, weather = await Places.load(conn), await read_agency(conn, "weather")
    assert weather
    policies, providers = {version: read_policy(POLICY)}, make_providers()
    settings = load_settings(secret_key=make_key())
    return County(
        store,
        hand,
        keys,
        codes,
        people,
        {number: ref for ref, number in people.items()},
        policies,
        providers,
        Desk(store, settings, places, policies),
        Planner(store, places, policies, by_channel(providers)),
        weather,
    )
