"""The field page: opens for anybody, confirms only for a person."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import event, text
from stage import Hub, number_of
from window import PHONE, Opener, picture

from warnhub.console.answer import TRAP
from warnhub.desk import Refusal
from warnhub.feedback.acks import Evidence
from warnhub.store.warnings import end_warning, find_warning

FORM = {"content-type": "application/x-www-form-urlencoded"}


class Link:
    """One person's link, and what the ledger says of them."""

    def __init__(self, hub: Hub, wave: int, recipient: int, warning: int) -> None:
        self.hub = hub
        self.recipient = recipient
        self.warning = warning
        self.wave = wave
        self.path = f"/a/{hub.keys.link_token(wave, recipient)}"

    async def acks(self) -> list[tuple[str, str | None]]:
        """(evidence, choice) of everything kept about this person, in order."""
        query = text("SELECT evidence, choice FROM ack WHERE recipient_id = :r AND warning_id = :w ORDER BY id")
        async with self.hub.store.read() as conn:
            rows = await conn.execute(query, {"r": self.recipient, "w": self.warning})
            return [(row.evidence, row.choice) for row in rows]

    async def confirmed(self) -> bool:
        """Whether they count as confirmed."""
        query = text("SELECT state FROM task WHERE recipient_id = :r AND warning_id = :w AND kind = 'confirm'")
        async with self.hub.store.read() as conn:
            return bool(await conn.scalar(query, {"r": self.recipient, "w": self.warning}) == "done")


@pytest.fixture
async def link(hub: Hub, warnings: dict[str, str]) -> Link:
    """A gridworker of the rainstorm who has not confirmed."""
    return await find_link(hub, warnings["living"])


async def find_link(hub: Hub, uid: str) -> Link:
    """Somebody who was told and has not confirmed."""
    number = await number_of(hub, uid)
    query = text(
        "SELECT d.wave_id, d.recipient_id FROM wave v JOIN delivery d ON d.wave_id = v.id "
        "JOIN task k ON k.recipient_id = d.recipient_id AND k.warning_id = v.warning_id AND k.state <> 'done' "
        "WHERE v.warning_id = :w AND v.channel = 'sms' AND k.role = 'gridworker' ORDER BY d.recipient_id LIMIT 1"
    )
    async with hub.store.read() as conn:
        row = (await conn.execute(query, {"w": number})).one()
    return Link(hub, row.wave_id, row.recipient_id, number)


@pytest.fixture
async def phone(base: str) -> AsyncIterator[httpx.AsyncClient]:
    """A telephone's browser, without a person."""
    async with httpx.AsyncClient(base_url=base, headers={"user-agent": PHONE}) as client:
        yield client


def defaults(page: str) -> dict[str, str]:
    """What a program that submits the form as it stands would send."""
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    return found | {"text": "", TRAP: ""}


async def load(phone: httpx.AsyncClient, link: Link) -> dict[str, str]:
    """The form of a page just opened."""
    answer = await phone.get(link.path)
    assert answer.status_code == 200
    return defaults(answer.text)


async def test_a_person_confirms(phone: httpx.AsyncClient, link: Link, hub: Hub) -> None:
    form = await load(phone, link)
    hub.hand.now += 4_000
    answer = await phone.post(link.path, data=form | {"choice": "moved", "text": " 转移 12 户 "})
    assert answer.status_code == 200
    assert "已记录：已转移群众" in answer.text
    assert await link.confirmed()
    async with hub.store.read() as conn:
        row = (await conn.execute(text("SELECT * FROM ack ORDER BY id DESC LIMIT 1"))).one()
    assert (row.evidence, row.human, row.choice, row.text) == ("human", 1, "moved", "转移 12 户")
    assert row.agent == PHONE
    assert len(row.origin) == 32
    assert "127.0.0.1" not in row.origin


async def test_an_answer_may_be_changed_but_not_repeated(phone: httpx.AsyncClient, link: Link, hub: Hub) -> None:
    form = await load(phone, link) | {"choice": "received"}
    hub.hand.now += 3_000
    for _ in range(2):
        assert "已记录：已收到" in (await phone.post(link.path, data=form)).text
    assert await link.acks() == [("human", "received")]
    later = await load(phone, link) | {"choice": "help"}
    hub.hand.now += 3_000
    answer = await phone.post(link.path, data=later)
    assert "tel:12379" in answer.text
    assert await link.acks() == [("human", "received"), ("human", "help")]


async def test_no_machine_confirms_anybody(phone: httpx.AsyncClient, link: Link, hub: Hub) -> None:
    """A scanner's whole repertoire: look, look ahead, submit what stands there, guess, replay, hurry."""
    for _ in range(3):
        page = await phone.get(link.path)
    await phone.head(link.path)
    for ahead in ({"purpose": "prefetch"}, {"sec-purpose": "prefetch;prerender"}, {"x-moz": "prefetch"}):
        await phone.get(link.path, headers=ahead)
    form = defaults(page.text)
    assert form["nonce"]
    good = form | {"choice": "received"}
    hub.hand.now += 1_000
    hurried = [await phone.post(link.path, data=good) for _ in range(2)]
    hub.hand.now += 10_000
    tries: dict[str, dict[str, Any]] = {
        "as it stands": {"data": form},
        "without a nonce": {"data": {"choice": "received"}},
        "a nonce made up": {"data": good | {"nonce": "6a2b3c4d.AAAAAAAAAAA"}},
        "another's nonce": {"data": good | {"nonce": hub.keys.form_nonce("other", hub.hand.now // 1000 - 60)}},
        "a nonce of tomorrow": {"data": good | {"nonce": hub.keys.form_nonce(link.path[3:], hub.hand.now // 1000 + 60)}},
        "every field filled": {"data": good | {TRAP: "http://example.com", "text": "x"}},
        "every choice": {"content": f"nonce={form['nonce']}&choice=received&choice=moved", "headers": FORM},
        "no such choice": {"data": good | {"choice": "yes"}},
        "a preview": {"data": good, "headers": {"user-agent": "WhatsApp/2.23.20 A"}},
        "a page renderer": {"data": good, "headers": {"user-agent": PHONE + " (compatible; Google-PageRenderer)"}},
        "a browser without a head": {"data": good, "headers": {"user-agent": PHONE.replace("Chrome", "HeadlessChrome")}},
        "a program": {"data": good, "headers": {"user-agent": "python-requests/2.32"}},
        "nobody at all": {"data": good, "headers": {"user-agent": ""}},
        "as JSON": {"json": good},
        "as plain text": {"content": "choice=received", "headers": {"content-type": "text/plain"}},
        "too much": {"content": "choice=received&" + "x" * 9_000, "headers": FORM},
    }
    for name, given in tries.items():
        hub.hand.now += 61_000 if name == "a program" else 0
        answer = await phone.post(link.path, **given)
        assert answer.status_code in {400, 415, 429}, name
        assert "没有记录" in answer.text, name
    assert {answer.status_code for answer in hurried} == {400}
    for method in ("put", "patch", "delete"):
        assert (await phone.request(method, link.path, data=good)).status_code == 405
    assert not await link.confirmed()
    kept = await link.acks()
    assert kept
    assert {evidence for evidence, _ in kept} == {Evidence.MACHINE}
    assert {choice for _, choice in kept} == {None}


async def test_a_machine_is_noted_once_for_each_way(phone: httpx.AsyncClient, link: Link) -> None:
    for _ in range(5):
        await phone.head(link.path)
        await phone.get(link.path, headers={"user-agent": "Slackbot-LinkExpanding 1.0"})
    assert await link.acks() == [("machine", None), ("machine", None)]


async def test_opening_reads_and_writes_nothing(phone: httpx.AsyncClient, link: Link, hub: Hub) -> None:
    await phone.get(link.path)
    asked: list[str] = []
    for engine in hub.store.files:
        event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    for _ in range(20):
        assert (await phone.get(link.path)).status_code == 200
    assert asked == []


async def test_nothing_is_chosen_beforehand_even_after_a_mistake(phone: httpx.AsyncClient, link: Link, hub: Hub) -> None:
    form = await load(phone, link)
    hub.hand.now += 3_000
    again = await phone.post(link.path, data=form | {"choice": "moved", TRAP: "x"})
    for page in (await phone.get(link.path), again):
        assert page.text.count('type="radio"') == 4
        assert "checked" not in page.text.split("<body")[1]
        assert "<script" not in page.text


async def test_a_page_left_open_asks_again(phone: httpx.AsyncClient, link: Link, hub: Hub) -> None:
    form = await load(phone, link) | {"choice": "received"}
    hub.hand.now += 24 * 3_600_000 + 1_000
    answer = await phone.post(link.path, data=form)
    assert answer.status_code == 400
    assert "页面打开太久" in answer.text
    assert await link.acks() == []


async def test_one_link_cannot_flood(phone: httpx.AsyncClient, link: Link) -> None:
    answers = [await phone.post(link.path, content="choice=", headers=FORM) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [400] * 10 + [429]
    assert "等一分钟" in answers[-1].text


@pytest.mark.parametrize("token", ["x", "AAAAAAAAAAAAAA", "%00", "a" * 300, "<script>"])
async def test_a_strange_link_is_told_what_to_do(phone: httpx.AsyncClient, token: str, link: Link) -> None:
    answer = await phone.get(f"/a/{token}")
    assert answer.status_code == 404
    assert "回复短信" in answer.text
    cut = await phone.post(link.path[:-2], data={"choice": "received"})
    assert cut.status_code == 404
    assert "回复短信" in cut.text
    assert await link.acks() == []


async def test_every_answer_keeps_to_its_reader_and_is_small(phone: httpx.AsyncClient, link: Link, hub: Hub) -> None:
    form = await load(phone, link) | {"choice": "help", "text": "<b>船</b>"}
    hub.hand.now += 3_000
    pages = [
        await phone.get(link.path),
        await phone.post(link.path, data=form),
        await phone.post(link.path, data={}),
        await phone.get("/a/none"),
    ]
    for page in pages:
        assert len(page.content) < 10_000
        assert page.headers["cache-control"] == "no-store"
        assert "noindex" in page.headers["x-robots-tag"]
        assert page.headers["referrer-policy"] == "no-referrer"
        assert "script" not in page.headers["content-security-policy"]
        assert "og:" not in page.text
        assert not re.search(r"(?<!\d)1[3-9]\d{9}(?!\d)", page.text)
        assert "set-cookie" not in page.headers


async def test_a_resident_is_offered_what_concerns_a_resident(phone: httpx.AsyncClient, link: Link, hub: Hub) -> None:
    """No list of doors and no tasks, the same four choices in words of their own; who has a task is known soon after."""
    work = (f'{link.path.rpartition("/")[2]}/doors"', f'{link.path.rpartition("/")[2]}/tasks"')
    page = (await phone.get(link.path)).text
    assert all(f'href="{path}' in page for path in work)
    query = text(
        "SELECT d.wave_id, d.recipient_id FROM wave v JOIN delivery d ON d.wave_id = v.id "
        "JOIN recipient r ON r.id = d.recipient_id AND r.role = 'resident' WHERE v.warning_id = :w LIMIT 1"
    )
    async with hub.store.read() as conn:
        row = (await conn.execute(query, {"w": link.warning})).one()
    theirs = Link(hub, row.wave_id, row.recipient_id, link.warning)
    page = (await phone.get(theirs.path)).text
    assert "/doors" not in page
    assert "/tasks" not in page
    assert f'{theirs.path.rpartition("/")[2]}/report"' in page
    assert "我已转移" in page
    assert "已转移群众" not in page
    form = defaults(page)
    hub.hand.now += 4_000
    answer = await phone.post(theirs.path, data=form | {"choice": "moved"})
    assert "已记录：我已转移" in answer.text
    assert ("human", "moved") in await theirs.acks()
    async with hub.store.write() as tx:
        await tx.conn.execute(
            text("UPDATE target SET role = 'gridworker' WHERE warning_id = :w AND recipient_id = :r"),
            {"w": theirs.warning, "r": theirs.recipient},
        )
    hub.board.counted = 0.0
    await hub.board.refresh()
    assert "/tasks" in (await phone.get(theirs.path)).text


async def test_the_longest_text_still_fits(phone: httpx.AsyncClient, link: Link, hub: Hub) -> None:
    card = await hub.board.look(link.wave)
    assert card
    hub.board.cards[link.warning] = card.__class__(
        **{name: getattr(card, name) for name in card.__slots__}
        | {"what_to_do": "撤<&>" * 2_000, "description": "雨\"'" * 6_000, "headline": "暴雨" * 60}
    )
    page = await phone.get(link.path)
    assert len(page.content) < 10_000
    assert "…" in page.text


@pytest.mark.parametrize(
    ("state", "said"),
    [("cancelled", "本预警已解除"), ("superseded", "本预警已被新预警取代"), ("expired", "本预警已过有效期")],
)
async def test_what_is_over_says_so_and_asks_nothing(
    phone: httpx.AsyncClient, link: Link, hub: Hub, warnings: dict[str, str], state: str, said: str
) -> None:
    form = await load(phone, link) | {"choice": "help"}
    async with hub.store.write() as tx:
        warning = await find_warning(tx.conn, warnings["living"])
        assert warning
        await end_warning(tx, warning, state, "test")
    await hub.board.refresh()
    page = await phone.get(link.path)
    assert said in page.text
    assert "<form" not in page.text
    assert 'class=" gone"' in page.text
    assert "立即转移" not in page.text
    hub.hand.now += 5_000
    late = await phone.post(link.path, data=form)
    assert "已记录：需要支援" in late.text
    assert ("human", "help") in await link.acks()


async def test_an_all_clear_asks_nothing(phone: httpx.AsyncClient, hub: Hub, warnings: dict[str, str]) -> None:
    await hub.desk.cancel(warnings["living"], "user:wang", "雨已停")
    async with hub.store.read() as conn:
        number = await conn.scalar(text("SELECT id FROM warning WHERE kind = 'cancel'"))
    await hub.planner.plan(str(number), {})
    async with hub.store.read() as conn:
        row = (
            await conn.execute(
                text("SELECT v.id, d.recipient_id FROM wave v JOIN delivery d ON d.wave_id = v.id WHERE v.warning_id = :w"),
                {"w": number},
            )
        ).first()
    assert row
    page = await phone.get(f"/a/{hub.keys.link_token(row.id, row.recipient_id)}")
    assert "预警解除" in page.text
    assert "<form" not in page.text


async def test_a_warning_that_ended_cannot_be_released(hub: Hub, warnings: dict[str, str]) -> None:
    with pytest.raises(Refusal):
        await hub.desk.release(warnings["over"], "user:wang")


async def drill_link(hub: Hub, warnings: dict[str, str]) -> Link:
    """Somebody on the drill's list, told."""
    number = await number_of(hub, warnings["drill"])
    await hub.desk.release(warnings["drill"], "user:wang")
    await hub.planner.plan(str(number), {})
    return await find_link(hub, warnings["drill"])


async def test_a_drill_says_so(phone: httpx.AsyncClient, hub: Hub, warnings: dict[str, str]) -> None:
    link = await drill_link(hub, warnings)
    page = (await phone.get(link.path)).text
    assert '<body class="drill">' in page
    assert page.count("演练") >= 3
    assert "DRILL" in page


@pytest.mark.browser
async def test_on_a_telephone(browse: Opener, link: Link, hub: Hub) -> None:
    page = await browse(360, user_agent=PHONE)
    await page.goto(link.path)
    await picture(page, "field-red-360")
    assert await page.evaluate("document.documentElement.scrollWidth") == 360
    sizes = await page.evaluate(
        "[...document.querySelectorAll('main *:not(input)')].map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 15
    boxes = [await place.bounding_box() for place in await page.locator("fieldset label, button").all()]
    assert all(box and box["height"] >= 56 for box in boxes)
    await page.get_by_role("button").click()
    assert await link.acks() == []
    await page.get_by_text("已转移群众").click()
    await picture(page, "field-chosen-360")
    hub.hand.now += 5_000
    await page.get_by_role("button").click()
    await page.get_by_role("status").wait_for()
    await picture(page, "field-thanks-360")
    assert await link.confirmed()
    await page.get_by_role("link", name="要更改").click()
    await page.get_by_text("需要支援").click()
    await page.get_by_role("button").click()
    assert "太快了" in await page.get_by_role("alert").inner_text()
    await picture(page, "field-trouble-360")


@pytest.mark.browser
async def test_the_other_faces(browse: Opener, link: Link, hub: Hub, warnings: dict[str, str]) -> None:
    drill = await drill_link(hub, warnings)
    page = await browse(360, user_agent=PHONE)
    await page.goto(drill.path)
    await picture(page, "field-drill-360")
    await page.goto("/a/none")
    await picture(page, "field-stray-360")
    await hub.desk.cancel(warnings["living"], "user:wang", "雨已停")
    await hub.board.refresh()
    await page.goto(link.path)
    await picture(page, "field-cancelled-360")
    assert "已解除" in await page.get_by_role("alert").inner_text()
