"""A warning in figures: nested where one state holds another, and adding up everywhere."""

import asyncio
from itertools import pairwise

import pytest
from sqlalchemy import text
from town import MINUTE, NOW, TOWN, County

from warnhub.alert import Level
from warnhub.feedback.acks import Ack, Acks, Evidence
from warnhub.monitor.auditor import VILLAGE, Drift, check_batches, check_ledger
from warnhub.monitor.summary import Funnel, Summary, make_funnel, read_places, read_summary, split_by
from warnhub.monitor.watch import Monitor
from warnhub.store.batches import claim_batch
from warnhub.store.ledger import Move, advance
from warnhub.store.people import list_deliveries, list_events, list_unconfirmed
from warnhub.store.states import FAILED_PERSON, RANKS, Rank
from warnhub.store.tallies import Count
from warnhub.store.warnings import Warning


@pytest.fixture
async def warning(county: County) -> Warning:
    """A red warning, planned."""
    return await county.plan(await county.warn())


async def summary(county: County, warning: Warning) -> Summary:
    async with county.store.read() as conn:
        return await read_summary(conn, await county.warning(warning.uid), county.hand.now, county.planner.places.names)


async def settle(county: County, **states: Rank) -> None:
    """The SMS of each person comes to a state."""
    for ref, state in states.items():
        rows = await county.rows(
            "SELECT d.batch_id FROM delivery d JOIN batch b ON b.id = d.batch_id "
            "WHERE d.recipient_id = :r AND b.channel = 'sms'",
            r=county.people[ref],
        )
        async with county.store.write() as tx:
            await advance(tx, [Move(rows[0][0], county.people[ref], state)])


def total(funnel: Funnel) -> int:
    """What adds up to everybody."""
    parts = (funnel.remaining, funnel.accepted, funnel.failed, funnel.unknown, funnel.suppressed, funnel.stopped)
    return sum(parts)


def counts(*pairs: tuple[int, int]) -> list[Count]:
    return [Count("sms", "sms.aliyun", "resident", 1, state, n) for state, n in pairs]


def test_a_funnel_is_nested_and_adds_up() -> None:
    every = [*(int(rank) for rank in Rank), FAILED_PERSON]
    funnel = make_funnel(counts(*((state, 2**n) for n, state in enumerate(every))))
    assert total(funnel) == funnel.total == 2 ** len(every) - 1
    nested = (funnel.accepted, funnel.delivered, funnel.read, funnel.confirmed)
    assert all(outer > inner for outer, inner in pairwise(nested))
    assert funnel.failed == 2 ** every.index(Rank.FAILED) + 2 ** every.index(FAILED_PERSON)
    assert funnel.stopped == 2 ** every.index(Rank.SUPERSEDED) + 2 ** every.index(Rank.EXPIRED)


def test_an_empty_funnel() -> None:
    assert make_funnel([]) == Funnel()


def test_parts_are_named_and_the_largest_stands_first() -> None:
    lines = [Count("sms", "a", "resident", town, 0, n) for town, n in ((1, 2), (2, 5), (3, 1))]
    parts = split_by(lines, "town", {"2": "云溪镇"})
    assert [(part.key, part.name, part.funnel.total) for part in parts] == [("2", "云溪镇", 5), ("1", "1", 2), ("3", "3", 1)]


async def test_each_village_is_counted_as_its_people_are(county: County, warning: Warning) -> None:
    await settle(county, D1=Rank.ACCEPTED, T1=Rank.READ, H1=Rank.FAILED, R1=Rank.DELIVERED, R7=Rank.UNKNOWN)
    places = county.planner.places
    town = places.by_code[TOWN]
    async with county.store.read() as conn:
        parts = await read_places(conn, warning.id, places, town)
    rows = await county.rows(
        "SELECT a.village_id, a.town_id, t.state, count(*) AS n FROM target t JOIN recipient r ON r.id = t.recipient_id "
        "JOIN area a ON a.id = r.area_id WHERE t.warning_id = :w GROUP BY 1, 2, 3",
        w=warning.id,
    )
    here = [Count("", "", "", row.village_id, row.state, row.n) for row in rows if row.town_id == town]
    assert len({count.town for count in here}) > 1
    assert sorted(parts, key=lambda one: one.key) == sorted(
        split_by(here, "town", {str(one): name for one, name in places.names.items()}), key=lambda one: one.key
    )
    async with county.store.write() as tx:
        await tx.conn.execute(
            text("UPDATE village_tally SET n = n + 1 WHERE village_id = :t AND state = :s"),
            {"t": here[0].town, "s": here[0].state},
        )
    async with county.store.read() as conn:
        (drift,) = await check_ledger(conn, warning.id)
    assert drift.cell[1:4:2] == (VILLAGE, here[0].town)


async def test_the_figures_of_a_warning(county: County, warning: Warning) -> None:
    county.hand.pass_by(7_000)
    async with county.store.write() as tx:
        await claim_batch(tx, "sms.twilio", (1,), "n", MINUTE)
    await settle(county, D1=Rank.ACCEPTED, T1=Rank.READ, H1=Rank.FAILED, R1=Rank.DELIVERED, R7=Rank.UNKNOWN)
    wave = (await county.rows("SELECT id FROM wave WHERE channel = 'sms'"))[0][0]
    await Acks(county.store).take(Ack(wave, county.people["G1"], Evidence.HUMAN, choice="help"))
    seen = await summary(county, warning)
    assert (seen.state, seen.level, seen.planned, seen.at, seen.drill) == ("released", "red", 15, NOW + 7_000, False)
    assert seen.people == Funnel(
        total=15, remaining=7, accepted=4, delivered=3, read=2, confirmed=1, failed=1, unknown=1, suppressed=2
    )
    assert {name for name, n in seen.states.items() if n} == {
        *("planned", "sending", "accepted", "read", "failed", "delivered", "unknown", "confirmed")
    }
    assert set(seen.states) == {state.value for state in RANKS}
    assert sum(seen.states.values()) == seen.planned
    for parts, whole in ((seen.channels, 15), (seen.providers, 15), (seen.roles, 15), (seen.towns, 15)):
        assert sum(part.funnel.total for part in parts) == whole
        assert all(total(part.funnel) == part.funnel.total for part in parts)
    assert {part.name for part in seen.towns} == {"云溪镇", "云岭县"}
    assert (seen.tasks.total, seen.tasks.open, seen.tasks.done, seen.tasks.late, seen.tasks.help) == (6, 5, 1, 0, 1)
    assert seen.silent_villages == 0
    assert seen.latency == {"sms": {"handed": {10: 1}, "delivered": {10: 1}, "confirmed": {10: 1}}}


async def test_villages_are_silent_until_somebody_there_answers(county: County, warning: Warning) -> None:
    assert (await summary(county, warning)).silent_villages == 1
    await Acks(county.store).take(Ack(0, county.people["T1"], Evidence.TOLD, warning.id, by="user:a"))
    assert (await summary(county, warning)).silent_villages == 1
    await Acks(county.store).take(Ack(0, county.people["G1"], Evidence.TOLD, warning.id, by="user:a"))
    assert (await summary(county, warning)).silent_villages == 0


async def test_who_is_late_is_who_still_has_to_be_called(county: County, warning: Warning) -> None:
    """H1's deputy has answered for him, G1 is done, the warning's end closed D1's."""
    county.hand.pass_by(3 * MINUTE)
    states = {"H1": "covered", "G1": "done", "D1": "closed", "G2": "late"}
    for ref, state in states.items():
        await county.run("UPDATE task SET state = :s WHERE recipient_id = :r", s=state, r=county.people[ref])
    tasks = (await summary(county, warning)).tasks
    assert (tasks.total, tasks.open, tasks.late, tasks.done) == (6, 2, 3, 1)
    async with county.store.read() as conn:
        lines = await list_unconfirmed(conn, warning.id)
        first = await list_unconfirmed(conn, warning.id, most=2)
        rest = await list_unconfirmed(conn, warning.id, after=first[-1]["id"])
        here = await list_unconfirmed(conn, warning.id, village=county.codes["990123100200"])
    assert {line["ref"] for line in lines} == {"D1", "T1", "H2", "G2"}
    assert [line["id"] for line in first + rest] == [line["id"] for line in lines]
    assert {line["ref"] for line in here} == {"H2", "G2"}
    assert {line["tail"] for line in lines} == {"0001", "0002", "0004", "0006"}


async def test_deliveries_are_listed_page_by_page_without_addresses(county: County, warning: Warning) -> None:
    async with county.store.read() as conn:
        whole = await list_deliveries(conn, warning.id, (0, 0), 100)
        pages, after = [], (0, 0)
        while page := await list_deliveries(conn, warning.id, after, 4):
            pages += page
            head, _, tail = page[-1]["cursor"].partition(".")
            after = int(head), int(tail)
    assert pages == whole
    assert len(whole) == 15
    assert {line["address"] for line in whole if line["ref"] == "D1"} == {"••••0001"}
    assert {line["state"] for line in whole} == {"planned"}


async def test_the_timeline_has_the_newest_first(county: County, warning: Warning) -> None:
    async with county.store.read() as conn:
        events = await list_events(conn, warning.id)
    assert [event["kind"] for event in events] == ["planned", "released", "made"]
    assert events[0]["at"] == NOW


async def test_viewers_share_one_reading_a_second(county: County, warning: Warning) -> None:
    monitor = Monitor(county.store, county.planner.places)
    first = await monitor.summary(warning.uid)
    await settle(county, R1=Rank.DELIVERED)
    assert await monitor.summary(warning.uid) is first
    fresh = await monitor.summary(warning.uid, fresh=0)
    assert fresh is not None
    assert fresh.people.delivered == 1
    assert await monitor.summary("wa_none") is None
    assert "wa_none" not in monitor.seen


async def test_whoever_follows_hears_of_every_change(county: County, warning: Warning) -> None:
    follower = Monitor(county.store, county.planner.places).follow(warning.uid)
    first = await anext(follower)
    await settle(county, R1=Rank.DELIVERED)
    async with asyncio.timeout(5):
        second = await anext(follower)
    await follower.aclose()
    assert first is not None
    assert second is not None
    assert (first.people.delivered, second.people.delivered) == (0, 1)


async def test_the_auditor_says_what_does_not_add_up(county: County, warning: Warning) -> None:
    await county.run("UPDATE tally SET n = n + 3 WHERE role = 'county_duty' AND channel = 'sms'")
    await county.run("UPDATE delivery SET state = 60 WHERE recipient_id = :r", r=county.people["S1"])
    seat, town = county.codes["990123"], county.codes[TOWN]
    async with county.store.read() as conn:
        assert await check_ledger(conn, warning.id) == [
            Drift(("loudspeaker", "loudspeaker.mqtt", "speaker", town, 0), 1, 0),
            Drift(("loudspeaker", "loudspeaker.mqtt", "speaker", town, 60), 0, 1),
            Drift(("sms", "sms.aliyun", "county_duty", seat, 0), 4, 1),
        ]
        assert len(await check_batches(conn, warning.id)) == 1


async def test_the_time_left_counts_what_goes_before(county: County) -> None:
    """By the providers' rates (4 calls a second); what is more urgent or older goes first; nothing waits, no outlook."""
    first = await county.plan(await county.warn())
    async with county.store.read() as conn:
        alone = await read_summary(conn, first, county.hand.now, {}, county.providers)
    assert alone.eta is not None
    assert (alone.eta.basis, alone.eta.left) == ("model", alone.states["planned"])
    assert alone.eta.seconds == max(alone.eta.channels.values()) > 0
    second = await county.plan(await county.warn(identifier="flood-1", hazard="11A01", level=Level.BLUE))
    async with county.store.read() as conn:
        behind = await read_summary(conn, second, county.hand.now, {}, county.providers)
        still = await read_summary(conn, first, county.hand.now, {}, county.providers)
    assert still.eta == alone.eta
    if behind.eta is not None:
        shared = set(behind.eta.channels) & set(alone.eta.channels)
        assert all(behind.eta.channels[channel] > alone.eta.channels[channel] for channel in shared)
    await county.desk.cancel(first.uid, "user:a", "停", all_clear=False)
    async with county.store.read() as conn:
        ended = await read_summary(conn, await county.warning(first.uid), county.hand.now, {}, county.providers)
    assert ended.eta is None
