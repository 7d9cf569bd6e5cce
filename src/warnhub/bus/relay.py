"""The relay: moves what was committed to the topics, on any node, several at once.

Rows are claimed with `FOR UPDATE SKIP LOCKED`, the urgent lanes first, and stay in the outbox until their work is done: what a
broker has lost is sent again after `AGAIN`, twice as long each time. Of one key nothing is sent before what is older.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError
from sqlalchemy import text

from warnhub.bus.access import kafka_options
from warnhub.bus.signals import wait_for
from warnhub.bus.topics import WORK, Entry, ensure_topics, pack_entry
from warnhub.config import Settings
from warnhub.store.engine import TROUBLE, Store, Tx
from warnhub.store.rows import pack_rows, rows_table

PART = 500
AGAIN = 30.0
LONGEST = 7
"""Doublings of the time after which an entry is sent again: an hour at most."""
PATIENCE = 3_000
"""Milliseconds for a broker to say that it has a part: longer, and a worker takes it from the relay's hand. Each relay that
has not noticed yet costs a red warning as much."""
Send = Callable[..., Awaitable[Awaitable[Any]]]
log = structlog.get_logger(__name__)


class Relay:
    """One node's relay. `made` is called when topics had to be made: who has forgotten them has forgotten groups too."""

    def __init__(self, store: Store, settings: Settings, wake: asyncio.Event, made: Callable[[], None] | None = None) -> None:
        self.store = store
        self.settings = settings
        self.wake = wake
        self.made = made
        self.before = False
        self.stand_in: Send | None = None
        self.again = AGAIN
        self.poll = 0.5

    async def run(self) -> None:
        """Move entries until cancelled; a broker or a database that is away is waited for."""
        while True:
            try:
                if await ensure_topics(self.settings) and self.before and self.made:
                    self.made()
                self.before = True
                async with AIOKafkaProducer(
                    **kafka_options(self.settings), acks="all", request_timeout_ms=PATIENCE, metadata_max_age_ms=10_000
                ) as producer:
                    await self.move_all(producer)
            except (KafkaError, *TROUBLE) as error:
                log.warning("relay.waits", error=f"{type(error).__name__}: {error}")
                await self.go_without()

    async def go_without(self, seconds: float = 1.0) -> None:
        """A while without the broker: a worker beside us takes the entries from our hand, so that red is planned."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.wake.clear()
            try:
                moved = await self.move(self.stand_in) if self.stand_in else 0
            except TROUBLE:
                moved = 0
            if not moved:
                await wait_for(self.wake, seconds / 4)

    async def move_all(self, producer: Any) -> None:
        """Move until something breaks."""
        while True:
            self.wake.clear()
            await check_line(producer)
            if not await self.move(producer.send):
                await wait_for(self.wake, self.poll)

    async def move(self, send: Send) -> int:
        """One part: claimed, sent, acknowledged by the broker, marked; gives how many."""
        async with self.store.read() as conn:
            now = await self.store.now(conn)
            due = await conn.scalar(text("SELECT 1 FROM outbox WHERE send_at <= :now LIMIT 1"), {"now": now})
        if not due:
            return 0
        async with self.store.write() as tx:
            entries = await claim_entries(tx)
            if not entries:
                return 0
            try:
                async with asyncio.timeout(PATIENCE / 1000 + 1):
                    await self.carry(send, entries)
            except (KafkaError, TimeoutError):
                if self.stand_in is None:
                    raise
                await self.carry(self.stand_in, entries)  # before another relay has them, and waits as long
            await mark_sent(tx, [entry.id for entry in entries], self.again)
        return len(entries)

    async def carry(self, send: Send, entries: Sequence[Entry]) -> None:
        """Each entry to where it goes, all of them acknowledged."""
        sent = [await send(self.topic(e.lane), pack_entry(e), key=e.key.encode()) for e in entries]
        await asyncio.gather(*sent)

    def topic(self, lane: int) -> str:
        """Where a lane's work goes."""
        return f"{self.settings.kafka_prefix}.{WORK[lane]}"


async def check_line(producer: Any) -> None:
    """Raise `KafkaConnectionError` where no broker is connected or takes a connection: nothing is claimed to wait for it."""
    brokers = [broker.nodeId for broker in producer.client.cluster.brokers()]
    for node in brokers:
        if await producer.client.ready(node):
            return
    if brokers:
        raise KafkaConnectionError("no broker takes a connection")


async def claim_entries(tx: Tx, most: int = PART) -> list[Entry]:
    """Lock entries that are due, the urgent lanes first, without those whose key has an older one in another relay's hand."""
    found: list[Any] = []
    skip = "" if tx.conn.dialect.name == "sqlite" else "FOR UPDATE SKIP LOCKED"
    for lane in sorted(WORK):
        query = (
            "SELECT id, topic, key, data, lane, at FROM outbox WHERE lane = :lane AND send_at <= :now "
            f"ORDER BY send_at, id LIMIT {most - len(found)} {skip}"
        )
        found += (await tx.conn.execute(text(query), {"lane": lane, "now": tx.now})).all()
        if len(found) >= most:
            break
    mine: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in sorted(found, key=lambda row: row.id):
        mine[row.topic, row.key].append(row)
    older = await oldest_due(tx, list(mine)) if mine else {}
    kept = [row for name, rows in mine.items() if older.get(name, rows[0].id) >= rows[0].id for row in rows]
    return [Entry(r.id, r.topic, r.key, read_data(r.data), r.lane, r.at) for r in sorted(kept, key=lambda r: (r.lane, r.id))]


async def oldest_due(tx: Tx, names: list[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """(topic, key) → the oldest entry that still is to be sent, whoever has it in hand."""
    source = rows_table(tx.conn.dialect.name == "sqlite", topic="text", key="text")
    rows = await tx.conn.execute(
        text(
            f"SELECT o.topic, o.key, min(o.id) AS oldest FROM {source} AS k "
            "JOIN outbox o ON o.topic = k.topic AND o.key = k.key WHERE o.send_at <= :now GROUP BY o.topic, o.key"
        ),
        {"rows": pack_rows(names), "now": tx.now},
    )
    return {(row.topic, row.key): int(row.oldest) for row in rows}


async def mark_sent(tx: Tx, ids: list[int], again: float) -> None:
    """They are in the topics; should they be lost there, they go out again."""
    source = rows_table(tx.conn.dialect.name == "sqlite", id="int")
    await tx.conn.execute(
        text(
            "UPDATE outbox SET sends = sends + 1, send_at = CAST(:now AS bigint) "
            f"+ :wait * (1 << CASE WHEN sends < {LONGEST} THEN sends ELSE {LONGEST} END) "
            f"WHERE id IN (SELECT id FROM {source} AS k)"
        ),
        {"now": tx.now, "wait": int(again * 1000), "rows": pack_rows((number,) for number in ids)},
    )


def read_data(value: Any) -> dict[str, Any]:
    """A JSON column of a textual query."""
    return dict(value) if isinstance(value, dict) else dict(orjson.loads(value))
