"""Every page, as each person sees it: nothing sticks out at any width in either language, nothing complains, axe finds nothing
serious, no page is large, and no full number is anywhere."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from conftest import close_browser
from fastapi import FastAPI
from playwright.async_api import Browser, Page, async_playwright
from stage import NOW, PASSWORD, Hand, find_more, open_hub, serving
from tour import STOPS, WIDTHS, Stop
from window import FLAGS, is_complaint

from warnhub.console.field import make_field
from warnhub.console.pages import make_router

pytestmark = pytest.mark.browser

AXE = Path(__file__).resolve().parents[2] / ".tools" / "axe.min.js"
LARGEST = 60_000
PHONE = re.compile(r"(?<![\da-z])1[3-9]\d{9}(?![\da-z])")
SEEN = """async () => {
    const found = await axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]});
    return found.violations.filter(v => ["serious", "critical"].includes(v.impact))
        .map(v => v.id + ": " + v.nodes.slice(0, 3).map(n => n.target.join(" ")).join(" | "));
}"""


@pytest.fixture
async def stage(county: tuple[Path, dict[str, str]], tmp_path: Path) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """One server for a whole tour: (its address, what pages are about)."""
    hub = await open_hub(Path(shutil.copy(county[0], tmp_path)), Hand(NOW))
    app = FastAPI()
    app.include_router(make_router(hub))
    app.include_router(make_field(hub, hub.hand.seconds))
    async with serving(app) as url:
        yield url, await find_more(hub, county[1])
    await hub.close()


async def enter(page: Page, officer: str) -> None:
    """Log in."""
    await page.goto("/console/login")
    await page.locator("input[name=name]").fill(officer)
    await page.locator("input[name=password]").fill(PASSWORD)
    await page.locator("main button").click()
    await page.locator("header .who").wait_for()


async def look(page: Page, path: str, width: int, complaints: list[str]) -> list[str]:
    """What is wrong with a page at a width."""
    complaints.clear()
    await page.set_viewport_size({"width": width, "height": 740 if width < 600 else 1000})
    answer = await page.goto(path)
    wrong = [f"complains: {said}" for said in complaints]
    if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        wrong.append("sticks out at the side")
    if answer is not None and answer.status >= 500:
        wrong.append(f"answers {answer.status}")
    source = await page.content()
    if PHONE.search(source):
        wrong.append("shows a full number")
    if len(source.encode()) > 4 * LARGEST:
        wrong.append(f"has {len(source.encode())} bytes")
    return wrong


@pytest.mark.parametrize("officer", sorted({stop.officer for stop in STOPS}), ids=lambda name: name or "nobody")
async def test_every_page(stage: tuple[str, dict[str, str]], officer: str) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium here")
    base, given = stage
    mark = f"--of-test={uuid4().hex}"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, mark])
        wrong = await tour(browser, base, given, [stop for stop in STOPS if stop.officer == officer])
        await close_browser(browser, [], mark)
    assert wrong == []


async def tour(browser: Browser, base: str, given: dict[str, str], stops: list[Stop]) -> list[str]:
    """Each page in Chinese at every width and in English at the narrowest and the widest, with axe at the middle one."""
    complaints: list[str] = []
    context = await browser.new_context(base_url=base, locale="zh-CN")
    page = await context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if is_complaint(page, said) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    if stops[0].officer:
        await enter(page, stops[0].officer)
    axe = AXE.read_text("utf-8") if AXE.exists() else ""
    wrong: list[str] = []
    for stop in stops:
        for lang, widths in (("zh", WIDTHS), ("en", (WIDTHS[0], WIDTHS[-1]))):
            path = stop.at(given)
            address = f"{path}{'&' if '?' in path else '?'}lang={lang}"
            for width in widths:
                wrong += [f"{stop.name} {lang} {width}: {why}" for why in await look(page, address, width, complaints)]
                if axe and width == WIDTHS[1]:
                    wrong += [f"{stop.name}: axe {why}" for why in await judge(page, axe)]
    await context.close()
    return wrong


async def judge(page: Page, axe: str) -> list[str]:
    """What axe finds that is serious; it is given to the page from outside, which no policy of the page allows."""
    await page.evaluate(axe)
    async with asyncio.timeout(60):
        found: Any = await page.evaluate(SEEN)
    return [str(one) for one in found]


def test_axe_is_here() -> None:
    if not AXE.exists():
        pytest.skip("no axe here: `make test WITHOUT=axe` leaves it out, `make setup` brings it")
    assert "axe-core" in AXE.read_text("utf-8") or "axe.run" in AXE.read_text("utf-8")
