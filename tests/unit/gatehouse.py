"""The way in, whole: the HTTP application on a migrated SQLite database, with a county of five places and its own clock."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import shapely
from sqlalchemy import text

from warnhub.alert import Level
from warnhub.app import create_app
from warnhub.config import load_settings
from warnhub.console.pages import make_router
from warnhub.crypto import KeyRing, make_key
from warnhub.hub import Hub, make_hub
from warnhub.roles import Role
from warnhub.store.agencies import add_agency
from warnhub.store.areas import Place, save_places
from warnhub.store.engine import Store
from warnhub.store.migrate import upgrade_store
from warnhub.store.policies import add_policy
from warnhub.store.recipients import Entry, save_entries
from warnhub.store.users import add_user
from warnhub.store.warnings import find_warning, warning_alert

NOW = 1_781_252_400_000  # 12 June 2026, 16:20 in the county
COUNTY, TOWN, OTHER = "990123", "990123100", "990123101"
VILLAGE, GRID, GRID2, FAR, FAR_GRID = (
    "990123100200",
    "990123100200001",
    "990123100200002",
    "990123101200",
    "990123101200001",
)
WEATHER = "云岭县气象台"
PASSWORD = "river-is-coming-7"
POLICY = """
name: 试验
rules:
  - levels: [red, orange, yellow, blue]
    roles: [resident, village_head]
    channels: [sms]
    reason: 试验用的规则
"""


class Hand:
    """A clock that is set by hand, in milliseconds."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def pass_by(self, **given: float) -> None:
        """Let time go by: `minutes=…`."""
        self.now += int(timedelta(**given).total_seconds() * 1_000)

    @property
    def moment(self) -> datetime:
        """What it shows."""
        return datetime.fromtimestamp(self.now / 1_000, UTC)


@dataclass(slots=True)
class Gatehouse:
    """What a test works with. `keys`: agency → its key."""

    hub: Hub
    http: httpx.AsyncClient
    hand: Hand
    keys: dict[str, str]
    headers: dict[str, str] = field(default_factory=dict)

    async def post(self, body: bytes | str, agency: str = "weather", media: str = "", **headers: str) -> httpx.Response:
        """POST a body with an agency's key; the media type is told by its first character."""
        raw = body.encode() if isinstance(body, str) else body
        kind = media or ("application/xml" if raw.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") else "application/json")
        given = {"authorization": f"Bearer {self.keys[agency]}", "content-type": kind}
        return await self.http.post("/v1/alerts", content=raw, headers=given | headers)

    async def say(self, identifier: str, agency: str = "weather", **given: Any) -> dict[str, Any]:
        """POST an alert of our own form; what became of it."""
        answer = await self.post(self.alert(identifier, **given), agency)
        assert answer.status_code in {200, 201}, answer.text
        return dict(answer.json())

    def alert(self, identifier: str, **given: Any) -> str:
        """A red rainstorm over the first township, sent now, for six hours; `to`: identifiers it refers to."""
        now = self.hand.moment
        fields = {
            "identifier": identifier,
            "sender": WEATHER,
            "sent": now.isoformat(),
            "status": "actual",
            "kind": "alert",
            "references": [{"identifier": one} for one in given.pop("to", ())],
            "hazard": "11B03",
            "level": "red",
            "expires": (now + timedelta(hours=6)).isoformat(),
            "areas": [{"name": "云溪镇", "codes": [{"value": code} for code in given.pop("codes", (TOWN,))]}],
            "texts": [{"headline": f"{WEATHER}发布暴雨红色预警", "description": given.pop("words", "预计有大暴雨。")}],
        }
        return json.dumps(fields | given, ensure_ascii=False)

    async def rows(self, query: str, **bind: Any) -> list[Any]:
        """Rows of the ledger."""
        async with self.hub.store.read() as conn:
            return list((await conn.execute(text(query), bind)).all())

    async def states(self) -> dict[str, str]:
        """Alert identifier → the state of its warning."""
        rows = await self.rows("SELECT a.identifier, w.state FROM warning w JOIN alert a ON a.id = w.alert_id ORDER BY w.id")
        return {row.identifier: row.state for row in rows}

    async def released(self) -> int:
        """How many warnings were ever let out."""
        return int((await self.rows("SELECT count(*) FROM outbox WHERE topic = 'warning.released'"))[0][0])

    async def places(self, uid: str) -> set[str]:
        """The codes of the places a warning is for."""
        async with self.hub.store.read() as conn:
            warning = await find_warning(conn, uid)
            assert warning
            said = await warning_alert(conn, warning)
        codes = dict(zip(self.hub.places.ids, self.hub.places.codes, strict=True))
        return {codes[place] for place in self.hub.places.select(said.areas).home}

    async def told(self, uid: str) -> set[str]:
        """The roles of those a warning is planned for."""
        (row,) = await self.rows("SELECT id FROM warning WHERE uid = :u", u=uid)
        await self.hub.planner.plan(str(row.id), {})
        query = "SELECT DISTINCT r.role FROM target t JOIN recipient r ON r.id = t.recipient_id WHERE t.warning_id = :w"
        return {one.role for one in await self.rows(query, w=row.id)}


def list_places() -> list[Place]:
    """Two townships, each with a village, and grids a tenth of a degree wide."""
    grids = {GRID: 117.1, GRID2: 117.2, FAR_GRID: 117.5}
    names = {COUNTY: "云岭县", TOWN: "云溪镇", OTHER: "新桥乡", VILLAGE: "石坪村", FAR: "南山村"}
    shaped = [Place(code, code[-3:], shapely.to_wkb(shapely.box(west, 26.1, west + 0.1, 26.2))) for code, west in grids.items()]
    return [Place(code, name) for code, name in names.items()] + shaped


SECRET = make_key()
"""Of every house of this run, since what is kept in the database is sealed with it."""


def list_people(codes: dict[str, int]) -> list[Entry]:
    """A village head and a resident in each village."""
    rows = (("H1", Role.VILLAGE_HEAD, VILLAGE), ("R1", Role.RESIDENT, GRID), ("H9", Role.VILLAGE_HEAD, FAR))
    rows += (("R9", Role.RESIDENT, FAR_GRID),)
    return [
        Entry(ref, "person", role.value, ref, codes[code], addresses={"sms": f"+861450000000{at}"})
        for at, (ref, role, code) in enumerate(rows)
    ]


async def fill(path: Path) -> None:
    """A database with places, people, a policy and two who may enter the console."""
    store = Store(f"sqlite:///{path}", Hand())
    await upgrade_store(store)
    async with store.write() as tx:
        await save_places(tx, list_places())
        codes = {row.code: row.id for row in await tx.conn.execute(text("SELECT id, code FROM area"))}
        await save_entries(tx, KeyRing(SECRET), list_people(codes))
        await add_policy(tx, POLICY, "test", "")
        await add_user(tx, "test", name="zhang", password=PASSWORD, role="duty")
        await add_user(tx, "test", name="li", password=PASSWORD, role="viewer")
    await store.close()


@asynccontextmanager
async def open_house(path: Path, folder: Path, hand: Hand | None = None, **given: Any) -> AsyncIterator[Gatehouse]:
    """The application on a copy of `path`, without its engine; `weather` and `other` have the green channel from orange."""
    hand = hand or Hand()
    given_keys = given.pop("agencies", None)
    own = shutil.copy(path, folder / "warnhub.sqlite3") if not (folder / "warnhub.sqlite3").exists() else folder / path.name
    given.setdefault("providers", {"sms.twilio": {"account_sid": "AC1", "auth_token": "t", "sender": "+15550000000"}})
    settings = load_settings(secret_key=SECRET, database_url=f"sqlite:///{own}", **given)
    hub = await make_hub(settings, clock=hand)
    app = create_app(settings, hub=hub)
    app.state.hub = hub
    app.include_router(make_router(hub))
    keys = given_keys or {}
    async with hub.store.write() as tx:
        for id, level in (("weather", Level.ORANGE), ("other", Level.ORANGE), ("water", None)) if not keys else ():
            keys[id] = await add_agency(tx, "test", id=id, name=id, areas=[COUNTY], release=level, zone="Asia/Shanghai")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk.test") as http:
        yield Gatehouse(hub, http, hand, keys)
    await hub.close()
