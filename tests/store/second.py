"""A process beside a test's own: `python second.py WORK URL [more]` works on the test's database and says as JSON what it did.

It says `ready` first and begins when it is told to, so that several begin together.
"""

import asyncio
import json
import sys
import time
from typing import Any

from warnhub.dispatch.sharing import SharedThrottle
from warnhub.feedback.clock import Clock
from warnhub.store.engine import Store, Tx
from warnhub.store.timers import Timer


async def call(store: Store, lane: str, rate: str, seconds: str) -> dict[str, Any]:
    """Make as many calls in a lane as the account allows; how many, and the longest wait for one."""
    throttle, end = SharedThrottle(store, "sms.a", float(rate)), time.monotonic() + float(seconds)
    made, longest = 0, 0.0
    while time.monotonic() < end:
        start = time.monotonic()
        async with throttle.call(int(lane)):
            made += time.monotonic() < end
        longest = max(longest, time.monotonic() - start)
        if int(lane) == 1:  # the urgent are few: one every tenth of a second
            await asyncio.sleep(0.1)
    await throttle.give_back()
    return {"made": made, "longest": longest}


async def tick(store: Store) -> dict[str, Any]:
    """Serve timers and lost leases until there are none; how many of each."""
    clock = Clock(store, None)  # type: ignore[arg-type]  # no kind that plans is served here

    async def note(tx: Tx, timer: Timer) -> None:
        await tx.publish("noted", str(timer.data["n"]))

    clock.handlers = {"note": note}
    timers = leases = 0
    while (taken := await clock.tick()) or (lost := await clock.watch_leases()):
        timers += taken
        leases += 0 if taken else lost
    return {"timers": timers, "leases": leases}


def say(line: str) -> None:
    """A line to who started us."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def work(name: str, url: str, *more: str) -> None:
    """One of them."""
    store = Store(url)
    async with store.read() as conn:
        await store.now(conn)
    say("ready")
    sys.stdin.readline()
    say(json.dumps(await {"call": call, "tick": tick}[name](store, *more)))
    await store.close()


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
