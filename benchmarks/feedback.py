"""What comes back: receipts and acknowledgements, through HTTP, each answered after its commit.

    python -m benchmarks receipts [--recipients N] [--store …] [--per-call 1]   receipts a second; any order, some twice
    python -m benchmarks receipts --via kafka [--workers W] …                   the same call-backs from a topic, on PostgreSQL
    python -m benchmarks acks     [--recipients N] [--store …] [--seconds 60]   N people open their page and answer in that time

The clients are a process of their own, for they cost as much as the desk. `receipts`: Alibaba Cloud's reports of a warning
that has gone out, `--per-call` in each POST (the provider gathers them), shuffled, one in ten sent twice. Via Kafka the records
are in the topic, in as many partitions as there are workers (processes that read it and do nothing else), before the clock
starts; it runs from the first receipt kept to the last one joined; the broker is the tests' own. The ceiling is the store's:
raw rows COPYed and as many deliveries changed by their key, no engine, in the same run. `acks`: each
gridworker GETs the page, waits three seconds and POSTs one choice from an address of their own, while the same warning goes out
to them one call a message; the value is the 99th percentile of the seconds a POST takes, and every answer is looked for in the
ledger.
"""

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import orjson
import uvloop
from aiokafka import AIOKafkaProducer
from pyreqwest.client import Client, ClientBuilder
from sqlalchemy import text

from benchmarks.broker import broker_running
from benchmarks.fanout import run_desk, store_running
from benchmarks.report import parser, percentile, show, summed_up
from benchmarks.sink import sink_running
from benchmarks.stage import CARRIERS, POLICY, Desk, Stage
from warnhub.bus.topics import ensure_topics
from warnhub.config import load_settings
from warnhub.crypto import make_reference
from warnhub.hub import make_hub
from warnhub.inlet.calls import DEAD, IN, CallTopic
from warnhub.logs import set_up

ASKING = POLICY.replace("resident", "gridworker").replace("    reason:", "    confirm: {within: 30m}\n    reason:")
PARALLEL = 64
ONE = "SELECT count(*) FROM (SELECT 1 FROM delivery WHERE state = 60 LIMIT 1) AS k"
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


async def receipts(desk: Desk, per_call: int) -> tuple[float, int, float]:
    """Receipts a second, how many were delivered in the end, and the microseconds of this process that each took."""
    await run_desk(desk)
    found = await deliveries(desk)
    url = f"{desk.base}/hooks/sms/aliyun?key={'r' * 16}"
    cpu = time.process_time()
    said = await ask("receipts", {"url": url, "posts": make_posts(found, per_call)})
    cpu = time.process_time() - cpu
    async with desk.hub.store.read() as conn:
        done = await conn.scalar(text("SELECT count(*) FROM delivery WHERE state = 60"))
    assert done == len(found), f"{done} of {len(found)} receipts were joined"
    assert said["refused"] == 0, said
    return len(found) * 1.1 / said["seconds"], len(found), cpu / len(found) / 1.1 * 1e6


async def receipts_by_topic(desk: Desk, per_call: int, broker: str, workers: int) -> tuple[float, int, float]:
    """Receipts a second from the topic, how many were delivered in the end, and nothing of this process: others read."""
    await run_desk(desk)
    found = await deliveries(desk)
    given = desk.settings.model_copy(
        update={"kafka": broker, "kafka_prefix": f"b{time.time_ns()}", "kafka_partitions": workers}
    )
    name, url = f"{given.kafka_prefix}.{IN}", f"{desk.base}/hooks/sms/aliyun?key={'r' * 16}".encode()
    await ensure_topics(given, [name, f"{given.kafka_prefix}.{DEAD}"])
    async with AIOKafkaProducer(bootstrap_servers=broker, acks="all") as producer:
        posts = make_posts(found, per_call)
        for start in range(0, len(posts), 500):
            group = list(enumerate(posts[start : start + 500]))
            said = [
                await producer.send(name, post.encode(), key=b"sms.aliyun", headers=[("url", url)], partition=n % workers)
                for n, post in group
            ]
            await asyncio.gather(*said)
    values = {"kafka": broker, "kafka_prefix": given.kafka_prefix, "kafka_partitions": workers}
    async with readers(desk.values | values, workers):
        first = await reached(desk, 1)
        last = await reached(desk, len(found))
    async with desk.hub.store.read() as conn:
        kept = await conn.scalar(text("SELECT count(*) FROM receipt"))
    assert kept == len(found), f"{kept} of {len(found)} receipts were kept"
    return len(found) * 1.1 / (last - first), len(found), 0.0


async def reached(desk: Desk, count: int, seconds: float = 600.0) -> float:
    """When so many deliveries are there as delivered."""
    end = time.monotonic() + seconds
    query = text("SELECT count(*) FROM delivery WHERE state = 60") if count > 1 else text(ONE)
    while time.monotonic() < end:
        async with desk.hub.store.read() as conn:
            done = int(await conn.scalar(query) or 0)
        if done >= count:
            return time.perf_counter()
        await asyncio.sleep(0.05 if count == 1 else 0.1)
    raise TimeoutError(f"{count} receipts were not joined")


@contextlib.asynccontextmanager
async def readers(values: dict[str, Any], count: int) -> AsyncIterator[None]:
    """Processes that read the topic and do nothing else."""
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "benchmarks.feedback", "read"]
    children = [await asyncio.create_subprocess_exec(*command, stdin=pipe) for _ in range(count)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write(orjson.dumps(values))
        child.stdin.close()
    try:
        yield
    finally:
        for child in children:
            child.terminate()
            await child.wait()


async def read_topic(values: dict[str, Any]) -> None:
    """One such process, until it is ended."""
    set_up("error")
    hub = await make_hub(load_settings(**values), works=True)
    await CallTopic(hub.receipts, hub.providers, hub.settings).run()


async def run_ceiling(server: str, count: int) -> float:
    """Receipts a second of the store alone: raw rows kept and deliveries changed by key, in parts as WarnHub's are."""
    conn = await asyncpg.connect(f"{server}/run")
    await conn.execute("DELETE FROM receipt")
    rows = await conn.fetch("SELECT wave_id, recipient_id, batch_id FROM delivery")
    random.Random(1).shuffle(rows)
    names = ["provider", "key", "state", "wave_id", "recipient_id", "at", "joined"]
    start = time.perf_counter()
    for at in range(0, len(rows), 3_000):
        part = rows[at : at + 3_000]
        async with conn.transaction():
            records = [("sms.aliyun", f"900619746936498440^0:{r[1]}:DELIVERED", 60, r[0], r[1], 0, 1) for r in part]
            await conn.copy_records_to_table("receipt", records=records, columns=names)
            await conn.execute(
                "UPDATE delivery d SET state = 61 FROM unnest($1::bigint[], $2::bigint[]) AS k (b, r) "
                "WHERE d.batch_id = k.b AND d.recipient_id = k.r",
                [r[2] for r in part],
                [r[1] for r in part],
            )
    seconds = time.perf_counter() - start
    await conn.close()
    return count / seconds


async def acks(desk: Desk, seconds: float) -> dict[str, Any]:
    """What the crowd saw, checked against the ledger."""
    going = asyncio.create_task(run_desk(desk))
    found: list[tuple[int, int, str]] = []
    while len(found) < desk.people * 0.9:
        await asyncio.sleep(0.5)
        found = await deliveries(desk)
    links = [f"{desk.base}/a/{desk.hub.keys.link_token(wave, person)}" for wave, person, _ in found]
    cpu = time.process_time()
    said = await ask("acks", {"links": links, "seconds": seconds})
    said["cpu_us"] = round((time.process_time() - cpu) / len(links) * 1e6, 1)
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
    ceilings: list[float] = []
    more: dict[str, Any] = {}
    via_kafka = name == "receipts" and asked["via"] == "kafka"
    with contextlib.ExitStack() as around:
        server = around.enter_context(store_running(store))
        sink = around.enter_context(sink_running(carrier.status, carrier.answer))
        broker = around.enter_context(broker_running()) if via_kafka else ""
        stage = Stage(recipients, server) if name == "receipts" else Stage(recipients, server, ASKING, role="gridworker")
        for _ in range(runs):
            async with stage.desk(carrier, sink, trusted_proxies=["127.0.0.1"]) as desk:
                if name == "receipts":
                    how = (
                        receipts_by_topic(desk, asked["per_call"], broker, asked["workers"])
                        if via_kafka
                        else receipts(desk, asked["per_call"])
                    )
                    rate, count, cpu = await how
                    values.append(rate)
                    more = {"per_call": asked["per_call"], "receipts": count, "via": asked["via"], "workers": asked["workers"]}
                    more["cpu_us"] = round(cpu, 1)
                else:
                    said = await acks(desk, asked["seconds"])
                    values.append(said.pop("p99"))
                    more = said | {"seconds": asked["seconds"]}
            if via_kafka:
                ceilings.append(await run_ceiling(server, count))
    unit, reach = ("receipts/s", 50_000 if via_kafka else 5_000) if name == "receipts" else ("s", 0.2)
    return summed_up(name, unit, values, ceilings, reach=reach, recipients=recipients, store=store, **more)


def main(name: str, argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print."""
    asked = parser(name, __doc__, recipients=20_000 if name == "receipts" else 50_000)
    asked.add_argument("--per-call", type=int, default=1)
    asked.add_argument("--seconds", type=float, default=60.0)
    asked.add_argument(
        "--via", choices=("http", "kafka"), default="http", help="how receipts come in; kafka needs --store postgres"
    )
    asked.add_argument("--workers", type=int, default=2, help="processes that read the topic, and its partitions")
    given = asked.parse_args(argv)
    if given.via == "kafka" and given.store == "sqlite":
        asked.error("--via kafka needs --store postgres")
    set_up("error")
    more = {"per_call": given.per_call, "seconds": given.seconds, "via": given.via, "workers": given.workers}
    return show(uvloop.run(measure(name, given.recipients, given.store, given.runs, **more)), given.json)


if __name__ == "__main__":
    if sys.argv[1] == "read":
        uvloop.run(read_topic(orjson.loads(sys.stdin.buffer.read())))
    crowd = {"receipts": crowd_receipts, "acks": crowd_acks}[sys.argv[1]]
    sys.stdout.buffer.write(orjson.dumps(uvloop.run(crowd(orjson.loads(sys.stdin.buffer.read())))))
