"""What comes back: receipts and acknowledgements, through HTTP, each answered after its commit.

    python -m benchmarks receipts [--recipients N] [--store …] [--per-call 1]   receipts a second; any order, some twice
    python -m benchmarks acks     [--recipients N] [--store …] [--seconds 60]   N people open their page and answer in that time

The clients are a process of their own, for they cost as much as the desk. `receipts`: Alibaba Cloud's reports of a warning
that has gone out, `--per-call` in each POST (the provider gathers them), shuffled, one in ten sent twice. `acks`: each
gridworker GETs the page, waits three seconds and POSTs one choice from an address of their own, while the same warning goes out
to them one call a message; the value is the 99th percentile of the seconds a POST takes, and every answer is looked for in the
ledger.
"""

import asyncio
import random
import sys
import time
from collections.abc import Sequence
from typing import Any

import orjson
import uvloop
from pyreqwest.client import Client, ClientBuilder
from sqlalchemy import text

from benchmarks.fanout import run_desk, store_running
from benchmarks.report import parser, percentile, show, summed_up
from benchmarks.sink import sink_running
from benchmarks.stage import CARRIERS, POLICY, Desk, Stage
from warnhub.crypto import make_reference
from warnhub.logs import set_up

ASKING = POLICY.replace("resident", "gridworker").replace("    reason:", "    confirm: {within: 30m}\n    reason:")
PARALLEL = 64
AGENT = "Mozilla/5.0 (Linux; Android 13; V2203A) AppleWebKit/537.36 Mobile Safari/537.36"


async def ask(kind: str, plan: dict[str, Any]) -> dict[str, Any]:
    """Let a process of its own be the crowd; gives what it saw."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.feedback", kind, stdin=pipe, stdout=pipe)
    said, _ = await child.communicate(orjson.dumps(plan))
    result: dict[str, Any] = orjson.loads(said)
    return result


async def deliveries(desk: Desk) -> list[tuple[int, int, str]]:
    """(wave, recipient, telephone) of everything that went out."""
    async with desk.hub.store.read() as conn:
        rows = await conn.execute(
            text("SELECT d.wave_id, d.recipient_id, a.value FROM delivery d JOIN address a ON a.id = d.address_id")
        )
        return [(row[0], row[1], desk.hub.keys.unseal(bytes(row[2]))) for row in rows]


def make_posts(found: Sequence[tuple[int, int, str]], per_call: int) -> list[str]:
    """Alibaba Cloud's reports, shuffled, one in ten twice."""
    reports = [
        {
            "phone_number": phone.removeprefix("+86"),
            "send_time": "2026-06-12 16:22:00",
            "report_time": "2026-06-12 16:22:05",
            "success": True,
            "err_code": "DELIVERED",
            "err_msg": "ok",
            "sms_size": "1",
            "biz_id": "900619746936498440^0",
            "out_id": make_reference(wave, person),
        }
        for wave, person, phone in found
    ]
    chance = random.Random(1)
    reports += chance.sample(reports, len(reports) // 10)
    chance.shuffle(reports)
    return [orjson.dumps(reports[n : n + per_call]).decode() for n in range(0, len(reports), per_call)]


async def receipts(desk: Desk, per_call: int) -> tuple[float, int]:
    """Receipts a second, and how many were delivered in the end."""
    await run_desk(desk)
    found = await deliveries(desk)
    url = f"{desk.base}/hooks/sms/aliyun?key={'r' * 16}"
    said = await ask("receipts", {"url": url, "posts": make_posts(found, per_call)})
    async with desk.hub.store.read() as conn:
        done = await conn.scalar(text("SELECT count(*) FROM delivery WHERE state = 60"))
    assert done == len(found), f"{done} of {len(found)} receipts were joined"
    assert said["refused"] == 0, said
    return len(found) * 1.1 / said["seconds"], len(found)


async def acks(desk: Desk, seconds: float) -> dict[str, Any]:
    """What the crowd saw, checked against the ledger."""
    going = asyncio.create_task(run_desk(desk))
    found: list[tuple[int, int, str]] = []
    while len(found) < desk.people * 0.9:
        await asyncio.sleep(0.5)
        found = await deliveries(desk)
    links = [f"{desk.base}/a/{desk.hub.keys.link_token(wave, person)}" for wave, person, _ in found]
    said = await ask("acks", {"links": links, "seconds": seconds})
    async with desk.hub.store.read() as conn:
        known = await conn.scalar(text("SELECT count(DISTINCT recipient_id) FROM ack WHERE human"))
    assert known == said["answered"], f"{said['answered']} were thanked, {known} are in the ledger"
    going.cancel()
    return said | {"people": len(links)}


async def crowd_receipts(plan: dict[str, Any]) -> dict[str, Any]:
    """Post them all, `PARALLEL` at once."""
    client, left = ClientBuilder().no_proxy().build(), iter(plan["posts"])
    refused = 0

    async def post() -> None:
        nonlocal refused
        for body in left:
            answer = await client.post(plan["url"]).header("content-type", "application/json").body_text(body).build().send()
            refused += answer.status != 200

    start = time.perf_counter()
    await asyncio.gather(*(post() for _ in range(PARALLEL)))
    return {"seconds": time.perf_counter() - start, "refused": refused}


async def crowd_acks(plan: dict[str, Any]) -> dict[str, Any]:
    """Each person opens the page at a time of their own, reads, and answers."""
    client = ClientBuilder().no_proxy().build()
    links, seconds = plan["links"], plan["seconds"]
    took: list[float] = []
    opened: list[float] = []

    async def person(number: int, link: str) -> None:
        await asyncio.sleep(seconds * number / len(links))
        origin = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        start = time.perf_counter()
        page = await (await client.get(link).headers({"x-forwarded-for": origin, "user-agent": AGENT}).build().send()).text()
        opened.append(time.perf_counter() - start)
        nonce = page.partition('name="nonce" value="')[2].partition('"')[0]
        await asyncio.sleep(3)
        answered.append(await answer(client, link, origin, nonce, took))

    answered: list[bool] = []
    crowd = await asyncio.gather(*(person(number, link) for number, link in enumerate(links)), return_exceptions=True)
    shares = {"p99": percentile(took, 0.99), "p50": percentile(took, 0.5), "open": percentile(opened, 0.99)}
    return {"answered": sum(answered), "failed": sum(one is not None for one in crowd)} | shares


async def answer(client: Client, link: str, origin: str, nonce: str, took: list[float]) -> bool:
    """One POST; whether it was thanked for."""
    start = time.perf_counter()
    head = {"x-forwarded-for": origin, "content-type": "application/x-www-form-urlencoded", "user-agent": AGENT}
    request = client.post(link).headers(head)
    said = await request.body_text(f"nonce={nonce}&choice=received").build().send()
    took.append(time.perf_counter() - start)
    return said.status == 200


async def measure(name: str, recipients: int, store: str, runs: int, **asked: Any) -> dict[str, Any]:
    """The figures."""
    carrier = CARRIERS["bulk" if name == "receipts" else "single"]
    values: list[float] = []
    more: dict[str, Any] = {}
    with store_running(store) as server, sink_running(carrier.status, carrier.answer) as sink:
        stage = Stage(recipients, server) if name == "receipts" else Stage(recipients, server, ASKING, role="gridworker")
        for _ in range(runs):
            async with stage.desk(carrier, sink, trusted_proxies=["127.0.0.1"]) as desk:
                if name == "receipts":
                    rate, count = await receipts(desk, asked["per_call"])
                    values.append(rate)
                    more = {"per_call": asked["per_call"], "receipts": count}
                else:
                    said = await acks(desk, asked["seconds"])
                    values.append(said.pop("p99"))
                    more = said | {"seconds": asked["seconds"]}
    unit, reach = ("receipts/s", 5_000) if name == "receipts" else ("s", 0.2)
    return summed_up(name, unit, values, [], reach=reach, recipients=recipients, store=store, **more)


def main(name: str, argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print."""
    asked = parser(name, __doc__, recipients=20_000 if name == "receipts" else 50_000)
    asked.add_argument("--per-call", type=int, default=1)
    asked.add_argument("--seconds", type=float, default=60.0)
    given = asked.parse_args(argv)
    set_up("error")
    more = {"per_call": given.per_call, "seconds": given.seconds}
    return show(uvloop.run(measure(name, given.recipients, given.store, given.runs, **more)), given.json)


if __name__ == "__main__":
    crowd = {"receipts": crowd_receipts, "acks": crowd_acks}[sys.argv[1]]
    sys.stdout.buffer.write(orjson.dumps(uvloop.run(crowd(orjson.loads(sys.stdin.buffer.read())))))
