"""The bus of several processes, on a real PostgreSQL and a real broker."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from broker import Broker
from conftest import Opener
from postgres import Server
from sqlalchemy import text
from typer.testing import CliRunner

from warnhub import cli
from warnhub.bus.kafka import KafkaBus
from warnhub.bus.relay import Relay, claim_entries
from warnhub.bus.signals import ATTEMPTS
from warnhub.bus.topics import Entry, ensure_topics, pack_entry, read_entry, work_topics
from warnhub.config import Settings, load_settings
from warnhub.crypto import make_key
from warnhub.simulate.ports import free_port
from warnhub.store.dead import list_dead
from warnhub.store.engine import Store

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]


@pytest.fixture
def backend() -> str:
    """Several processes share a PostgreSQL and nothing less."""
    return "postgres"


@pytest.fixture
def settings(kafka: Broker, url: str) -> Settings:
    """An installation with topics of its own."""
    return load_settings(
        database_url=url, secret_key=make_key(), kafka=kafka.address, kafka_prefix=kafka.unique("w"), kafka_partitions=2
    )


async def publish(store: Store, topic: str, *keys: str, lane: int = 4, n: int | None = None) -> None:
    async with store.write() as tx:
        for number, key in enumerate(keys):
            await tx.publish(topic, key, {"n": number if n is None else n}, lane=lane)


async def count(store: Store, query: str = "SELECT count(*) FROM outbox") -> int:
    async with store.read() as conn:
        return int(await conn.scalar(text(query)) or 0)


async def until(done: Callable[[], Any], seconds: float = 25.0) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while True:
            found = done()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def working(*buses: KafkaBus, relays: bool = True) -> AsyncIterator[None]:
    """Buses at work, as processes would."""
    tasks = [asyncio.create_task(bus.run()) for bus in buses]
    if relays:
        tasks += [asyncio.create_task(run()) for bus in buses for run in bus.helpers().values()]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Heard:
    """A handler that keeps what it hears; `failing` keys fail, `slow` seconds pass first."""

    def __init__(self, failing: str = "", slow: float = 0.0) -> None:
        self.said: list[tuple[str, int]] = []
        self.failing = failing
        self.slow = slow
        self.held = asyncio.Event()
        self.held.set()

    async def __call__(self, key: str, data: dict[str, Any]) -> None:
        await self.held.wait()
        await asyncio.sleep(self.slow)
        self.said.append((key, data["n"]))
        if key == self.failing:
            raise ValueError("it never works")

    @property
    def keys(self) -> list[str]:
        return [key for key, _ in self.said]


def make_bus(store: Store, settings: Settings, **handlers: Heard) -> KafkaBus:
    """One process's bus; `a=…` is subscribed to topic `a`."""
    bus = KafkaBus(store, settings, f"node-{id(store)}")
    for topic, handler in handlers.items():
        bus.subscribe(topic, handler)
    return bus


async def records(settings: Settings, topic: str, partitions: int = 2) -> list[Any]:
    """Everything in a topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    places = [TopicPartition(topic, number) for number in range(partitions)]
    consumer.assign(places)
    async with consumer:
        ends = await consumer.end_offsets(places)
        found: list[Any] = []
        while len(found) < sum(ends.values()):
            for part in (await consumer.getmany(timeout_ms=500)).values():
                found += part
    return found


def test_an_entry_is_read_as_it_was_packed_and_refused_by_name() -> None:
    entry = Entry(1, "a", "7", {"n": 1, "名": "值"}, 2, 5)
    assert read_entry(pack_entry(entry)) == entry
    for value, why in ((b"\xff", "UTF-8"), (b"[]", "not a JSON object"), (b'{"id": "1"}', "id: is not int"), (None, "empty")):
        with pytest.raises(ValueError, match=why):
            read_entry(value)
    with pytest.raises(ValueError, match="lane: 9 is not one of"):
        read_entry(pack_entry(entry._replace(lane=9)))


async def test_topics_are_made_once_with_their_partitions(settings: Settings) -> None:
    made = await ensure_topics(settings)
    assert made == sorted([*work_topics(settings.kafka_prefix), f"{settings.kafka_prefix}.dead"])
    assert await ensure_topics(settings) == []
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
        assert len(await producer.partitions_for(work_topics(settings.kafka_prefix)[0])) == 2


async def test_work_is_done_once_in_order_and_taken_off_by_whichever_process(opened: Opener, settings: Settings) -> None:
    """Two processes, each with a relay: everything is worked on, of one key in order, and the outbox is empty after it."""
    heard = Heard()
    stores = opened(), opened()
    buses = [make_bus(store, settings, a=heard) for store in stores]
    async with working(*buses):
        for turn in range(20):
            await publish(stores[turn % 2], "a", *(f"k{n}" for n in range(10)), lane=1, n=turn)
        await until(lambda: count_is(stores[0], 0))
    assert len(heard.said) == 200
    for key in set(heard.keys):
        assert [n for name, n in heard.said if name == key] == list(range(20))


async def count_is(store: Store, number: int) -> bool:
    return await count(store) == number


async def test_two_relays_send_each_entry_once_and_keep_the_order_of_a_key(opened: Opener, settings: Settings) -> None:
    await ensure_topics(settings)
    store, other = opened(), opened()
    await publish(store, "a", *(f"k{n % 7}" for n in range(1_200)), lane=2)
    relays = [Relay(one, settings, asyncio.Event()) for one in (store, other)]
    async with AsyncExitStack() as stack:
        senders = [
            await stack.enter_async_context(AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all")) for _ in relays
        ]

        async def move(relay: Relay, producer: Any) -> int:
            total = 0
            while await count(store, "SELECT count(*) FROM outbox WHERE sends = 0"):
                total += await relay.move(producer.send)
            return total

        moved = await asyncio.gather(*(move(*pair) for pair in zip(relays, senders, strict=True)))
    assert sum(moved) == 1_200
    found = [
        (record.key, read_entry(record.value)) for record in await records(settings, work_topics(settings.kafka_prefix)[1])
    ]
    assert len({entry.id for _, entry in found}) == len(found) == 1_200
    for key in {key for key, _ in found}:
        numbers = [entry.id for name, entry in found if name == key]
        assert numbers == sorted(numbers)


async def test_a_key_whose_older_entry_another_relay_holds_waits(opened: Opener) -> None:
    store, other = opened(), opened()
    await publish(store, "a", "k", "other")
    async with store.write() as tx:
        assert [entry.key for entry in await claim_entries(tx, 1)] == ["k"]
        await publish(other, "a", "k")
        async with other.write() as second:
            assert [entry.key for entry in await claim_entries(second)] == ["other"]


async def test_a_red_entry_overtakes_what_is_already_in_the_topics(opened: Opener, settings: Settings) -> None:
    """Six hundred blue ones are in their topic and would take five minutes: red is done at once."""
    heard = Heard(slow=2.0)
    urgent = Heard()
    store = opened()
    bus = make_bus(store, settings, slow=heard, quick=urgent)
    await publish(store, "slow", *(f"b{n}" for n in range(2_000)))
    async with working(bus):
        await until(lambda: count_sent(store, 600))
        await until(lambda: heard.said)
        start = asyncio.get_running_loop().time()
        await publish(store, "quick", "r1", lane=1)
        await until(lambda: urgent.keys == ["r1"])
        assert asyncio.get_running_loop().time() - start < 1.5
        assert len(heard.said) < 100


async def count_sent(store: Store, number: int) -> bool:
    return await count(store, "SELECT count(*) FROM outbox WHERE sends > 0") >= number


async def test_a_poisoned_entry_is_buried_in_store_and_topic_and_holds_nobody_up(opened: Opener, settings: Settings) -> None:
    heard = Heard(failing="bad")
    store = opened()
    bus = make_bus(store, settings, a=heard)
    await publish(store, "a", "bad", "good", "bad")
    async with store.write() as tx:
        await tx.conn.execute(text("UPDATE outbox SET attempts = :n WHERE key = 'bad'"), {"n": ATTEMPTS - 1})
    await ensure_topics(settings)
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
        await producer.send_and_wait(f"{settings.kafka_prefix}.work.red", b"no entry", key=b"x")
    async with working(bus):
        await until(lambda: count_dead(store, 3))
        await until(lambda: count_is(store, 0))
    assert heard.keys.count("good") == 1
    async with store.read() as conn:
        letters = await list_dead(conn)
    reasons = sorted(letter.reason[:30] for letter in letters)
    assert [reason[:12] for reason in reasons] == ["ValueError: ", "ValueError: ", "not an entry"]
    assert {letter.data for letter in letters} == {'{"n":0}', '{"n":2}', "no entry"}
    said = [dict(record.headers)["reason"] for record in await records(settings, f"{settings.kafka_prefix}.dead")]
    assert sorted(reason[:12] for reason in said) == sorted([b"ValueError: ", b"ValueError: ", said_of(said)])


async def run_command(settings: Settings, *words: str) -> tuple[int, str]:
    """`warnhub dead-letter …` as at a terminal; gives its exit code and what it said."""
    env = {
        "WARNHUB_DATABASE_URL": settings.database_url,
        "WARNHUB_SECRET_KEY": settings.secret_key.get_secret_value(),
        "WARNHUB_KAFKA": str(settings.kafka),
        "WARNHUB_KAFKA_PREFIX": settings.kafka_prefix,
        "USER": "zhang",
    }
    done = await asyncio.to_thread(CliRunner().invoke, cli.app, ["dead-letter", *words], env=env)
    return done.exit_code, done.output


async def test_an_operator_lists_shows_and_replays_what_was_buried(opened: Opener, settings: Settings) -> None:
    """From the terminal: what could not be worked on, why, once more when the cause is gone, and on the audit by whom."""
    heard = Heard(failing="bad")
    store = opened()
    bus = make_bus(store, settings, a=heard)
    await publish(store, "a", "bad", lane=1, n=7)
    async with store.write() as tx:
        await tx.conn.execute(text("UPDATE outbox SET attempts = :n"), {"n": ATTEMPTS - 1})
    await ensure_topics(settings)
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
        await producer.send_and_wait(f"{settings.kafka_prefix}.work.red", b"no entry", key=b"x")
    async with working(bus):
        await until(lambda: count_dead(store, 2))
        code, said = await run_command(settings, "list", "--json")
        letters = {letter["key"]: letter for letter in map(orjson.loads, said.splitlines())}
        assert code == 0
        assert set(letters) == {"bad", "x"}
        assert letters["bad"]["reason"].startswith("ValueError: ")
        bad, poison = (str(letters[key]["id"]) for key in ("bad", "x"))
        listed = (await run_command(settings, "list"))[1].splitlines()
        assert sorted(line.split()[3] for line in listed) == ["bad", "x"]
        code, said = await run_command(settings, "show", bad)
        assert code == 0
        for word in (letters["bad"]["reason"], f"{settings.kafka_prefix}.work.red[", '{"n":7}'):
            assert word in said
        code, said = await run_command(settings, "replay", poison)
        assert code == 2
        assert "not a JSON object" in said
        heard.failing = ""
        assert (await run_command(settings, "replay", bad))[0] == 0
        await until(lambda: heard.said[-1] == ("bad", 7))
        await until(lambda: count_is(store, 0))
    code, said = await run_command(settings, "replay", bad)
    assert code == 2
    assert "cli:zhang" in said
    assert [orjson.loads(line)["key"] for line in (await run_command(settings, "list", "--json"))[1].splitlines()] == ["x"]
    assert "cli:zhang" in (await run_command(settings, "list", "--all"))[1]
    assert (await run_command(settings, "show", "999999"))[0] == 2
    assert await count(store, "SELECT count(*) FROM audit WHERE action = 'dead_letter.replay' AND actor = 'cli:zhang'") == 1


def said_of(said: list[bytes]) -> bytes:
    """The reason of what was no entry at all."""
    return next(reason[:12] for reason in said if not reason.startswith(b"ValueError"))


async def count_dead(store: Store, number: int) -> bool:
    return await count(store, "SELECT count(*) FROM dead") == number


async def test_what_comes_twice_is_worked_on_once(opened: Opener, settings: Settings) -> None:
    """The same record again, as after a relay that died between sending and its commit."""
    heard = Heard()
    store = opened()
    bus = make_bus(store, settings, a=heard)
    await publish(store, "a", "k")
    async with store.read() as conn:
        row = (await conn.execute(text("SELECT id, at FROM outbox"))).one()
    await ensure_topics(settings)
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
        value = pack_entry(Entry(row.id, "a", "k", {"n": 0}, 4, row.at))
        for _ in range(3):
            await producer.send_and_wait(f"{settings.kafka_prefix}.work.blue", value, key=b"k")
    async with working(bus):
        await until(lambda: count_is(store, 0))
        await publish(store, "a", "last")
        await until(lambda: "last" in heard.keys)
    assert heard.keys == ["k", "last"]


async def test_what_a_broker_has_forgotten_is_sent_again(
    opened: Opener, kafka: Broker, settings: Settings, tmp_path: Any
) -> None:
    """The broker stops, comes back with nothing at all, and every entry is worked on all the same."""
    own = Broker(free_port(), kafka.program, tmp_path / "broker.log")
    own.start()
    try:
        heard = Heard()
        heard.held.clear()
        store = opened()
        bus = make_bus(store, settings.model_copy(update={"kafka": own.address}), a=heard)
        bus.relay.again = 1.0
        async with working(bus):
            await publish(store, "a", "1", "2", lane=1)
            await until(lambda: count_sent(store, 2))
            own.stop(signal.SIGKILL)
            await publish(store, "a", "3", lane=1)
            await asyncio.sleep(2)
            own.start()
            heard.held.set()
            await until(lambda: {"1", "2", "3"} <= set(heard.keys), 60)
            await until(lambda: count_is(store, 0), 30)
    finally:
        own.stop()


async def test_a_commit_wakes_those_who_wait_in_another_process(opened: Opener, settings: Settings, postgres: Server) -> None:
    """Within a fraction of the time after which they would look for themselves; also after PostgreSQL has dropped everybody."""
    mine, theirs = opened(), opened()
    one, two = make_bus(mine, settings), make_bus(theirs, settings)
    woken = two.signal("living")
    tasks = [asyncio.create_task(bus.wakes.run()) for bus in (one, two)]

    async def wake() -> bool:
        woken.clear()
        async with mine.write() as tx:
            tx.wake("living")
        try:
            async with asyncio.timeout(0.3):
                await woken.wait()
        except TimeoutError:
            return False
        return True

    await until(wake)
    await postgres.run(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%isten%'"
    )
    await until(wake)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
