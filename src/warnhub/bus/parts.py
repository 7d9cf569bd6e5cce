"""A partition in a consumer's hand: its entries are worked on side by side, those of one key in order."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

FULL = 64


class Part:
    """What was read of one partition and is not committed yet. `work(record)` is awaited once for each record."""

    def __init__(self, work: Callable[[Any], Awaitable[None]]) -> None:
        self.work = work
        self.open: dict[int, asyncio.Task[None]] = {}
        self.tails: dict[tuple[str, bytes], asyncio.Task[None]] = {}
        self.begun: set[int] = set()
        self.seen = -1
        self.committed = -1

    @property
    def full(self) -> bool:
        """Whether nothing more should be read for now."""
        return len(self.open) >= FULL

    @property
    def position(self) -> int:
        """The offset to commit: everything before it is done. Negative where nothing was read."""
        return min(self.open, default=self.seen + 1)

    def add(self, record: Any) -> None:
        """Begin with a record, behind what is older of its key."""
        name = (record.topic, record.key or b"")
        self.seen = max(self.seen, record.offset)
        task = asyncio.create_task(self.follow(record, self.tails.get(name)), name=f"entry-{record.topic}-{record.offset}")
        self.open[record.offset] = self.tails[name] = task

        def done(task: "asyncio.Task[None]") -> None:
            if not task.cancelled() and task.exception() is None:
                self.open.pop(record.offset, None)
            if self.tails.get(name) is task:
                del self.tails[name]

        task.add_done_callback(done)

    async def follow(self, record: Any, before: "asyncio.Task[None] | None") -> None:
        """One record, after the one before it."""
        if before is not None:
            await asyncio.wait([before])
        self.begun.add(record.offset)
        try:
            await self.work(record)
        finally:
            self.begun.discard(record.offset)

    async def give_up(self, seconds: float) -> None:
        """Begin with nothing new, and let what has begun come to its end."""
        for offset, task in list(self.open.items()):
            if offset not in self.begun:
                task.cancel()
        left = list(self.open.values())
        if left:
            await asyncio.wait(left, timeout=seconds)
        for task in self.open.values():
            task.cancel()
