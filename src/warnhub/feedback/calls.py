"""The calls of one rung: the person again, or whoever stands in or answers for them, each with a task of their own."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from warnhub.plan.cutting import next_round
from warnhub.plan.ladder import Rung, Who
from warnhub.plan.planner import Planner
from warnhub.plan.policy import Rule
from warnhub.roles import Role
from warnhub.store.addresses import address_kind
from warnhub.store.counts import Cell, Deltas, Local
from warnhub.store.covers import add_covers
from warnhub.store.engine import Tx
from warnhub.store.rosters import find_desk
from warnhub.store.rows import pack_rows, rows_table
from warnhub.store.tallies import PEOPLE, add_cells
from warnhub.store.warnings import Warning

GRACE = 5_000
"""Milliseconds by which a rung may come late and the next still keeps to the ladder's own times. After more than that, a
stand-still, everybody gets the whole wait again."""

Person = tuple[int, str, int]
"""Who is told: recipient, role, township."""


class Calls:
    """What a rung may do for people of one warning and one rule."""

    def __init__(self, tx: Tx, planner: Planner, warning: Warning, rule: Rule) -> None:
        self.tx = tx
        self.planner = planner
        self.warning = warning
        self.rule = rule
        self.round = 0
        self.cause = ""

    async def open_round(self, cause: str) -> None:
        """All that follows is one round."""
        self.round, self.cause = await next_round(self.tx, self.warning.id), cause

    async def tell_self(self, rung: Rung, tasks: Sequence[Any], heard: set[int]) -> dict[int, list[str]]:
        """Tell them again; task id → channels. Whoever has `heard` a call is not called again, but written to."""
        tried, usable = await self.channel_state([task.recipient_id for task in tasks])
        chosen: dict[str, list[Any]] = defaultdict(list)
        for task in tasks:
            can = usable[task.recipient_id] - ({"voice"} if task.recipient_id in heard else set())
            for channel in self.pick(rung, can, tried[task.recipient_id]):
                chosen[channel].append(task)
        moved: dict[int, list[str]] = defaultdict(list)
        for channel, group in chosen.items():
            people = [(task.recipient_id, task.role, task.town_id) for task in group]
            await self.tell(Who.SELF, people, [channel], self.rule)
            for task in group:
                moved[task.id].append(channel)
        return moved

    def pick(self, rung: Rung, can: set[str], tried: set[str]) -> list[str]:
        """The channels of a rung for somebody who can be reached by these and was by those."""
        own = self.planner.names(self.rule)
        if not rung.untried:
            named = [name for name in rung.channels if name in self.planner.channels] if rung.channels else own
            return [channel for channel in named if channel in can]
        order = own + [channel for channel in self.planner.channels if channel not in own and channel != "loudspeaker"]
        return [channel for channel in order if channel in can and channel not in tried][:1]

    async def channel_state(self, people: Sequence[int]) -> tuple[dict[int, set[str]], dict[int, set[str]]]:
        """(channels tried in this warning, channels some provider of which carries a usable address) of each person."""
        ids = ", ".join(str(int(person)) for person in people)
        tried: dict[int, set[str]] = defaultdict(set)
        usable: dict[int, set[str]] = defaultdict(set)
        rows = await self.tx.conn.execute(
            text(
                "SELECT DISTINCT d.recipient_id, v.channel FROM wave v JOIN delivery d ON d.wave_id = v.id "
                f"WHERE v.warning_id = :w AND d.recipient_id IN ({ids})"
            ),
            {"w": self.warning.id},
        )
        for row in rows:
            tried[row[0]].add(row[1])
        kinds: dict[str, list[str]] = defaultdict(list)
        for channel in self.planner.channels:
            kinds[address_kind(channel)].append(channel)
        rows = await self.tx.conn.execute(
            text(f"SELECT recipient_id, channel, route FROM address WHERE bad IS NULL AND recipient_id IN ({ids})")
        )
        for row in rows:
            for channel in kinds[row.channel]:
                routes = self.planner.carried(channel)
                if not routes or row.route in routes:
                    usable[row.recipient_id].add(channel)
        return tried, usable

    async def tell_other(self, who: Who, tasks: Sequence[Any], wait: int) -> dict[int, list[str]]:
        """Tell deputies, superiors or the desk, each with a task that stands for the person's too; task id → their refs."""
        if who is Who.DUTY_DESK:
            desk = await find_desk(self.tx.conn, self.tx.now)
            pairs = [(task, other) for task in tasks for other in desk if other.id != task.recipient_id]
        else:
            pairs = await self.find_others(who, tasks)
        rules = self.planner.rules(self.warning)
        listed = await self.on_list({other.id for _, other in pairs})
        pairs = [(task, other) for task, other in pairs if Role(other.role) in rules and other.id in listed]
        if not pairs:
            return {}
        await self.engage(pairs, wait)
        moved: dict[int, list[str]] = defaultdict(list)
        groups: dict[str, set[Person]] = defaultdict(set)
        for task, other in pairs:
            moved[task.id].append(str(other.ref))
            groups[other.role].add((other.id, other.role, other.town_id))
        for role, group in groups.items():
            rule = rules[Role(role)]
            await self.tell(who, sorted(group), self.planner.names(rule), rule)
        return moved

    async def find_others(self, who: Who, tasks: Sequence[Any]) -> list[tuple[Any, Any]]:
        """Each person with their deputy or superior, where there is one."""
        column = "deputy" if who is Who.DEPUTY else "superior"
        ids = ", ".join(str(int(task.recipient_id)) for task in tasks)
        rows = await self.tx.conn.execute(
            text(
                f"SELECT r.id AS person, o.id, o.ref, o.role, a.town_id, o.area_id FROM recipient r "
                f"JOIN recipient o ON o.ref = r.{column} AND o.gone_at IS NULL JOIN area a ON a.id = o.area_id "
                f"WHERE r.id IN ({ids})"
            )
        )
        others = {int(row.person): row for row in rows}
        return [(task, others[task.recipient_id]) for task in tasks if task.recipient_id in others]

    async def on_list(self, people: set[int]) -> set[int]:
        """Those who may be told: in a drill only who is on its list."""
        if self.warning.drill is None:
            return people
        rows = await self.tx.conn.execute(
            text("SELECT recipient_id FROM participant WHERE drill_id = :d"), {"d": self.warning.drill}
        )
        return people & {int(row[0]) for row in rows}

    async def engage(self, pairs: Sequence[tuple[Any, Any]], wait: int) -> None:
        """Make the others targets with a task each, which covers the tasks they are called for."""
        sqlite = self.tx.conn.dialect.name == "sqlite"
        source = rows_table(sqlite, recipient="int", town="int", role="text", area="int")
        rows = pack_rows(sorted({(other.id, other.town_id, other.role, other.area_id) for _, other in pairs}))
        result = await self.tx.conn.execute(
            text(
                "INSERT INTO target (warning_id, recipient_id, town_id, role, state, village_id) "
                f"SELECT :w, k.recipient, k.town, k.role, 0, v.village_id FROM {source} AS k JOIN area v ON v.id = k.area "
                "WHERE 1 = 1 ON CONFLICT DO NOTHING RETURNING role, town_id, village_id"
            ),
            {"rows": rows, "w": self.warning.id},
        )
        added: Deltas = Counter()
        for row in result:
            added[Cell(self.warning.id, PEOPLE, "", row.role, row.town_id, 0)] += 1
            added[Local(self.warning.id, row.village_id, 0)] += 1
        await add_cells(self.tx, added)
        await self.tx.conn.execute(
            text(
                "INSERT INTO task (warning_id, recipient_id, kind, role, town_id, area_id, state, rung, due_at) "
                f"SELECT :w, k.recipient, 'confirm', k.role, k.town, k.area, 'open', 99, :due FROM {source} AS k WHERE 1 = 1 "
                "ON CONFLICT DO NOTHING"
            ),
            {"rows": rows, "w": self.warning.id, "due": self.tx.now + wait},
        )
        await add_covers(self.tx, self.warning.id, [(other.id, task.id) for task, other in pairs])

    async def tell(self, who: Who, people: Sequence[Person], channels: Sequence[str], rule: Rule) -> None:
        """Batches for these people, by role and township; a step of its own for each kind of them in the round."""
        groups: dict[tuple[str, int], list[int]] = defaultdict(list)
        for recipient, role, town in people:
            groups[role, town].append(recipient)
        for (role, town), named in groups.items():
            for channel in channels:
                await self.planner.cut_channel(
                    self.tx,
                    self.warning,
                    role,
                    town,
                    channel,
                    rule,
                    round_=self.round,
                    cause=self.cause,
                    part=f":{who.value}",
                    people=tuple(named),
                )


async def set_tasks(tx: Tx, tasks: Sequence[Any], state: str, rung: int, wait: int | None = None) -> None:
    """Where these tasks now stand; `wait` milliseconds from when they were due they are due again, None: never."""
    if tasks:
        ids = ", ".join(str(int(task.id)) for task in tasks)
        now = "CAST(:now AS bigint)"
        due = f"CASE WHEN due_at > {now} - {GRACE} THEN due_at ELSE {now} END + :wait" if wait is not None else "due_at"
        bind = {"s": state, "r": rung} | ({"now": tx.now, "wait": wait} if wait is not None else {})
        await tx.conn.execute(
            text(f"UPDATE task SET state = :s, rung = :r, due_at = {due} WHERE id IN ({ids}) AND state = 'open'"), bind
        )
        tx.wake("tally")
