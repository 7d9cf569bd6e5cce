"""Files that came with a held alert, in a real browser: they are linked, kept under their own name, and never shown."""

import asyncio
import io
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from stage import PASSWORD, Hub, agency
from window import Opener, picture

from warnhub.inlet.door import read_whole, take

pytestmark = pytest.mark.browser
EXAMPLE = Path(__file__).resolve().parents[2] / "schemas" / "examples" / "national.xml"
BODY = b"<script>document.title = 'taken'</script>" * 900
NAMES = ("审批单扫描件(盖章)第一页.pdf", "现场照片-云溪镇石坪村后山滑坡体裂缝-2026年6月12日16时.jpg", "page.html")


def make_package(now: datetime) -> bytes:
    """A message whose colour nobody knows, with three files."""
    body = EXAMPLE.read_text("utf-8").replace("<severity>Red", "<severity>Purple")
    body = re.sub(r"2026-06-12 16:00:(00|12)\+08:00", f"{now:%Y-%m-%d %H:%M:%S}+00:00", body)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", body)
        for name in NAMES:
            archive.writestr(name, BODY)
    return file.getvalue()


@pytest.mark.parametrize("width", [360, 1440])
async def test_a_file_is_kept_and_not_shown(browse: Opener, hub: Hub, width: int) -> None:
    async with hub.store.read() as conn:
        now = datetime.fromtimestamp(await hub.store.now(conn) / 1_000, UTC)
    office, body = await agency(hub, "weather"), make_package(now)
    verdicts = await read_whole(hub.desk, office, body, "application/zip")
    (received,) = await take(hub.desk, office, verdicts, body, "application/zip", None)
    assert received.state == "held"
    page = await browse(width)
    await page.goto("/console/login?lang=zh")
    await page.locator("input[name=name]").fill("wang")
    await page.locator("input[name=password]").fill(PASSWORD)
    await page.locator("main button").click()
    await page.locator("header .who").wait_for()
    for path in ("", "/settle"):
        await page.goto(f"/console/warnings/{received.warning}{path}")
        links = page.locator(".files a")
        assert await links.all_inner_texts() == list(NAMES)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await picture(page, f"files{path.replace('/', '-')}-{width}")
    title = await page.title()
    for at, name in enumerate(NAMES):
        async with page.expect_download() as found:
            await links.nth(at).click()
        download = await found.value
        assert download.suggested_filename == name
        assert await asyncio.to_thread(Path(await download.path()).read_bytes) == BODY
    assert await page.title() == title
