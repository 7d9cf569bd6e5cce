"""Hazard points, patrols, plans and stop orders on both databases, by a clock that is set by hand."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from town import GRID, GRID2, MINUTE, NOW, OTHER, County, make_alert

from warnhub.alert import Kind, Level, Status
from warnhub.desk import Refusal
from warnhub.plan.loading import PolicyError
from warnhub.response.build import make_responder
from warnhub.response.plans import add_plans, default_plans, load_plans, read_plans
from warnhub.response.register import call_due
from warnhub.response.responder import Responder
from warnhub.response.runs import ORDER
from warnhub.store.assignments import count_assignments, list_of_warning, list_own
from warnhub.store.audits import verify_audit
from warnhub.store.points import DAY, Entry, Step, find_points, list_moves, move_point, save_points
from warnhub.store.warnings import Warning, end_warning

HOUR = 60 * MINUTE


async def settle(county: County) -> Responder:
    """A slope and a river in the first township, a reservoir in the other."""
    point = dict.fromkeys(("way", "shelter"), "")
    async with county.store.write() as tx:
        await save_points(
            tx,
            [
                Entry("P1", county.codes[GRID], "slide", "后山滑坡", "red", ["G1", "H1"], 12, urgency="now", **point),
                Entry("P2", county.codes[GRID2], "mine", "采石场", "yellow", ["G2"], 3, urgency="day", **point),
                Entry("P3", county.codes[OTHER], "reservoir", "南山水库", "orange", ["H9"], 80, urgency="day", **point),
            ],
        )
    return make_responder(county.store, county.desk.settings, county.desk.places, county.policies, county.planner)


async def told(county: County, responder: Responder, **given: Any) -> Warning:
    """A warning with its audience, and what follows from it."""
    warning = await county.plan(await county.warn(**given))
    await responder.planned(str(warning.id), {})
    return warning


async def assigned(county: County, warning: Warning) -> dict[str, tuple[str, str]]:
    """Title and township → (who, state) of everything that follows from a warning."""
    async with county.store.read() as conn:
        rows = await list_of_warning(conn, warning.id)
    return {f"{row.title}{row.town or ''}": (county.refs.get(row.owner_id, ""), row.state) for row in rows}


async def steps(county: County, warning: Warning) -> dict[str, tuple[str, str]]:
    """The same without the patrols."""
    return {
        name: found for name, found in (await assigned(county, warning)).items() if "后山" not in name and "采石" not in name
    }


async def pending(county: County, hazard: str = ORDER) -> list[Any]:
    """What waits for officers."""
    return await county.rows("SELECT * FROM warning WHERE state = 'pending' AND hazard = :h ORDER BY id", h=hazard)


# ---------------------------------------------------------------- hazard points


async def test_a_point_goes_one_step_after_the_other(county: County) -> None:
    await settle(county)
    steps = ["rectifying", "rectified", "rectifying", "rectified", "accepted", "closed", "found"]
    for state in steps:
        async with county.store.write() as tx:
            one = (await find_points(tx.conn, ["P1"]))["P1"]
            await move_point(tx, one, state, f"到{state}", "user:a")
    async with county.store.read() as conn:
        one = (await find_points(conn, ["P1"]))["P1"]
        assert [row.state for row in await list_moves(conn, one.id)] == steps[::-1]
    assert (one.state, one.due_at, one.recheck_at) == ("found", NOW, NOW + 30 * DAY)
    for wrong in ("closed", "accepted", "found"):
        with pytest.raises(Step, match="rectifying"):
            async with county.store.write() as tx:
                await move_point(tx, one, wrong, "", "user:a")


async def test_deadlines_are_by_urgency_and_an_import_keeps_where_a_point_stands(county: County) -> None:
    await settle(county)
    async with county.store.write() as tx:
        known = await find_points(tx.conn, ["P1", "P2"])
        assert (known["P1"].due_at, known["P2"].due_at) == (NOW, NOW + DAY)
        await move_point(tx, known["P2"], "rectifying", "", "user:a")
        again = Entry("P2", county.codes[GRID2], "mine", "采石场边坡", "red", ["G2", "G1"], 5, "往东", "", "day")
        await save_points(tx, [again])
        found = (await find_points(tx.conn, ["P2"]))["P2"]
    assert (found.state, found.name, found.level, found.keepers, found.due_at) == (
        *("rectifying", "采石场边坡", "red"),
        ("G2", "G1"),
        NOW + DAY,
    )


async def asked(county: County) -> list[tuple[str, str, str]]:
    """(title, who, state) of what the points' dates asked for, the first first."""
    rows = await county.rows(
        "SELECT title, owner_id, role, state FROM assignment WHERE kind IN ('rectify', 'recheck') ORDER BY id"
    )
    return [(row.title, county.refs.get(row.owner_id, row.role), row.state) for row in rows]


async def step(county: County, state: str, ref: str = "P1") -> None:
    """An officer takes a point's next step."""
    async with county.store.write() as tx:
        await move_point(tx, (await find_points(tx.conn, [ref]))[ref], state, f"到{state}", "user:a")


async def test_a_deadline_that_passes_asks_those_responsible_once(county: County) -> None:
    """To the millisecond of the clock; however many nodes look, and however often they start anew."""
    responder = await settle(county)
    for _ in range(2):
        await responder.tick()
        responder = make_responder(county.store, county.desk.settings, county.desk.places, county.policies, county.planner)
    assert await asked(county) == [("后山滑坡逾期未整改", "G1", "open")], "at once is now; within 24 hours is not yet"
    county.hand.now = NOW + DAY - 1
    await responder.tick()
    assert len(await asked(county)) == 1
    county.hand.pass_by(1)
    await asyncio.gather(*(responder.tick() for _ in range(3)))
    assert {who for _, who, _ in await asked(county)} == {"G1", "G2", "H9"}
    assert len(await asked(county)) == 3
    (late,) = await county.rows("SELECT raised_id, late_at FROM assignment WHERE state = 'late'")
    assert (county.refs[late.raised_id], late.late_at) == ("H1", NOW + DAY - 1), "an hour for what was to be done at once"
    assert not await responder.is_due(), "what has no warning to be told by keeps nobody awake"
    audited = await county.rows("SELECT subject FROM audit WHERE action = 'point.rectify' ORDER BY subject")
    assert [row.subject for row in audited] == ["P1", "P2", "P3"]
    async with county.store.read() as conn:
        assert (await verify_audit(conn))[1] is None
        assert "后山滑坡逾期未整改" in {row.title for row in await list_own(conn, county.people["G1"])}


async def test_a_node_that_looks_while_another_asks_asks_nobody_else(county: County) -> None:
    await settle(county)

    async def look() -> int:
        async with county.store.write() as tx:
            return await call_due(tx)

    async with county.store.write() as tx:
        assert await call_due(tx) == 1
        other = asyncio.create_task(look())
        await asyncio.sleep(0.3)
    assert await other == 0
    assert await asked(county) == [("后山滑坡逾期未整改", "G1", "open")]


async def test_the_next_step_ends_what_was_asked_and_asks_whose_turn_it_is(county: County) -> None:
    responder = await settle(county)
    await responder.tick()
    for state in ("rectifying", "rectified", "rectifying", "rectified", "accepted"):
        await step(county, state)
        await responder.tick()
    assert await asked(county) == [
        ("后山滑坡逾期未整改", "G1", "done"),
        ("后山滑坡逾期未整改完", "G1", "done"),
        ("后山滑坡逾期未验收", "D1", "done"),
        ("后山滑坡逾期未整改完", "G1", "done"),
        ("后山滑坡逾期未验收", "D1", "done"),
    ]
    (last,) = await county.rows("SELECT actor, said FROM assignment ORDER BY id DESC LIMIT 1")
    assert tuple(last) == ("user:a", "到accepted")


async def test_a_day_of_looking_again_asks_and_looking_sets_the_next(county: County) -> None:
    responder = await settle(county)
    for state in ("rectifying", "rectified", "accepted", "closed"):
        await step(county, state)
    county.hand.now = NOW + 30 * DAY - 1
    await responder.tick()
    assert not [title for title, _, _ in await asked(county) if title.startswith("后山")]
    county.hand.pass_by(1)
    await responder.tick()
    assert ("后山滑坡到期复查", "G1", "open") in await asked(county)
    await step(county, "closed")
    await responder.tick()
    assert [one for one in await asked(county) if one[0].startswith("后山")] == [("后山滑坡到期复查", "G1", "done")]
    county.hand.pass_by(30 * DAY)
    await responder.tick()
    assert [state for title, _, state in await asked(county) if title.startswith("后山")] == ["done", "open"]
    await step(county, "found")
    async with county.store.read() as conn:
        one = (await find_points(conn, ["P1"]))["P1"]
    assert (one.state, one.due_at) == ("found", county.hand.now)


async def test_what_those_responsible_say_is_put_before_the_desk(county: County) -> None:
    """Their word ends their task and not the matter: only a step of the point does."""
    responder = await settle(county)
    await responder.tick()
    (task,) = await county.rows("SELECT id FROM assignment")
    with pytest.raises(Refusal, match="next step"):
        await responder.done(task.id, "user:a", "电话里说好了")
    assert await responder.done(task.id, "recipient", "裂缝已填", county.people["G1"])
    for _ in range(2):
        await responder.tick()
    assert await asked(county) == [("后山滑坡逾期未整改", "G1", "done"), ("后山滑坡逾期未整改", "D1", "open")]
    (desk,) = await county.rows("SELECT id FROM assignment WHERE state = 'open'")
    with pytest.raises(Refusal, match="next step"):
        await responder.done(desk.id, "recipient", "知道了", county.people["D1"])
    await step(county, "rectifying")
    assert [state for _, _, state in await asked(county)] == ["done", "done"]


async def test_a_date_that_is_put_off_and_a_point_that_is_gone_ask_nobody(county: County) -> None:
    responder = await settle(county)
    await county.run("UPDATE point SET keepers = '[\"nobody\"]' WHERE ref = 'P1'")
    await responder.tick()
    assert await asked(county) == [("后山滑坡逾期未整改", "D1", "open")], "the desk, where nobody is known"
    later = Entry("P1", county.codes[GRID], "slide", "后山滑坡", "red", ["G1"], 12, "", "", "planned", NOW + 9 * DAY)
    async with county.store.write() as tx:
        await save_points(tx, [later])
    await responder.tick()
    assert [state for _, _, state in await asked(county)] == ["closed"]
    county.hand.now = NOW + 9 * DAY
    await county.run("UPDATE point SET gone_at = :now WHERE ref <> 'P1'", now=NOW)
    await responder.tick()
    assert await asked(county) == [("后山滑坡逾期未整改", "D1", "closed"), ("后山滑坡逾期未整改", "G1", "open")]
    await county.run("UPDATE point SET gone_at = :now WHERE ref = 'P1'", now=NOW)
    await responder.tick()
    assert [state for _, _, state in await asked(county)] == ["closed", "closed"]


async def test_the_people_of_a_touched_point_are_told_first_and_once(county: County) -> None:
    responder = await settle(county)
    warning = await told(county, responder)
    rows = await county.rows(
        "SELECT b.id, b.rank, d.recipient_id FROM batch b JOIN delivery d ON d.batch_id = b.id "
        "WHERE b.warning_id = :w ORDER BY b.rank, b.id",
        w=warning.id,
    )
    first = [county.refs[row.recipient_id] for row in rows if row.rank < 0]
    assert set(first) == {"G1", "H1", "G2"}
    assert [county.refs[row.recipient_id] for row in rows][: len(first)] == first
    keyed = await county.rows(
        "SELECT d.recipient_id, b.channel, count(*) AS n FROM batch b JOIN delivery d ON d.batch_id = b.id "
        "JOIN wave v ON v.id = b.wave_id AND v.cause = 'plan' "
        "WHERE b.warning_id = :w GROUP BY d.recipient_id, b.channel HAVING count(*) > 1",
        w=warning.id,
    )
    assert keyed == []
    await county.sound(warning)


async def test_a_touched_point_gets_a_patrol_that_is_raised_when_it_is_late(county: County) -> None:
    responder = await settle(county)
    warning = await told(county, responder, hazard="11D01")
    found = {name: who for name, (who, _) in (await assigned(county, warning)).items() if name.startswith("巡查")}
    assert found == {"巡查后山滑坡云溪镇": "G1", "巡查采石场云溪镇": "G2"}
    county.hand.pass_by(30 * MINUTE - 1)
    await responder.tick()
    assert await county.rows("SELECT 1 FROM assignment WHERE state = 'late' AND kind = 'patrol'") == []
    county.hand.pass_by(1)
    await responder.tick()
    late = await county.rows("SELECT owner_id, raised_id, late_at FROM assignment WHERE state = 'late' AND kind = 'patrol'")
    assert {(county.refs[row[0]], county.refs[row[1]], row[2]) for row in late} == {
        ("G1", "H1", NOW + 30 * MINUTE),
        ("G2", "H1", NOW + 30 * MINUTE),
    }
    async with county.store.read() as conn:
        superior = await list_own(conn, county.people["H1"])
    patrol = next(row for row in superior if row.title == "巡查后山滑坡")
    with pytest.raises(Refusal) as refused:
        await responder.done(patrol.id, "recipient", "", county.people["H1"])
    assert refused.value.problems[0].path == "said"
    with pytest.raises(Refusal, match="no such assignment"):
        await responder.done(patrol.id, "recipient", "没有异常", county.people["R1"])
    assert await responder.done(patrol.id, "recipient", "没有异常", county.people["H1"])
    assert not await responder.done(patrol.id, "recipient", "没有异常", county.people["H1"])
    async with county.store.read() as conn:
        assert (await count_assignments(conn, warning.id))["overdue"] >= 2
        assert (await verify_audit(conn))[1] is None


async def test_patrols_of_a_warning_that_is_over_are_asked_of_nobody(county: County) -> None:
    responder = await settle(county)
    warning = await told(county, responder, hazard="11D01")
    async with county.store.write() as tx:
        await end_warning(tx, warning, "cancelled", "test")
    await responder.tick()
    assert await county.rows("SELECT 1 FROM assignment WHERE warning_id IS NOT NULL AND state IN ('open', 'late')") == []
    county.hand.pass_by(DAY)
    await responder.tick()
    assert await county.rows("SELECT 1 FROM assignment WHERE warning_id IS NOT NULL AND late_at IS NOT NULL") == []


async def test_a_forest_fire_sends_nobody_to_a_reservoir(county: County) -> None:
    responder = await settle(county)
    warning = await told(county, responder, hazard="11G01", codes=[OTHER])
    assert not any(name.startswith("巡查") for name in await assigned(county, warning))


# ---------------------------------------------------------------- plans


def at(hours: float) -> datetime:
    """So many hours from the beginning."""
    return datetime.fromtimestamp(NOW / 1000, UTC) + timedelta(hours=hours)


async def test_a_typhoon_within_48_hours_starts_its_plan_and_one_further_away_waits(county: County) -> None:
    responder = await settle(county)
    far = {"hazard": "11B01", "level": Level.BLUE, "onset": at(60), "expires": at(90)}
    warning = await told(county, responder, identifier="ty-1", **far)
    assert [tuple(row) for row in await county.rows("SELECT state, level FROM run")] == [("waiting", "IV")]
    assert await steps(county, warning) == {}
    county.hand.pass_by(12 * HOUR - 1)
    await responder.tick()
    assert await steps(county, warning) == {}
    county.hand.pass_by(1)
    await responder.tick()
    found = await steps(county, warning)
    assert found == {
        "会商研判，通知成员单位": ("D1", "open"),
        "乡镇领导带班，24小时值班云溪镇": ("T1", "open"),
        "巡查隐患点和低洼地带云溪镇": ("T1", "open"),
        "报告险情灾情云溪镇": ("T1", "open"),
    }
    due = {row.title: row.due_at for row in await county.rows("SELECT title, due_at FROM assignment")}
    assert due["会商研判，通知成员单位"] == NOW + 14 * HOUR
    assert due["巡查隐患点和低洼地带"] == NOW + 42 * HOUR
    assert due["报告险情灾情"] == NOW + 68 * HOUR
    assert await pending(county) == []


async def test_steps_tick_and_the_late_are_raised_to_the_second(county: County) -> None:
    responder = await settle(county)
    warning = await told(county, responder, hazard="11B01", level=Level.BLUE, onset=at(48), expires=at(80))
    county.hand.pass_by(HOUR)
    async with county.store.read() as conn:
        mine = await list_own(conn, county.people["D1"])
    assert await responder.done(mine[0].id, "recipient:D1", "已会商,成员单位到位", county.people["D1"])
    county.hand.pass_by(3 * HOUR - 1)
    await responder.tick()
    assert (await steps(county, warning))["乡镇领导带班，24小时值班云溪镇"] == ("T1", "open")
    county.hand.pass_by(1)
    await responder.tick()
    found = await steps(county, warning)
    assert found["乡镇领导带班，24小时值班云溪镇"] == ("T1", "late")
    assert found["会商研判，通知成员单位"] == ("D1", "done")
    async with county.store.read() as conn:
        assert [row.title for row in await list_own(conn, county.people["D1"])] == ["乡镇领导带班，24小时值班"]
    events = await county.rows("SELECT kind, recipient_id FROM event WHERE kind LIKE 'assignment%' ORDER BY id")
    kinds = [row.kind for row in events if county.refs[row.recipient_id] in {"D1", "T1"}]
    assert kinds == ["assignment.done", "assignment.late"]


async def test_stop_orders_follow_the_response_level_and_take_two_people(county: County) -> None:
    responder = await settle(county)
    common = {"hazard": "11B01", "onset": at(20), "expires": at(60)}
    await told(county, responder, identifier="ty-1", level=Level.YELLOW, **common)
    assert await pending(county) == []
    county.hand.pass_by(HOUR)
    references = [{"identifier": "ty-1"}]
    update = make_alert(county.hand, "ty-2", level=Level.ORANGE, kind=Kind.UPDATE, references=references, **common)
    second = await county.plan(await county.warning((await county.receive(update)).warning))
    await responder.planned(str(second.id), {})
    assert [tuple(row) for row in await county.rows("SELECT level, warning_id FROM run")] == [("II", second.id)]
    (order,) = await pending(county)
    assert (order.approvals, order.level, order.agency_id) == (2, "orange", "county")
    assert "停课、停工" in order.headline
    # One person's yes twice is one; the second is another's.
    for _ in range(2):
        assert (await county.desk.release(order.uid, "user:a")).state == "pending"
    assert (await county.desk.release(order.uid, "user:b")).state == "released"
    # A graver level: another order, which takes the place of the first once two have released it.
    county.hand.pass_by(HOUR)
    references = [{"identifier": "ty-2"}]
    update = make_alert(county.hand, "ty-3", level=Level.RED, kind=Kind.UPDATE, references=references, **common)
    third = await county.plan(await county.warning((await county.receive(update)).warning))
    await responder.planned(str(third.id), {})
    (graver,) = await pending(county)
    assert graver.level == "red"
    for officer in ("user:a", "user:b"):
        await county.desk.release(graver.uid, officer)
    assert (await county.warning(order.uid)).state == "superseded"
    assert (await county.warning(third.uid)).state == "released"
    # The typhoon is called off: lifting is proposed, for whom the order told, and waits for two again.
    await county.desk.cancel(third.uid, "user:a", "台风远离", all_clear=False)
    await responder.tick()
    assert [row.state for row in await county.rows("SELECT state FROM run")] == ["ended"]
    (lifting,) = await pending(county)
    assert (lifting.kind, lifting.approvals, lifting.previous_id) == ("cancel", 2, graver.id)
    assert (await county.warning(graver.uid)).state == "released"
    await county.desk.release(lifting.uid, "user:a")
    await county.desk.release(lifting.uid, "user:b")
    assert (await county.warning(graver.uid)).state == "cancelled"
    left = "SELECT count(*) FROM assignment WHERE warning_id IS NOT NULL AND state IN ('open', 'late')"
    assert (await county.rows(left))[0][0] == 0


async def test_an_order_that_nobody_released_falls_with_its_level(county: County) -> None:
    responder = await settle(county)
    common = {"hazard": "11B03", "onset": at(2)}
    warning = await told(county, responder, identifier="r-1", level=Level.RED, **common)
    (order,) = await pending(county)
    async with county.store.write() as tx:
        await end_warning(tx, warning, "expired", "policy")
    await responder.tick()
    assert (await county.warning(order.uid)).state == "rejected"
    assert await pending(county) == []


async def test_a_drill_asks_only_those_who_take_part(county: County) -> None:
    responder = await settle(county)
    await county.run("INSERT INTO drill (id, name, created_at, created_by) VALUES ('d', 'd', 0, 'test')")
    for ref in ("D1", "G1"):
        await county.run("INSERT INTO participant (drill_id, recipient_id) VALUES ('d', :r)", r=county.people[ref])
    warning = await told(county, responder, hazard="11B01", level=Level.ORANGE, onset=at(4), status=Status.EXERCISE)
    owners = {who for who, _ in (await assigned(county, warning)).values()}
    assert owners <= {"D1", "G1", ""}
    assert {"D1", "G1"} <= owners
    (order,) = await pending(county)
    assert order.drill == "d"
    county.hand.pass_by(3 * HOUR)
    await responder.tick()
    raised = await county.rows("SELECT raised_id FROM assignment WHERE raised_id IS NOT NULL")
    assert {county.refs[row[0]] for row in raised} <= {"D1", "G1"}


async def test_a_run_goes_on_by_the_plan_it_began_under(county: County) -> None:
    responder = await settle(county)
    await told(county, responder, hazard="11B01", level=Level.BLUE, onset=at(30), expires=at(80))
    changed = default_plans().replace("会商研判，通知成员单位", "会商")
    async with county.store.write() as tx:
        await add_plans(tx, changed, "test", "")
    await responder.tick()
    first, second = sorted(responder.runs.plans)
    assert (await county.rows("SELECT version FROM run"))[0][0] == first < second
    assert set(await load_plans(county.store)) == {first, second}


def test_what_is_no_plan_is_refused_with_its_line() -> None:
    for old, new, line in (
        ("owner: county_duty, at: -48h", "owner: nobody, at: -48h", "owner"),
        ("at: -48h, within: 2h", "at: 48, within: 2h", "at"),
        ("{red: I, orange: II", "{red: V, orange: II", "levels"),
        ("key: duty, level: IV, title: 乡镇领导带班，24小时值班", "key: consult, level: IV, title: 带班", "twice"),
        ("stops: {I: [停课,", "stops: {I: [停电,", "stops"),
    ):
        assert old in default_plans()
        with pytest.raises(PolicyError, match=line):
            read_plans(default_plans().replace(old, new, 1))
    with pytest.raises(PolicyError, match="mapping"):
        read_plans("- x")


async def test_what_a_warning_sets_going_is_set_going_once(county: County) -> None:
    responder = await settle(county)
    warning = await told(county, responder, hazard="11B03", onset=at(1))
    before = await county.rows("SELECT key, state, due_at FROM assignment ORDER BY id")
    assert len(before) > 3
    for _ in range(2):
        await responder.planned(str(warning.id), {})
    assert await county.rows("SELECT key, state, due_at FROM assignment ORDER BY id") == before
    assert len(await pending(county)) == 1
    async with county.store.read() as conn:
        assert await conn.scalar(text("SELECT count(*) FROM run")) == 1
