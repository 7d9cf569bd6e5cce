"""Switching the second factor on as a person does: with a telephone's camera on the page, by day and by night."""

import io
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Page
from stage import PASSWORD, Hub
from window import Opener

pytestmark = pytest.mark.browser


async def log_in(page: Page, code: str = "") -> None:
    """By name, password and, where there is one, the code."""
    await page.goto("/console/login")
    await page.locator("input[name=name]").fill("wang")
    await page.locator("input[name=password]").fill(PASSWORD)
    await page.locator("input[name=code]").fill(code)
    await page.locator("main button").click()
    await page.locator("header .who").wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_code_on_the_page_is_read_by_a_camera_and_opens_the_door(browse: Opener, hub: Hub, theme: str) -> None:
    page = await browse(width=360)
    await log_in(page)
    await page.goto(f"/console/me?theme={theme}")
    drawn = await page.locator(".qr-frame").screenshot()
    (read,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(drawn)))
    address = urlsplit(read.text)
    said = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert (address.scheme, address.netloc, address.path) == ("otpauth", "totp", "/WarnHub:wang")
    assert said["issuer"] == "WarnHub"
    assert said["secret"] == (await page.locator("code.secret").inner_text()).replace(" ", "")
    totp = pyotp.TOTP(said["secret"])
    await page.locator("input[name=code]").fill(totp.at(hub.hand.now // 1000))
    await page.locator("form[action$='/me/on'] button").click()
    await page.locator("form[action$='/me/off']").wait_for()
    assert await page.locator(".qr-frame").count() == 0, "it is shown once"
    await page.context.clear_cookies()
    hub.hand.now += 60_000
    await log_in(page, totp.at(hub.hand.now // 1000))
