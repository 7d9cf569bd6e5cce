"""Handing messages to a provider: throttle, then the gate, then the call, with nothing between gate and call."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

import structlog

from warnhub.channels import Provider
from warnhub.dispatch.throttle import Throttle
from warnhub.port import Bulk, Outgoing, Reason, Receipt, SendError
from warnhub.store.states import Rank

log = structlog.get_logger(__name__)

Outcome = Receipt | SendError | Rank
"""What became of a message: taken, not taken, or stopped at the gate."""


class Item(NamedTuple):
    """A message and whose it is."""

    recipient: int
    message: Outgoing


class Done(NamedTuple):
    """A message with its outcome."""

    recipient: int
    outcome: Outcome


Gate = Callable[[int], Rank | None]


async def hand_over(
    provider: Provider, items: Sequence[Item], lane: int, throttle: Throttle, gate: Gate
) -> AsyncIterator[list[Done]]:
    """Hand over `items`, giving outcomes in groups as they come. An adapter's bug is one message's `unexpected`.

    Messages with a recipient's own link are a call each, whatever the adapter: throttle and gate stand before every one.
    """
    if isinstance(provider.adapter, Bulk) and not any(item.message.link for item in items):
        for start in range(0, len(items), type(provider.adapter).most):
            yield await send_group(provider, items[start : start + type(provider.adapter).most], lane, throttle, gate)
        return
    async for done in send_each(provider, items, lane, throttle, gate):
        yield done


async def send_group(provider: Provider, items: Sequence[Item], lane: int, throttle: Throttle, gate: Gate) -> list[Done]:
    """One bulk call."""
    adapter = provider.adapter
    assert isinstance(adapter, Bulk)
    async with throttle.call(lane):
        stopped = {item.recipient: rank for item in items if (rank := gate(item.recipient)) is not None}
        going = [item for item in items if item.recipient not in stopped]
        results = await adapter.send_many([item.message for item in going]) if going else []
    done = [Done(recipient, rank) for recipient, rank in stopped.items()]
    return done + [Done(item.recipient, result) for item, result in zip(going, results, strict=True)]


async def send_each(
    provider: Provider, items: Sequence[Item], lane: int, throttle: Throttle, gate: Gate
) -> AsyncIterator[list[Done]]:
    """One call a message, `parallel` at once."""
    waiting = iter(items)
    finished: asyncio.Queue[Done] = asyncio.Queue()

    async def work() -> None:
        for item in waiting:
            finished.put_nowait(Done(item.recipient, await pass_gate(provider, item, lane, throttle, gate)))

    workers = [asyncio.create_task(work()) for _ in range(min(provider.settings.parallel, len(items)))]
    try:
        left = len(items)
        while left:
            group = [await next_done(finished, workers)]
            while not finished.empty():
                group.append(finished.get_nowait())
            left -= len(group)
            yield group
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def next_done(finished: "asyncio.Queue[Done]", workers: Sequence["asyncio.Task[None]"]) -> Done:
    """The next outcome; raises what a worker raised, so that its bug is not waited for."""
    while True:
        try:
            async with asyncio.timeout(1.0):
                return await finished.get()
        except TimeoutError:
            for worker in workers:
                if worker.done() and worker.exception():
                    worker.result()


async def pass_gate(provider: Provider, item: Item, lane: int, throttle: Throttle, gate: Gate) -> Outcome:
    """One call, if the gate is open; it is asked before the wait too, so that what has ended takes nobody's place."""
    rank = gate(item.recipient)
    if rank is not None:
        return rank
    async with throttle.call(lane):
        rank = gate(item.recipient)
        return rank if rank is not None else await send_one(provider, item.message)


async def send_one(provider: Provider, message: Outgoing) -> Outcome:
    """One call. The task boundary of a message: an adapter's bug on an odd address is that message's, not its batch's."""
    try:
        return await provider.adapter.send(message)
    except SendError as error:
        return error
    except Exception as error:
        log.error("adapter.failed", provider=provider.name, error=type(error).__name__, exc_info=error)
        return SendError(Reason.UNEXPECTED, type(error).__name__, "the adapter failed")
