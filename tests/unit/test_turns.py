"""Who writes next where only one can."""

import asyncio

from warnhub.store.turns import Turns, hurry


async def test_the_hurried_go_first_and_nobody_starves() -> None:
    """In order, but for who is in a hurry; who asks again at once lets another by."""
    turns, order = Turns(), list[str]()

    async def write(name: str, times: int = 1, really: bool = False) -> None:
        with hurry(really):
            for _ in range(times):
                async with turns:
                    order.append(name)
                    await asyncio.sleep(0)

    async with turns:
        waiting = [asyncio.create_task(write(name)) for name in ("a", "b", "c")]
        waiting.append(asyncio.create_task(write("red", 3, True)))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert order == ["red", "a", "red", "b", "red", "c"]
    assert not turns.busy


async def test_who_gives_up_leaves_the_turn_to_the_next() -> None:
    """Cancelled while waiting, or just as its turn came."""
    turns = Turns()

    async def write() -> None:
        async with turns:
            pass

    async with turns:
        one, two, three = (asyncio.create_task(write()) for _ in range(3))
        await asyncio.sleep(0)
        one.cancel()
    two.cancel()
    done = await asyncio.gather(one, two, three, return_exceptions=True)
    assert [type(one) for one in done] == [asyncio.CancelledError, asyncio.CancelledError, type(None)]
    assert not turns.busy
