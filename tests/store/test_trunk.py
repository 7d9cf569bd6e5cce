"""The lines of a trunk, shared by workers of several processes through the ledger."""

import asyncio

from conftest import Opener
from sqlalchemy import text
from town import Hand

from warnhub.bus.local import LocalBus
from warnhub.dispatch.trunk import Trunk
from warnhub.feedback.receipts import Taken, free_lines
from warnhub.port import Reason, Receipt, Report, SendError, State
from warnhub.store.engine import Store

PROVIDER = "voice.twilio"
TAKEN = Receipt("CA1")


def trunk_of(store: Store, lines: int = 2, longest: float = 60) -> Trunk:
    """A process's own view of the trunk."""
    return Trunk(store, LocalBus(store), PROVIDER, lines, longest)


async def dial(trunk: Trunk, reference: str, outcome: object = TAKEN, lane: int = 1) -> str:
    """One call, which goes on after it was made."""
    async with trunk.hold(lane, reference) as line:
        line.ended(outcome)
    return reference


async def hear(store: Store, *reports: Report) -> None:
    """What the carrier says, whichever process hears it."""
    async with store.write() as tx:
        await free_lines(tx, [Taken(PROVIDER, report) for report in reports])


def over(reference: str) -> Report:
    """The end of a call."""
    return Report(f"{reference}:completed", State.READ, reference, over=True)


async def taken(store: Store) -> list[str]:
    """Whose the lines are."""
    async with store.read() as conn:
        return [row[0] for row in await conn.execute(text("SELECT reference FROM line ORDER BY reference"))]


async def test_two_processes_never_have_more_calls_in_the_air_than_lines(opened: Opener) -> None:
    """Forty calls by two workers over three lines: never a fourth, and every end frees one for whoever waits."""
    stores = [opened(), opened()]
    trunks, busy, most = [trunk_of(store, 3) for store in stores], 0, 0

    async def call(number: int) -> None:
        nonlocal busy, most
        await dial(trunks[number % 2], f"w1-r{number:02}")
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.01)
        busy -= 1
        await hear(stores[(number + 1) % 2], over(f"w1-r{number:02}"))  # heard of by the other process
        for trunk in trunks:
            trunk.signal.set()

    async with asyncio.timeout(30):
        await asyncio.gather(*(call(number) for number in range(40)))
    assert most == 3
    assert await taken(stores[0]) == []


async def test_the_urgent_go_first(store: Store) -> None:
    trunk, order = trunk_of(store, 1), []

    async def call(name: str, lane: int) -> None:
        await dial(trunk, name, lane=lane)
        order.append(name)
        await hear(store, over(name))

    await dial(trunk, "first")
    waiting = [asyncio.create_task(call(name, lane)) for name, lane in (("blue", 4), ("yellow", 3), ("red", 1))]
    await asyncio.sleep(0.1)
    assert order == []
    await hear(store, over("first"))
    async with asyncio.timeout(10):
        await asyncio.gather(*waiting)
    assert order == ["red", "yellow", "blue"]


async def test_only_who_may_be_on_the_line_keeps_it(store: Store) -> None:
    trunk = trunk_of(store, 9)
    kept = [
        await dial(trunk, "a"),
        await dial(trunk, "b", SendError(Reason.UNKNOWN)),
        await dial(trunk, "c", SendError(Reason.UNEXPECTED)),
    ]
    for reference, outcome in (("d", SendError(Reason.THROTTLED)), ("e", SendError(Reason.RECIPIENT)), ("f", None)):
        await dial(trunk, reference, outcome)
    assert await taken(store) == kept


async def test_a_broken_adapter_frees_its_line(store: Store) -> None:
    trunk = trunk_of(store)
    try:
        async with trunk.hold(1, "a"):
            raise RuntimeError("no")
    except RuntimeError:
        pass
    assert await taken(store) == []


async def test_a_call_nobody_hears_of_again_gives_its_line_back(opened: Opener, hand: Hand) -> None:
    store = opened(hand)
    trunk = trunk_of(store, 1, longest=60)
    await dial(trunk, "lost")
    assert not await trunk.take("next")
    hand.pass_by(60_001)
    assert await trunk.take("next")
    assert await taken(store) == ["next"]
    await hear(store, over("lost"))  # it comes late, and frees nobody else's
    assert await taken(store) == ["next"]


async def test_what_was_told_beside_a_call_frees_nothing(store: Store) -> None:
    trunk = trunk_of(store)
    await dial(trunk, "a")
    await hear(
        store, Report("CA1:machine", State.FAILED, "a", code="machine"), Report("CA1:key:1", None, "a", pressed="received")
    )
    assert await taken(store) == ["a"]
