"""The process is ended in good order in the middle of a fan-out and started again: what is in hand is finished first."""

import time
from collections import Counter

from townhall import TOWNS, Opener, make_alert

SLOW = {"wechat.template": {"rate": 60}}


async def test_nothing_in_hand_is_lost(visit: Opener) -> None:
    """It ends as soon as its calls do, leaves nobody unknown, and the next process goes on where it was."""
    async with visit(providers=SLOW) as town:
        town.fault("wechat", latency=0.5, delay=0.1)
        uid = await town.release(make_alert("g-1", level="yellow", areas=TOWNS[:2]))

        async def begun() -> bool:
            return len(town.watchman.taken["wechat"]) >= 20

        await town.until(begun, "a fan-out has begun")
        start = time.monotonic()
        await town.stop()
        assert time.monotonic() - start < 5
        before = len(town.watchman.messages())
        await town.start()
        assert await town.number("SELECT count(*) FROM batch WHERE state = 6") == 0
        found = await town.settle(uid)
        told = Counter((heard.channel, heard.address) for heard in town.watchman.messages())
        assert (set(told.values()), sum(told.values())) == ({1}, found.planned)
        assert 0 < before < found.planned == found.states["delivered"]
