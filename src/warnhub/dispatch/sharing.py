"""A provider account's rate, shared by every worker: one row in the store is the bucket, workers take slices of it.

A worker takes a fifth of a second's calls at a time, under the row's lock, and has a second to make them; what it does not make
is void, and what it gives up in good order goes back. The last part of the bucket is for the urgent lanes alone, whoever asks.
A worker that dies takes one slice with it and no share: the bucket fills by the whole rate for those who are left.
"""

import asyncio
from collections import defaultdict
from typing import Any

import structlog
from sqlalchemy import text

from warnhub.dispatch.throttle import RESERVE, URGENT, Throttle
from warnhub.store.engine import TROUBLE, Store, Tx

SLICE = 0.2
HOLDS = 1.0
log = structlog.get_logger(__name__)


class SharedThrottle(Throttle):
    """As a throttle of one process, with its tokens in the store; calls in flight are counted for each process."""

    def __init__(self, store: Store, provider: str, rate: float, **more: Any) -> None:
        super().__init__(rate, **more)
        self.store = store
        self.provider = provider
        self.slice = max(1, int(rate * SLICE))
        self.pots: dict[bool, int] = defaultdict(int)
        self.until: dict[bool, float] = defaultdict(float)
        self.asked: dict[bool, float] = defaultdict(float)
        self.locks: dict[bool, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.telling: set[asyncio.Task[None]] = set()

    def wait_time(self, lane: int) -> float:
        """Seconds until it is worth asking the store again; 0 if a call may go or the store may be asked now."""
        now = self.clock()
        held = self.has(lane) is not None
        return max(0.0, self.paused_until - now, 0.0 if held else self.asked[lane <= URGENT] - now)

    def has(self, lane: int) -> bool | None:
        """The pot that a call in `lane` may be paid from: True the urgent one, False the common one, None if both are empty."""
        now = self.clock()
        for pot in (True, False) if lane <= URGENT else (False,):
            if self.pots[pot] > 0 and now < self.until[pot]:
                return pot
        return None

    async def acquire(self, lane: int) -> None:
        """Wait for one call's worth, from what we hold or from the store."""
        self.waiting += 1
        try:
            while self.clock() < self.paused_until or (pot := self.has(lane)) is None:
                wait = self.wait_time(lane)
                if wait <= 0:
                    wait = await self.take(lane)
                if wait > 0:
                    await self.sleep(min(wait, 0.5))
            self.pots[pot] -= 1
        finally:
            self.waiting -= 1

    def grab(self, lane: int) -> bool:
        """Take one call's worth of what we hold."""
        if self.clock() < self.paused_until or (pot := self.has(lane)) is None:
            return False
        self.pots[pot] -= 1
        return True

    async def take(self, lane: int) -> float:
        """Take a slice from the store; gives the seconds to wait if there is none."""
        urgent = lane <= URGENT
        async with self.locks[urgent]:
            if self.has(lane) is not None or self.asked[urgent] > self.clock():
                return self.wait_time(lane)
            try:
                async with self.store.write() as tx:
                    granted, wait, paused = await self.draw(tx, urgent)
            except TROUBLE as error:
                log.warning("throttle.waits", provider=self.provider, error=type(error).__name__)
                return 0.5
            self.pots[urgent], self.until[urgent] = granted, self.clock() + HOLDS
            self.asked[urgent] = 0.0 if granted else self.clock() + wait
            self.paused_until = max(self.paused_until, self.clock() + paused)
            return 0.0 if granted else wait

    async def draw(self, tx: Tx, urgent: bool) -> tuple[int, float, float]:
        """(calls granted, seconds to wait if none, seconds for which the provider wants nothing)."""
        tokens, at, paused_until = await self.lock_row(tx)
        kept = 0.0 if urgent or self.capacity <= 2 else self.capacity * RESERVE
        granted = min(self.slice, int(tokens - kept + 1e-9)) if paused_until <= tx.now else 0
        await self.write_row(tx, tokens - max(0, granted), at, paused_until)
        paused = max(0.0, (paused_until - tx.now) / 1000)
        return max(0, granted), max(0.002, paused, (1 + kept - tokens) / self.rate), paused

    async def lock_row(self, tx: Tx) -> tuple[float, int, int]:
        """(tokens, when, paused until) of the account as of now, ours until the commit."""
        lock = "" if tx.conn.dialect.name == "sqlite" else "FOR UPDATE"
        query = text(f"SELECT tokens, at, paused_until FROM quota WHERE provider = :p {lock}")
        row = (await tx.conn.execute(query, {"p": self.provider})).first()
        if row is None:
            await tx.conn.execute(
                text("INSERT INTO quota (provider, tokens, at, paused_until) VALUES (:p, :n, :now, 0) ON CONFLICT DO NOTHING"),
                {"p": self.provider, "n": self.capacity, "now": tx.now},
            )
            row = (await tx.conn.execute(query, {"p": self.provider})).one()
        at = max(int(row.at), tx.now)
        return min(self.capacity, row.tokens + (at - row.at) / 1000 * self.rate), at, int(row.paused_until)

    async def write_row(self, tx: Tx, tokens: float, at: int, paused_until: int) -> None:
        """What is left."""
        await tx.conn.execute(
            text("UPDATE quota SET tokens = :n, at = :at, paused_until = :u WHERE provider = :p"),
            {"n": tokens, "at": at, "u": paused_until, "p": self.provider},
        )

    def pause(self, seconds: float) -> None:
        """The provider said: not before then. The other workers hear of it with their next slice."""
        super().pause(seconds)
        task = asyncio.ensure_future(self.tell(seconds))
        self.telling.add(task)
        task.add_done_callback(self.telling.discard)

    async def tell(self, seconds: float) -> None:
        """Put the pause where everybody looks."""
        try:
            async with self.store.write() as tx:
                tokens, at, paused_until = await self.lock_row(tx)
                await self.write_row(tx, tokens, at, max(paused_until, tx.now + int(seconds * 1000)))
        except TROUBLE as error:
            log.warning("throttle.not_told", provider=self.provider, error=type(error).__name__)

    async def give_back(self) -> None:
        """Return what was taken and will not be used."""
        left = sum(n for pot, n in self.pots.items() if self.clock() < self.until[pot])
        self.pots.clear()
        if left > 0:
            async with self.store.write() as tx:
                tokens, at, paused_until = await self.lock_row(tx)
                await self.write_row(tx, min(self.capacity, tokens + left), at, paused_until)
