"""Who sees and may do what: each role against every route, a township in its own place, a second factor, nobody's own work."""

import html
import re
from collections.abc import AsyncIterator

import httpx
import pyotp
import pytest
from sqlalchemy import text
from stage import OFFICERS, PASSWORD, Hub, number_of
from test_doors import enter, token, try_login

from warnhub.console.pages import ANYBODY, ROUTES
from warnhub.plan.loading import read_policy
from warnhub.store.users import ROLES, SCOPED, User, add_user, make_token

Client = httpx.AsyncClient
PHONE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")


@pytest.fixture
async def client(base: str) -> AsyncIterator[Client]:
    """Somebody who has not entered."""
    async with Client(base_url=base) as made:
        yield made


def test_a_role_that_sees_one_part_is_no_more_than_itself() -> None:
    for role in ROLES:
        user = User("a", role, 0)
        assert user.may(role)
        assert not any(user.may(other) for other in SCOPED if other != role)
        if role in SCOPED:
            assert not any(user.may(other) for other in ROLES if other != role)
    assert User("a", "admin", 0).may("viewer")
    assert not User("a", "viewer", 0).may("duty")


@pytest.mark.parametrize("name", ["town", "rain", "qian"])
async def test_every_route_is_tried_by_those_who_may_not(client: Client, hub: Hub, warnings: dict[str, str], name: str) -> None:
    """A township and an agency open nothing of the desk, a viewer changes nothing, and nobody meets a full number."""
    await enter(client, name)
    role = OFFICERS[name]
    user = User(name, role, 0)
    page = await client.get("/console/me")
    async with hub.store.read() as conn:
        before = await conn.scalar(text("SELECT count(*) FROM audit"))
    for method, path, needed, _ in ROUTES:
        if needed in {"", ANYBODY} or user.may(needed) or not path:
            continue
        address = "/console" + re.sub(r"{\w+}", "1", path.replace("{uid}", warnings["living"]))
        form = {"csrf": token(page.text)} if method == "POST" else None
        answer = await client.request(method, address, data=form)
        assert answer.status_code == 403, f"{name}: {method} {address}"
        assert not PHONE.search(answer.text)
    async with hub.store.read() as conn:
        assert await conn.scalar(text("SELECT count(*) FROM audit")) == before
    if role in SCOPED:
        for path in ("/console/stream", "/console/wall/stream", f"/console/warnings/{warnings['living']}/stream"):
            assert (await client.get(path)).text == "event: reload\ndata: 1\n\n"
        assert (await client.get("/console")).headers["location"].endswith("/mine" if role == "agency" else "/own")


async def test_a_township_sees_its_own_people_and_nobody_elses(client: Client, hub: Hub, warnings: dict[str, str]) -> None:
    await enter(client, "town")
    uid = warnings["living"]
    page = await client.get(f"/console/own/{uid}")
    shown = {int(number) for number in re.findall(rf"/own/{uid}/(\d+)", page.text)}
    async with hub.store.read() as conn:
        rows = (
            await conn.execute(
                text(
                    "SELECT k.recipient_id AS person, t.code FROM task k JOIN area t ON t.id = k.town_id "
                    "WHERE k.warning_id = :w AND k.state <> 'done'"
                ),
                {"w": await number_of(hub, uid)},
            )
        ).all()
    mine = {row.person for row in rows if row.code == "990123001"}
    others = {row.person for row in rows} - mine
    assert shown == mine
    assert others
    for person in [*others][:5]:
        assert (await client.get(f"/console/own/{uid}/{person}")).status_code == 404
    person = min(mine)
    form = {"csrf": token((await client.get(f"/console/own/{uid}/{person}")).text), "choice": "received", "text": "电话通了"}
    assert (await client.post(f"/console/own/{uid}/{min(others)}", data=form)).status_code == 404
    assert (await client.post(f"/console/own/{uid}/{person}", data=form)).status_code == 303
    async with hub.store.read() as conn:
        row = (await conn.execute(text("SELECT * FROM ack ORDER BY id DESC LIMIT 1"))).one()
    assert (row.recipient_id, row.evidence, row.officer) == (person, "told", "user:town")


async def test_an_agency_sees_what_became_of_its_own_alerts(client: Client, warnings: dict[str, str]) -> None:
    await enter(client, "rain")
    page = await client.get("/console/mine")
    assert f"/mine/{warnings['living']}" in page.text
    assert warnings["pending"] not in page.text, "another agency's"
    assert (await client.get(f"/console/mine/{warnings['living']}")).status_code == 200
    assert (await client.get(f"/console/mine/{warnings['pending']}")).status_code == 404


async def test_a_second_factor_is_asked_for_and_a_code_counts_once(client: Client, hub: Hub) -> None:
    await enter(client)
    page = await client.get("/console/me")
    found = re.search(r'class="secret">([A-Z2-7 ]+)<', page.text)
    assert found
    totp = pyotp.TOTP(found[1].replace(" ", ""))
    code = totp.at(hub.hand.now // 1000)
    wrong = str((int(code) + 1) % 1_000_000).zfill(6)
    assert (await client.post("/console/me/on", data={"csrf": token(page.text), "code": wrong})).status_code == 422
    assert (await client.post("/console/me/on", data={"csrf": token(page.text), "code": code})).status_code == 303
    client.cookies.clear()
    assert (await try_login(client, "wang")).status_code == 401
    assert (await try_login(client, "wang", code=code)).status_code == 401, "it was used to switch it on"
    hub.hand.now += 60_000
    fresh = totp.at(hub.hand.now // 1000)
    assert (await try_login(client, "wang", "not the password", code=fresh)).status_code == 401
    assert (await try_login(client, "wang", code=fresh)).status_code == 303
    async with hub.store.read() as conn:
        row = (await conn.execute(text("SELECT secret FROM \"user\" WHERE name = 'wang'"))).one()
        said = (await conn.execute(text("SELECT data FROM audit WHERE action = 'user.second.on'"))).one()
    assert found[1].replace(" ", "").encode() not in bytes(row.secret)
    assert found[1].replace(" ", "") not in said.data


async def test_nobody_releases_what_they_wrote(client: Client, base: str, hub: Hub) -> None:
    await enter(client)
    page = await client.get("/console/compose")
    form = {
        "csrf": token(page.text), "nonce": token(page.text, "nonce"), "hazard": "11B03", "level": "orange", "status": "actual",
        "hours": "3", "place": "990123100", "headline": "云岭县应急管理局发布暴雨橙色预警", "act": "save",
    }  # fmt: skip
    answer = await client.post("/console/compose", data=form)
    assert answer.status_code == 303, answer.text
    again = await client.post("/console/compose", data=form)
    assert answer.headers["location"] == again.headers["location"], "a form sent twice is one alert"
    uid = answer.headers["location"].rpartition("/")[2]
    ask = await client.get(f"/console/warnings/{uid}/release")
    yes = {"csrf": token(ask.text), "version": token(ask.text, "version"), "checked": "yes"}
    assert (await client.post(f"/console/warnings/{uid}/release", data=yes)).status_code == 409
    async with Client(base_url=base) as other:
        await enter(other, "zhao")
        ask = await other.get(f"/console/warnings/{uid}/release")
        yes = {"csrf": token(ask.text), "version": token(ask.text, "version"), "checked": "yes"}
        assert (await other.post(f"/console/warnings/{uid}/release", data=yes)).status_code == 303
    async with hub.store.read() as conn:
        approvals = await conn.execute(
            text("SELECT actor FROM approval a JOIN warning w ON w.id = a.warning_id WHERE w.uid = :u"), {"u": uid}
        )
        assert [row.actor for row in approvals] == ["user:zhao"]


async def test_a_number_is_put_right_and_never_shown(client: Client, hub: Hub) -> None:
    async with hub.store.read() as conn:
        who = (
            await conn.execute(
                text("SELECT r.id, r.ref FROM recipient r JOIN address a ON a.recipient_id = r.id WHERE r.role = 'gridworker' "
                     "AND a.channel = 'sms' LIMIT 1")
            )
        ).one()  # fmt: skip
    await enter(client)
    page = await client.get(f"/console/directory/people/{who.id}")
    form = {"csrf": token(page.text), "number": "12345"}
    assert (await client.post(f"/console/directory/people/{who.id}", data=form)).status_code == 422
    answer = await client.post(f"/console/directory/people/{who.id}", data=form | {"number": "138 0013 8000"})
    assert answer.status_code == 303
    async with hub.store.read() as conn:
        row = (
            await conn.execute(text("SELECT * FROM address WHERE recipient_id = :r AND channel = 'sms'"), {"r": who.id})
        ).one()
        said = (await conn.execute(text("SELECT data FROM audit WHERE action = 'person.number'"))).one()
    assert hub.keys.unseal(row.value) == "+8613800138000"
    assert (row.tail, row.bad) == ("8000", None)
    assert "13800138000" not in said.data
    page = await client.get(f"/console/directory/people/{who.id}")
    assert "8000" in page.text
    assert not PHONE.search(page.text)


async def test_an_administrator_makes_accounts_and_ends_sessions(client: Client, base: str, hub: Hub) -> None:
    await enter(client, "boss")
    page = await client.get("/console/users")
    form = {"csrf": token(page.text), "name": "new", "password": PASSWORD, "role": "township", "scope": "nowhere"}
    refused = await client.post("/console/users/add", data=form)
    assert refused.status_code == 422
    assert "9 or 12 digits" in refused.text
    assert (await client.post("/console/users/add", data=form | {"scope": "990123100"})).status_code == 303
    async with Client(base_url=base) as other:
        await enter(other, "new")
        assert (await other.get("/console/own")).status_code == 200
        assert (await client.post("/console/users/logout", data=form)).status_code == 303
        assert (await other.get("/console/own")).status_code == 303
    assert (await client.post("/console/users/role", data=form | {"name": "boss", "role": "viewer"})).status_code == 409


async def test_a_policy_is_kept_only_after_its_changes_were_seen(client: Client, hub: Hub) -> None:
    await enter(client, "boss")
    page = await client.get("/console/policy")
    written = re.search(r'name="text"[^>]*>(.*?)</textarea>', page.text, re.S)
    assert written
    changed = html.unescape(written[1]).replace("two: red", "two: orange")
    assert changed != html.unescape(written[1])
    form = {"csrf": token(page.text), "text": changed}
    seen = await client.post("/console/policy", data=form)
    assert seen.status_code == 200
    assert '<span class="add">+' in seen.text
    async with hub.store.read() as conn:
        assert await conn.scalar(text("SELECT count(*) FROM policy")) == 1
    broken = await client.post("/console/policy", data=form | {"text": changed.replace("rules:", "rulez:")})
    assert broken.status_code == 422
    was = changed.strip() + "\n"
    kept = await client.post("/console/policy", data=form | {"seen": "1", "was": was, "note": "橙色也要两人"})
    assert kept.status_code == 303
    async with hub.store.read() as conn:
        row = (await conn.execute(text("SELECT author, note FROM policy ORDER BY version DESC LIMIT 1"))).one()
    assert (row.author, row.note) == ("user:boss", "橙色也要两人")


async def test_a_rule_is_changed_by_a_form_and_kept_whole_with_its_author(client: Client, hub: Hub) -> None:
    await enter(client, "boss")
    page = await client.get("/console/policy?rule=0&lang=en")
    form = {"csrf": token(page.text), "act": "rule", "rule": "0", "mode": "first", "within": "4m", "every": "10m", "times": "2"}
    form |= {"order.voice": "2", "order.sms": "1", "order.wechat": "0", "order.push": "0", "order.loudspeaker": "0"}
    seen = await client.post("/console/policy", data=form)
    assert seen.status_code == 200, seen.text
    for line in ("+    channels: [sms, voice]", "+    mode: first", "+    repeat: {every: 10m, times: 2}", "+      within: 4m"):
        assert f'<span class="add">{line}' in seen.text
    assert seen.text.count('<span class="add">+ ') == 4, "and nothing else is changed"
    written = re.search(r'name="was"[^>]*>(.*?)</textarea>', seen.text, re.S)
    assert written
    was = html.unescape(written[1])
    kept = {"csrf": form["csrf"], "text": was, "was": was.strip() + "\n", "seen": "1", "note": "村干部先短信"}
    assert (await client.post("/console/policy", data=kept)).status_code == 303
    async with hub.store.read() as conn:
        row = (await conn.execute(text("SELECT version, author, note, text FROM policy ORDER BY version DESC LIMIT 1"))).one()
    assert (row.version, row.author, row.note) == (2, "user:boss", "村干部先短信")
    rule = read_policy(row.text).rules[0]
    assert (rule.channels, rule.mode, rule.repeat and rule.repeat.times) == (("sms", "voice"), "first", 2)
    assert rule.confirm
    assert (rule.confirm.within.total_seconds(), len(rule.confirm.then)) == (240, 4), "its ladder stays"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"within": "soon"}, "confirm.within"),
        ({"every": "10m", "times": "99"}, "repeat.times"),
        ({"mode": "some"}, "mode"),
        ({"within": "3m\n  - levels: red"}, "confirm.within"),
        ({"rule": "77"}, "no such rule"),
    ],
)
async def test_a_form_that_cannot_be_is_refused_whole_with_its_field(
    client: Client, hub: Hub, given: dict[str, str], said: str
) -> None:
    await enter(client, "boss")
    page = await client.get("/console/policy?rule=0&lang=en")
    form = {"csrf": token(page.text), "act": "rule", "rule": "0", "mode": "all", "within": "2m", "order.voice": "1"}
    answer = await client.post("/console/policy", data=form | given)
    assert answer.status_code == 422
    assert said in answer.text
    async with hub.store.read() as conn:
        assert await conn.scalar(text("SELECT count(*) FROM policy")) == 1


async def test_who_may_release_is_changed_by_a_form(client: Client, hub: Hub) -> None:
    await enter(client, "boss")
    page = await client.get("/console/policy?lang=en")
    form = {"csrf": token(page.text), "act": "release", "green": "never", "two": "orange"}
    seen = await client.post("/console/policy", data=form)
    assert "green: never" in seen.text
    assert "# 绿色通道自 II 级" in html.unescape(seen.text), "the comment stays"
    assert (await client.post("/console/policy", data=form | {"green": "purple"})).status_code == 422
    same = await client.post("/console/policy", data=form | {"green": "orange", "two": "red"})
    assert same.status_code == 422
    assert "Nothing is different" in same.text


async def test_a_scoped_account_gets_no_key_to_the_api(hub: Hub) -> None:
    async with hub.store.write() as tx:
        await add_user(tx, "test", name="village", password=PASSWORD, role="township", scope="990123100")
        assert await make_token(tx, "test", "village") is None
