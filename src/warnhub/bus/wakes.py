"""Who commits wakes those who wait in other processes: PostgreSQL's LISTEN and NOTIFY, told after the commit, many at once.

Nothing is lost if nobody hears: whoever waits looks for itself again, a second later at most.
"""

import asyncio

import asyncpg
import structlog

from warnhub.bus.signals import Bus
from warnhub.store.engine import TROUBLE, Store

CHANNEL = "warnhub"
GATHER = 0.004
"""Seconds over which commits are gathered before others are told: so many a second at most, whatever the load."""
QUIET = {"tally"}
log = structlog.get_logger(__name__)


class Wakes:
    """One process's ear and mouth. `node` tells our own words from others'."""

    def __init__(self, store: Store, bus: Bus, node: str) -> None:
        self.store = store
        self.bus = bus
        self.node = node
        self.untold: set[str] = set()
        self.stirred = asyncio.Event()
        store.listeners.append(self.note)

    def note(self, topics: set[str]) -> None:
        """A commit of this process touched `topics`."""
        fresh = topics - QUIET
        if fresh:
            self.untold |= fresh
            self.stirred.set()

    def hear(self, connection: object, pid: int, channel: str, said: object) -> None:
        """Another process has committed."""
        node, _, topics = str(said).partition(" ")
        if node != self.node:
            self.bus.notify(set(topics.split(",")))

    async def run(self) -> None:
        """Tell and listen until cancelled, over a connection of our own."""
        while True:
            try:
                await self.talk()
            except TROUBLE as error:
                log.warning("wakes.waits", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(0.5)

    async def talk(self) -> None:
        """As long as the connection holds."""
        plain = self.store.url.set(drivername="postgresql")
        conn = await asyncpg.connect(plain.render_as_string(hide_password=False), timeout=5)
        ended = asyncio.Event()

        def end(_: object) -> None:
            ended.set()
            self.stirred.set()

        conn.add_termination_listener(end)
        try:
            await conn.add_listener(CHANNEL, self.hear)
            self.bus.notify(set(self.bus.events))  # whatever was said while nobody listened
            while not ended.is_set():
                await self.stirred.wait()
                await asyncio.sleep(GATHER)
                self.stirred.clear()
                topics, self.untold = self.untold, set()
                if topics:
                    await conn.execute("SELECT pg_notify($1, $2)", CHANNEL, f"{self.node} {','.join(sorted(topics))}")
        finally:
            conn.terminate()
