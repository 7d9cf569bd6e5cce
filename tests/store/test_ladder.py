"""The ladder as a county plays it, on a clock that is set by hand: the rule of 勉县, who stands for whom, the duty desk."""

import asyncio
from typing import Any

import pytest
from town import COUNTY, MINUTE, NOW, County, make_alert

from warnhub.channels import Provider, by_channel
from warnhub.crypto import make_reference
from warnhub.feedback.acks import Ack, Acks, Evidence
from warnhub.feedback.escalation import Escalation
from warnhub.feedback.receipts import Receipts
from warnhub.plan.loading import default_policy, read_policy
from warnhub.port import ChannelSettings, Reason, Report, State
from warnhub.store.answers import list_unwoken
from warnhub.store.batches import claim_batch, read_lines
from warnhub.store.covers import leave_answered, list_visits
from warnhub.store.warnings import Warning
from warnhub.testing import Outbox

DUTY = {"D1", "T1", "H1", "H2", "G1", "G2"}
SECOND = 1_000


@pytest.fixture
async def called(county: County) -> County:
    """The county under the policy WarnHub comes with, and with a telephone line."""
    voice = Provider("voice.twilio", "voice", Outbox(), ChannelSettings(rate=4))
    county.planner.channels = by_channel(county.providers | {"voice.twilio": voice})
    county.policies[max(county.policies)] = default_policy()
    return county


async def climb(county: County) -> None:
    """Every rung that is due now."""
    ladder = Escalation(county.store, county.planner)
    async with asyncio.timeout(20):
        while await ladder.tick():
            continue


async def play(county: County, seconds: int) -> None:
    """Let the clock run from one thing that is due to the next, and the ladder with it."""
    end = county.hand.now + seconds * SECOND
    while True:
        (row,) = await county.rows(
            "SELECT min(due_at) AS due FROM task WHERE state = 'open' AND due_at > :n", n=county.hand.now
        )
        county.hand.now = min(row.due or end, end)
        await climb(county)
        if county.hand.now == end:
            return


async def answer(county: County, warning: Warning, ref: str, choice: str = "received") -> None:
    """Somebody answers, by telephone."""
    await Acks(county.store).take(Ack(0, county.people[ref], Evidence.TOLD, warning.id, choice, by="user:a"))


async def ring(county: County, warning: Warning, state: State, *refs: str, code: str = "") -> None:
    """What the telephone line says of the newest call to each of these."""
    reports = []
    for ref in refs:
        (row,) = await county.rows(
            "SELECT max(v.id) AS wave FROM wave v JOIN delivery d ON d.wave_id = v.id "
            "WHERE v.warning_id = :w AND v.channel = 'voice' AND d.recipient_id = :r",
            w=warning.id,
            r=county.people[ref],
        )
        reason = Reason.UNREACHABLE if state is State.FAILED else None
        reference = make_reference(row.wave, county.people[ref])
        reports.append(Report(f"{reference}:{state}", state, reference, reason=reason, code=code))
    await Receipts(county.store, county.keys).take("voice.twilio", reports)


async def calls(county: County, warning: Warning, ref: str) -> list[int]:
    """The seconds after the plan at which somebody was called."""
    rows = await county.rows(
        "SELECT v.at FROM wave v JOIN delivery d ON d.wave_id = v.id "
        "WHERE v.warning_id = :w AND v.channel = 'voice' AND d.recipient_id = :r ORDER BY v.at",
        w=warning.id,
        r=county.people[ref],
    )
    return [(row.at - NOW) // SECOND for row in rows]


async def events(county: County, kind: str) -> list[tuple[str, int, Any]]:
    """(ref, seconds, data) of every event of a kind."""
    rows = await county.rows("SELECT recipient_id, at, data FROM event WHERE kind = :k ORDER BY id", k=kind)
    return [(county.refs[row.recipient_id], (row.at - NOW) // SECOND, row.data) for row in rows]


async def visits(county: County, warning: Warning) -> dict[str, str]:
    """Who has to go to a door → the state of that task."""
    rows = await county.rows("SELECT recipient_id, state FROM task WHERE warning_id = :w AND kind = 'visit'", w=warning.id)
    return {county.refs[row.recipient_id]: row.state for row in rows}


async def confirms(county: County, warning: Warning) -> dict[str, str]:
    """Ref → state of who must confirm."""
    rows = await county.rows("SELECT recipient_id, state FROM task WHERE warning_id = :w AND kind = 'confirm'", w=warning.id)
    return {county.refs[row.recipient_id]: row.state for row in rows}


async def test_three_calls_in_five_minutes_and_then_to_the_door(called: County) -> None:
    """勉县: all are called at once; G1 never answers, G2 hangs up early and then hears it whole, the others answer."""
    warning = await called.plan(await called.warn())
    assert [await calls(called, warning, ref) for ref in sorted(DUTY)] == [[0]] * 6
    for ref in DUTY - {"G1", "G2"}:
        await answer(called, warning, ref)
    await ring(called, warning, State.FAILED, "G1", code="no-answer")
    await ring(called, warning, State.DELIVERED, "G2", code="hung-up")
    await play(called, 130)
    await ring(called, warning, State.READ, "G2", code="heard")
    await play(called, 180)
    assert await calls(called, warning, "G1") == [0, 120, 240]
    assert await calls(called, warning, "G2") == [0, 120, 240]  # at 4:00 as the deputy of G1, not for itself
    assert [(ref, at) for ref, at, _ in await events(called, "unwoken")] == [("G1", 300)]
    assert await visits(called, warning) == {"H1": "open"}
    unwoken = await called.rows("SELECT recipient_id FROM task WHERE unwoken_at IS NOT NULL")
    assert [called.refs[row.recipient_id] for row in unwoken] == ["G1"]
    assert (await confirms(called, warning))["G2"] == "open"  # hearing it confirms nothing
    await called.sound(warning)


async def test_who_heard_is_written_to_and_not_called_again(called: County) -> None:
    warning = await called.plan(await called.warn())
    for ref in DUTY - {"H1"}:
        await answer(called, warning, ref)
    await ring(called, warning, State.READ, "H1", code="heard")
    await play(called, 241)
    assert await calls(called, warning, "H1") == [0]
    waves = await called.rows(
        "SELECT v.channel, v.at FROM wave v JOIN delivery d ON d.wave_id = v.id WHERE d.recipient_id = :r ORDER BY v.at",
        r=called.people["H1"],
    )
    assert [(row.channel, (row.at - NOW) // SECOND) for row in waves if row.at > NOW] == [("sms", 120), ("sms", 240)]


async def blocked(county: County) -> dict[str, str | None]:
    """Who of the batches that wait would not be told any more, and why."""
    found: dict[str, str | None] = {}
    for provider in ("voice.twilio", "sms.aliyun"):
        while True:
            async with county.store.write() as tx:
                batch = await claim_batch(tx, provider, (1, 2, 3, 4), "node", MINUTE)
                if batch is None:
                    break
                lines = await leave_answered(tx.conn, batch, await read_lines(tx.conn, batch.id))
            found |= {county.refs[line.recipient]: line.blocked for line in lines if batch.round > 1}
    return found


async def test_who_answers_is_not_called_from_a_batch_that_waits_for_a_line(called: County) -> None:
    """Calls that were cut and not made yet: G1 has answered since; H1 has answered too, but is called for G2 now."""
    warning = await called.plan(await called.warn())
    for ref in DUTY - {"G1", "G2"}:
        await answer(called, warning, ref)
    await play(called, 301)
    assert await visits(called, warning) == {"H1": "open"}
    await answer(called, warning, "G1")
    assert await blocked(called) == {"G1": "answered", "G2": None, "H1": None}


async def test_the_visitor_reads_whose_door_it_is(called: County) -> None:
    warning = await called.plan(await called.warn())
    for ref in DUTY - {"G1", "G2"}:
        await answer(called, warning, ref)
    await play(called, 301)
    async with called.store.read() as conn:
        doors = await list_visits(conn, called.people["H1"])
        assert [(one.name, one.role_name, one.state) for one in doors] == [("G1", "网格员", "open"), ("G2", "网格员", "open")]
        assert await list_visits(conn, called.people["T1"]) == []
        assert [(one.name, one.visitor, one.visit) for one in await list_unwoken(conn, warning.id)] == [
            ("G1", "H1", "open"),
            ("G2", "H1", "open"),
        ]
    await answer(called, warning, "G1")
    async with called.store.read() as conn:
        assert [one.name for one in await list_visits(conn, called.people["H1"])] == ["G2"]
        assert [(one.name, one.state) for one in await list_unwoken(conn, warning.id)] == [("G2", "open"), ("G1", "done")]
    await called.desk.cancel(warning.uid, "user:a", "停", all_clear=False)
    async with called.store.read() as conn:
        assert await list_visits(conn, called.people["H1"]) == []


async def test_the_visitor_goes_home_when_the_sleeper_answers(called: County) -> None:
    warning = await called.plan(await called.warn())
    for ref in DUTY - {"G1"}:
        await answer(called, warning, ref)
    await play(called, 301)
    assert await visits(called, warning) == {"H1": "open"}
    await answer(called, warning, "H1")
    assert ((await confirms(called, warning))["G1"], await visits(called, warning)) == ("covered", {"H1": "open"})
    await answer(called, warning, "G1")
    assert ((await confirms(called, warning))["G1"], await visits(called, warning)) == ("done", {"H1": "covered"})


async def test_a_visitor_who_says_that_they_have_moved_is_done(called: County) -> None:
    warning = await called.plan(await called.warn())
    for ref in DUTY - {"G1"}:
        await answer(called, warning, ref)
    await play(called, 301)
    await answer(called, warning, "H1", "moved")
    assert ((await confirms(called, warning))["G1"], await visits(called, warning)) == ("covered", {"H1": "done"})


async def test_one_superior_with_a_task_of_their_own_covers_all_they_are_called_for(called: County) -> None:
    """H1 has confirmed for themself before; only an answer after the call is one for G1 and G2, and it is for both."""
    warning = await called.plan(await called.warn())
    for ref in DUTY - {"G1", "G2"}:
        await answer(called, warning, ref)
    await play(called, 300)
    state = await confirms(called, warning)
    assert (state["H1"], state["G1"], state["G2"]) == ("done", "open", "open")
    await answer(called, warning, "T1")
    assert (await confirms(called, warning))["G1"] == "open"
    await answer(called, warning, "H1")
    state = await confirms(called, warning)
    assert (state["G1"], state["G2"]) == ("covered", "covered")
    assert sorted(ref for ref, _, _ in await events(called, "unwoken")) == ["G1", "G2"]


async def test_a_deputy_is_let_go_when_the_person_answers(county: County) -> None:
    """H9 of the other township was drawn in for G1 alone."""
    await county.run("UPDATE recipient SET deputy = 'H9', superior = NULL WHERE ref = 'G1'")
    warning = await county.plan(await county.warn())
    for ref in DUTY - {"G1"}:
        await answer(county, warning, ref)
    await play(county, 361)
    assert (await confirms(county, warning))["H9"] == "open"
    await answer(county, warning, "G1")
    assert ((await confirms(county, warning))["G1"], (await confirms(county, warning))["H9"]) == ("done", "covered")
    await play(county, 600)
    assert await events(county, "unanswered") == []


DESK = """
name: 值班台
rules:
  - levels: "*"
    roles: [county_duty, gridworker, village_head, township_duty]
    channels: sms
    confirm: {within: 1m, then: [duty_desk]}
    reason: 试验用:直接报值班台
"""


async def test_the_desk_is_whoever_is_on_duty_now(county: County) -> None:
    """T1 has the county's desk until the first hour is over, then nobody is rostered and the county's duty stands in."""
    county.policies[max(county.policies)] = read_policy(DESK)
    await county.run(
        "INSERT INTO shift (area_id, recipient_id, rank, starts_at, ends_at) VALUES (:a, :r, 1, :s, :e)",
        a=county.codes[COUNTY],
        r=county.people["T1"],
        s=NOW - MINUTE,
        e=NOW + 60 * MINUTE,
    )
    first = await county.plan(await county.warn())
    await play(county, 60)
    said = [str(data) for ref, _, data in await events(county, "escalated") if ref == "G1"]
    assert len(said) == 1
    assert "T1" in said[0]
    await county.desk.cancel(first.uid, "user:a", "停", all_clear=False)
    county.hand.pass_by(60 * MINUTE)
    await county.plan(await county.warn(identifier="rain-2"))
    await play(county, 60)
    said = [str(data) for ref, _, data in await events(county, "escalated") if ref == "G1"]
    assert "D1" in said[-1]


async def test_a_ladder_that_stood_still_gives_everybody_their_time_again(called: County) -> None:
    """A second late is made up; an hour of no engine is not."""
    warning = await called.plan(await called.warn())
    for ref in DUTY - {"G1"}:
        await answer(called, warning, ref)
    called.hand.pass_by(121 * SECOND)
    await climb(called)
    due = "SELECT due_at FROM task WHERE recipient_id = :r AND kind = 'confirm'"
    assert (await called.rows(due, r=called.people["G1"]))[0][0] == NOW + 240 * SECOND
    called.hand.pass_by(60 * MINUTE)
    await climb(called)
    assert (await called.rows(due, r=called.people["G1"]))[0][0] == called.hand.now + MINUTE


async def test_a_drill_sends_nobody_to_a_door_who_is_not_on_its_list(called: County) -> None:
    await called.run("INSERT INTO drill (id, name, created_at, created_by) VALUES ('d1', 'd1', 1, 't')")
    await called.run("INSERT INTO participant (drill_id, recipient_id) VALUES ('d1', :r)", r=called.people["G1"])
    alert = make_alert(called.hand, status="exercise")
    received = await called.receive(alert)
    warning = await called.warning(received.warning)
    for officer in ("user:a", "user:b"):
        if warning.state == "pending":
            warning = await called.desk.release(warning.uid, officer)
    warning = await called.plan(warning)
    await play(called, 1_000)
    assert {ref for ref, _ in await called.told(warning)} == {"G1"}
    assert await visits(called, warning) == {}
    assert [ref for ref, _, _ in await events(called, "unwoken")] == ["G1"]
