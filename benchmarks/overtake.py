"""Red while blue goes out, and a cancel that stops it; told by the carrier's own record of its calls.

    python -m benchmarks preempt [--recipients N] [--reds K] [--store sqlite|postgres]
    python -m benchmarks cancel  [--recipients N]            [--store sqlite|postgres]

A blue warning to N residents (a thousand a call) is going out. `preempt`: K red warnings to every responsible person of the
county (a call each, with a link) are posted one after the other; the value is the 99th percentile of the seconds from a POST to
the first call that carries one of its messages. `cancel`: the blue one is cancelled; the value is the seconds from the answer
to the last call that was submitted for it, 0 if there was none after it.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import uvloop
from sqlalchemy import text

from benchmarks.fanout import store_running
from benchmarks.report import parser, percentile, show, summed_up
from benchmarks.sink import Sink, sink_running
from benchmarks.stage import CARRIERS, Desk, Stage
from warnhub.crypto import read_reference
from warnhub.logs import set_up

POLICY = """
name: benchmark
release: {green: blue, two: never}
rules:
  - levels: red
    roles: [county_duty, township_duty, village_head, gridworker]
    channels: sms
    confirm: {within: 30m}
    reason: those who answer for others, each with a link of their own
  - levels: blue
    roles: resident
    channels: sms
    reason: a benchmark speaks to residents by one channel
"""
REDS = ("11D01", "11A01", "11B01", "11B04", "11B09")
RESPONSIBLE = 1_500
PATIENCE = 120.0


async def waves(desk: Desk, uid: str) -> set[int]:
    """The numbers of a warning's waves, which its references carry."""
    async with desk.hub.store.read() as conn:
        found = await conn.execute(
            text("SELECT v.id FROM wave v JOIN warning w ON w.id = v.warning_id WHERE w.uid = :u"), {"u": uid}
        )
        return {int(row[0]) for row in found}


def calls_of(sink: Sink, numbers: set[int]) -> list[float]:
    """When the calls of these waves came."""
    named = ((at, read_reference(reference)) for at, reference in sink.calls())
    return sorted(at for at, place in named if place and place[0] in numbers)


async def begin(desk: Desk) -> str:
    """A blue warning, well on its way."""
    uid = await desk.post(level="blue", hazard="11B03")
    while True:
        async with desk.hub.store.read() as conn:
            done = await conn.scalar(text("SELECT count(*) FROM batch WHERE state = 2"))
        if done:
            return uid
        await asyncio.sleep(0.05)


async def is_busy(desk: Desk, uid: str) -> bool:
    """Whether the blue one still has batches that wait."""
    async with desk.hub.store.read() as conn:
        return bool(
            await conn.scalar(
                text("SELECT 1 FROM batch b JOIN warning w ON w.id = b.warning_id WHERE w.uid = :u AND b.state = 0 LIMIT 1"),
                {"u": uid},
            )
        )


async def overtake(desk: Desk, sink: Sink, reds: int) -> dict[str, Any]:
    """Seconds to the first call, and to the call of the last of the first 1,500 people, of each red that was posted in time."""
    blue = await begin(desk)
    posted: list[tuple[str, float]] = []
    for number in range(reds):
        if not await is_busy(desk, blue):
            break
        at = time.time()
        posted.append((await desk.post(level="red", hazard=REDS[number % len(REDS)]), at))
        await asyncio.sleep(3.5)
    assert posted, "the blue warning was over before a red one came: ask for more --recipients"
    firsts, lasts = [], []
    for uid, at in posted:
        calls = await all_calls(desk, sink, uid)
        firsts.append(calls[0] - at)
        lasts.append(calls[RESPONSIBLE - 1] - at)
    return {"first": firsts, "all": lasts, "posted": len(posted)}


async def all_calls(desk: Desk, sink: Sink, uid: str) -> list[float]:
    """When the calls of a red warning came, once there are those of all who are responsible: one that is late is no less slow
    for being left out."""
    end = time.monotonic() + PATIENCE
    while len(calls := calls_of(sink, await waves(desk, uid))) < RESPONSIBLE:
        assert time.monotonic() < end, f"{len(calls)} of {RESPONSIBLE} calls of a red warning came within {PATIENCE} s"
        await asyncio.sleep(0.25)
    return calls


async def stop(desk: Desk, sink: Sink) -> float:
    """Seconds from the cancel's answer to the last call."""
    blue = await begin(desk)
    await asyncio.sleep(0.5)
    assert await is_busy(desk, blue), "the blue warning was over before it was cancelled: ask for more --recipients"
    await desk.hub.desk.cancel(blue, "user:benchmark", "测量", all_clear=False)
    answered = time.time()
    await asyncio.sleep(3)
    calls = calls_of(sink, await waves(desk, blue))
    return max(0.0, calls[-1] - answered)


async def measure(name: str, recipients: int, reds: int, store: str, runs: int) -> dict[str, Any]:
    """The figures."""
    carrier = CARRIERS["bulk"]
    values: list[float] = []
    more: dict[str, Any] = {}
    for _ in range(runs):
        with store_running(store) as server, sink_running(carrier.status, carrier.answer, keep=True) as sink:
            async with Stage(recipients, server, POLICY).desk(carrier, sink) as desk:
                if name == "cancel":
                    values.append(await stop(desk, sink))
                    continue
                said = await overtake(desk, sink, reds)
        values.append(percentile(said["first"], 0.99))
        lasts = said["all"]
        more = {"firsts": [round(one, 3) for one in said["first"]], "reds": said["posted"]}
        more["all_1500_s"] = round(percentile(lasts, 0.99), 3) if lasts else None
    reach = 0.5 if name == "preempt" else 1.0
    return summed_up(name, "s", values, [], reach=reach, recipients=recipients, store=store, provider=carrier.name, **more)


def main(name: str, argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print."""
    asked = parser(name, __doc__, recipients=1_000_000)
    asked.add_argument("--reds", type=int, default=8)
    given = asked.parse_args(argv)
    set_up("error")
    return show(uvloop.run(measure(name, given.recipients, given.reds, given.store, given.runs)), given.json)
