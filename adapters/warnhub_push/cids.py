"""JPush's own keys against a repeat: asked for ahead, each bound to one set of messages for a day.

A cid that was used gives the first call's result again and pushes nothing. It must come from JPush, so it cannot be computed
from our references; it is remembered here for exactly the same set. Part of a set gets another: with the old one it would be
called taken though it may never have been.
https://docs.jiguang.cn/jpush/server/push/rest_api_v3_push_advanced
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable

from warnhub.port import SendError, unsent

LIFE = 22 * 3600.0
"""Seconds; JPush keeps a cid for a day."""

KEPT = 10_000
"""Sets remembered; the oldest is forgotten first."""


class Cids:
    """A pool filled by `fetch`, and the cids given out by the digest of their sets."""

    def __init__(self, fetch: Callable[[], Awaitable[list[str]]], now: Callable[[], float] = time.monotonic) -> None:
        self.fetch = fetch
        self.now = now
        self.lock = asyncio.Lock()
        self.pool: list[str] = []
        self.ends = 0.0
        self.failure: SendError | None = None
        self.quiet = 0.0
        self.bound: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    async def get(self, references: Iterable[str]) -> str:
        """The cid of this set of messages: the same one for a day."""
        key = hashlib.blake2s("\n".join(sorted(references)).encode()).digest()
        async with self.lock:
            cid, ends = self.bound.get(key, ("", 0.0))
            if cid and self.now() < ends:
                return cid
            if not self.pool or self.now() >= self.ends:
                await self.fill()
            cid = self.pool.pop()
            self.bound[key] = cid, self.ends
            if len(self.bound) > KEPT:
                self.bound.popitem(last=False)
            return cid

    async def fill(self) -> None:
        """Fetch new ones; a failure is everybody's for a second, so that nobody waits for his own behind it."""
        if self.failure and self.now() < self.quiet:
            raise unsent(self.failure)
        try:
            self.pool, self.ends = await self.fetch(), self.now() + LIFE
        except SendError as error:
            self.failure, self.quiet = unsent(error), self.now() + 1
            raise self.failure from None
        self.failure = None
