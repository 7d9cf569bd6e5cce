"""The embedded bus: reads the outbox after each commit and hands each entry to its subscriber, at least once.

Entries of a topic are handed over in order, the urgent lanes first; topics do not wait for each other. An entry whose handler
fails is tried again after 1, 2, 4 … 60 seconds; after `ATTEMPTS` it is buried with the reason, where it is shown and replayed.
"""

import asyncio
from typing import Any

import orjson
import structlog
from sqlalchemy import text

from warnhub.bus.signals import ATTEMPTS, Bus, Handler, retry_pause, wait_for
from warnhub.store.dead import bury
from warnhub.store.engine import Store

PART = 50
log = structlog.get_logger(__name__)


class LocalBus(Bus):
    """The bus of an installation that is one process."""

    def __init__(self, store: Store, poll: float = 1.0) -> None:
        super().__init__(store, poll)
        self.failures: dict[int, int] = {}

    async def run(self) -> None:
        """Serve every subscribed topic until cancelled."""
        self.joined = True
        async with asyncio.TaskGroup() as group:
            for topic, handler in self.handlers.items():
                group.create_task(self.serve(topic, handler), name=f"bus-{topic}")

    async def serve(self, topic: str, handler: Handler) -> None:
        """One topic, in order."""
        wake = self.signal(topic)
        query = text(f"SELECT id, key, data, lane FROM outbox WHERE topic = :t ORDER BY lane, id LIMIT {PART}")
        while True:
            wake.clear()
            async with self.store.read() as conn:
                rows = (await conn.execute(query, {"t": topic})).all()
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
            await asyncio.sleep(retry_pause(count))
            return False
        packed = row.data if isinstance(row.data, str) else orjson.dumps(row.data).decode()
        async with self.store.write() as tx:
            await bury(tx, topic, row.key, packed, f"{type(error).__name__}: {error}", f"outbox@{row.id}", row.lane)
            await tx.conn.execute(text("DELETE FROM outbox WHERE id = :id"), {"id": row.id})
        self.failures.pop(row.id, None)
        return True
