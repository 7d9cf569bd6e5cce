"""What every bus is: handlers by topic, and signals that wake whoever waits for a commit that touched a topic."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from warnhub.store.engine import Store

Handler = Callable[[str, dict[str, Any]], Awaitable[None]]
ATTEMPTS = 8


class Bus(ABC):
    """One process's bus. `subscribe` before `run`; `joined` while it works on entries."""

    def __init__(self, store: Store, poll: float = 1.0) -> None:
        self.store = store
        self.poll = poll
        self.joined = False
        self.handlers: dict[str, Handler] = {}
        self.events: dict[str, asyncio.Event] = {}
        store.listeners.append(self.notify)

    def subscribe(self, topic: str, handler: Handler) -> None:
        """`handler(key, data)` is awaited for each entry of `topic`, at least once; of one key in order."""
        self.handlers[topic] = handler

    def signal(self, topic: str) -> asyncio.Event:
        """An event that is set whenever a commit touched `topic`; the waiter clears it."""
        return self.events.setdefault(topic, asyncio.Event())

    def notify(self, topics: set[str]) -> None:
        """Called after each commit of this process, and as soon as those of others are heard of."""
        for topic in topics:
            self.signal(topic).set()

    def helpers(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What must run beside it on every node, by name."""
        return {}

    @abstractmethod
    async def run(self) -> None:
        """Serve every subscribed topic until cancelled."""


def retry_pause(failures: int) -> float:
    """Seconds to wait after so many failures of one entry: 1, 2, 4 … 60."""
    return min(60.0, 2.0 ** (failures - 1))


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Until `event` is set, at most `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
