"""Several processes on one database: they start at once on a new one, and go on after it has dropped their connections."""

import asyncio

import pytest
from conftest import Opener
from postgres import Server
from sqlalchemy import text

from warnhub.config import ConfigError, load_settings
from warnhub.crypto import KeyRing, make_key
from warnhub.hub import check_key, make_hub
from warnhub.response.linkage import load_linkages
from warnhub.response.plans import load_plans

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


async def test_several_processes_start_at_once_on_a_new_database(opened: Opener, url: str) -> None:
    """One bureau, one policy, one set of plans and of rules, one key.

    Who comes second finds what the first has made; who has another key is refused.
    """
    settings = load_settings(database_url=url, secret_key=make_key())
    hubs = await asyncio.gather(*(make_hub(settings) for _ in range(4)))
    for hub in hubs:
        assert list(hub.policies) == list(hubs[0].policies)
    await asyncio.gather(*(load(hub.store) for hub in hubs for load in (load_plans, load_linkages)))
    async with opened().read() as conn:
        for table, count in (("agency", 1), ("policy", 1), ("plan", 1), ("linkage", 1), ("meta WHERE key = 'key_check'", 1)):
            assert await conn.scalar(text(f"SELECT count(*) FROM {table}")) == count
    for hub in hubs:
        await hub.close()
    with pytest.raises(ConfigError, match="secret_key"):
        await check_key(opened(), KeyRing(make_key()))
