"""The console in a real browser."""

import pytest
from conftest import Opener, picture
from playwright.async_api import Page
from stage import PASSWORD, Hub


async def enter(page: Page, name: str = "wang") -> None:
    """Log in."""
    await page.goto("/console")
    await page.get_by_label("用户名").fill(name)
    await page.get_by_label("密码").fill(PASSWORD)
    await page.get_by_role("button", name="登录").click()
    await page.get_by_role("heading", name="生效中").wait_for()


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1440])
async def test_pictures(browse: Opener, hub: Hub, warnings: dict[str, str], width: int) -> None:
    page = await browse(width)
    await page.goto("/console")
    await picture(page, f"login-{width}")
    await enter(page)
    await picture(page, f"list-{width}")
    for name, uid in warnings.items():
        await page.goto(f"/console/warnings/{uid}")
        await picture(page, f"warning-{name}-{width}")
        assert await page.evaluate("document.documentElement.scrollWidth") == width
