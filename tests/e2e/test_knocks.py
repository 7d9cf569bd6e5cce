"""The door list: no name without the second factor, every knock kept once, with a line, without one, and without a script."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import text
from stage import PASSWORD, Hub, number_of
from window import PHONE, Opener, picture

from warnhub.field.entry import COOKIE
from warnhub.store.audits import verify_audit
from warnhub.store.warnings import end_warning, find_warning

HOMES = 200


class Worker:
    """A gridworker with two hundred households, and what the database says of them."""

    def __init__(self, hub: Hub, wave: int, recipient: int, warning: int, phone: str) -> None:
        self.hub, self.wave, self.recipient, self.warning, self.number = hub, wave, recipient, warning, phone
        self.path = f"/a/{hub.keys.link_token(wave, recipient)}/doors"

    @property
    def pin(self) -> str:
        """The last four digits."""
        return self.number[-4:]

    async def states(self) -> dict[int, str]:
        """Door → where it stands."""
        async with self.hub.store.read() as conn:
            rows = await conn.execute(
                text("SELECT id, state FROM door WHERE warning_id = :w AND worker_id = :r"),
                {"w": self.warning, "r": self.recipient},
            )
            return {row.id: row.state for row in rows}

    async def number_of_knocks(self) -> int:
        """Knocks there are."""
        async with self.hub.store.read() as conn:
            return int(await conn.scalar(text("SELECT count(*) FROM knock")) or 0)

    async def names(self) -> list[str]:
        """The names of the households, as nobody may see them beforehand."""
        async with self.hub.store.read() as conn:
            rows = await conn.execute(text("SELECT head FROM household h JOIN door d ON d.household_id = h.id"))
            return [self.hub.keys.unseal(bytes(row.head)) for row in rows]


@pytest.fixture
async def worker(hub: Hub, warnings: dict[str, str]) -> Worker:
    """One gridworker of the rainstorm, to whom two hundred households are given."""
    number = await number_of(hub, warnings["living"])
    query = (
        "SELECT d.wave_id, d.recipient_id, a.value, r.area_id FROM wave v JOIN delivery d ON d.wave_id = v.id "
        "JOIN recipient r ON r.id = d.recipient_id JOIN address a ON a.recipient_id = r.id AND a.channel = 'sms' "
        "WHERE v.warning_id = :w AND v.channel = 'sms' AND r.role = 'gridworker' ORDER BY d.recipient_id LIMIT 1"
    )
    async with hub.store.write() as tx:
        row = (await tx.conn.execute(text(query), {"w": number})).one()
        few = "(SELECT id FROM household ORDER BY id LIMIT :n)"
        await tx.conn.execute(text(f"UPDATE household SET area_id = :a WHERE id IN {few}"), {"a": row.area_id, "n": HOMES})
        await tx.conn.execute(text(f"DELETE FROM household WHERE id NOT IN {few}"), {"n": HOMES})
    await hub.responder.planned(str(number), {})
    return Worker(hub, row.wave_id, row.recipient_id, number, hub.keys.unseal(bytes(row.value)))


@pytest.fixture
async def phone(base: str) -> AsyncIterator[httpx.AsyncClient]:
    """A telephone's browser, without a script."""
    async with httpx.AsyncClient(base_url=base, headers={"user-agent": PHONE}, follow_redirects=True) as client:
        yield client


async def unlock(phone: httpx.AsyncClient, worker: Worker) -> str:
    """Show the digits; gives the list."""
    answer = await phone.post(worker.path, data={"pin": worker.pin})
    assert (answer.status_code, answer.headers.get("x-doors")) == (200, "open")
    return answer.text


async def test_no_name_is_shown_without_the_last_four_digits(phone: httpx.AsyncClient, worker: Worker, hub: Hub) -> None:
    names = set(await worker.names())
    assert len(names) > 100
    wrong = f"{(int(worker.pin) + 1) % 10_000:04}"
    answers = [
        await phone.get(worker.path),
        await phone.get(f"{worker.path}/close"),
        await phone.post(worker.path, data={"pin": wrong}),
        await phone.post(worker.path, data={"pin": ""}),
        await phone.post(worker.path, data={"k": "1.reached", "nonce": "0" * 16}),
        await phone.post(f"{worker.path}/close", data={}),
        await phone.post(f"{worker.path}/knocks", json={"knocks": []}),
        await phone.get(worker.path, headers={"cookie": f"{COOKIE}=7fffffff.AAAAAAAAAAAAAAAAAAAAAA"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 403, 403, 403, 403, 403, 403, 200]
    for answer in answers:
        assert not any(name in answer.text for name in names if len(name) > 1)
        assert "x-doors" not in answer.headers
        assert worker.number not in answer.text
    assert set(worker.names and names) & set(re.findall(r"<b>([^<]+)</b>", await unlock(phone, worker)))
    async with hub.store.read() as conn:
        said = (await conn.execute(text("SELECT data FROM audit WHERE action = 'pass.refused'"))).all()
        assert (await verify_audit(conn))[1] is None
    assert len(said) == 2
    assert not any(wrong in row.data for row in said)


async def test_guessing_the_digits_has_to_wait_and_the_pass_is_for_one_link(phone: httpx.AsyncClient, worker: Worker) -> None:
    wrong = f"{(int(worker.pin) + 1) % 10_000:04}"
    answers = [(await phone.post(worker.path, data={"pin": wrong})).status_code for _ in range(6)]
    assert answers == [403] * 5 + [429]
    assert (await phone.post(worker.path, data={"pin": worker.pin})).status_code == 429
    worker.hub.hand.now += 901_000
    answer = await phone.post(worker.path, data={"pin": worker.pin})
    assert answer.status_code == 200
    cookie = next(one for one in phone.cookies.jar if one.name == COOKIE)
    assert cookie.path == worker.path.removesuffix("/doors")
    assert cookie.has_nonstandard_attr("HttpOnly")
    other = worker.path.replace(worker.path.split("/")[2], worker.hub.keys.link_token(worker.wave, worker.recipient + 1))
    refused = await phone.get(other, headers={"cookie": f"{COOKIE}={cookie.value}"})
    assert "x-doors" not in refused.headers
    worker.hub.hand.now += 12 * 3_600_000 + 1_000
    assert "x-doors" not in (await phone.get(worker.path)).headers


async def test_it_works_without_a_script(phone: httpx.AsyncClient, worker: Worker) -> None:
    page = await unlock(phone, worker)
    serial = re.search(r'name="nonce" value="(\w+)"', page)
    assert serial
    first = next(iter(await worker.states()))
    form = {"k": f"{first}.absent", "nonce": serial[1], "shelter": ""}
    for _ in range(2):
        answer = await phone.post(worker.path, data=form)
        assert answer.status_code == 200
    assert (await worker.states())[first] == "absent"
    assert await worker.number_of_knocks() == 1
    again = re.search(r'name="nonce" value="(\w+)"', answer.text)
    assert again
    assert again[1] != serial[1]
    await phone.post(worker.path, data={"k": f"{first}.undo", "nonce": again[1]})
    assert (await worker.states())[first] == "open"
    for bad in ({"k": "x.reached", "nonce": again[1]}, {"k": f"{first}.gone", "nonce": again[1]}, {"k": f"{first}.reached"}):
        assert (await phone.post(worker.path, data=bad)).status_code == 400
    machine = await phone.post(worker.path, data=form, headers={"user-agent": "python-requests/2.32"})
    assert machine.status_code == 400
    assert (await worker.states())[first] == "open"
    # Where the shelter is not named, the household's own is meant.
    await phone.post(worker.path, data={"k": f"{first}.moved", "nonce": "0123456789abcdef", "shelter": ""})
    async with worker.hub.store.read() as conn:
        row = (await conn.execute(text("SELECT d.state, d.shelter_id FROM door d WHERE d.id = :d"), {"d": first})).one()
        name = await conn.scalar(text("SELECT name FROM shelter WHERE id = :s"), {"s": row.shelter_id})
    assert row.state == "moved"
    assert name
    assert "已到" in (await phone.get(worker.path)).text


async def test_the_list_closes_with_a_reason_for_each(phone: httpx.AsyncClient, worker: Worker) -> None:
    await unlock(phone, worker)
    doors = list(await worker.states())
    knocks = [{"client": f"client-{door}", "door": door, "choice": "reached", "ago": 0} for door in doors[2:]]
    answer = await phone.post(f"{worker.path}/knocks", json={"knocks": knocks})
    assert set(answer.json()["outcome"].values()) == {"kept"}
    page = await phone.get(f"{worker.path}/close")
    assert page.text.count('class="t" name="r') == 2
    refused = await phone.post(f"{worker.path}/close", data={f"r{doors[0]}": "空户"})
    assert refused.status_code == 409
    done = await phone.post(f"{worker.path}/close", data={f"r{doors[0]}": "空户", f"r{doors[1]}": "外出"})
    assert done.status_code == 200
    assert "名单已关闭" in done.text


async def test_what_a_telephone_cannot_mean_is_named_and_the_rest_is_kept(phone: httpx.AsyncClient, worker: Worker) -> None:
    await unlock(phone, worker)
    door = next(iter(await worker.states()))
    knocks = [
        {"client": "client-0001", "door": door, "choice": "reached", "ago": 1_000},
        {"client": "client-0002", "door": door, "choice": "danced", "ago": 1_000},
        {"client": "client-0003", "door": 999_999, "choice": "reached", "ago": 1_000},
    ]
    answer = (await phone.post(f"{worker.path}/knocks", json={"knocks": knocks})).json()["outcome"]
    assert answer["client-0001"] == "kept"
    assert answer["client-0002"].startswith("refused: choice")
    assert answer["client-0003"] == "stranger"
    for bad in (b"[]", b"{", b'{"knocks": 3}'):
        said = await phone.post(f"{worker.path}/knocks", content=bad, headers={"content-type": "application/json"})
        assert said.status_code == 400
    over = await phone.post(f"{worker.path}/knocks", json={"knocks": [knocks[0]] * 501})
    assert over.status_code == 413
    async with worker.hub.store.write() as tx:
        warning = await find_warning(tx.conn, await uid_of(worker))
        assert warning
        await end_warning(tx, warning, "cancelled", "test")
    late = await phone.post(f"{worker.path}/knocks", json={"knocks": [knocks[0] | {"client": "client-0009"}]})
    assert late.status_code == 409


async def uid_of(worker: Worker) -> str:
    """The warning's public id."""
    async with worker.hub.store.read() as conn:
        return str(await conn.scalar(text("SELECT uid FROM warning WHERE id = :w"), {"w": worker.warning}))


@pytest.mark.browser
async def test_five_minutes_without_a_line_lose_and_double_nothing(browse: Opener, worker: Worker) -> None:
    """Two hundred doors at 360 px: every one is knocked on while the network is cut, some twice, some taken back."""
    page = await browse(360, cut=True, user_agent=PHONE, has_touch=True)
    await page.clock.install()
    await page.goto(worker.path)
    await page.fill("input[name=pin]", worker.pin)
    await page.click("button")
    await page.wait_for_selector("#doors")
    await page.evaluate("navigator.serviceWorker.ready.then(() => 1)")
    await page.reload()
    assert await page.locator(".k").count() == HOMES
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await picture(page, "doors-360", whole=False)
    doors = list(await worker.states())
    await page.context.set_offline(True)
    assert not await page.evaluate("navigator.onLine"), "the line is cut, not the script's idea of it"
    begun = await page.evaluate("Date.now()")
    wanted = {}
    for number, door in enumerate(doors):
        choice = ("reached", "moved", "absent", "refused", "help")[number % 5]
        await page.evaluate(f"document.querySelector('#d{door} button[value=\"{door}.{choice}\"]').click()")
        wanted[door] = choice
        if number % 40 == 3:
            await page.evaluate(f"document.querySelector('#d{door} button[value=\"{door}.undo\"]').click()")
            wanted[door] = "open"
        if number % 20 == 7:
            await page.evaluate(f"document.querySelector('#d{door} button[value=\"{door}.reached\"]').click()")
            wanted[door] = "reached"
        if number % 20 == 10:
            await page.clock.run_for(30_000)
    assert await page.evaluate("Date.now()") - begun >= 5 * 60_000
    assert await page.evaluate("fetch('doors/knocks', {method: 'POST'}).then(() => 'answered', () => 'no line')") == "no line"
    assert await worker.number_of_knocks() == 0
    waiting = HOMES + 5 + 10
    assert f"{waiting} 条待发送" in str(await page.inner_text("#sum"))
    # The telephone closes the page; it opens again without a line, with everything that was done.
    await page.reload()
    await page.wait_for_selector("#doors")
    assert f"{waiting} 条待发送" in str(await page.inner_text("#sum"))
    shown = await page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('.k')].map(k => [k.id.slice(1), k.dataset.s]))"
    )
    assert {int(door): state for door, state in shown.items()} == wanted
    await page.context.set_offline(False)
    await page.evaluate("window.dispatchEvent(new Event('online'))")
    await page.wait_for_selector("#wait:empty", state="attached", timeout=20_000)
    assert await worker.states() == wanted
    assert await worker.number_of_knocks() == waiting
    await page.reload()
    assert await worker.number_of_knocks() == waiting
    done = sum(state in {"reached", "moved"} for state in wanted.values())
    assert (await page.inner_text("#sum")).startswith(f"{done}/{HOMES} 户")


@pytest.mark.browser
async def test_an_answer_that_is_lost_on_its_way_back_doubles_nothing(browse: Opener, worker: Worker) -> None:
    """The desk has kept the knock, the telephone never hears so: it sends again, and it is one knock."""
    page = await browse(360, cut=True, user_agent=PHONE)
    await page.goto(worker.path)
    await page.fill("input[name=pin]", worker.pin)
    await page.click("button")
    await page.wait_for_selector("#doors")
    door = next(iter(await worker.states()))
    lost = 0

    async def lose(route: object) -> None:
        nonlocal lost
        lost += 1
        if lost <= 2:
            await route.fetch()  # type: ignore[attr-defined]
            await route.abort()  # type: ignore[attr-defined]
        else:
            await route.continue_()  # type: ignore[attr-defined]

    await page.context.route("**/knocks", lose)
    await page.click(f'#d{door} button[value="{door}.help"]')
    for _ in range(3):
        await page.wait_for_timeout(300)
        await page.evaluate("window.dispatchEvent(new Event('online'))")
    await page.wait_for_selector("#wait:empty", state="attached", timeout=20_000)
    assert lost == 3
    assert (await worker.states())[door] == "help"
    assert await worker.number_of_knocks() == 1


async def test_the_desk_sees_the_doors(base: str, worker: Worker, warnings: dict[str, str], phone: httpx.AsyncClient) -> None:
    await unlock(phone, worker)
    doors = list(await worker.states())
    knocks = [
        {"client": f"client-{door}", "door": door, "choice": "moved" if number else "help", "ago": 0, "shelter": 1}
        for number, door in enumerate(doors[:50])
    ]
    await phone.post(f"{worker.path}/knocks", json={"knocks": knocks})
    async with httpx.AsyncClient(base_url=base, follow_redirects=True) as desk:
        page = await desk.get("/console/login")
        nonce = re.search(r'name="nonce" value="([^"]*)"', page.text)
        assert nonce
        await desk.post("/console/login", data={"name": "wang", "password": PASSWORD, "nonce": nonce[1]})
        shown = await desk.get(f"/console/warnings/{warnings['living']}/doors")
        assert shown.status_code == 200
        assert "敲门行动" in shown.text
        assert f"还有 {HOMES - 49} 户没有结果" in shown.text
        assert "49/200" in shown.text
        assert not any(name in shown.text for name in await worker.names() if len(name) > 2)
        assert (await desk.get(f"/console/warnings/{warnings['living']}/doors?lang=en")).text.count("households") > 2
        assert f"/warnings/{warnings['living']}/doors" in (await desk.get(f"/console/warnings/{warnings['living']}")).text
