"""A warning that touches hazard points: their people are told first, and each point gets a patrol."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import bindparam, text

from warnhub.alert import Level
from warnhub.plan.planner import Planner
from warnhub.roles import Role
from warnhub.store.assignments import Assignment, add_assignment
from warnhub.store.audits import add_event
from warnhub.store.engine import Tx
from warnhub.store.points import Point, touched_points
from warnhub.store.warnings import LIVING, Warning

WITHIN = {Level.RED: timedelta(minutes=30), Level.ORANGE: timedelta(hours=1)}
CALM = timedelta(hours=3)
KINDS = {
    "slide": ("11D",),
    "river": ("11A", "11B01", "11B03", "11B49"),
    "reservoir": ("11A", "11B01", "11B03", "11B49"),
    "forest": ("11G", "11B09", "11B16"),
    "mine": ("11",),
    "works": ("11",),
}
RAIN = ("11A", "11B01", "11B03", "11B49", "11D")
"""Rain and flood ask for a look at slopes, too."""


def concerns(point: Point, hazard: str) -> bool:
    """Whether a hazard has anything to do with a point."""
    return hazard.startswith(KINDS.get(point.kind, ())) or (point.kind == "slide" and hazard.startswith(RAIN))


@dataclass(slots=True)
class Patrol:
    """Tells the people of points first, and sends somebody to look."""

    planner: Planner

    async def lead(self, tx: Tx, warning: Warning) -> int:
        """Cut the messages of those responsible for touched points, ahead of everybody else's: the same messages they would
        get, so that nobody is told twice. Gives how many people they are."""
        if warning.kind == "cancel":
            return 0
        points = [one for one in await touched_points(tx.conn, warning.id) if concerns(one, warning.hazard)]
        refs = sorted({ref for one in points for ref in one.keepers})
        if not refs:
            return 0
        joined = (
            "AND EXISTS (SELECT 1 FROM participant p WHERE p.drill_id = :d AND p.recipient_id = r.id)" if warning.drill else ""
        )
        query = text(
            "SELECT r.id, r.role, a.town_id FROM recipient r JOIN area a ON a.id = r.area_id "
            "JOIN extent e ON e.warning_id = :w AND e.area_id = r.area_id "
            f"WHERE r.ref IN :refs AND r.gone_at IS NULL {joined} ORDER BY r.id"
        ).bindparams(bindparam("refs", expanding=True))
        bind = {"refs": refs, "w": warning.id} | ({"d": warning.drill} if warning.drill else {})
        groups: dict[tuple[str, int], list[int]] = defaultdict(list)
        for row in await tx.conn.execute(query, bind):
            groups[row.role, row.town_id].append(row.id)
        rules = self.planner.rules(warning)
        told = 0
        for (role, town), people in groups.items():
            rule = rules.get(Role(role))
            if rule is None:
                continue
            told += len(people)
            await self.planner.cut_ahead(tx, warning, Role(role), rule, town, tuple(people))
        return told

    async def send(self, tx: Tx, warning: Warning) -> int:
        """A patrol for each touched point; gives how many there are now."""
        if warning.state != LIVING or warning.kind == "cancel":
            return 0
        within = WITHIN.get(Level(warning.level), CALM)
        due = tx.now + int(within.total_seconds() * 1000)
        points = [one for one in await touched_points(tx.conn, warning.id) if concerns(one, warning.hazard)]
        made = 0
        for one in points:
            owner = await first_keeper(tx, one, warning.drill)
            made += await add_assignment(
                tx,
                Assignment(
                    f"patrol:{warning.id}:{one.id}",
                    "patrol",
                    f"巡查{one.name}",
                    "village_head",
                    due,
                    tx.now,
                    "text",
                    warning=warning.id,
                    point=one.id,
                    town=one.town_id,
                    owner=owner,
                    drill=warning.drill,
                ),
            )
        if made:
            await add_event(tx, warning.id, "patrols", "policy", {"points": made})
        return len(points)


async def first_keeper(tx: Tx, one: Point, drill: str | None) -> int | None:
    """The first of those responsible whom the directory knows; in a drill the first who takes part."""
    for ref in one.keepers:
        joined = "AND EXISTS (SELECT 1 FROM participant p WHERE p.drill_id = :d AND p.recipient_id = r.id)" if drill else ""
        query = text(f"SELECT r.id FROM recipient r WHERE r.ref = :r AND r.gone_at IS NULL {joined}")
        found = await tx.conn.scalar(query, {"r": ref} | ({"d": drill} if drill else {}))
        if found is not None:
            return int(found)
    return None
