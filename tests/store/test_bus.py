"""The embedded bus and the group commit."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text

from warnhub.bus.local import LocalBus
from warnhub.bus.signals import ATTEMPTS, wait_for
from warnhub.store.dead import bury, list_dead, read_dead, replay_dead
from warnhub.store.engine import Store, Tx
from warnhub.store.group import Group


@asynccontextmanager
async def running(bus: LocalBus) -> AsyncIterator[None]:
    """The bus at work."""
    task = asyncio.create_task(bus.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def publish(store: Store, topic: str, *keys: str) -> None:
    async with store.write() as tx:
        for key in keys:
            await tx.publish(topic, key, {"key": key})


async def outbox(store: Store) -> list[tuple[str, str]]:
    async with store.read() as conn:
        return [tuple(row) for row in await conn.execute(text("SELECT topic, key FROM outbox ORDER BY id"))]


async def until(done: Any) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


class Heard:
    """A handler that keeps what it hears, and fails as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.keys: list[str] = []
        self.failures = failures

    async def __call__(self, key: str, data: dict[str, Any]) -> None:
        self.keys.append(key)
        if self.failures:
            self.failures -= 1
            raise ValueError("not yet")
        assert data == {"key": key}


async def test_entries_are_handed_over_in_order_and_taken_off(store: Store) -> None:
    heard = Heard()
    bus = LocalBus(store)
    bus.subscribe("a", heard)
    await publish(store, "a", "1", "2")
    async with running(bus):
        await until(lambda: heard.keys == ["1", "2"])
        await publish(store, "a", "3")
        await until(lambda: heard.keys == ["1", "2", "3"])
        await asyncio.sleep(0.1)
    assert await outbox(store) == []


async def test_a_failure_is_tried_again_before_the_next(store: Store) -> None:
    heard = Heard(failures=1)
    bus = LocalBus(store, poll=0.05)
    bus.subscribe("a", heard)
    await publish(store, "a", "1", "2")
    async with running(bus):
        await until(lambda: heard.keys == ["1", "1", "2"])


async def test_another_topic_is_not_held_up(store: Store) -> None:
    stuck, free = Heard(failures=99), Heard()
    bus = LocalBus(store)
    bus.subscribe("a", stuck)
    bus.subscribe("b", free)
    await publish(store, "a", "1")
    await publish(store, "b", "2", "3")
    async with running(bus):
        await until(lambda: free.keys == ["2", "3"])
    assert ("a", "1") in await outbox(store)


async def test_what_never_works_is_buried_with_its_reason_and_the_next_goes_on(store: Store) -> None:
    heard = Heard(failures=1)
    bus = LocalBus(store)
    bus.subscribe("a", heard)
    await publish(store, "a", "1", "2")
    async with store.read() as conn:
        first = await conn.scalar(text("SELECT min(id) FROM outbox"))
    bus.failures[int(first or 0)] = ATTEMPTS - 1
    async with running(bus):
        await until(lambda: heard.keys == ["1", "2"])
        await asyncio.sleep(0.1)
    assert await outbox(store) == []
    async with store.read() as conn:
        (letter,) = await list_dead(conn)
    assert (letter.topic, letter.key, letter.data) == ("a", "1", '{"key":"1"}')
    assert letter.reason == "ValueError: not yet"


async def bury_one(store: Store, data: str) -> int:
    """A dead letter; gives its number."""
    async with store.write() as tx:
        await bury(tx, "a", "7", data, "ValueError: no", "test@1", 2)
    async with store.read() as conn:
        return (await list_dead(conn))[-1].id


async def test_a_dead_letter_is_replayed_once_by_whom_the_audit_says(store: Store) -> None:
    number = await bury_one(store, '{"key": "7"}')
    async with store.write() as tx:
        assert await replay_dead(tx, number, "cli:wang") is None
    async with store.write() as tx:
        assert "by cli:wang" in str(await replay_dead(tx, number, "cli:li"))
    heard = Heard()
    bus = LocalBus(store, poll=0.05)
    bus.subscribe("a", heard)
    async with running(bus):
        await until(lambda: heard.keys == ["7"])
    async with store.read() as conn:
        letter = await read_dead(conn, number)
        assert await list_dead(conn) == []
        assert [row.id for row in await list_dead(conn, everything=True)] == [number]
        actors = [row[0] for row in await conn.execute(text("SELECT actor FROM audit WHERE action = 'dead_letter.replay'"))]
    assert letter is not None
    assert (letter.replayed_by, actors) == ("cli:wang", ["cli:wang"])


async def test_what_is_not_an_entry_cannot_be_replayed(store: Store) -> None:
    for data in ("not json", "[1]"):
        number = await bury_one(store, data)
        async with store.write() as tx:
            assert "cannot be replayed" in str(await replay_dead(tx, number, "cli:wang"))
            await tx.conn.execute(text("DELETE FROM dead"))
    async with store.write() as tx:
        assert "there is no dead letter 99" in str(await replay_dead(tx, 99, "cli:wang"))


async def test_the_urgent_are_handed_over_first(store: Store) -> None:
    heard = Heard()
    bus = LocalBus(store, poll=0.05)
    bus.subscribe("a", heard)
    async with store.write() as tx:
        for key, lane in (("blue", 4), ("red", 1), ("yellow", 3)):
            await tx.publish("a", key, {"key": key}, lane=lane)
    async with running(bus):
        await until(lambda: heard.keys == ["red", "yellow", "blue"])


async def test_a_signal_is_set_by_the_commit_that_touches_its_topic(store: Store) -> None:
    bus = LocalBus(store)
    signal, other = bus.signal("a"), bus.signal("b")
    async with store.write() as tx:
        tx.wake("a")
        assert not signal.is_set()
    assert (signal.is_set(), other.is_set()) == (True, False)
    await wait_for(signal, 60)
    await wait_for(other, 0.01)


# Group commit


class Counting:
    """Applies items and counts its transactions."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []

    async def __call__(self, tx: Tx, items: Sequence[str]) -> Sequence[str]:
        self.groups.append(list(items))
        for item in items:
            if item == "bad":
                raise ValueError("this group has a bad one")
            await tx.conn.execute(text("INSERT INTO meta (key, value) VALUES (:i, :i)"), {"i": item})
        return [item.upper() for item in items]


async def kept(store: Store) -> set[str]:
    async with store.read() as conn:
        return {row[0] for row in await conn.execute(text("SELECT key FROM meta"))}


async def test_many_callers_share_one_transaction(store: Store) -> None:
    apply = Counting()
    group = Group(store, apply)
    names = [f"n{n}" for n in range(50)]
    assert await asyncio.gather(*(group.put(name) for name in names)) == [name.upper() for name in names]
    assert len(apply.groups) <= 2
    assert await kept(store) == set(names)


async def test_a_group_has_a_size(store: Store) -> None:
    apply = Counting()
    assert await Group(store, apply, most=20).put_all([f"n{n}" for n in range(50)]) == [f"N{n}" for n in range(50)]
    assert [len(part) for part in apply.groups] == [20, 20, 10]


async def test_an_error_reaches_all_its_callers_and_nobody_else(store: Store) -> None:
    apply = Counting()
    group = Group(store, apply, most=3)
    done = await asyncio.gather(*(group.put(name) for name in ("a", "bad", "c", "d")), return_exceptions=True)
    assert [type(one).__name__ for one in done] == ["ValueError", "ValueError", "ValueError", "str"]
    assert await kept(store) == {"d"}
    assert await group.put("e") == "E"


async def test_a_caller_that_gave_up_is_no_harm(store: Store) -> None:
    group = Group(store, Counting())
    one, two = asyncio.create_task(group.put("a")), asyncio.create_task(group.put("b"))
    await asyncio.sleep(0)
    one.cancel()
    assert await two == "B"
    assert one.cancelled()


async def test_too_few_answers_are_an_error_and_hang_nobody(store: Store) -> None:
    async def short(tx: Tx, items: Sequence[str]) -> Sequence[str]:
        return []

    async with asyncio.timeout(5):
        with pytest.raises(ValueError, match="zip"):
            await Group(store, short).put("a")


async def test_nothing_is_no_transaction(store: Store) -> None:
    apply = Counting()
    assert await Group(store, apply).put_all([]) == []
    assert apply.groups == []
