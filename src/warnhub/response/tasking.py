"""Who has a task is told of it: when a plan starts, when a step's time begins, and when it is late, up to who answers for them.

The messages go the way of every other: a wave of the warning that the task follows from, its policy's channels for the role,
the gate last. Nothing is told of a task that is done, nor of one whose warning has ended.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, text

from warnhub.plan.cutting import next_round
from warnhub.plan.duties import Told, make_cause
from warnhub.plan.planner import Planner
from warnhub.roles import Role
from warnhub.store.assignments import Alarm, set_alarm, take_alarms
from warnhub.store.audits import add_event
from warnhub.store.counts import Cell, Deltas, Local
from warnhub.store.engine import Tx
from warnhub.store.rosters import find_desk
from warnhub.store.rows import pack_rows, rows_table
from warnhub.store.tallies import PEOPLE, add_cells
from warnhub.store.warnings import LIVING, Warning, read_warning

LOUD = frozenset({"voice", "loudspeaker"})
"""Nobody is called for a task: a call is for the warning, and a key on it confirms that."""

REMIND = 10 * 60_000
"""Milliseconds from one rung of a late task to the next: its owner, their superior, the duty desk."""

OWNER, SUPERIOR, DESK = 1, 2, 3


@dataclass(slots=True)
class Tasking:
    """Tells people of their assignments."""

    planner: Planner

    async def tell(self, tx: Tx, warning: Warning, people: Iterable[int], told: Told, title: str) -> int:
        """A message to each of these people, by their role's channels; gives how many messages were cut."""
        wanted = sorted(set(people))
        if not wanted or warning.state != LIVING:
            return 0
        rules = self.planner.rules(warning)
        rows = [row for row in await self.find_people(tx, warning, wanted) if Role(row.role) in rules]
        await engage(tx, warning.id, rows)
        groups: dict[tuple[str, int], list[int]] = defaultdict(list)
        for row in rows:
            groups[row.role, row.town_id].append(int(row.id))
        round_, cause, total = await next_round(tx, warning.id), make_cause(told, title), 0
        for (role, town), named in groups.items():
            rule = rules[Role(role)]
            for channel in [one for one in self.planner.names(rule) if one not in LOUD]:
                before = {name: kinds for name, kinds in self.planner.earlier(rule, channel).items() if name not in LOUD}
                total += await self.planner.cut_channel(
                    tx, warning, role, town, channel, rule, round_=round_, cause=cause, before=before, people=tuple(named)
                )
        data = {"told": told.value, "title": title, "people": len(rows), "messages": total, "untold": len(wanted) - len(rows)}
        await add_event(tx, warning.id, "tasks.told", "policy", data)
        return total

    async def find_people(self, tx: Tx, warning: Warning, people: Sequence[int]) -> list[Any]:
        """Those of these people who are there; in a drill those on its list."""
        listed = (
            "AND EXISTS (SELECT 1 FROM participant p WHERE p.drill_id = :d AND p.recipient_id = r.id)" if warning.drill else ""
        )
        query = text(
            "SELECT r.id, r.role, a.town_id FROM recipient r JOIN area a ON a.id = r.area_id "
            f"WHERE r.id IN :ids AND r.gone_at IS NULL {listed} ORDER BY r.id"
        ).bindparams(bindparam("ids", expanding=True))
        bind: dict[str, Any] = {"ids": list(people)} | ({"d": warning.drill} if warning.drill else {})
        return list((await tx.conn.execute(query, bind)).all())

    async def tick(self, tx: Tx) -> int:
        """Whatever is to be told now; gives how many assignments that was about."""
        alarms = await take_alarms(tx)
        groups: dict[tuple[int, Told, str], set[int]] = defaultdict(set)
        for one in alarms:
            await self.climb(tx, one, groups)
        for (number, told, title), people in groups.items():
            warning = await read_warning(tx.conn, number)
            if warning is not None:
                await self.tell(tx, warning, people, told, title)
        return len(alarms)

    async def climb(self, tx: Tx, one: Alarm, groups: dict[tuple[int, Told, str], set[int]]) -> None:
        """The next rung of one assignment; what leads nowhere passes on at once."""
        if one.state == "open":
            if one.owner is not None:
                groups[one.warning, Told.BEGIN, one.title].add(one.owner)
            await set_alarm(tx, one.id, one.stage, None)
            return
        stage = one.stage + 1
        if stage == OWNER and one.owner is not None:
            groups[one.warning, Told.LATE, one.title].add(one.owner)
            await set_alarm(tx, one.id, stage, tx.now + REMIND)
            return
        if stage <= SUPERIOR and one.superior is not None:
            groups[one.warning, Told.RAISED, one.title].add(one.superior)
            await set_alarm(tx, one.id, SUPERIOR, tx.now + REMIND)
            await add_event(tx, one.warning, "assignment.raised", "policy", {"title": one.title}, one.superior)
            return
        desk = [officer.id for officer in await find_desk(tx.conn, tx.now)]
        groups[one.warning, Told.RAISED, one.title].update(desk)
        await set_alarm(tx, one.id, DESK, None)


async def engage(tx: Tx, warning: int, people: Sequence[Any]) -> None:
    """Make these people targets of a warning, if they are none yet: what they are told of it is counted with it."""
    source = rows_table(tx.conn.dialect.name == "sqlite", recipient="int", town="int", role="text")
    result = await tx.conn.execute(
        text(
            "INSERT INTO target (warning_id, recipient_id, town_id, role, state, village_id) "
            f"SELECT :w, k.recipient, k.town, k.role, 0, v.village_id FROM {source} AS k "
            "JOIN recipient r ON r.id = k.recipient JOIN area v ON v.id = r.area_id WHERE 1 = 1 ON CONFLICT DO NOTHING "
            "RETURNING role, town_id, village_id"
        ),
        {"rows": pack_rows(sorted((row.id, row.town_id, row.role) for row in people)), "w": warning},
    )
    added: Deltas = Counter()
    for row in result:
        added[Cell(warning, PEOPLE, "", row.role, row.town_id, 0)] += 1
        added[Local(warning, row.village_id, 0)] += 1
    await add_cells(tx, added)
