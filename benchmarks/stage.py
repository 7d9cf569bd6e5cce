"""WarnHub as the benchmarks run it: a store with a county, a desk on a port, workers beside it, a carrier's form.

A county is made once for each size and store and copied for each run; both lie under `build/bench` or in the benchmark's own
PostgreSQL. Everything is durable: SQLite with synchronous=FULL, PostgreSQL with fsync and synchronous_commit.
"""

import asyncio
import contextlib
import gc
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import uvicorn
from sqlalchemy import text

from benchmarks.sink import Sink
from warnhub.alert import Level
from warnhub.app import create_app
from warnhub.config import Settings, load_settings
from warnhub.crypto import KeyRing, make_key
from warnhub.hub import Hub, make_hub, warm_up
from warnhub.simulate.county import load_county
from warnhub.simulate.ports import free_port
from warnhub.store.agencies import add_agency
from warnhub.store.engine import Store
from warnhub.store.migrate import head_revision, upgrade_store
from warnhub.store.policies import add_policy

FOLDER = Path(__file__).parents[1] / "build" / "bench"
POLICY = """
name: benchmark
release: {green: blue, two: never}
rules:
  - levels: "*"
    roles: resident
    channels: sms
    reason: a benchmark speaks to residents by one channel
"""
ALIYUN = '{"Code":"OK","Message":"OK","RequestId":"R","BizId":"900619746936498440^0"}'
TWILIO = orjson.dumps(
    {
        **{"account_sid": "AC" + "0" * 32, "api_version": "2010-04-01", "body": "Sent", "direction": "outbound-api"},
        **{"date_created": "Fri, 12 Jun 2026 08:00:00 +0000", "date_sent": None, "error_code": None, "num_segments": "1"},
        **{
            "sid": "SM" + "0" * 32,
            "status": "queued",
            "to": "+8614500000000",
            "uri": "/2010-04-01/Accounts/AC/Messages/SM.json",
        },
    }
).decode()


@dataclass(frozen=True, slots=True)
class Carrier:
    """A provider as it is configured, and what its sink answers. `group` is how many a call takes."""

    name: str
    status: int
    answer: str
    section: dict[str, Any] = field(hash=False)
    group: int = 1


CARRIERS = {
    "bulk": Carrier(
        "sms.aliyun",
        200,
        ALIYUN,
        {
            **{"access_key_id": "k", "access_key_secret": "s" * 16, "sign_name": "云岭应急", "template_public": "SMS_1"},
            **{"params": {"level": "level", "hazard": "hazard", "action": "action"}, "report_key": "r" * 16, "rate": 5_000},
        },
        1_000,
    ),
    "single": Carrier(
        "sms.twilio",
        201,
        TWILIO,
        {
            **{"account_sid": "AC" + "0" * 32, "auth_token": "t" * 16, "sender": "+15005550006"},
            **{"rate": 100_000, "parallel": 100},
        },
    ),
}


@dataclass(slots=True)
class Desk:
    """A running desk."""

    hub: Hub
    base: str
    key: str
    settings: Settings
    people: int
    http: httpx.AsyncClient
    values: dict[str, Any] = field(default_factory=dict)

    async def post(self, **given: Any) -> str:
        """POST an alert; gives the warning's id."""
        answer = await self.http.post("/v1/alerts", json=make_alert(**given), headers={"authorization": f"Bearer {self.key}"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["warning"])


def make_alert(level: str = "red", hazard: str = "11B03", code: str = "990123") -> dict[str, Any]:
    """A rainstorm, or what is asked, for the whole county, in the native form."""
    now = datetime.now(UTC)
    return {
        "identifier": f"bench-{now.timestamp()}",
        "sender": "气象台",
        "sent": now.isoformat(),
        "status": "actual",
        "kind": "alert",
        "hazard": hazard,
        "level": level,
        "expires": (now + timedelta(hours=3)).isoformat(),
        "areas": [{"name": "全县", "codes": [{"value": code}]}],
        "texts": [{"headline": "预警信号", "description": "预计三小时内有灾害。", "instruction": "请立即转移。"}],
    }


class Stage:
    """Where a benchmark's runs take place. `server` is a PostgreSQL's URL, "" for SQLite; `role` is what its people are."""

    def __init__(self, recipients: int, server: str = "", policy: str = POLICY, role: str = "resident") -> None:
        self.recipients = recipients
        self.server = server
        self.policy = policy
        self.role = role
        self.count = 0

    async def prepare(self) -> tuple[str, str]:
        """A fresh copy of the county; gives (database URL, secret key)."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        secrets = FOLDER / "key"
        if not secrets.exists():
            secrets.write_text(make_key())
        secret = secrets.read_text()
        self.count += 1
        url = await (self.copy_server(secret) if self.server else self.copy_file(secret))
        store = Store(url)
        async with store.write() as tx:
            await add_policy(tx, self.policy, "benchmark", "")
            if self.role != "resident":
                await tx.conn.execute(text("UPDATE recipient SET role = :r WHERE role = 'resident'"), {"r": self.role})
        await store.close()
        return url, secret

    async def copy_file(self, secret: str) -> str:
        """On SQLite."""
        known = FOLDER / f"county-{self.recipients}-{head_revision()}.sqlite3"
        if not known.exists():
            made = FOLDER / f"making-{self.recipients}.sqlite3"
            made.unlink(missing_ok=True)
            await fill(f"sqlite:///{made}", secret, self.recipients)
            made.rename(known)
        copy = FOLDER / "run.sqlite3"
        for old in FOLDER.glob("run.sqlite3*"):
            old.unlink()
        shutil.copy(known, copy)
        return f"sqlite:///{copy}"

    async def copy_server(self, secret: str) -> str:
        """On PostgreSQL."""
        conn = await asyncpg.connect(f"{self.server}/postgres")
        name = f"county_{self.recipients}"
        if not await conn.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await conn.execute(f"CREATE DATABASE {name}")
            await fill(f"{self.server}/{name}", secret, self.recipients)
            vacuum = await asyncpg.connect(f"{self.server}/{name}")
            await vacuum.execute("VACUUM ANALYZE")
            await vacuum.close()
        await conn.execute("DROP DATABASE IF EXISTS run WITH (FORCE)")
        await conn.execute(f"CREATE DATABASE run TEMPLATE {name}")
        await conn.close()
        return f"{self.server}/run"

    @contextlib.asynccontextmanager
    async def desk(
        self, carrier: Carrier, sink: Sink, workers: int = 1, *, base_url: bool = True, **given: Any
    ) -> AsyncIterator[Desk]:
        """WarnHub on a port, with `workers` in all: the desk's own and processes beside it. Without `base_url` the carrier is
        told no URL."""
        url, secret = await self.prepare()
        port = free_port()
        values: dict[str, Any] = {
            "database_url": url,
            "secret_key": secret,
            "public_url": f"http://127.0.0.1:{port}",
            "port": port,
            "audio_dir": str(FOLDER),
            "providers": {carrier.name: carrier.section | ({"base_url": sink.url} if base_url else {})},
        } | given
        settings = load_settings(**values)
        key = await register(url)
        # Without certificates: to read the machine's takes 0.4 s of this process, which would be the desk's delay.
        http = httpx.AsyncClient(base_url=settings.public_url, timeout=60, transport=httpx.AsyncHTTPTransport(verify=False))
        async with helpers(values, workers - 1), serving(settings) as hub, http:
            await http.get("/healthz")  # the client loads what it needs with its first call
            yield Desk(hub, settings.public_url, key, settings, self.recipients, http, values)


async def register(url: str) -> str:
    """An agency with the green channel; gives its key."""
    store = Store(url)
    async with store.write() as tx:
        key = await add_agency(tx, "benchmark", id="bench", name="气象台", release=Level.BLUE)
    await store.close()
    return key


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Hub]:
    """The desk, in this process."""
    hub = await make_hub(settings)
    app = create_app(settings, hub=hub)
    asked: dict[str, Any] = {"log_config": None, "access_log": False, "server_header": False, "proxy_headers": False}
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=settings.port, **asked))  # as `warnhub serve` does
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.02)
    warm_up(hub)
    try:
        yield hub
    finally:
        gc.unfreeze()
        server.should_exit = True
        await task


@contextlib.asynccontextmanager
async def helpers(values: dict[str, Any], count: int) -> AsyncIterator[None]:
    """`count` processes that do nothing but hand over."""
    pipe = asyncio.subprocess.PIPE
    children = [
        await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.helper", stdin=pipe, stdout=pipe)
        for _ in range(count)
    ]
    for child in children:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(orjson.dumps(values) + b"\n")
        await child.stdin.drain()
        await child.stdout.readline()
    try:
        yield
    finally:
        for child in children:
            child.terminate()
            await child.wait()


async def fill(url: str, secret: str, recipients: int) -> None:
    """A county of so many residents."""
    store = Store(url)
    await upgrade_store(store)
    await load_county(store, KeyRing(secret), recipients)
    await store.close()
