"""What viewers see: one query a second for each warning watched, whatever the number of viewers."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from warnhub.channels import Provider
from warnhub.monitor.summary import Summary, read_summary
from warnhub.plan.audience import Places
from warnhub.store.engine import Store
from warnhub.store.warnings import find_warning

FRESH = 1.0
HEARTBEAT = 15.0


@dataclass(slots=True)
class Seen:
    """The last figures of a warning, and when they were read."""

    at: float = -1e9
    summary: Summary | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Monitor:
    """Shared, cached summaries."""

    def __init__(self, store: Store, places: Places, providers: Mapping[str, Provider] = MappingProxyType({})) -> None:
        self.store = store
        self.places = places
        self.providers = providers
        self.seen: dict[str, Seen] = {}

    async def summary(self, uid: str, fresh: float = FRESH) -> Summary | None:
        """The figures of a warning, at most `fresh` seconds old; None if there is no such warning."""
        seen = self.seen.setdefault(uid, Seen())
        async with seen.lock:
            if time.monotonic() - seen.at >= fresh:
                async with self.store.read() as conn:
                    warning = await find_warning(conn, uid)
                    if warning is None:
                        self.seen.pop(uid, None)
                        return None
                    now = await self.store.now(conn)
                    seen.summary = await read_summary(conn, warning, now, self.places.names, self.providers)
                seen.at = time.monotonic()
        return seen.summary

    async def follow(self, uid: str) -> AsyncIterator[Summary | None]:
        """The figures whenever they change; None as a heartbeat when they have not for a while."""
        last, said = None, time.monotonic()
        while True:
            summary = await self.summary(uid)
            if summary is None:
                return
            key = summary.model_dump(exclude={"at"})
            if key != last:
                last, said = key, time.monotonic()
                yield summary
            elif time.monotonic() - said > HEARTBEAT:
                said = time.monotonic()
                yield None
            await asyncio.sleep(FRESH / 2)
