"""Pictures of every page of the console from the demonstration county in the middle of a red warning: build/screenshots/.

python tests/e2e/pictures.py [names…] [--lang zh] [--width 360] [--dark] [--paper]
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from furnish import furnish, make_app
from playwright.async_api import Browser, Page, async_playwright
from stage import NOW, PASSWORD, Hand, Hub, build_county, open_hub, serving
from tour import STOPS, WIDTHS, Stop
from window import FLAGS, PICTURES

from warnhub.console.strings import LANGUAGES


async def enter(page: Page, officer: str) -> None:
    """Log in."""
    await page.goto("/console/login")
    await page.locator("input[name=name]").fill(officer)
    await page.locator("input[name=password]").fill(PASSWORD)
    await page.locator("main button").click()
    await page.locator("header .who").wait_for()


async def shoot(browser: Browser, base: str, given: dict[str, str], asked: argparse.Namespace) -> int:
    """Every picture asked for; gives how many."""
    stops = [stop for stop in STOPS if not asked.names or any(name in stop.name for name in asked.names)]
    count = 0
    for officer in dict.fromkeys(stop.officer for stop in stops):
        scheme = "dark" if asked.dark else "light"
        context = await browser.new_context(base_url=base, color_scheme=scheme, locale="zh-CN")
        page = await context.new_page()
        if officer:
            await enter(page, officer)
        for stop in (stop for stop in stops if stop.officer == officer):
            count += await shoot_stop(page, stop, given, asked)
        await context.close()
    return count


async def shoot_stop(page: Page, stop: Stop, given: dict[str, str], asked: argparse.Namespace) -> int:
    """One page in each language and width."""
    count = 0
    for lang in asked.lang or LANGUAGES:
        for width in asked.width or WIDTHS:
            await page.set_viewport_size({"width": width, "height": 740 if width < 600 else 1000})
            path = stop.at(given)
            await page.goto(f"{path}{'&' if '?' in path else '?'}lang={lang}")
            await page.wait_for_timeout(150)
            if asked.paper:
                await page.pdf(path=PICTURES / f"{stop.name}-{lang}.pdf", prefer_css_page_size=True)
                count += 1
                break
            await page.screenshot(
                path=PICTURES / f"{stop.name}-{lang}-{width}{'-dark' if asked.dark else ''}.png", full_page=True
            )
            count += 1
    return count


async def stage(hub: Hub, given: dict[str, str], asked: argparse.Namespace) -> int:
    """A server, a browser, and the pictures."""
    async with serving(make_app(hub)) as base, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        count = await shoot(browser, base, given, asked)
        await browser.close()
    return count


async def run(asked: argparse.Namespace) -> int:
    """The county, then the pictures of it."""
    started = time.monotonic()
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "county.sqlite3"
        given = await build_county(path)
        hub = await open_hub(path, Hand(NOW))
        given = await furnish(hub, given)
        count = await stage(hub, given, asked)
        await hub.close()
    print(f"{count} pictures in {PICTURES} ({time.monotonic() - started:.0f} s)")
    return 0 if count else 1


def main() -> int:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of pages' names; all without any")
    parser.add_argument("--lang", action="append", choices=LANGUAGES)
    parser.add_argument("--width", action="append", type=int)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--paper", action="store_true", help="as they are printed: a PDF of each")
    asked = parser.parse_args()
    if shutil.which("chromium") is None:
        print("没有 Chromium / there is no Chromium here: make setup")
        return 2
    return asyncio.run(run(asked))


if __name__ == "__main__":
    sys.exit(main())
