"""A real server over a county of its own, and a real browser in front of it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import BrowserContext, ConsoleMessage, Page, async_playwright
from stage import NOW, Hand, Hub, build_county, open_hub

from warnhub.console.field import make_field
from warnhub.console.pages import make_router

PICTURES = Path(__file__).resolve().parents[2] / "build" / "screenshots"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE = "Mozilla/5.0 (Linux; Android 12; V2166A) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/116.0 Mobile Safari/537.36"


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
    app = FastAPI()
    app.include_router(make_router(hub))
    app.include_router(make_field(hub, hub.hand.seconds))
    async with serving(app) as url:
        yield url


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """A server on a free port of this machine."""
    server = uvicorn.Server(
        uvicorn.Config(app, "127.0.0.1", 0, log_config=None, lifespan="off", access_log=False, timeout_graceful_shutdown=1)
    )
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has no event to wait for
        await asyncio.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    yield f"http://{host}:{port}"
    server.should_exit = True
    await task


Opener = Callable[..., Awaitable[Page]]


@pytest.fixture
async def browse(base: str) -> AsyncIterator[Opener]:
    """Opens a page of a given width; what a page complains of on its console fails the test."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium here")
    complaints: list[str] = []
    contexts: list[BrowserContext] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))

        async def open_page(width: int = 1440, **given: object) -> Page:
            context = await browser.new_context(
                base_url=base, viewport={"width": width, "height": 900 if width > 600 else 740}, locale="zh-CN", **given
            )
            contexts.append(context)
            page = await context.new_page()
            page.on("console", lambda said: complaints.append(said.text) if is_complaint(page, said) else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            return page

        yield open_page
        for context in contexts:
            await context.close()
        await browser.close()
    assert complaints == []


def is_complaint(page: Page, said: ConsoleMessage) -> bool:
    """An error or a warning; that the page one asked for is a 404 or a 403 is neither."""
    asked = said.text.startswith("Failed to load resource") and said.location["url"] == page.url
    return said.type in {"error", "warning"} and not asked


async def picture(page: Page, name: str) -> None:
    """Keep what the page looks like."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
