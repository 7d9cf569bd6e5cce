"""Timers: what is due is taken and what it causes is written in one transaction, on any node, once."""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from sqlalchemy import text

from warnhub.alert import Level
from warnhub.bus.signals import Bus, wait_for
from warnhub.plan.cutting import next_round
from warnhub.plan.planner import Planner, set_repeat
from warnhub.plan.policy import Rule, match_rule
from warnhub.roles import Role
from warnhub.store.audits import add_event
from warnhub.store.batches import age_lanes, lose_batches
from warnhub.store.engine import Store, Tx
from warnhub.store.ledger import hold_warnings
from warnhub.store.timers import Timer, set_timer, take_timers
from warnhub.store.warnings import LIVING, end_warning, read_warning

log = structlog.get_logger(__name__)


class Clock:
    """Runs timers, leases and aging."""

    def __init__(self, store: Store, planner: Planner) -> None:
        self.store = store
        self.planner = planner
        self.handlers: dict[str, Callable[[Tx, Timer], Awaitable[None]]] = {
            "expire": self.expire,
            "plan": self.plan,
            "repeat": self.repeat,
            "resolve": self.resolve,
        }

    async def run(self, bus: Bus) -> None:
        """Serve until cancelled: timers twice a second, leases every five, aging every sixty."""
        signal, count = bus.signal("timer"), 0
        while True:
            signal.clear()
            await self.tick()
            if count % 10 == 0:
                await self.watch_leases()
            if count % 120 == 0:
                async with self.store.write() as tx:
                    await age_lanes(tx)
            count += 1
            await wait_for(signal, 0.5)

    async def tick(self) -> int:
        """Everything that is due now."""
        async with self.store.read() as conn:
            now = await self.store.now(conn)
            due = await conn.scalar(text("SELECT 1 FROM timer WHERE due_at <= :now LIMIT 1"), {"now": now})
        if not due:
            return 0
        async with self.store.write() as tx:
            timers = await take_timers(tx)
            await hold_warnings(tx, [timer.warning for timer in timers if timer.warning is not None])
            for timer in timers:
                await self.handlers[timer.kind](tx, timer)
        return len(timers)

    async def watch_leases(self, everything: bool = False) -> int:
        """Batches whose worker is gone: unknown, looked into at once. `everything` at the start of the only process."""
        async with self.store.write() as tx:
            lost = await lose_batches(tx, everything)
            for batch in lost:
                await ask_about(tx, batch)
        if lost:
            log.warning("leases.lost", batches=len(lost))
        return len(lost)

    async def give_back(self, node: str) -> None:
        """A worker that ends with batches in its hand: nobody knows what of them was sent, so they are looked into at once."""
        async with self.store.read() as conn:
            held = await conn.scalar(text("SELECT 1 FROM batch WHERE leased_by = :n AND state = 1 LIMIT 1"), {"n": node})
        if not held:
            return
        async with self.store.write() as tx:
            await tx.conn.execute(text("UPDATE batch SET lease_until = 0 WHERE leased_by = :n AND state = 1"), {"n": node})
        await self.watch_leases()

    async def expire(self, tx: Tx, timer: Timer) -> None:
        """A warning's time is up: nothing of it is sent any more."""
        warning = await read_warning(tx.conn, timer.warning or 0)
        if warning is None or warning.state != LIVING:
            return
        if warning.expires_at > tx.now:
            await set_timer(tx, "expire", warning.id, warning.expires_at, {})
            return
        await end_warning(tx, warning, "expired", "policy")

    async def plan(self, tx: Tx, timer: Timer) -> None:
        """Time to look who else must hear an all-clear."""
        warning = await read_warning(tx.conn, timer.warning or 0)
        if warning is not None:
            await tx.publish("warning.released", str(warning.id), lane=warning.lane)

    async def resolve(self, tx: Tx, timer: Timer) -> None:
        """Time to ask what became of the unknown ones."""
        await ask_about(tx, int(timer.data["batch"]), asked=timer.data.get("asked", 0))

    async def repeat(self, tx: Tx, timer: Timer) -> None:
        """Say it again to those of a role who have not confirmed; loudspeakers to all."""
        warning = await read_warning(tx.conn, timer.warning or 0)
        if warning is None or warning.state != LIVING:
            return
        role, number = Role(timer.data["role"]), int(timer.data["number"])
        policy = self.planner.policies[warning.policy]
        rule = match_rule(policy, warning.hazard_class, Level(warning.level), role)
        if rule is None or rule.repeat is None or number > rule.repeat.times:
            return
        total = await self.say_again(tx, warning.id, role, rule)
        await add_event(tx, warning.id, "repeated", "policy", {"role": role.value, "number": number, "messages": total})
        if number < rule.repeat.times:
            await set_repeat(tx, warning.id, role.value, rule, number + 1)

    async def say_again(self, tx: Tx, number: int, role: Role, rule: Rule) -> int:
        """One more round for a role, by its channels."""
        warning = await read_warning(tx.conn, number)
        assert warning is not None
        round_ = await next_round(tx, number)
        towns = await tx.conn.execute(
            text("SELECT DISTINCT town_id FROM target WHERE warning_id = :w AND role = :r"), {"w": number, "r": role.value}
        )
        total = 0
        for town in [int(row[0]) for row in towns]:
            for channel in self.planner.names(rule):
                total += await self.planner.cut_channel(
                    tx,
                    warning,
                    role.value,
                    town,
                    channel,
                    rule,
                    round_=round_,
                    cause="repeat",
                    before=self.planner.earlier(rule, channel),
                    unconfirmed=role.responsible,
                )
        return total


async def ask_about(tx: Tx, batch: int, **data: Any) -> None:
    """Have the unknown ones of a batch looked into, in its lane."""
    lane = await tx.conn.scalar(text("SELECT lane FROM batch WHERE id = :b"), {"b": batch})
    await tx.publish("delivery.unknown", str(batch), data, lane=int(lane or 4))
