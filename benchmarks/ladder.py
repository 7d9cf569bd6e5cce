"""The ladder on the real clock while a fan-out runs: how late each rung is.

    python -m benchmarks ladder [--recipients N] [--store sqlite|postgres]

A blue warning to N residents is going out, a call each. A red one to every responsible person of the county follows; seven in
ten answer, three never do and are told again after 4, 8 and 12 seconds. The value is the 99th percentile, over every rung of
every person, of the seconds by which it came after its time; `worst` is the latest of them.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import uvloop
from sqlalchemy import text

from benchmarks.fanout import store_running
from benchmarks.overtake import begin, is_busy
from benchmarks.report import parser, percentile, show, summed_up
from benchmarks.sink import sink_running
from benchmarks.stage import CARRIERS, Desk, Stage
from warnhub.feedback.acks import Ack, Evidence
from warnhub.logs import set_up
from warnhub.monitor.auditor import check_ledger

WAIT, RUNGS, SILENT = 4_000, 3, 0.3
POLICY = f"""
name: benchmark
release: {{green: blue, two: never}}
rules:
  - levels: red
    roles: [county_duty, township_duty, village_head, gridworker]
    channels: sms
    confirm: {{within: {WAIT // 1_000}s, then: [{{who: self, times: {RUNGS}}}]}}
    reason: those who answer for others, told again every few seconds
  - levels: blue
    roles: resident
    channels: sms
    reason: a benchmark speaks to residents by one channel
"""


async def ask(desk: Desk, query: str, **bind: Any) -> list[Any]:
    """Rows of the store."""
    async with desk.hub.store.read() as conn:
        return list((await conn.execute(text(query), bind)).all())


async def climb(desk: Desk) -> tuple[list[float], int, bool]:
    """(seconds by which each rung was late, people on the ladder, whether the fan-out still ran at the end)."""
    blue = await begin(desk)
    red = await desk.post(level="red", hazard="11D01")
    mine = "JOIN warning w ON w.id = {0}.warning_id AND w.uid = :u"
    while True:
        if await ask(desk, "SELECT 1 FROM warning WHERE uid = :u AND planned_at IS NOT NULL", u=red):
            break
        await asyncio.sleep(0.05)
    tasks = await ask(desk, f"SELECT k.warning_id, k.recipient_id, k.due_at FROM task k {mine.format('k')}", u=red)
    share = int(len(tasks) * (1 - SILENT))
    told = [Ack(0, row.recipient_id, Evidence.TOLD, row.warning_id, "received", by="user:benchmark") for row in tasks[:share]]
    await desk.hub.acks.group.put_all(told)
    due = {row.recipient_id: row.due_at for row in tasks[share:]}
    await asyncio.sleep(WAIT / 1_000 * (RUNGS + 1) + 6)
    running = await is_busy(desk, blue)
    said: dict[int, list[int]] = defaultdict(list)
    events = f"SELECT e.recipient_id, e.at FROM event e {mine.format('e')} WHERE e.kind = 'escalated' ORDER BY e.at"
    for row in await ask(desk, events, u=red):
        said[row.recipient_id].append(row.at)
    assert said.keys() == due.keys(), "somebody who answered was told again, or somebody silent was not"
    assert all(len(times) == RUNGS for times in said.values()), "a rung is missing"
    async with desk.hub.store.read() as conn:
        assert not await check_ledger(conn, tasks[0].warning_id), "the counts differ from the rows"
    late = [(at - due[who] - number * WAIT) / 1_000 for who, times in said.items() for number, at in enumerate(times)]
    return late, len(tasks), running


async def measure(recipients: int, store: str, runs: int) -> dict[str, Any]:
    """The figures."""
    single = CARRIERS["single"]
    carrier = replace(single, section=single.section | {"rate": 400})
    values, more = [], {}
    for _ in range(runs):
        with store_running(store) as server, sink_running(carrier.status, carrier.answer) as sink:
            async with Stage(recipients, server, POLICY).desk(carrier, sink) as desk:
                late, people, running = await climb(desk)
        values.append(percentile(late, 0.99))
        more = {"worst": round(max(late), 3), "people": people, "rungs": len(late), "beside_fan_out": running}
    return summed_up("ladder", "s", values, [], reach=2.0, recipients=recipients, store=store, **more)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print."""
    given = parser("ladder", __doc__, recipients=100_000).parse_args(argv)
    set_up("error")
    return show(uvloop.run(measure(given.recipients, given.store, given.runs)), given.json)
