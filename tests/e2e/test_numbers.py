"""Nobody meets a whole number: every page, file and stream, as everybody who may open it, against every number there is."""

import re
from collections.abc import AsyncIterator

import httpx
import orjson
import pytest
from furnish import furnish
from sqlalchemy import text
from stage import OFFICERS, Hub
from test_doors import enter, token
from tour import STOPS

from warnhub.store.users import User

Client = httpx.AsyncClient
DIGITS = re.compile(r"\d[\d\s-]{6,}\d")
OTHERS = (
    "/reports/warnings/{living}/export/json",
    "/reports/warnings/{living}/export/csv",
    "/reports/years/2026/export/csv",
    "/warnings/{living}/faults",
    "/warnings/{living}/figures",
    "/warnings/{living}/tasks",
    "/own/{living}/{person}",
    "/search?q=8000",
)


@pytest.fixture
async def numbers(hub: Hub) -> set[str]:
    """Every telephone number of the county, as digits, with and without the country."""
    async with hub.store.read() as conn:
        rows = (await conn.exec_driver_sql("SELECT value FROM address WHERE channel IN ('sms', 'voice')")).all()
    whole = {hub.keys.unseal(bytes(row[0])).lstrip("+") for row in rows}
    assert len(whole) > 1_000
    return whole | {one.removeprefix("86") for one in whole}


def shown(text: str, numbers: set[str]) -> set[str]:
    """The county's numbers in a text, however they are grouped."""
    found = set()
    for part in DIGITS.findall(text):
        digits = re.sub(r"\D", "", part)
        found |= {digits[a:b] for a in range(len(digits)) for b in range(a + 8, len(digits) + 1) if digits[a:b] in numbers}
    return found


@pytest.fixture
async def client(base: str) -> AsyncIterator[Client]:
    """Somebody who has not entered."""
    async with Client(base_url=base, timeout=60) as made:
        yield made


def test_a_number_is_found_however_it_is_written() -> None:
    assert shown("电话 138 0013-8000。", {"13800138000"}) == {"13800138000"}
    assert shown("+8613800138000", {"13800138000"}) == {"13800138000"}
    assert shown("••••8000", {"13800138000"}) == set()


@pytest.mark.parametrize("name", sorted(OFFICERS))
async def test_nobody_meets_a_whole_number(
    client: Client, hub: Hub, warnings: dict[str, str], numbers: set[str], name: str
) -> None:
    await enter(client, name)
    given = await furnish(hub, warnings)
    paths = [stop.at(given) for stop in STOPS] + [f"/console{path.format(**given)}" for path in OTHERS]
    opened = 0
    for path in paths:
        answer = await client.get(path)
        opened += answer.status_code == 200
        assert shown(answer.text, numbers) == set(), f"{name} {path}"
    assert opened >= (3 if OFFICERS[name] in {"agency", "township"} else 25), opened
    user = User(name, OFFICERS[name], 0)
    if user.may("viewer"):
        for path in ("/stream", "/wall/stream", f"/warnings/{warnings['living']}/stream"):
            async with client.stream("GET", f"/console{path}") as answer:
                first = await anext(answer.aiter_text())
            assert shown(first, numbers) == set(), f"{name} {path}"


TEL = re.compile(r'href="tel:(\+\d+)"')


async def asked_for(hub: Hub) -> list[tuple[str, str, str]]:
    """(actor, subject, data) of every number that was shown."""
    async with hub.store.read() as conn:
        query = "SELECT actor, subject, data FROM audit WHERE action = 'person.number_shown' ORDER BY id"
        return [tuple(row) for row in (await conn.exec_driver_sql(query)).all()]


@pytest.fixture
async def person(hub: Hub, warnings: dict[str, str]) -> tuple[int, str, str, str]:
    """(id, ref, number, township's code) of somebody who has not confirmed and has a number."""
    async with hub.store.read() as conn:
        query = text(
            "SELECT r.id, r.ref, s.value, t.code FROM task k JOIN recipient r ON r.id = k.recipient_id "
            "JOIN address s ON s.recipient_id = r.id AND s.channel = 'sms' JOIN area t ON t.id = k.town_id "
            "WHERE k.warning_id = (SELECT id FROM warning WHERE uid = :u) AND k.kind = 'confirm' AND t.code = '990123001' "
            "AND k.state IN ('open', 'late') ORDER BY k.due_at, k.id LIMIT 1"
        )
        row = (await conn.execute(query, {"u": warnings["living"]})).one()
    return row.id, row.ref, hub.keys.unseal(bytes(row.value)), row.code


async def test_an_officer_asks_for_one_number_and_calls_it(
    client: Client, hub: Hub, warnings: dict[str, str], person: tuple[int, str, str, str], numbers: set[str]
) -> None:
    """One click from the list of those who have not answered; on that answer only, and in the audit without the number."""
    who, ref, number, _ = person
    await enter(client, "wang")
    page = await client.get(f"/console/warnings/{warnings['living']}")
    path = f"/console/warnings/{warnings['living']}/people/{who}/number"
    assert re.search(rf'<button[^>]* form="dial" formaction="{path}"', page.text)
    assert '<form id="dial" method="post">' in page.text
    assert (await client.get(path)).status_code in {404, 405}, "by a form alone"
    assert (await client.post(path, data={"csrf": "no"})).status_code == 403
    assert await asked_for(hub) == []
    answer = await client.post(path, data={"csrf": token(page.text)})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert TEL.findall(answer.text) == [number]
    assert shown(answer.text, numbers - {number.lstrip("+"), number.removeprefix("+86")}) == set(), "nobody else's"
    assert number.lstrip("+") not in str(answer.url)
    again = await client.get(f"/console/warnings/{warnings['living']}/people/{who}")
    assert shown(again.text, numbers) == set()
    known = await client.post(f"/console/directory/people/{who}/number", data={"csrf": token(page.text)})
    assert TEL.findall(known.text) == [number]
    (first, second) = await asked_for(hub)
    assert (first[0], first[1], orjson.loads(first[2])) == ("user:wang", warnings["living"], {"person": ref})
    assert (second[0], second[1], orjson.loads(second[2])) == ("user:wang", ref, {"person": ref})
    trail = await client.get("/console/audit")
    assert shown(trail.text, numbers) == set()


async def test_whoever_only_looks_is_shown_no_number(
    client: Client, hub: Hub, warnings: dict[str, str], person: tuple[int, str, str, str], numbers: set[str]
) -> None:
    await enter(client, "qian")
    form = {"csrf": token((await client.get("/console/me")).text)}
    page = await client.get(f"/console/warnings/{warnings['living']}")
    assert 'form="dial"' not in page.text
    for path in (f"/warnings/{warnings['living']}/people/{person[0]}", f"/directory/people/{person[0]}"):
        assert "/number" not in (await client.get(f"/console{path}")).text
        answer = await client.post(f"/console{path}/number", data=form)
        assert answer.status_code == 403
        assert shown(answer.text, numbers) == set()
    assert await asked_for(hub) == []


async def test_a_township_is_shown_the_numbers_of_its_own_people_alone(
    client: Client, hub: Hub, warnings: dict[str, str], person: tuple[int, str, str, str]
) -> None:
    await enter(client, "town")
    uid, (who, ref, number, _) = warnings["living"], person
    async with hub.store.read() as conn:
        query = text(
            "SELECT min(k.recipient_id) FROM task k JOIN area t ON t.id = k.town_id "
            "WHERE k.warning_id = (SELECT id FROM warning WHERE uid = :u) AND t.code <> '990123001'"
        )
        other = await conn.scalar(query, {"u": uid})
    page = await client.get(f"/console/own/{uid}")
    assert f'action="/console/own/{uid}/{who}/number"' in page.text
    form = {"csrf": token(page.text)}
    assert (await client.post(f"/console/own/{uid}/{other}/number", data=form)).status_code == 404
    assert (await client.post(f"/console/warnings/{uid}/people/{who}/number", data=form)).status_code == 403
    assert (await client.post(f"/console/directory/people/{who}/number", data=form)).status_code == 403
    assert await asked_for(hub) == []
    answer = await client.post(f"/console/own/{uid}/{who}/number", data=form)
    assert TEL.findall(answer.text) == [number]
    ((actor, subject, data),) = await asked_for(hub)
    assert (actor, subject, orjson.loads(data)) == ("user:town", uid, {"person": ref})


async def test_a_search_for_a_whole_number_is_one_for_its_end(client: Client, numbers: set[str]) -> None:
    """The number is on no page and in no further address, and its owner is found."""
    await enter(client)
    number = max(one for one in numbers if len(one) == 11)
    for written in (number, f"+86 {number[:3]} {number[3:7]} {number[7:]}"):
        answer = await client.get("/console/search", params={"q": written})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/console/search?q={number[-4:]}")
        page = await client.get(answer.headers["location"])
        assert shown(page.text, numbers) == set()
        assert "/directory/people/" in page.text


async def test_the_desk_is_searched_by_name_by_last_digits_by_code_and_by_place(client: Client, hub: Hub) -> None:
    async with hub.store.read() as conn:
        query = (
            "SELECT r.id, r.ref, r.name, s.tail FROM recipient r JOIN address s ON s.recipient_id = r.id AND s.channel = 'sms' "
            "WHERE r.role = 'gridworker' ORDER BY r.id LIMIT 1"
        )
        who = (await conn.exec_driver_sql(query)).one()
    await enter(client, "qian")
    for words in (who.name, who.name[0], who.tail, who.ref):
        page = await client.get("/console/search", params={"q": words})
        assert f"/directory/people/{who.id}" in page.text, words
    for words, found in (("暴雨", "/warnings/"), ("990123001", "/directory?place="), ("没有这样的东西", "没有")):
        assert found in (await client.get("/console/search", params={"q": words})).text, words
