"""The way in, whole, for the tests of its gates: each on a database of its own."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gatehouse import Gatehouse, fill, open_house


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a small county, to be copied."""
    path = tmp_path_factory.mktemp("gatehouse") / "warnhub.sqlite3"
    asyncio.run(fill(path))
    return path


@pytest.fixture
async def house(filled: Path, tmp_path: Path) -> AsyncIterator[Gatehouse]:
    """The application on a copy of it."""
    async with open_house(filled, tmp_path) as made:
        yield made
