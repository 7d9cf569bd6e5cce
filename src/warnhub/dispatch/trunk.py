"""The lines of a trunk, shared by every worker: who waits for a free one, the urgent first, and which are taken.

A line is a row of the ledger, so no two processes count past each other: it is taken before the call, and free when the report
of its end is kept, wherever that comes in; when the provider certainly took nothing; or after as long as a call can last.
"""

import heapq
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy import text

from warnhub.bus.signals import Bus, wait_for
from warnhub.port import Reason, Receipt, SendError
from warnhub.store.engine import TROUBLE, Store

POLL = 1.0
"""Seconds after which whoever waits looks for itself, should no word of a free line have come."""

MAYBE = frozenset({Reason.UNKNOWN, Reason.UNEXPECTED})
log = structlog.get_logger(__name__)


class Trunk:
    """At most `lines` calls of `provider` at once. One that no end is heard of is taken for over after `longest` seconds."""

    def __init__(self, store: Store, bus: Bus, provider: str, lines: int, longest: float) -> None:
        self.store = store
        self.signal = bus.signal("line")
        self.provider = provider
        self.lines = lines
        self.longest = int(longest * 1000)
        self.waiting: list[tuple[int, int]] = []
        self.order = itertools.count()
        self.chance = random.Random()  # noqa: S311 - spreads workers over the lines, is no secret

    @asynccontextmanager
    async def hold(self, lane: int, reference: str) -> AsyncIterator["Hold"]:
        """Wait for a free line, the lower `lane` first, and take it for the message `reference`.

        What is told of the call by `Hold.ended` says whether the line is free again when it has been handed over.
        """
        turn = (lane, next(self.order))
        heapq.heappush(self.waiting, turn)
        try:
            while self.waiting[0] != turn or not await self.take(reference):
                self.signal.clear()
                await wait_for(self.signal, POLL)
        finally:
            self.waiting.remove(turn)
            heapq.heapify(self.waiting)
        self.signal.set()
        hold = Hold()
        try:
            yield hold
        finally:
            if hold.free:
                await self.leave(reference)

    async def take(self, reference: str) -> bool:
        """One of the free lines, if there is any."""
        try:
            async with self.store.write() as tx:
                busy = await tx.conn.execute(
                    text("SELECT slot FROM line WHERE provider = :p AND until > :now"), {"p": self.provider, "now": tx.now}
                )
                free = sorted(set(range(self.lines)) - {int(row.slot) for row in busy})
                if not free:
                    return False
                taken = await tx.conn.execute(
                    text(
                        "INSERT INTO line (provider, slot, reference, until) VALUES (:p, :s, :r, :u) "
                        "ON CONFLICT (provider, slot) DO UPDATE SET reference = excluded.reference, until = excluded.until "
                        "WHERE line.until <= CAST(:now AS bigint)"
                    ),
                    {
                        "p": self.provider,
                        "s": self.chance.choice(free),
                        "r": reference,
                        "u": tx.now + self.longest,
                        "now": tx.now,
                    },
                )
                return bool(taken.rowcount)
        except TROUBLE as error:  # without the ledger nobody knows how many are in the air
            log.warning("trunk.waits", provider=self.provider, error=type(error).__name__)
            return False

    async def leave(self, reference: str) -> None:
        """The line is free: nobody was called."""
        try:
            async with self.store.write() as tx:
                await tx.conn.execute(
                    text("DELETE FROM line WHERE provider = :p AND reference = :r"), {"p": self.provider, "r": reference}
                )
                tx.wake("line")
        except TROUBLE as error:  # it is free by itself after `longest`
            log.warning("trunk.not_left", provider=self.provider, error=type(error).__name__)


class Hold:
    """A line in somebody's hand. `free`: it is so again, unless a call may be in the air."""

    def __init__(self) -> None:
        self.free = True

    def ended(self, outcome: object) -> None:
        """What handing over came to."""
        maybe = isinstance(outcome, SendError) and outcome.reason in MAYBE
        self.free = not (maybe or isinstance(outcome, Receipt))
