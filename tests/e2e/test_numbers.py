"""Nobody meets a whole number: every page, file and stream, as everybody who may open it, against every number there is."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from furnish import furnish
from stage import OFFICERS, Hub
from test_doors import enter
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
