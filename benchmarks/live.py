"""An open page while a warning goes out: how old its figures are, and what fifty who look cost.

    python -m benchmarks live [--recipients N] [--viewers 50] [--store sqlite|postgres]

A red warning to N residents goes out at a steady rate. A process of its own holds `--viewers` pages of it open, as browsers do,
for some seconds, then none, and again; the process's time with them less that without is what they cost (`percent` of a core).
Two more read the same figures as JSON, where they say when they were made: the value is the oldest that any of them had before
newer ones came, in seconds. Both reaches are the issue's: 2 s, and 10 % of a core.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from statistics import mean
from typing import Any

import httpx
import orjson
import uvloop

from benchmarks.fanout import BUSY, store_running
from benchmarks.pages import PASSWORD, log_in
from benchmarks.report import parser, show, summed_up
from benchmarks.sink import sink_running
from benchmarks.stage import CARRIERS, Desk, Stage
from warnhub.logs import set_up
from warnhub.store.users import add_user, make_token

WINDOW = 6.0
"""Seconds with viewers, and as many without."""

SETTLE = 1.5


async def crowd(plan: dict[str, Any]) -> dict[str, Any]:
    """Hold the pages open; gives what came."""
    said = {"events": 0, "bytes": 0, "viewers": 0, "ages": []}
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=plan["base"], timeout=60, limits=limits, cookies=plan["cookies"]) as client:

        async def look() -> None:
            async with client.stream("GET", f"/console/warnings/{plan['uid']}/stream") as answer:
                assert answer.status_code == 200
                said["viewers"] += 1
                async for part in answer.aiter_bytes():
                    said["events"] += part.count(b"event: ")
                    said["bytes"] += len(part)

        async def follow() -> None:
            head = {"authorization": f"Bearer {plan['token']}"}
            shown: int | None = None
            async with client.stream("GET", f"/v1/warnings/{plan['uid']}/stream", headers=head) as answer:
                async for line in answer.aiter_lines():
                    if line.startswith("data: {"):
                        if shown is not None:  # until now this page showed what was so at `shown`
                            said["ages"].append(time.time() - shown / 1000)
                        shown = orjson.loads(line[6:])["at"]

        tasks = [asyncio.create_task(look()) for _ in range(plan["viewers"])]
        tasks += [asyncio.create_task(follow()) for _ in range(2)]
        await asyncio.wait(tasks, timeout=plan["seconds"])
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
    return said


async def look_on(plan: dict[str, Any]) -> dict[str, Any]:
    """The crowd, in a process of its own."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.live", stdin=pipe, stdout=pipe)
    said, _ = await child.communicate(orjson.dumps(plan))
    found: dict[str, Any] = orjson.loads(said)
    return found


async def is_going(desk: Desk, uid: str) -> bool:
    """Whether messages are still handed over."""
    async with desk.hub.store.read() as conn:
        row = (await conn.execute(BUSY, {"u": uid})).one()
    return bool(row.busy or not row.planned)


async def watch(desk: Desk, viewers: int, secret: dict[str, Any]) -> dict[str, Any]:
    """Windows with and without viewers, until the warning is out."""
    uid = await desk.post()
    await asyncio.sleep(SETTLE)
    plan = secret | {"base": desk.base, "uid": uid, "viewers": viewers, "seconds": WINDOW + SETTLE + 1}
    alone: list[float] = []
    looked: list[float] = []
    said: dict[str, Any] = {"ages": [], "events": 0, "bytes": 0}
    while await is_going(desk, uid) or not looked:
        before = await burn()
        crowd_ = asyncio.create_task(look_on(plan))
        await asyncio.sleep(SETTLE + 0.5)  # the child starts
        with_them = await burn()
        if await is_going(desk, uid) or not looked:  # else the engine rested in one of the two
            alone.append(before)
            looked.append(with_them)
        found = await crowd_
        assert found["viewers"] == viewers, f"{found['viewers']} pages were open"
        assert found["events"] >= viewers, "a page was given nothing"
        said["ages"] += found["ages"]
        for name in ("events", "bytes"):
            said[name] += found[name]
    return said | {"alone": mean(alone), "looked": mean(looked), "windows": len(looked)}


async def burn() -> float:
    """The share of a core that this process takes for a window."""
    cpu, start = time.process_time(), time.perf_counter()
    await asyncio.sleep(WINDOW)
    return (time.process_time() - cpu) / (time.perf_counter() - start)


async def measure(recipients: int, store: str, runs: int, viewers: int, seconds: float) -> dict[str, Any]:
    """The figures."""
    bulk = CARRIERS["bulk"]
    rate = max(1.0, recipients / bulk.group / seconds)
    carrier = replace(bulk, section=bulk.section | {"rate": rate})
    oldest, costs, more = [], [], {}
    with store_running(store) as server, sink_running(carrier.status, carrier.answer) as sink:
        for _ in range(runs):
            async with Stage(recipients, server).desk(carrier, sink) as desk:
                async with desk.hub.store.write() as tx:
                    await add_user(tx, "benchmark", name="officer", password=PASSWORD, role="viewer")
                    token = await make_token(tx, "benchmark", "officer")
                async with httpx.AsyncClient(base_url=desk.base, timeout=60) as client:
                    await log_in(client)
                    cookies = dict(client.cookies)
                said = await watch(desk, viewers, {"token": token, "cookies": cookies})
            oldest.append(max(said["ages"]))
            costs.append(100 * (said["looked"] - said["alone"]))
            more = {name: said[name] for name in ("events", "bytes", "windows")} | {"without": round(100 * said["alone"], 1)}
    more |= {"percent": round(mean(costs), 1), "percent_reach": 10, "viewers": viewers}
    return summed_up("live", "s", oldest, [], reach=2.0, recipients=recipients, store=store, **more)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print."""
    asked = parser("live", __doc__, recipients=100_000)
    asked.add_argument("--viewers", type=int, default=50)
    asked.add_argument("--seconds", type=float, default=60.0, help="how long the warning takes to go out")
    given = asked.parse_args(argv)
    set_up("error")
    more = (given.viewers, given.seconds)
    return show(uvloop.run(measure(given.recipients, given.store, given.runs, *more)), given.json)


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(uvloop.run(crowd(orjson.loads(sys.stdin.buffer.read())))))
