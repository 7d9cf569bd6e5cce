"""Calls in flight: no more at once than a provider takes, and the urgent before those that wait longer."""

import asyncio

from warnhub.channels import Provider
from warnhub.dispatch.handover import Item, hand_over
from warnhub.dispatch.throttle import Throttle
from warnhub.port import ChannelSettings, Outgoing, Receipt, SendError
from warnhub.store.states import Rank
from warnhub.testing import Outbox, outgoing


class Counter(Outbox):
    """Takes a hundredth of a second for a call and keeps how many ran at once; a bulk adapter by its `most`."""

    most = 100

    def __init__(self) -> None:
        super().__init__()
        self.running = self.highest = self.bulk = 0
        self.begun = asyncio.Event()

    async def send(self, message: Outgoing) -> Receipt:
        """One call."""
        self.running += 1
        self.highest = max(self.highest, self.running)
        await asyncio.sleep(0.01)
        self.running -= 1
        if len(self.sent) == 5:
            self.begun.set()
        return await super().send(message)

    async def send_many(self, messages: list[Outgoing]) -> list[Receipt | SendError]:
        """One call for all."""
        self.bulk += 1
        return [await super(Counter, self).send(message) for message in messages]


def made(parallel: int = 3) -> tuple[Provider, Throttle, Counter]:
    """A provider, its limits and its adapter."""
    settings, adapter = ChannelSettings(rate=10_000, parallel=parallel), Counter()
    return Provider("sms.test", "sms", adapter, settings), Throttle(10_000, parallel=parallel), adapter


async def hand(provider: Provider, throttle: Throttle, lane: int, start: int, stop: int, link: str = "https://w/a/1") -> None:
    """Hand over messages with these numbers."""
    items = [Item(n, outgoing(n, link=link, lane=lane)) for n in range(start, stop)]
    async for _ in hand_over(provider, items, lane, throttle, lambda recipient: None):
        pass


async def test_batches_share_a_providers_places() -> None:
    """Four batches of a provider that takes three calls at once make three at once."""
    provider, throttle, adapter = made()
    await asyncio.gather(*(hand(provider, throttle, 4, n, n + 10) for n in range(0, 40, 10)))
    assert (adapter.highest, len(adapter.sent)) == (3, 40)


async def test_the_urgent_go_before_who_waits_longer() -> None:
    """Red gets the next free place, whatever waits."""
    provider, throttle, adapter = made()
    blue = asyncio.create_task(hand(provider, throttle, 4, 0, 60))
    await adapter.begun.wait()
    await hand(provider, throttle, 1, 100, 105)
    assert [message.lane for message in adapter.sent].count(4) <= 6 + 9
    await blue
    assert len(adapter.sent) == 65


async def test_a_place_is_kept_from_call_to_call_and_given_up_for_red() -> None:
    """Without a turn in the queue while nobody more urgent waits and the rate allows it; who waits for the rate holds none."""
    now = 0.0
    throttle = Throttle(8, lambda: now, parallel=1)
    async with throttle.place(4) as blue:
        await blue.take()
        same = asyncio.create_task(throttle.enter(4))
        await asyncio.sleep(0)
        assert throttle.again(4)
        red = asyncio.create_task(throttle.enter(1))
        await asyncio.sleep(0)
        assert not throttle.again(4)
        waiting = asyncio.create_task(blue.take())
        async with asyncio.timeout(10):
            await red
        assert not same.done()
        assert not throttle.grab(4)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert not blue.held
        throttle.leave()
        await same
        throttle.leave()
    assert throttle.free == 1


async def test_a_caller_who_gives_up_leaves_no_place_behind() -> None:
    """Cancelled in the queue, or just as its turn came."""
    throttle = Throttle(10_000, parallel=1)
    async with throttle.call(1):
        waiting = [asyncio.create_task(throttle.enter(1)) for _ in range(2)]
        await asyncio.sleep(0.01)
        waiting[0].cancel()
    waiting[1].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    async with asyncio.timeout(10), throttle.call(4):
        assert throttle.free == 0


async def test_personal_messages_are_calls_of_their_own() -> None:
    """With a link of its own each message passes the gate by itself; without, many go in one call."""
    provider, throttle, adapter = made()
    closed = False

    def gate(recipient: int) -> Rank | None:
        return Rank.SUPERSEDED if closed else None

    items = [Item(n, outgoing(n, link=f"https://w/a/{n}")) for n in range(30)]
    done = []
    async for group in hand_over(provider, items, 2, throttle, gate):
        done += group
        closed = True
    assert adapter.bulk == 0
    assert sum(one.outcome is Rank.SUPERSEDED for one in done) == 30 - len(adapter.sent) >= 20
    await hand(provider, throttle, 2, 0, 30, link="")
    assert adapter.bulk == 1


async def test_what_has_ended_takes_no_part_of_the_rate() -> None:
    """A batch in hand of a warning that is over makes way at once, however slow its provider."""
    provider, _, adapter = made()
    throttle = Throttle(1, parallel=3)
    items = [Item(n, outgoing(n)) for n in range(500)]
    async with asyncio.timeout(20):
        async for _ in hand_over(provider, [Item(0, outgoing(0, link="x")), *items], 2, throttle, lambda _: Rank.EXPIRED):
            pass
    assert (adapter.sent, throttle.wait_time(2)) == ([], 0)
