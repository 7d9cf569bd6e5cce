"""The lines of a trunk: how many calls are in the air, and who waits for a free one, the urgent first."""

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

POLL = 1.0


class Trunk:
    """At most `lines` calls at once. A call that no end is heard of is taken for over after `longest` seconds."""

    def __init__(self, lines: int, longest: float, now: Callable[[], float] = time.monotonic) -> None:
        self.lines = lines
        self.longest = longest
        self.now = now
        self.calls: dict[str, float] = {}
        self.held = 0
        self.waiting: list[tuple[int, int, asyncio.Event]] = []
        self.order = itertools.count()

    @property
    def free(self) -> int:
        """Lines nobody talks on or dials."""
        old = self.now() - self.longest
        for reference in [key for key, since in self.calls.items() if since < old]:
            del self.calls[reference]
        return self.lines - len(self.calls) - self.held

    @asynccontextmanager
    async def hold(self, lane: int) -> AsyncIterator[None]:
        """Wait for a free line and hold it while it is dialled; the lower `lane` goes first."""
        turn = (lane, next(self.order), asyncio.Event())
        heapq.heappush(self.waiting, turn)
        try:
            while self.waiting[0] is not turn or self.free < 1:
                turn[2].clear()
                try:
                    await asyncio.wait_for(turn[2].wait(), POLL)
                except TimeoutError:
                    continue
        finally:
            self.waiting.remove(turn)
            heapq.heapify(self.waiting)
        self.held += 1
        self.wake()
        try:
            yield
        finally:
            self.held -= 1
            self.wake()

    def begin(self, reference: str) -> None:
        """A call is in the air."""
        self.calls[reference] = self.now()

    def end(self, reference: str) -> None:
        """It is over."""
        self.calls.pop(reference, None)
        self.wake()

    def wake(self) -> None:
        """Let the first who waits look."""
        if self.waiting:
            self.waiting[0][2].set()
