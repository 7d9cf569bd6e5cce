"""Whatever comes in whatever order – receipts, answers, tasks, calls that end, cancels, timers, crashes – nothing goes back,
nothing is lost, and nothing that has ended is sent."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from town import NOW, County, Hand, build_county

from warnhub.bus.local import LocalBus
from warnhub.channels import Provider, by_channel
from warnhub.crypto import KeyRing, make_key, make_reference
from warnhub.desk import Desk, Refusal
from warnhub.dispatch.living import Living
from warnhub.dispatch.trunk import Trunk
from warnhub.feedback.acks import HUMAN, Ack, Acks, Evidence
from warnhub.feedback.clock import Clock
from warnhub.feedback.escalation import Escalation
from warnhub.feedback.receipts import Receipts
from warnhub.plan.duties import is_task
from warnhub.plan.loading import default_policy
from warnhub.plan.planner import Planner
from warnhub.port import ChannelSettings, Report, State
from warnhub.response.build import make_responder
from warnhub.response.responder import Responder
from warnhub.store.batches import Batch, claim_batch, finish_batch, lose_batches, read_lines
from warnhub.store.covers import leave_answered
from warnhub.store.engine import Store
from warnhub.store.ledger import Move, advance
from warnhub.store.migrate import upgrade_store
from warnhub.store.states import Rank, effective_rank
from warnhub.store.warnings import Warning
from warnhub.testing import Outbox

ENDED = {"done", "covered"}
STEPS = {"open": 0, "late": 1, "done": 2, "closed": 2}
LEASE = 60_000
VOICE, LINES, LONGEST = "voice.twilio", 2, 90


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, County]:
    """A county in a file, to be copied for each history."""
    path = tmp_path_factory.mktemp("orders") / "base.sqlite3"

    async def make() -> County:
        store = Store(f"sqlite:///{path}", Hand())
        await upgrade_store(store)
        county = await build_county(store, Hand(), KeyRing(make_key()))
        await store.close()
        return county

    return path, asyncio.run(make())


@dataclass(slots=True)
class History:
    """One county, one warning, and what was seen of it."""

    county: County
    warning: Warning
    living: Living
    clock: Clock
    ladder: Escalation
    responder: Responder
    trunk: Trunk
    held: list[Batch] = field(default_factory=list)
    ranks: dict[tuple[int, int], int] = field(default_factory=dict)
    tasks: dict[int, str] = field(default_factory=dict)
    asked: dict[int, str] = field(default_factory=dict)
    air: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    called: int = 0
    told: int = 0
    over: bool = False

    async def wait(self, seconds: int) -> None:
        """Time goes by."""
        self.county.hand.pass_by(seconds * 1_000)

    async def sleep(self, number: int) -> None:
        """Up to two hours go by, as far as deadlines of tasks are apart."""
        self.county.hand.pass_by(number * 20_000)

    async def tick(self, number: int) -> None:
        """A node looks what is due: timers, the ladder, or tasks and plans."""
        await (self.clock.tick, self.ladder.tick, self.responder.tick)[number % 3]()

    async def respond(self, number: int) -> None:
        """What follows from the warning is set going, perhaps by another node and once more."""
        await self.responder.planned(str(self.warning.id), {})

    async def work(self, number: int) -> None:
        """Somebody has done what they had to."""
        rows = await self.county.rows("SELECT id, owner_id FROM assignment WHERE owner_id IS NOT NULL ORDER BY id")
        if rows:
            row = rows[number % len(rows)]
            await self.responder.done(row.id, f"recipient:{row.owner_id}", "都到位了", row.owner_id)

    async def claim(self, number: int) -> None:
        """A worker takes a batch."""
        names = sorted(self.county.providers)
        async with self.county.store.write() as tx:
            batch = await claim_batch(tx, names[number % len(names)], (1, 2, 3, 4), "node", LEASE)
        if batch:
            assert not self.over, "a batch of an ended warning was claimed"
            self.held.append(batch)

    async def send(self, number: int) -> None:
        """A worker hands over what it holds: what the gate lets through is accepted, unknown or fails."""
        if not self.held:
            return
        batch = self.held.pop(number % len(self.held))
        await self.living.learn(batch.warning)
        async with self.county.store.read() as conn:
            lines = await leave_answered(conn, batch, await read_lines(conn, batch.id))
            cause = str(await conn.scalar(text("SELECT cause FROM wave WHERE id = :v"), {"v": batch.wave}))
        moves, left, given = [], False, (Rank.ACCEPTED, Rank.UNKNOWN, Rank.FAILED)[number % 3]
        for line in lines:
            rank = self.living.stop_rank(batch.warning, line.recipient, self.county.hand.now)
            if rank is None and line.blocked:
                rank = Rank.SUPPRESSED
            if rank is None and batch.provider == VOICE and not await self.dial(batch, line.recipient, given):
                left = True
                continue
            if rank is None:
                assert not self.over, "something was sent after the end"
                assert not is_task(cause) or await self.owes(line.recipient), "somebody is told of a task that is done"
                self.sent += 1
                self.called += batch.provider == VOICE
                self.told += is_task(cause)
            moves.append(Move(batch.id, line.recipient, rank or given))
        async with self.county.store.write() as tx:
            await advance(tx, moves)
            await finish_batch(tx, batch.id, tx.now + 1_000 if left else None)

    async def owes(self, person: int) -> bool:
        """Whether somebody has a task that is not done, or hears of one that is late."""
        theirs = "owner_id = :r OR raised_id = :r OR stage >= 3"
        alive = f"SELECT 1 FROM assignment WHERE state IN ('open', 'late') AND ({theirs}) LIMIT 1"
        return bool(await self.county.rows(alive, r=person))

    async def dial(self, batch: Batch, person: int, outcome: Rank) -> bool:
        """A line for a call; it stays taken while somebody may be on it. False if none is free."""
        reference = make_reference(batch.wave, person)
        if not await self.trunk.take(reference):
            return False
        assert reference not in self.air or self.air[reference] <= self.county.hand.now, "somebody is called twice at once"
        if outcome is Rank.FAILED:
            await self.trunk.leave(reference)
        else:
            self.air[reference] = self.county.hand.now + LONGEST * 1_000
        return True

    async def hang_up(self, number: int) -> None:
        """A call has ended, and is heard of by whichever node, perhaps twice, perhaps long after its line was another's."""
        if self.air:
            reference = sorted(self.air)[number % len(self.air)]
            state = (State.READ, State.FAILED, State.DELIVERED)[number % 3]
            report = Report(f"end:{reference}", state, reference, over=True)
            await Receipts(self.county.store, self.county.keys).take(VOICE, [report, report])
            del self.air[reference]

    async def crash(self, number: int) -> None:
        """A node is gone with what it held; another notices."""
        self.held.clear()
        async with self.county.store.write() as tx:
            await lose_batches(tx, everything=True)

    async def receipt(self, number: int) -> None:
        """A carrier says something of some message, maybe for the second time."""
        rows = await self.county.rows("SELECT wave_id, recipient_id FROM delivery ORDER BY wave_id, recipient_id")
        if rows:
            row = rows[number % len(rows)]
            state = (State.DELIVERED, State.FAILED, State.READ, State.ACCEPTED)[number % 4]
            report = Report(f"k{number}", state, make_reference(row.wave_id, row.recipient_id))
            await Receipts(self.county.store, self.county.keys).take("sms.aliyun", [report, report])

    async def answer(self, number: int) -> None:
        """Somebody, or something, answers by some way."""
        people = sorted(self.county.people.values())
        evidence = list(Evidence)[number % len(Evidence)]
        choice = ("received", "moved", "help", "cannot")[number % 4]
        ack = Ack(0, people[number % len(people)], evidence, self.warning.id, choice, by="user:a" if number % 2 else "")
        await Acks(self.county.store).take(ack)

    async def plan(self, number: int) -> None:
        """The plan is carried out again, by another node."""
        await self.county.planner.plan(str(self.warning.id), {})

    async def cancel(self, number: int) -> None:
        """The desk ends it, or it is over already."""
        try:
            await self.county.desk.cancel(self.warning.uid, "user:a", "停", all_clear=False)
        except Refusal:  # it has ended by itself
            (state,) = (await self.county.rows("SELECT state FROM warning WHERE id = :w", w=self.warning.id))[0]
            if state == "released":
                raise
        self.over = True

    async def look(self) -> None:
        """What must be so after each of these."""
        county = self.county
        await county.sound(self.warning)
        rows = await county.rows(
            "SELECT d.batch_id, d.recipient_id, d.state, b.state AS stage, b.attempt "
            "FROM delivery d JOIN batch b ON b.id = d.batch_id"
        )
        ranks = {(row.batch_id, row.recipient_id): effective_rank(row.state, row.stage, row.attempt) for row in rows}
        assert self.ranks.keys() <= ranks.keys(), "a delivery is gone"
        assert all(ranks[key] >= rank for key, rank in self.ranks.items()), "a state went back"
        tasks = {row.id: row.state for row in await county.rows("SELECT id, state FROM task WHERE kind = 'confirm'")}
        assert all(tasks[key] in ENDED for key, state in self.tasks.items() if state in ENDED), "a task was opened again"
        self.ranks, self.tasks = ranks, tasks
        asked = {row.id: row.state for row in await county.rows("SELECT id, state FROM assignment")}
        assert self.asked.keys() <= asked.keys(), "what somebody was asked is gone"
        assert all(STEPS[asked[key]] >= STEPS[state] for key, state in self.asked.items()), "what was asked went back"
        assert all(asked[key] == state for key, state in self.asked.items() if STEPS[state] == 2), "what was over has changed"
        self.asked = asked
        now = county.hand.now
        busy = {row.reference for row in await county.rows("SELECT reference FROM line WHERE until > :now", now=now)}
        assert len(busy) <= LINES, "more calls in the air than lines"
        assert busy == {reference for reference, until in self.air.items() if until > now}, "a line is not the call's"
        confirmed = {row[0] for row in await county.rows("SELECT recipient_id FROM target WHERE state = 80")}
        people = {row[0] for row in await county.rows("SELECT recipient_id FROM ack WHERE human")}
        assert confirmed <= people, "somebody is confirmed whom nobody heard"
        done = {row[0] for row in await county.rows("SELECT recipient_id FROM task WHERE kind = 'confirm' AND state = 'done'")}
        assert done <= people
        (state,) = (await county.rows("SELECT state FROM warning WHERE id = :w", w=self.warning.id))[0]
        self.over = self.over or state != "released"


ACTS = (
    *("wait", "wait", "sleep", "tick", "tick", "tick", "tick", "claim", "claim", "claim", "send", "send", "send"),
    *("crash", "receipt", "answer", "plan", "respond", "work", "hang_up", "cancel"),
)
Steps = list[tuple[str, int]]
HISTORIES = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 400)), min_size=5, max_size=40)


async def play(base: tuple[Path, County], steps: Steps) -> History:
    """One history from the release on, as it ended."""
    with tempfile.TemporaryDirectory() as folder:
        hand = Hand()
        store = Store(f"sqlite:///{shutil.copy(base[0], folder)}", hand)
        voice = Provider("voice.twilio", "voice", Outbox(), ChannelSettings(rate=4))
        providers = base[1].providers | {"voice.twilio": voice}
        policies = {max(base[1].policies): default_policy()}
        county = replace(
            base[1],
            store=store,
            hand=hand,
            providers=providers,
            policies=policies,
            desk=Desk(store, base[1].desk.settings, base[1].planner.places, policies),
            planner=Planner(store, base[1].planner.places, policies, by_channel(providers)),
        )
        try:
            onset = datetime.fromtimestamp(NOW / 1000, UTC) + timedelta(hours=4)
            warning = await county.plan(await county.warn(hazard="11B01", onset=onset))
            history = History(
                county,
                warning,
                Living(store),
                Clock(store, county.planner),
                Escalation(store, county.planner),
                make_responder(store, county.desk.settings, county.desk.places, policies, county.planner),
                Trunk(store, LocalBus(store), VOICE, LINES, LONGEST),
            )
            for act, number in steps:
                do: Callable[[int], Awaitable[Any]] = getattr(history, act)
                await do(number)
                await history.look()
            assert history.sent <= len(history.ranks)
            return history
        finally:
            await store.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORIES)
def test_no_order_of_anything_breaks_the_ledger(base: tuple[Path, County], steps: Steps) -> None:
    asyncio.run(play(base, steps))


def test_a_history_in_which_everything_happens(base: tuple[Path, County]) -> None:
    """So that the one above is about what it says: tasks are told, calls are made and end, and some of it is late."""
    steps: Steps = [("respond", 0)]
    for number in range(60):
        steps += [("sleep", 10), ("tick", number), ("claim", number), ("send", number * 3), ("hang_up", number)]
    history = asyncio.run(play(base, steps))
    assert history.sent > 10
    assert {"late", "open"} & set(history.asked.values())
    assert history.called > 2
    assert history.told > 2


def test_what_counts_as_human_is_the_end_of_one_order() -> None:
    order = list(Evidence)
    assert set(order[order.index(Evidence.REPLY) :]) == HUMAN
    assert {Evidence.FETCHED, Evidence.MACHINE, Evidence.REPORT}.isdisjoint(HUMAN)
