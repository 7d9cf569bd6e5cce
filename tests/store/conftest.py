"""A migrated store on each database, and the keys of one installation."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from postgres import Server
from town import County, Hand, build_county

from warnhub.crypto import KeyRing, make_key
from warnhub.store.engine import Store
from warnhub.store.migrate import upgrade_store

BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
Opener = Callable[..., Store]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database at the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "warnhub.sqlite3"

    async def make() -> None:
        store = Store(f"sqlite:///{path}")
        await upgrade_store(store)
        await store.close()

    asyncio.run(make())
    return path


@pytest.fixture(params=BOTH)
def backend(request: pytest.FixtureRequest) -> str:
    """Which database: every test of the store runs on both."""
    return str(request.param)


@pytest.fixture
def server(backend: str, request: pytest.FixtureRequest) -> Server | None:
    """The session's PostgreSQL; None where the test runs on SQLite."""
    return request.getfixturevalue("postgres") if backend == "postgres" else None


@pytest.fixture
async def url(server: Server | None, migrated: Path, tmp_path: Path) -> AsyncIterator[str]:
    """Where a database at the newest schema is, with nothing in it."""
    if server is None:
        yield f"sqlite:///{shutil.copy(migrated, tmp_path)}"
        return
    name = await server.take()
    yield server.url(name)
    await server.give_back(name)


@pytest.fixture
async def empty_url(server: Server | None, tmp_path: Path) -> AsyncIterator[str]:
    """Where a database without any schema is."""
    if server is None:
        yield f"sqlite:///{tmp_path / 'empty.sqlite3'}"
        return
    name = await server.make("template1")
    yield server.url(name)
    await server.drop(name)


@pytest.fixture
async def opened(url: str) -> AsyncIterator[Opener]:
    """Opens stores on the same database, as several processes would; each may have a clock."""
    stores: list[Store] = []

    def open_store(clock: Callable[[], int] | None = None) -> Store:
        stores.append(Store(url, clock))
        return stores[-1]

    yield open_store
    for store in stores:
        await store.close()


@pytest.fixture
async def store(opened: Opener) -> Store:
    """An empty store at the newest schema."""
    return opened()


@pytest.fixture
def keys() -> KeyRing:
    """The keys of an installation of its own."""
    return KeyRing(make_key())


@pytest.fixture
def hand() -> Hand:
    """A clock that stands still until it is told."""
    return Hand()


@pytest.fixture
async def county(opened: Opener, hand: Hand, keys: KeyRing) -> County:
    """A small county on a store with that clock."""
    return await build_county(opened(hand), hand, keys)
