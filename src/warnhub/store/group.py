"""Group commit: many callers, one transaction, each answered after the commit."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from warnhub.store.engine import Store, Tx

LONGEST = 0.03
T = TypeVar("T")
R = TypeVar("R")


class Group(Generic[T, R]):
    """Gathers items and applies up to `most` of them in one transaction; `size` says how many an item counts for.

    `apply` gives one result for each item. A lone item is committed at once and a crowd shares: after a commit the next group
    gathers for as long as that one took, at most `LONGEST` seconds. Without that nobody would share on SQLite, where a
    transaction runs on the loop and nobody arrives meanwhile.
    """

    def __init__(
        self,
        store: Store,
        apply: Callable[[Tx, Sequence[T]], Awaitable[Sequence[R]]],
        most: int = 2_000,
        size: Callable[[T], int] = lambda item: 1,
    ) -> None:
        self.store = store
        self.apply = apply
        self.most = most
        self.size = size
        self.waiting: list[tuple[T, asyncio.Future[R]]] = []
        self.worker: asyncio.Task[None] | None = None

    async def put(self, item: T) -> R:
        """What `apply` gave for `item`, after it is committed."""
        return (await self.put_all([item]))[0]

    async def put_all(self, items: Sequence[T]) -> list[R]:
        """The same for several, in their order."""
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[R]] = [loop.create_future() for _ in items]
        self.waiting.extend(zip(items, futures, strict=True))
        if self.worker is None or self.worker.done():
            self.worker = asyncio.create_task(self.drain())
        return list(await asyncio.gather(*futures))

    def fitting(self) -> int:
        """How many of those who wait go into one transaction: at least one."""
        total = 0
        for number, (item, _) in enumerate(self.waiting):
            total += self.size(item)
            if total > self.most:
                return max(1, number)
        return len(self.waiting)

    async def drain(self) -> None:
        """Commit groups until nobody waits."""
        while self.waiting:
            count, began = self.fitting(), time.monotonic()
            group, self.waiting = self.waiting[:count], self.waiting[count:]
            try:
                async with self.store.write() as tx:
                    results = await self.apply(tx, [item for item, _ in group])
                    answers = list(zip(group, results, strict=True))
            except BaseException as error:
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)
                if not isinstance(error, Exception):
                    raise
                continue
            for (_, future), result in answers:
                if not future.done():
                    future.set_result(result)
            await asyncio.sleep(min(LONGEST, time.monotonic() - began))
