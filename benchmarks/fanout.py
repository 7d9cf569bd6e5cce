"""How fast a warning goes out: recipients a second from the POST to the last recorded hand-off.

    python -m benchmarks bulk   [--recipients N] [--repeat R] [--json]     one call for a thousand (Alibaba Cloud's form)
    python -m benchmarks single [--recipients N] [--repeat R] [--json]     one call for each (Twilio's form)

The carrier is a sink that answers at once with fixed bytes, in a process of its own. Everything of WarnHub's is real: HTTP
ingest, assessment, planning, batches, adapter, signatures, the ledger in SQLite, durable (synchronous=FULL). The ceiling is the
same client in this process posting bodies made beforehand to the same sink, as many at once, without a store.
`ratio` is value / ceiling, both in recipients a second, measured one after the other in the same run; the middle of R runs.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import uvicorn
import uvloop
from sqlalchemy import text

from warnhub.alert import Level
from warnhub.app import create_app
from warnhub.client import make_client, make_transport
from warnhub.config import load_settings
from warnhub.crypto import KeyRing, make_key
from warnhub.hub import Hub, make_hub
from warnhub.logs import set_up
from warnhub.monitor.auditor import check_ledger
from warnhub.simulate.county import load_county
from warnhub.simulate.scene import free_ports
from warnhub.store.agencies import add_agency
from warnhub.store.engine import Store
from warnhub.store.migrate import upgrade_store
from warnhub.store.policies import add_policy

POLICY = """
name: benchmark
release: {green: blue, two: never}
rules:
  - levels: "*"
    roles: resident
    channels: sms
    reason: a benchmark speaks to residents by one channel
"""
ALIYUN = orjson.dumps({"Code": "OK", "Message": "OK", "RequestId": "R", "BizId": "900619746936498440^0"})
TWILIO = orjson.dumps({"sid": "SM" + "0" * 32, "status": "queued", "num_segments": "1", "error_code": None})
PROVIDERS: dict[str, tuple[str, int, bytes, dict[str, Any]]] = {
    "bulk": (
        "sms.aliyun",
        200,
        ALIYUN,
        {
            "access_key_id": "k",
            "access_key_secret": "s" * 16,
            "sign_name": "云岭应急",
            "template_public": "SMS_1",
            "params": {"level": "level", "hazard": "hazard", "action": "action"},
            "report_key": "r" * 16,
            "rate": 5_000,
        },
    ),
    "single": (
        "sms.twilio",
        201,
        TWILIO,
        {"account_sid": "AC" + "0" * 32, "auth_token": "t" * 16, "sender": "+15005550006", "rate": 100_000, "parallel": 100},
    ),
}
GROUP = {"bulk": 1_000, "single": 1}


@contextlib.asynccontextmanager
async def sink_running(port: int, status: int, body: bytes) -> AsyncIterator[None]:
    """The carrier."""
    head = f"HTTP/1.1 {status} OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.sink", str(port), stdin=pipe, stdout=pipe)
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(head + body)
    child.stdin.close()
    await child.stdout.readline()
    try:
        yield
    finally:
        child.terminate()
        await child.wait()


@contextlib.asynccontextmanager
async def desk_running(folder: Path, kind: str, recipients: int, sink: int) -> AsyncIterator[tuple[Hub, str, str]]:
    """WarnHub on a port, with a county of `recipients` residents; gives (hub, base URL, agency key)."""
    name, _, _, section = PROVIDERS[kind]
    url = f"sqlite:///{folder}/bench.sqlite3"
    store = Store(url)
    await upgrade_store(store)
    secret = make_key()
    await load_county(store, KeyRing(secret), recipients)
    async with store.write() as tx:
        await add_policy(tx, POLICY, "benchmark", "")
        key = await add_agency(tx, "benchmark", id="weather", name="气象台", release=Level.BLUE)
    await store.close()
    port = free_ports(["desk"])["desk"]
    base = f"http://127.0.0.1:{port}"
    settings = load_settings(
        database_url=url,
        secret_key=secret,
        public_url=base,
        port=port,
        audio_dir=folder,
        providers={name: section | {"base_url": f"http://127.0.0.1:{sink}"}},
    )
    hub = await make_hub(settings)
    config = uvicorn.Config(create_app(settings, hub=hub), host="127.0.0.1", port=port, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.02)
    try:
        yield hub, base, key
    finally:
        server.should_exit = True
        await task


def make_alert() -> dict[str, Any]:
    """A red rainstorm for the whole county, in the native form."""
    now = datetime.now(UTC)
    return {
        "identifier": f"bench-{now.timestamp()}",
        "sender": "气象台",
        "sent": now.isoformat(),
        "status": "actual",
        "kind": "alert",
        "hazard": "11B03",
        "level": "red",
        "expires": (now + timedelta(hours=3)).isoformat(),
        "areas": [{"name": "全县", "codes": [{"value": "990123"}]}],
        "texts": [
            {"headline": "暴雨红色预警", "description": f"编号{now:%H%M%S%f}:预计三小时内有大暴雨。"}
        ],  # each its own warning
    }


async def run_desk(hub: Hub, base: str, key: str) -> tuple[int, float]:
    """POST once; (messages, seconds from the POST to the last recorded hand-off)."""
    query = text(
        "SELECT (SELECT planned_at FROM warning ORDER BY id DESC LIMIT 1) AS planned, "
        "(SELECT count(*) FROM batch WHERE state IN (0, 1)) AS busy"
    )
    async with httpx.AsyncClient(base_url=base, timeout=60) as http:
        start = time.perf_counter()
        answer = await http.post("/v1/alerts", json=make_alert(), headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 201, answer.text
        while True:
            async with hub.store.read() as conn:
                row = (await conn.execute(query)).one()
            if row.planned and not row.busy:
                break
            await asyncio.sleep(0.01)
        seconds = time.perf_counter() - start
    async with hub.store.read() as conn:
        number = await conn.scalar(text("SELECT max(id) FROM warning"))
        rows = await conn.execute(
            text("SELECT state, sum(n) FROM tally WHERE warning_id = :w AND channel <> '' GROUP BY state"), {"w": number}
        )
        states = {int(state): int(n) for state, n in rows if n}
        assert set(states) == {40}, f"not every message was accepted: {states}"
        assert not await check_ledger(conn, number), "the counts differ from the rows"
    return states[40], seconds


async def run_ceiling(kind: str, messages: int, sink: int) -> float:
    """Seconds for the same client to post ready-made bodies for as many recipients."""
    parallel = PROVIDERS[kind][3].get("parallel", 20)
    url = f"http://127.0.0.1:{sink}/"
    body = b"x" * 430 if kind == "single" else b""
    query = "" if kind == "single" else "?PhoneNumbers=" + "%2C".join(["14500000000"] * 1_000)
    left = iter(range(-(-messages // GROUP[kind])))
    transport = make_transport()

    async def post(http: httpx.AsyncClient) -> None:
        for _ in left:
            answer = await http.post(url + query, content=body)
            answer.json()

    async with make_client(transport, 30) as http:
        start = time.perf_counter()
        await asyncio.gather(*(post(http) for _ in range(parallel)))
        seconds = time.perf_counter() - start
    return seconds


async def measure(kind: str, recipients: int, repeat: int) -> dict[str, Any]:
    """The figures of one kind."""
    _, status, body, _ = PROVIDERS[kind]
    sink = free_ports(["sink"])["sink"]
    values, ceilings, count = [], [], 0
    async with sink_running(sink, status, body):
        for _ in range(repeat):
            with tempfile.TemporaryDirectory() as folder:
                async with desk_running(Path(folder), kind, recipients, sink) as (hub, base, key):
                    count, seconds = await run_desk(hub, base, key)
            values.append(count / seconds)
            ceilings.append(count / await run_ceiling(kind, count, sink))
    value, ceiling = statistics.median(values), statistics.median(ceilings)
    return {
        "name": kind,
        "value": round(value),
        "unit": "recipients/s",
        "ceiling": round(ceiling),
        "ratio": round(value / ceiling, 3),
        "runs": [round(one) for one in values],
        "messages": count,
        "recipients": recipients,
        "store": "sqlite",
        "provider": PROVIDERS[kind][0],
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }


def main(kind: str, argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog=f"benchmarks {kind}", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    default = 100_000 if kind == "bulk" else 20_000
    parser.add_argument("--recipients", type=int, default=default)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    asked = parser.parse_args(argv)
    set_up("error")
    result = uvloop.run(measure(kind, asked.recipients, asked.repeat))
    if asked.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"{key:12}{value}")
    return result
