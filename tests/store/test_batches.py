"""Batches: who claims what and when, giving back, losing, aging, moving to another provider."""

import asyncio

import pytest
from town import MINUTE, NOW, County

from warnhub.alert import Level
from warnhub.dispatch.failover import close_incident, covers, move_batches, open_incidents, stop_provider
from warnhub.port import Reason, SendError
from warnhub.store.batches import Batch, age_lanes, claim_batch, finish_batch, lose_batches, read_lines, renew_leases
from warnhub.store.ledger import Move, advance
from warnhub.store.states import Rank, Stage
from warnhub.store.warnings import Warning, end_warning

LANES = (1, 2, 3, 4)


@pytest.fixture
async def warning(county: County) -> Warning:
    """A red warning, planned."""
    return await county.plan(await county.warn())


async def claim(county: County, provider: str = "sms.aliyun", lanes: tuple[int, ...] = LANES, node: str = "n1") -> Batch | None:
    async with county.store.write() as tx:
        return await claim_batch(tx, provider, lanes, node, MINUTE)


async def give_back(county: County, batch: Batch, due_at: int | None, note: str = "") -> None:
    async with county.store.write() as tx:
        await finish_batch(tx, batch.id, due_at, note)


async def told(county: County, batch: Batch, state: Rank, most: int = 100) -> None:
    """The first `most` of a batch come to `state`."""
    async with county.store.write() as tx:
        lines = await read_lines(tx.conn, batch.id)
        await advance(tx, [Move(batch.id, line.recipient, state) for line in lines[:most]])


async def stage(county: County, batch: Batch) -> tuple[int, int, int, int]:
    """(state, attempt, open, rank)."""
    return tuple((await county.rows("SELECT state, attempt, open, rank FROM batch WHERE id = :b", b=batch.id))[0])


async def test_claims_go_by_lane_then_by_who_answers_then_by_age(county: County, warning: Warning) -> None:
    county.hand.pass_by(1_000)
    orange = await county.plan(await county.warn(identifier="slide-1", hazard="11D01", level=Level.ORANGE))
    order = []
    while batch := await claim(county):
        order.append((batch.warning == orange.id, batch.role))
    roles = ["county_duty", "township_duty", "village_head", "gridworker", "resident", "resident"]
    assert order == [(False, role) for role in roles] + [(True, role) for role in roles]


async def test_only_the_lanes_asked_for(county: County, warning: Warning) -> None:
    assert await claim(county, lanes=(2, 3, 4)) is None
    assert await claim(county, lanes=()) is None
    found = await claim(county, lanes=(1,))
    assert found is not None
    assert (found.lane, found.attempt, found.role) == (1, 1, "county_duty")


async def test_a_claim_is_a_lease_and_is_counted(county: County, warning: Warning) -> None:
    batch = await claim(county)
    assert batch is not None
    row = (await county.rows("SELECT state, attempt, leased_by, lease_until FROM batch WHERE id = :b", b=batch.id))[0]
    assert tuple(row) == (Stage.LEASED, 1, "n1", NOW + MINUTE)
    found = await county.rows("SELECT state, n FROM tally WHERE role = 'county_duty' AND channel = 'sms' AND n > 0")
    assert [tuple(row) for row in found] == [(Rank.SENDING, 1)]
    await county.sound(warning)


async def test_nothing_is_claimed_before_it_is_due(county: County, warning: Warning) -> None:
    await county.run("UPDATE batch SET due_at = :at", at=NOW + 1)
    assert await claim(county) is None
    county.hand.pass_by(1)
    assert await claim(county) is not None


async def test_lines_are_whoever_has_no_outcome_and_say_who_must_not_be_called(county: County, warning: Warning) -> None:
    await county.run("UPDATE address SET bad = '30005' WHERE recipient_id = :r", r=county.people["H1"])
    await county.run("UPDATE recipient SET gone_at = 1 WHERE ref = 'H2'")
    await county.run("UPDATE recipient SET opt_out = :yes WHERE ref IN ('R1', 'G1')", yes=True)
    blocked = {}
    while batch := await claim(county):
        async with county.store.read() as conn:
            for line in await read_lines(conn, batch.id):
                blocked[county.refs[line.recipient]] = line.blocked
                assert county.keys.unseal(bytes(line.address)).startswith("+86145")
        await told(county, batch, Rank.ACCEPTED)
        async with county.store.read() as conn:
            assert await read_lines(conn, batch.id) == []
    assert blocked == {
        **dict.fromkeys(("D1", "T1", "G1", "G2", "R7", "R8")),
        **{"H1": "bad-address", "H2": "gone", "R1": "opt-out"},
    }


async def test_giving_back_waits_behind_fresh_ones(county: County, warning: Warning) -> None:
    first = await claim(county)
    assert first is not None
    await give_back(county, first, NOW + 5_000, "throttled 429")
    assert await stage(county, first) == (Stage.READY, 1, 1, 90)
    await county.sound(warning)
    second = await claim(county)
    assert second is not None
    assert second.role == "township_duty"
    county.hand.pass_by(5_000)
    rest = []
    while batch := await claim(county):
        rest.append(batch)
    assert (rest[-1].id, rest[-1].attempt) == (first.id, 2)
    await county.sound(warning)


async def test_a_batch_given_back_with_nobody_left_is_done(county: County, warning: Warning) -> None:
    batch = await claim(county)
    assert batch is not None
    await told(county, batch, Rank.DELIVERED)
    await give_back(county, batch, NOW)
    assert (await stage(county, batch))[0] == Stage.DONE
    await county.sound(warning)


async def test_what_is_given_back_after_the_end_is_never_claimed_again(county: County, warning: Warning) -> None:
    batch = await claim(county, "loudspeaker.mqtt")
    assert batch is not None
    async with county.store.write() as tx:
        await end_warning(tx, warning, "cancelled", "test")
    await give_back(county, batch, NOW, "provider stopped")
    assert (await stage(county, batch))[0] == Stage.SUPERSEDED
    assert await claim(county, "loudspeaker.mqtt") is None
    found = await county.rows("SELECT state, n FROM tally WHERE channel = 'loudspeaker' AND n <> 0")
    assert [tuple(row) for row in found] == [(Rank.SUPERSEDED, 1)]


@pytest.mark.parametrize(("ending", "rank"), [("expired", Rank.EXPIRED), ("superseded", Rank.SUPERSEDED)])
async def test_it_stands_as_the_warning_ended(county: County, warning: Warning, ending: str, rank: Rank) -> None:
    batch = await claim(county)
    assert batch is not None
    async with county.store.write() as tx:
        await end_warning(tx, warning, ending, "test")
    await give_back(county, batch, NOW)
    assert [
        row.state
        for row in await county.rows("SELECT state FROM tally WHERE role = 'county_duty' AND channel = 'sms' AND n > 0")
    ] == [rank]
    await county.sound(warning)


async def test_leases_are_kept_by_their_owner_and_lost_after_their_time(county: County, warning: Warning) -> None:
    mine, other = await claim(county, node="n1"), await claim(county, "loudspeaker.mqtt", node="n2")
    assert mine is not None
    assert other is not None
    county.hand.pass_by(MINUTE - 1_000)
    async with county.store.write() as tx:
        assert await lose_batches(tx) == []
        await renew_leases(tx, "n1", MINUTE)
    county.hand.pass_by(2_000)
    async with county.store.write() as tx:
        assert await lose_batches(tx) == [other.id]
        assert await lose_batches(tx) == []
    assert (await stage(county, other))[0] == Stage.LOST
    assert (await stage(county, mine))[0] == Stage.LEASED
    assert (await county.targets(warning))["S1"] == Rank.UNKNOWN
    await county.sound(warning)


async def test_after_a_crash_everybody_without_an_outcome_is_unknown(county: County, warning: Warning) -> None:
    batch = None
    while found := await claim(county):
        batch = found
    assert batch is not None
    await told(county, batch, Rank.ACCEPTED, 1)
    async with county.store.write() as tx:
        lost = await lose_batches(tx, everything=True)
    assert len(lost) == 6
    await county.sound(warning)
    counts = await county.rows(
        "SELECT state, sum(n) AS n FROM tally WHERE channel = 'sms' AND n <> 0 GROUP BY state ORDER BY state"
    )
    assert [(row.state, int(row.n)) for row in counts] == [(Rank.PLANNED, 1), (Rank.UNKNOWN, 8), (Rank.ACCEPTED, 1)]
    assert await claim(county) is None


async def test_a_worker_that_comes_back_too_late_finishes_nothing(county: County, warning: Warning) -> None:
    batch = await claim(county)
    assert batch is not None
    county.hand.pass_by(2 * MINUTE)
    async with county.store.write() as tx:
        await lose_batches(tx)
    await give_back(county, batch, NOW)
    assert (await stage(county, batch))[0] == Stage.LOST
    await told(county, batch, Rank.ACCEPTED)
    await county.sound(warning)


async def test_what_waits_long_rises_but_never_above_orange(county: County) -> None:
    lanes = []
    for number, level in enumerate((Level.RED, Level.ORANGE, Level.YELLOW, Level.BLUE)):
        await county.plan(await county.warn(identifier=f"w{number}", level=level, hazard=f"11B0{number + 1}"))
    await county.run("UPDATE batch SET due_at = :now", now=NOW)
    for _ in range(4):
        rows = await county.rows("SELECT DISTINCT w.level, b.lane FROM batch b JOIN warning w ON w.id = b.warning_id")
        lanes.append({row.level: row.lane for row in rows})
        county.hand.pass_by(11 * MINUTE)
        async with county.store.write() as tx:
            await age_lanes(tx)
            assert await age_lanes(tx) == 0
    assert lanes == [
        {"red": 1, "orange": 2, "yellow": 3, "blue": 4},
        *[{"red": 1, "orange": 2, "yellow": 2, "blue": lane} for lane in (3, 2, 2)],
    ]


async def test_what_waits_moves_to_another_provider_with_its_counts(county: County, warning: Warning) -> None:
    begun = await claim(county)
    assert begun is not None
    await give_back(county, begun, NOW)
    partly = await claim(county)
    assert partly is not None
    await told(county, partly, Rank.ACCEPTED)
    async with county.store.write() as tx:
        assert await move_batches(tx, "sms.aliyun", "sms.twilio") == 8
        assert await move_batches(tx, "sms.aliyun", "sms.twilio") == 0
    await county.sound(warning)
    assert (await stage(county, begun))[:2] == (Stage.READY, 1)
    assert {row.provider for row in await county.rows("SELECT provider FROM batch WHERE channel = 'sms' AND state = 0")} == {
        "sms.twilio"
    }


async def test_a_batch_that_has_outcomes_stays_with_its_provider(county: County, warning: Warning) -> None:
    batch = None
    for _ in range(3):
        batch = await claim(county)
    assert batch is not None
    await told(county, batch, Rank.ACCEPTED, 1)
    await give_back(county, batch, NOW)
    async with county.store.write() as tx:
        await move_batches(tx, "sms.aliyun", "sms.twilio")
    assert [row.provider for row in await county.rows("SELECT provider FROM batch WHERE id = :b", b=batch.id)] == ["sms.aliyun"]
    await county.sound(warning)


async def test_a_provider_stops_once_and_its_sibling_takes_over(county: County, warning: Warning) -> None:
    one, two = county.providers["sms.aliyun"], county.providers["sms.twilio"]
    error = SendError(Reason.CONFIG, "isv.AMOUNT_NOT_ENOUGH", "no money")
    for _ in range(2):
        async with county.store.write() as tx:
            await stop_provider(tx, one, [two], error)
    async with county.store.write() as tx:
        assert await open_incidents(tx.conn) == {"sms.aliyun": "isv.AMOUNT_NOT_ENOUGH"}
    assert await claim(county, "sms.aliyun") is None
    assert await claim(county, "sms.twilio") is not None
    number = (await county.rows("SELECT id FROM incident"))[0][0]
    async with county.store.write() as tx:
        assert await close_incident(tx, number, "user:a") == "sms.aliyun"
        assert await close_incident(tx, number, "user:a") is None
        assert await open_incidents(tx.conn) == {}


async def test_only_who_carries_every_kind_of_address_takes_over(county: County, warning: Warning) -> None:
    one = county.providers
    assert covers(one["sms.twilio"], one["sms.aliyun"])
    assert not covers(one["sms.aliyun"], one["sms.twilio"])
    assert not covers(one["push.fcm"], one["push.jpush"])
    assert covers(one["push.fcm"], one["push.fcm"])
    async with county.store.write() as tx:
        await stop_provider(tx, one["sms.twilio"], [one["sms.aliyun"]], SendError(Reason.CONFIG, "20003"))
    assert await claim(county, "sms.twilio") is not None


async def test_two_workers_never_get_the_same_batch(county: County, warning: Warning) -> None:
    async def work(node: str) -> list[int]:
        taken = []
        while batch := await claim(county, node=node):
            taken.append(batch.id)
        return taken

    everybody = await asyncio.gather(*(work(f"n{n}") for n in range(6)))
    taken = [batch for one in everybody for batch in one]
    assert len(taken) == len(set(taken)) == 6
    await county.sound(warning)


async def test_a_claim_passes_by_what_another_is_claiming(county: County, warning: Warning) -> None:
    if county.store.sqlite:
        pytest.skip("SQLite has one writer")
    async with county.store.write() as mine:
        first = await claim_batch(mine, "sms.aliyun", LANES, "n1", MINUTE)
        async with asyncio.timeout(5):
            second = await claim(county, node="n2")
    assert first is not None
    assert second is not None
    assert (first.role, second.role) == ("county_duty", "township_duty")
