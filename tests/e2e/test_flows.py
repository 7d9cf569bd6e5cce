"""What an officer does at night, in a real browser, in both languages: from the first page to the end of the act."""

import re

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import text
from stage import PASSWORD, Hub
from window import Opener

from warnhub.store.warnings import find_warning

pytestmark = pytest.mark.browser


async def enter(page: Page, name: str, lang: str = "zh") -> None:
    """Log in, in a language."""
    await page.goto(f"/console/login?lang={lang}")
    await page.locator("input[name=name]").fill(name)
    await page.locator("input[name=password]").fill(PASSWORD)
    await page.locator("main button").click()
    await page.locator("header .who").wait_for()


async def state_of(hub: Hub, uid: str) -> str:
    """Where a warning stands."""
    async with hub.store.read() as conn:
        warning = await find_warning(conn, uid)
    assert warning
    return warning.state


async def count(hub: Hub, statement: str, **bind: object) -> int:
    """A number from the database."""
    async with hub.store.read() as conn:
        return int(await conn.scalar(text(statement), bind) or 0)


@pytest.mark.parametrize(("lang", "width"), [("zh", 1024), ("en", 360)])
async def test_paused_resumed_and_sent_again(browse: Opener, hub: Hub, warnings: dict[str, str], lang: str, width: int) -> None:
    page = await browse(width)
    await enter(page, "wang", lang)
    uid = warnings["living"]
    await page.goto(f"/console/warnings/{uid}/pause")
    await page.locator("textarea[name=why]").fill("核对区域" if lang == "zh" else "checking the area")
    await page.locator("main button.big").click()
    await page.wait_for_url(f"**/warnings/{uid}")
    assert await count(hub, "SELECT count(*) FROM pause") == 1
    await page.locator(f'a[href$="/{uid}/resume"]').click()
    await page.locator("main button.big").click()
    await page.wait_for_url(f"**/warnings/{uid}")
    assert await count(hub, "SELECT count(*) FROM pause") == 0
    await page.locator(f'a[href$="/{uid}/resend"]').first.click()
    assert "42" in await page.locator(".will").inner_text()
    await page.locator("main button.big").click()
    await page.wait_for_url(f"**/warnings/{uid}")
    told = "SELECT count(DISTINCT d.recipient_id) FROM wave v JOIN delivery d ON d.wave_id = v.id WHERE v.cause = 'resend'"
    assert 0 < await count(hub, told) <= 42
    await expect(page.locator(".events .resent")).to_have_count(1)


@pytest.mark.parametrize(("lang", "width"), [("zh", 1440), ("en", 360)])
async def test_a_warning_is_written_and_another_officer_lets_it_go(browse: Opener, hub: Hub, lang: str, width: int) -> None:
    page = await browse(width)
    await enter(page, "wang", lang)
    await page.goto("/console/compose")
    await page.locator("select[name=hazard]").select_option("11B03")
    await page.locator("input[name=level][value=orange]").check()
    await page.locator("input[name=hours]").fill("3")
    await page.locator('[data-tick="p990123100"]').click()
    assert await page.locator("#p990123100").is_checked(), "the map ticks the box"
    await page.locator("button[value=fill]").click()
    assert "暴雨橙色预警" in await page.locator("input[name=headline]").input_value()
    assert await page.locator("#p990123100").is_checked(), "what was chosen stays"
    await page.locator("button[value=save]").click()
    await page.wait_for_url("**/warnings/wa_*")
    uid = page.url.rpartition("/")[2].partition("?")[0]
    assert await state_of(hub, uid) == "pending"
    other = await browse(width)
    await enter(other, "zhao", lang)
    await other.goto(f"/console/warnings/{uid}/release")
    await other.locator("input[name=checked]").check()
    await other.locator("main button.big").click()
    await other.wait_for_url(f"**/warnings/{uid}")
    assert await state_of(hub, uid) == "released"
    await hub.planner.plan(str(await count(hub, "SELECT id FROM warning WHERE uid = :u", u=uid)), {})
    towns = (
        "SELECT count(DISTINCT t.town_id) FROM target t JOIN warning w ON w.id = t.warning_id "
        "WHERE w.uid = :u AND t.role = 'resident'"
    )
    assert await count(hub, towns, u=uid) == 1, "nobody outside the chosen township"


async def test_a_number_is_corrected_and_the_person_found_by_its_end(browse: Opener, hub: Hub) -> None:
    page = await browse(360)
    await enter(page, "wang", "en")
    person = await count(hub, "SELECT min(id) FROM recipient WHERE role = 'gridworker'")
    await page.goto(f"/console/directory/people/{person}")
    await page.locator("summary").click()
    await page.locator("input[name=number]").fill("13800138000")
    await page.locator("details button").click()
    await page.goto("/console/search?q=8000")
    await expect(page.locator(f'a[href$="/directory/people/{person}"]')).to_be_visible()
    assert not re.search(r"(?<!\d)1[3-9]\d{9}(?!\d)", await page.content())


async def test_the_keyboard_leads_everywhere(browse: Opener) -> None:
    page = await browse()
    await enter(page, "wang")
    await page.keyboard.press("g")
    await page.keyboard.press("p")
    await page.wait_for_url("**/directory")
    await page.keyboard.press("?")
    await expect(page.locator("#keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    assert await page.evaluate("document.activeElement.name") == "q"
    await page.goto("/console")
    await page.keyboard.press("j")
    assert "/warnings/" in await page.evaluate("document.activeElement.href")
