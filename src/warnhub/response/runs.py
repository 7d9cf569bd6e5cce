"""A plan in its course: begun by a warning whose onset is near, raised and lowered with it, ended with it.

The stop orders (五停) of a response level are messages of their own, released by two people; they follow the level: a graver
one is proposed when the level rises, and lifting is proposed when the level no longer asks for them.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import bindparam, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import Level
from warnhub.plan.duties import Told
from warnhub.response.plans import LEVELS, Plan, Plans
from warnhub.response.proposing import Draft, Proposer
from warnhub.response.tasking import Tasking
from warnhub.store import works
from warnhub.store.alerts import make_uid, milliseconds
from warnhub.store.assignments import Assignment, add_assignment, owners_of
from warnhub.store.audits import add_audit, add_event
from warnhub.store.engine import Tx, new_id
from warnhub.store.warnings import LIVING, Warning, end_warning, read_warning, warning_alert

AHEAD = int(timedelta(hours=48).total_seconds() * 1000)
PATIENCE = 600_000
"""How long a run waits for what takes the place of its warning."""

ORDER = "11B44"
"""Orders stand beside the warning they follow: a code of their own, so that neither takes the other's place."""

COLOURS = {"I": Level.RED, "II": Level.ORANGE, "III": Level.YELLOW, "IV": Level.BLUE}
DOING = {
    "停课": "学校、幼儿园和培训机构停课",
    "停工": "在建工地停工",
    "停产": "危险区企业停产撤人",
    "停运": "客运班车、渡船停运",
    "停业": "景区、商场等人员密集场所停业",
}


@dataclass(slots=True)
class Runs:
    """Begins, raises and ends. `plans` by version."""

    proposer: Proposer
    tasking: Tasking
    plans: dict[int, Plans] = field(default_factory=dict)

    async def hear(self, tx: Tx, warning: Warning) -> int | None:
        """A warning has its audience: begin its plan, or take the plan that is under way to where the warning now stands."""
        if warning.state != LIVING or warning.kind == "cancel" or warning.hazard == ORDER:
            return None
        version = max(self.plans)
        plan = self.plans[version].match(warning.hazard, Level(warning.level))
        if plan is None:
            return None
        known = (await tx.conn.execute(text("SELECT id FROM run WHERE warning_id = :w"), {"w": warning.id})).first()
        if known:
            return int(known[0])
        alert = await warning_alert(tx.conn, warning)
        onset = milliseconds(alert.onset or alert.effective)
        level = plan.levels[Level(warning.level)]
        going = await self.going(tx, plan.key, warning)
        if going is not None:
            await self.change(tx, going, warning, level, max(onset, int(going.onset_at)) if onset < tx.now else onset)
            return int(going.id)
        values = {
            "uid": make_uid("run"),
            "plan": plan.key,
            "version": version,
            "warning_id": warning.id,
            "drill": warning.drill,
            "level": level,
            "onset_at": onset,
            "state": "waiting",
            "opinion": "",
            "started_at": tx.now,
        }
        number = new_id(await tx.conn.execute(insert(works.run).values(**values)))
        if onset - AHEAD <= tx.now:
            await self.start(tx, number)
        return number

    async def going(self, tx: Tx, plan: str, warning: Warning) -> Any | None:
        """The run of this plan that the warning goes on with: one that has not ended, in the same drill, and whose warning this
        one takes the place of, or overlaps."""
        rows = await tx.conn.execute(
            text(
                "SELECT r.* FROM run r WHERE r.plan = :p AND r.state <> 'ended' AND coalesce(r.drill, '') = :d AND EXISTS ("
                "SELECT 1 FROM extent a JOIN extent b ON b.area_id = a.area_id AND b.warning_id = :w AND b.home "
                "WHERE a.warning_id = r.warning_id AND a.home) ORDER BY r.id DESC LIMIT 1"
            ),
            {"p": plan, "d": warning.drill or "", "w": warning.id},
        )
        return rows.first()

    async def start(self, tx: Tx, number: int) -> None:
        """Set the steps going."""
        done = await tx.conn.execute(
            text("UPDATE run SET state = 'active', started_at = :now WHERE id = :id AND state = 'waiting'"),
            {"now": tx.now, "id": number},
        )
        if not done.rowcount:
            return
        run = await read_run(tx.conn, number)
        await self.tell(tx, run, await self.lay_steps(tx, run))
        await self.follow_stops(tx, run)
        await add_event(tx, run.warning_id, "run.started", "policy", {"plan": self.plan_of(run).name, "level": run.level})
        await add_audit(tx, "policy", "run.start", run.uid, {"plan": run.plan, "level": run.level})

    async def change(self, tx: Tx, run: Any, warning: Warning, level: str, onset: int) -> None:
        """The run goes on under another warning, perhaps at another level."""
        await tx.conn.execute(
            text("UPDATE run SET warning_id = :w, level = :l, onset_at = :o WHERE id = :id"),
            {"w": warning.id, "l": level, "o": onset, "id": run.id},
        )
        fresh = await read_run(tx.conn, run.id)
        if fresh.state == "waiting":
            if onset - AHEAD <= tx.now:
                await self.start(tx, run.id)
            return
        await self.tell(tx, fresh, await self.lay_steps(tx, fresh))
        if level != run.level:
            await self.follow_stops(tx, fresh)
            data = {"plan": self.plan_of(fresh).name, "level": level, "before": run.level}
            await add_event(tx, warning.id, "run.changed", "policy", data)
            await add_audit(tx, "policy", "run.change", run.uid, {"level": level, "before": run.level})

    def plan_of(self, run: Any) -> Plan:
        """The plan a run goes by."""
        found = self.plans[run.version].named(run.plan)
        assert found is not None
        return found

    async def tell(self, tx: Tx, run: Any, keys: list[str]) -> None:
        """Tell departments and townships, those who own these assignments, that there is something for them to do."""
        warning = await read_warning(tx.conn, run.warning_id)
        assert warning is not None
        owners = await owners_of(tx.conn, keys)
        await self.tasking.tell(tx, warning, owners, Told.START, f"{self.plan_of(run).name}{run.level}级响应启动")

    async def lay_steps(self, tx: Tx, run: Any) -> list[str]:
        """An assignment for each step of the level that has none yet; gives the keys of those that are new."""
        towns = [
            int(row[0])
            for row in await tx.conn.execute(
                text("SELECT DISTINCT town_id FROM extent WHERE warning_id = :w ORDER BY town_id"), {"w": run.warning_id}
            )
        ]
        county = {place for place, level in self.proposer.places.levels.items() if level < 9}
        made = []
        for step in self.plan_of(run).steps_at(run.level):
            begin = run.onset_at + int(step.at.total_seconds() * 1000)
            due = max(begin, tx.now) + int(step.within.total_seconds() * 1000)
            for town in [one for one in towns if one not in county] if step.each == "town" else [None]:
                key = f"step:{run.id}:{step.key}" + (f":{town}" if town is not None else "")
                one = Assignment(
                    key,
                    "step",
                    step.title,
                    step.owner.value,
                    due,
                    max(begin, tx.now),
                    step.evidence,
                    warning=run.warning_id,
                    run=run.id,
                    town=town,
                    drill=run.drill,
                )
                if await add_assignment(tx, one):
                    made.append(key)
        return made

    async def follow_stops(self, tx: Tx, run: Any) -> None:
        """Propose the stop orders of this level, and the lifting of those it no longer asks for."""
        plan = self.plan_of(run)
        wanted = plan.stops.get(run.level, ())
        rows = (
            await tx.conn.execute(text("SELECT warning_id, stops FROM stoporder WHERE run_id = :r ORDER BY id"), {"r": run.id})
        ).all()
        standing = []
        for row in rows:
            old = await read_warning(tx.conn, row.warning_id)
            stops = row.stops if isinstance(row.stops, list) else orjson.loads(row.stops)
            if old is not None and old.state in {"pending", LIVING}:
                standing.append((old, tuple(stops)))
        if any(stops == wanted for _, stops in standing):
            return
        for old, _ in standing:
            if old.state == "pending":
                await end_warning(tx, old, "rejected", "policy", {"why": f"响应级别改为{run.level}级"})
            elif not wanted:
                await self.proposer.propose_end(tx, old, f"响应级别改为{run.level}级,不再需要", "policy")
        if wanted:
            await self.order(tx, run, plan, wanted)

    async def order(self, tx: Tx, run: Any, plan: Plan, stops: tuple[str, ...]) -> None:
        """A stop order before the desk: two people must release it."""
        warning = await read_warning(tx.conn, run.warning_id)
        assert warning is not None
        alert = await warning_alert(tx.conn, warning)
        home = self.proposer.places.select(alert.areas).home
        codes = [
            code for place, code in zip(self.proposer.places.ids, self.proposer.places.codes, strict=True) if place in home
        ]
        name = f"{self.proposer.settings.county.bureau}发布「{'、'.join(stops)}」令({plan.name}{run.level}级)"
        draft = Draft(
            ORDER,
            COLOURS[run.level],
            name,
            f"根据{plan.name}{run.level}级,即日起:{';'.join(DOING[stop] for stop in stops)}。解除时间另行通知。",
            "请立即执行。",
            shorten(codes),
            f"{plan.name} {run.level}级要求{'、'.join(stops)} / the response level asks for it",
            people=2,
            drill=run.drill,
            life=timedelta(milliseconds=max(24 * 3_600_000, run.onset_at - tx.now + 24 * 3_600_000)),
        )
        made = await self.proposer.propose(tx, draft, "policy")
        await tx.conn.execute(
            insert(works.stoporder).values(run_id=run.id, warning_id=made.id, level=run.level, stops=list(stops), at=tx.now)
        )

    async def tick(self, tx: Tx) -> int:
        """Begin what has come near, end what is over; gives how many."""
        soon = await tx.conn.execute(
            text("SELECT id FROM run WHERE state = 'waiting' AND onset_at <= :soon"), {"soon": tx.now + AHEAD}
        )
        count = 0
        for row in soon.all():
            await self.start(tx, int(row[0]))
            count += 1
        over = await tx.conn.execute(
            text(
                "SELECT r.id FROM run r JOIN warning w ON w.id = r.warning_id WHERE r.state <> 'ended' AND ("
                "w.state IN ('cancelled', 'expired', 'rejected') OR (w.state = 'superseded' AND w.ended_at <= :old))"
            ),
            {"old": tx.now - PATIENCE},
        )
        for row in over.all():
            await self.end(tx, int(row[0]))
            count += 1
        return count

    async def end(self, tx: Tx, number: int) -> None:
        """The run is over: its stop orders are to be lifted."""
        run = await read_run(tx.conn, number)
        await tx.conn.execute(
            text("UPDATE run SET state = 'ended', ended_at = :now WHERE id = :id"), {"now": tx.now, "id": number}
        )
        orders = await tx.conn.execute(text("SELECT warning_id FROM stoporder WHERE run_id = :r"), {"r": number})
        for row in orders.all():
            old = await read_warning(tx.conn, row.warning_id)
            if old is not None and old.state == "pending":
                await end_warning(tx, old, "rejected", "policy", {"why": "响应结束 / the response is over"})
            elif old is not None and old.state == LIVING:
                await self.proposer.propose_end(tx, old, "响应结束", "policy")
        await add_event(tx, run.warning_id, "run.ended", "policy", {"plan": self.plan_of(run).name})
        await add_audit(tx, "policy", "run.end", run.uid)


def shorten(codes: list[str]) -> list[str]:
    """The codes without those that another of them holds."""
    kept: list[str] = []
    for code in sorted(codes, key=len):
        if not code.startswith(tuple(kept)) or not kept:
            kept.append(code)
    return kept


async def read_run(conn: AsyncConnection, number: int) -> Any:
    """A run."""
    return (await conn.execute(text("SELECT * FROM run WHERE id = :id"), {"id": number})).one()


async def find_run(conn: AsyncConnection, uid: str) -> Any | None:
    """A run by its public id."""
    return (await conn.execute(text("SELECT * FROM run WHERE uid = :u"), {"u": uid})).first()


async def list_runs(conn: AsyncConnection, warnings: list[int] | None = None, most: int = 50) -> list[Any]:
    """The newest runs with the warning of each; of these warnings only, if any are named."""
    where = "WHERE r.warning_id IN :ids" if warnings is not None else ""
    query = text(
        "SELECT r.*, w.uid AS warning, w.headline, w.level AS colour FROM run r JOIN warning w ON w.id = r.warning_id "
        f"{where} ORDER BY CASE WHEN r.state = 'ended' THEN 1 ELSE 0 END, r.id DESC LIMIT :most"
    )
    if warnings is not None:
        query = query.bindparams(bindparam("ids", expanding=True))
        return list((await conn.execute(query, {"ids": warnings or [0], "most": most})).all())
    return list((await conn.execute(query, {"most": most})).all())


__all__ = ["AHEAD", "LEVELS", "ORDER", "Runs", "find_run", "list_runs", "read_run", "shorten"]
