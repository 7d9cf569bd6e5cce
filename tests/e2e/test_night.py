"""A night at the desk in both languages at three widths: every act from its page to its end, with nothing complaining."""

import re
import shutil

import pytest
from playwright.async_api import Locator, Page, async_playwright, expect
from stage import OFFICERS, Hub, find_person, make_alert, number_of, receive
from test_drawing import spot_on, start_draft
from test_flows import count, enter, state_of
from window import FLAGS, Opener, is_complaint

from warnhub.alert import Gate, Level, Problem

pytestmark = pytest.mark.browser

PHONE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")


class Desk:
    """An officer at a browser of one width, in one language."""

    def __init__(self, browse: Opener, hub: Hub, warnings: dict[str, str], lang: str, width: int) -> None:
        self.browse, self.hub, self.warnings, self.lang, self.width = browse, hub, warnings, lang, width

    async def sit(self, name: str = "wang", path: str = "") -> Page:
        """A page of somebody who has logged in."""
        assert name in OFFICERS
        page = await self.browse(self.width)
        await enter(page, name, self.lang)
        await page.goto(f"/console{path}")
        return page

    async def act(self, page: Page, uid: str, what: str, **fields: str) -> None:
        """Go to an act's page, fill it in, and do it."""
        path = f"/console/warnings/{uid}/{what}"
        came = await page.goto(path)
        assert came is not None
        assert came.status == 200, await page.locator("main").inner_text()
        assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not PHONE.search(await page.content())
        for name, value in fields.items():
            await page.locator(f"main [name={name}]").fill(value)
        tick = page.locator("main input[name=checked]")
        if await tick.count():
            await tick.check()
        async with page.expect_response(lambda answer: answer.request.method == "POST" and answer.url.endswith(path)):
            await page.locator("main button.big").click()
        await page.wait_for_load_state()


SEATS = [(lang, width) for lang in ("zh", "en") for width in (360, 1024, 1920)]


@pytest.fixture(params=SEATS, ids=lambda one: f"{one[0]}-{one[1]}")
def desk(browse: Opener, hub: Hub, warnings: dict[str, str], request: pytest.FixtureRequest) -> Desk:
    """The desk of a night."""
    return Desk(browse, hub, warnings, *request.param)


async def test_a_night_at_the_desk(desk: Desk) -> None:
    page = await desk.sit()
    await release(desk, page)
    await settle_held(desk, page)
    await drill(desk, page)
    await resend(desk, page)
    await tell_by_phone(desk, page)
    await correct_number(desk, page)
    await draw_and_fan_out(desk, page)
    await cancel(desk, page)


async def release(desk: Desk, page: Page) -> None:
    """A red warning takes two officers."""
    uid = desk.warnings["pending"]
    await desk.act(page, uid, "release")
    assert await state_of(desk.hub, uid) == "pending"
    await page.goto("/console/held")  # who stays on the warning's page is led on when the other releases it
    other = await desk.sit("zhao")
    await desk.act(other, uid, "release")
    await other.wait_for_url(f"**/warnings/{uid}")
    assert await state_of(desk.hub, uid) == "released"


async def settle_held(desk: Desk, page: Page) -> None:
    """A held alert is taken with the place that can be placed, and released."""
    uid = desk.warnings["held"]
    await page.goto("/console/held")
    await page.locator(f'a[href$="/{uid}/settle"]').click()
    otherwise = page.locator("#otherwise")
    await otherwise.locator("summary").click()
    await otherwise.locator("input[name=how][value=as_is]").check()
    await otherwise.locator("textarea[name=why]").fill("已电话核实 / confirmed by telephone")
    await otherwise.locator("button.big").click()
    await page.wait_for_url(f"**/warnings/{uid}/release")
    await page.locator("main input[name=checked]").check()
    await page.locator("main button.big").click()
    await page.wait_for_url(f"**/warnings/{uid}")
    assert await state_of(desk.hub, uid) == "released"


async def drill(desk: Desk, page: Page) -> None:
    """A drill looks like one, asks for no tick, and reaches its list alone."""
    uid = desk.warnings["drill"]
    await page.goto(f"/console/warnings/{uid}/release")
    assert await page.locator("main input[name=checked]").count() == 0
    await expect(page.locator(".stripes").first).to_be_visible()
    await desk.act(page, uid, "release")
    number = await number_of(desk.hub, uid)
    await desk.hub.planner.plan(str(number), {})
    outside = (
        "SELECT count(*) FROM target t WHERE t.warning_id = :w AND t.recipient_id NOT IN "
        "(SELECT recipient_id FROM participant WHERE drill_id = 'flood-26')"
    )
    assert await count(desk.hub, outside, w=number) == 0
    assert await count(desk.hub, "SELECT count(*) FROM target WHERE warning_id = :w", w=number) == 40


async def resend(desk: Desk, page: Page) -> None:
    """Said again to those who have not confirmed, and to nobody else."""
    uid = desk.warnings["living"]
    await desk.act(page, uid, "resend")
    told = (
        "SELECT count(*) FROM wave v JOIN delivery d ON d.wave_id = v.id JOIN task k ON k.warning_id = v.warning_id "
        "AND k.recipient_id = d.recipient_id AND k.kind = 'confirm' WHERE v.cause = 'resend' AND k.state = :s"
    )
    assert await count(desk.hub, told, s="done") == 0
    assert await count(desk.hub, told, s="late") + await count(desk.hub, told, s="open") > 0


async def tell_by_phone(desk: Desk, page: Page) -> None:
    """What somebody said on the telephone counts, with the officer's name."""
    uid = desk.warnings["living"]
    person = await find_person(desk.hub, uid)
    await page.goto(f"/console/warnings/{uid}/people/{person}")
    await page.locator("input[name=choice][value=moved]").check()
    await page.locator(".told button.big").click()
    await page.wait_for_url(f"**/warnings/{uid}**")
    query = "SELECT count(*) FROM ack WHERE recipient_id = :r AND officer = 'user:wang' AND choice = 'moved'"
    assert await count(desk.hub, query, r=int(person)) == 1


async def correct_number(desk: Desk, page: Page) -> None:
    """A number is put right and never shown."""
    person = await find_person(desk.hub, desk.warnings["living"])
    await page.goto(f"/console/directory/people/{person}")
    await page.locator("summary").first.click()
    await page.locator("input[name=number]").fill("13900139007")
    await page.locator("details button").first.click()
    await page.wait_for_load_state()
    assert await count(desk.hub, "SELECT count(*) FROM audit WHERE action = 'person.number'") == 1
    assert "9007" in await page.locator("main").inner_text()
    assert not PHONE.search(await page.content())


async def draw_and_fan_out(desk: Desk, page: Page) -> None:
    """An area is drawn, saved, released by another, and planned."""
    await start_draft(page)
    await page.locator("[data-do=toggle]").click()
    for x, y in ((260.0, 240.0), (330.0, 240.0), (300.0, 300.0), (260.0, 240.0)):
        await page.mouse.click(*await spot_on(page, x, y))
    await page.locator("button[value=fill]").click()
    await page.locator("button[value=save]").click()
    await page.wait_for_url("**/warnings/wa_*")
    uid = page.url.rpartition("/")[2].partition("?")[0]
    await page.goto("/console/held")
    other = await desk.sit("zhao")
    await desk.act(other, uid, "release")
    number = await number_of(desk.hub, uid)
    await desk.hub.planner.plan(str(number), {})
    planned = "SELECT count(*) FROM delivery d JOIN batch b ON b.id = d.batch_id WHERE b.warning_id = :w"
    assert await count(desk.hub, planned, w=number) > 0


async def cancel(desk: Desk, page: Page) -> None:
    """It stops, and the all-clear goes to those who were told."""
    uid = desk.warnings["living"]
    await desk.act(page, uid, "cancel", why="雨停 / the rain has stopped")
    assert await state_of(desk.hub, uid) == "cancelled"
    clear = "SELECT count(*) FROM warning WHERE kind = 'cancel' AND previous_id = :w AND state = 'released'"
    assert await count(desk.hub, clear, w=await number_of(desk.hub, uid)) == 1


class Mouse:
    """Counts what is clicked."""

    def __init__(self) -> None:
        self.clicks = 0

    async def click(self, where: Locator) -> None:
        """One click."""
        await where.click()
        self.clicks += 1


@pytest.mark.parametrize(("lang", "width"), [("zh", 1024), ("en", 360)])
async def test_from_login_to_a_released_red_alert_in_four_clicks(
    browse: Opener, hub: Hub, warnings: dict[str, str], lang: str, width: int
) -> None:
    """Every click of the mouse is counted, the tick too; another officer has agreed before."""
    uid = warnings["pending"]
    await hub.desk.release(uid, "user:zhao")
    await click_through(await browse(width), "wang", lang, uid, "release")
    assert await state_of(hub, uid) == "released"


@pytest.mark.parametrize(
    ("lang", "width", "agency", "ends"), [("zh", 1024, "weather", "released"), ("en", 360, "land", "pending")]
)
async def test_from_login_to_a_held_red_alert_in_four_clicks(
    browse: Opener, hub: Hub, lang: str, width: int, agency: str, ends: str
) -> None:
    """What holds it, what its release does and the release are one page; typing the reason is no click. Where policy asks for
    two officers it is the first one's yes, and the second's takes four clicks again."""
    uid = await hold_red(hub, agency)
    await click_through(await browse(width), "wang", lang, uid, "settle", "已电话核实 / confirmed by telephone")
    assert await state_of(hub, uid) == ends
    said = "SELECT count(*) FROM audit WHERE actor = 'user:wang' AND subject = :u AND action = :a"
    for action in ("alert.settled", "warning.release"):
        assert await count(hub, said, u=uid, a=action) == 1
    if ends == "pending":
        await click_through(await browse(width), "zhao", lang, uid, "release")
        assert await state_of(hub, uid) == "released"


async def hold_red(hub: Hub, agency: str) -> str:
    """A red alert of which a place is not in the table."""
    alert = make_alert(hub.hand, "flood-9", "11A01", Level.RED, agency, f"{agency} 发布洪水红色预警")
    strange = Problem(path="areas[0].codes[3]", rule="UNKNOWN_AREA", message="no such place", value="990123999", gate=Gate.HOLD)
    received = await receive(hub, agency, alert, strange)
    assert received.state == "held"
    assert received.warning
    return received.warning


async def click_through(page: Page, name: str, lang: str, uid: str, act: str, why: str = "") -> None:
    """Four clicks from the login: the button, the link on the first page, the tick, the button."""
    mouse = Mouse()
    await page.goto(f"/console/login?lang={lang}")
    await page.locator("input[name=name]").fill(name)
    await page.locator("input[name=password]").fill("yunling-2026-river")
    await mouse.click(page.locator("main button"))
    await mouse.click(page.locator(f'.entry.wait a.button[href$="/{uid}/{act}"]'))
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    await expect(page.locator(".will")).to_be_visible()
    form = page.locator(f'form[action$="/{uid}/{act}"]').first
    if why:
        await form.locator("textarea[name=why]").fill(why)
    await mouse.click(form.locator("label:has(input[name=checked])"))
    await mouse.click(form.locator("button.big"))
    await page.wait_for_url(f"**/warnings/{uid}")
    assert mouse.clicks == 4


@pytest.mark.parametrize(("lang", "width"), [("zh", 1920), ("en", 360)])
async def test_from_a_silent_village_to_its_people_in_two_clicks(
    browse: Opener, hub: Hub, warnings: dict[str, str], lang: str, width: int
) -> None:
    """One click names those of the village who have not answered, the next is a call to one of them."""
    page, mouse = await browse(width), Mouse()
    await enter(page, "wang", lang)
    village = page.locator(".silents a").first
    place = re.search(r"village=(\d+)", await village.get_attribute("href") or "")
    assert place
    await mouse.click(village)
    shown = await page.locator("#asked tbody tr").count()
    waiting = (
        "SELECT count(*) FROM task k JOIN area a ON a.id = k.area_id WHERE k.warning_id = :w AND a.village_id = :v "
        "AND k.kind = 'confirm' AND k.state NOT IN ('done', 'covered')"
    )
    assert shown == await count(hub, waiting, w=await number_of(hub, warnings["living"]), v=int(place[1]))
    await mouse.click(page.locator("#asked tbody a.button").first)
    await expect(page.locator("section.told button.big")).to_be_visible()
    assert mouse.clicks == 2


async def test_a_breach_of_the_pages_policy_is_a_complaint(base: str) -> None:
    """What the other tests rest on: a style or a picture that the policy forbids is said on the browser's console."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium here")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = await browser.new_page(base_url=base)
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if is_complaint(page, said) else None)
        await page.goto("/console/login")
        assert complaints == []
        for body in ('<p style="color:red">x</p>', '<img src="https://example.org/x.png">'):
            complaints.clear()
            await page.evaluate("body => { document.querySelector('main').innerHTML = body }", body)
            await page.wait_for_timeout(200)
            assert any("Content Security Policy" in said for said in complaints), body
        await browser.close()
