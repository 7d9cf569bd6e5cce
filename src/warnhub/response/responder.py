"""What follows when a warning has its audience, and what falls due afterwards: doors, patrols, plans, late assignments."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from warnhub.alert import Problem
from warnhub.bus.signals import Bus, wait_for
from warnhub.desk import Refusal
from warnhub.response.action import Action
from warnhub.response.canary import Canary
from warnhub.response.patrol import Patrol
from warnhub.response.plans import load_plans
from warnhub.response.register import call_due
from warnhub.response.runs import Runs
from warnhub.response.tasking import Tasking
from warnhub.response.watch import Watch
from warnhub.store.assignments import DESK, POINTS, close_ended, finish, take_late
from warnhub.store.audits import add_audit, add_event
from warnhub.store.engine import Store
from warnhub.store.points import any_due
from warnhub.store.warnings import read_warning

EVERY = 1.0
SHORTEST = 2


@dataclass(slots=True)
class Responder:
    """Hears of warnings and sets people to work."""

    store: Store
    action: Action
    patrol: Patrol
    runs: Runs
    watch: Watch
    canary: Canary
    tasking: Tasking

    async def planned(self, key: str, data: dict[str, Any]) -> None:
        """A warning has its audience; told again, nothing is done twice."""
        if not self.runs.plans:
            self.runs.plans.update(await load_plans(self.store))
        await self.watch.reload()
        async with self.store.write() as tx:
            warning = await read_warning(tx.conn, int(key))
            if warning is None:
                return
            await self.action.open(tx, warning)
            await self.patrol.send(tx, warning)
            await self.runs.hear(tx, warning)
            await self.watch.hear(tx, warning)

    async def reload(self) -> None:
        """Take in plans that were put in force meanwhile."""
        async with self.store.read() as conn:
            version = await conn.scalar(text("SELECT max(version) FROM plan"))
        if version not in self.runs.plans:
            self.runs.plans.update(await load_plans(self.store))
        await self.watch.reload()

    async def tick(self) -> int:
        """Everything that is due now: plans whose onset is near, dates of hazard points, late assignments, what is over; gives
        how much there was."""
        await self.reload()
        await self.watch.read_messages()
        await self.canary.tick()
        if not await self.is_due():
            return 0
        async with self.store.write() as tx:
            count = await self.runs.tick(tx) + await close_ended(tx) + await call_due(tx)
            late = await take_late(tx)
            for row in late:
                if row.warning_id is not None:
                    data = {"title": row.title, "raised": row.superior is not None}
                    await add_event(tx, row.warning_id, "assignment.late", "policy", data, row.owner_id)
            return count + len(late) + await self.tasking.tick(tx)

    async def is_due(self) -> bool:
        """Whether there is anything to do, asked without writing."""
        async with self.store.read() as conn:
            now = await self.store.now(conn)
            late = "SELECT 1 FROM assignment WHERE state = 'open' AND due_at <= :now LIMIT 1"
            told = "SELECT 1 FROM assignment WHERE state IN ('open', 'late') AND next_at <= :now LIMIT 1"
            if await conn.scalar(text(late), {"now": now}) or await conn.scalar(text(told), {"now": now}):
                return True
            if await any_due(conn, now):
                return True
            if await conn.scalar(text("SELECT 1 FROM run WHERE state <> 'ended' LIMIT 1")):
                return True
            alive = (
                "SELECT 1 FROM assignment k JOIN warning w ON w.id = k.warning_id WHERE k.state IN ('open', 'late') "
                "AND w.state NOT IN ('pending', 'released') LIMIT 1"
            )
            return bool(await conn.scalar(text(alive)))

    async def run(self, bus: Bus) -> None:
        """Serve until cancelled."""
        signal = bus.signal("assignment")
        while True:
            signal.clear()
            await self.tick()
            await wait_for(signal, EVERY)

    async def done(self, number: int, actor: str, said: str, recipient: int | None = None) -> bool:
        """Somebody has done their assignment; False if it was done before. `recipient`: only their own, or what was raised to
        them. 404 for another's, 422 where words are asked for and none were given, 409 for what only a hazard point's next step
        ends: at the desk that step is taken, and nothing is ticked off beside it."""
        said = " ".join(said.split())[:500]
        async with self.store.write() as tx:
            query = text(
                "SELECT warning_id, owner_id, raised_id, evidence, title, key, kind, state FROM assignment WHERE id = :id"
            )
            row = (await tx.conn.execute(query, {"id": number})).first()
            if row is None or (recipient is not None and recipient not in {row.owner_id, row.raised_id}):
                raise Refusal(404, "there is no such assignment of yours")
            if row.kind in POINTS and (recipient is None or row.key.endswith(DESK)):
                raise Refusal(409, "the next step of the hazard point ends this: take it there")
            if row.evidence == "text" and len(said) < SHORTEST:
                problem = Problem(path="said", rule="EVIDENCE", message="say what was done and found", value=said)
                raise Refusal(422, "words are asked for", [problem])
            kept = await finish(tx, number, actor, said)
            if kept:
                await add_audit(tx, actor, "assignment.done", row.key, {"said": said, "before": row.state, "after": "done"})
                if row.warning_id is not None:
                    data = {"title": row.title, "text": said}
                    await add_event(tx, row.warning_id, "assignment.done", actor, data, row.owner_id)
        return kept
