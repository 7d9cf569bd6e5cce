"""A browser's window: how it is opened, what counts as a complaint, and pictures of what it shows."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import ConsoleMessage, Page

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

Opener = Callable[..., Awaitable[Page]]


def is_complaint(page: Page, said: ConsoleMessage, cut: bool = False) -> bool:
    """An error or a warning; that the page one asked for is a 404 or a 403 is neither, nor, if it has no line (`cut`), that."""
    asked = said.text.startswith("Failed to load resource") and (cut or said.location["url"] == page.url)
    return said.type in {"error", "warning"} and not asked


async def picture(page: Page, name: str, whole: bool = True) -> None:
    """Keep what the page looks like: all of it, or what is seen first."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)
