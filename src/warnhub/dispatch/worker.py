"""The worker: for each provider, claim by lane, hand over, record. Several batches of a provider run at once; the last of
its places is kept for the urgent lanes."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog
from sqlalchemy import text

from warnhub.bus.signals import Bus, wait_for
from warnhub.channels import Provider
from warnhub.config import Settings
from warnhub.crypto import KeyRing
from warnhub.dispatch.failover import pass_on, stop_provider
from warnhub.dispatch.handover import Done, Gate, Item, Many, batch_span, hand_crowd, hand_over
from warnhub.dispatch.living import Living
from warnhub.dispatch.packing import Load, Packer
from warnhub.dispatch.recording import Outcomes, record, record_all
from warnhub.dispatch.retry import ATTEMPTS, TURNS, Budget, Turn, retry_wait
from warnhub.dispatch.sharing import SharedThrottle
from warnhub.dispatch.throttle import URGENT, Throttle
from warnhub.dispatch.trunk import Trunk
from warnhub.dispatch.voicing import Voicing
from warnhub.dispatch.wordbook import Story, Wordbook
from warnhub.monitor.metrics import BATCHES, HANDED
from warnhub.port import Bulk, Lines, Reason, Receipt, SendError, State
from warnhub.store.audits import hold_audit
from warnhub.store.batches import Batch, Line, claim_batch, finish_batch, read_lines, renew_leases
from warnhub.store.covers import leave_answered
from warnhub.store.engine import TROUBLE, Store, patiently
from warnhub.store.group import Group
from warnhub.store.ledger import Move, advance
from warnhub.store.states import RANKS, Rank
from warnhub.store.taken import Part
from warnhub.store.timers import set_timer

PLACES = 4
LANES = (1, 2, 3, 4)
FLUSH = 500
RECORDED = 16
RESOLVE_AFTER = 5_000
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Drive:
    """One provider as the worker drives it."""

    provider: Provider
    throttle: Throttle
    trunk: Trunk | None = None
    budget: Budget = field(default_factory=Budget)
    running: int = 0
    stopped: str = ""


@dataclass(slots=True)
class Tally:
    """What a batch came to, for deciding what follows."""

    open: set[int]
    outcomes: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    config: SendError | None = None
    last: SendError | None = None


class Worker:
    """Drives every provider of this process until cancelled; `drain` lets it finish what it holds."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        settings: Settings,
        keys: KeyRing,
        providers: dict[str, Provider],
        wordbook: Wordbook,
        living: Living,
        node: str,
    ) -> None:
        self.store = store
        self.bus = bus
        self.settings = settings
        self.keys = keys
        self.wordbook = wordbook
        self.living = living
        self.node = node
        self.lease_ms = int(settings.lease_seconds * 1000)
        self.away = settings.lease_seconds
        self.chance = random.Random()  # noqa: S311 - jitter, not a secret
        self.lines = {
            name: Drive(provider, make_throttle(provider, settings, store), make_trunk(provider, store, bus))
            for name, provider in providers.items()
        }
        self.draining = False
        self.finished = asyncio.Event()
        self.wakes = {name: asyncio.Event() for name in providers}
        self.packer = Packer(settings, keys, wordbook, providers)
        self.voicing = Voicing(settings, keys, wordbook, providers, store)
        self.recorder: Group[Outcomes, None] = Group(store, record_all, most=RECORDED if store.sqlite else 1)

    async def run(self) -> None:
        """Serve every provider."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.spread(), name="worker-wake")
            group.create_task(self.renew(), name="worker-leases")
            for line in self.lines.values():
                group.create_task(self.serve(line), name=f"worker-{line.provider.name}")

    async def spread(self) -> None:
        """Wake every provider's loop when batches appear."""
        signal = self.bus.signal("batch")
        while True:
            signal.clear()
            for wake in self.wakes.values():
                wake.set()
            await wait_for(signal, 0.5)

    async def renew(self) -> None:
        """Keep the leases of what is being sent."""
        while True:
            await asyncio.sleep(self.settings.lease_seconds / 3)
            if any(line.running for line in self.lines.values()):
                await patiently(self.keep_leases, self.away)

    async def keep_leases(self) -> None:
        """Say that we are here."""
        async with self.store.write() as tx:
            await renew_leases(tx, self.node, self.lease_ms)

    async def drain(self, seconds: float = 8.0) -> None:
        """Take nothing new, and wait for what is in hand."""
        self.draining = True
        end = time.monotonic() + seconds
        while any(line.running for line in self.lines.values()) and time.monotonic() < end:
            self.finished.clear()
            await wait_for(self.finished, 0.5)

    async def serve(self, line: Drive) -> None:
        """One provider: claim what is most urgent whenever there is a place for it."""
        wake = self.wakes[line.provider.name]
        async with asyncio.TaskGroup() as group:
            while True:
                wake.clear()
                try:
                    await self.fill(line, group)
                except TROUBLE as error:  # a database that is away ends no batch that is in hand
                    log.warning("worker.waits", provider=line.provider.name, error=type(error).__name__)
                await wait_for(wake, 1.0)

    async def fill(self, line: Drive, group: asyncio.TaskGroup) -> None:
        """Begin with as many batches as there are places for."""
        if line.stopped and not self.draining:
            await self.hand_down(line)
        while not self.draining and not line.stopped and (lanes := open_lanes(line)):
            batch = await self.claim(line, lanes)
            if batch is None:
                break
            line.running += 1
            group.create_task(self.process(line, batch), name=f"batch-{batch.id}")

    async def hand_down(self, line: Drive) -> None:
        """What comes to a provider after it stopped goes to another of its channel."""
        if await self.is_due(line.provider.name):
            async with self.store.write() as tx:
                await pass_on(tx, line.provider, self.siblings(line.provider))

    async def claim(self, line: Drive, lanes: Sequence[int]) -> Batch | None:
        """The next batch; an idle provider asks without writing."""
        if not await self.is_due(line.provider.name):
            return None
        async with self.store.write() as tx:
            return await claim_batch(tx, line.provider.name, lanes, self.node, self.lease_ms)

    async def is_due(self, provider: str) -> bool:
        """Whether anything waits for this provider, by a question that takes no write lock."""
        async with self.store.read() as conn:
            now = await self.store.now(conn)
            query = text("SELECT 1 FROM batch WHERE provider = :p AND state = 0 AND due_at <= :now LIMIT 1")
            return (await conn.execute(query, {"p": provider, "now": now})).first() is not None

    async def process(self, line: Drive, batch: Batch) -> None:
        """One batch from claim to record. Whatever goes wrong in our own code leaves it unknown, never sent."""
        try:
            with batch_span("batch.send", batch):
                await self.send(line, batch)
        except Exception as error:
            log.error("batch.failed", batch=batch.id, provider=batch.provider, error=type(error).__name__, exc_info=error)
            await patiently(partial(self.give_up, batch, error), self.away)
        finally:
            line.running -= 1
            self.finished.set()
            self.wakes[line.provider.name].set()

    async def give_up(self, batch: Batch, error: Exception) -> None:
        """Nobody knows what of this batch was sent."""
        async with self.store.write() as tx:
            lines = await read_lines(tx.conn, batch.id)
            moves = [Move(batch.id, line.recipient, Rank.UNKNOWN, Reason.UNEXPECTED, type(error).__name__) for line in lines]
            await advance(tx, moves)
            await finish_batch(tx, batch.id, None, f"our error: {type(error).__name__}")

    async def send(self, line: Drive, batch: Batch) -> None:
        """Read, word, hand over, record, and decide what follows."""
        story, lines = await patiently(partial(self.read, batch), self.away)
        tally = Tally({entry.recipient for entry in lines})
        frame = self.packer.frame(story, batch)
        if isinstance(line.provider.adapter, Bulk) and not frame.page:
            rest = await self.send_crowds(line, batch, tally, *self.packer.crowds(story, batch, lines, frame))
        else:
            items, moves = self.packer.items(story, batch, lines)
            rest = await self.send_items(line, batch, tally, await self.voicing.lend(line.provider, batch, items), moves)
        await patiently(partial(self.conclude, line, batch, tally, rest), self.away)

    async def read(self, batch: Batch) -> tuple[Story, list[Line]]:
        """What a batch is about, and for whom; from here on the gate knows its warning."""
        await self.living.learn(batch.warning)
        story = await self.wordbook.story(batch.warning)
        await self.wordbook.recall(story, batch.wave)
        async with self.store.read() as conn:
            return story, await leave_answered(conn, batch, await read_lines(conn, batch.id))

    async def send_crowds(
        self, line: Drive, batch: Batch, tally: Tally, loads: Sequence[Load], moves: Sequence[Move]
    ) -> Outcomes:
        """Those who hear the same words, a call for many; gives what is to be recorded with the end of the batch."""
        told = Outcomes(list(moves))
        tally.open -= {move.recipient for move in moves}
        gate = self.make_gate(batch.warning)
        for people, crowd in loads:
            async for group in hand_crowd(line.provider, people, crowd, batch.lane, line.throttle, gate):
                for many in group:
                    self.judge_many(line, batch, many, tally, told)
        return told

    async def send_items(
        self, line: Drive, batch: Batch, tally: Tally, items: Sequence[Item], moves: Sequence[Move]
    ) -> Outcomes:
        """A message for each; outcomes are recorded as they come, and what is left of them given back."""
        told = Outcomes(list(moves))
        tally.open -= {move.recipient for move in moves}
        pending: list[asyncio.Task[None]] = []
        flushed = time.monotonic()
        gate = self.make_gate(batch.warning)
        async for group in hand_over(line.provider, items, batch.lane, line.throttle, gate, line.trunk):
            for done in group:
                self.judge_one(line, batch, done, tally, told)
            if told.size() >= FLUSH or time.monotonic() - flushed > 0.2:
                pending.append(asyncio.create_task(patiently(partial(self.recorder.put, told), self.away)))
                told, flushed = Outcomes(), time.monotonic()
        await asyncio.gather(*pending)
        return told

    def judge_many(self, line: Drive, batch: Batch, many: Many, tally: Tally, told: Outcomes) -> None:
        """What one outcome means for those who share it."""
        outcome = many.outcome
        if isinstance(outcome, Receipt) and outcome.state is State.ACCEPTED and len(many.recipients) > 1:
            line.budget.earn(len(many.recipients))
            tally.outcomes["accepted"] += len(many.recipients)
            whole = len(many.recipients) == len(tally.open) and not told.moves
            tally.open.difference_update(many.recipients)
            told.parts.append(Part(batch.id, outcome.provider_id or None, None if whole else many.recipients))
            return
        for person in many.recipients:
            self.judge_one(line, batch, Done(person, outcome), tally, told)

    def judge_one(self, line: Drive, batch: Batch, done: Done, tally: Tally, told: Outcomes) -> None:
        """What one outcome means for its message."""
        outcome = done.outcome
        if isinstance(outcome, Receipt) and outcome.state is State.ACCEPTED:
            line.budget.earn()
            tally.outcomes["accepted"] += 1
            tally.open.discard(done.recipient)
            told.take(batch.id, done.recipient, outcome.provider_id or None)
        elif move := self.judge(line, batch, done, tally):
            told.moves.append(move)

    def make_gate(self, warning: int) -> Gate:
        """The question asked right before each call."""
        return lambda recipient: self.living.stop_rank(warning, recipient, int(time.time() * 1000))

    def judge(self, line: Drive, batch: Batch, done: Done, tally: Tally) -> Move | None:
        """The state an outcome means; None while the message stays open to be tried again."""
        outcome = done.outcome
        if isinstance(outcome, Receipt):
            line.budget.earn()
            tally.outcomes["accepted"] += 1
            tally.open.discard(done.recipient)
            return Move(batch.id, done.recipient, RANKS[outcome.state], None, None, outcome.provider_id or None)
        if isinstance(outcome, Rank):
            tally.open.discard(done.recipient)
            tally.outcomes[outcome.name.lower()] += 1
            return Move(batch.id, done.recipient, outcome, "gate")
        tally.outcomes[outcome.reason.value] += 1
        turn = TURNS[outcome.reason]
        tally.last = outcome
        if turn is Turn.STOP:
            tally.config = outcome
            return None
        if turn is Turn.WAIT:
            if outcome.reason is Reason.THROTTLED:
                line.throttle.pause(outcome.retry_after or 1.0)
            return None
        tally.open.discard(done.recipient)
        if turn is Turn.UNKNOWN:
            tally.unknown += 1
            return Move(batch.id, done.recipient, Rank.UNKNOWN, outcome.reason, outcome.code)
        return Move(batch.id, done.recipient, Rank.FAILED, outcome.reason, outcome.code)

    async def conclude(self, line: Drive, batch: Batch, tally: Tally, told: Outcomes) -> None:
        """Record what is left to record and close the batch, or give back what is still open; ask later about what is
        unknown."""
        BATCHES.labels(batch.provider).inc()
        for outcome, n in tally.outcomes.items():
            HANDED.labels(batch.provider, outcome).inc(n)
        async with self.store.write() as tx:
            if tally.config is not None:
                await hold_audit(tx)
            await record(tx, told)
            if tally.unknown:
                await set_timer(tx, "resolve", batch.warning, tx.now + RESOLVE_AFTER, {"batch": batch.id})
            if not tally.open:
                await finish_batch(tx, batch.id, None)
                return
            if tally.config is not None:
                line.stopped = tally.config.code or "config"
                await finish_batch(tx, batch.id, tx.now + 1_000, "provider stopped")
                await stop_provider(tx, line.provider, self.siblings(line.provider), tally.config)
                log.error("provider.stopped", provider=line.provider.name, code=tally.config.code)
                return
            if batch.attempt >= ATTEMPTS:
                code = f"gave-up:{tally.last.code}" if tally.last else "gave-up"
                await advance(tx, [Move(batch.id, person, Rank.FAILED, Reason.UNREACHABLE, code) for person in tally.open])
                await finish_batch(tx, batch.id, None, f"gave up after {batch.attempt} attempts")
                return
            wait = retry_wait(batch.attempt, tally.last, self.chance) if line.budget.spend() else 60.0
            note = f"{tally.last.reason.value} {tally.last.code}" if tally.last else ""
            await finish_batch(tx, batch.id, tx.now + int(wait * 1000), note)

    def siblings(self, provider: Provider) -> list[Provider]:
        """Running providers that can take over."""
        return [
            line.provider
            for line in self.lines.values()
            if line.provider.channel == provider.channel and line.provider.name != provider.name and not line.stopped
        ]

    def resume(self, provider: str) -> None:
        """An operator has put the provider right."""
        self.lines[provider].stopped = ""
        self.wakes[provider].set()


def make_throttle(provider: Provider, settings: Settings, store: Store) -> Throttle:
    """The limits of a provider's account, shared with the other workers if there are any."""
    given = provider.settings
    if settings.scaled:
        return SharedThrottle(store, provider.name, given.rate, parallel=given.parallel)
    return Throttle(given.rate, parallel=given.parallel)


def make_trunk(provider: Provider, store: Store, bus: Bus) -> Trunk | None:
    """The lines of a provider, if what it sends takes one."""
    adapter: object = provider.adapter
    return Trunk(store, bus, provider.name, adapter.lines, adapter.longest) if isinstance(adapter, Lines) else None


def open_lanes(line: Drive) -> Sequence[int]:
    """The lanes this provider has a place for: the last place is for red and orange."""
    if line.running >= PLACES:
        return ()
    return LANES if line.running < PLACES - 1 else LANES[:URGENT]
