"""Areas at the desk: drawn by clicks, by keys alone, written without script; and a warning that takes another's place."""

import re
from typing import Any

import httpx
import pytest
import shapely
from playwright.async_api import Page, expect
from sqlalchemy import text
from stage import Hub, number_of, receive
from test_doors import enter as come_in
from test_doors import token
from test_flows import count, enter, state_of
from window import Opener

from warnhub.alert import Alert, Kind, Reference
from warnhub.console.drawn import read_drawn, write_ring
from warnhub.ingest.findings import Limits
from warnhub.store.warnings import find_warning, warning_alert

FORM = {"hazard": "11B03", "level": "orange", "status": "actual", "hours": "3", "headline": "云岭县应急管理局发布暴雨橙色预警"}


async def read_alert(hub: Hub, uid: str) -> Alert:
    """What a warning's alert says."""
    async with hub.store.read() as conn:
        warning = await find_warning(conn, uid)
        assert warning
        return await warning_alert(conn, warning)


async def corners(hub: Hub, code: str) -> str:
    """A box inside a village, as a line of the form."""
    async with hub.store.read() as conn:
        shape = shapely.from_wkb(bytes(await conn.scalar(text("SELECT shape FROM area WHERE code = :c"), {"c": code})))
    spot = shapely.point_on_surface(shape)
    reach = shapely.distance(spot, shape.exterior if shape.geom_type == "Polygon" else shape.boundary) / 2
    west, south, east, north = spot.x - reach, spot.y - reach, spot.x + reach, spot.y + reach
    return write_ring([(west, south), (east, south), (east, north), (west, north)])


async def begin(page: Page, lang: str = "zh") -> None:
    """An officer at the form."""
    await enter(page, "wang", lang)
    await start_draft(page)


async def start_draft(page: Page) -> None:
    """The form, filled in but for the place."""
    await page.goto("/console/compose")
    await page.locator("select[name=hazard]").select_option("11B03")
    await page.locator("input[name=level][value=orange]").check()
    await page.locator("input[name=hours]").fill("3")


async def spot_on(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a point of the map's own units lies on the screen."""
    svg = page.locator("svg.pick")
    await svg.scroll_into_view_if_needed()
    place: list[float] = await svg.evaluate(
        "(svg, [x, y]) => { const p = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM()); return [p.x, p.y]; }", [x, y]
    )
    return place[0], place[1]


async def settle_and_save(page: Page) -> str:
    """Fill in the words, save; gives the warning's id."""
    await page.locator("button[value=fill]").click()
    await page.locator("button[value=save]").click()
    await page.wait_for_url("**/warnings/wa_*")
    return page.url.rpartition("/")[2].partition("?")[0]


@pytest.mark.browser
@pytest.mark.parametrize(("lang", "width"), [("zh", 1920), ("en", 1024), ("zh", 360)])
async def test_an_area_is_drawn_and_only_it_is_told(browse: Opener, hub: Hub, lang: str, width: int) -> None:
    page = await browse(width)
    await begin(page, lang)
    await page.locator("[data-do=toggle]").click()
    before = await page.locator(".drawing circle").count()
    ticked = page.locator("input[name=place]:checked")
    spots = [(200.0, 200.0), (300.0, 200.0), (300.0, 290.0), (200.0, 290.0)]
    for x, y in [*spots, spots[0]]:
        await page.mouse.click(*await spot_on(page, x, y))
    assert before == 0
    assert await ticked.count() == 0, "a point inside a township is not a tick at it"
    drawn = (await page.locator("textarea[name=drawn]").input_value()).split()
    assert len(drawn) == 4
    await page.locator("button[value=look]").click()
    await expect(page.locator(".held-places")).to_be_visible()
    assert await page.locator(".drawn-shape").count() == 1, "what was drawn stays"
    uid = await settle_and_save(page)
    alert = await read_alert(hub, uid)
    ring = alert.areas[0].polygons[0].rings[0]
    assert [f"{lon:.6f},{lat:.6f}" for lon, lat in ring[:-1]] == drawn
    assert ring[0] == ring[-1]
    other = await browse(width)
    await enter(other, "zhao", lang)
    await other.goto(f"/console/warnings/{uid}/release")
    await other.locator("input[name=checked]").check()
    await other.locator("main button.big").click()
    await other.wait_for_url(f"**/warnings/{uid}")
    number = await number_of(hub, uid)
    await hub.planner.plan(str(number), {})
    box = shapely.Polygon(ring)
    async with hub.store.read() as conn:
        rows = (
            await conn.execute(
                text(
                    "SELECT DISTINCT a.id, a.shape FROM target t JOIN recipient r ON r.id = t.recipient_id "
                    "JOIN area a ON a.id = r.area_id WHERE t.warning_id = :w AND t.role = 'resident'"
                ),
                {"w": number},
            )
        ).all()
    assert rows, "somebody lives there"
    assert all(shapely.from_wkb(bytes(row.shape)).intersects(box) for row in rows)


@pytest.mark.browser
async def test_an_area_is_drawn_by_keys_alone(browse: Opener) -> None:
    page = await browse()
    await begin(page)
    await page.locator("[data-do=toggle]").focus()
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.getAttribute('role')") == "application"
    for keys in (("Enter",), ("Shift+ArrowRight", "Enter"), ("Shift+ArrowDown", "Enter"), ("ArrowDown", "Enter", "Backspace")):
        for key in keys:
            await page.keyboard.press(key)
    assert "3" in await page.locator("[data-told]").inner_text()
    for key in ("ArrowUp", "Shift+ArrowLeft", "Shift+ArrowUp", "Enter"):
        await page.keyboard.press(key)
    assert len((await page.locator("textarea[name=drawn]").input_value()).split()) == 3, "Enter on the first point closes"
    await page.keyboard.press("Escape")
    assert await page.evaluate("document.activeElement.dataset.do") == "toggle"


@pytest.mark.browser
async def test_without_script_the_area_is_written(browse: Opener, hub: Hub) -> None:
    page = await browse(java_script_enabled=False)
    await begin(page)
    assert await page.locator("[data-do=toggle]").is_hidden()
    await page.locator("#points summary").click()
    village = next(code for code in hub.places.codes if len(code) == 12 and not code.startswith("990123001"))
    await page.locator("textarea[name=drawn]").fill(await corners(hub, village))
    await page.locator("input[name=codes]").fill("990123001")
    await page.locator("button[value=look]").click()
    assert await page.locator("path.drawn-shape").count() == 1, "the server draws it"
    shown = await page.locator(".held-places").inner_text()
    assert hub.places.title(village) in shown
    assert hub.places.title("990123001") in shown
    uid = await settle_and_save(page)
    alert = await read_alert(hub, uid)
    assert [len(area.codes) for area in alert.areas] == [1, 0]
    assert len(alert.areas[1].polygons) == 1


def test_what_is_drawn_passes_the_geometry_gate() -> None:
    limits = Limits(max_polygons=3, max_points=20, home=(106.0, 33.0, 108.0, 35.0))
    square = "107.0,34.0 107.1,34.0 107.1,34.1 107.0,34.1"
    polygons, wrong = read_drawn(f"{square}\r\n\n{square} 107.0,34.0", limits)
    assert (len(polygons), wrong) == (2, [])
    for written, rule in (
        ("107.0,34.0 107.1,34.1 107.1,34.0 107.0,34.1", "POLYGON_SELF_CROSSING"),
        ("107.0,34.0 107.1,34.1", "POLYGON_TOO_FEW_POINTS"),
        ("107.0,34.0 107.0,34.1 107.0,34.2", "POLYGON_DEGENERATE"),
        ("34.0,107.0 34.0,107.1 34.1,107.1", "POLYGON_SWAPPED"),
        ("107.0,34.0 nowhere 107.1,34.1", "POLYGON_UNREADABLE"),
        ("\n".join([square] * 4), "GEOMETRY_TOO_LARGE"),
        (" ".join([square] * 6), "GEOMETRY_TOO_LARGE"),
    ):
        polygons, wrong = read_drawn(written, limits)
        assert polygons == []
        assert rule in [one.rule for one in wrong], written
        assert wrong[0].path.startswith("drawn")


async def compose(base: str, name: str, path: str = "/console/compose", **given: Any) -> tuple[httpx.Response, str]:
    """Post a draft as somebody; gives the answer and the warning's id."""
    async with httpx.AsyncClient(base_url=base) as client:
        await come_in(client, name)
        page = await client.get(path)
        form = FORM | {"csrf": token(page.text), "nonce": token(page.text, "nonce"), "act": "save"} | given
        answer = await client.post("/console/compose", data=form)
        return answer, answer.headers.get("location", "").rpartition("/")[2]


async def let_go(hub: Hub, uid: str, *officers: str) -> None:
    """Everybody's yes."""
    for name in officers:
        await hub.desk.release(uid, f"user:{name}")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"drawn": "107.0,34.0 107.1,34.1 107.1,34.0 107.0,34.1"}, "drawn[0]"),
        ({"drawn": "10.0,34.0 10.1,34.0 10.1,34.1"}, "不在本县范围内"),
        ({"codes": "990123999"}, "990123999"),
        ({"drawn": "", "codes": ""}, "请选地方"),
    ],
)
async def test_an_area_that_cannot_be_is_refused_by_name(base: str, hub: Hub, given: dict[str, str], said: str) -> None:
    answer, _ = await compose(base, "wang", **given)
    assert answer.status_code == 422
    assert said in answer.text
    if given.get("drawn"):
        assert given["drawn"] in answer.text, "what was written is not lost"


async def test_an_upgrade_takes_the_place_of_another_agencys_warning(base: str, hub: Hub, warnings: dict[str, str]) -> None:
    old = warnings["living"]
    said = await read_alert(hub, old)
    path = f"/console/compose?of={old}&act=extend"
    answer, uid = await compose(base, "wang", path, of=old, keep="yes", level="red")
    assert answer.status_code == 303, answer.text
    new = await read_alert(hub, uid)
    assert new.kind is Kind.UPDATE
    assert new.references == [Reference(identifier=said.identifier, sender=said.sender, sent=said.sent)]
    assert new.areas[: len(said.areas)] == said.areas, "the whole of its area is kept"
    assert await state_of(hub, old) == "released", "nothing changes before the release"
    await let_go(hub, uid, "zhao", "li")
    assert (await state_of(hub, uid), await state_of(hub, old)) == ("released", "superseded")
    written = "SELECT count(*) FROM audit WHERE action = 'warning.composed' AND subject = :u AND actor = 'user:wang'"
    assert await count(hub, written, u=uid) == 1
    row = "SELECT count(*) FROM audit WHERE action = 'warning.superseded' AND subject = :u AND actor = 'user:li'"
    assert await count(hub, row, u=old) == 1
    left = "SELECT count(*) FROM batch b JOIN warning w ON w.id = b.warning_id WHERE w.uid = :u AND b.state IN (0, 1)"
    assert await count(hub, left, u=old) == 0, "what was not sent of it stops"
    ends = said.model_copy(
        update={"identifier": "rain-1-end", "kind": Kind.CANCEL, "references": [Reference(identifier=said.identifier)]}
    )
    received = await receive(hub, "weather", ends)
    assert received.state == "held", "that its agency ends it does not silently end the county's own"
    assert uid in " ".join(received.reasons)
    assert await state_of(hub, uid) == "released"


@pytest.mark.parametrize(
    ("given", "said"),
    [({"hazard": "11A01"}, "hazard"), ({"status": "exercise"}, "status")],
)
async def test_nothing_else_takes_its_place(
    base: str, hub: Hub, warnings: dict[str, str], given: dict[str, str], said: str
) -> None:
    old = warnings["living"]
    answer, _ = await compose(base, "wang", f"/console/compose?of={old}&lang=en", of=old, keep="yes", lang="en", **given)
    assert answer.status_code == 422
    assert said in answer.text or "原预警" in answer.text


async def test_places_added_stand_beside_it_or_in_its_place(base: str, hub: Hub) -> None:
    here, there, third = [code for code in hub.places.codes if len(code) == 9][:3]
    _, first = await compose(base, "wang", place=here)
    await let_go(hub, first, "zhao")
    assert await state_of(hub, first) == "released"
    path = f"/console/compose?of={first}&act=extend"
    _, beside = await compose(base, "wang", path, of=first, place=there, headline="另一处的暴雨橙色预警")
    assert ((await read_alert(hub, beside)).kind, (await read_alert(hub, beside)).references) == (Kind.ALERT, [])
    await let_go(hub, beside, "zhao")
    assert await state_of(hub, first) == "released", "it stands beside"
    _, wider = await compose(base, "wang", path, of=first, keep="yes", place=third)
    alert = await read_alert(hub, wider)
    assert [code.value for area in alert.areas for code in area.codes] == [here, third]
    await let_go(hub, wider, "zhao")
    assert (await state_of(hub, first), await state_of(hub, beside)) == ("superseded", "released")
    answer, _ = await compose(base, "wang", path, of=first, keep="yes", place=third)
    assert answer.status_code == 422, "what is over cannot be taken up"


async def test_the_form_of_an_extension_names_what_is_kept(base: str, warnings: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=base) as client:
        await come_in(client)
        page = await client.get(f"/console/compose?of={warnings['living']}&act=extend")
    assert re.search(r'name="keep" value="yes" checked', page.text)
    assert "云岭县全境" in page.text
