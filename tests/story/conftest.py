"""The county of the stories, built once, and towns with a copy of it."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from townhall import Base, Opener, Town, build_base, open_town


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A county in a file."""
    return asyncio.run(build_base(tmp_path_factory.mktemp("story") / "base.sqlite3"))


@pytest.fixture
def visit(base: Base, tmp_path: Path) -> Opener:
    """Opens a town of the story's own making: `async with visit(policy=…, providers=…) as town`."""
    return partial(open_town, base, tmp_path)


@pytest.fixture
async def town(visit: Opener) -> AsyncIterator[Town]:
    """A town where everything goes right at first."""
    async with visit() as made:
        yield made
