"""From a released warning to batches: who is in, by what, in which order, and what a second run changes."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import Opener
from sqlalchemy import event, text
from town import FAR, MINUTE, NOW, OTHER, TOWN, VILLAGE, County, make_alert

from warnhub.alert import Area, Code, Kind, Level, Reference, Scope, Status
from warnhub.channels import by_channel
from warnhub.plan.planner import Planner
from warnhub.plan.policy import Rule
from warnhub.roles import Role
from warnhub.store.batches import claim_batch, finish_batch
from warnhub.store.counts import Cell
from warnhub.store.engine import Tx
from warnhub.store.ledger import Move, advance
from warnhub.store.states import Rank
from warnhub.store.tallies import PEOPLE, add_cells, read_tally
from warnhub.store.warnings import Warning, end_warning

DUTY = {("D1", "sms.aliyun"), ("T1", "sms.aliyun"), ("T1", "wechat.template")}
HEADS = {("H1", "sms.aliyun"), ("H2", "sms.aliyun")}
GRIDS = {("G1", "sms.aliyun"), ("G2", "sms.aliyun"), ("G2", "wechat.template")}
RESPONSIBLE = DUTY | HEADS | GRIDS
PUBLIC = {
    *(("R1", "sms.aliyun"), ("R2", "wechat.template"), ("R3", "push.fcm")),
    *(("R6", "sms.twilio"), ("R7", "sms.aliyun"), ("R8", "sms.aliyun")),
}
ALL = RESPONSIBLE | PUBLIC | {("S1", "loudspeaker.mqtt")}


async def add_drill(county: County, *refs: str) -> None:
    """A drill whose list holds these."""
    await county.run("INSERT INTO drill (id, name, created_at, created_by) VALUES ('d1', '演练', :now, 'test')", now=NOW)
    for ref in refs:
        await county.run("INSERT INTO participant (drill_id, recipient_id) VALUES ('d1', :r)", r=county.people[ref])


async def settle(county: County, warning: Warning, state: Rank, *refs: str) -> None:
    """Every delivery of these people comes to `state`."""
    rows = await county.rows(
        "SELECT d.batch_id, d.recipient_id FROM batch b JOIN delivery d ON d.batch_id = b.id WHERE b.warning_id = :w",
        w=warning.id,
    )
    async with county.store.write() as tx:
        await advance(tx, [Move(row[0], row[1], state) for row in rows if county.refs[row[1]] in refs])


async def test_everybody_of_the_area_is_told_and_counted(county: County) -> None:
    warning = await county.plan(await county.warn())
    assert await county.told(warning) == ALL
    assert warning.planned_at == NOW
    targets = await county.targets(warning)
    assert {ref for ref, state in targets.items() if state == Rank.SUPPRESSED} == {"R4", "R5"}
    assert {ref for ref, state in targets.items() if state == Rank.PLANNED} == {ref for ref, _ in ALL}
    await county.sound(warning)


async def test_counts_are_by_channel_provider_role_and_township(county: County) -> None:
    warning = await county.plan(await county.warn())
    async with county.store.read() as conn:
        counts = {(c.channel, c.provider, c.role, c.town, c.state): c.n for c in await read_tally(conn, warning.id)}
    town, seat = county.codes[TOWN], county.codes["990123"]
    assert counts["sms", "sms.aliyun", "resident", town, Rank.PLANNED] == 3
    assert counts["sms", "sms.twilio", "resident", town, Rank.PLANNED] == 1
    assert counts["sms", "sms.aliyun", "county_duty", seat, Rank.PLANNED] == 1
    assert counts["", "", "resident", town, Rank.PLANNED] == 6
    assert counts["", "", "resident", town, Rank.SUPPRESSED] == 2
    assert sum(n for (channel, *_), n in counts.items() if not channel) == 15
    assert sum(n for (channel, *_), n in counts.items() if channel) == len(ALL)


async def test_batches_are_full_and_lead_with_those_who_answer_for_others(county: County) -> None:
    warning = await county.plan(await county.warn())
    rows = await county.rows(
        "SELECT provider, role, size, open, state, attempt, lane, round, due_at, ready_at FROM batch "
        "WHERE warning_id = :w AND channel = 'sms' ORDER BY rank, id",
        w=warning.id,
    )
    roles = [row.role for row in rows]
    assert roles == ["county_duty", "township_duty", "village_head", "gridworker", "resident", "resident", "resident"]
    assert [row.size for row in rows if row.provider == "sms.aliyun"] == [1, 1, 2, 2, 2, 1]
    assert {(row.open == row.size, row.state, row.attempt, row.lane, row.round) for row in rows} == {(True, 0, 0, 1, 1)}
    assert {(row.due_at, row.ready_at) for row in rows} == {(NOW, NOW)}


async def test_a_second_plan_changes_nothing(county: County) -> None:
    warning = await county.warn()
    await county.plan(warning)
    before = [await county.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4, 5, 6") for table in ("batch", "delivery", "tally")]
    await county.plan(warning)
    await county.run("UPDATE warning SET planned_at = NULL")
    await county.plan(warning)
    after = [await county.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4, 5, 6") for table in ("batch", "delivery", "tally")]
    assert after == before
    assert len(await county.rows("SELECT 1 FROM timer WHERE kind = 'repeat'")) == 6
    await county.sound(warning)


class Broken(Planner):
    """A planner that breaks off after so many commits' worth of cutting."""

    left = 0

    async def cut(self, tx: Tx, warning: Warning, role: Role, rule: Rule, town: int) -> None:
        await super().cut(tx, warning, role, rule, town)
        type(self).left -= 1
        if self.left < 0:
            raise RuntimeError("broken off")


@pytest.mark.parametrize("steps", [0, 1, 3, 5, 8])
async def test_a_plan_that_was_broken_off_goes_on_where_it_was(county: County, steps: int) -> None:
    warning = await county.warn()
    desk = county.planner
    Broken.left = steps
    with pytest.raises(RuntimeError):
        await Broken(desk.store, desk.places, desk.policies, desk.channels).plan(str(warning.id), {})
    await county.sound(warning)
    warning = await county.plan(warning)
    assert warning.planned_at is not None
    assert await county.told(warning) == ALL
    await county.sound(warning)


async def test_a_warning_that_ends_while_it_is_planned_is_planned_no_further(county: County) -> None:
    warning = await county.warn()

    class Ended(Planner):
        async def cut(self, tx: Tx, warning: Warning, role: Role, rule: Rule, town: int) -> None:
            await super().cut(tx, warning, role, rule, town)
            if role is Role.GRIDWORKER:
                await end_warning(tx, warning, "cancelled", "test")

    desk = county.planner
    await Ended(desk.store, desk.places, desk.policies, desk.channels).plan(str(warning.id), {})
    assert await county.told(warning) <= RESPONSIBLE
    assert (await county.warning(warning.uid)).planned_at is None
    assert await county.rows("SELECT id FROM batch WHERE state = 0") == []
    await county.sound(warning)


@pytest.mark.parametrize("state", ["pending", "cancelled"])
async def test_only_a_living_warning_is_planned(county: County, state: str) -> None:
    warning = await county.warn()
    await county.run("UPDATE warning SET state = :s", s=state)
    await county.plan(warning)
    assert await county.told(warning) == set()


async def test_mode_first_tells_by_the_first_channel_a_person_has(county: County) -> None:
    """R7 has SMS and push, R6 SMS and WeChat: SMS stands first."""
    told = await county.told(await county.plan(await county.warn()))
    assert {who for who in told if who[0] in {"R6", "R7"}} == {("R6", "sms.twilio"), ("R7", "sms.aliyun")}


async def test_a_bad_address_hands_over_to_the_next_channel(county: County) -> None:
    await county.run("UPDATE address SET bad = '21211' WHERE recipient_id = :r AND channel = 'sms'", r=county.people["R7"])
    await county.run("UPDATE address SET bad = '21211' WHERE recipient_id = :r", r=county.people["R1"])
    warning = await county.plan(await county.warn())
    told = await county.told(warning)
    assert {who for who in told if who[0] in {"R1", "R7"}} == {("R7", "push.jpush")}
    assert (await county.targets(warning))["R1"] == Rank.SUPPRESSED


async def test_who_no_provider_can_reach_goes_by_the_next_channel_or_is_counted_suppressed(county: County) -> None:
    """Without the provider for foreign numbers R6 is told by WeChat; without that too, nobody pretends."""
    kept = {name: one for name, one in county.providers.items() if name != "sms.twilio"}
    county.planner.channels = by_channel(kept)
    warning = await county.plan(await county.warn())
    assert {who for who in await county.told(warning) if who[0] == "R6"} == {("R6", "wechat.template")}
    county.planner.channels = by_channel({name: one for name, one in kept.items() if name != "wechat.template"})
    warning = await county.plan(await county.warn(identifier="rain-2"))
    assert (await county.targets(warning))["R6"] == Rank.SUPPRESSED
    assert await county.told(warning) == {who for who in ALL if who[1] in kept and who[1] != "wechat.template"} - {
        ("R6", "sms.twilio")
    }
    await county.sound(warning)


async def test_who_is_gone_is_no_target(county: County) -> None:
    await county.run("UPDATE recipient SET gone_at = 1 WHERE ref IN ('R1', 'H2')")
    assert not {"R1", "H2"} & set(await county.targets(await county.plan(await county.warn())))


async def test_a_village_warns_its_own_public_and_everybody_above_who_answers(county: County) -> None:
    """R8 lives elsewhere in the township; its duty officer still answers for the village."""
    warning = await county.plan(await county.warn(codes=[VILLAGE]))
    people = set(await county.targets(warning))
    assert people == {"D1", "T1", "H1", "H2", "G1", "G2", "S1", "R1", "R2", "R3", "R4", "R5", "R6", "R7"}


async def test_another_township_is_left_in_peace(county: County) -> None:
    assert set(await county.targets(await county.plan(await county.warn(codes=[OTHER])))) == {"D1", "H9", "R9"}


async def test_a_restricted_warning_stays_with_those_who_answer(county: County) -> None:
    warning = await county.plan(await county.warn(scope=Scope.RESTRICTED, restriction="内部"))
    assert await county.told(warning) == RESPONSIBLE


async def test_a_drill_reaches_its_list_and_nobody_else(county: County) -> None:
    await add_drill(county, "G1", "R1", "R9")
    warning = await county.plan(await county.warn(status=Status.EXERCISE))
    assert warning.drill == "d1"
    assert await county.told(warning) == {("G1", "sms.aliyun"), ("R1", "sms.aliyun")}
    assert set(await county.targets(warning)) == {"G1", "R1"}
    await county.sound(warning)


async def test_quiet_hours_wait_unless_the_warning_would_be_over(county: County) -> None:
    """It is 16:20; the public is quiet until 17:00."""
    soon = datetime.fromtimestamp(NOW / 1000, UTC) + timedelta(minutes=20)
    quiet = await county.warn(level=Level.YELLOW)
    short = await county.warn(identifier="wind-1", level=Level.YELLOW, hazard="11B06", expires=soon)
    for warning, due in ((quiet, NOW + 40 * MINUTE), (short, NOW)):
        await county.plan(warning)
        assert {row[0] for row in await county.rows("SELECT due_at FROM batch WHERE warning_id = :w", w=warning.id)} == {due}


async def test_those_who_answer_have_a_task_with_a_deadline(county: County) -> None:
    warning = await county.plan(await county.warn())
    assert await county.tasks(warning) == dict.fromkeys(("D1", "T1", "H1", "H2", "G1", "G2"), ("open", 0))
    assert {row[0] for row in await county.rows("SELECT due_at FROM task")} == {NOW + 3 * MINUTE}


async def clear(county: County, warning: Warning, identifier: str = "over-1", **given: Any) -> Warning:
    """The agency says it is over."""
    said = make_alert(county.hand, "rain-1")
    references = [Reference(identifier=said.identifier, sender=said.sender, sent=said.sent)]
    county.hand.pass_by(1_000)
    received = await county.receive(make_alert(county.hand, identifier, kind=Kind.CANCEL, references=references, **given))
    assert (await county.warning(warning.uid)).state == "cancelled"
    return await county.plan(await county.warning(received.warning))


async def test_an_all_clear_goes_to_exactly_those_who_were_told(county: County) -> None:
    warning = await county.plan(await county.warn())
    await settle(county, warning, Rank.ACCEPTED, "R1", "T1")
    await settle(county, warning, Rank.UNKNOWN, "R2")
    await settle(county, warning, Rank.FAILED, "R7")
    over = await clear(county, warning)
    assert await county.told(over) == {
        *(("R1", "sms.aliyun"), ("R2", "wechat.template"), ("T1", "sms.aliyun"), ("T1", "wechat.template"))
    }
    assert await county.tasks(over) == {}
    await county.sound(over)


async def test_an_all_clear_waits_for_what_a_worker_is_sending_right_now(county: County) -> None:
    warning = await county.plan(await county.warn())
    async with county.store.write() as tx:
        held = await claim_batch(tx, "loudspeaker.mqtt", [1], "node", 60_000)
    assert held is not None
    over = await clear(county, warning)
    assert await county.told(over) == set()
    await settle(county, warning, Rank.ACCEPTED, "S1")
    async with county.store.write() as tx:
        await finish_batch(tx, held.id, None)
    county.hand.pass_by(250)
    assert await county.told(await county.plan(over)) == {("S1", "loudspeaker.mqtt")}
    await county.sound(over)


async def test_excluded_and_far_places(county: County) -> None:
    area = Area(codes=[Code(value="990123"), Code(value=FAR, exclude=True)])
    people = set(await county.targets(await county.plan(await county.warn(areas=[area]))))
    assert "R9" not in people
    assert {"R1", "R8"} <= people


async def count_rows(county: County) -> list[list[Any]]:
    """What planning leaves behind, counted."""
    tables = ("extent", "target", "wave", "step", "batch", "delivery", "task", "timer", "outbox", "tally")
    sums = "SELECT sum(n) FROM tally"
    return [await county.rows(f"SELECT count(*) FROM {table}") for table in tables] + [await county.rows(sums)]


async def test_three_planners_at_once_plan_as_one(county: County, opened: Opener) -> None:
    """A partition changes hands while its first owner is still at it: every step, wave, timer and event is there once."""
    alone = await county.plan(await county.warn())
    expected, base = await count_rows(county), await county.told(alone)
    for number in range(2, 6):
        warning = await county.warn(identifier=f"rain-{number}", hazard=f"11B{number + 10}")
        desk = county.planner
        stores = [county.store if county.store.sqlite else opened(county.hand) for _ in range(3)]
        three = [Planner(store, desk.places, desk.policies, desk.channels) for store in stores]
        await asyncio.gather(*(one.plan(str(warning.id), {}) for one in three))
        assert await county.told(warning) == base
        await county.sound(warning)
        found = await count_rows(county)
        assert [rows[0][0] for rows in found] == [rows[0][0] * number for rows in expected]
        assert len(await county.rows("SELECT 1 FROM event WHERE kind = 'planned' AND warning_id = :w", w=warning.id)) == 1


async def test_a_repeat_that_has_gone_off_is_not_set_again_by_a_late_planner(county: County) -> None:
    """It was stopped for longer than the policy's two minutes; the second round is on its way already."""
    warning = await county.plan(await county.warn())
    await county.run("DELETE FROM timer WHERE kind = 'repeat'")
    await county.run("UPDATE warning SET planned_at = NULL")
    await county.plan(warning)
    assert await county.rows("SELECT 1 FROM timer WHERE kind = 'repeat'") == []


async def test_who_is_a_target_already_is_left_as_they_are(county: County) -> None:
    """Somebody called for others before the plan came to them, counted where they stood; the rest is cut around them."""
    warning = await county.warn()
    async with county.store.write() as tx:
        await tx.conn.execute(
            text("INSERT INTO target (warning_id, recipient_id, town_id, role, state) VALUES (:w, :r, :t, 'leader', 0)"),
            {"w": warning.id, "r": county.people["R7"], "t": county.codes["990123"]},
        )
        await add_cells(tx, Counter({Cell(warning.id, PEOPLE, "", "leader", county.codes["990123"], 0): 1}))
    warning = await county.plan(warning)
    assert await county.told(warning) == ALL - {("R7", "sms.aliyun")}
    assert len(await county.targets(warning)) == 15
    await county.sound(warning)


async def test_a_township_is_read_by_its_places(county: County) -> None:
    """Not by all of a role in the county: each township would read everybody."""
    if not county.store.sqlite:
        pytest.skip("a table of ten people is read whole by PostgreSQL, rightly")
    asked: list[tuple[str, Any]] = []
    async with county.store.write() as tx:
        assert tx.conn.sync_connection is not None
        event.listen(tx.conn.sync_connection.engine, "before_cursor_execute", lambda *said: asked.append((said[2], said[3])))
    await county.plan(await county.warn())
    query, bind = next(one for one in asked if one[0].startswith("INSERT INTO target"))
    async with county.store.read() as conn:
        plan = [str(row[3]) for row in await conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", bind)]
    assert [line for line in plan if " r USING" in line] == ["SEARCH r USING INDEX ix_recipient_area_id (area_id=? AND role=?)"]
