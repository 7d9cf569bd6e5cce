"""Files that came in a package: served as they came, to whom they concern, and never as something to open at once."""

import io
import zipfile
from typing import Any

from alertdocs import EXAMPLES, example
from gatehouse import Gatehouse
from test_holds import Officer

NAME = "99012341600000_20260612160012_0_11B03_RED_ALERT"
PAGE = b"<html><script>alert(1)</script></html>"


def pack(severity: str = "Red", **members: bytes | str) -> bytes:
    """The example's message with these files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{NAME}.XML", example("national.xml").replace("<severity>Red", f"<severity>{severity}"))
        for name, body in members.items():
            archive.writestr(name, body)
    return file.getvalue()


async def send(house: Gatehouse, body: bytes) -> dict[str, Any]:
    """POST a package; what became of it."""
    house.hand.now = 1_781_251_260_000  # a minute after it was sent
    answer = await house.post(body, media="application/zip")
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def get(house: Gatehouse, path: str, agency: str = "weather") -> Any:
    """GET with an agency's key."""
    return await house.http.get(path, headers={"authorization": f"Bearer {house.keys[agency]}"})


async def test_an_attachment_comes_out_as_it_came_in(house: Gatehouse) -> None:
    members = {f"{NAME}_P_01.pdf": b"%PDF-1.4 scan", "审批 单.html": PAGE, "svg.svg": "<svg onload='x'/>"}
    said = await send(house, pack(**members))
    path = f"/v1/alerts/{said['id']}"
    listed = (await get(house, path)).json()["attachments"]
    assert {one["name"] for one in listed} == {*members}
    for one in listed:
        answer = await get(house, one["href"])
        wanted = members[one["name"]]
        assert answer.content == (wanted.encode() if isinstance(wanted, str) else wanted)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"].startswith("attachment; filename=")
        assert "sandbox" in answer.headers["content-security-policy"]
        wanted_type = "application/pdf" if one["name"].endswith("pdf") else "application/octet-stream"
        assert answer.headers["content-type"] == wanted_type
    (chinese,) = [one for one in listed if one["name"].endswith("html")]
    header = (await get(house, chinese["href"])).headers["content-disposition"]
    assert header.isascii()
    assert "filename*=UTF-8''%E5%AE%A1" in header


async def test_nobody_else_gets_it(house: Gatehouse) -> None:
    said = await send(house, (EXAMPLES / "package.zip").read_bytes())
    path = f"/v1/alerts/{said['id']}/attachments/0"
    assert (await get(house, path)).status_code == 200
    assert (await get(house, path, "water")).status_code == 404
    assert (await house.http.get(path)).status_code == 401
    for number in ("1", "-1", "999999"):
        assert (await get(house, f"/v1/alerts/{said['id']}/attachments/{number}")).status_code == 404
    assert (await get(house, f"/v1/alerts/{said['id']}/attachments/x")).status_code == 422


async def test_one_that_is_larger_than_allowed_is_not_unpacked(house: Gatehouse) -> None:
    said = await send(house, pack(**{"a.bin": b"x" * 5_000}))
    path = f"/v1/alerts/{said['id']}/attachments/0"
    assert (await get(house, path)).status_code == 200
    limits = house.hub.settings.limits.model_copy(update={"max_bytes": 4_000})
    object.__setattr__(house.hub.settings, "limits", limits)
    assert (await get(house, path)).status_code == 404


async def test_the_desk_lists_them_and_sends_them(house: Gatehouse) -> None:
    said = await send(house, pack(**{"扫描 & <件>.pdf": b"%PDF-1.4 scan"}))
    officer = await Officer(house, "zhang").enter()
    page = await officer.look(f"/warnings/{said['warning']}")
    link = f"/console/warnings/{said['warning']}/attachments/0"
    assert f'href="{link}"' in page.text
    assert "扫描 &amp; &lt;件&gt;.pdf" in page.text
    answer = await house.http.get(link)
    assert (answer.status_code, answer.content) == (200, b"%PDF-1.4 scan")
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["x-content-type-options"] == "nosniff"
    for number in ("1", "x", "9" * 30):
        assert (await house.http.get(f"{link[:-1]}{number}")).status_code == 404
    house.http.cookies.clear()
    assert (await house.http.get(link)).status_code in {303, 401, 403}


async def test_the_page_of_a_held_alert_lists_them_too(house: Gatehouse) -> None:
    said = await send(house, pack(**{"a.pdf": b"%PDF"}, severity="Purple"))
    assert said["state"] == "held"
    officer = await Officer(house, "zhang").enter()
    page = await officer.look(f"/warnings/{said['warning']}/settle")
    assert f"/console/warnings/{said['warning']}/attachments/0" in page.text
