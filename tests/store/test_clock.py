"""Time: expiry, repeats, leases and the ladder that is climbed when nobody answers, on a clock that is set by hand."""

import asyncio
from typing import Any

import pytest
from conftest import Opener
from sqlalchemy import text
from town import GRID, MINUTE, NOW, County, Hand

from warnhub.alert import Scope, Status
from warnhub.feedback.acks import Ack, Acks, Evidence
from warnhub.feedback.clock import Clock
from warnhub.feedback.escalation import Escalation
from warnhub.feedback.receipts import Receipts
from warnhub.plan.planner import Planner
from warnhub.port import Report, State
from warnhub.store.batches import claim_batch
from warnhub.store.states import Rank
from warnhub.store.timers import set_timer, take_timers
from warnhub.store.warnings import Warning

DUTY = {"D1", "T1", "H1", "H2", "G1", "G2"}


@pytest.fixture
async def warning(county: County) -> Warning:
    """A red warning, planned."""
    return await county.plan(await county.warn())


@pytest.fixture
def clock(county: County) -> Clock:
    """Runs timers."""
    return Clock(county.store, county.planner)


@pytest.fixture
def ladder(county: County) -> Escalation:
    """Climbs."""
    return Escalation(county.store, county.planner)


async def confirm(county: County, warning: Warning, *refs: str) -> None:
    acks = Acks(county.store)
    for ref in refs:
        await acks.take(Ack(0, county.people[ref], Evidence.TOLD, warning.id, by="user:a"))


async def climb(ladder: Escalation) -> None:
    """Every rung that is due."""
    async with asyncio.timeout(10):
        while await ladder.tick():
            continue


async def kinds(county: County) -> list[tuple[str, int]]:
    return [tuple(row) for row in await county.rows("SELECT kind, due_at FROM timer ORDER BY due_at, id")]


# Timers


async def test_no_more_timers_are_taken_than_asked_for_however_the_query_is_planned(county: County) -> None:
    """PostgreSQL joins by a loop where it takes the table for a small one."""
    async with county.store.write() as tx:
        for number in range(20):
            await set_timer(tx, "repeat", None, NOW + number, {"n": number})
    county.hand.pass_by(100)
    async with county.store.write() as tx:
        if not county.store.sqlite:
            for other in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
                await tx.conn.execute(text(f"SET LOCAL enable_{other} = off"))
        assert [timer.data["n"] for timer in await take_timers(tx, most=3)] == [0, 1, 2]


async def test_timers_are_taken_once_in_order_when_they_are_due(county: County) -> None:
    async with county.store.write() as tx:
        for number in (3, 1, 2):
            await set_timer(tx, "repeat", None, NOW + number, {"role": "resident", "值": number})
        assert await take_timers(tx) == []
        assert tx.topics == {"timer"}
    county.hand.pass_by(2)
    async with county.store.write() as tx:
        taken = await take_timers(tx, most=1)
        assert [timer.data for timer in taken] == [{"role": "resident", "值": 1}]
        assert len(await take_timers(tx)) == 1
    assert await kinds(county) == [("repeat", NOW + 3)]


async def test_a_timer_comes_back_if_what_it_causes_fails(county: County, clock: Clock) -> None:
    async with county.store.write() as tx:
        await set_timer(tx, "unheard", None, NOW, {})
    for _ in range(2):
        with pytest.raises(KeyError):
            await clock.tick()
    assert await kinds(county) == [("unheard", NOW)]


async def test_two_clocks_never_take_the_same_timer(county: County) -> None:
    async with county.store.write() as tx:
        for number in range(20):
            await set_timer(tx, "resolve", None, NOW, {"batch": number})

    async def take() -> list[Any]:
        async with county.store.write() as tx:
            return [timer.data["batch"] for timer in await take_timers(tx, most=5)]

    taken = await asyncio.gather(*(take() for _ in range(4)))
    assert sorted(number for part in taken for number in part) == list(range(20))


async def test_a_warning_expires_at_its_time_also_after_a_restart(
    county: County, warning: Warning, opened: Opener, hand: Hand
) -> None:
    again = opened(hand)
    clock = Clock(again, Planner(again, county.planner.places, county.policies, county.planner.channels))
    hand.now = warning.expires_at - 1
    await clock.tick()
    assert (await county.warning(warning.uid)).state == "released"
    hand.pass_by(1)
    await clock.tick()
    ended = await county.warning(warning.uid)
    assert (ended.state, ended.ended_at) == ("expired", warning.expires_at)
    assert await county.rows("SELECT 1 FROM batch WHERE state = 0") == []
    assert await clock.tick() == 0
    await county.sound(warning)


async def test_a_warning_that_was_made_longer_expires_later(county: County, warning: Warning, clock: Clock) -> None:
    await county.run("UPDATE warning SET expires_at = expires_at + 60000")
    county.hand.now = warning.expires_at
    await clock.tick()
    assert ("expire", warning.expires_at + MINUTE) in await kinds(county)
    county.hand.pass_by(MINUTE)
    await clock.tick()
    assert (await county.warning(warning.uid)).state == "expired"


async def test_lost_leases_are_looked_into(county: County, warning: Warning, clock: Clock) -> None:
    async with county.store.write() as tx:
        batch = await claim_batch(tx, "loudspeaker.mqtt", (1,), "gone", MINUTE)
    assert batch
    assert await clock.watch_leases() == 0
    county.hand.pass_by(MINUTE + 1)
    assert await clock.watch_leases() == 1
    entries = await county.rows("SELECT topic, key FROM outbox ORDER BY id DESC LIMIT 1")
    assert [tuple(row) for row in entries] == [("delivery.unknown", str(batch.id))]


# Repeats


async def test_it_is_said_again_to_who_has_not_confirmed_and_by_loudspeaker_to_all(
    county: County, warning: Warning, clock: Clock
) -> None:
    await confirm(county, warning, "G1", "D1")
    county.hand.pass_by(2 * MINUTE)
    assert await clock.tick() == 4
    rounds = {row[0] for row in await county.rows("SELECT DISTINCT round FROM batch WHERE warning_id = :w", w=warning.id)}
    said = [await county.told(warning, number) for number in rounds - {1}]
    assert set().union(*said) == {
        *(("T1", "sms.aliyun"), ("T1", "wechat.template"), ("H1", "sms.aliyun"), ("H2", "sms.aliyun")),
        *(("G2", "sms.aliyun"), ("G2", "wechat.template")),
    }
    county.hand.pass_by(2 * MINUTE)
    await clock.tick()
    county.hand.pass_by(6 * MINUTE)
    await clock.tick()
    spoken = await county.rows("SELECT round FROM batch WHERE warning_id = :w AND channel = 'loudspeaker'", w=warning.id)
    assert len(spoken) == 2
    await county.sound(warning)


async def test_it_is_said_as_often_as_policy_says(county: County, warning: Warning, clock: Clock) -> None:
    for _ in range(20):
        county.hand.pass_by(MINUTE)
        await clock.tick()
    rows = await county.rows(
        "SELECT recipient_id, channel, count(*) AS n FROM batch b JOIN delivery d ON d.batch_id = b.id "
        "WHERE b.warning_id = :w GROUP BY recipient_id, channel",
        w=warning.id,
    )
    times = {(county.refs[row.recipient_id], row.channel): row.n for row in rows}
    assert (times["G1", "sms"], times["S1", "loudspeaker"], times["R1", "sms"]) == (3, 2, 2)
    assert [kind for kind, _ in await kinds(county)] == ["expire"]


async def test_a_repeat_in_mode_first_keeps_to_one_channel(county: County, warning: Warning, clock: Clock) -> None:
    """R6 has SMS and WeChat, R7 SMS and push."""
    county.hand.pass_by(5 * MINUTE)
    await clock.tick()
    found = await county.rows(
        "SELECT b.provider, d.recipient_id FROM batch b JOIN delivery d ON d.batch_id = b.id "
        "WHERE b.round > 1 AND b.role = 'resident'"
    )
    assert {(county.refs[row.recipient_id], row.provider) for row in found} == {
        *(("R1", "sms.aliyun"), ("R2", "wechat.template"), ("R3", "push.fcm")),
        *(("R6", "sms.twilio"), ("R7", "sms.aliyun"), ("R8", "sms.aliyun")),
    }


async def test_nothing_is_said_again_after_the_end(county: County, warning: Warning, clock: Clock) -> None:
    await county.desk.cancel(warning.uid, "user:a", "停", all_clear=False)
    county.hand.pass_by(20 * MINUTE)
    await clock.tick()
    assert await county.told(warning, 2) == set()


# The ladder


async def test_nobody_is_pressed_before_the_deadline(county: County, warning: Warning, ladder: Escalation) -> None:
    county.hand.pass_by(3 * MINUTE - 1)
    assert await ladder.tick() == 0
    assert await county.tasks(warning) == dict.fromkeys(DUTY, ("open", 0))


async def test_the_next_channel_is_one_not_tried_that_somebody_carries(
    county: County, warning: Warning, ladder: Escalation
) -> None:
    """G1 alone has another: push. The others go on to their deputy or superior at once."""
    county.hand.pass_by(3 * MINUTE)
    assert await ladder.tick() == 6
    assert {who for who in await county.told(warning) if who[0] == "G1"} == {("G1", "sms.aliyun"), ("G1", "push.jpush")}
    assert (await county.tasks(warning))["G1"] == ("open", 1)
    due = await county.rows("SELECT due_at FROM task WHERE recipient_id = :r", r=county.people["G1"])
    assert due[0][0] == NOW + 6 * MINUTE
    await county.sound(warning)


async def test_a_channel_that_nobody_carries_is_not_waited_for(county: County, warning: Warning, ladder: Escalation) -> None:
    """G1's push address is of a kind whose provider is not there any more."""
    county.planner.channels = county.planner.channels | {"push": [county.providers["push.fcm"]]}
    await confirm(county, warning, *DUTY - {"G1"})
    county.hand.pass_by(3 * MINUTE)
    await climb(ladder)
    assert (await county.tasks(warning))["G1"] == ("open", 2)
    steps = await county.rows("SELECT data FROM event WHERE kind = 'escalated'")
    assert len(steps) == 1
    assert '"deputy"' in str(steps[0].data) or "'deputy'" in str(steps[0].data)


async def test_deputy_then_superior_then_a_list_to_be_called_by_hand(
    county: County, warning: Warning, ladder: Escalation
) -> None:
    """G1: push, then G2 for G1, then H1 for G1; nobody answers, and G1 is called by hand."""
    await confirm(county, warning, *DUTY - {"G1"})
    rungs = []
    for _ in range(5):
        county.hand.pass_by(3 * MINUTE)
        await climb(ladder)
        rungs.append((await county.tasks(warning))["G1"])
    assert rungs == [("open", 1), ("open", 2), ("open", 3), ("late", 3), ("late", 3)]
    events = await county.rows("SELECT kind, recipient_id FROM event WHERE kind IN ('escalated', 'unanswered') ORDER BY id")
    assert [(row.kind, county.refs[row.recipient_id]) for row in events] == [("escalated", "G1")] * 3 + [("unanswered", "G1")]
    again = await county.told(warning) - await county.told(warning, 1)
    assert again == {("G1", "push.jpush")}
    assert ("G2", "sms.aliyun") in await county.told(warning, 3)
    assert ("H1", "sms.aliyun") in await county.told(warning, 4)
    await county.sound(warning)


async def test_who_confirms_in_time_is_not_pressed(county: County, warning: Warning, ladder: Escalation) -> None:
    await confirm(county, warning, *DUTY)
    county.hand.pass_by(60 * MINUTE)
    assert await ladder.tick() == 0
    assert await county.told(warning, 2) == set()


async def test_a_superior_from_outside_the_area_is_drawn_in(county: County, ladder: Escalation) -> None:
    """H9 of the other township answers for G2 now."""
    await county.run("UPDATE recipient SET superior = 'H9', deputy = NULL WHERE ref = 'G2'")
    warning = await county.plan(await county.warn(codes=[GRID]))
    await county.run("UPDATE recipient SET superior = 'H9', deputy = NULL WHERE ref = 'G1'")
    await confirm(county, warning, *DUTY - {"G1"})
    for _ in range(2):
        county.hand.pass_by(3 * MINUTE)
        await climb(ladder)
    tasks = await county.tasks(warning)
    assert (tasks["G1"], tasks["H9"]) == (("open", 3), ("open", 99))
    assert (await county.targets(warning))["H9"] == Rank.PLANNED
    await county.sound(warning)
    await confirm(county, warning, "H9")
    tasks = await county.tasks(warning)
    assert (tasks["G1"][0], tasks["H9"][0]) == ("covered", "done")
    county.hand.pass_by(60 * MINUTE)
    assert await ladder.tick() == 0


async def test_a_drill_draws_nobody_in_who_is_not_on_its_list(county: County, ladder: Escalation) -> None:
    await county.run("INSERT INTO drill (id, name, created_at, created_by) VALUES ('d1', 'd1', 1, 't')")
    await county.run("INSERT INTO participant (drill_id, recipient_id) VALUES ('d1', :r)", r=county.people["G1"])
    warning = await county.plan(await county.warn(status=Status.EXERCISE))
    for _ in range(5):
        county.hand.pass_by(3 * MINUTE)
        await climb(ladder)
    assert {ref for ref, _ in await county.told(warning)} == {"G1"}
    assert await county.tasks(warning) == {"G1": ("late", 3)}
    await county.sound(warning)


async def test_a_restricted_warning_is_told_to_no_deputy_of_the_public(county: County, ladder: Escalation) -> None:
    await county.run("UPDATE recipient SET deputy = 'R1', superior = NULL WHERE ref = 'G1'")
    warning = await county.plan(await county.warn(scope=Scope.RESTRICTED, restriction="内部"))
    await confirm(county, warning, *DUTY - {"G1"})
    for _ in range(4):
        county.hand.pass_by(3 * MINUTE)
        await climb(ladder)
    assert "R1" not in {ref for ref, _ in await county.told(warning)}
    assert await county.tasks(warning) == dict.fromkeys(DUTY, ("done", 0)) | {"G1": ("late", 3)}


async def test_the_end_ends_the_ladder(county: County, warning: Warning, ladder: Escalation) -> None:
    await county.run("UPDATE warning SET state = 'cancelled'")
    county.hand.pass_by(3 * MINUTE)
    await climb(ladder)
    assert await county.tasks(warning) == dict.fromkeys(DUTY, ("closed", 0))
    assert await county.told(warning, 2) == set()


async def test_a_delivery_report_confirms_nobody(county: County, warning: Warning, ladder: Escalation) -> None:
    """Only a person's own act does."""
    wave = (await county.rows("SELECT id FROM wave WHERE channel = 'sms'"))[0][0]
    report = Report("a", State.READ, provider_id="1", reference="")
    await Receipts(county.store, county.keys).take("sms.aliyun", [report])
    await Acks(county.store).take(Ack(wave, county.people["G1"], Evidence.MACHINE))
    county.hand.pass_by(3 * MINUTE)
    await climb(ladder)
    assert (await county.tasks(warning))["G1"] == ("open", 1)


async def test_ladders_and_repeats_and_answers_at_the_same_moment(
    county: County, warning: Warning, clock: Clock, ladder: Escalation
) -> None:
    """Rounds are numbered one by one, and no two wait for each other."""
    county.hand.pass_by(3 * MINUTE)
    async with asyncio.timeout(20):
        await asyncio.gather(
            ladder.tick(), clock.tick(), ladder.tick(), clock.tick(), *(confirm(county, warning, ref) for ref in sorted(DUTY))
        )
    waves = await county.rows("SELECT channel, round FROM wave WHERE warning_id = :w", w=warning.id)
    assert len(waves) == len({tuple(row) for row in waves})
    await county.sound(warning)
