"""Connections: SQLite with one writer (WAL, BEGIN IMMEDIATE), or PostgreSQL with a pool; the same calls on both."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from sqlalchemy import CursorResult, event, insert, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from warnhub.store.tables import outbox

SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA busy_timeout=10000",
    "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-65536",
    "PRAGMA wal_autocheckpoint=4000",
)


class Tx:
    """One transaction. `now` is the database's clock at its start, in milliseconds; `topics` are told after the commit."""

    def __init__(self, conn: AsyncConnection, now: int) -> None:
        self.conn = conn
        self.now = now
        self.topics: set[str] = set()

    async def publish(self, topic: str, key: str, data: dict[str, Any] | None = None) -> None:
        """Write what must follow this commit, in this commit."""
        await self.conn.execute(insert(outbox).values(topic=topic, key=key, data=data or {}, at=self.now))
        self.topics.add(topic)

    def wake(self, topic: str) -> None:
        """Tell those who wait on `topic` after the commit; nothing is lost if nobody hears."""
        self.topics.add(topic)


class Store:
    """The database. `read()` for questions, `write()` for one transaction.

    `clock` replaces the database's clock in tests: a function giving milliseconds.
    """

    def __init__(self, url: str, clock: Callable[[], int] | None = None) -> None:
        parsed = make_url(url)
        self.sqlite = parsed.get_backend_name() == "sqlite"
        driver = "sqlite+aiosqlite" if self.sqlite else "postgresql+asyncpg"
        parsed = parsed.set(drivername=driver)
        self.url = parsed
        self.clock = clock
        self.listeners: list[Callable[[set[str]], None]] = []
        self.lock = asyncio.Lock()
        tools: dict[str, Any] = {"json_serializer": dump_json, "json_deserializer": orjson.loads}
        if self.sqlite:
            memory = parsed.database in (None, "", ":memory:")
            if memory:
                raise ValueError("database_url: an in-memory SQLite cannot be shared; name a file")
            self.writer = sqlite_engine(parsed, 1, "BEGIN IMMEDIATE", tools)
            self.reader = sqlite_engine(parsed, 8, "BEGIN", tools)
        else:
            self.writer = create_async_engine(parsed, pool_size=10, max_overflow=10, **tools)
            self.reader = self.writer

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for questions; nothing is committed."""
        async with self.reader.connect() as conn:
            yield conn

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Tx]:
        """One transaction: committed at the end, rolled back on any error; listeners are told after the commit."""
        if self.sqlite:
            async with self.lock, self.writer.begin() as conn:
                tx = Tx(conn, await self.now(conn))
                yield tx
        else:
            async with self.writer.begin() as conn:
                tx = Tx(conn, await self.now(conn))
                yield tx
        if tx.topics:
            for listener in self.listeners:
                listener(tx.topics)

    async def now(self, conn: AsyncConnection) -> int:
        """The database's clock, milliseconds. SQLite's is this machine's, so it need not be asked."""
        if self.clock:
            return self.clock()
        if self.sqlite:
            return int(time.time() * 1000)
        return int(await conn.scalar(text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")) or 0)

    async def close(self) -> None:
        """Give back every connection."""
        await self.writer.dispose()
        await self.reader.dispose()


def sqlite_engine(url: Any, size: int, begin: str, tools: dict[str, Any]) -> AsyncEngine:
    """An engine whose transactions begin as told: the driver's own begin would upgrade a read lock and fail."""
    engine = create_async_engine(url, pool_size=size, max_overflow=0 if size == 1 else 8, pool_timeout=60, **tools)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in SQLITE_PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


def dump_json(value: Any) -> str:
    """JSON text as both databases keep it."""
    return orjson.dumps(value).decode()


def new_id(result: CursorResult[Any]) -> int:
    """The number the database gave to the row just inserted."""
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])
