"""The console's doors, without a browser: who gets in, what a form needs, and what every answer carries."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event, text
from stage import OFFICERS, PASSWORD, Hub, number_of, serving

from warnhub.console.pages import ROUTES, make_router
from warnhub.console.visit import COOKIE, POLICY
from warnhub.store.audits import verify_audit
from warnhub.store.sessions import close_sessions

Client = httpx.AsyncClient


@pytest.fixture
async def client(base: str) -> AsyncIterator[Client]:
    """Somebody who has not entered."""
    async with Client(base_url=base) as made:
        yield made


def token(page: str, name: str = "csrf") -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found
    return found.group(1)


async def try_login(client: Client, name: str, password: str = PASSWORD, **more: str) -> httpx.Response:
    """One try, from a page just loaded."""
    page = await client.get("/console/login")
    form = {"name": name, "password": password, "nonce": token(page.text, "nonce")} | more
    return await client.post("/console/login", data=form)


async def enter(client: Client, name: str = "wang") -> Client:
    """Log in."""
    assert (await try_login(client, name)).status_code == 303
    return client


async def test_nobody_sees_anything(client: Client, warnings: dict[str, str]) -> None:
    for method, path, role, _ in ROUTES:
        if not role:
            continue
        address = "/console" + re.sub(r"{\w+}", "1", path.replace("{uid}", warnings["living"]))
        answer = await client.request(method, address)
        assert answer.status_code == 303, address
        assert answer.headers["location"].startswith("/console/login"), address
        assert answer.text == ""


async def test_streams_tell_a_stranger_nothing(client: Client, warnings: dict[str, str]) -> None:
    for path in ("/console/stream", f"/console/warnings/{warnings['living']}/stream"):
        answer = await client.get(path)
        assert answer.text == "event: reload\ndata: 1\n\n"


async def test_a_session_is_a_cookie_that_scripts_and_other_sites_cannot_use(client: Client) -> None:
    answer = await try_login(client, "wang")
    cookie = next(line for line in answer.headers.get_list("set-cookie") if line.startswith(f"{COOKIE}="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/console" in cookie
    assert "Max-Age=43200" in cookie
    assert len(cookie.partition("=")[2].partition(";")[0]) >= 43


async def test_one_goes_where_one_wanted_and_nowhere_else(client: Client, warnings: dict[str, str]) -> None:
    sent = await client.get(f"/console/warnings/{warnings['living']}")
    assert sent.headers["location"] == f"/console/login?next=/warnings/{warnings['living']}"
    answer = await try_login(client, "wang", next=f"/warnings/{warnings['living']}")
    assert answer.headers["location"] == f"/console/warnings/{warnings['living']}"
    client.cookies.clear()
    answer = await try_login(client, "wang", next="//evil.example/x")
    assert answer.headers["location"] == "/console"


async def test_wrong_names_and_passwords_look_the_same(client: Client, hub: Hub) -> None:
    wrong, unknown = await try_login(client, "wang", "x"), await try_login(client, "nobody", "x")
    assert wrong.status_code == unknown.status_code == 401
    plain = [re.sub(r'value="[^"]*"', "", page.text) for page in (wrong, unknown)]
    assert plain[0] == plain[1]
    async with hub.store.read() as conn:
        rows = await conn.execute(text("SELECT subject FROM audit WHERE action = 'user.login.refused' ORDER BY id"))
        assert [row.subject for row in rows] == ["wang", ""]
        assert (await verify_audit(conn))[1] is None


async def test_guessing_has_to_wait(client: Client) -> None:
    answers = [(await try_login(client, "wang", f"guess {number}")).status_code for number in range(9)]
    assert answers == [401] * 8 + [429]
    right = await try_login(client, "wang")
    assert right.status_code == 429
    assert "请等" in right.text
    assert (await try_login(client, "zhao")).status_code == 303


async def test_a_login_form_belongs_to_its_browser(client: Client, base: str, hub: Hub) -> None:
    page = await client.get("/console/login")
    form = {"name": "wang", "password": PASSWORD, "nonce": token(page.text, "nonce")}
    async with Client(base_url=base) as other:
        assert (await other.post("/console/login", data=form)).status_code == 403
        await other.get("/console/login")
        assert (await other.post("/console/login", data=form)).status_code == 403
    assert (await client.post("/console/login", data=form | {"nonce": ""})).status_code == 403
    cross = await client.post("/console/login", data=form, headers={"sec-fetch-site": "cross-site"})
    assert cross.status_code == 403
    assert COOKIE not in client.cookies
    hub.hand.now += 3_700_000
    assert (await client.post("/console/login", data=form)).status_code == 403


@pytest.mark.parametrize("csrf", ["", "wrong", "é"])
async def test_a_form_without_its_token_does_nothing(client: Client, hub: Hub, warnings: dict[str, str], csrf: str) -> None:
    await enter(client)
    uid = warnings["drill"]
    page = await client.get(f"/console/warnings/{uid}/release")
    form = {"version": token(page.text, "version"), "csrf": csrf}
    assert (await client.post(f"/console/warnings/{uid}/release", data=form)).status_code == 403
    async with Client(base_url=client.base_url) as other:
        await enter(other, "zhao")
        theirs = token((await other.get(f"/console/warnings/{uid}/release")).text)
    assert (await client.post(f"/console/warnings/{uid}/release", data=form | {"csrf": theirs})).status_code == 403
    good = form | {"csrf": token(page.text)}
    foreign = await client.post(f"/console/warnings/{uid}/release", data=good, headers={"sec-fetch-site": "same-site"})
    assert foreign.status_code == 403
    assert (await client.post(f"/console/warnings/{uid}/release", data=good)).status_code == 303


@pytest.mark.parametrize("name", sorted(OFFICERS))
async def test_each_role_does_what_it_may(client: Client, hub: Hub, warnings: dict[str, str], name: str) -> None:
    await enter(client, name)
    csrf = token((await client.get("/console/me")).text)
    for act in ("release", "reject", "cancel"):
        path = f"/console/warnings/{warnings['living' if act == 'cancel' else 'pending']}/{act}"
        expected = 403 if OFFICERS[name] in {"viewer", "agency", "township"} else 200
        assert (await client.get(path)).status_code == expected
        answer = await client.post(path, data={"csrf": csrf, "why": "", "version": "1"})
        assert answer.status_code == (403 if expected == 403 else 422)
    async with hub.store.read() as conn:
        rows = await conn.execute(text("SELECT state FROM warning ORDER BY id"))
        assert [row.state for row in rows] == ["expired", "released", "pending", "pending", "pending"]


async def test_nothing_happens_without_the_box_or_on_an_old_page(client: Client, hub: Hub, warnings: dict[str, str]) -> None:
    await enter(client)
    path = f"/console/warnings/{warnings['pending']}/release"
    page = await client.get(path)
    form = {"csrf": token(page.text), "version": token(page.text, "version")}
    assert (await client.post(path, data=form)).status_code == 422
    old = await client.post(path, data=form | {"checked": "yes", "version": "0"})
    assert old.status_code == 409
    assert "请重新核对" in old.text
    async with hub.store.read() as conn:
        assert await conn.scalar(text("SELECT count(*) FROM approval WHERE actor = 'user:wang'")) == 1


async def test_only_whom_a_warning_asks_can_be_told(client: Client, hub: Hub, warnings: dict[str, str]) -> None:
    await enter(client)
    csrf = token((await client.get("/console")).text)
    async with hub.store.read() as conn:
        resident = await conn.scalar(text("SELECT id FROM recipient WHERE role = 'resident' LIMIT 1"))
    for person, status in ((str(resident), 409), ("0", 404), ("99999999", 404), ("1;drop", 404), ("-1", 404)):
        path = f"/console/warnings/{warnings['living']}/people/{person}"
        answer = await client.post(path, data={"csrf": csrf, "choice": "received"})
        assert answer.status_code == status, person
    over = await hub.monitor.summary(warnings["over"])
    assert over
    number = await number_of(hub, warnings["over"])
    async with hub.store.read() as conn:
        person = await conn.scalar(text("SELECT recipient_id FROM task WHERE warning_id = :w LIMIT 1"), {"w": number})
    path = f"/console/warnings/{warnings['over']}/people/{person}"
    assert (await client.post(path, data={"csrf": csrf, "choice": "received"})).status_code == 409
    async with hub.store.read() as conn:
        assert await conn.scalar(text("SELECT count(*) FROM ack WHERE evidence = 'told'")) == 0


async def test_logging_out_ends_it_everywhere(client: Client) -> None:
    await enter(client)
    page = await client.get("/console")
    key = client.cookies[COOKIE]
    assert (await client.post("/console/logout", data={"csrf": "x"})).status_code == 403
    assert (await client.post("/console/logout", data={"csrf": token(page.text)})).status_code == 303
    client.cookies.set(COOKIE, key, path="/console")
    assert (await client.get("/console")).status_code == 303


async def test_every_answer_carries_its_headers(client: Client, warnings: dict[str, str]) -> None:
    paths = ["/console/login", "/console/nowhere", "/console/"]
    answers = [await client.get(path) for path in paths]
    await enter(client)
    inside = ["/console", f"/console/warnings/{warnings['living']}", "/console/warnings/none", "/console/x/y"]
    answers += [await client.get(path) for path in inside]
    for answer in answers:
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
    assert "unsafe" not in POLICY
    assert [answer.status_code for answer in answers] == [200, 404, 303, 200, 200, 404, 404]


async def test_style_and_script_are_kept_for_a_year(client: Client) -> None:
    page = (await client.get("/console/login")).text
    for path in re.findall(r'(?:href|src)="(/console/static/[^"]+)"', page):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await client.get("/console/static/hub.py")).status_code == 404
    assert (await client.get("/console/static/..%2fhub.py")).status_code == 404


async def test_the_language_is_asked_for_once(client: Client) -> None:
    assert "登录" in (await client.get("/console/login")).text
    assert "Log in" in (await client.get("/console/login?lang=en")).text
    assert "Log in" in (await client.get("/console/login")).text
    assert "登录" in (await client.get("/console/login?lang=xx")).text


async def test_what_an_agency_writes_is_only_text(client: Client, hub: Hub, warnings: dict[str, str]) -> None:
    async with hub.store.write() as tx:
        await tx.conn.execute(
            text("UPDATE warning SET headline = '<script>alert(1)</script>暴雨\"' WHERE uid = :u"), {"u": warnings["living"]}
        )
        await tx.conn.execute(text("UPDATE recipient SET name = '<img src=x onerror=1>' WHERE role = 'village_head'"))
    await enter(client)
    for path in ("/console", f"/console/warnings/{warnings['living']}"):
        page = (await client.get(path)).text
        assert "<script>alert" not in page
        assert "<img" not in page
    assert "&lt;img src=x" in page


async def test_a_breakdown_is_a_page_and_not_a_trace(client: Client, hub: Hub, warnings: dict[str, str]) -> None:
    await enter(client)
    async with hub.store.write() as tx:
        await tx.conn.execute(text("UPDATE alert SET body = '{}'"))
    answer = await client.get(f"/console/warnings/{warnings['living']}")
    assert answer.status_code == 500
    assert "系统出错了" in answer.text
    assert "Traceback" not in answer.text
    assert "validation" not in answer.text


async def read_parts(client: Client, path: str, most: int = 1) -> list[dict[str, str]]:
    """The first events of a stream that carry parts of the page."""
    found: list[dict[str, str]] = []
    async with client.stream("GET", path, timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                found.append(json.loads(line[6:]))
            if len(found) == most:
                break
    return found


async def test_a_stream_sends_only_what_changed(client: Client, hub: Hub, warnings: dict[str, str]) -> None:
    await enter(client)
    path = f"/console/warnings/{warnings['living']}/stream"

    async def change() -> None:
        await asyncio.sleep(2)
        async with hub.store.write() as tx:
            await tx.conn.execute(text("UPDATE tally SET n = n + 1 WHERE channel = '' AND state = 60 AND role = 'resident'"))

    changing = asyncio.create_task(change())
    first, second = await read_parts(client, path, 2)
    await changing
    assert {"state", "tiles", "funnel", "asked", "channels", "towns", "silent", "latency", "events"} <= set(first)
    assert {"tiles", "funnel"} <= set(second)
    assert not {"silent", "latency", "events", "state"} & set(second)
    assert "<script" not in "".join(first.values())


async def test_a_crowd_asks_the_database_as_often_as_one(client: Client, hub: Hub, warnings: dict[str, str]) -> None:
    await enter(client)
    path = f"/console/warnings/{warnings['living']}/stream"
    asked: list[str] = []
    for engine in hub.store.files:
        event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    await read_parts(client, path)
    alone = sum("tally" in query for query in asked)
    asked.clear()
    await asyncio.sleep(2)
    async with asyncio.timeout(20):
        await asyncio.gather(*(read_parts(client, path) for _ in range(30)))
    assert alone >= 1
    assert sum("tally" in query for query in asked) <= alone + 1


async def test_an_open_stream_ends_with_its_state(client: Client, hub: Hub, warnings: dict[str, str]) -> None:
    await enter(client)
    lines: list[str] = []
    async with client.stream("GET", f"/console/warnings/{warnings['living']}/stream", timeout=20) as answer:
        async for line in answer.aiter_lines():
            if not line.startswith("event:"):
                continue
            lines.append(line)
            if len(lines) == 1:
                await hub.desk.cancel(warnings["living"], "user:li", "雨停")
    assert lines[0] == "event: parts"
    assert lines[-1] == "event: reload"


async def test_an_account_that_was_closed_is_out(client: Client, hub: Hub) -> None:
    await enter(client)
    async with hub.store.write() as tx:
        await close_sessions(tx, "user:boss", "wang")
    assert (await client.get("/console")).status_code == 303


async def test_behind_a_proxy_with_a_path_every_address_has_it(hub: Hub, warnings: dict[str, str]) -> None:
    hub.settings = hub.settings.model_copy(update={"public_url": "https://desk.example/warn"})
    app = FastAPI()
    app.include_router(make_router(hub))
    async with serving(app) as base, Client(base_url=base) as client:
        page = await client.get("/console/login")
        cookie = page.headers["set-cookie"]
        assert "Path=/warn/console" in cookie
        assert "Secure" in cookie
        local = [path for path in re.findall(r'(?:href|src|action)="(/[^"]*)"', page.text)]
        assert local
        assert all(path.startswith("/warn/console") for path in local)
