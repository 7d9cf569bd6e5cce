"""Receipts find their delivery, whatever the provider says of it, in any order and any number of times."""

from typing import Any

import pytest
from town import NOW, County

from warnhub.crypto import make_reference
from warnhub.feedback.receipts import WINDOW, Receipts
from warnhub.port import Reason, Report, State
from warnhub.store.answers import list_messages
from warnhub.store.batches import claim_batch, read_lines
from warnhub.store.ledger import Move, advance
from warnhub.store.reports import list_reports
from warnhub.store.states import Rank
from warnhub.store.usage import count_used
from warnhub.store.warnings import Warning

R1, R7 = "+8614500000011", "+8614500000017"


@pytest.fixture
async def warning(county: County) -> Warning:
    """A red warning, planned."""
    return await county.plan(await county.warn())


@pytest.fixture
def receipts(county: County) -> Receipts:
    """What takes them."""
    return Receipts(county.store, county.keys)


async def row(county: County, ref: str, channel: str = "sms") -> Any:
    found = await county.rows(
        "SELECT d.* FROM delivery d JOIN batch b ON b.id = d.batch_id WHERE d.recipient_id = :r AND b.channel = :c",
        r=county.people[ref],
        c=channel,
    )
    return found[0]


async def state(county: County, ref: str, channel: str = "sms") -> int:
    return int((await row(county, ref, channel)).state)


async def reference(county: County, ref: str, channel: str = "sms") -> str:
    found = await row(county, ref, channel)
    return make_reference(found.wave_id, found.recipient_id)


async def accept(county: County, ref: str, provider_id: str, channel: str = "sms") -> None:
    found = await row(county, ref, channel)
    async with county.store.write() as tx:
        await advance(tx, [Move(found.batch_id, found.recipient_id, Rank.ACCEPTED, provider_id=provider_id)])


async def share(county: County) -> None:
    """R7 gets R1's number."""
    bind = {"b": county.keys.blind("sms", R1), "r": county.people["R7"]}
    await county.run("UPDATE address SET blind = :b WHERE recipient_id = :r AND channel = 'sms'", **bind)


async def joined(county: County) -> list[int]:
    return [found[0] for found in await county.rows("SELECT joined FROM receipt ORDER BY id")]


async def test_by_our_reference(county: County, warning: Warning, receipts: Receipts) -> None:
    """It says whose it is by itself; the address may be unknown by now, or known for another."""
    said = [
        Report("a", State.DELIVERED, await reference(county, "R1"), "SM1"),
        Report("b", State.READ, await reference(county, "R7"), "SM2", address=R7),
        Report("c", State.FAILED, await reference(county, "R8"), "SM3", address="+8619900000000", code="30005"),
    ]
    await receipts.take("sms.twilio", said)
    found = [await row(county, ref) for ref in ("R1", "R7", "R8")]
    assert [(one.state, one.provider_id, one.code) for one in found] == [
        *((Rank.DELIVERED, "SM1", None), (Rank.READ, "SM2", None), (Rank.FAILED, "SM3", "30005"))
    ]
    assert await joined(county) == [1, 1, 1]
    await county.sound(warning)


async def test_by_reference_where_two_people_share_a_number(county: County, warning: Warning, receipts: Receipts) -> None:
    await share(county)
    await receipts.take("sms.twilio", [Report("a", State.DELIVERED, await reference(county, "R7"), address=R1)])
    await receipts.take("sms.twilio", [Report("b", State.READ, await reference(county, "R1"), address=R1)])
    assert (await state(county, "R7"), await state(county, "R1")) == (Rank.DELIVERED, Rank.READ)


async def test_by_the_providers_id_and_the_address(county: County, warning: Warning, receipts: Receipts) -> None:
    """One id covers a whole call."""
    for ref in ("R1", "R7"):
        await accept(county, ref, "biz-1")
    await receipts.take("sms.aliyun", [Report("a", State.DELIVERED, provider_id="biz-1", address=R7)])
    assert (await state(county, "R7"), await state(county, "R1")) == (Rank.DELIVERED, Rank.ACCEPTED)


async def test_by_the_reference_of_the_call_and_the_address(county: County, warning: Warning, receipts: Receipts) -> None:
    """The answer of the call was lost, and with it the provider's id."""
    first = await reference(county, "R1")
    await receipts.take("sms.aliyun", [Report("a", State.DELIVERED, provider_id="biz-1", group=first, address=R7)])
    await receipts.take("sms.aliyun", [Report("b", State.FAILED, provider_id="biz-1", group=first)])
    assert (await state(county, "R7"), await state(county, "R1")) == (Rank.DELIVERED, Rank.PLANNED)
    assert await joined(county) == [1, 0]


async def test_a_call_to_people_who_share_a_number(county: County, warning: Warning, receipts: Receipts) -> None:
    """The carrier cannot say which of the two, and both have that phone."""
    await share(county)
    group = await reference(county, "R8")
    await receipts.take("sms.aliyun", [Report("a", State.DELIVERED, provider_id="biz-1", group=group, address=R1)])
    assert (await state(county, "R7"), await state(county, "R1")) == (Rank.DELIVERED, Rank.DELIVERED)
    await county.sound(warning)


async def test_one_that_comes_before_our_own_commit_is_joined_by_the_sweep(
    county: County, warning: Warning, receipts: Receipts
) -> None:
    async with county.store.write() as tx:
        batch = await claim_batch(tx, "wechat.template", (1,), "n", 60_000)
        assert batch
        lines = await read_lines(tx.conn, batch.id)
    ref = county.refs[lines[0].recipient]
    openid = f"o{ref}"
    await receipts.take("wechat.template", [Report("a", State.DELIVERED, provider_id="9001", address=openid)])
    assert await state(county, ref, "wechat") == Rank.PLANNED
    assert (await receipts.sweep(), await joined(county)) == (0, [0])
    await accept(county, ref, "9001", "wechat")
    assert (await receipts.sweep(), await joined(county)) == (1, [1])
    assert await state(county, ref, "wechat") == Rank.DELIVERED
    assert await receipts.sweep() == 0
    await county.sound(warning)


async def test_a_flood_of_strangers_receipts_holds_nobody_up(county: County, warning: Warning, receipts: Receipts) -> None:
    strangers = [Report(f"s{n}", State.DELIVERED, provider_id=f"other-{n}", address=R7) for n in range(5_001)]
    await receipts.take("sms.aliyun", strangers)
    await receipts.take("sms.aliyun", [Report("mine", State.DELIVERED, provider_id="biz-1", address=R1)])
    await accept(county, "R1", "biz-1")
    assert [await receipts.sweep() for _ in range(3)] == [0, 1, 0]
    assert await state(county, "R1") == Rank.DELIVERED


async def test_what_nobody_knows_is_given_up_after_three_days(county: County, warning: Warning, receipts: Receipts) -> None:
    await receipts.take("sms.aliyun", [Report("a", State.DELIVERED, provider_id="other", address=R1)])
    county.hand.pass_by(WINDOW)
    await receipts.sweep()
    assert await joined(county) == [0]
    county.hand.pass_by(1)
    await receipts.sweep()
    assert await joined(county) == [2]


async def test_the_same_again_is_kept_once_and_changes_nothing(county: County, warning: Warning, receipts: Receipts) -> None:
    said = Report("a", State.DELIVERED, await reference(county, "R1"))
    await receipts.take("sms.twilio", [said, said])
    await receipts.take("sms.twilio", [said])
    await receipts.take("sms.aliyun", [Report("a", State.READ, await reference(county, "R7"))])
    assert len(await joined(county)) == 2
    hops = await county.rows("SELECT hop, sum(n) AS n FROM latency WHERE channel = 'sms' GROUP BY hop")
    assert [(hop.hop, int(hop.n)) for hop in hops] == [("delivered", 1)]
    await county.sound(warning)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
async def test_in_any_order_the_furthest_stands(
    county: County, warning: Warning, receipts: Receipts, order: tuple[int, ...]
) -> None:
    ours = await reference(county, "R1")
    said = [
        Report("a", State.ACCEPTED, ours, "SM1"),
        Report("b", State.FAILED, ours, code="x"),
        Report("c", State.DELIVERED, ours),
    ]
    for place in order:
        await receipts.take("sms.twilio", [said[place]])
    found = await row(county, "R1")
    assert (found.state, found.code) == (Rank.DELIVERED, None)
    await county.sound(warning)


GARBLED = (
    "",
    "w1",
    "w1-r",
    "w-r1",
    "W1-R2",
    "w1-r2 ",
    "w１-r2",
    "w-1-r2",
    "w1_0-r2",
    "wzzzzzzzzzzzzzzzz-r1",
    "w1-r" + "9" * 30,
)


async def test_a_reference_that_is_none_of_ours_waits_and_harms_nobody(
    county: County, warning: Warning, receipts: Receipts
) -> None:
    bad = [Report(f"bad-{n}", State.DELIVERED, text) for n, text in enumerate(GARBLED)]
    await receipts.take("loudspeaker.mqtt", [*bad, Report("good", State.DELIVERED, await reference(county, "R1"))])
    assert sum(await joined(county)) == 1
    assert await state(county, "R1") == Rank.DELIVERED


async def test_a_dead_number_is_marked_and_never_called_again(county: County, warning: Warning, receipts: Receipts) -> None:
    ours = await reference(county, "R1")
    await receipts.take("sms.twilio", [Report("a", State.FAILED, ours, reason=Reason.RECIPIENT, code="21211")])
    await receipts.take(
        "sms.twilio", [Report("b", State.FAILED, await reference(county, "R7"), reason=Reason.REJECTED, code="30007")]
    )
    bad = "SELECT bad, updated_at FROM address WHERE recipient_id = :r AND channel = 'sms'"
    assert [tuple(found) for found in await county.rows(bad, r=county.people["R1"])] == [("21211", NOW)]
    assert (await county.rows(bad, r=county.people["R7"]))[0].bad is None
    assert "R1" not in {ref for ref, _ in await county.told(await county.plan(await county.warn(identifier="rain-2")))}


async def test_who_says_stop_is_not_called_on_that_channel_again(county: County, warning: Warning, receipts: Receipts) -> None:
    await receipts.take("sms.aliyun", [Report("a", reply="TD", address=R7, opt_out=True)])
    assert await joined(county) == [1]
    again = await county.told(await county.plan(await county.warn(identifier="rain-2")))
    assert {who for who in again if who[0] == "R7"} == {("R7", "push.jpush")}


async def test_a_receipt_is_kept_without_the_address(county: County, warning: Warning, receipts: Receipts) -> None:
    await receipts.take("sms.twilio", [Report("a", State.DELIVERED, await reference(county, "R1"), address=R1, reply="好")])
    kept = (await county.rows("SELECT * FROM receipt"))[0]
    assert bytes(kept.blind) == county.keys.blind("sms", R1)
    assert R1[3:] not in str(tuple(kept))
    assert (kept.state, kept.reply, kept.at) == (Rank.DELIVERED, "好", NOW)


async def test_nothing_to_take(county: County, receipts: Receipts) -> None:
    await receipts.take("sms.twilio", [])
    assert await joined(county) == []


async def test_one_persons_reports_are_read_again_as_they_came(county: County, warning: Warning, receipts: Receipts) -> None:
    """By reference, by the provider's id and the number; nobody else's, and only what came in the message's time."""
    found = await row(county, "R1")
    await accept(county, "R1", "SM1")
    name = make_reference(found.wave_id, found.recipient_id)
    async with county.store.read() as conn:
        said = await list_messages(conn, warning.id, found.recipient_id)
    message = next(one for one in said if one["wave"] == found.wave_id)
    provider = message["provider"]
    await receipts.take(
        provider,
        [
            Report("by-name", State.DELIVERED, name, detail="DELIVRD"),
            Report("by-id", State.DELIVERED, "", "SM1", address=R1),
            Report("others", State.DELIVERED, await reference(county, "R7"), "SM7", address=R7),
            Report("other-id", State.DELIVERED, "", "SM9", address=R1),
        ],
    )
    async with county.store.read() as conn:
        reports, whole = await list_reports(conn, message, found.recipient_id)
        assert (sorted(one.key for one in reports), whole) == (["by-id", "by-name"], True)
        early = message | {"handed_at": message["handed_at"] - 10**9, "settled_at": message["handed_at"] - 10**9}
        assert (await list_reports(conn, early, found.recipient_id))[0] == []
        bare = message | {"provider_id": None, "blind": None}
        assert [one.key for one in (await list_reports(conn, bare, found.recipient_id))[0]] == ["by-name"]
        assert (await count_used(conn, 0))[provider] > 0
