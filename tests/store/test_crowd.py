"""Fifteen hundred people who answer for others, three in ten of whom never answer: the ladder to the second, by a clock set by
hand. (`benchmarks/ladder.py` holds it against the real clock while a hundred thousand others are told.)"""

import asyncio
import random
from collections import defaultdict

import orjson
import pytest
from town import GRID, GRID2, NOW, County, person

from warnhub.channels import Provider, by_channel
from warnhub.feedback.acks import Ack, Acks, Evidence
from warnhub.feedback.escalation import Escalation
from warnhub.plan.loading import default_policy
from warnhub.port import ChannelSettings
from warnhub.roles import Role
from warnhub.store.recipients import save_entries
from warnhub.store.tallies import PEOPLE
from warnhub.testing import Outbox

PEOPLE_ASKED, SILENT = 1_500, 0.3
SECOND, SLOT = 1_000, 5_000
RUNGS = ((120, "again"), (240, "deputy"), (300, "superior"), (900, "duty_desk"))
"""勉县, as it ships: called at once, at two and at four minutes; at five the superior goes to the door; the desk at fifteen."""

LATE = 1_020
END = 1_200


@pytest.fixture
async def crowd(county: County) -> County:
    """The policy WarnHub comes with, a telephone line, and 1,500 gridworkers under one village head."""
    voice = Provider("voice.twilio", "voice", Outbox(), ChannelSettings(rate=10))
    county.planner.channels = by_channel({**county.providers, "voice.twilio": voice})
    county.policies[max(county.policies)] = default_policy()
    entries = [
        person(f"C{n:04}", Role.GRIDWORKER, (GRID, GRID2)[n % 2], county.codes, sms=f"+861470000{n:04}", superior="H1")
        for n in range(PEOPLE_ASKED)
    ]
    async with county.store.write() as tx:
        await save_entries(tx, county.keys, entries)
    for row in await county.rows("SELECT id, ref FROM recipient"):
        county.people[row.ref], county.refs[row.id] = row.id, row.ref
    return county


def draw_answers(seed: int) -> dict[str, int | None]:
    """Who answers how many milliseconds after the release; None never does. Nobody answers on the stroke of a rung."""
    chance = random.Random(seed)
    refs = [f"C{n:04}" for n in range(PEOPLE_ASKED)]
    silent = set(chance.sample(refs, int(PEOPLE_ASKED * SILENT)))
    return {ref: None if ref in silent else int(chance.expovariate(1 / 150) * SECOND) // SLOT * SLOT + 2_500 for ref in refs}


def expected(answers: dict[str, int | None]) -> dict[str, list[tuple[int, str]]]:
    """Each person's rungs, worked out by hand: those before they answered."""
    return {
        ref: [(second * SECOND, step) for second, step in RUNGS if at is None or second * SECOND < at]
        for ref, at in answers.items()
    }


async def climb(county: County, until: int) -> None:
    """Let the clock run from one thing that is due to the next, as far as `until`."""
    ladder = Escalation(county.store, county.planner)
    while True:
        (row,) = await county.rows("SELECT min(due_at) AS due FROM task WHERE state = 'open'")
        if row.due is None or row.due > until:
            county.hand.now = until
            return
        county.hand.now = max(county.hand.now, row.due)
        async with asyncio.timeout(60):
            while await ladder.tick():
                continue


@pytest.mark.timeout(400)
async def test_the_timeline_of_fifteen_hundred_is_exact_to_the_second(crowd: County) -> None:
    answers, acks = draw_answers(7), Acks(crowd.store)
    warning = await crowd.plan(await crowd.warn())
    assert len(await crowd.tasks(warning)) >= PEOPLE_ASKED
    slots: dict[int, list[str]] = defaultdict(list)
    for ref, at in answers.items():
        if at is not None and at < END * SECOND:
            slots[at].append(ref)
    for at, refs in sorted(slots.items()):
        await climb(crowd, NOW + at)
        given = [Ack(0, crowd.people[ref], Evidence.TOLD, warning.id, "received", by="user:a") for ref in refs]
        async with crowd.store.write() as tx:
            await acks.keep(tx, given)
    await climb(crowd, NOW + END * SECOND)

    wanted = expected(answers)
    rungs: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in await crowd.rows("SELECT recipient_id, at, data FROM event WHERE kind = 'escalated' ORDER BY at, id"):
        data = row.data if isinstance(row.data, dict) else orjson.loads(row.data)
        rungs[crowd.refs[row.recipient_id]].append((row.at - NOW, data["step"]))
    assert {ref: rungs[ref] for ref in wanted} == wanted
    called: dict[str, list[int]] = defaultdict(list)
    query = (
        "SELECT d.recipient_id, v.at FROM wave v JOIN delivery d ON d.wave_id = v.id WHERE v.channel = 'voice' ORDER BY v.at"
    )
    for row in await crowd.rows(query):
        called[crowd.refs[row.recipient_id]].append(row.at - NOW)
    calls = {ref: [0, *(at for at, _ in found if at <= 240 * SECOND)] for ref, found in wanted.items()}
    assert {ref: called[ref] for ref in wanted} == calls, "called three times within five minutes, or until they answer"

    rows = await crowd.rows("SELECT recipient_id FROM task WHERE unwoken_at IS NOT NULL")
    unwoken = {crowd.refs[row.recipient_id] for row in rows} & set(answers)
    assert unwoken == {ref for ref, found in wanted.items() if len(found) >= 3}
    rows = await crowd.rows("SELECT recipient_id, at FROM event WHERE kind = 'unanswered'")
    late = {crowd.refs[row.recipient_id]: row.at - NOW for row in rows if crowd.refs[row.recipient_id] in answers}
    assert late == {ref: LATE * SECOND for ref, at in answers.items() if at is None or at > LATE * SECOND}
    tasks = await crowd.tasks(warning)
    done = {ref for ref in answers if tasks[ref][0] == "done"}
    assert done == {ref for ref, at in answers.items() if at is not None and at < END * SECOND}
    (row,) = await crowd.rows("SELECT sum(n) AS n FROM tally WHERE warning_id = :w AND channel = :c", w=warning.id, c=PEOPLE)
    assert row.n == len(await crowd.targets(warning))
    await crowd.sound(warning)
