"""A real server over a county of its own, and a real browser in front of it."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from furnish import make_app
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from stage import NOW, Hand, Hub, build_county, open_hub, serving
from window import FLAGS, Opener, is_complaint


@pytest.fixture(scope="session")
def county(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A database with a county in the middle of a rainstorm, and its warnings by what they are."""
    path = tmp_path_factory.mktemp("county") / "warnhub.sqlite3"
    return path, asyncio.run(build_county(path))


@pytest.fixture
def warnings(county: tuple[Path, dict[str, str]]) -> dict[str, str]:
    """The warnings' ids: living, pending, held, drill, over."""
    return county[1]


@pytest.fixture
async def hub(county: tuple[Path, dict[str, str]], tmp_path: Path) -> AsyncIterator[Hub]:
    """A copy of the county for one test, at 16:20."""
    made = await open_hub(Path(shutil.copy(county[0], tmp_path)), Hand(NOW))
    yield made
    await made.close()


@pytest.fixture
async def base(hub: Hub) -> AsyncIterator[str]:
    """The address of a running server."""
    async with serving(make_app(hub)) as url:
        yield url


@pytest.fixture
async def browse(base: str) -> AsyncIterator[Opener]:
    """Opens a page of a given width; what a page complains of on its console fails the test. `cut`: it will have no line."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium here")
    complaints: list[str] = []
    contexts: list[BrowserContext] = []
    async with async_playwright() as playwright:
        mark = f"--of-test={uuid4().hex}"
        browser = await playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, mark])

        async def open_page(width: int = 1440, cut: bool = False, **given: Any) -> Page:
            context = await browser.new_context(
                base_url=base, viewport={"width": width, "height": 900 if width > 600 else 740}, locale="zh-CN", **given
            )
            contexts.append(context)
            page = await context.new_page()
            page.on("console", lambda said: complaints.append(said.text) if is_complaint(page, said, cut) else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            return page

        yield open_page
        await close_browser(browser, contexts, mark)
    assert complaints == []


async def close_browser(browser: Browser, contexts: Sequence[BrowserContext], mark: str) -> None:
    """Close it; one that does not answer is ended, since on a busy machine Chromium sometimes never says that it closed."""
    try:
        async with asyncio.timeout(15):
            for context in contexts:
                await context.close()
            await browser.close()
    except TimeoutError:
        end_processes(mark)


def end_processes(mark: str) -> None:
    """Kill whatever was started with this word on its command line."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark.encode() in process.read_bytes():
                os.kill(int(process.parent.name), signal.SIGKILL)
