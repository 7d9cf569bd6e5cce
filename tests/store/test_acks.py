"""Acknowledgements: which evidence confirms, whose task is done by it, and what stands on the timeline."""

from dataclasses import replace

import pytest
from sqlalchemy import text
from town import MINUTE, NOW, County

from warnhub.feedback.acks import Ack, Acks, Evidence, Outcome
from warnhub.store.bursts import MOST, SPAN
from warnhub.store.states import Rank
from warnhub.store.warnings import Warning, end_warning


@pytest.fixture
async def warning(county: County) -> Warning:
    """A red warning, planned."""
    return await county.plan(await county.warn())


@pytest.fixture
def acks(county: County) -> Acks:
    """What takes them."""
    return Acks(county.store)


async def by_link(county: County, ref: str, evidence: Evidence = Evidence.HUMAN, **more: str) -> Ack:
    """What a person does with the message they got by SMS."""
    wave = (await county.rows("SELECT id FROM wave WHERE channel = 'sms' ORDER BY id"))[0][0]
    return Ack(wave, county.people[ref], evidence, **more)


@pytest.mark.parametrize(
    ("evidence", "confirms"),
    [
        *((Evidence.FETCHED, False), (Evidence.MACHINE, False), (Evidence.REPLY, True)),
        *((Evidence.KEY, True), (Evidence.HUMAN, True), (Evidence.TOLD, True)),
    ],
)
async def test_only_a_person_confirms(county: County, warning: Warning, acks: Acks, evidence: Evidence, confirms: bool) -> None:
    assert await acks.take(await by_link(county, "G1", evidence)) == Outcome(True, "released", confirms)
    assert (await county.targets(warning))["G1"] == (Rank.CONFIRMED if confirms else Rank.PLANNED)
    assert (await county.tasks(warning))["G1"][0] == ("done" if confirms else "open")
    kept = await county.rows("SELECT recipient_id, evidence, human, at FROM ack")
    assert [tuple(row) for row in kept] == [(county.people["G1"], evidence.value, confirms, NOW)]
    await county.sound(warning)


async def test_every_kind_of_evidence_is_decided_about() -> None:
    assert {kind for kind in Evidence} == {"fetched", "machine", "report", "reply", "key", "human", "told"}


async def test_an_answer_confirms_the_delivery_it_came_by(county: County, warning: Warning, acks: Acks) -> None:
    await acks.take(await by_link(county, "G2", choice="moved", text="全部到位", agent="curl", origin="10.0.0.1"))
    states = await county.rows(
        "SELECT b.channel, d.state FROM delivery d JOIN batch b ON b.id = d.batch_id WHERE d.recipient_id = :r ORDER BY 1",
        r=county.people["G2"],
    )
    assert [tuple(row) for row in states] == [("sms", Rank.CONFIRMED), ("wechat", Rank.PLANNED)]
    task = (
        await county.rows("SELECT state, choice, evidence, done_at FROM task WHERE recipient_id = :r", r=county.people["G2"])
    )[0]
    assert tuple(task) == ("done", "moved", "human", NOW)


async def test_a_token_of_no_message_is_not_known(county: County, warning: Warning, acks: Acks) -> None:
    assert await acks.take(Ack(9_999, county.people["G1"], Evidence.HUMAN)) == Outcome(False)
    assert await acks.take(await by_link(county, "R9")) == Outcome(False)
    assert await county.rows("SELECT 1 FROM ack") == []


async def test_told_by_phone_is_entered_by_an_officer(county: County, warning: Warning, acks: Acks) -> None:
    told = Ack(0, county.people["H1"], Evidence.TOLD, warning.id, "received", by="user:wang")
    assert (await acks.take(told)).confirmed
    assert (await county.targets(warning))["H1"] == Rank.CONFIRMED
    events = await county.rows("SELECT actor, recipient_id FROM event WHERE kind = 'answer'")
    assert [tuple(row) for row in events] == [("user:wang", county.people["H1"])]
    await county.sound(warning)


async def test_a_repeat_changes_nothing_but_is_kept(county: County, warning: Warning, acks: Acks) -> None:
    await acks.take(await by_link(county, "G1", choice="received"))
    county.hand.pass_by(MINUTE)
    assert (await acks.take(await by_link(county, "G1", choice="received"))).confirmed
    assert [row[0] for row in await county.rows("SELECT done_at FROM task WHERE state = 'done'")] == [NOW]
    assert len(await county.rows("SELECT 1 FROM ack")) == 2
    hops = await county.rows("SELECT sum(n) AS n FROM latency WHERE hop = 'confirmed'")
    assert int(hops[0].n) == 1
    await county.sound(warning)


async def test_a_call_for_help_after_all(county: County, warning: Warning, acks: Acks) -> None:
    await acks.take(await by_link(county, "G1", choice="received"))
    await acks.take(await by_link(county, "G1", choice="help", text="桥断了"))
    assert [row[0] for row in await county.rows("SELECT choice FROM task WHERE state = 'done'")] == ["help"]
    assert [row.actor for row in await county.rows("SELECT actor FROM event WHERE kind = 'answer'")] == ["recipient"]


async def test_of_two_answers_in_one_commit_the_later_counts(county: County, warning: Warning, acks: Acks) -> None:
    first, second = await by_link(county, "G1", choice="received"), await by_link(county, "G1", choice="help")
    await acks.group.put_all([first, second])
    assert [row[0] for row in await county.rows("SELECT choice FROM task WHERE state = 'done'")] == ["help"]


@pytest.mark.parametrize("state", ["open", "late"])
async def test_who_answers_for_another_covers_their_task(county: County, warning: Warning, acks: Acks, state: str) -> None:
    """H2 was called because H1 did not answer."""
    await county.run("UPDATE task SET state = :s WHERE recipient_id = :r", s=state, r=county.people["H1"])
    await county.run(
        "INSERT INTO cover (task_id, origin_id, at) SELECT d.id, h.id, 1 FROM task d, task h "
        "WHERE h.recipient_id = :h AND d.recipient_id = :d",
        h=county.people["H1"],
        d=county.people["H2"],
    )
    await acks.take(await by_link(county, "H2", Evidence.MACHINE))
    assert (await county.tasks(warning))["H1"][0] == state
    await acks.take(await by_link(county, "H2"))
    tasks = await county.tasks(warning)
    assert (tasks["H2"][0], tasks["H1"][0], tasks["G1"][0]) == ("done", "covered", "open")


async def test_after_the_end_an_answer_is_still_kept(county: County, warning: Warning, acks: Acks) -> None:
    async with county.store.write() as tx:
        await end_warning(tx, warning, "cancelled", "test")
    assert await acks.take(await by_link(county, "G1")) == Outcome(True, "cancelled", True)
    assert (await county.tasks(warning))["G1"][0] == "done"
    await county.sound(warning)


async def test_what_a_person_sends_is_cut_to_size(county: County, warning: Warning, acks: Acks) -> None:
    await acks.take(await by_link(county, "G1", choice="help", text="水" * 5_000, agent="x" * 5_000))
    kept = (await county.rows("SELECT text, agent FROM ack"))[0]
    assert (len(kept.text), len(kept.agent)) == (500, 200)


async def crowd(county: County, warning: Warning) -> list[Ack]:
    """An answer on the page of each message of the first waves, as one telephone behind one address gives them."""
    rows = await county.rows("SELECT wave_id, recipient_id FROM delivery ORDER BY wave_id, recipient_id")
    assert len(rows) > 5
    return [Ack(row[0], row[1], Evidence.HUMAN, choice="received", agent="one telephone", origin="gateway") for row in rows]


async def test_one_address_that_answers_for_many_is_strange_whichever_process_it_came_to(
    county: County, warning: Warning
) -> None:
    """Two processes share nothing but the ledger; of more answers than `MOST` in ten seconds the later confirm nobody."""
    pages = await crowd(county, warning)
    async with county.store.write() as tx:  # nineteen others have just been answered for, by another process
        await tx.conn.execute(
            text(
                "INSERT INTO ack (warning_id, recipient_id, wave_id, evidence, human, agent, origin, at) VALUES "
                "(:w, :r, :v, 'human', :h, 'one telephone', 'gateway', :at)"
            ),
            [{"w": warning.id, "r": 90_000 + n, "v": 1, "h": True, "at": tx.now} for n in range(MOST - 1)],
        )
    one, other = Acks(county.store), Acks(county.store)
    first = await one.take(pages[0])
    assert (first.confirmed, first.strange) == (True, False)
    second = await other.take(pages[1])
    assert (second.confirmed, second.strange) == (False, True)
    kept = (await county.rows("SELECT evidence, human, text FROM ack ORDER BY id DESC LIMIT 1"))[0]
    assert tuple(kept) == ("machine", False, "many")
    again = await one.take(pages[1])
    assert (again.confirmed, again.strange) == (True, False)
    another = replace(pages[2], agent="another telephone")
    assert (await other.take(another)).confirmed
    county.hand.pass_by(SPAN + 1)
    assert (await other.take(pages[3])).confirmed


async def test_many_in_one_commit_are_judged_in_their_order(county: County, warning: Warning, acks: Acks) -> None:
    pages = await crowd(county, warning)
    forged = [replace(pages[0], recipient=80_000 + n) for n in range(MOST + 5)]
    async with county.store.write() as tx:
        outcomes = await acks.keep(tx, [*forged, pages[0]])
    assert [one.strange for one in outcomes[-1:]] == [True]
    assert not any(one.strange for one in outcomes[:MOST])
