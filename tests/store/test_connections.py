"""Connections after the database has dropped them: nobody who comes next is refused."""

import asyncio

import pytest
from conftest import Opener
from postgres import Server
from sqlalchemy import text

pytestmark = pytest.mark.postgres


@pytest.fixture
def backend() -> str:
    """A file drops nobody."""
    return "postgres"


async def test_nobody_gets_a_connection_that_the_server_has_closed(opened: Opener, postgres: Server) -> None:
    """As after its restart: every connection of the pool is dead, and the next question is answered all the same."""
    store = opened()

    async def ask() -> int:
        async with store.read() as conn:
            await asyncio.sleep(0.05)
            return int(await conn.scalar(text("SELECT pg_backend_pid()")) or 0)

    before = set(await asyncio.gather(*(ask() for _ in range(5))))
    assert len(before) == 5
    await postgres.run(
        f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid IN ({', '.join(str(pid) for pid in before)})"
    )
    await asyncio.sleep(0.2)
    after = set(await asyncio.gather(*(ask() for _ in range(5))))
    assert not before & after
