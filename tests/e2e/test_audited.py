"""Whatever an officer changes stands on the audit with what was before and what is after, and the chain holds."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from stage import PASSWORD, Hub, number_of
from test_doors import enter, token

from warnhub.store.agencies import disable_agency, rotate_key
from warnhub.store.audits import verify_audit
from warnhub.store.trust import set_trust

Client = httpx.AsyncClient


@pytest.fixture
async def client(base: str) -> AsyncIterator[Client]:
    """An administrator."""
    async with Client(base_url=base, timeout=60) as made:
        await enter(made, "boss")
        yield made


async def post(client: Client, path: str, **form: str) -> httpx.Response:
    """A form as its page would send it."""
    page = await client.get("/console/me")
    return await client.post(f"/console{path}", data={"csrf": token(page.text)} | form)


async def last(hub: Hub, action: str) -> dict[str, Any]:
    """What the newest entry of an action says."""
    async with hub.store.read() as conn:
        found = await conn.scalar(text("SELECT data FROM audit WHERE action = :a ORDER BY id DESC LIMIT 1"), {"a": action})
    assert found is not None, f"{action} is not on the audit"
    data: dict[str, Any] = json.loads(found)
    return data


def told(data: dict[str, Any]) -> tuple[Any, Any]:
    """(before, after)."""
    return data["before"], data["after"]


async def test_decisions_about_warnings(client: Client, hub: Hub, warnings: dict[str, str]) -> None:
    pending, living = warnings["pending"], warnings["living"]
    await hub.desk.release(pending, "user:zhao")
    said = await last(hub, "warning.release")
    assert told(said) in {("pending", "released"), ("pending", "pending")}
    if said["of"] > 1:
        assert told(said) == ("pending", "pending"), "one of two"
        await hub.desk.release(pending, "user:li")
        assert told(await last(hub, "warning.release")) == ("pending", "released")
    await hub.steering.pause(living, "user:zhao", "线路检修")
    assert told(await last(hub, "warning.pause")) == ("running", "paused")
    await hub.steering.resume(living, "user:zhao")
    assert told(await last(hub, "warning.resume")) == ("paused", "running")
    await hub.desk.cancel(living, "user:zhao", "雨停", all_clear=False)
    assert told(await last(hub, "warning.cancel")) == ("released", "cancelled")
    await hub.desk.reject(warnings["drill"], "user:zhao", "不演了")
    assert told(await last(hub, "warning.reject")) == ("pending", "rejected")
    async with hub.store.read() as conn:
        assert (await verify_audit(conn))[1] is None


async def test_accounts(client: Client, hub: Hub) -> None:
    assert (await post(client, "/users/add", name="new", password=PASSWORD, role="viewer")).status_code == 303
    assert (await post(client, "/users/role", name="new", role="township", scope="990123001")).status_code == 303
    assert told(await last(hub, "user.role")) == ("viewer", ["township", "990123001"])
    assert (await post(client, "/users/role", name="new", role="duty")).status_code == 303
    assert told(await last(hub, "user.role")) == (["township", "990123001"], "duty")
    assert (await post(client, "/users/disable", name="new")).status_code == 303
    assert told(await last(hub, "user.disable")) == ("on", "off")
    async with hub.store.read() as conn:
        whole = "\n".join(str(row[0]) for row in await conn.execute(text("SELECT data FROM audit")))
    assert PASSWORD not in whole


async def test_agencies_and_policy(client: Client, hub: Hub) -> None:
    async with hub.store.write() as tx:
        key = await rotate_key(tx, "user:boss", "weather")
        await set_trust(tx, "user:boss", "weather", signed=True, datum="gcj02", secret=b"sealed")
    assert key is not None
    before, after = told(await last(hub, "agency.rotate"))
    assert after == f"••••{key[-4:]}"
    assert before != after
    assert told(await last(hub, "agency.trust")) == (
        {"signed": False, "datum": "wgs84", "secret": False},
        {"signed": True, "datum": "gcj02", "secret": True},
    )
    async with hub.store.write() as tx:
        assert await disable_agency(tx, "user:boss", "weather")
        assert not await disable_agency(tx, "user:boss", "weather")
        assert await rotate_key(tx, "user:boss", "nobody") is None
    assert told(await last(hub, "agency.disable")) == ("on", "off")
    async with hub.store.read() as conn:
        assert await conn.scalar(text("SELECT count(*) FROM audit WHERE action = 'agency.disable'")) == 1


async def test_what_is_said_of_a_person(client: Client, hub: Hub, warnings: dict[str, str]) -> None:
    async with hub.store.read() as conn:
        query = "SELECT recipient_id, state FROM task WHERE warning_id = :w AND state <> 'done' ORDER BY id LIMIT 1"
        row = (await conn.execute(text(query), {"w": await number_of(hub, warnings["living"])})).one()
    answer = await post(client, f"/warnings/{warnings['living']}/people/{row.recipient_id}", choice="received", text="通了")
    assert answer.status_code == 303
    assert told(await last(hub, "person.told")) == (row.state, "done")


async def test_the_audit_page_shows_both(client: Client, hub: Hub) -> None:
    await post(client, "/users/add", name="new", password=PASSWORD, role="viewer")
    await post(client, "/users/role", name="new", role="duty")
    page = await client.get("/console/audit?what=user.role")
    assert "viewer" in page.text
    assert "duty" in page.text
