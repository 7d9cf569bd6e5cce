"""Connections: SQLite with one writer (WAL, BEGIN IMMEDIATE), or PostgreSQL with a pool; the same calls on both."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
import orjson
import structlog
from sqlalchemy import URL, Connection, CursorResult, Engine, QueuePool, create_engine, event, insert, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from warnhub.store.counts import Beat, Deltas, Hop, write_counts
from warnhub.store.tables import outbox
from warnhub.store.turns import Turns

T = TypeVar("T")
log = structlog.get_logger(__name__)
TROUBLE = (OSError, DBAPIError, PoolTimeout, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a database that is away, or goes away, makes of a call."""
OURS = (DataError, IntegrityError, ProgrammingError)
"""What is no better for being tried again."""
GONE = (ConnectionError, TimeoutError, socket.gaierror, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, PoolTimeout)
SHUT = ("08", "57P01", "57P02", "57P03")
"""How the SQLSTATE begins of a server that ends, is not up yet, or is not to be reached."""

SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA busy_timeout=10000",
    "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA wal_autocheckpoint=4000",
)


class Inline(AsyncConnection):
    """A SQLite connection behind the asynchronous API, without threads.

    A thread for each statement costs two switches of the interpreter's lock: under load each is up to 5 ms, a hundred times
    the statement itself. What is long goes through `Tx.run_long`.
    """

    def __init__(self, sync: Connection) -> None:
        self.sync = sync
        self.sync_connection = sync

    async def execute(self, statement: Any, parameters: Any = None, **options: Any) -> Any:
        """Run a statement now."""
        return self.sync.execute(statement, parameters, **options)

    async def exec_driver_sql(self, statement: str, parameters: Any = None, execution_options: Any = None) -> Any:
        """Run the driver's own SQL now."""
        return self.sync.exec_driver_sql(statement, parameters)

    async def scalar(self, statement: Any, parameters: Any = None, **options: Any) -> Any:
        """The first column of the first row."""
        return self.sync.scalar(statement, parameters, **options)

    async def stream(self, statement: Any, parameters: Any = None, **options: Any) -> Any:  # type: ignore[override]
        """Rows as they are asked for."""
        return Rows(self.sync.execute(statement, parameters, **options))

    async def run_sync(self, function: Callable[..., Any], *args: Any, **more: Any) -> Any:  # type: ignore[override]
        """Call a function with the plain connection."""
        return function(self.sync, *args, **more)


class Rows:
    """An asynchronous view of a result; gives way to others every thousand rows."""

    def __init__(self, result: CursorResult[Any]) -> None:
        self.result = result

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Row by row."""
        for number, row in enumerate(self.result):
            if number % 1_000 == 999:
                await asyncio.sleep(0)
            yield row


class Tx:
    """One transaction. `now` is the database's clock at its start, in milliseconds; `topics` are told after the commit,
    `cells`, `hops` and `beats` counted with it (`tallies`)."""

    def __init__(self, conn: AsyncConnection, now: int) -> None:
        self.conn = conn
        self.now = now
        self.topics: set[str] = set()
        self.cells: Deltas = Counter()
        self.hops: Counter[Hop] = Counter()
        self.beats: Counter[Beat] = Counter()

    async def publish(self, topic: str, key: str, data: dict[str, Any] | None = None, lane: int = 4) -> None:
        """Write what must follow this commit, in this commit. `lane`: 1 (red) to 4 (blue), as the alert's level."""
        await self.conn.execute(insert(outbox).values(topic=topic, key=key, data=data or {}, at=self.now, lane=lane))
        self.topics.add(topic)

    async def count(self) -> None:
        """Write what was counted; the commit does."""
        cells, self.cells = self.cells, Counter()
        hops, self.hops = self.hops, Counter()
        beats, self.beats = self.beats, Counter()
        await write_counts(self.conn, cells, hops, beats)

    async def run_long(self, statement: Any, parameters: dict[str, Any]) -> CursorResult[Any]:
        """A statement over many rows."""
        return await run_beside(self.conn, statement, parameters)

    def wake(self, topic: str) -> None:
        """Tell those who wait on `topic` after the commit; nothing is lost if nobody hears."""
        self.topics.add(topic)


async def run_beside(conn: AsyncConnection, statement: Any, parameters: dict[str, Any]) -> CursorResult[Any]:
    """A statement or question over many rows: beside the loop, which goes on meanwhile."""
    if isinstance(conn, Inline):
        return await finish(conn.sync, statement, parameters)
    result: CursorResult[Any] = await conn.execute(statement, parameters)
    return result


async def finish(sync: Connection, statement: Any, parameters: dict[str, Any]) -> CursorResult[Any]:
    """Run a statement in a thread; who is cancelled meanwhile breaks it off and waits for its end.

    Else the transaction would be rolled back on a connection that another thread is still using, which ends the process.
    """
    running = asyncio.ensure_future(asyncio.to_thread(sync.execute, statement, parameters))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        driver: Any = sync.connection.driver_connection
        while not running.done():
            driver.interrupt()
            await asyncio.wait([running], timeout=0.1)
        raise


class Store:
    """The database. `read()` for questions, `write()` for one transaction.

    `clock` replaces the database's clock in tests: a function giving milliseconds.
    """

    def __init__(self, url: str, clock: Callable[[], int] | None = None) -> None:
        parsed = make_url(url)
        self.sqlite = parsed.get_backend_name() == "sqlite"
        self.url = parsed = parsed.set(drivername="sqlite" if self.sqlite else "postgresql+asyncpg")
        self.clock = clock
        self.listeners: list[Callable[[set[str]], None]] = []
        self.lock = Turns()
        tools: dict[str, Any] = {"json_serializer": dump_json, "json_deserializer": orjson.loads}
        if self.sqlite:
            if parsed.database in (None, "", ":memory:"):
                raise ValueError("database_url: an in-memory SQLite cannot be shared; name a file")
            self.files = (sqlite_engine(parsed, 1, "BEGIN IMMEDIATE", 32, tools), sqlite_engine(parsed, 16, "BEGIN", 4, tools))
        else:
            self.pool = server_engine(parsed, tools)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for questions; nothing is committed."""
        if self.sqlite:
            with self.files[1].connect() as sync:
                yield Inline(sync)
        else:
            async with self.pool.connect() as conn:
                yield conn

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction: committed at the end, rolled back on any error."""
        if self.sqlite:
            async with self.lock:
                with self.files[0].begin() as sync:
                    yield Inline(sync)
        else:
            async with self.pool.begin() as conn:
                yield conn

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Tx]:
        """One transaction; listeners are told after its commit."""
        async with self.begin() as conn:
            tx = Tx(conn, await self.now(conn))
            yield tx
            await tx.count()
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
        if self.sqlite:
            for engine in self.files:
                engine.dispose()
        else:
            await self.pool.dispose()


def is_away(error: BaseException) -> bool:
    """Whether the database went away under a call, or is not there: the same call may succeed a little later."""
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None) or ""
        return error.connection_invalidated or state.startswith(SHUT) or is_away(error.__cause__ or Exception())
    return isinstance(error, GONE) or (getattr(error, "sqlstate", None) or "").startswith(SHUT)


async def patiently(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Call, and twice a second again while the database is away, for `seconds` at most. `call` may be made twice over: its
    commit may have come through when its answer did not."""
    end = time.monotonic() + seconds
    while True:
        try:
            return await call()
        except TROUBLE as error:
            if isinstance(error, OURS) or time.monotonic() > end:
                raise
            log.warning("store.away", error=type(error).__name__)
            await asyncio.sleep(0.5)


def server_engine(url: URL, tools: dict[str, Any]) -> AsyncEngine:
    """A pool whose connections were not closed by the server meanwhile: the driver knows that without asking, so that nobody is
    refused after a restart, and a round trip for each transaction is saved."""
    engine = create_async_engine(url, pool_size=10, max_overflow=10, **tools)

    @event.listens_for(engine.sync_engine, "checkout")
    def check(connection: Any, record: Any, proxy: Any) -> None:
        if connection.driver_connection.is_closed():
            raise DisconnectionError

    return engine


def sqlite_engine(url: URL, size: int, begin: str, cache: int, tools: dict[str, Any]) -> Engine:
    """An engine whose transactions begin as told: the driver's own begin would upgrade a read lock and fail.

    Each connection keeps up to `cache` MB of pages; the last one given back is the next one taken, so that few grow warm.
    """
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=0 if size == 1 else 48,
        pool_timeout=1,
        pool_use_lifo=True,
        connect_args={"check_same_thread": False},
        **tools,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (*SQLITE_PRAGMAS, f"PRAGMA cache_size=-{cache * 1024}"):
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
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
