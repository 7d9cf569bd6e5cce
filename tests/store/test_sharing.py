"""A provider's rate, shared by workers through one row."""

import asyncio
import time

import pytest
from conftest import Opener
from sqlalchemy import text
from town import Hand

from warnhub.dispatch.sharing import HOLDS, SharedThrottle
from warnhub.store.engine import Store

pytestmark = pytest.mark.postgres


@pytest.fixture
def backend() -> str:
    """One process has nobody to share with."""
    return "postgres"


async def calls_within(throttle: SharedThrottle, lane: int, seconds: float, workers: int = 4) -> int:
    """How many calls several callers make in a while."""
    end, made = time.monotonic() + seconds, 0

    async def call() -> None:
        nonlocal made
        while time.monotonic() < end:
            async with throttle.call(lane):
                made += time.monotonic() < end

    await asyncio.gather(*(call() for _ in range(workers)))
    return made


async def test_three_workers_together_keep_to_the_rate(opened: Opener) -> None:
    """Not one of them alone: together, and the sum is near what the account allows."""
    rate, seconds = 100.0, 3.0
    workers = [SharedThrottle(opened(), "sms.a", rate) for _ in range(3)]
    made = await asyncio.gather(*(calls_within(one, 4, seconds) for one in workers))
    assert sum(made) <= rate * seconds + workers[0].capacity + 1
    assert sum(made) >= rate * seconds * 0.6
    assert min(made) > 0


async def test_the_reserve_is_for_the_urgent_whoever_asks(opened: Opener, hand: Hand) -> None:
    """Lower lanes empty the bucket down to the reserve; then an urgent call of another worker goes, a lower one does not."""
    calm, other = SharedThrottle(opened(hand), "sms.a", 40), SharedThrottle(opened(hand), "sms.a", 40)
    made = 0
    while await calm.take(4) == 0:
        made, calm.pots[False] = made + calm.pots[False], 0
    assert made == 7  # of ten, and a quarter of ten is kept
    assert await other.take(4) > 0
    assert other.has(4) is None
    assert await other.take(1) == 0
    assert other.has(1) is True
    assert other.has(4) is None, "what the urgent took is not for the others"


async def test_a_dead_workers_slice_is_all_that_it_takes_with_it(opened: Opener, hand: Hand) -> None:
    """It took what there was and is gone: a second later there is as much as ever."""
    dead, alive = SharedThrottle(opened(hand), "sms.a", 8), SharedThrottle(opened(hand), "sms.a", 8)
    while await dead.take(1) == 0:
        dead.pots.clear()
    assert await alive.take(1) > 0
    hand.now += 1_000
    alive.asked.clear()
    assert await alive.take(1) == 0


async def test_what_is_not_used_goes_back_and_what_is_old_is_void(opened: Opener, hand: Hand) -> None:
    now = 0.0

    def clock() -> float:
        return now

    one = SharedThrottle(opened(hand), "sms.a", 100, clock=clock)
    assert await one.take(4) == 0
    assert one.pots[False] == 18
    assert await tokens(one.store) == 7
    await one.give_back()
    assert await tokens(one.store) == 25
    assert await one.take(4) == 0
    now = HOLDS + 0.1
    assert one.has(4) is None
    await one.give_back()
    assert await tokens(one.store) == 7


async def tokens(store: Store) -> float:
    async with store.read() as conn:
        return float(await conn.scalar(text("SELECT tokens FROM quota")) or 0)


async def test_a_providers_pause_is_everybodys(opened: Opener, hand: Hand) -> None:
    one, two = SharedThrottle(opened(hand), "sms.a", 40), SharedThrottle(opened(hand), "sms.a", 40)
    one.pause(2.0)
    await asyncio.gather(*one.telling)
    assert one.wait_time(1) > 1.5
    assert 1.5 < await two.take(1) <= 2.0
    assert two.wait_time(1) > 1.5
    hand.now += 2_001
    two.asked.clear()
    two.paused_until = 0.0
    assert await two.take(1) == 0


async def test_a_slow_account_is_not_stuck(opened: Opener) -> None:
    """One call in a second: nothing is kept back, since nothing would be left."""
    throttle = SharedThrottle(opened(), "sms.a", 1.0)
    async with asyncio.timeout(5):
        for lane in (4, 1):
            async with throttle.call(lane):
                pass
