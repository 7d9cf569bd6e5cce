"""When a deadline passes without human evidence: the next rung of the policy's ladder, one round for all who are on it.

A rung is a channel not yet tried, the person's deputy, or the person's superior. A rung that leads nowhere passes on at once;
after the last one the person stands on the list of those who must be called by hand.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import text

from warnhub.alert import Level
from warnhub.bus.local import LocalBus, wait_for
from warnhub.plan.cutting import next_round
from warnhub.plan.planner import Planner
from warnhub.plan.policy import Rule, Step, match_rule
from warnhub.roles import Role
from warnhub.store.audits import add_event
from warnhub.store.engine import Store, Tx
from warnhub.store.ledger import hold_warnings
from warnhub.store.tallies import PEOPLE, Cell, add_cells
from warnhub.store.warnings import LIVING, Warning, read_warning

MOST = 500
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """A person who has to be told in this round."""

    recipient: int
    role: str
    town: int


class Escalation:
    """Climbs the ladder of every task that is due."""

    def __init__(self, store: Store, planner: Planner) -> None:
        self.store = store
        self.planner = planner

    async def run(self, bus: LocalBus) -> None:
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
            skip = "" if tx.conn.dialect.name == "sqlite" else "FOR UPDATE SKIP LOCKED"
            rows = (
                await tx.conn.execute(
                    text(
                        "SELECT id, warning_id, recipient_id, role, town_id, rung, due_at FROM task "
                        f"WHERE state = 'open' AND due_at <= :now ORDER BY due_at, id LIMIT {MOST} {skip}"
                    ),
                    {"now": tx.now},
                )
            ).all()
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
            await set_tasks(tx, tasks, "closed", 0, None)
            return
        rungs: dict[tuple[str, int], list[Any]] = defaultdict(list)
        for task in tasks:
            rungs[task.role, task.rung].append(task)
        policy = self.planner.policies[warning.policy]
        for (role, rung), group in rungs.items():
            rule = match_rule(policy, warning.hazard_class, Level(warning.level), Role(role))
            steps = rule.confirm.then if rule and rule.confirm else ()
            if rule is None or rule.confirm is None or rung >= len(steps):
                await set_tasks(tx, group, "late", rung, None)
                for task in group:
                    await add_event(tx, number, "unanswered", "policy", {"role": role}, task.recipient_id)
                continue
            await self.take_step(tx, warning, rule, Step(steps[rung]), rung, group)

    async def take_step(self, tx: Tx, warning: Warning, rule: Rule, step: Step, rung: int, tasks: list[Any]) -> None:
        """One rung for the people on it; who gains nothing by it goes to the next at once."""
        assert rule.confirm is not None
        within = int(rule.confirm.within.total_seconds() * 1000)
        round_ = await next_round(tx, warning.id)
        if step is Step.NEXT_CHANNEL:
            moved = await self.next_channel(tx, warning, rule, tasks, round_)
        else:
            moved = await self.call_other(tx, warning, tasks, step, round_, within)
        waiting = [task for task in tasks if task.id in moved]
        passing = [task for task in tasks if task.id not in moved]
        await set_tasks(tx, waiting, "open", rung + 1, tx.now + within)
        await set_tasks(tx, passing, "open", rung + 1, tx.now)
        for task in waiting:
            data = {"step": step.value, "round": round_, "to": moved[task.id]}
            await add_event(tx, warning.id, "escalated", "policy", data, task.recipient_id)
        if passing:
            tx.wake("task")

    async def next_channel(self, tx: Tx, warning: Warning, rule: Rule, tasks: list[Any], round_: int) -> dict[int, str]:
        """Tell them by the first channel of the policy that was not tried yet; task id → channel."""
        order = self.planner.names(rule)
        order += [channel for channel in self.planner.channels if channel not in order and channel != "loudspeaker"]
        tried, usable = await self.channel_state(tx, warning.id, [task.recipient_id for task in tasks])
        chosen: dict[str, list[Any]] = defaultdict(list)
        for task in tasks:
            free = [c for c in order if c in usable[task.recipient_id] and c not in tried[task.recipient_id]]
            if free:
                chosen[free[0]].append(task)
        moved: dict[int, str] = {}
        for channel, group in chosen.items():
            calls = [Call(task.recipient_id, task.role, task.town_id) for task in group]
            await self.tell(tx, warning, calls, [channel], rule, round_, "next_channel")
            moved |= {task.id: channel for task in group}
        return moved

    async def channel_state(self, tx: Tx, warning: int, people: list[int]) -> tuple[dict[int, set[str]], dict[int, set[str]]]:
        """(channels tried in this warning, channels some provider of which carries a usable address) of each person."""
        ids = ", ".join(str(int(person)) for person in people)
        tried: dict[int, set[str]] = defaultdict(set)
        usable: dict[int, set[str]] = defaultdict(set)
        rows = await tx.conn.execute(
            text(
                "SELECT d.recipient_id, v.channel FROM wave v JOIN delivery d ON d.wave_id = v.id "
                f"WHERE v.warning_id = :w AND d.recipient_id IN ({ids})"
            ),
            {"w": warning},
        )
        for row in rows:
            tried[row[0]].add(row[1])
        rows = await tx.conn.execute(
            text(f"SELECT recipient_id, channel, route FROM address WHERE bad IS NULL AND recipient_id IN ({ids})")
        )
        for row in rows:
            routes = self.planner.carried(row.channel)
            if not routes or row.route in routes:
                usable[row.recipient_id].add(row.channel)
        return tried, usable

    async def call_other(
        self, tx: Tx, warning: Warning, tasks: list[Any], step: Step, round_: int, within: int
    ) -> dict[int, str]:
        """Tell deputies or superiors, each with a task of their own; task id → their ref."""
        column = "deputy" if step is Step.DEPUTY else "superior"
        ids = ", ".join(str(int(task.recipient_id)) for task in tasks)
        rows = await tx.conn.execute(
            text(
                f"SELECT r.id AS person, o.id, o.ref, o.role, a.town_id, o.area_id FROM recipient r "
                f"JOIN recipient o ON o.ref = r.{column} AND o.gone_at IS NULL JOIN area a ON a.id = o.area_id "
                f"WHERE r.id IN ({ids})"
            )
        )
        rules = self.planner.rules(warning)
        others = {int(row.person): row for row in rows if Role(row.role) in rules}
        moved: dict[int, str] = {}
        calls: dict[int, Call] = {}
        for task in tasks:
            other = others.get(task.recipient_id)
            if other is None or not await self.engage(tx, warning, task, other, within):
                continue
            moved[task.id] = str(other.ref)
            calls[other.id] = Call(other.id, other.role, other.town_id)
        groups: dict[str, list[Call]] = defaultdict(list)
        for call in calls.values():
            groups[call.role].append(call)
        for role, group in groups.items():
            rule = rules[Role(role)]
            await self.tell(tx, warning, group, self.planner.names(rule), rule, round_, step.value)
        return moved

    async def engage(self, tx: Tx, warning: Warning, task: Any, other: Any, within: int) -> bool:
        """Make the other person a target with a task; False if a drill's list does not hold them."""
        if warning.drill is not None and not await in_drill(tx, warning.drill, other.id):
            return False
        result = await tx.conn.execute(
            text(
                "INSERT INTO target (warning_id, recipient_id, town_id, role, state) VALUES (:w, :r, :t, :role, 0) "
                "ON CONFLICT DO NOTHING"
            ),
            {"w": warning.id, "r": other.id, "t": other.town_id, "role": other.role},
        )
        if result.rowcount:
            cell = Cell(warning.id, PEOPLE, "", other.role, other.town_id, 0)
            await add_cells(tx, Counter({cell: 1}))
        await tx.conn.execute(
            text(
                "INSERT INTO task (warning_id, recipient_id, kind, role, town_id, area_id, state, rung, origin_id, due_at) "
                "VALUES (:w, :r, 'confirm', :role, :t, :a, 'open', 99, :o, :due) ON CONFLICT DO NOTHING"
            ),
            {
                "w": warning.id,
                "r": other.id,
                "role": other.role,
                "t": other.town_id,
                "a": other.area_id,
                "o": task.id,
                "due": tx.now + within,
            },
        )
        return True

    async def tell(
        self, tx: Tx, warning: Warning, calls: list[Call], channels: list[str], rule: Rule, round_: int, cause: str
    ) -> None:
        """Batches for these people, by role and township."""
        groups: dict[tuple[str, int], list[int]] = defaultdict(list)
        for call in calls:
            groups[call.role, call.town].append(call.recipient)
        for (role, town), people in groups.items():
            for channel in channels:
                await self.planner.cut_channel(
                    tx, warning, role, town, channel, rule, round_=round_, cause=cause, people=tuple(people)
                )


async def in_drill(tx: Tx, drill: str, recipient: int) -> bool:
    """Whether a person is on a drill's list."""
    found = await tx.conn.scalar(
        text("SELECT 1 FROM participant WHERE drill_id = :d AND recipient_id = :r"), {"d": drill, "r": recipient}
    )
    return found is not None


async def set_tasks(tx: Tx, tasks: list[Any], state: str, rung: int, due_at: int | None) -> None:
    """Where these tasks now stand."""
    if tasks:
        ids = ", ".join(str(int(task.id)) for task in tasks)
        await tx.conn.execute(
            text(
                f"UPDATE task SET state = :s, rung = :r, due_at = coalesce(:due, due_at) WHERE id IN ({ids}) AND state = 'open'"
            ),
            {"s": state, "r": rung, "due": due_at},
        )
        tx.wake("tally")
