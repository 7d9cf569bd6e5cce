"""Fifteen hundred who answer for others, of whom three in ten never answer: the ladder to the second."""

import asyncio
from collections import Counter

import pytest
from conftest import Opener
from town import COUNTY, GRID, NOW, TOWN, VILLAGE, County, Hand, build_county

from warnhub.channels import Provider, by_channel
from warnhub.crypto import KeyRing
from warnhub.feedback.acks import Ack, Acks, Evidence
from warnhub.feedback.escalation import Escalation
from warnhub.plan.loading import default_policy
from warnhub.port import ChannelSettings
from warnhub.roles import Role
from warnhub.store.recipients import Entry, save_entries
from warnhub.store.warnings import Warning
from warnhub.testing import Outbox

HEADS, WORKERS, SILENT, SECOND = 50, 1_450, 450, 1_000


@pytest.fixture
async def large(opened: Opener, hand: Hand, keys: KeyRing) -> County:
    """The small county with 1,450 grid workers and 50 village heads over them, and a telephone line."""
    county = await build_county(opened(hand), hand, keys)
    entries = [
        Entry(f"VH{n}", "person", Role.VILLAGE_HEAD.value, f"VH{n}", county.codes[VILLAGE], superior="T1", addresses=phone(n))
        for n in range(HEADS)
    ]
    for n in range(WORKERS):
        addresses, head = phone(1_000 + n), f"VH{n % HEADS}"
        entries.append(
            Entry(f"GW{n}", "person", Role.GRIDWORKER.value, f"GW{n}", county.codes[GRID], superior=head, addresses=addresses)
        )
    async with county.store.write() as tx:
        await tx.conn.exec_driver_sql("UPDATE recipient SET gone_at = 1 WHERE role IN ('village_head', 'gridworker')")
        await save_entries(tx, keys, entries)
    county.people = {row.ref: row.id for row in await county.rows("SELECT id, ref FROM recipient")}
    county.refs = {number: ref for ref, number in county.people.items()}
    voice = Provider("voice.twilio", "voice", Outbox(), ChannelSettings(rate=40))
    county.planner.channels = by_channel(county.providers | {"voice.twilio": voice})
    county.policies[max(county.policies)] = default_policy()
    assert (COUNTY, TOWN) == ("990123", "990123100")
    return county


def phone(n: int) -> dict[str, str]:
    """A number for each."""
    return {"sms": f"+86145{n:08}"}


async def play_on(county: County, end: int) -> None:
    """From one thing that is due to the next, until `end` seconds after the plan."""
    ladder = Escalation(county.store, county.planner)
    while county.hand.now < NOW + end * SECOND:
        query = "SELECT min(due_at) AS due FROM task WHERE state = 'open' AND due_at > :n"
        (row,) = await county.rows(query, n=county.hand.now)
        county.hand.now = min(row.due or NOW + end * SECOND, NOW + end * SECOND)
        async with asyncio.timeout(60):
            while await ladder.tick():
                continue


async def happened(county: County, kind: str) -> Counter[int]:
    """How many of a kind of event there were, by seconds after the plan; all at whole seconds."""
    rows = await county.rows("SELECT at - :n AS after FROM event WHERE kind = :k AND recipient_id IS NOT NULL", n=NOW, k=kind)
    assert all(row.after % SECOND == 0 for row in rows)
    return Counter(row.after // SECOND for row in rows)


async def calls(county: County, warning: Warning) -> Counter[int]:
    """How many calls there were to grid workers, by seconds after the plan."""
    rows = await county.rows(
        "SELECT v.at FROM wave v JOIN delivery d ON d.wave_id = v.id JOIN recipient r ON r.id = d.recipient_id "
        "WHERE v.warning_id = :w AND v.channel = 'voice' AND r.role = 'gridworker'",
        w=warning.id,
    )
    return Counter((row.at - NOW) // SECOND for row in rows)


async def test_the_ladder_is_exact_to_the_second(large: County) -> None:
    """Calls at 0:00, 2:00 and 4:00, the not woken and the doors at 5:00, the duty desk at 15:00, by hand at 17:00."""
    warning = await large.plan(await large.warn())
    assert await calls(large, warning) == {0: WORKERS}
    silent = {large.people[f"GW{n}"] for n in range(SILENT)}
    answering = [number for ref, number in large.people.items() if ref[:2] in {"GW", "VH"} and number not in silent]
    large.hand.pass_by(100 * SECOND)
    answers = [Ack(0, person, Evidence.TOLD, warning.id, "received", by="user:a") for person in answering]
    answers += [Ack(0, large.people[ref], Evidence.TOLD, warning.id, "received", by="user:a") for ref in ("D1", "T1")]
    async with large.store.write() as tx:
        await Acks(large.store).keep(tx, answers)
    await play_on(large, 1_200)
    assert await calls(large, warning) == {0: WORKERS, 120: SILENT, 240: SILENT}
    assert await happened(large, "unwoken") == {300: SILENT}
    assert await happened(large, "escalated") == {120: SILENT, 240: SILENT, 300: SILENT, 900: SILENT}
    late = await happened(large, "unanswered")
    assert late[1_020] == SILENT
    visits = await large.rows("SELECT recipient_id FROM task WHERE kind = 'visit'")
    assert {large.refs[row.recipient_id] for row in visits} == {f"VH{n}" for n in range(HEADS)}
    covers = await large.rows("SELECT count(*) FROM cover c JOIN task t ON t.id = c.task_id WHERE t.kind = 'visit'")
    assert covers[0][0] == SILENT
    await large.sound(warning)
