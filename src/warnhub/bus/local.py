"""The embedded bus: reads the outbox after each commit and hands each entry to its subscriber, at least once.

Entries of a topic are handed over in order; topics do not wait for each other. An entry whose handler fails is tried again
after 1, 2, 4 … 60 seconds; after `ATTEMPTS` it is moved to the topic `dead` with the reason, where it is shown and replayed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import structlog
from sqlalchemy import text

from warnhub.store.engine import Store

ATTEMPTS = 8
DEAD = "dead"

Handler = Callable[[str, dict[str, Any]], Awaitable[None]]
log = structlog.get_logger(__name__)


class LocalBus:
    """One process's bus. `subscribe` before `run`."""

    def __init__(self, store: Store, poll: float = 1.0) -> None:
        self.store = store
        self.poll = poll
        self.handlers: dict[str, Handler] = {}
        self.events: dict[str, asyncio.Event] = {}
        self.failures: dict[int, int] = {}
        store.listeners.append(self.notify)

    def subscribe(self, topic: str, handler: Handler) -> None:
        """`handler(key, data)` is awaited for each entry of `topic`."""
        self.handlers[topic] = handler

    def signal(self, topic: str) -> asyncio.Event:
        """An event that is set whenever a commit touched `topic`; the waiter clears it."""
        return self.events.setdefault(topic, asyncio.Event())

    def notify(self, topics: set[str]) -> None:
        """Called after each commit."""
        for topic in topics:
            self.signal(topic).set()

    async def run(self) -> None:
        """Serve every subscribed topic until cancelled."""
        async with asyncio.TaskGroup() as group:
            for topic, handler in self.handlers.items():
                group.create_task(self.serve(topic, handler), name=f"bus-{topic}")

    async def serve(self, topic: str, handler: Handler) -> None:
        """One topic, in order."""
        wake = self.signal(topic)
        while True:
            wake.clear()
            async with self.store.read() as conn:
                rows = (
                    await conn.execute(
                        text("SELECT id, key, data FROM outbox WHERE topic = :t ORDER BY id LIMIT 200"), {"t": topic}
                    )
                ).all()
            for row in rows:
                if not await self.handle(topic, handler, row):
                    break
            if not rows:
                await wait_for(wake, self.poll)

    async def handle(self, topic: str, handler: Handler, row: Any) -> bool:
        """Hand one entry over; False if it must be tried again first."""
        try:
            data = row.data if isinstance(row.data, dict) else orjson.loads(row.data)
            await handler(row.key, data)
        except Exception as error:  # noqa: BLE001 - the task boundary: a handler's bug must not stop the desk
            return await self.fail(topic, row, error)
        self.failures.pop(row.id, None)
        async with self.store.write() as tx:
            await tx.conn.execute(text("DELETE FROM outbox WHERE id = :id"), {"id": row.id})
        return True

    async def fail(self, topic: str, row: Any, error: Exception) -> bool:
        """Wait and try again, or bury; True once it is buried."""
        count = self.failures[row.id] = self.failures.get(row.id, 0) + 1
        log.error("bus.failed", topic=topic, key=row.key, attempt=count, error=type(error).__name__, exc_info=error)
        if count < ATTEMPTS:
            await asyncio.sleep(min(60.0, 2.0 ** (count - 1)))
            return False
        async with self.store.write() as tx:
            await tx.publish(
                DEAD, row.key, {"topic": topic, "entry": str(row.data), "error": f"{type(error).__name__}: {error}"}
            )
            await tx.conn.execute(text("DELETE FROM outbox WHERE id = :id"), {"id": row.id})
        self.failures.pop(row.id, None)
        return True


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Until `event` is set, at most `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
