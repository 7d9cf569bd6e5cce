"""What may be done with an alert and a warning, by whom, and what the audit says of it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from town import COUNTY, FAR, MINUTE, NOW, OTHER, TOWN, VILLAGE, County, make_alert

from warnhub.alert import Area, Code, Gate, Kind, Level, Parameter, Polygon, Problem, Reference, Status, Text, Verdict
from warnhub.desk import Refusal
from warnhub.store.agencies import Agency, add_agency, read_agency
from warnhub.store.audits import add_audit, verify_audit
from warnhub.store.warnings import end_warning


async def enrol(county: County, id: str = "water", **given: Any) -> Agency:
    """Another agency."""
    async with county.store.write() as tx:
        await add_agency(tx, "test", id=id, name=id, **given)
        found = await read_agency(tx.conn, id)
    assert found
    return found


def referring(county: County, identifier: str, to: str = "rain-1", **given: Any) -> Any:
    """An alert that refers to an earlier one."""
    return make_alert(county.hand, identifier, references=[Reference(identifier=to)], **given)


async def refused(county: County, alert: Any, agency: Agency | None = None, key: str | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await county.receive(alert, agency, key)
    return caught.value


async def states(county: County) -> list[str]:
    return [row[0] for row in await county.rows("SELECT state FROM warning ORDER BY id")]


async def actions(county: County) -> list[tuple[str, str]]:
    rows = await county.rows("SELECT actor, action FROM audit ORDER BY id")
    return [(row.actor, row.action) for row in rows if row.action.startswith(("alert", "warning"))]


# What comes in


async def test_the_green_channel_lets_out_at_once(county: County) -> None:
    received = await county.receive(make_alert(county.hand))
    assert (received.state, received.repeated, received.reasons) == ("released", False, [])
    warning = await county.warning(received.warning)
    assert (warning.state, warning.released_at, warning.approvals, warning.level) == ("released", NOW, 0, "red")
    topics = await county.rows("SELECT topic, key FROM outbox")
    assert [tuple(row) for row in topics] == [("warning.released", str(warning.id))]
    timers = await county.rows("SELECT kind, due_at FROM timer")
    assert [tuple(row) for row in timers] == [("expire", NOW + 360 * MINUTE)]
    assert await actions(county) == [("agency:weather", "alert.received")]


async def test_below_its_threshold_it_waits_for_a_person(county: County) -> None:
    received = await county.receive(make_alert(county.hand, level=Level.YELLOW))
    assert (received.state, (await county.warning(received.warning)).approvals) == ("pending", 1)
    assert await county.rows("SELECT 1 FROM outbox") == []


async def test_the_same_again_is_the_first_answer_again(county: County) -> None:
    first = await county.receive(make_alert(county.hand), key="k1")
    for key in ("k1", None, "k2"):
        again = await county.receive(make_alert(county.hand), key=key)
        assert (again.alert, again.warning, again.state, again.repeated) == (first.alert, first.warning, "released", True)
    assert len(await states(county)) == 1


async def test_the_same_at_the_same_moment_is_kept_once(county: County) -> None:
    said = make_alert(county.hand)
    answers = await asyncio.gather(*(county.receive(said, key=f"k{n}") for n in range(5)))
    assert len({answer.alert for answer in answers}) == 1
    assert sorted(answer.repeated for answer in answers) == [False, True, True, True, True]


async def test_other_content_under_the_same_name_is_refused(county: County) -> None:
    await county.receive(make_alert(county.hand), key="k1")
    other = make_alert(county.hand, texts=[Text(headline="另一条")])
    refusal = await refused(county, other)
    assert (refusal.status, [(p.path, p.rule, p.value) for p in refusal.problems]) == (
        409,
        [("identifier", "SAME_ID_OTHER_CONTENT", "rain-1")],
    )
    reused = await refused(county, make_alert(county.hand, "rain-2"), key="k1")
    assert (reused.status, reused.problems[0].rule) == (422, "KEY_REUSED")
    assert len(await county.rows("SELECT 1 FROM alert")) == 1


async def test_another_agency_cannot_repeat_it(county: County) -> None:
    await county.receive(make_alert(county.hand))
    assert (await refused(county, make_alert(county.hand), await enrol(county))).status == 409


async def test_what_cannot_be_read_is_refused(county: County) -> None:
    problem = Problem(path="sent", rule="FUTURE", message="too far in the future")
    with pytest.raises(Refusal) as caught:
        await county.desk.receive(county.weather, Verdict(gate=Gate.REFUSE, problems=[problem]), b"", "application/json")
    assert (caught.value.status, caught.value.problems) == (422, [problem])


@pytest.mark.parametrize(
    ("scope", "given", "rule"),
    [
        ({"senders": ["云岭县水利局"]}, {}, "SENDER_NOT_YOURS"),
        ({"classes": ["hydrological"]}, {}, "HAZARD_NOT_YOURS"),
        ({"highest": Level.YELLOW}, {"level": Level.ORANGE}, "LEVEL_NOT_YOURS"),
        ({"areas": [OTHER]}, {}, "AREA_NOT_YOURS"),
        ({"areas": [TOWN]}, {"codes": [COUNTY]}, "AREA_NOT_YOURS"),
    ],
)
async def test_out_of_scope_is_refused_and_audited(
    county: County, scope: dict[str, Any], given: dict[str, Any], rule: str
) -> None:
    refusal = await refused(county, make_alert(county.hand, **given), await enrol(county, **scope))
    assert (refusal.status, [p.rule for p in refusal.problems]) == (403, [rule])
    assert await states(county) == []
    assert await actions(county) == [("agency:water", "alert.refused")]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"codes": ["990199"]}, "影响区域"),
        ({"areas": [Area(codes=[Code(value=TOWN), Code(value="990123999")])]}, "990123999"),
        ({"areas": [Area(codes=[Code(value=TOWN), Code(value="06037", scheme="SAME")])]}, "SAME"),
        ({"kind": Kind.UPDATE}, "没有引用"),
        ({"kind": Kind.UPDATE, "references": [Reference(identifier="unseen")]}, "unseen"),
        ({"status": Status.EXERCISE}, "演练"),
    ],
)
async def test_what_is_understood_in_part_is_held_never_widened(county: County, given: dict[str, Any], why: str) -> None:
    received = await county.receive(make_alert(county.hand, **given))
    assert received.state == "held"
    assert why in "".join(received.reasons)
    assert await states(county) == ["pending"]


@pytest.mark.parametrize(
    "given", [{"kind": Kind.ACK}, {"kind": Kind.ERROR}, {"status": Status.SYSTEM}, {"status": Status.DRAFT}]
)
async def test_what_is_no_warning_is_only_kept(county: County, given: dict[str, Any]) -> None:
    received = await county.receive(make_alert(county.hand, **given))
    assert (received.state, received.warning) == ("kept", None)
    assert (await states(county), len(await county.rows("SELECT 1 FROM alert"))) == ([], 1)


async def test_a_part_outside_the_county_does_not_hold_it(county: County) -> None:
    ring = [(130.0, 40.0), (131.0, 40.0), (131.0, 41.0), (130.0, 40.0)]
    area = Area(codes=[Code(value=TOWN)], polygons=[Polygon(rings=[ring])])
    received = await county.receive(make_alert(county.hand, areas=[area]))
    assert (received.state, [p.rule for p in received.problems]) == ("released", ["OUTSIDE_COUNTY"])


# Release and reject


async def test_red_takes_two_people_and_the_same_one_twice_is_one(county: County) -> None:
    water = await enrol(county)
    uid = (await county.receive(make_alert(county.hand), water)).warning
    assert uid
    for _ in range(2):
        assert (await county.desk.release(uid, "user:a")).state == "pending"
    assert (await county.desk.release(uid, "user:b")).state == "released"
    with pytest.raises(Refusal) as caught:
        await county.desk.release(uid, "user:c")
    assert (caught.value.status, caught.value.title[:24]) == (409, "this warning is released")
    assert (await county.rows("SELECT state FROM alert"))[0][0] == "released"
    said = await actions(county)
    assert said[1:] == [("user:a", "warning.release"), ("user:a", "warning.release"), ("user:b", "warning.release")]


async def test_two_officers_at_the_same_moment_are_two(county: County) -> None:
    uid = (await county.receive(make_alert(county.hand), await enrol(county))).warning
    assert uid
    await asyncio.gather(*(county.desk.release(uid, f"user:{name}") for name in "ab"))
    assert await states(county) == ["released"]


async def test_an_expired_one_is_not_let_out(county: County) -> None:
    uid = (await county.receive(make_alert(county.hand, level=Level.BLUE))).warning
    county.hand.pass_by(360 * MINUTE)
    with pytest.raises(Refusal) as caught:
        await county.desk.release(uid or "", "user:a")
    assert (caught.value.status, await states(county)) == (409, ["pending"])
    assert await county.rows("SELECT 1 FROM approval") == []


async def test_a_drill_leaves_only_with_a_list(county: County) -> None:
    uid = (await county.receive(make_alert(county.hand, status=Status.EXERCISE))).warning or ""
    with pytest.raises(Refusal) as caught:
        await county.desk.release(uid, "user:a")
    assert (caught.value.status, await states(county)) == (409, ["pending"])


async def test_a_drill_takes_the_list_it_names_or_the_newest(county: County) -> None:
    for at, name in ((1, "d1"), (2, "d2")):
        await county.run("INSERT INTO drill (id, name, created_at, created_by) VALUES (:n, :n, :at, 't')", n=name, at=at)
    named = await county.warn(identifier="a", status=Status.TEST, parameters=[Parameter(name="drill", value="d1")])
    newest = await county.warn(identifier="b", status=Status.EXERCISE)
    stray = await county.receive(
        make_alert(county.hand, "c", status=Status.EXERCISE, parameters=[Parameter(name="drill", value="d9")])
    )
    assert (named.drill, newest.drill, stray.state) == ("d1", "d2", "held")


async def test_an_actual_alert_never_becomes_a_drill(county: County) -> None:
    await county.run("INSERT INTO drill (id, name, created_at, created_by) VALUES ('d1', 'd1', 1, 't')")
    assert (await county.warn(parameters=[Parameter(name="drill", value="d1")])).drill is None


async def test_a_rejected_one_is_over(county: County) -> None:
    uid = (await county.receive(make_alert(county.hand, level=Level.BLUE))).warning or ""
    assert (await county.desk.reject(uid, "user:a", "误报")).state == "rejected"
    with pytest.raises(Refusal):
        await county.desk.release(uid, "user:a")
    assert (await county.rows("SELECT state FROM alert"))[0][0] == "ended"
    assert (await actions(county))[-1] == ("user:a", "warning.reject")


@pytest.mark.parametrize("act", ["release", "reject", "cancel"])
async def test_there_must_be_such_a_warning(county: County, act: str) -> None:
    why = [] if act == "release" else ["why"]
    with pytest.raises(Refusal) as caught:
        await getattr(county.desk, act)("wa_none", "user:a", *why)
    assert caught.value.status == 404


# Cancel


async def test_a_cancel_stops_it_and_sends_the_all_clear(county: County) -> None:
    warning = await county.plan(await county.warn())
    county.hand.pass_by(MINUTE)
    ended = await county.desk.cancel(warning.uid, "user:a", "雨停了")
    assert (ended.state, ended.ended_at) == ("cancelled", NOW + MINUTE)
    over = await county.warning((await county.rows("SELECT uid FROM warning ORDER BY id DESC"))[0][0])
    assert (over.kind, over.state, over.previous_id, over.agency_id) == ("cancel", "released", warning.id, "county")
    assert over.expires_at == NOW + 121 * MINUTE
    assert await county.rows("SELECT 1 FROM batch WHERE state = 0") == []
    assert (await actions(county))[-1] == ("user:a", "warning.cancel")
    await county.sound(warning)


async def test_a_cancel_may_go_without_an_all_clear(county: County) -> None:
    warning = await county.warn()
    await county.desk.cancel(warning.uid, "user:a", "误报", all_clear=False)
    assert await states(county) == ["cancelled"]


async def test_two_cancels_at_the_same_moment_give_one_all_clear(county: County) -> None:
    warning = await county.warn()
    done = await asyncio.gather(
        *(county.desk.cancel(warning.uid, f"user:{name}", "停") for name in "abc"), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in done) == ["Refusal", "Refusal", "Warning"]
    assert await states(county) == ["cancelled", "released"]


async def test_only_a_living_one_is_cancelled(county: County) -> None:
    uid = (await county.receive(make_alert(county.hand, level=Level.BLUE))).warning or ""
    with pytest.raises(Refusal) as caught:
        await county.desk.cancel(uid, "user:a", "停")
    assert caught.value.status == 409


async def test_an_agencys_cancel_ends_what_it_refers_to(county: County) -> None:
    warning = await county.warn()
    received = await county.receive(referring(county, "over-1", kind=Kind.CANCEL))
    over = await county.warning(received.warning)
    assert (over.state, over.previous_id, (await county.warning(warning.uid)).state) == ("released", warning.id, "cancelled")


async def test_a_cancel_of_what_never_left_tells_nobody(county: County) -> None:
    await county.receive(make_alert(county.hand, level=Level.BLUE))
    received = await county.receive(referring(county, "over-1", kind=Kind.CANCEL, level=Level.BLUE))
    assert (received.state, received.warning, await states(county)) == ("ended", None, ["cancelled"])


async def test_a_cancel_of_what_nobody_knows_is_held_and_lifts_nothing(county: County) -> None:
    received = await county.receive(referring(county, "over-1", to="unseen", kind=Kind.CANCEL))
    assert received.state == "held"
    with pytest.raises(Refusal):
        await county.desk.release(received.warning or "", "user:a")
    assert await states(county) == ["pending"]


async def test_nobody_cancels_another_agencys_warning(county: County) -> None:
    await county.warn()
    water = await enrol(county, release=Level.ORANGE)
    received = await county.receive(referring(county, "over-1", kind=Kind.CANCEL), water)
    assert (received.state, (await states(county))[0]) == ("held", "released")


async def test_a_cancel_of_nothing_is_not_released(county: County) -> None:
    """It would tell a whole area that something is over which it was never told, and which may still be living."""
    await county.warn()
    water = await enrol(county, release=Level.ORANGE)
    received = await county.receive(referring(county, "over-1", kind=Kind.CANCEL), water)
    with pytest.raises(Refusal, match="names no warning that lives"):
        await county.desk.release(str(received.warning), "user:a")
    assert await states(county) == ["released", "pending"]


async def test_a_drill_cancels_no_actual_warning(county: County) -> None:
    await county.run("INSERT INTO drill (id, name, created_at, created_by) VALUES ('d1', 'd1', 1, 't')")
    await county.warn()
    await county.receive(referring(county, "over-1", kind=Kind.CANCEL, status=Status.EXERCISE))
    assert (await states(county))[0] == "released"


# Supersede

RAIN = [Reference(identifier="rain-1")]


@pytest.mark.parametrize(
    ("given", "ended"),
    [
        pytest.param({"texts": [Text(headline="雨势加大,云溪镇转移群众")]}, True, id="the same hazard and place"),
        pytest.param({"level": Level.ORANGE}, True, id="at a lower level"),
        pytest.param({"codes": [COUNTY]}, True, id="a larger place"),
        pytest.param({"codes": [VILLAGE]}, False, id="a part of it"),
        pytest.param({"codes": [FAR]}, False, id="elsewhere"),
        pytest.param({"hazard": "11B06"}, False, id="another hazard"),
        pytest.param({"status": Status.EXERCISE}, False, id="a drill"),
        pytest.param(
            {"codes": [VILLAGE], "kind": Kind.UPDATE, "references": [Reference(identifier="rain-1")]}, True, id="by name"
        ),
    ],
)
async def test_what_a_new_warning_takes_the_place_of(county: County, given: dict[str, Any], ended: bool) -> None:
    await county.run("INSERT INTO drill (id, name, created_at, created_by) VALUES ('d1', 'd1', 1, 't')")
    first = await county.plan(await county.warn())
    county.hand.pass_by(MINUTE)
    await county.warn(identifier="rain-2", **given)
    assert (await county.warning(first.uid)).state == ("superseded" if ended else "released")
    assert (await county.rows("SELECT 1 FROM batch WHERE state = 0") == []) is ended
    await county.sound(first)


async def test_one_that_waits_takes_nobodys_place_until_it_is_let_out(county: County) -> None:
    first = await county.warn()
    received = await county.receive(make_alert(county.hand, "rain-2", level=Level.YELLOW))
    assert (await county.warning(first.uid)).state == "released"
    await county.desk.release(received.warning or "", "user:a")
    assert await states(county) == ["superseded", "released"]


async def test_another_agencys_warning_stands_beside_it(county: County) -> None:
    await county.warn()
    water = await enrol(county, release=Level.ORANGE)
    await county.receive(make_alert(county.hand, "rain-2"), water)
    assert await states(county) == ["released", "released"]


async def test_a_chain_of_references_is_followed_from_the_first(county: County) -> None:
    """The national profile refers to the first-issued alert only, CAP to the last."""
    await county.warn(codes=[VILLAGE])
    await county.receive(referring(county, "rain-2", kind=Kind.UPDATE))
    await county.receive(referring(county, "rain-3", kind=Kind.UPDATE, codes=[FAR]))
    assert await states(county) == ["superseded", "superseded", "released"]
    await county.receive(referring(county, "over-1", kind=Kind.CANCEL))
    assert await states(county) == ["superseded", "superseded", "cancelled", "released"]


# The audit


async def found_after(county: County, change: str, entry: int) -> int | None:
    """The first entry that does not fit after a change, which is undone."""
    async with county.store.read() as conn:
        await conn.execute(text(change), {"id": entry})
        return (await verify_audit(conn))[1]


async def test_the_audit_is_a_chain_that_shows_what_was_changed(county: County) -> None:
    await county.warn()
    async with county.store.write() as tx:
        for number in range(5):
            await add_audit(tx, "user:王", "test", str(number), {"值": number})
    async with county.store.read() as conn:
        count, broken = await verify_audit(conn)
    assert broken is None
    third = (await county.rows("SELECT id FROM audit ORDER BY id"))[3][0]
    for change in ("UPDATE audit SET data = '{}'", "UPDATE audit SET actor = 'user:b'", "UPDATE audit SET at = at + 1"):
        assert await found_after(county, f"{change} WHERE id = :id", third) == third
    assert await found_after(county, "DELETE FROM audit WHERE id = :id", third) == third + 1
    async with county.store.read() as conn:
        assert await verify_audit(conn) == (count, None)


async def test_an_audit_written_by_many_at_once_never_forks(county: County) -> None:
    async def write(name: str) -> None:
        async with county.store.write() as tx:
            await add_audit(tx, name, "test", name)

    await asyncio.gather(*(write(f"user:{n}") for n in range(12)))
    async with county.store.read() as conn:
        assert (await verify_audit(conn))[1] is None


async def test_an_empty_audit_is_whole(county: County) -> None:
    await county.run("DELETE FROM audit")
    async with county.store.read() as conn:
        assert await verify_audit(conn) == (0, None)


async def test_ending_what_has_ended_says_nothing_twice(county: County) -> None:
    warning = await county.warn()
    for state in ("expired", "cancelled"):
        async with county.store.write() as tx:
            await end_warning(tx, warning, state, "policy")
    assert [row[0] for row in await county.rows("SELECT kind FROM event ORDER BY id")] == ["made", "released", "expired"]
    assert warning.expires_at - NOW == timedelta(hours=6) // timedelta(milliseconds=1)
