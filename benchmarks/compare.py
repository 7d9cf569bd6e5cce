"""One figure against another of the same run.

    python -m benchmarks workers [--recipients N]                          two workers against one, on work that waits
    python -m benchmarks growth  [--sizes 10000 100000 1000000] [--store …]   seconds a recipient as there are more of them

`workers`: PostgreSQL, one call a message to a carrier that takes `--wait` seconds for each, ten at once a worker; the value is
how many times as fast two processes are. `growth`: the value is the largest time a recipient over the smallest.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import uvloop

from benchmarks.fanout import run_desk, store_running
from benchmarks.postgres import postgres_running
from benchmarks.report import parser, show, summed_up
from benchmarks.sink import sink_running
from benchmarks.slow import slow_running
from benchmarks.stage import CARRIERS, Stage
from warnhub.logs import set_up

PARALLEL = 10


async def workers(recipients: int, runs: int, wait: float) -> dict[str, Any]:
    """Two against one."""
    single = CARRIERS["single"]
    carrier = replace(single, section=single.section | {"parallel": PARALLEL, "rate": 2_000})
    values, rates = [], {1: 0.0, 2: 0.0}
    with postgres_running() as server, slow_running(carrier.status, carrier.answer, wait) as sink:
        for _ in range(runs):
            for count in (1, 2):
                async with Stage(recipients, server).desk(carrier, sink, count) as desk:
                    messages, seconds, _ = await run_desk(desk)
                rates[count] = messages / seconds
            values.append(rates[2] / rates[1])
    more = {"one": round(rates[1]), "two": round(rates[2]), "wait_s": wait, "ceiling_one": round(PARALLEL / wait)}
    return summed_up("workers", "times", values, [], reach=1.7, recipients=recipients, store="postgres", **more)


async def growth(sizes: Sequence[int], store: str) -> dict[str, Any]:
    """The same for more and more."""
    carrier = CARRIERS["bulk"]
    costs, cpus = [], []
    with store_running(store) as server, sink_running(carrier.status, carrier.answer) as sink:
        for size in sizes:
            async with Stage(size, server).desk(carrier, sink) as desk:
                messages, seconds, cpu = await run_desk(desk)
            costs.append(seconds / messages * 1e6)
            cpus.append(cpu / messages * 1e6)
    more = {"us": [round(one, 1) for one in costs], "cpu_us": [round(one, 1) for one in cpus], "sizes": list(sizes)}
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
    return show(uvloop.run(growth(given.sizes, given.store)), given.json)
