"""One move at a time, with exact expectations: deliveries, batches, people, counts, latencies."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from town import MINUTE, NOW, County

from warnhub.store.batches import Batch, claim_batch
from warnhub.store.counts import Cell, Hop
from warnhub.store.ledger import Move, advance, best_states, stop_batches
from warnhub.store.states import FAILED_PERSON, Rank, Stage
from warnhub.store.tallies import ENDLESS, PEOPLE, add_cells, add_hops, bucket_of, move_cell, read_hops, read_tally
from warnhub.store.warnings import Warning, end_warning


@pytest.fixture
async def warning(county: County) -> Warning:
    """A red warning, planned."""
    return await county.plan(await county.warn())


async def claim(county: County, provider: str = "sms.aliyun", node: str = "node") -> Batch:
    async with county.store.write() as tx:
        found = await claim_batch(tx, provider, (1, 2, 3, 4), node, MINUTE)
    assert found is not None
    return found


async def move(county: County, *moves: Move) -> int:
    async with county.store.write() as tx:
        return await advance(tx, moves)


async def delivery(county: County, ref: str, channel: str = "sms") -> Any:
    found = await county.rows(
        "SELECT d.*, b.state AS stage, b.open, b.attempt FROM delivery d JOIN batch b ON b.id = d.batch_id "
        "WHERE d.recipient_id = :r AND b.channel = :c",
        r=county.people[ref],
        c=channel,
    )
    return found[0]


async def line(county: County, ref: str, state: int, channel: str = "sms", **more: Any) -> Move:
    """A move of one person's delivery."""
    row = await delivery(county, ref, channel)
    return Move(row.batch_id, row.recipient_id, state, **more)


async def count(county: County, warning: Warning, channel: str, role: str) -> dict[int, int]:
    async with county.store.read() as conn:
        found = [c for c in await read_tally(conn, warning.id) if (c.channel, c.role) == (channel, role)]
    return dict(sum((Counter({c.state: c.n}) for c in found), Counter()))


async def test_an_outcome_changes_delivery_batch_person_and_counts(county: County, warning: Warning) -> None:
    county.hand.pass_by(4_000)
    taken = await line(county, "D1", Rank.ACCEPTED, provider_id="SM1")
    assert await move(county, taken) == 1
    row = await delivery(county, "D1")
    assert (row.state, row.provider_id, row.reason, row.code) == (Rank.ACCEPTED, "SM1", None, None)
    assert (row.handed_at, row.settled_at, row.open) == (NOW + 4_000, NOW + 4_000, 0)
    assert (await county.targets(warning))["D1"] == Rank.ACCEPTED
    assert await count(county, warning, "sms", "county_duty") == {Rank.ACCEPTED: 1}
    assert await count(county, warning, PEOPLE, "county_duty") == {Rank.ACCEPTED: 1}
    async with county.store.read() as conn:
        assert await read_hops(conn, warning.id) == [("sms", "handed", 5, 1)]


async def test_latency_is_from_release_to_handing_and_from_handing_to_delivery(county: County, warning: Warning) -> None:
    county.hand.pass_by(20_000)
    await move(county, await line(county, "D1", Rank.ACCEPTED))
    county.hand.pass_by(90_000)
    await move(county, await line(county, "D1", Rank.DELIVERED))
    county.hand.pass_by(10_000)
    await move(county, await line(county, "D1", Rank.CONFIRMED))
    async with county.store.read() as conn:
        assert sorted(await read_hops(conn, warning.id)) == [
            ("sms", "confirmed", 120, 1),
            ("sms", "delivered", 120, 1),
            ("sms", "handed", 20, 1),
        ]
    row = await delivery(county, "D1")
    assert (row.handed_at, row.settled_at) == (NOW + 20_000, NOW + 120_000)


async def test_a_state_only_rises(county: County, warning: Warning) -> None:
    assert await move(county, await line(county, "D1", Rank.DELIVERED)) == 1
    for lower in (Rank.FAILED, Rank.ACCEPTED, Rank.UNKNOWN, Rank.EXPIRED, Rank.DELIVERED):
        assert await move(county, await line(county, "D1", lower, reason="rejected", code="30007")) == 0
    row = await delivery(county, "D1")
    assert (row.state, row.reason, row.code, row.open) == (Rank.DELIVERED, None, None, 0)
    await county.sound(warning)


async def test_of_several_moves_of_one_delivery_the_highest_counts(county: County, warning: Warning) -> None:
    states = (Rank.ACCEPTED, Rank.READ, Rank.FAILED, Rank.READ)
    assert await move(county, *[await line(county, "D1", state) for state in states]) == 1
    assert (await delivery(county, "D1")).state == Rank.READ
    await county.sound(warning)


async def test_no_moves_and_moves_of_nobody(county: County, warning: Warning) -> None:
    assert await move(county) == 0
    assert await move(county, Move(1, 1, Rank.ACCEPTED), Move(10**15, 10**15, Rank.FAILED)) == 0
    await county.sound(warning)


async def test_a_carrier_that_corrects_itself(county: County, warning: Warning) -> None:
    """Accepted, failed after all, and then delivered: each outranks the one before."""
    for state in (Rank.ACCEPTED, Rank.FAILED, Rank.DELIVERED):
        assert await move(county, await line(county, "D1", state, code=state.name)) == 1
    assert (await delivery(county, "D1")).code == "DELIVERED"
    assert (await county.targets(warning))["D1"] == Rank.DELIVERED
    await county.sound(warning)


async def test_a_provider_id_is_kept_when_a_later_move_brings_none(county: County, warning: Warning) -> None:
    await move(county, await line(county, "D1", Rank.ACCEPTED, provider_id="SM1"))
    await move(county, await line(county, "D1", Rank.DELIVERED))
    assert (await delivery(county, "D1")).provider_id == "SM1"


async def test_a_person_is_counted_in_the_best_state_of_all_messages(county: County, warning: Warning) -> None:
    await move(county, await line(county, "T1", Rank.FAILED), await line(county, "T1", Rank.DELIVERED, "wechat"))
    assert (await county.targets(warning))["T1"] == Rank.DELIVERED
    await move(county, await line(county, "T1", Rank.READ))
    assert (await county.targets(warning))["T1"] == Rank.READ
    await county.sound(warning)


async def test_a_person_whose_only_success_is_taken_back_falls(county: County, warning: Warning) -> None:
    await move(county, await line(county, "T1", Rank.ACCEPTED), await line(county, "T1", Rank.UNKNOWN, "wechat"))
    assert (await county.targets(warning))["T1"] == Rank.ACCEPTED
    await move(county, await line(county, "T1", Rank.FAILED))
    assert (await county.targets(warning))["T1"] == Rank.UNKNOWN
    await move(county, await line(county, "T1", Rank.FAILED, "wechat"))
    assert (await county.targets(warning))["T1"] == FAILED_PERSON
    await county.sound(warning)


async def test_who_confirmed_stays_confirmed_whatever_fails(county: County, warning: Warning) -> None:
    async with county.store.write() as tx:
        assert await advance(tx, [], {warning.id: [county.people["T1"], county.people["T1"]]}) == 0
    await move(county, await line(county, "T1", Rank.FAILED), await line(county, "T1", Rank.FAILED, "wechat"))
    assert (await county.targets(warning))["T1"] == Rank.CONFIRMED
    assert await count(county, warning, PEOPLE, "township_duty") == {Rank.CONFIRMED: 1}
    await county.sound(warning)


async def test_confirming_strangers_counts_nobody(county: County, warning: Warning) -> None:
    async with county.store.write() as tx:
        await advance(tx, [], {warning.id: [county.people["R9"], 10**12]})
    await county.sound(warning)
    assert "R9" not in await county.targets(warning)


async def test_best_states_look_past_what_is_still_open(county: County, warning: Warning) -> None:
    await move(county, await line(county, "T1", Rank.FAILED))
    async with county.store.write() as tx:
        people = [county.people[ref] for ref in ("T1", "D1", "R9")]
        assert await best_states(tx, warning.id, people) == {people[0]: FAILED_PERSON, people[1]: 0}


async def test_two_carriers_report_of_one_person_at_the_same_moment(county: County, warning: Warning) -> None:
    """The second waits for the first, or the person would be counted twice."""
    if county.store.sqlite:
        pytest.skip("SQLite has one writer")
    by_sms, by_wechat = await line(county, "T1", Rank.ACCEPTED), await line(county, "T1", Rank.DELIVERED, "wechat")
    async with county.store.write() as tx:
        await advance(tx, [by_sms])
        other = asyncio.create_task(move(county, by_wechat))
        await asyncio.sleep(0.2)
        assert not other.done()
    assert await other == 1
    await county.sound(warning)
    assert await count(county, warning, PEOPLE, "township_duty") == {Rank.DELIVERED: 1}


async def test_stopping_takes_what_waits_off_the_queue(county: County, warning: Warning) -> None:
    held = await claim(county, "loudspeaker.mqtt")
    await move(county, await line(county, "R1", Rank.ACCEPTED))
    async with county.store.write() as tx:
        stopped = await stop_batches(tx, warning.id, Stage.EXPIRED)
        assert await stop_batches(tx, warning.id, Stage.SUPERSEDED) == 0
    total = await county.rows("SELECT count(*) FROM delivery")
    assert stopped == total[0][0] - 2
    assert await count(county, warning, "sms", "county_duty") == {Rank.EXPIRED: 1}
    assert await count(county, warning, "loudspeaker", "speaker") == {Rank.SENDING: 1}
    assert await county.rows("SELECT id FROM batch WHERE state = 1") == [(held.id,)]
    await county.sound(warning)


async def test_a_receipt_outranks_what_was_stopped(county: County, warning: Warning) -> None:
    async with county.store.write() as tx:
        await stop_batches(tx, warning.id, Stage.SUPERSEDED)
    assert await move(county, await line(county, "D1", Rank.SUPPRESSED)) == 0
    assert await move(county, await line(county, "D1", Rank.DELIVERED)) == 1
    await county.sound(warning)


async def test_ending_closes_tasks_timers_and_batches_once(county: County, warning: Warning) -> None:
    await county.run("UPDATE task SET state = 'late' WHERE recipient_id = :r", r=county.people["G1"])
    async with county.store.write() as tx:
        assert await end_warning(tx, warning, "cancelled", "user:a", {"why": "it is over"}) == 15
        assert await end_warning(tx, warning, "expired", "policy") == 0
    ended = await county.warning(warning.uid)
    assert (ended.state, ended.ended_at, ended.version) == ("cancelled", NOW, warning.version + 1)
    states = {ref: state for ref, (state, _) in (await county.tasks(warning)).items()}
    assert states == dict.fromkeys(("D1", "T1", "H1", "H2", "G2"), "closed") | {"G1": "late"}
    assert await county.rows("SELECT 1 FROM timer") == []
    assert await county.rows("SELECT key, data FROM outbox WHERE topic = 'warning.ended'") != []
    await county.sound(warning)


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0, 1), (1, 1), (1.001, 2), (3, 5), (180, 180), (181, 300), (86_400, 86_400), (86_401, ENDLESS)]
)
def test_buckets(seconds: float, bucket: int) -> None:
    assert bucket_of(seconds) == bucket


async def test_counts_add_up_and_zero_is_not_shown(county: County) -> None:
    cell = Cell(7, "sms", "sms.aliyun", "resident", 3, 0)
    deltas: Counter[Cell] = Counter()
    move_cell(deltas, cell, 40, 5)
    assert deltas == {cell: -5, cell._replace(state=40): 5}
    async with county.store.write() as tx:
        await add_cells(tx, Counter({cell: 5}))
        await add_cells(tx, deltas)
        await add_cells(tx, Counter({cell: 0}))
        await add_hops(tx, Counter({Hop(7, "sms", "handed", 5): 2}))
        await add_hops(tx, Counter({Hop(7, "sms", "handed", 5): 3}))
        assert tx.topics == {"tally"}
    async with county.store.read() as conn:
        assert [(c.state, c.n) for c in await read_tally(conn, 7)] == [(40, 5)]
        assert await read_hops(conn, 7) == [("sms", "handed", 5, 5)]
