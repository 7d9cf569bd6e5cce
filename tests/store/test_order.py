"""Anything in any order: whatever happens to a warning's deliveries, states only rise and every count is what the rows are."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from town import MINUTE, County

from warnhub.crypto import make_reference
from warnhub.dispatch.failover import move_batches
from warnhub.feedback.acks import Ack, Acks, Evidence
from warnhub.feedback.receipts import Receipts
from warnhub.port import Report, State
from warnhub.store.batches import age_lanes, claim_batch, finish_batch, lose_batches, read_lines, renew_leases
from warnhub.store.ledger import Move, advance
from warnhub.store.states import Rank, effective_rank
from warnhub.store.warnings import Warning, end_warning

LANES = (1, 2, 3, 4)
SAID = (Rank.UNKNOWN, Rank.ACCEPTED, Rank.FAILED, Rank.DELIVERED, Rank.READ)
OUTCOMES = (Rank.ACCEPTED, Rank.FAILED, Rank.UNKNOWN, Rank.SUPPRESSED, Rank.DELIVERED)
ENDINGS = ("cancelled", "superseded", "expired")
Key = tuple[int, int]


class Life:
    """One warning and everything that may happen to it. Each act takes a number that says to whom."""

    def __init__(self, county: County, warning: Warning, keys: list[Key]) -> None:
        self.county = county
        self.store = county.store
        self.warning = warning
        self.keys = keys
        self.held: list[int] = []
        self.acks = Acks(self.store)
        self.receipts = Receipts(self.store, county.keys)
        self.ended = False
        self.acts: list[Callable[[int], Awaitable[None]]] = [
            self.claim, self.claim, self.work, self.work, self.give_back, self.give_up, self.say, self.report, self.confirm,
            self.tell, self.move, self.lose, self.wait, self.age, self.end,
        ]  # fmt: skip

    async def claim(self, n: int) -> None:
        """A worker takes a batch."""
        provider = ("sms.aliyun", "sms.twilio", "wechat.template", "push.fcm", "loudspeaker.mqtt")[n % 5]
        async with self.store.write() as tx:
            batch = await claim_batch(tx, provider, LANES, f"n{n % 3}", MINUTE)
        if batch is not None:
            assert batch.warning != self.warning.id or not self.ended
            self.held.append(batch.id)

    async def work(self, n: int) -> None:
        """Some of what it holds has an outcome; what has one for all is done."""
        if not self.held:
            return
        batch = self.held[n % len(self.held)]
        async with self.store.write() as tx:
            lines = await read_lines(tx.conn, batch)
            await advance(tx, [Move(batch, line.recipient, OUTCOMES[(n + i) % 5]) for i, line in enumerate(lines[: 1 + n % 2])])
            if len(lines) <= 1 + n % 2:
                await finish_batch(tx, batch, None)
                self.held.remove(batch)

    async def give_back(self, n: int) -> None:
        """It could not send, and will again."""
        if self.held:
            batch = self.held.pop(n % len(self.held))
            async with self.store.write() as tx:
                await finish_batch(tx, batch, tx.now + n % 5 * 1_000)

    async def give_up(self, n: int) -> None:
        """Nobody knows what became of it."""
        if self.held:
            batch = self.held.pop(n % len(self.held))
            async with self.store.write() as tx:
                lines = await read_lines(tx.conn, batch)
                await advance(tx, [Move(batch, line.recipient, Rank.UNKNOWN) for line in lines])
                await finish_batch(tx, batch, None)

    async def say(self, n: int) -> None:
        """The ledger is told a few things at once, some of them twice."""
        picked = [self.keys[(n + i * 7) % len(self.keys)] for i in range(1 + n % 4)]
        async with self.store.write() as tx:
            await advance(tx, [Move(*key, SAID[(n + i) % len(SAID)]) for i, key in enumerate(picked * 2)])

    async def report(self, n: int) -> None:
        """A provider reports, perhaps of somebody who was never called."""
        batch, recipient = self.keys[n % len(self.keys)]
        wave = (await self.county.rows("SELECT wave_id FROM batch WHERE id = :b", b=batch))[0][0]
        state = (State.DELIVERED, State.FAILED, State.READ)[n % 3]
        await self.receipts.take("sms.aliyun", [Report(f"{n}", state, reference=make_reference(wave, recipient))])

    async def confirm(self, n: int) -> None:
        """A person answers on their page."""
        batch, recipient = self.keys[n % len(self.keys)]
        wave = (await self.county.rows("SELECT wave_id FROM batch WHERE id = :b", b=batch))[0][0]
        await self.acks.take(Ack(wave, recipient, (Evidence.HUMAN, Evidence.MACHINE, Evidence.FETCHED)[n % 3]))

    async def tell(self, n: int) -> None:
        """A person is told by phone."""
        _, recipient = self.keys[n % len(self.keys)]
        await self.acks.take(Ack(0, recipient, Evidence.TOLD, self.warning.id, by="user:a"))

    async def move(self, n: int) -> None:
        """A provider stops; another takes over."""
        pair = ("sms.aliyun", "sms.twilio") if n % 2 else ("sms.twilio", "sms.aliyun")
        async with self.store.write() as tx:
            await move_batches(tx, *pair)

    async def lose(self, n: int) -> None:
        """Workers that were not heard of are gone."""
        async with self.store.write() as tx:
            await renew_leases(tx, "n0", MINUTE)
            lost = await lose_batches(tx, everything=n % 3 == 0)
        self.held = [batch for batch in self.held if batch not in lost]

    async def wait(self, n: int) -> None:
        """Time goes by."""
        self.county.hand.pass_by(n % 50 * 1_000)

    async def age(self, n: int) -> None:
        """What waits long rises."""
        async with self.store.write() as tx:
            await age_lanes(tx, minutes=0)

    async def end(self, n: int) -> None:
        """It is over, one time in eight."""
        if n % 8 == 0:
            async with self.store.write() as tx:
                await end_warning(tx, self.warning, ENDINGS[n % 3], "test")
            self.ended = True

    async def ranks(self) -> dict[Key, int]:
        """Where every delivery stands."""
        rows = await self.county.rows(
            "SELECT d.batch_id, d.recipient_id, d.state, b.state AS stage, b.attempt FROM batch b "
            "JOIN delivery d ON d.batch_id = b.id WHERE b.warning_id = :w",
            w=self.warning.id,
        )
        return {(row[0], row[1]): effective_rank(row.state, row.stage, row.attempt) for row in rows}


async def begin(county: County, number: int) -> Life:
    """A warning of its own, planned."""
    county.hand.pass_by(1_000)
    warning = await county.plan(await county.warn(identifier=f"rain-{number}"))
    life = Life(county, warning, [])
    life.keys = sorted(await life.ranks())
    return life


async def check(life: Life, before: dict[Key, int]) -> dict[Key, int]:
    """What must hold after every act."""
    after = await life.ranks()
    assert {key: rank for key, rank in after.items() if rank < before[key]} == {}
    await life.county.sound(life.warning)
    people = await life.county.rows(
        "SELECT (SELECT count(*) FROM target WHERE warning_id = :w) - "
        "(SELECT sum(n) FROM tally WHERE warning_id = :w AND channel = '')",
        w=life.warning.id,
    )
    assert people[0][0] == 0
    if life.ended:
        ready = "SELECT id FROM batch WHERE warning_id = :w AND state = 0"
        assert await life.county.rows(ready, w=life.warning.id) == []
    return after


numbers = iter(range(1, 10_000))
ACTS = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 200)), min_size=5, max_size=25)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
async def test_whatever_happens_the_counts_are_the_rows_and_nothing_falls(county: County, acts: list[tuple[int, int]]) -> None:
    life = await begin(county, next(numbers))
    ranks = await life.ranks()
    for act, n in acts:
        await life.acts[act](n)
        ranks = await check(life, ranks)


async def test_a_long_life(county: County) -> None:
    """The same over many acts, drawn once and for all."""
    chance: Any = random.Random(7)
    life = await begin(county, next(numbers))
    for _ in range(4):
        for _ in range(40):
            await life.acts[chance.randrange(14)](chance.randrange(10_000))
        await check(life, dict.fromkeys(await life.ranks(), 0))
    await life.end(0)
    await check(life, dict.fromkeys(await life.ranks(), 0))


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_crowd_at_once(county: County, seed: int) -> None:
    """Workers, carriers, people and officers on connections of their own: no deadlock, no miscount."""
    life = await begin(county, next(numbers))
    chance = random.Random(seed)

    async def one(acts: list[tuple[int, int]]) -> None:
        mine = Life(county, life.warning, life.keys)
        for act, n in acts:
            await mine.acts[act](n)

    plans = [[(chance.randrange(14), chance.randrange(10_000)) for _ in range(40)] for _ in range(6)]
    plans[0].insert(30, (14, 0))
    before = await life.ranks()
    await asyncio.gather(*(one(plan) for plan in plans))
    await check(life, before)
