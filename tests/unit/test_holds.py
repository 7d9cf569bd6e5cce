"""Held alerts in the console: the list, the choices, who may make them, what the audit says, and how the alert goes on."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import httpx
import pytest
from gatehouse import FAR, FAR_GRID, GRID, GRID2, OTHER, PASSWORD, TOWN, VILLAGE, WEATHER, Gatehouse

from warnhub.alert import Level
from warnhub.store.audits import verify_audit

LOST = "990123100999"


class Officer:
    """Somebody at the console, with a session and its form token."""

    def __init__(self, house: Gatehouse, name: str) -> None:
        self.house, self.name, self.csrf = house, name, ""

    async def enter(self) -> "Officer":
        """Log in."""
        page = await self.house.http.get("/console/login")
        nonce = re.search(r'name="nonce" value="([^"]+)"', page.text)
        assert nonce
        form = {"name": self.name, "password": PASSWORD, "nonce": unescape(nonce[1])}
        assert (await self.house.http.post("/console/login", data=form)).status_code == 303
        found = re.search(r'name="csrf" value="([^"]+)"', (await self.look("/held")).text)
        assert found
        self.csrf = unescape(found[1])
        return self

    async def look(self, path: str) -> httpx.Response:
        """A page, in English."""
        return await self.house.http.get(f"/console{path}", params={"lang": "en"})

    async def settle(self, uid: str, **form: str) -> httpx.Response:
        """The form, sent as the page would send it."""
        page = await self.look(f"/warnings/{uid}/settle")
        version = re.search(r'name="version" value="(\d+)"', page.text)
        given = {"csrf": self.csrf, "version": version[1] if version else "1", "why": "已核实"} | form
        return await self.house.http.post(f"/console/warnings/{uid}/settle", data=given)

    async def release(self, uid: str) -> httpx.Response:
        """The page after it, and its button."""
        page = await self.look(f"/warnings/{uid}/release")
        version = re.search(r'name="version" value="(\d+)"', page.text)
        assert version, page.text[:2_000]
        form = {"csrf": self.csrf, "version": version[1], "checked": "yes"}
        return await self.house.http.post(f"/console/warnings/{uid}/release", data=form)


@pytest.fixture
async def zhang(house: Gatehouse) -> Officer:
    """The duty officer."""
    return await Officer(house, "zhang").enter()


async def hold(house: Gatehouse, identifier: str = "a-1", **given: Any) -> str:
    """An alert with a village nobody knows; its warning."""
    said = await house.say(identifier, **({"codes": [VILLAGE, LOST]} | given))
    assert said["state"] == "held", said
    return str(said["warning"])


async def test_the_list_says_what_holds_each(house: Gatehouse, zhang: Officer) -> None:
    uid = await hold(house)
    page = (await zhang.look("/held")).text
    assert uid in page
    assert LOST in page
    assert f"/warnings/{uid}/settle" in page
    assert f"/warnings/{uid}/settle" in (await zhang.look(f"/warnings/{uid}")).text


async def test_it_is_taken_without_the_part_nobody_can_place(house: Gatehouse, zhang: Officer) -> None:
    uid = await hold(house)
    page = (await zhang.look(f"/warnings/{uid}/settle")).text
    assert "Accept without the part" in page
    answer = await zhang.settle(uid, how="without")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/console/warnings/{uid}/release")
    assert await house.released() == 0  # nothing leaves before the page that says whom it reaches
    assert (await zhang.release(uid)).status_code == 303
    assert await house.released() == 1
    assert VILLAGE in await house.places(uid)
    (kept,) = await house.rows("SELECT body FROM alert")
    assert LOST in str(kept.body)  # what the agency said stays as said
    (entry,) = await house.rows("SELECT actor, data FROM audit WHERE action = 'alert.settled'")
    assert entry.actor == "user:zhang"
    assert "without" in str(entry.data)
    async with house.hub.store.read() as conn:
        assert (await verify_audit(conn))[1] is None


async def test_another_area_is_chosen_and_nothing_else_is_told(house: Gatehouse, zhang: Officer) -> None:
    uid = await hold(house, codes=[LOST])
    refused = await zhang.settle(uid, how="as_is")
    assert refused.status_code == 409
    for wrong in (LOST, "", "abc", f"{FAR} {LOST}"):
        assert (await zhang.settle(uid, how="areas", codes=wrong)).status_code == 422
    assert (await zhang.settle(uid, how="areas", codes=f"{FAR}")).status_code == 303
    assert await house.places(uid) == {FAR, FAR_GRID}
    assert (await zhang.release(uid)).status_code == 303
    assert await house.released() == 1


async def test_it_is_taken_as_it_is(house: Gatehouse, zhang: Officer) -> None:
    uid = await hold(house)
    assert (await zhang.settle(uid, how="as_is")).status_code == 303
    assert (await house.rows("SELECT state FROM alert"))[0].state == "pending"
    assert GRID in await house.places(uid)
    assert (await zhang.look(f"/warnings/{uid}/settle")).status_code == 409
    assert uid not in (await zhang.look("/held")).text


async def test_it_is_taken_and_released_from_one_page(house: Gatehouse, zhang: Officer) -> None:
    uid = await hold(house)
    page = (await zhang.look(f"/warnings/{uid}/settle")).text
    assert "It leaves now, to the public" in page
    assert f"What cannot be placed ({LOST}) tells nobody." in page
    assert (await zhang.settle(uid, then="release", checked="yes", how="areas", codes=FAR, level="blue")).status_code == 303
    assert await house.released() == 1
    assert await house.places(uid) == {VILLAGE, GRID, GRID2}  # what the page showed, whatever else a form may carry
    (entry,) = await house.rows("SELECT data FROM audit WHERE action = 'alert.settled'")
    assert "as_is" in str(entry.data)
    assert await house.rows("SELECT 1 FROM audit WHERE action = 'warning.release'") != []


@pytest.mark.parametrize("form", [{"why": " ", "checked": "yes"}, {"checked": ""}, {"checked": "yes", "version": "99"}])
async def test_it_is_not_released_without_reason_tick_and_the_page_as_it_stands(
    house: Gatehouse, zhang: Officer, form: dict[str, str]
) -> None:
    uid = await hold(house)
    assert (await zhang.settle(uid, then="release", **form)).status_code in {409, 422}
    assert (await house.rows("SELECT state FROM alert"))[0].state == "held"
    assert await house.released() == 0


async def test_it_stays_held_where_its_release_is_refused(house: Gatehouse, zhang: Officer) -> None:
    uid = await hold(house, expires=(house.hand.moment + timedelta(hours=1)).isoformat())
    house.hand.pass_by(hours=2)
    assert "It leaves now" not in (await zhang.look(f"/warnings/{uid}/settle")).text
    assert (await zhang.settle(uid, then="release", checked="yes")).status_code == 409
    assert (await house.rows("SELECT state FROM alert"))[0].state == "held"
    assert await house.rows("SELECT 1 FROM audit WHERE action = 'alert.settled'") == []


async def test_what_would_tell_those_it_excludes_is_not_offered_as_it_is(house: Gatehouse, zhang: Officer) -> None:
    codes = [{"value": TOWN}, {"value": LOST, "exclude": True}]
    uid = await hold(house, areas=[{"name": "云溪镇", "codes": codes}])
    page = (await zhang.look(f"/warnings/{uid}/settle")).text
    assert "It leaves now" not in page
    assert 'name="then"' not in page
    assert (await zhang.settle(uid, then="release", checked="yes")).status_code == 409
    assert await house.released() == 0


async def test_it_is_the_end_of_an_earlier_one(house: Gatehouse, zhang: Officer) -> None:
    first = await house.say("a-1")
    uid = await hold(house, "x-1", codes=[TOWN, OTHER], level="yellow", texts=[{"headline": f"{WEATHER}解除暴雨预警,另行发布"}])
    assert (await zhang.settle(uid, how="ends", ends="wa_nothing")).status_code == 422
    assert (await zhang.settle(uid, how="ends", ends=first["warning"])).status_code == 303
    assert (await house.states())["a-1"] == "released"
    assert (await zhang.release(uid)).status_code == 303
    assert await house.states() == {"a-1": "cancelled", "x-1": "released"}
    (row,) = await house.rows("SELECT kind, previous_id FROM warning WHERE uid = :u", u=uid)
    assert (row.kind, row.previous_id is not None) == ("cancel", True)


async def test_another_senders_warning_is_not_offered_to_be_ended(house: Gatehouse, zhang: Officer) -> None:
    other = await house.say("a-1", "other", sender="邻县气象台")
    uid = await hold(house, "x-1")
    assert (await zhang.settle(uid, how="ends", ends=other["warning"])).status_code == 422
    assert (await house.states())["a-1"] == "released"


async def test_a_level_is_chosen_and_takes_the_officers_it_needs(house: Gatehouse, zhang: Officer) -> None:
    uid = await hold(house, level="blue")
    assert (await zhang.settle(uid, how="without", level="red")).status_code == 303
    (row,) = await house.rows("SELECT level, approvals FROM warning")
    assert (row.level, row.approvals) == ("red", house.hub.policies[1].release.people_needed(Level.RED, certified=False))


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"why": " "}, 422),
        ({"how": ""}, 422),
        ({"how": "nothing"}, 422),
        ({"version": "99"}, 409),
        ({"csrf": "forged"}, 403),
    ],
)
async def test_a_form_that_is_not_whole_changes_nothing(
    house: Gatehouse, zhang: Officer, form: dict[str, str], status: int
) -> None:
    uid = await hold(house)
    assert (await zhang.settle(uid, **({"how": "as_is"} | form))).status_code == status
    assert (await house.rows("SELECT state FROM alert"))[0].state == "held"
    assert await house.rows("SELECT 1 FROM audit WHERE action = 'alert.settled'") == []


async def test_only_a_duty_officer_decides(house: Gatehouse) -> None:
    li = await Officer(house, "li").enter()
    uid = await hold(house)
    assert uid in (await li.look("/held")).text
    assert "/settle" not in (await li.look("/held")).text
    assert (await li.look(f"/warnings/{uid}/settle")).status_code == 403
    assert (await li.settle(uid, how="as_is")).status_code == 403
    house.http.cookies.clear()
    assert (await house.http.get(f"/console/warnings/{uid}/settle")).status_code == 303
    assert (await house.rows("SELECT state FROM alert"))[0].state == "held"


async def test_a_refused_one_ends_with_its_reason(house: Gatehouse, zhang: Officer) -> None:
    uid = await hold(house)
    form = {"csrf": zhang.csrf, "version": "1", "why": "区域有误"}
    assert (await house.http.post(f"/console/warnings/{uid}/reject", data=form)).status_code == 303
    assert await house.states() == {"a-1": "rejected"}
    assert (await zhang.settle(uid, how="as_is")).status_code == 409


async def test_one_that_has_expired_meanwhile_is_not_released(house: Gatehouse, zhang: Officer) -> None:
    uid = await hold(house, expires=(house.hand.moment + timedelta(hours=1)).isoformat())
    assert (await zhang.settle(uid, how="without")).status_code == 303
    house.hand.pass_by(hours=2)
    assert (await zhang.release(uid)).status_code == 409
    assert await house.released() == 0
