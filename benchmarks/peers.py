"""What a user would pick instead, to the same nginx: one POST of about 400 bytes a message, in this run.

    python -m benchmarks peers [--recipients N] [--only NAME …] [--json]

Each in a virtual environment of its own under `build/peers`, newest version, made at the first run; Redis, PostgreSQL and
Alertmanager are Debian's (`scripts/setup.sh peers` installs them). A peer that cannot be had here is named with the reason. All
of them are tuned as their documentation has it for work that waits for HTTP, on two cores, and their queue is filled before
their workers start: the rate is from the first call at the sink to the last.

    apprise        notify() of 1,000 json:// URLs, again and again
    alertmanager   one alert to one receiver with a webhook for each message
    celery         Redis; two workers of gevent with 100 greenlets, prefetch 1, requests with a pool
    dramatiq       Redis; two processes of eight threads, requests with a pool
    taskiq         Redis list; two worker processes, aiohttp with 200 connections
    procrastinate  PostgreSQL; two workers with 100 at once, aiohttp

Redis saves nothing, PostgreSQL is durable. WarnHub: `single`, with its ledger, durable, on SQLite. The reach is 1.5 times the
best of them; the ceiling is that best.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.fanout import measure
from benchmarks.postgres import postgres_running
from benchmarks.report import parser, show, summed_up
from benchmarks.sink import Sink, sink_running, wait_open
from benchmarks.stage import CARRIERS, FOLDER
from warnhub.logs import set_up
from warnhub.simulate.ports import free_port

GROUP = 1_000
PATIENCE = 90.0
VENVS = FOLDER.parent / "peers"
APPRISE = """
import sys, time, apprise
port, rounds, group = (int(one) for one in sys.argv[1:])
desk = apprise.Apprise()
for n in range(group):
    desk.add(f"json://127.0.0.1:{port}/{n}")
start = time.perf_counter()
for _ in range(rounds):
    assert desk.notify(title="暴雨红色预警", body="预计三小时内有大暴雨,请立即转移。" * 6)
print(apprise.__version__, rounds * group / (time.perf_counter() - start))
"""
COMMON = """
import os
URL, STORE = os.environ["SINK"], os.environ["STORE"]
BODY = {"to": "+8614500000000", "text": "预计三小时内有大暴雨,请立即转移。" * 6}
"""
REQUESTS = """
import requests, requests.adapters
session = requests.Session()
session.mount("http://", requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=200))
def post(n):
    session.post(URL, json=BODY | {"n": n}).raise_for_status()
"""
AIOHTTP = """
import aiohttp
session = None
async def post(n):
    global session
    if session is None:
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200))
    async with session.post(URL, json=BODY | {"n": n}) as answer:
        await answer.read()
        assert answer.status < 300
"""
CELERY = f"""{COMMON}
import celery
{REQUESTS}
app = celery.Celery("app", broker=STORE)
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=1, broker_pool_limit=10, worker_hijack_root_logger=False)
send = app.task(post, name="send")
def fill(count):
    with app.producer_pool.acquire() as producer:
        for n in range(count):
            send.apply_async((n,), producer=producer)
"""
DRAMATIQ = f"""{COMMON}
import dramatiq
from dramatiq.brokers.redis import RedisBroker
{REQUESTS}
dramatiq.set_broker(RedisBroker(url=STORE))
send = dramatiq.actor(post)
def fill(count):
    for n in range(count):
        send.send(n)
"""
TASKIQ = f"""{COMMON}
from taskiq_redis import ListQueueBroker
{AIOHTTP}
broker = ListQueueBroker(url=STORE)
send = broker.task(post)
def fill(count):
    import asyncio
    async def run():
        await broker.startup()
        for start in range(0, count, 100):
            await asyncio.gather(*(send.kiq(n) for n in range(start, min(count, start + 100))))
        await broker.shutdown()
    asyncio.run(run())
"""
PROCRASTINATE = f"""{COMMON}
import procrastinate
{AIOHTTP}
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=STORE))
send = app.task(name="send")(post)
def fill(count):
    import asyncio
    async def run():
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            for start in range(0, count, 1000):
                await send.batch_defer_async(*({{"n": n}} for n in range(start, min(count, start + 1000))))
    asyncio.run(run())
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A queue with workers: `program` is its `app.py`, with a `fill(count)`; `work` is what each of `workers` runs."""

    name: str
    packages: tuple[str, ...]
    program: str
    work: tuple[str, ...]
    workers: int
    store: str
    most: int


PEERS = (
    Peer(
        "celery",
        ("celery[redis]", "gevent", "requests", "packaging"),
        CELERY,
        ("celery", "-A", "app", "worker", "-P", "gevent", "-c", "100", "-l", "ERROR", "--without-mingle", "--without-gossip"),
        2,
        "redis",
        10_000,
    ),
    Peer(
        "dramatiq",
        ("dramatiq[redis]", "requests"),
        DRAMATIQ,
        ("dramatiq", "app", "--processes", "2", "--threads", "8", "--use-spawn"),
        1,
        "redis",
        10_000,
    ),
    Peer(
        "taskiq",
        ("taskiq", "taskiq-redis", "aiohttp"),
        TASKIQ,
        ("taskiq", "worker", "app:broker", "--workers", "2", "--max-async-tasks", "200", "--log-level", "ERROR"),
        1,
        "redis",
        20_000,
    ),
    Peer(
        "procrastinate",
        ("procrastinate", "psycopg[binary]", "aiohttp"),
        PROCRASTINATE,
        ("procrastinate", "--app", "app.app", "worker", "--concurrency", "100", "--delete-jobs", "never"),
        2,
        "postgres",
        4_000,
    ),
)


class Absent(Exception):
    """A peer that cannot be had here; says why."""


def venv_of(name: str, packages: Sequence[str]) -> Path:
    """The programs of its environment, made if there is none. Raises `Absent`."""
    venv = VENVS / name
    if not (venv / "done").exists():
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        done = subprocess.run(
            [str(venv / "bin" / "pip"), "install", "-q", *packages], check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise Absent(f"does not install here: {done.stderr.strip().splitlines()[-1][:200]}")
        (venv / "done").touch()
    return venv / "bin"


def version_of(programs: Path, package: str) -> str:
    """What is installed."""
    ask = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([str(programs / "python"), "-c", ask], check=True, capture_output=True, text=True).stdout.strip()


@contextlib.contextmanager
def redis_running() -> Iterator[str]:
    """A Redis that keeps nothing on disk; gives its URL. Raises `Absent`."""
    program = shutil.which("redis-server", path="/usr/bin:/usr/local/bin")
    if program is None:
        raise Absent("there is no redis-server: scripts/setup.sh peers")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_open(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            child.terminate()
            child.wait()


@contextlib.contextmanager
def store_for(kind: str) -> Iterator[str]:
    """What a peer keeps its queue in."""
    if kind == "redis":
        with redis_running() as url:
            yield url
    else:
        with postgres_running() as server:
            yield f"{server}/postgres"


def rate_between(calls: Sequence[tuple[float, str]]) -> float:
    """Calls a second from the first to the last."""
    times = sorted(at for at, _ in calls)
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0


def wait_calls(sink: Sink, before: int, count: int) -> list[tuple[float, str]]:
    """The calls that came since `before`, once there are `count` of them or nothing comes any more."""
    end, seen = time.monotonic() + PATIENCE, 0
    while time.monotonic() < end:
        found = len(sink.calls()) - before
        if found >= count:
            break
        if found > seen:
            seen, end = found, time.monotonic() + 20
        time.sleep(0.2)
    return sink.calls()[before:]


def run_queue(peer: Peer, sink: Sink, messages: int) -> tuple[str, float]:
    """(version, messages a second) of a queue with workers. Raises `Absent`."""
    programs = venv_of(peer.name, peer.packages)
    messages = min(messages, peer.most)
    with contextlib.ExitStack() as around:
        store = around.enter_context(store_for(peer.store))
        folder = around.enter_context(tempfile.TemporaryDirectory())
        (Path(folder) / "app.py").write_text(peer.program)
        env = os.environ | {"SINK": f"{sink.url}/", "STORE": store, "PYTHONPATH": folder}
        env["PATH"] = f"{programs}:{env['PATH']}"
        fill = [str(programs / "python"), "-c", f"import app; app.fill({messages})"]
        filled = subprocess.run(fill, cwd=folder, env=env, check=False, capture_output=True, text=True)
        if filled.returncode:
            raise Absent(f"its queue could not be filled: {filled.stderr.strip().splitlines()[-1][:200]}")
        before = len(sink.calls())
        log = around.enter_context((Path(folder) / "log").open("w+"))
        command = [str(programs / peer.work[0]), *peer.work[1:]]
        children = []
        for number in range(peer.workers):
            more = ["-n", f"w{number}@%h"] if peer.name == "celery" else []
            children.append(subprocess.Popen([*command, *more], cwd=folder, env=env, stdout=log, stderr=log))
        try:
            calls = wait_calls(sink, before, messages)
        finally:
            for child in children:
                child.terminate()
            for child in children:
                try:
                    child.wait(15)
                except subprocess.TimeoutExpired:
                    child.kill()
        if len(calls) < messages:
            log.seek(0)
            raise Absent(f"{len(calls)} of {messages} came; it said: {log.read()[-300:]}")
    return version_of(programs, peer.name), rate_between(calls)


def run_apprise(sink: Sink, messages: int) -> tuple[str, float]:
    """(version, messages a second)."""
    programs = venv_of("apprise", ("apprise",))
    command = [str(programs / "python"), "-c", APPRISE, str(sink.port), str(max(1, min(messages, 2_000) // GROUP)), str(GROUP)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return said[0], float(said[1])


def run_alertmanager(sink: Sink, messages: int) -> tuple[str, float]:
    """The same; its calls are counted by the sink's record. Raises `Absent`."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        raise Absent("there is no Alertmanager: scripts/setup.sh peers")
    hooks = [{"url": f"{sink.url}/{n}", "send_resolved": False} for n in range(messages)]
    config = {
        "route": {"receiver": "all", "group_wait": "0s", "group_interval": "1h", "repeat_interval": "10h"},
        "receivers": [{"name": "all", "webhook_configs": hooks}],
    }
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "a.yml").write_text(json.dumps(config))
        listen = [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", f"--storage.path={name}"]
        child = subprocess.Popen([program, f"--config.file={name}/a.yml", *listen], stderr=subprocess.DEVNULL)
        try:
            wait_open(port, 60)
            time.sleep(2)
            body = json.dumps([{"labels": {"alertname": "rain"}, "annotations": {"text": "暴雨红色预警" * 20}}]).encode()
            asked = urllib.request.Request(f"http://127.0.0.1:{port}/api/v2/alerts", body, {"content-type": "application/json"})
            before = len(sink.calls())
            start = time.time()
            urllib.request.urlopen(asked).close()
            calls = wait_calls(sink, before, messages)
        finally:
            child.terminate()
            child.wait()
    if len(calls) < messages:
        raise Absent(f"{len(calls)} of {messages} came")
    said = (version.stdout + version.stderr).split()
    return said[2] if len(said) > 2 else "?", len(calls) / (max(at for at, _ in calls) - start)


def runners() -> dict[str, Callable[[Sink, int], tuple[str, float]]]:
    """Every peer by its name."""
    queues = {peer.name: lambda sink, messages, peer=peer: run_queue(peer, sink, messages) for peer in PEERS}
    return {"apprise": run_apprise, "alertmanager": run_alertmanager, **queues}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print."""
    asked = parser("peers", __doc__, recipients=10_000, store=False)
    asked.add_argument("--only", nargs="+", choices=sorted(runners()), help="only these peers")
    given = asked.parse_args(argv)
    set_up("error")
    carrier = CARRIERS["single"]
    best: dict[str, float] = {}
    said: dict[str, str] = {}
    with sink_running(carrier.status, carrier.answer, keep=True) as sink:
        for name, run in runners().items():
            if given.only and name not in given.only:
                continue
            try:
                version, best[name] = run(sink, given.recipients)
            except Absent as error:
                said[name] = f"not run: {error}"
                continue
            said[name] = f"{version}: {best[name]:.0f}/s"
    own = uvloop.run(measure("single", given.recipients, "sqlite", given.runs))
    ceilings = [max(best.values())] if best else []
    more = {"best": max(best, key=lambda name: best[name]) if best else "none"} | said
    result = summed_up("peers", "messages/s", [own["value"]], ceilings, reach=1.5, recipients=given.recipients, **more)
    return show(result, given.json)
