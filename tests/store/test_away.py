"""A request whose connection the database drops: a question is asked again, anything else is told to come back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import httpx
import pytest
from conftest import Opener
from postgres import Server

from warnhub.app import create_app
from warnhub.config import load_settings
from warnhub.console.pages import make_router
from warnhub.crypto import make_key
from warnhub.hub import make_hub
from warnhub.store.users import add_user, make_token

pytestmark = pytest.mark.postgres
WAITING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def backend() -> str:
    """A file drops nobody."""
    return "postgres"


@dataclass
class Front:
    """What is asked over HTTP, and a hand on the database behind it."""

    client: httpx.AsyncClient
    hand: asyncpg.Connection

    @asynccontextmanager
    async def locked(self, table: str) -> AsyncIterator[None]:
        """Whoever reads this table waits meanwhile."""
        async with self.hand.transaction():
            await self.hand.execute(f'LOCK TABLE "{table}" IN ACCESS EXCLUSIVE MODE')
            yield

    async def waiting(self) -> set[int]:
        """Who waits for the table now; within a transaction PostgreSQL would go on telling what it told first."""
        await self.hand.execute("SELECT pg_stat_clear_snapshot()")
        return {row["pid"] for row in await self.hand.fetch(WAITING)}

    async def cut(self) -> None:
        """End the connection that waits, as a server that stops does."""
        async with asyncio.timeout(20):
            while not (waiting := await self.waiting()):  # noqa: ASYNC110 - another's wait has no event
                await asyncio.sleep(0.02)
            for pid in waiting:
                await self.hand.execute("SELECT pg_terminate_backend($1)", pid)
            while await self.waiting() & waiting:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


@pytest.fixture
async def front(url: str, server: Server, opened: Opener) -> AsyncIterator[Front]:
    """An application without its engine, so that nobody else waits for a table."""
    settings = load_settings(database_url=url, secret_key=make_key())
    hub = await make_hub(settings)
    async with hub.store.write() as tx:
        await add_user(tx, "test", name="wang", password="a-long-password-1", role="duty")
        token = await make_token(tx, "test", "wang")
    app = create_app(settings, hub=hub)
    app.state.hub = hub
    app.include_router(make_router(hub))
    hand = await asyncpg.connect(url)
    transport = httpx.ASGITransport(app)
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://warn.example", headers=headers, timeout=60) as client:
        yield Front(client, hand)
    await hand.close()
    await hub.close()


async def cut_off(front: Front, table: str, times: int, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """What is answered when the connection is dropped so many times while the question waits."""
    async with front.locked(table):
        asked = asyncio.ensure_future(ask())
        for _ in range(times):
            await front.cut()
        if times > 1 or asked.done():
            return await asked
    return await asked


async def test_a_question_is_asked_again_on_another_connection(front: Front) -> None:
    answer = await cut_off(front, "user", 1, lambda: front.client.get("/v1/warnings"))
    assert (answer.status_code, answer.json()) == (200, (await front.client.get("/v1/warnings")).json())


async def test_a_question_is_asked_twice_and_no_more(front: Front) -> None:
    answer = await cut_off(front, "user", 2, lambda: front.client.get("/v1/warnings"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 503
    assert (await front.client.get("/v1/warnings")).status_code == 200, "and then it is there again"


async def test_what_changes_something_is_the_callers_to_repeat(front: Front) -> None:
    def release() -> Awaitable[httpx.Response]:
        return front.client.post("/v1/warnings/none/release")

    async with front.locked("user"):
        asked = asyncio.ensure_future(release())
        await front.cut()
        answer = await asked
        assert await front.waiting() == set(), "nobody asks a second time"
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await release()).status_code == 404


async def test_a_page_of_the_desk_is_read_again_and_a_form_is_not_sent_twice(front: Front) -> None:
    front.client.cookies.set("warnhub", "nobody")
    page = await cut_off(front, "session", 1, lambda: front.client.get("/console/points"))
    assert (page.status_code, page.headers["location"]) == (303, "/console/login?next=/points")
    async with front.locked("session"):
        asked = asyncio.ensure_future(front.client.post("/console/points/P1", data={"state": "closed"}))
        await front.cut()
        form = await asked
    assert form.status_code == 503
    assert "数据库暂时没有应答" in form.text
    assert (await front.client.post("/console/points/P1", data={"state": "closed"})).status_code == 303
