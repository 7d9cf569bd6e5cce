"""One figure against another of the same run.

    python -m benchmarks workers [--recipients N]                          two workers against one, on work that waits
    python -m benchmarks growth  [--sizes 10000 100000 1000000] [--store …]   seconds a recipient as there are more of them

`workers`: as it is scaled out – PostgreSQL, a Kafka-protocol broker with four partitions a topic, the desk, and one or two
`warnhub worker` beside it – one call a message to a carrier that takes `--wait` seconds for each, ten at once a worker; the
value is how many times as fast two are, the ceiling two. `growth`: the value is the largest time a recipient over the smallest;
the first size is played once before, so that no size pays for what a process does only once.
"""

import asyncio
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import IO, Any

import uvloop
from sqlalchemy import text

from benchmarks.broker import broker_running
from benchmarks.fanout import run_desk, store_running
from benchmarks.postgres import postgres_running
from benchmarks.report import parser, show, summed_up
from benchmarks.sink import sink_running
from benchmarks.slow import slow_running
from benchmarks.stage import CARRIERS, Desk, Stage
from warnhub.logs import set_up

PARALLEL = 10
PARTITIONS = 4


async def workers(recipients: int, runs: int, wait: float) -> dict[str, Any]:
    """Two against one."""
    single = CARRIERS["single"]
    # The rate is what two can reach and a quarter more: a batch is half a second of it, and so work for both.
    rate = max(10, round(2.5 * PARALLEL / wait))
    carrier = replace(single, section=single.section | {"parallel": PARALLEL, "rate": rate})
    values, rates = [], {1: 0.0, 2: 0.0}
    shares: list[int] = []
    with postgres_running() as server, slow_running(carrier.status, carrier.answer, wait) as sink, broker_running() as broker:
        stage = Stage(recipients, server)
        for _ in range(runs):
            for count in (1, 2):
                kafka = {"kafka": broker, "kafka_prefix": f"b{time.time_ns()}", "kafka_partitions": PARTITIONS}
                async with stage.desk(carrier, sink, **kafka) as desk, hands(desk.values, count):
                    messages, seconds, _ = await run_desk(desk)
                    shares = await read_shares(desk)
                rates[count] = messages / seconds
            values.append(rates[2] / rates[1])
    more = {"one": round(rates[1]), "two": round(rates[2]), "wait_s": wait, "ceiling_one": round(PARALLEL / wait)}
    more |= {"partitions": PARTITIONS, "parallel": PARALLEL, "rate": rate, "shares": shares}
    return summed_up("workers", "times", values, [2.0], reach=1.7, recipients=recipients, store="postgres", **more)


async def read_shares(desk: Desk) -> list[int]:
    """How many messages each worker had in hand."""
    async with desk.hub.store.read() as conn:
        rows = await conn.execute(text("SELECT leased_by, sum(size) FROM batch GROUP BY leased_by"))
        return sorted(int(row[1]) for row in rows)


@contextlib.asynccontextmanager
async def hands(values: Mapping[str, Any], count: int) -> AsyncIterator[None]:
    """So many `warnhub worker`, each with its part of the topics before the block begins; ended by SIGTERM after it."""
    said = {f"WARNHUB_{name.upper()}": value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    children, logs = [], []
    with contextlib.ExitStack() as around:
        for _ in range(count):
            logs.append(around.enter_context(tempfile.TemporaryFile("w+")))
            children.append(begin_worker(os.environ | said, logs[-1]))
        try:
            for log in logs:
                await until_assigned(log)
            await asyncio.sleep(2.0)  # the second's coming moves the first's partitions once more
            yield
        finally:
            for child in children:
                child.terminate()
            for child in children:
                child.wait(20)


def begin_worker(env: Mapping[str, str], log: IO[str]) -> "subprocess.Popen[bytes]":
    """`warnhub worker` with these settings."""
    return subprocess.Popen([sys.executable, "-m", "warnhub", "worker"], env=env, stdout=log, stderr=log)


async def until_assigned(log: IO[str], seconds: float = 120.0) -> None:
    """Until a worker says that it has its part of the topics."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        log.seek(0)
        if "bus.assigned" in log.read():
            return
        await asyncio.sleep(0.1)
    log.seek(0)
    raise TimeoutError(f"a worker does not start: {log.read()[-1_000:]}")


async def growth(sizes: Sequence[int], store: str, runs: int) -> dict[str, Any]:
    """The same for more and more."""
    carrier = CARRIERS["bulk"]
    costs, cpus, peaks = [], [], []
    with store_running(store) as server, sink_running(carrier.status, carrier.answer) as sink:
        async with Stage(sizes[0], server).desk(carrier, sink) as desk:
            await run_desk(desk)
        for size in sizes:
            stage, found = Stage(size, server), []
            for _ in range(runs):
                async with stage.desk(carrier, sink) as desk:
                    messages, seconds, cpu = await run_desk(desk)
                found.append((seconds / messages * 1e6, cpu / messages * 1e6))
            costs.append(statistics.median(one[0] for one in found))
            cpus.append(statistics.median(one[1] for one in found))
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    more = {"us": [round(one, 1) for one in costs], "cpu_us": [round(one, 1) for one in cpus], "sizes": list(sizes)}
    more |= {"peak_mb": peaks, "measured": runs}
    return summed_up("growth", "times", [max(costs) / min(costs)], [], reach=1.2, store=store, **more)


def main(name: str, argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print."""
    asked = parser(name, __doc__, recipients=5_000)
    asked.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    asked.add_argument("--wait", type=float, default=0.05)
    given = asked.parse_args(argv)
    set_up("error")
    if name == "workers":
        return show(uvloop.run(workers(given.recipients, given.runs, given.wait)), given.json)
    return show(uvloop.run(growth(given.sizes, given.store, given.runs)), given.json)
