"""Unknown outcomes: ask the provider, or repeat where a repeat is known, or do what policy says; counted either way."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import text

from warnhub.alert import Level
from warnhub.channels import Provider
from warnhub.dispatch.handover import Item, Outcome, batch_span, call_span, hand_over
from warnhub.dispatch.worker import Drive, Worker
from warnhub.plan.cutting import next_round
from warnhub.plan.planner import Planner
from warnhub.port import Bulk, Lookup, Outgoing, Reason, Receipt, Repeatable, SendError
from warnhub.roles import Role
from warnhub.store.audits import add_event
from warnhub.store.batches import COLUMNS, Batch, Line
from warnhub.store.engine import Store, Tx
from warnhub.store.ledger import Move, advance, hold_warnings
from warnhub.store.rows import pack_rows, rows_table
from warnhub.store.states import RANKS, Rank
from warnhub.store.timers import set_timer
from warnhub.store.warnings import LIVING, read_warning

ASKS = 5
EARLIER = 24 * 3_600_000
"""How far back the other messages of the same people are told to whoever looks one up."""

RESENDS = 2
"""Further rounds on a channel whose outcomes stay unknown: a provider that hangs must not make one warning into many."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of one unknown message: `move` for the ledger, `resend` to tell the person anew, `ask` to ask again."""

    recipient: int
    move: Move | None = None
    resend: bool = False
    ask: bool = False


class Resolver:
    """Looks into the unknown deliveries of a batch, some seconds after its calls."""

    def __init__(self, store: Store, planner: Planner, worker: Worker) -> None:
        self.store = store
        self.planner = planner
        self.worker = worker

    async def resolve(self, key: str, data: dict[str, Any]) -> None:
        """The batch with id `key`; `data["asked"]` counts the times it was asked about."""
        batch, lines = await self.read_unknown(int(key))
        if batch is None or not lines:
            return
        with batch_span("batch.resolve", batch):
            story = await self.worker.wordbook.story(batch.warning)
            await self.worker.wordbook.recall(story, batch.wave)
            await self.worker.living.learn(batch.warning)
            items, broken = self.worker.packer.items(story, batch, lines)
            asked = await self.recall(batch, items)
            findings = [Finding(move.recipient, move) for move in broken] + await self.look_into(batch, asked)
            await self.conclude(batch, findings, int(data.get("asked", 0)))

    async def recall(self, batch: Batch, items: Sequence[Item]) -> list[Item]:
        """The messages with what a provider needs to tell them from others to the same people."""
        source = rows_table(self.store.sqlite, recipient="int")
        async with self.store.read() as conn:
            began = await conn.scalar(text("SELECT at FROM wave WHERE id = :v"), {"v": batch.wave})
            rows = await conn.execute(
                text(
                    f"SELECT d.recipient_id, d.provider_id FROM {source} AS k CROSS JOIN wave v "
                    "JOIN delivery d ON d.wave_id = v.id AND d.recipient_id = k.recipient AND d.provider_id IS NOT NULL "
                    "WHERE v.channel = :c AND v.id <> :v AND v.at >= :since"
                ),
                {
                    "rows": pack_rows((item.recipient,) for item in items),
                    "c": batch.channel,
                    "v": batch.wave,
                    "since": int(began or 0) - EARLIER,
                },
            )
            others: dict[int, set[str]] = defaultdict(set)
            for row in rows:
                others[row.recipient_id].add(row.provider_id)
        since = datetime.fromtimestamp(int(began or 0) / 1000, UTC)
        return [
            item._replace(message=replace(item.message, since=since, others=frozenset(others[item.recipient])))
            for item in items
        ]

    async def look_into(self, batch: Batch, items: Sequence[Item]) -> list[Finding]:
        """Message by message; but where a provider knows a repeat of many by all of them together, all together."""
        drive = self.worker.lines.get(batch.provider)
        adapter: object = drive.provider.adapter if drive else None
        if drive and isinstance(adapter, Repeatable) and adapter.repeatable and isinstance(adapter, Bulk):
            return await self.repeat_all(drive, batch, items)
        slots = asyncio.Semaphore(drive.provider.settings.parallel if drive else 1)

        async def look(item: Item) -> Finding:
            async with slots:
                return await self.find(drive.provider if drive else None, batch, item.recipient, item.message)

        return await asyncio.gather(*(look(item) for item in items))

    async def read_unknown(self, number: int) -> tuple[Batch | None, list[Line]]:
        """A batch and its recipients whose outcome is not known."""
        async with self.store.read() as conn:
            row = (
                await conn.execute(
                    text(f"SELECT {COLUMNS}, state FROM batch WHERE id = :b"),
                    {"b": number},
                )
            ).first()
            if row is None:
                return None, []
            lost = "OR d.state <= 10" if row.state == 6 else ""
            found = await conn.execute(
                text(
                    "SELECT d.recipient_id, a.value, r.language, NULL FROM delivery d JOIN address a ON a.id = d.address_id "
                    f"JOIN recipient r ON r.id = d.recipient_id WHERE d.batch_id = :b AND (d.state = 30 {lost})"
                ),
                {"b": number},
            )
            return Batch(*row[:-1]), [Line._make(line) for line in found.all()]

    async def find(self, provider: Provider | None, batch: Batch, recipient: int, message: Outgoing) -> Finding:
        """One message: by the provider's memory, by a safe repeat, or by policy."""
        adapter: object = provider.adapter if provider else None
        try:
            if isinstance(adapter, Lookup):
                receipt = await adapter.find(message)
                if receipt is None:
                    move = Move(batch.id, recipient, Rank.FAILED, Reason.UNKNOWN, "not-at-provider")
                    return Finding(recipient, move, resend=True)
                return Finding(recipient, taken(batch, recipient, receipt))
            if isinstance(adapter, Repeatable) and adapter.repeatable:
                return await self.repeat(provider, batch, recipient, message)
        except SendError as error:
            return Finding(recipient, ask=error.reason is not Reason.CONFIG)
        warning = (await self.worker.wordbook.story(batch.warning)).warning
        policy = self.planner.policies[warning.policy]
        return Finding(recipient, resend=policy.unknown.resends(Level(warning.level)))

    async def repeat(self, provider: Provider | None, batch: Batch, recipient: int, message: Outgoing) -> Finding:
        """Send again under the same reference; the provider knows a repeat. The gate stands here too."""
        assert provider is not None
        drive = self.worker.lines[provider.name]
        async with drive.throttle.call(batch.lane):
            if self.worker.make_gate(batch.warning)(recipient) is not None:
                return Finding(recipient)
            with call_span(provider, 1):
                try:
                    return repeated(batch, recipient, await provider.adapter.send(message))
                except SendError as error:
                    return repeated(batch, recipient, error)

    async def repeat_all(self, drive: Drive, batch: Batch, items: Sequence[Item]) -> list[Finding]:
        """Send a batch's unknown messages again, in the calls that they went out in."""
        findings: list[Finding] = []
        gate = self.worker.make_gate(batch.warning)
        async for group in hand_over(drive.provider, items, batch.lane, drive.throttle, gate):
            for done in group:
                stopped = isinstance(done.outcome, Rank)
                findings.append(Finding(done.recipient) if stopped else repeated(batch, done.recipient, done.outcome))
        return findings

    async def conclude(self, batch: Batch, findings: list[Finding], asked: int) -> None:
        """Record what was found, tell anew whom it must, ask again about the rest a bounded number of times."""
        counts = Counter(
            "found" if f.move and f.move.state != Rank.FAILED else "resend" if f.resend else "open" for f in findings
        )
        async with self.store.write() as tx:
            await hold_warnings(tx, [batch.warning])
            await advance(tx, [finding.move for finding in findings if finding.move])
            warning = await read_warning(tx.conn, batch.warning)
            again = [finding.recipient for finding in findings if finding.resend]
            if again and warning is not None and warning.state == LIVING:
                await self.resend(tx, batch, again, asked)
            if any(finding.ask for finding in findings) and asked + 1 < ASKS:
                wait = 10_000 * 2**asked
                await set_timer(tx, "resolve", batch.warning, tx.now + wait, {"batch": batch.id, "asked": asked + 1})
            await add_event(tx, batch.warning, "resolved", "policy", {"batch": batch.id} | dict(counts))

    async def resend(self, tx: Tx, batch: Batch, people: list[int], asked: int) -> None:
        """A further round on the same channel, with references of its own."""
        warning = await read_warning(tx.conn, batch.warning)
        assert warning is not None
        cause = f"resend:{batch.round}"
        tries = await tx.conn.scalar(
            text("SELECT count(*) FROM wave WHERE warning_id = :w AND channel = :c AND cause LIKE 'resend:%' AND cause <> :k"),
            {"w": batch.warning, "c": batch.channel, "k": cause},
        )
        if int(tries or 0) >= RESENDS:
            data = {"channel": batch.channel, "people": len(people), "after": RESENDS}
            await add_event(tx, batch.warning, "resend_given_up", "policy", data)
            return
        known = await tx.conn.scalar(
            text("SELECT round FROM wave WHERE warning_id = :w AND channel = :c AND cause = :k"),
            {"w": batch.warning, "c": batch.channel, "k": cause},
        )
        round_ = int(known) if known else await next_round(tx, batch.warning)
        story = await self.worker.wordbook.story(batch.warning)
        rule = story.rules[Role(batch.role)]
        assert rule is not None
        await self.planner.cut_channel(
            tx,
            warning,
            batch.role,
            batch.town,
            batch.channel,
            rule,
            round_=round_,
            cause=cause,
            part=f":{batch.id}:{asked}",
            people=tuple(people),
        )


def repeated(batch: Batch, recipient: int, outcome: Outcome) -> Finding:
    """What a repeat came to; whoever may still have it is asked about again."""
    if isinstance(outcome, Receipt):
        return Finding(recipient, taken(batch, recipient, outcome))
    if isinstance(outcome, SendError) and outcome.reason in {Reason.RECIPIENT, Reason.REJECTED}:
        return Finding(recipient, Move(batch.id, recipient, Rank.FAILED, outcome.reason, outcome.code))
    return Finding(recipient, ask=True)


def taken(batch: Batch, recipient: int, receipt: Receipt) -> Move:
    """The provider has it."""
    return Move(batch.id, recipient, RANKS[receipt.state], None, None, receipt.provider_id or None)
