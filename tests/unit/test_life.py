"""What becomes of an alert among the others, over HTTP: parked references, ends that are no cancels, re-issues."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from gatehouse import COUNTY, FAR, OTHER, TOWN, VILLAGE, WEATHER, Gatehouse, Hand, open_house

from warnhub.console.board import Boards

LIFT = [{"headline": f"{WEATHER}解除暴雨红色预警", "description": "降雨已经结束。"}]


# What comes before what it speaks of


async def test_a_cancel_waits_for_its_alert_and_then_it_is_never_told(house: Gatehouse) -> None:
    parked = await house.say("c-1", kind="cancel", to=["a-1"])
    assert parked["state"] == "held"
    late = await house.say("a-1", sent=(house.hand.moment - timedelta(minutes=1)).isoformat())
    assert (late["state"], late["warning"]) == ("ended", None)
    assert await house.released() == 0
    assert await house.states() == {"c-1": "cancelled"}
    assert [tuple(row) for row in await house.rows("SELECT identifier, state FROM alert ORDER BY id")] == [
        ("c-1", "ended"),
        ("a-1", "ended"),
    ]


async def test_an_update_waits_for_its_alert_and_takes_its_place(house: Gatehouse) -> None:
    parked = await house.say("u-1", kind="update", to=["a-1"], words="雨更大。")
    assert parked["state"] == "held"
    late = await house.say("a-1", sent=(house.hand.moment - timedelta(minutes=1)).isoformat())
    assert late["state"] == "ended"
    assert await house.states() == {"u-1": "released"}
    assert await house.released() == 1


async def test_what_is_parked_survives_a_restart(filled: Path, tmp_path: Path) -> None:
    hand = Hand()
    async with open_house(filled, tmp_path, hand) as house:
        assert (await house.say("c-1", kind="cancel", to=["a-1"]))["state"] == "held"
        keys = house.keys
    async with open_house(filled, tmp_path, hand, agencies=keys) as house:
        late = await house.say("a-1", sent=(house.hand.moment - timedelta(minutes=1)).isoformat())
        assert late["state"] == "ended"
        assert await house.released() == 0


async def test_what_waits_for_people_still_waits_for_them(house: Gatehouse) -> None:
    """An agency without the green channel: its update is no longer held, and the older alert waits beside it."""
    await house.say("u-1", "water", kind="update", to=["a-1"], words="水更高。")
    late = await house.say("a-1", "water", sent=(house.hand.moment - timedelta(minutes=1)).isoformat())
    assert late["state"] == "pending"
    assert await house.states() == {"u-1": "pending", "a-1": "pending"}
    assert [row.state for row in await house.rows("SELECT state FROM alert ORDER BY id")] == ["pending", "pending"]
    newer = (await house.rows("SELECT w.uid FROM warning w JOIN alert a ON a.id = w.alert_id WHERE a.identifier = 'u-1'"))[0]
    await house.hub.desk.release(newer.uid, "user:zhang")
    await house.hub.desk.release(newer.uid, "user:wang")
    assert await house.states() == {"u-1": "released", "a-1": "superseded"}


async def test_a_rejected_cancel_waits_for_nothing(house: Gatehouse) -> None:
    parked = await house.say("c-1", kind="cancel", to=["a-1"])
    await house.hub.desk.reject(parked["warning"], "user:zhang", "误发")
    assert (await house.say("a-1"))["state"] == "released"


async def test_a_cancel_that_waits_for_a_person_holds_its_alert(house: Gatehouse) -> None:
    texts = [{"headline": "系统测试,请忽略"}]
    await house.say("c-1", kind="cancel", to=["a-1"], texts=texts)
    late = await house.say("a-1")
    assert late["state"] == "held"
    assert any("c-1" in reason for reason in late["reasons"])


@pytest.mark.parametrize("by", ["another sender", "another agency", "a test"])
async def test_only_its_own_cancel_was_waiting_for_an_alert(house: Gatehouse, by: str) -> None:
    given: dict[str, Any] = {"kind": "cancel", "to": ["a-1"]}
    async with house.hub.store.write() as tx:
        await tx.conn.exec_driver_sql("INSERT INTO drill (id, name, created_at, created_by) VALUES ('d1', 'd1', 1, 't')")
    if by == "another sender":
        await house.say("c-1", sender="别的台", **given)
    elif by == "another agency":
        await house.say("c-1", "other", **given)
    else:
        await house.say("c-1", status="test", **given)
    assert (await house.say("a-1"))["state"] == "released"


async def test_a_list_of_references_is_followed_as_far_as_it_is_known(house: Gatehouse) -> None:
    await house.say("a-1")
    update = await house.say("u-1", kind="update", to=["a-0", "a-1"], words="雨更大。")
    assert update["state"] == "released"
    assert "REFERENCE_UNKNOWN" in [one["rule"] for one in update["notes"]]
    assert await house.states() == {"a-1": "superseded", "u-1": "released"}


async def test_a_cancel_ends_what_it_names_and_asks_the_desk_about_what_nobody_knows(house: Gatehouse) -> None:
    """Stopping is safe and does not wait; what is not known may live here under another name, and a person finds out."""
    await house.say("a-1")
    over = await house.say("c-1", kind="cancel", to=["a-1", "a-2"])
    assert over["state"] == "released"
    assert (await house.states())["a-1"] == "cancelled"
    (task,) = await house.rows("SELECT id, kind, title, role, state FROM assignment")
    assert (task.kind, task.role, task.state) == ("unmet", "county_duty", "open")
    assert "a-2" in task.title
    board = await Boards(house.hub).read()
    assert [one.title for one in board.checks] == [task.title]
    assert (await house.say("c-1", kind="cancel", to=["a-1", "a-2"]))["repeated"]
    assert len(await house.rows("SELECT id FROM assignment")) == 1
    assert await house.hub.responder.done(task.id, "user:zhang", "气象台:a-2 未对本县发布")
    assert (await Boards(house.hub).read()).checks == []


async def test_what_a_cancel_named_is_never_told_when_it_comes_after_it(house: Gatehouse) -> None:
    await house.say("a-1")
    await house.say("c-1", kind="cancel", to=["a-1", "a-2", "a-3"])
    told = await house.released()
    before = (house.hand.moment - timedelta(minutes=1)).isoformat()
    for name, left in (("a-2", "open"), ("a-3", "closed")):
        late = await house.say(name, sent=before, words=f"{name} 的险情。")
        assert (late["state"], late["warning"]) == ("ended", None)
        assert [row.state for row in await house.rows("SELECT state FROM assignment")] == [left]
    assert await house.released() == told


async def test_a_parked_cancel_asks_about_the_rest_when_a_part_comes(house: Gatehouse) -> None:
    assert (await house.say("c-1", kind="cancel", to=["a-1", "a-2"]))["state"] == "held"
    assert await house.rows("SELECT id FROM assignment") == []
    before = (house.hand.moment - timedelta(minutes=1)).isoformat()
    assert (await house.say("a-1", sent=before))["state"] == "ended"
    (task,) = await house.rows("SELECT title, state FROM assignment")
    assert ("a-2" in task.title, "a-1" in task.title, task.state) == (True, False, "open")


# Ends that are no cancels


@pytest.mark.parametrize(
    "given",
    [
        {"parameters": [{"name": "layer:EC-MSC-SMC:1.1:Alert_Location_Status", "value": "ended"}]},
        {"urgency": "past"},
    ],
)
async def test_an_update_that_says_it_is_over_ends(house: Gatehouse, given: dict[str, Any]) -> None:
    first = await house.say("a-1")
    ended = await house.say("u-1", kind="update", to=["a-1"], words="预警结束。", **given)
    assert (await house.states())["a-1"] == "cancelled"
    (row,) = await house.rows(
        "SELECT w.kind, w.previous_id, f.id FROM warning w JOIN warning f ON f.uid = :f WHERE w.uid = :u",
        u=ended["warning"],
        f=first["warning"],
    )
    assert (row.kind, row.previous_id) == ("cancel", row.id)
    (body,) = await house.rows("SELECT kind FROM alert WHERE identifier = 'u-1'")
    assert body.kind == "update"  # what the agency said stays what it said
    again = await house.say("u-1", kind="update", to=["a-1"], words="预警结束。", **given)
    assert again["repeated"]


async def test_an_update_that_only_partly_says_so_does_not_end(house: Gatehouse) -> None:
    await house.say("a-1")
    names = [{"name": "Alert_Location_Status", "value": value} for value in ("active", "ended")]
    await house.say("u-1", kind="update", to=["a-1"], words="雨更大。", parameters=names)
    assert await house.states() == {"a-1": "superseded", "u-1": "released"}


@pytest.mark.parametrize("kind", ["alert", "cancel"])
async def test_a_lifting_under_a_new_name_ends_the_one_it_can_mean(house: Gatehouse, kind: str) -> None:
    await house.say("a-1")
    await house.say("b-1", codes=[FAR], words="另一处。")
    lifted = await house.say("x-1", kind=kind, texts=LIFT)
    assert lifted["state"] == "released"
    assert await house.states() == {"a-1": "cancelled", "b-1": "released", "x-1": "released"}
    (row,) = await house.rows("SELECT kind FROM warning WHERE uid = :u", u=lifted["warning"])
    assert row.kind == "cancel"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"codes": [VILLAGE]}, id="a smaller place"),
        pytest.param({"sender": "别的台"}, id="another sender"),
        pytest.param({"hazard": "11B06"}, id="another hazard"),
        pytest.param({"texts": [{"headline": f"{WEATHER}解除暴雨黄色预警"}], "level": "yellow"}, id="another colour"),
        pytest.param({"texts": [{"headline": f"{WEATHER}解除暴雨红色预警,同时发布暴雨蓝色预警"}]}, id="another in its place"),
    ],
)
async def test_a_lifting_that_leaves_a_doubt_is_held(house: Gatehouse, given: dict[str, Any]) -> None:
    await house.say("a-1")
    lifted = await house.say("x-1", **({"texts": LIFT} | given))
    assert lifted["state"] == "held"
    assert (await house.states())["a-1"] == "released"


async def test_an_update_without_a_reference_takes_the_place_of_the_one_it_can_mean(house: Gatehouse) -> None:
    await house.say("a-1")
    assert (await house.say("u-1", kind="update", words="雨更大。"))["state"] == "released"
    assert await house.states() == {"a-1": "superseded", "u-1": "released"}
    await house.say("b-1", codes=[OTHER], words="另一处。")
    assert (await house.say("u-2", kind="update", words="全县。", codes=[COUNTY]))["state"] == "held"


# The same again under another name


async def test_ten_issues_are_one_warning(house: Gatehouse) -> None:
    first = await house.say("a-0", words="6月12日16时20分发布:预计未来6小时有大暴雨。")
    for number in range(1, 10):
        house.hand.pass_by(minutes=10)
        again = await house.say(f"a-{number}", words=f"6月12日16时{20 + number}分发布:预计未来6小时有大暴雨。")
        assert (again["state"], again["warning"], again["repeated"]) == ("kept", first["warning"], False)
    assert await house.states() == {"a-0": "released"}
    assert await house.released() == 1
    (row,) = await house.rows("SELECT expires_at FROM warning")
    assert row.expires_at == house.hand.now + 6 * 3_600_000  # it lives as long as the last of them says
    assert len(await house.rows("SELECT 1 FROM alert")) == 10


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"words": "预计未来6小时有特大暴雨,超过100毫米。"}, id="another number"),
        pytest.param({"level": "orange"}, id="another level"),
        pytest.param({"codes": [OTHER]}, id="another place"),
        pytest.param({"codes": [TOWN, OTHER]}, id="a larger place"),
        pytest.param({"hazard": "11B06"}, id="another hazard"),
        pytest.param({"sender": "别的台"}, id="another sender"),
        pytest.param({"parameters": [{"name": "rain", "value": "80", "unit": "mm"}]}, id="another measurement"),
        pytest.param({"scope": "restricted", "restriction": "内部"}, id="another scope"),
    ],
)
async def test_what_differs_is_another_warning(house: Gatehouse, given: dict[str, Any]) -> None:
    await house.say("a-1", words="预计未来6小时有特大暴雨,超过50毫米。")
    other = await house.say("a-2", **({"words": "预计未来6小时有特大暴雨,超过50毫米。"} | given))
    assert other["state"] == "released"
    assert await house.released() == 2


async def test_another_agencys_same_words_are_its_own(house: Gatehouse) -> None:
    await house.say("a-1")
    assert (await house.say("a-2", "other"))["state"] == "released"


async def test_after_six_hours_the_village_hears_it_again(house: Gatehouse) -> None:
    expires = (house.hand.moment + timedelta(hours=24)).isoformat()
    await house.say("a-1", expires=expires)
    house.hand.pass_by(hours=6, minutes=1)
    assert (await house.say("a-2", expires=expires))["state"] == "released"
    assert await house.released() == 2


async def test_what_an_officer_ended_may_be_said_again(house: Gatehouse) -> None:
    first = await house.say("a-1")
    await house.hub.desk.cancel(first["warning"], "user:zhang", "误发", all_clear=False)
    assert (await house.say("a-2"))["state"] == "released"


async def test_a_cancel_of_the_last_issue_ends_the_warning(house: Gatehouse) -> None:
    await house.say("a-1")
    await house.say("a-2")
    cancel = await house.say("c-1", kind="cancel", to=["a-2"])
    assert cancel["state"] == "released"
    assert (await house.states())["a-1"] == "cancelled"


async def test_a_cancel_of_the_first_issue_alone_is_for_a_person(house: Gatehouse) -> None:
    await house.say("a-1")
    await house.say("a-2")
    assert (await house.say("c-1", kind="cancel", to=["a-1"]))["state"] == "held"
    assert (await house.say("c-2", kind="cancel", to=["a-1", "a-2"]))["state"] == "released"
    assert (await house.states())["a-1"] == "cancelled"
