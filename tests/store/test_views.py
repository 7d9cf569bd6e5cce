"""The desk's pages of rosters, opinions and photographs, and reports from the ground with a picture, without a browser."""

import io
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from door import Door, open_door
from PIL import ExifTags, Image
from town import GRID, MINUTE, NOW, TOWN, VILLAGE, Hand, make_alert

from warnhub.alert import Gate, Verdict
from warnhub.console.pages import make_router
from warnhub.field.sightings import make_sightings
from warnhub.plan.cutting import open_wave
from warnhub.store.agencies import read_agency
from warnhub.store.points import Entry, save_points
from warnhub.store.proposals import Gauge, list_proposals
from warnhub.store.rosters import Shift, save_shifts

HOUR, DAY = 60 * MINUTE, 24 * 60 * MINUTE
PHONE = {"user-agent": "Mozilla/5.0 (Linux; Android 13; SM-G991B) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36"}


@pytest.fixture
async def door(url: str, hand: Hand) -> AsyncIterator[Door]:
    """A county with its console and its report page."""
    async with open_door(url, hand) as made:
        made.app.include_router(make_sightings(made.hub, lambda: hand.now / 1_000))
        made.app.include_router(make_router(made.hub))
        await made.hub.reload()
        await made.hub.responder.watch.reload()
        yield made


@pytest.fixture
async def desk(door: Door) -> httpx.AsyncClient:
    """A duty officer at the console."""
    page = await door.http.get("/console/login")
    form = {"name": "zhang", "password": "a long enough one", "nonce": token(page.text, "nonce")}
    assert (await door.http.post("/console/login", data=form)).status_code == 303
    return door.http


def token(page: str, name: str = "csrf") -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, page[:500]
    return found[1]


def photograph() -> bytes:
    """A picture with its place and its owner in it."""
    image = Image.new("RGB", (2_400, 1_800), (10, 120, 200))
    exif = image.getexif()
    exif[ExifTags.Base.Artist] = "张三 13800138000"
    exif[ExifTags.IFD.GPSInfo] = {
        ExifTags.GPS.GPSLatitudeRef: "N",
        ExifTags.GPS.GPSLatitude: (26.0, 9.0, 0.0),
        ExifTags.GPS.GPSLongitudeRef: "E",
        ExifTags.GPS.GPSLongitude: (117.0, 9.0, 0.0),
    }
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif)
    return out.getvalue()


def plain(body: bytes) -> tuple[str | None, int, dict[Any, Any]]:
    """(form, longer side, what the camera wrote) of a picture."""
    found = Image.open(io.BytesIO(body))
    assert b"13800138000" not in body
    return found.format, max(found.size), dict(found.getexif())


async def warn(door: Door, identifier: str, **given: Any) -> str:
    """A warning of the rain office, planned; gives its public id."""
    async with door.hub.store.read() as conn:
        agency = await read_agency(conn, "rain")
    assert agency
    alert = make_alert(door.hand, identifier, sender="云岭县气象局", **given)
    made = await door.hub.desk.receive(agency, Verdict(gate=Gate.ACCEPT, alert=alert), b"{}", "application/json")
    (row,) = await door.rows("SELECT id FROM warning WHERE uid = :u", u=made.warning)
    await door.hub.planner.plan(str(row.id), {})
    return str(made.warning)


# ---------------------------------------------------------------- rosters


async def roster(door: Door) -> dict[str, int]:
    """D1 is on duty now and until tonight, H1 is the B person; tomorrow from eight T1 is, and between the two nobody."""
    people = {row.ref: row.id for row in await door.rows("SELECT ref, id FROM recipient")}
    (county,) = await door.rows("SELECT id FROM area WHERE level = 6")
    async with door.hub.store.write() as tx:
        shifts = [
            Shift(county.id, people["D1"], 1, NOW - 8 * HOUR, NOW + 4 * HOUR),
            Shift(county.id, people["H1"], 2, NOW - 8 * HOUR, NOW + 16 * HOUR),
            Shift(county.id, people["T1"], 1, NOW + 16 * HOUR, NOW + 28 * HOUR),
        ]
        await save_shifts(tx, shifts)
    return people


async def test_the_roster_s_page_shows_who_is_on_duty_and_where_nobody_is(door: Door, desk: httpx.AsyncClient) -> None:
    await roster(door)
    page = (await desk.get("/console/roster")).text
    for said in ("D1", "H1", "T1", "云岭县", "主班", "副班"):
        assert said in page, said
    gaps = [row for row in re.findall(r"(?s)<tr>.*?</tr>", page) if 'class="chip late"' in row]
    assert len(gaps) == 1, "tonight nobody is, and that is soon"
    english = (await desk.get("/console/roster?lang=en")).text
    assert "hand" in english.lower()
    assert not re.search(r">\s*(roster|col)\.[a-z_.]+\s*<", page + english), "every word is there"


async def test_a_shift_is_handed_over_on_the_roster_s_page(door: Door, desk: httpx.AsyncClient) -> None:
    await roster(door)
    page = (await desk.get("/console/roster?lang=zh")).text
    shift = token(page, "shift")
    form = {"csrf": token(page), "shift": shift, "person": "T1"}
    assert (await desk.post("/console/roster", data=form)).status_code == 303
    (row,) = await door.rows("SELECT ends_at FROM shift WHERE id = :i", i=int(shift))
    assert row.ends_at == NOW
    again = await desk.post("/console/roster", data=form)
    assert again.status_code == 409
    assert 'role="alert"' in again.text
    assert (await desk.post("/console/roster", data=form | {"shift": "x"})).status_code == 400
    rows = await door.rows("SELECT actor FROM audit WHERE action = 'roster.handed_over'")
    assert [one.actor for one in rows] == ["user:zhang"]


async def test_a_viewer_sees_the_roster_and_hands_nothing_over(door: Door) -> None:
    await roster(door)
    assert (await door.http.get("/console/roster")).status_code == 303
    assert (await door.http.post("/console/roster", data={"shift": "1", "person": "T1"})).status_code in {303, 403}


# ---------------------------------------------------------------- opinions


async def test_an_expert_s_opinion_stands_with_a_warning_beside_how_it_went_before(door: Door, desk: httpx.AsyncClient) -> None:
    before = await warn(door, "rain-1")
    other = await warn(door, "rain-2", hazard="11D01")
    door.hand.pass_by(7 * HOUR)
    now = await warn(door, "rain-3")
    page = await desk.get(f"/console/warnings/{now}/opinions")
    assert f"/console/warnings/{before}" in page.text
    assert f"/console/warnings/{other}" not in page.text, "another hazard"
    form = {"csrf": token(page.text), "expert": "李工(地质)", "text": "后山坡体含水已近饱和,建议提前转移"}
    assert (await desk.post(f"/console/warnings/{now}/opinions", data=form | {"text": " "})).status_code == 422
    assert (await desk.post(f"/console/warnings/{now}/opinions", data=form)).status_code == 303
    shown = (await desk.get(f"/console/warnings/{now}/opinions")).text
    assert "李工(地质)" in shown
    assert "建议提前转移" in shown
    assert "建议提前转移" not in (await desk.get(f"/console/warnings/{before}/opinions")).text
    assert (await desk.get("/console/warnings/nothing/opinions")).status_code == 404
    rows = await door.rows("SELECT actor, subject FROM audit WHERE action = 'opinion.add'")
    assert [tuple(row) for row in rows] == [("user:zhang", now)]


async def propose(door: Door) -> Any:
    """A slope moves: one proposal, of a rule."""
    people = {row.ref: row.id for row in await door.rows("SELECT code AS ref, id FROM area")}
    async with door.hub.store.write() as tx:
        await save_points(tx, [Entry("P1", people[GRID], "slide", "后山滑坡", "red", ["G1"], 12, "往东", "", "now")])
    await door.hub.responder.watch.measure([Gauge("t:1", "站1", "displacement_1h", 30.0, "mm", people[VILLAGE], NOW, "test")])
    async with door.hub.store.read() as conn:
        (one,) = await list_proposals(conn)
    return one


async def test_an_opinion_on_a_proposal_names_the_rule_s_version_and_what_fired(door: Door, desk: httpx.AsyncClient) -> None:
    one = await propose(door)
    page = (await desk.get(f"/console/proposals/{one.uid}")).text
    assert "slope_moves" in page
    assert f"第 {one.version} 版" in page
    assert "displacement_1h 30 mm" in page
    form = {"csrf": token(page), "expert": "王教授", "text": "建议立即撤离"}
    assert (await desk.post(f"/console/proposals/{one.uid}/opinions", data=form)).status_code == 303
    shown = (await desk.get(f"/console/proposals/{one.uid}")).text
    assert "王教授" in shown
    assert "建议立即撤离" in shown
    assert (await desk.post("/console/proposals/nothing/opinions", data=form)).status_code == 404


# ---------------------------------------------------------------- photographs


async def test_a_point_s_photographs_are_made_anew(door: Door, desk: httpx.AsyncClient) -> None:
    await propose(door)
    page = (await desk.get("/console/points/P1")).text
    assert 'enctype="multipart/form-data"' in page
    sent = {"photo": ("a.jpg", photograph(), "image/jpeg")}
    form = {"csrf": token(page), "note": "裂缝又宽了"}
    assert (await desk.post("/console/points/P1/photos", data=form, files=sent)).status_code == 303
    step = form | {"state": "rectifying"}
    assert (await desk.post("/console/points/P1", data=step, files=sent)).status_code == 303
    shown = (await desk.get("/console/points/P1")).text
    links = re.findall(r'href="(/console/points/P1/photos/\d+)"', shown)
    assert len(set(links)) == 2
    assert "裂缝又宽了" in shown
    for link in links:
        got = await desk.get(link)
        assert (got.status_code, got.headers["content-type"]) == (200, "image/jpeg")
        assert plain(got.content) == ("JPEG", 1_600, {})
    for body, status in ((b"no picture", 422), (b"", 422)):
        bad = {"photo": ("a.jpg", body, "image/jpeg")}
        assert (await desk.post("/console/points/P1/photos", data=form, files=bad)).status_code == status
    wrong = await desk.post("/console/points/P1/photos", data=form | {"csrf": "x"}, files=sent)
    assert wrong.status_code == 403
    assert (await desk.get("/console/points/P1/photos/999")).status_code == 404
    assert len(await door.rows("SELECT 1 FROM photo")) == 2


async def test_a_point_keeps_the_newest_twenty(door: Door, desk: httpx.AsyncClient) -> None:
    await propose(door)
    page = (await desk.get("/console/points/P1")).text
    small = io.BytesIO()
    Image.new("RGB", (20, 20)).save(small, "JPEG")
    for number in range(22):
        form = {"csrf": token(page), "note": f"n{number}"}
        sent = {"photo": ("a.jpg", small.getvalue(), "image/jpeg")}
        assert (await desk.post("/console/points/P1/photos", data=form, files=sent)).status_code == 303
    rows = await door.rows("SELECT note FROM photo ORDER BY id")
    assert [row.note for row in rows] == [f"n{number}" for number in range(2, 22)]


async def test_a_report_from_the_ground_comes_with_a_picture_and_its_place(door: Door, desk: httpx.AsyncClient) -> None:
    """From a gridworker's own page: the place the camera wrote is used, and nothing it wrote is kept."""
    uid = await warn(door, "rain-9")
    (told,) = await door.rows(
        "SELECT w.id, r.id AS person FROM warning w, recipient r WHERE w.uid = :u AND r.ref = 'G2'", u=uid
    )
    async with door.hub.store.write() as tx:
        wave = await open_wave(tx, told.id, "sms", 1, "plan")
    link = f"/a/{door.hub.keys.link_token(wave, told.person)}/report"
    page = (await door.http.get(link, headers=PHONE)).text
    nonce = token(page, "nonce")
    door.hand.pass_by(5_000)
    form = {"nonce": nonce, "hazard": "11D01", "text": "屋后山体有裂缝"}
    sent = {"photo": ("a.jpg", photograph(), "image/jpeg")}
    done = await door.http.post(link, data=form, files=sent, headers=PHONE)
    assert "已上报" in done.text
    (seen,) = await door.rows("SELECT id, lon, lat, source FROM sighting")
    assert (seen.lon, seen.lat, seen.source) == (pytest.approx(117.15), pytest.approx(26.15), "gridworker")
    async with door.hub.store.read() as conn:
        (one,) = await list_proposals(conn)
    shown = (await desk.get(f"/console/proposals/{one.uid}")).text
    (picture,) = set(re.findall(rf'href="(/console/proposals/{one.uid}/photos/\d+)"', shown))
    assert plain((await desk.get(picture)).content) == ("JPEG", 1_600, {})
    door.hand.pass_by(HOUR)
    again = token((await door.http.get(link, headers=PHONE)).text, "nonce")
    door.hand.pass_by(5_000)
    bad = {"photo": ("a.jpg", b"no picture", "image/jpeg")}
    unread = await door.http.post(link, data=form | {"nonce": again, "text": "又有新裂缝"}, files=bad, headers=PHONE)
    assert "照片读不出来" in unread.text
    assert len(await door.rows("SELECT 1 FROM sighting")) == 2, "the words count without the picture"


async def test_a_device_sends_a_picture_of_what_it_reported(door: Door) -> None:
    body = {"id": "cam-0001", "hazard": "11D01", "text": "坡面异常", "area": TOWN, "at": "2026-06-12T16:20:00+08:00"}
    headers = door.key("rain")
    assert (await door.http.post("/v1/sightings/cam-0001/photo", content=photograph(), headers=headers)).status_code == 404
    assert (await door.http.post("/v1/sightings", json=body, headers=headers)).status_code == 201
    done = await door.http.post("/v1/sightings/cam-0001/photo", content=photograph(), headers=headers)
    assert done.status_code == 201, done.text
    (row,) = await door.rows("SELECT body FROM photo")
    assert plain(bytes(row.body)) == ("JPEG", 1_600, {})
    bad = await door.http.post("/v1/sightings/cam-0001/photo", content=b"x" * 50, headers=headers)
    assert (bad.status_code, bad.json()["errors"][0]["rule"]) == (422, "PHOTO")
    stranger = await door.http.post("/v1/sightings/cam-0001/photo", content=photograph(), headers=door.key("water"))
    assert stranger.status_code == 404, "another agency's"
