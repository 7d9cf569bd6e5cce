"""A place and a photograph with an answer: on the page without a script, in the ledger, and before those who may see them."""

import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from PIL import Image
from sqlalchemy import text
from stage import PASSWORD, Hub
from test_field import Link, find_link, load, phone  # noqa: F401 - a fixture of the field page's tests
from window import PHONE, Opener

from warnhub.response.photo import LARGEST


@pytest.fixture
async def link(hub: Hub, warnings: dict[str, str]) -> Link:
    """A gridworker of the rainstorm who has not confirmed."""
    return await find_link(hub, warnings["living"])


def photograph() -> bytes:
    """A picture with a secret in it."""
    image = Image.new("RGB", (800, 600), (90, 60, 30))
    exif = image.getexif()
    exif[0x013B] = "owner-of-this-camera"
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif)
    return out.getvalue()


async def kept(hub: Hub, link: Link) -> list[tuple[float | None, float | None, bytes | None]]:
    """(lon, lat, photograph) of everything this person sent."""
    async with hub.store.read() as conn:
        rows = await conn.execute(text("SELECT lon, lat, photo FROM proof WHERE recipient_id = :r"), {"r": link.recipient})
        return [(row.lon, row.lat, row.photo) for row in rows]


@asynccontextmanager
async def enter(base: str, name: str) -> AsyncIterator[httpx.AsyncClient]:
    """An officer at the console."""
    async with httpx.AsyncClient(base_url=base) as client:
        page = await client.get("/console/login")
        nonce = re.search(r'name="nonce" value="([^"]*)"', page.text)
        assert nonce
        await client.post("/console/login", data={"name": name, "password": PASSWORD, "nonce": nonce[1]})
        yield client


async def test_a_place_and_a_photograph_reach_the_desk(
    phone: httpx.AsyncClient,  # noqa: F811
    link: Link,
    hub: Hub,
    base: str,
    warnings: dict[str, str],
) -> None:
    form = await load(phone, link) | {"choice": "help", "text": "路断了", "place": "26.123, 117.456"}
    hub.hand.now += 4_000
    answer = await phone.post(link.path, data=form, files={"photo": ("a.jpg", photograph(), "image/jpeg")})
    assert (answer.status_code, "已记录：需要支援" in answer.text) == (200, True)
    assert await link.confirmed()
    ((lon, lat, photo),) = await kept(hub, link)
    assert (lon, lat) == (117.456, 26.123)
    assert photo
    assert b"owner-of-this-camera" not in photo
    async with enter(base, "wang") as desk, enter(base, "qian") as looker:
        page = await desk.get(f"/console/warnings/{warnings['living']}/people/{link.recipient}")
        (path,) = set(re.findall(r'src="(/console/warnings/[^"]*/photos/\d+)"', page.text))
        assert "117.45600" in page.text
        picture = await desk.get(path)
        assert (picture.headers["content-type"], picture.content) == ("image/jpeg", photo)
        assert (await looker.get(path)).status_code == 403
        assert "/photos/" not in (await looker.get(f"/console/warnings/{warnings['living']}/people/{link.recipient}")).text
        assert (await desk.get(path.replace(warnings["living"], warnings["over"]))).status_code == 404


@pytest.mark.parametrize(
    ("photo", "status", "said", "confirmed"),
    [
        pytest.param(b"GIF89a no photograph", 200, "照片无法读取", True, id="unreadable: the answer counts"),
        pytest.param(b"x" * (LARGEST + 20_000), 413, "照片太大", False, id="too large: nothing is read"),
        pytest.param(b"", 200, "已记录", True, id="none"),
    ],
)
async def test_a_photograph_that_cannot_be_kept_is_said(
    phone: httpx.AsyncClient,  # noqa: F811
    link: Link,
    hub: Hub,
    photo: bytes,
    status: int,
    said: str,
    confirmed: bool,
) -> None:
    form = await load(phone, link) | {"choice": "received"}
    hub.hand.now += 4_000
    answer = await phone.post(link.path, data=form, files={"photo": ("a.jpg", photo, "image/jpeg")})
    assert (answer.status_code, said in answer.text) == (status, True)
    assert await link.confirmed() == confirmed
    assert await kept(hub, link) == []


async def test_a_place_that_is_none_is_asked_again(phone: httpx.AsyncClient, link: Link, hub: Hub) -> None:  # noqa: F811
    form = await load(phone, link) | {"choice": "received", "place": "桥头"}
    hub.hand.now += 4_000
    answer = await phone.post(link.path, data=form)
    assert (answer.status_code, "经纬度" in answer.text) == (400, True)
    assert not await link.confirmed()


@pytest.mark.browser
async def test_without_a_script_on_a_telephone(browse: Opener, link: Link, hub: Hub) -> None:
    page = await browse(360, user_agent=PHONE, java_script_enabled=False)
    await page.goto(link.path)
    await page.get_by_text("已转移群众").click()
    await page.get_by_text("位置和照片").click()
    await page.locator("input[name=place]").fill("26.5 117.5")
    await page.locator("input[name=photo]").set_input_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": photograph()})
    hub.hand.now += 5_000
    await page.get_by_role("button", name="提交").click()
    await page.get_by_role("status").wait_for()
    ((lon, lat, photo),) = await kept(hub, link)
    assert ((lon, lat), bool(photo)) == ((117.5, 26.5), True)
