"""A provider account's limits: a token bucket whose last part only the urgent lanes may take, and the calls in flight."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

URGENT = 2
RESERVE = 0.25
ENDLESS = 1_000_000


class Throttle:
    """At most `rate` calls a second, `parallel` at once. `clock` is monotonic seconds; `sleep` waits."""

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], "asyncio.Future[None]"] | None = None,
        parallel: int = ENDLESS,
    ) -> None:
        self.rate = rate
        self.capacity = max(1.0, rate / 4)
        self.tokens = self.capacity
        self.clock = clock
        self.sleep = sleep or asyncio.sleep
        self.at = clock()
        self.paused_until = 0.0
        self.waiting = 0
        self.free = parallel
        self.queue: list[tuple[int, int, asyncio.Future[None]]] = []
        self.order = itertools.count()

    async def give_back(self) -> None:
        """Return what will not be used; nothing where nobody shares."""

    def fill(self) -> None:
        """Add what time has brought."""
        now = self.clock()
        self.tokens = min(self.capacity, self.tokens + (now - self.at) * self.rate)
        self.at = now

    def pause(self, seconds: float) -> None:
        """The provider said: not before then. Nobody passes, whatever the lane."""
        self.paused_until = max(self.paused_until, self.clock() + seconds)

    def wait_time(self, lane: int) -> float:
        """Seconds until a call in `lane` may go; 0 for now."""
        self.fill()
        floor = 1.0 if lane <= URGENT else 1.0 + self.capacity * RESERVE if self.capacity > 2 else 1.0
        paused = self.paused_until - self.clock()
        short = (floor - self.tokens) / self.rate if self.tokens < floor else 0.0
        return max(0.0, paused, short)

    async def acquire(self, lane: int) -> None:
        """Wait for one call's worth; who waits is counted, so that it can be shown."""
        self.waiting += 1
        try:
            while (wait := self.wait_time(lane)) > 0:
                await self.sleep(min(wait, 0.5))
            self.tokens -= 1
        finally:
            self.waiting -= 1

    def call(self, lane: int) -> "Call":
        """One call: its part of the rate, then a place among those in flight, the urgent first; held to the end of the block.

        Whatever must be true of the call is to be asked inside: it may have waited.
        """
        return Call(self, lane)

    def place(self, lane: int) -> "Place":
        """Room for one call after the other, given up for whoever is more urgent; held to the end of the block at most."""
        return Place(self, lane)

    def again(self, lane: int) -> bool:
        """Whether who has just made a call may make another from the same place: its part of the rate is there, and taken, and
        nobody more urgent waits for the place."""
        if self.queue and self.queue[0][0] < lane:
            return False
        return self.grab(lane)

    def grab(self, lane: int) -> bool:
        """Take one call's worth of the rate if it is there."""
        if self.wait_time(lane) > 0:
            return False
        self.tokens -= 1
        return True

    async def enter(self, lane: int) -> None:
        """Take a place in flight."""
        if self.free > 0:
            self.free -= 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self.queue, (lane, next(self.order), place))
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Give a place to the most urgent who waits."""
        while self.queue:
            _, _, place = heapq.heappop(self.queue)
            if not place.done():
                place.set_result(None)
                return
        self.free += 1


class Call:
    """What `Throttle.call` gives: a class, for a generator costs several times as much and this is done for each message."""

    __slots__ = ("lane", "throttle")

    def __init__(self, throttle: Throttle, lane: int) -> None:
        self.throttle = throttle
        self.lane = lane

    async def __aenter__(self) -> None:
        await self.throttle.acquire(self.lane)
        await self.throttle.enter(self.lane)

    async def __aexit__(self, *raised: object) -> None:
        self.throttle.leave()


class Place:
    """What `Throttle.place` gives. To queue for each call would cost a turn of the loop for each, and change who goes by
    nothing: a place given up is taken by the next of the same lane."""

    __slots__ = ("held", "lane", "throttle")

    def __init__(self, throttle: Throttle, lane: int) -> None:
        self.throttle = throttle
        self.lane = lane
        self.held = False

    async def take(self) -> None:
        """Wait for one call's part of the rate, and for a place in flight; whoever waits for the rate holds no place."""
        if self.held:
            if self.throttle.again(self.lane):
                return
            self.held = False
            self.throttle.leave()
        await self.throttle.acquire(self.lane)
        await self.throttle.enter(self.lane)
        self.held = True

    async def __aenter__(self) -> "Place":
        return self

    async def __aexit__(self, *raised: object) -> None:
        if self.held:
            self.held = False
            self.throttle.leave()
