"""Whose turn it is to write where only one can: who is in a hurry goes before the others who wait."""

import asyncio
import heapq
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

hurried: ContextVar[bool] = ContextVar("hurried", default=False)


@contextmanager
def hurry(really: bool = True) -> Iterator[None]:
    """What is written in this block goes before the others that wait for their turn: what a red warning waits for.

    Nobody starves: whoever writes twice in a hurry asks anew the second time, and by then the turn is somebody else's.
    """
    token = hurried.set(really or hurried.get())
    try:
        yield
    finally:
        hurried.reset(token)


class Turns:
    """A lock, as a context manager: one at a time, the hurried first and then in order."""

    def __init__(self) -> None:
        self.busy = False
        self.queue: list[tuple[bool, int, asyncio.Future[None]]] = []
        self.order = itertools.count()

    async def __aenter__(self) -> None:
        if not self.busy:
            self.busy = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self.queue, (not hurried.get(), next(self.order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.pass_on()
            raise

    async def __aexit__(self, *raised: object) -> None:
        self.pass_on()

    def pass_on(self) -> None:
        """The next one's turn."""
        while self.queue:
            _, _, turn = heapq.heappop(self.queue)
            if not turn.done():
                turn.set_result(None)
                return
        self.busy = False
