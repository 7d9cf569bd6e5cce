"""The bus of several processes: the relay moves the outbox to one topic a lane, consumers of one group work on them.

An entry's row stays in the outbox until its work is done and is asked for before the work begins: what comes twice is worked on
once. Offsets are committed after the database. A lane has topics and places of its own, so that red waits behind nothing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy import text

from warnhub.bus.access import kafka_options
from warnhub.bus.parts import Part
from warnhub.bus.relay import Relay
from warnhub.bus.signals import ATTEMPTS, Bus, retry_pause
from warnhub.bus.topics import DEAD, WORK, Entry, ensure_topics, read_entry, work_topics
from warnhub.bus.wakes import Wakes
from warnhub.config import Settings
from warnhub.store.dead import bury
from warnhub.store.engine import TROUBLE, Store, dump_json

PLACES = 4
"""Entries of one lane that a process works on at a time."""
COMMIT = 0.5
DEATHS = 4 * ATTEMPTS
"""Attempts after which an entry is given up that ends the process each time; restarts in good order count too."""
LEAVE = 1.5
log = structlog.get_logger(__name__)


class Aside(NamedTuple):
    """An entry that came without a broker, as a record."""

    topic: str
    value: bytes
    key: bytes
    offset: int
    partition: int = -1


class KafkaBus(Bus, ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """One process's bus among others'. `run` works on entries; `helpers` are for every process, also one that does not."""

    def __init__(self, store: Store, settings: Settings, node: str, poll: float = 1.0) -> None:
        super().__init__(store, poll)
        self.settings = settings
        self.places = {lane: asyncio.Semaphore(PLACES) for lane in WORK}
        self.parts: dict[TopicPartition, Part] = {}
        self.aside = Part(self.work)
        self.parted: list[Part] = []
        self.consumer: Any = None
        self.forgotten = asyncio.Event()
        self.relay = Relay(store, settings, self.signal("outbox"), self.forgotten.set)
        self.wakes = Wakes(store, self, node)
        self.kinds = {f"{settings.kafka_prefix}.{name}": lane for lane, name in WORK.items()}

    def notify(self, topics: set[str]) -> None:
        """As every bus; and whatever was published is the relay's."""
        super().notify(topics | {"outbox"} if topics & set(self.handlers) else topics)

    def helpers(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What keeps commits moving, on any node."""
        return {"relay": self.relay.run, "wakes": self.wakes.run}

    async def run(self) -> None:
        """Work on entries until cancelled; a broker that is away is waited for, and gone without."""
        self.relay.stand_in = self.take_aside
        try:
            while True:
                try:
                    await ensure_topics(self.settings)
                    self.forgotten.clear()
                    await self.consume()
                except KafkaError as error:
                    log.warning("bus.waits", error=f"{type(error).__name__}: {error}")
                    await asyncio.sleep(1.0)
        finally:
            await asyncio.gather(*(part.give_up(LEAVE) for part in (self.aside, *self.parted)))

    async def consume(self) -> None:
        """As one of the group, until the broker turns out to have forgotten us."""
        self.consumer = AIOKafkaConsumer(
            **kafka_options(self.settings),
            group_id=f"{self.settings.kafka_prefix}.workers",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            metadata_max_age_ms=10_000,
            request_timeout_ms=15_000,
            max_partition_fetch_bytes=4_000_000,
        )
        self.consumer.subscribe(work_topics(self.settings.kafka_prefix), listener=self)
        try:
            await self.consumer.start()
            await self.read()
        finally:
            self.joined = False
            self.parted = [part for part in (*self.parted, *self.parts.values()) if part.open]
            with suppress(TimeoutError):
                async with asyncio.timeout(LEAVE):
                    await self.commit(list(self.parts))
            self.parts.clear()
            await leave_group(self.consumer)

    async def take_aside(self, topic: str, value: bytes, key: bytes) -> Any:
        """An entry from the relay's own hand, while there is no broker to carry it."""
        self.aside.add(Aside(topic, value, key, self.aside.seen + 1))
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    async def read(self) -> None:
        """Hand records to their partitions, and commit what is done."""
        committed = time.monotonic()
        while not self.forgotten.is_set():
            found = await self.consumer.getmany(timeout_ms=100, max_records=200)
            for place, records in found.items():
                part = self.parts.setdefault(place, Part(self.work))
                for record in records:
                    if record.offset > part.seen:
                        part.add(record)
            full = {place for place, part in self.parts.items() if part.full}
            paused = self.consumer.paused()
            self.consumer.pause(*(full & self.consumer.assignment()))
            self.consumer.resume(*((paused - full) & self.consumer.assignment()))
            if time.monotonic() - committed > COMMIT:
                committed = time.monotonic()
                await self.commit(self.parts)

    async def commit(self, places: Any) -> None:
        """Tell the broker how far we are; a broker that does not want to hear it will give us the same again."""
        done = {place: self.parts[place].position for place in places if place in self.parts}
        moved = {place: offset for place, offset in done.items() if offset > max(0, self.parts[place].committed)}
        if not moved:
            return
        try:
            await self.consumer.commit(moved)
        except KafkaError as error:
            log.info("bus.not_committed", error=f"{type(error).__name__}: {error}")
            return
        for place, offset in moved.items():
            self.parts[place].committed = offset

    async def on_partitions_revoked(self, revoked: Any, seconds: float = 3.0) -> None:
        """They become somebody else's: finish what has begun, and say how far it came."""
        self.joined = False
        parts = [self.parts[place] for place in revoked if place in self.parts]
        await asyncio.gather(*(part.give_up(seconds) for part in parts))
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE):
                await self.commit(revoked)
        for place in revoked:
            self.parts.pop(place, None)

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Ours from now on."""
        self.joined = True
        log.info("bus.assigned", partitions=len(assigned))

    async def work(self, record: Any) -> None:
        """One record until it is done or buried; a database that is away is waited for."""
        while True:
            try:
                wait = await self.attempt(record)
            except TROUBLE as error:
                log.warning("bus.waits", error=f"{type(error).__name__}: {error}")
                wait = 1.0
            if wait is None:
                return
            await asyncio.sleep(wait)

    async def attempt(self, record: Any) -> float | None:
        """Work on it once; None if it is over, otherwise the seconds to wait before the next time."""
        try:
            entry = read_entry(record.value)
        except ValueError as error:
            await self.bury_record(record, str(error))
            return None
        handler = self.handlers.get(entry.topic)
        async with self.places[entry.lane]:
            count = await self.begin(entry)
            if count is None:
                return None
            if handler is None or count > DEATHS:
                await self.give_up(
                    entry, record, "nobody works on this topic" if handler is None else "no attempt came to an end"
                )
                return None
            try:
                await handler(entry.key, entry.data)
            except Exception as error:  # noqa: BLE001 - the task boundary: a handler's bug must not stop the desk
                return await self.fail(entry, record, count, error)
            async with self.store.write() as tx:
                await tx.conn.execute(text("DELETE FROM outbox WHERE id = :id"), {"id": entry.id})
        return None

    async def begin(self, entry: Entry) -> int | None:
        """Count an attempt before it is made; None where the work was done before."""
        async with self.store.write() as tx:
            query = "UPDATE outbox SET attempts = attempts + 1 WHERE id = :id AND topic = :t AND key = :k RETURNING attempts"
            count = await tx.conn.scalar(text(query), {"id": entry.id, "t": entry.topic, "k": entry.key})
        return int(count) if count is not None else None

    async def fail(self, entry: Entry, record: Any, count: int, error: Exception) -> float | None:
        """Wait and try again, or bury."""
        log.error("bus.failed", topic=entry.topic, key=entry.key, attempt=count, error=type(error).__name__, exc_info=error)
        if count < ATTEMPTS:
            return retry_pause(count)
        await self.give_up(entry, record, f"{type(error).__name__}: {error}")
        return None

    async def give_up(self, entry: Entry, record: Any, reason: str) -> None:
        """A row for people, a record for programs; neither without the reason."""
        await self.tell_dead(record, reason)
        async with self.store.write() as tx:
            await bury(tx, entry.topic, entry.key, dump_json(entry.data), reason, source_of(record), entry.lane)
            await tx.conn.execute(text("DELETE FROM outbox WHERE id = :id"), {"id": entry.id})

    async def bury_record(self, record: Any, reason: str) -> None:
        """What is no entry at all, as it came."""
        await self.tell_dead(record, reason)
        key = (record.key or b"").decode("utf-8", "replace")
        said = (record.value or b"").decode("utf-8", "replace")
        async with self.store.write() as tx:
            await bury(
                tx, record.topic, key, said[:100_000], f"not an entry: {reason}", source_of(record), self.kinds[record.topic]
            )

    async def tell_dead(self, record: Any, reason: str) -> None:
        """The record, with its reason, on the dead-letter topic; the row in the store waits for no broker."""
        headers = [("reason", reason[:1_000].encode()), ("source", source_of(record).encode())]
        try:
            async with (
                asyncio.timeout(5),
                AIOKafkaProducer(**kafka_options(self.settings), acks="all", request_timeout_ms=4_000) as producer,
            ):
                await producer.send_and_wait(
                    f"{self.settings.kafka_prefix}.{DEAD}", record.value, key=record.key, headers=headers
                )
        except (KafkaError, TimeoutError) as error:
            log.warning("bus.dead_not_told", error=f"{type(error).__name__}: {error}")


async def leave_group(consumer: Any) -> None:
    """Stop a consumer. Where the broker is slow to let us go (amid a join) we hang up: our partitions become others'
    when our session ends. aiokafka has no such way of its own, so its parts are closed here one by one."""
    with suppress(TimeoutError, KafkaError):
        async with asyncio.timeout(LEAVE):
            await consumer.stop()
            return
    coordinator, fetcher, client = consumer._coordinator, consumer._fetcher, consumer._client
    if coordinator is not None:
        coordinator._coordination_task.cancel()
        await coordinator._stop_heartbeat_task()
        await coordinator._stop_commit_offsets_refresh_task()
    if fetcher is not None:
        await fetcher.close()
    await client.close()


def source_of(record: Any) -> str:
    """Where a record stands: topic, partition, offset."""
    return f"{record.topic}[{record.partition}]@{record.offset}"
