"""A provider account's rate: a token bucket whose last part only the urgent lanes may take."""

import asyncio
import time
from collections.abc import Callable

URGENT = 2
RESERVE = 0.25


class Throttle:
    """At most `rate` calls a second. `clock` is monotonic seconds; `sleep` waits."""

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], "asyncio.Future[None]"] | None = None,
    ) -> None:
        self.rate = rate
        self.capacity = max(1.0, rate / 4)
        self.tokens = self.capacity
        self.clock = clock
        self.sleep = sleep or asyncio.sleep
        self.at = clock()
        self.paused_until = 0.0
        self.waiting = 0

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
