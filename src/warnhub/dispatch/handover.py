"""Handing messages to a provider: throttle, then the gate, then the call, with nothing between gate and call."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

import structlog

from warnhub.bus.signals import wait_for
from warnhub.channels import Provider
from warnhub.dispatch.throttle import Place, Throttle
from warnhub.dispatch.trunk import Trunk
from warnhub.port import Bulk, Crowd, Outgoing, Reason, Receipt, SendError
from warnhub.store.batches import Batch
from warnhub.store.states import Rank
from warnhub.traces import Span, span

PACE = 0.02
"""Seconds between groups of outcomes: a group costs, whether it is of one or of hundreds."""
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
    provider: Provider, items: Sequence[Item], lane: int, throttle: Throttle, gate: Gate, trunk: Trunk | None = None
) -> AsyncIterator[list[Done]]:
    """Hand over `items`, giving outcomes in groups as they come. An adapter's bug is one message's `unexpected`.

    Messages with a recipient's own link are a call each, whatever the adapter: throttle and gate stand before every one.
    """
    if isinstance(provider.adapter, Bulk) and not any(item.message.link for item in items):
        for start in range(0, len(items), type(provider.adapter).most):
            yield await send_group(provider, items[start : start + type(provider.adapter).most], lane, throttle, gate)
        return
    async for done in send_each(provider, items, lane, throttle, gate, trunk):
        yield done


class Many(NamedTuple):
    """Several messages with the same outcome."""

    recipients: Sequence[int]
    outcome: Outcome


async def hand_crowd(
    provider: Provider, recipients: Sequence[int], crowd: Crowd, lane: int, throttle: Throttle, gate: Gate
) -> AsyncIterator[list[Many]]:
    """Hand over those who hear the same words, in as many calls as it takes; throttle and gate stand before every one."""
    adapter = provider.adapter
    assert isinstance(adapter, Bulk)
    most = type(adapter).most
    for start in range(0, len(crowd), most):
        people, messages = recipients[start : start + most], crowd[start : start + most]
        async with throttle.call(lane):
            stopped = {person: rank for person in people if (rank := gate(person)) is not None}
            if stopped:
                going = [place for place, person in enumerate(people) if person not in stopped]
                people, messages = [people[place] for place in going], messages.only(going)
            results = await send_many(provider, adapter, messages) if people else []
        yield [Many([person], rank) for person, rank in stopped.items()] + same(people, results)


def same(people: Sequence[int], results: Sequence[Receipt | SendError]) -> list[Many]:
    """The outcomes of a call, as one where they are one and the same."""
    if len(people) != len(results):
        raise ValueError(f"{len(results)} outcomes for {len(people)} messages")
    if results and all(result is results[0] for result in results):
        return [Many(people, results[0])]
    return [Many([person], result) for person, result in zip(people, results, strict=True)]


async def send_many(provider: Provider, adapter: Bulk, messages: Sequence[Outgoing]) -> Sequence[Receipt | SendError]:
    """One bulk call, traced."""
    with call_span(provider, len(messages)) as here:
        results = await adapter.send_many(messages)
        refused = [result.reason.value for result in results if isinstance(result, SendError)]
        here.set("warnhub.refused", len(refused))
        here.set("warnhub.outcome", max(set(refused), key=refused.count) if refused else "accepted")
        return results


def batch_span(name: str, batch: Batch) -> Span:
    """The span of work on a batch, in the trace that it carries."""
    return span(name, "consumer", batch.trace, provider=batch.provider, lane=batch.lane, round=batch.round, people=batch.open)


def call_span(provider: Provider, messages: int) -> Span:
    """The span of a call to a provider; never what it is told, nor for whom."""
    return span("provider.call", "client", provider=provider.name, channel=provider.channel, messages=messages)


async def send_group(provider: Provider, items: Sequence[Item], lane: int, throttle: Throttle, gate: Gate) -> list[Done]:
    """One bulk call."""
    adapter = provider.adapter
    assert isinstance(adapter, Bulk)
    async with throttle.call(lane):
        stopped = {item.recipient: rank for item in items if (rank := gate(item.recipient)) is not None}
        going = [item for item in items if item.recipient not in stopped]
        results = await send_many(provider, adapter, [item.message for item in going]) if going else []
    done = [Done(recipient, rank) for recipient, rank in stopped.items()]
    return done + [Done(item.recipient, result) for item, result in zip(going, results, strict=True)]


async def send_each(
    provider: Provider, items: Sequence[Item], lane: int, throttle: Throttle, gate: Gate, trunk: Trunk | None
) -> AsyncIterator[list[Done]]:
    """One call a message, `parallel` at once."""
    waiting = iter(items)
    finished: list[Done] = []
    ripe, over = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        async with throttle.place(lane) as place:
            for item in waiting:
                finished.append(Done(item.recipient, await pass_gate(provider, item, place, gate, trunk)))
                ripe.set()

    workers = [asyncio.create_task(work()) for _ in range(min(provider.settings.parallel, len(items)))]
    ended = asyncio.gather(*workers)
    ended.add_done_callback(lambda _: ripe.set())
    ended.add_done_callback(lambda _: over.set())
    try:
        left = len(items)
        while left:
            await ripe.wait()
            ripe.clear()
            if ended.done():
                ended.result()
            group, finished[:] = finished[:], []
            left -= len(group)
            yield group
            if left:
                await wait_for(over, PACE)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def pass_gate(provider: Provider, item: Item, place: Place, gate: Gate, trunk: Trunk | None) -> Outcome:
    """One call, if the gate is open; it is asked before the wait too, so that what has ended takes nobody's place."""
    rank = gate(item.recipient)
    if rank is not None:
        return rank
    if trunk is None:
        await place.take()
        return await ask_and_send(provider, item, gate)
    async with trunk.hold(place.lane, item.message.reference) as line, place.throttle.call(place.lane):
        outcome = await ask_and_send(provider, item, gate)
        line.ended(outcome)
        return outcome


async def ask_and_send(provider: Provider, item: Item, gate: Gate) -> Outcome:
    """The gate, then the call, with nothing between."""
    rank = gate(item.recipient)
    return rank if rank is not None else await send_one(provider, item.message)


async def send_one(provider: Provider, message: Outgoing) -> Outcome:
    """One call. The task boundary of a message: an adapter's bug on an odd address is that message's, not its batch's."""
    with call_span(provider, 1) as here:
        try:
            outcome: Receipt | SendError = await provider.adapter.send(message)
        except SendError as error:
            outcome = error
        except Exception as error:
            log.error("adapter.failed", provider=provider.name, error=type(error).__name__, exc_info=error)
            outcome = SendError(Reason.UNEXPECTED, type(error).__name__, "the adapter failed")
        here.set("warnhub.outcome", outcome.reason.value if isinstance(outcome, SendError) else outcome.state.value)
        return outcome
