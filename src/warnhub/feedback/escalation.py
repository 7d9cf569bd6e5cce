"""When a deadline passes without human evidence: the next rung of the policy's ladder, one round for all who are on it.

A rung that leads nowhere passes on at once; after the last one the person stands on the list of those who must be called by
hand. Everything is in the store: any node may climb, and one that starts again goes on where the last one was.
"""

from collections import defaultdict
from typing import Any

from sqlalchemy import text

from warnhub.alert import Level
from warnhub.bus.signals import Bus, wait_for
from warnhub.feedback.calls import Calls, set_tasks
from warnhub.plan.ladder import Confirm, Rung, Who
from warnhub.plan.planner import Planner
from warnhub.plan.policy import match_rule
from warnhub.roles import Role
from warnhub.store.audits import add_event
from warnhub.store.covers import add_visits, heard_calls, mark_unwoken
from warnhub.store.engine import Store, Tx
from warnhub.store.ledger import hold_warnings
from warnhub.store.warnings import LIVING, Warning, read_warning

MOST = 500


class Escalation:
    """Climbs the ladder of every task that is due."""

    def __init__(self, store: Store, planner: Planner) -> None:
        self.store = store
        self.planner = planner

    async def run(self, bus: Bus) -> None:
        """Climb whenever something is due, until cancelled."""
        signal = bus.signal("task")
        while True:
            signal.clear()
            while await self.tick():
                continue
            await wait_for(signal, 0.5)

    async def tick(self) -> int:
        """One transaction's worth of due tasks; gives how many there were."""
        async with self.store.read() as conn:
            now = await self.store.now(conn)
            due = await conn.scalar(text("SELECT 1 FROM task WHERE state = 'open' AND due_at <= :now LIMIT 1"), {"now": now})
        if not due:
            return 0
        async with self.store.write() as tx:
            due_in = "SELECT DISTINCT warning_id FROM task WHERE state = 'open' AND due_at <= :now"
            await hold_warnings(tx, [int(row[0]) for row in await tx.conn.execute(text(due_in), {"now": tx.now})])
            rows = await take_due(tx)
            groups: dict[int, list[Any]] = defaultdict(list)
            for row in rows:
                groups[row.warning_id].append(row)
            for number, tasks in groups.items():
                await self.climb(tx, number, tasks)
            return len(rows)

    async def climb(self, tx: Tx, number: int, tasks: list[Any]) -> None:
        """The due tasks of one warning, sorted by the rung they have reached."""
        warning = await read_warning(tx.conn, number)
        assert warning is not None
        if warning.state != LIVING:
            await set_tasks(tx, tasks, "closed", 0)
            return
        rungs: dict[tuple[str, int], list[Any]] = defaultdict(list)
        for task in tasks:
            rungs[task.role, task.rung].append(task)
        policy = self.planner.policies[warning.policy]
        for (role, rung), group in rungs.items():
            rule = match_rule(policy, warning.hazard_class, Level(warning.level), Role(role))
            ladder = rule.confirm.ladder if rule and rule.confirm else ()
            if rule is None or rule.confirm is None or rung >= len(ladder):
                await set_tasks(tx, group, "late", rung)
                for task in group:
                    await add_event(tx, number, "unanswered", "policy", {"role": role}, task.recipient_id)
                continue
            await self.take_rung(tx, Calls(tx, self.planner, warning, rule), rule.confirm, ladder[rung], group)

    async def take_rung(self, tx: Tx, calls: Calls, confirm: Confirm, rung: Rung, tasks: list[Any]) -> None:
        """One rung for the people on it; who gains nothing by it goes to the next at once."""
        heard = await heard_calls(tx, calls.warning.id, [t.recipient_id for t in tasks]) if confirm.stop == "heard" else set()
        pressed = [task for task in tasks if task.recipient_id not in heard] if rung.door else tasks
        wait = confirm.wait(rung)
        moved: dict[int, list[str]] = defaultdict(list)
        if pressed:
            await calls.open_round(rung.cause)
        for who in rung.who if pressed else ():
            if who is Who.SELF:
                found = await calls.tell_self(rung, pressed, heard)
            else:
                found = await calls.tell_other(who, pressed, wait)
            for task, names in found.items():
                moved[task] += names
        if rung.door:
            await self.send_to_doors(tx, calls.warning, rung, pressed, wait)
            moved |= {task.id: moved[task.id] for task in pressed}
        await self.settle(tx, calls, rung, tasks, moved, wait)

    async def settle(self, tx: Tx, calls: Calls, rung: Rung, tasks: list[Any], moved: dict[int, list[str]], wait: int) -> None:
        """Write down who waits on this rung and who passes on."""
        waiting = [task for task in tasks if task.id in moved]
        passing = [task for task in tasks if task.id not in moved]
        next_rung = tasks[0].rung + 1
        await set_tasks(tx, waiting, "open", next_rung, wait)
        await set_tasks(tx, passing, "open", next_rung, 0)
        for task in waiting:
            data = {"step": rung.cause, "round": calls.round, "to": "、".join(moved[task.id])}
            await add_event(tx, calls.warning.id, "escalated", "policy", data, task.recipient_id)
        if passing:
            tx.wake("task")

    async def send_to_doors(self, tx: Tx, warning: Warning, rung: Rung, tasks: list[Any], wait: int) -> None:
        """Write down who was not woken, and give whoever was called for them the task of going there."""
        if not tasks:
            return
        await mark_unwoken(tx, [task.id for task in tasks])
        visitors = await add_visits(tx, warning.id, [task.id for task in tasks], tx.now + wait)
        for task in tasks:
            await add_event(tx, warning.id, "unwoken", "policy", {"visitors": visitors.get(task.id, 0)}, task.recipient_id)


async def take_due(tx: Tx) -> list[Any]:
    """The tasks that are due, in this transaction's hand."""
    skip = "" if tx.conn.dialect.name == "sqlite" else "FOR UPDATE SKIP LOCKED"
    rows = await tx.conn.execute(
        text(
            "SELECT id, warning_id, recipient_id, role, town_id, rung, due_at FROM task "
            f"WHERE state = 'open' AND due_at <= :now ORDER BY due_at, id LIMIT {MOST} {skip}"
        ),
        {"now": tx.now},
    )
    return list(rows.all())
