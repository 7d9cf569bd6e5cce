"""The console in a real browser: what each person sees, what their buttons do, and what nobody can do by accident."""

import asyncio
import re

import pytest
from playwright.async_api import Page, Route, expect
from sqlalchemy import text
from stage import PASSWORD, Hub
from window import Opener, picture

from warnhub.feedback.acks import Ack, Evidence
from warnhub.store.sessions import close_sessions
from warnhub.store.warnings import find_warning

pytestmark = pytest.mark.browser


async def enter(page: Page, name: str = "wang", path: str = "") -> None:
    """Log in, on the way to a page."""
    await page.goto(f"/console{path}")
    await page.get_by_label("用户名").fill(name)
    await page.get_by_label("密码").fill(PASSWORD)
    await page.get_by_role("button", name="登录").click()
    await page.locator("form[action$='/logout']").first.wait_for(state="attached")  # on a phone it is in the menu


async def state_of(hub: Hub, uid: str) -> str:
    """Where a warning stands."""
    async with hub.store.read() as conn:
        warning = await find_warning(conn, uid)
    assert warning
    return warning.state


async def fits(page: Page) -> bool:
    """Whether nothing sticks out at the side, and no full telephone number is in the source."""
    wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return not wide and not re.search(r"(?<!\d)1[3-9]\d{9}(?!\d)", await page.content())


@pytest.mark.parametrize("width", [360, 1440])
async def test_every_page_at_both_widths(browse: Opener, warnings: dict[str, str], width: int) -> None:
    page = await browse(width)
    await page.goto("/console")
    await picture(page, f"login-{width}")
    await enter(page)
    for name, path in {
        "list": "",
        "release": f"/warnings/{warnings['pending']}/release",
        "release-drill": f"/warnings/{warnings['drill']}/release",
        "reject": f"/warnings/{warnings['held']}/reject",
        "cancel": f"/warnings/{warnings['living']}/cancel",
        "lost": "/nowhere",
        "list-en": "?lang=en",
        "warning-en": f"/warnings/{warnings['living']}",
        "list-zh": "?lang=zh",
        **{f"warning-{name}": f"/warnings/{uid}" for name, uid in warnings.items()},
    }.items():
        await page.goto(f"/console{path}")
        await page.wait_for_load_state()
        await picture(page, f"{name}-{width}")
        assert await fits(page), name
    await page.goto(f"/console/warnings/{warnings['living']}")
    await picture(page, f"top-living-{width}", whole=False)
    await page.get_by_role("link", name="电话叫应").first.click()
    await page.get_by_role("heading", name="经过").wait_for()
    await picture(page, f"person-{width}")
    assert await fits(page)


@pytest.mark.parametrize("width", [360, 1440])
async def test_in_the_dark_and_on_paper(browse: Opener, warnings: dict[str, str], width: int) -> None:
    page = await browse(width, color_scheme="dark")
    await enter(page)
    await picture(page, f"dark-list-{width}")
    await page.goto(f"/console/warnings/{warnings['living']}")
    await picture(page, f"dark-living-{width}")
    await page.goto(f"/console/warnings/{warnings['drill']}/release")
    await picture(page, f"dark-drill-{width}")
    await page.emulate_media(media="print", color_scheme="light")
    await page.goto(f"/console/warnings/{warnings['living']}")
    await picture(page, f"print-living-{width}")
    assert "红色" in await page.locator(".band").inner_text()


PRINTED = (
    "/warnings/{living}",
    "/reports/warnings/{living}",
    "/reports/quarters/2026Q2",
    "/warnings/{living}?village={village}",
    "/audit",
)


async def test_on_paper_is_what_was_asked_for_and_no_desk(browse: Opener, hub: Hub, warnings: dict[str, str]) -> None:
    """A4 less its margins is as narrow as a telephone and laid out like the desk all the same: tables stay tables, their heads
    on each page and no row in two; of what is for the hand nothing is left."""
    page = await browse(696)
    await enter(page)
    async with hub.store.read() as conn:
        village = await conn.scalar(
            text("SELECT min(a.village_id) FROM task k JOIN area a ON a.id = k.area_id WHERE a.level >= 12")
        )
    await page.emulate_media(media="print", color_scheme="dark")
    for path in PRINTED:
        await page.goto("/console" + path.format(**warnings, village=village))
        assert await fits(page), path
        assert await page.locator("nav, header.top, form, button, a.button, dialog").locator("visible=true").count() == 0, path
        heads = await page.locator("table thead").evaluate_all("all => all.map(one => getComputedStyle(one).display)")
        rows = await page.locator("table tbody tr").evaluate_all("all => all.map(one => getComputedStyle(one).breakInside)")
        assert heads, path
        assert set(heads) == {"table-header-group"}, path
        assert set(rows) == {"avoid"}, path
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert (await page.pdf(prefer_css_page_size=True)).startswith(b"%PDF")


async def test_the_page_lives(browse: Opener, hub: Hub, warnings: dict[str, str]) -> None:
    page = await browse()
    await enter(page, path=f"/warnings/{warnings['living']}")
    await expect(page.locator("[data-link]")).to_have_text("实时更新")
    tile = page.locator("[data-live=tiles] .good b")
    before = await tile.inner_text()
    async with hub.store.read() as conn:
        rows = (
            await conn.execute(
                text(
                    "SELECT k.recipient_id AS person, k.warning_id FROM task k JOIN warning w ON w.id = k.warning_id "
                    "WHERE w.uid = :u AND k.state <> 'done' LIMIT 5"
                ),
                {"u": warnings["living"]},
            )
        ).all()
    for row in rows:
        await hub.acks.take(Ack(0, row.person, Evidence.KEY, row.warning_id, "received"))
    await expect(tile).not_to_have_text(before, timeout=6_000)
    assert int((await tile.inner_text()).split("/")[0]) == int(before.split("/")[0]) + 5


async def test_without_script_the_page_loads_again(browse: Opener, warnings: dict[str, str]) -> None:
    page = await browse(java_script_enabled=False)
    await enter(page, path=f"/warnings/{warnings['living']}")
    assert '<noscript><meta http-equiv="refresh" content="10">' in await page.content()
    assert await page.get_by_role("heading", name="送达与确认").is_visible()


async def test_two_officers_release_a_red_warning(browse: Opener, hub: Hub, warnings: dict[str, str]) -> None:
    uid = warnings["pending"]
    first, second = await browse(), await browse()
    await enter(first, "wang", f"/warnings/{uid}")
    await first.get_by_role("link", name="放行").click()
    assert "现在不会发给任何人" in await first.locator(".will").inner_text()
    await first.get_by_role("button", name="同意放行").click()
    assert await state_of(hub, uid) == "pending"
    await first.get_by_label("我已核对").check()
    await first.get_by_role("button", name="同意放行").click()
    await first.get_by_text("您已同意").wait_for()
    assert await first.get_by_role("link", name="放行").count() == 0
    assert await state_of(hub, uid) == "pending"
    await enter(second, "zhao", f"/warnings/{uid}/release")
    said = await second.locator(".will").inner_text()
    assert re.search(r"3 个乡镇、22 个村的 3,\d{3} 人和 \d+ 台设备", said)
    button = second.get_by_role("button", name=re.compile("放行，发给 3,"))
    await second.get_by_label("我已核对").check()
    await picture(second, "release-last-1440")
    await button.click()
    await second.get_by_text("生效中").wait_for()
    assert await state_of(hub, uid) == "released"
    async with hub.store.read() as conn:
        rows = await conn.execute(text("SELECT actor FROM approval ORDER BY actor"))
        assert [row.actor for row in rows][-2:] == ["user:wang", "user:zhao"]


async def test_a_drill_never_looks_like_the_real_thing(browse: Opener, hub: Hub, warnings: dict[str, str]) -> None:
    page = await browse()
    await enter(page, path=f"/warnings/{warnings['drill']}/release")
    assert "不是真实预警" in await page.locator(".stripes").inner_text()
    look = "button => getComputedStyle(button).backgroundColor + getComputedStyle(button).borderStyle"
    drill = await page.get_by_role("button", name="开始演练（40 人）").evaluate(look)
    await page.goto(f"/console/warnings/{warnings['pending']}/release")
    assert await page.locator(".stripes").count() == 0
    real = await page.locator("button.big").evaluate(
        "b => getComputedStyle(b).backgroundColor + getComputedStyle(b).borderStyle"
    )
    assert drill != real
    await page.goto(f"/console/warnings/{warnings['drill']}/release")
    await page.get_by_role("button", name="开始演练").click()
    await page.get_by_text("生效中").wait_for()
    assert await state_of(hub, warnings["drill"]) == "released"


async def test_reject_takes_a_reason(browse: Opener, hub: Hub, warnings: dict[str, str]) -> None:
    page = await browse()
    await enter(page, path=f"/warnings/{warnings['held']}")
    await page.get_by_role("link", name="驳回").click()
    await page.get_by_role("button", name="驳回").click()
    assert await state_of(hub, warnings["held"]) == "pending"
    await page.get_by_label("理由").fill("区域有误，请重发")
    await page.get_by_role("button", name="驳回").click()
    await page.get_by_text("已驳回").wait_for()
    assert "区域有误" in await page.locator(".events").inner_text()
    assert await state_of(hub, warnings["held"]) == "rejected"


async def test_cancel_says_how_many_were_told(browse: Opener, hub: Hub, warnings: dict[str, str]) -> None:
    page = await browse()
    await enter(page, path=f"/warnings/{warnings['living']}")
    await page.get_by_role("link", name="解除预警").click()
    summary = await hub.monitor.summary(warnings["living"])
    assert summary
    told = f"{summary.people.accepted + summary.people.unknown:,}"
    assert f"{told} 个对象" in await page.locator(".will").inner_text()
    await page.get_by_label("理由").fill("雨势减弱")
    await page.get_by_role("button", name="解除").click()
    await page.get_by_text("已解除").wait_for()
    await picture(page, "warning-cancelled-1440")
    await page.get_by_role("link", name=re.compile("解除.*暴雨")).click()
    await page.get_by_text("预警解除").first.wait_for()
    await picture(page, "warning-clear-1440")
    assert await state_of(hub, warnings["living"]) == "cancelled"


async def test_an_act_on_a_page_that_is_out_of_date_does_nothing(browse: Opener, hub: Hub, warnings: dict[str, str]) -> None:
    page = await browse()
    await enter(page, path=f"/warnings/{warnings['living']}/cancel")
    await hub.desk.cancel(warnings["living"], "user:li", "已处理", all_clear=False)
    await page.get_by_label("理由").fill("再来一次")
    await page.get_by_role("button", name="解除").click()
    await page.get_by_role("heading", name="情况已经变化").wait_for()
    await picture(page, "changed-1440")


async def test_told_by_phone_counts_with_the_officers_name(browse: Opener, hub: Hub, warnings: dict[str, str]) -> None:
    page = await browse()
    await enter(page, path=f"/warnings/{warnings['living']}#asked")
    name = await page.locator("#asked .name").first.inner_text()
    await page.locator("#asked").get_by_role("link", name="电话叫应").first.click()
    assert name in await page.locator(".will").inner_text()
    await page.get_by_role("button", name="记为已叫应").click()
    await page.get_by_label("已转移群众").check()
    await page.get_by_label("补充说明").fill("电话说全部到祠堂")
    await page.get_by_role("button", name="记为已叫应").click()
    await page.get_by_role("heading", name="未叫应的人").wait_for()
    async with hub.store.read() as conn:
        row = (await conn.execute(text("SELECT * FROM ack ORDER BY id DESC LIMIT 1"))).one()
    assert (row.evidence, row.choice, row.officer, row.text) == ("told", "moved", "user:wang", "电话说全部到祠堂")
    await page.goto(f"/console/warnings/{warnings['living']}/people/{row.recipient_id}")
    assert "电话告知：已转移群众" in await page.locator(".events").inner_text()
    assert await page.locator("#main .events").get_by_text("wang").count() == 1


async def test_the_list_goes_page_by_page(browse: Opener, warnings: dict[str, str]) -> None:
    page = await browse()
    await enter(page, path=f"/warnings/{warnings['living']}")
    seen: list[str] = []
    while True:
        seen += await page.locator("#asked tbody tr a").evaluate_all("links => links.map(a => a.href)")
        following = page.get_by_role("link", name="下一页")
        if not await following.count():
            break
        await following.click()
    left = int(re.findall(r"\d+", await page.locator("#asked h2 small").inner_text())[0])
    assert len(seen) == len(set(seen)) == left > 15
    village = page.locator(".villages a").first
    name = await village.locator("b").inner_text()
    await village.click()
    assert name in await page.locator("#asked h2").inner_text()
    places = await page.locator("#asked tbody tr td:nth-child(2)").all_inner_texts()
    assert places
    assert all(name in place for place in places)


async def test_a_viewer_has_no_buttons(browse: Opener, warnings: dict[str, str]) -> None:
    page = await browse()
    await enter(page, "qian")
    for uid in warnings.values():
        await page.goto(f"/console/warnings/{uid}")
        main = page.locator("main, .facts, .band")
        assert await main.locator("button, form, .danger, .primary").count() == 0
    await page.goto(f"/console/warnings/{warnings['living']}")
    await page.locator("#asked").get_by_role("link", name="查看").first.click()
    await page.get_by_role("heading", name="经过").wait_for()
    assert await page.locator("main button, main form").count() == 0
    assert await fits(page)


async def test_a_forced_logout_ends_the_open_page(browse: Opener, hub: Hub, warnings: dict[str, str]) -> None:
    page = await browse()
    await enter(page, path=f"/warnings/{warnings['living']}")
    async with hub.store.write() as tx:
        await close_sessions(tx, "user:boss", "wang")
    await page.reload()
    await page.get_by_label("密码").wait_for()
    await page.get_by_label("用户名").fill("wang")
    await page.get_by_label("密码").fill(PASSWORD)
    await page.get_by_role("button", name="登录").click()
    await page.wait_for_url(f"**/warnings/{warnings['living']}")


async def test_a_page_that_changes_calls_nobody_back(browse: Opener, hub: Hub, warnings: dict[str, str]) -> None:
    """The warning changes while the next page is on its way: that page comes, not this one anew."""
    page, uid, asked = await browse(), warnings["pending"], asyncio.Event()

    async def late(route: Route) -> None:
        asked.set()
        await asyncio.sleep(2)
        await route.continue_()

    await enter(page, path=f"/warnings/{uid}")
    await page.wait_for_function("document.querySelector('[data-link]').className === 'link on'")
    await page.route("**/console/directory", late)
    go = asyncio.create_task(page.goto("/console/directory"))
    await asyncio.wait_for(asked.wait(), 20)
    await hub.desk.release(uid, "user:wang")
    await hub.desk.release(uid, "user:zhao")
    await go
    assert page.url.endswith("/console/directory")


async def test_everything_can_be_reached_by_keyboard(browse: Opener, warnings: dict[str, str]) -> None:
    page = await browse()
    await enter(page, path=f"/warnings/{warnings['pending']}/release")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.keyboard.press("Enter")
    for _ in range(12):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.name") == "checked":
            break
    await page.keyboard.press("Space")
    await page.keyboard.press("Tab")
    assert "同意放行" in await page.evaluate("document.activeElement.textContent")
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"
