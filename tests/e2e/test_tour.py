"""Every page, as each person sees it: nothing sticks out at any width in either language, nothing complains, axe finds nothing
serious, no page is large, and no full number is anywhere."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from conftest import close_browser
from furnish import field_routers, furnish, make_app
from playwright.async_api import Browser, Page, async_playwright
from stage import NOW, PASSWORD, Hand, Hub, open_hub, serving
from starlette.routing import Route
from tour import EXCLUDED, STOPS, WIDTHS, Stop
from window import FLAGS, is_complaint

from warnhub.console.pages import ROUTES

pytestmark = pytest.mark.browser

AXE = Path(__file__).resolve().parents[2] / ".tools" / "axe.min.js"
LARGEST = 60_000
LEG = 14
"""Pages of one test."""

PHONE = re.compile(r"(?<![\da-z])1[3-9]\d{9}(?![\da-z])")
THIN = """
[...document.querySelectorAll("main p, main h1, main h2, main h3, main li, main b, main dd")]
  .filter(one => one.clientHeight > 8 * Math.max(1, one.clientWidth) && one.textContent.trim().length > 8)
  .map(one => one.textContent.trim().slice(0, 30))
"""
"""What a neighbour has squeezed to a character a line."""

SEEN = """async () => {
    const found = await axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]});
    return found.violations.filter(v => ["serious", "critical"].includes(v.impact))
        .map(v => v.id + ": " + v.nodes.slice(0, 3).map(n => n.target.join(" ")).join(" | "));
}"""


@pytest.fixture
async def stage(county: tuple[Path, dict[str, str]], tmp_path: Path) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """One server for a whole tour: (its address, what pages are about)."""
    hub = await open_hub(Path(shutil.copy(county[0], tmp_path)), Hand(NOW))
    given = await furnish(hub, county[1])
    async with serving(make_app(hub)) as url:
        yield url, given
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
    wrong += [f"has words one under the other: {words}" for words in await page.evaluate(THIN)]
    if answer is not None and answer.status >= 500:
        wrong.append(f"answers {answer.status}")
    source = await page.content()
    if PHONE.search(source):
        wrong.append("shows a full number")
    if len(source.encode()) > 4 * LARGEST:
        wrong.append(f"has {len(source.encode())} bytes")
    return wrong


def legs() -> dict[str, list[Stop]]:
    """The tour in parts that one browser goes within its time, each by one officer: `wang-2` and its stops."""
    found: dict[str, list[Stop]] = {}
    for officer in sorted({stop.officer for stop in STOPS}):
        stops = [stop for stop in STOPS if stop.officer == officer]
        found |= {f"{officer or 'nobody'}-{at // LEG + 1}": stops[at : at + LEG] for at in range(0, len(stops), LEG)}
    return found


@pytest.mark.parametrize("leg", legs())
async def test_every_page(stage: tuple[str, dict[str, str]], leg: str) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium here")
    base, given = stage
    mark = f"--of-test={uuid4().hex}"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, mark])
        wrong = await tour(browser, base, given, legs()[leg])
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


def test_every_page_is_in_the_tour_or_is_left_out_with_a_reason(hub: Hub) -> None:
    """Each address of the console that answers with a page: what is not seen by the tour is named, and says why."""
    console = {path for method, path, *_ in ROUTES if method == "GET"}
    routes = [route for router in field_routers(hub) for route in router.routes if isinstance(route, Route)]
    pages = console | {route.path for route in routes if "GET" in (route.methods or ())}
    assert len(pages) > 60
    seen = {path for path in pages if any(stop.shows(path) for stop in STOPS)}
    assert pages - seen == set(EXCLUDED), "neither in the tour nor left out"
    assert all(len(reason) > 10 for reason in EXCLUDED.values())
    lost = [stop.name for stop in STOPS if not any(stop.shows(path) for path in pages - {"/{rest:path}"})]
    assert lost == ["lost"], "a stop that leads nowhere"


async def test_what_is_left_out_of_the_tour_is_no_page(stage: tuple[str, dict[str, str]]) -> None:
    """Streams, files and doors to elsewhere: none of them answers with a page of its own."""
    base, given = stage
    async with httpx.AsyncClient(base_url=base) as client:
        login = await client.get("/console/login")
        nonce = re.search(r'name="nonce" value="([^"]*)"', login.text)
        assert nonce
        await client.post("/console/login", data={"name": "boss", "password": PASSWORD, "nonce": nonce[1]})
        for path in EXCLUDED:
            address = path.replace("{uid}", given["over"]).replace("{kind}", "csv").replace("{period}", "2026Q2")
            address = re.sub(r"{\w+}", "1", address)
            whole = address if path.startswith("/a/") else f"/console{address}"
            async with client.stream("GET", whole) as answer:
                kind = answer.headers.get("content-type", "").partition(";")[0]
                assert kind != "text/html" or answer.status_code >= 300, f"{path} is a page"


def test_axe_is_here() -> None:
    if not AXE.exists():
        pytest.skip("no axe here: `make test WITHOUT=axe` leaves it out, `make setup` brings it")
    assert "axe-core" in AXE.read_text("utf-8") or "axe.run" in AXE.read_text("utf-8")
