"""Assignments: what a person must do by a time beyond confirming: a patrol, a step of a plan, a point to be looked at again.

open → done, or open → late → done; closed when what asked for it is over. Nothing goes back.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.engine import Tx
from warnhub.store.rows import pack_rows, rows_table

ALIVE = ("open", "late")
TASK, TITLE = "task:", 60
"""How the cause of a wave begins that tells people of tasks, and how much of a task's title it keeps."""

EVIDENCE = ("tick", "text")
POINTS = ("rectify", "recheck")
"""The kinds that a hazard point's own dates ask for; the point's next step ends them."""
UNMET = "unmet"
"""The kind that asks what a cancel meant by an alert nobody here knows."""
DESK = ":desk"
"""How the key of one ends that only the desk can end."""


class Assignment(NamedTuple):
    """A new one. `key` makes a repeat a repeat; `role` and `town` say who would do it where nobody is named."""

    key: str
    kind: str
    title: str
    role: str
    due_at: int
    begin_at: int
    evidence: str = "tick"
    warning: int | None = None
    run: int | None = None
    point: int | None = None
    town: int | None = None
    owner: int | None = None
    drill: str | None = None


async def add_assignment(tx: Tx, one: Assignment) -> bool:
    """Keep it; False if it was there, or if it is of a drill in which nobody who would do it takes part."""
    owner = one.owner if one.owner is not None else await find_owner(tx.conn, one.role, one.town, one.drill)
    if one.drill is not None and owner is None:
        return False
    result = await tx.conn.execute(
        text(
            "INSERT INTO assignment (key, kind, warning_id, run_id, point_id, drill, title, role, owner_id, town_id, evidence, "
            "state, begin_at, due_at, next_at) VALUES (:key, :kind, :warning, :run, :point, :drill, :title, :role, :owner, "
            ":town, :evidence, 'open', :begin_at, :due_at, :next) ON CONFLICT DO NOTHING"
        ),
        one._asdict() | {"owner": owner, "next": one.begin_at if one.begin_at > tx.now else None},
    )
    tx.wake("assignment")
    return bool(result.rowcount)


async def is_open(conn: AsyncConnection, key: str) -> bool:
    """Whether this is asked of somebody who has not answered."""
    query = text("SELECT 1 FROM assignment WHERE key = :key AND state IN ('open', 'late')")
    return bool(await conn.scalar(query, {"key": key}))


async def find_owner(conn: AsyncConnection, role: str, town: int | None, drill: str | None) -> int | None:
    """Who of a role would do it: of that township, else of the county; in a drill only who takes part."""
    joined = "AND EXISTS (SELECT 1 FROM participant p WHERE p.drill_id = :d AND p.recipient_id = r.id)" if drill else ""
    bind: dict[str, Any] = {"role": role} | ({"d": drill} if drill else {})
    query = "SELECT min(r.id) FROM recipient r JOIN area a ON a.id = r.area_id WHERE r.role = :role AND r.gone_at IS NULL "
    if town is not None:
        found = await conn.scalar(text(f"{query} AND a.id = :t {joined}"), bind | {"t": town})
        if found is not None:
            return int(found)
    found = await conn.scalar(text(f"{query} AND a.level = 6 {joined}"), bind)
    return int(found) if found is not None else None


async def owners_of(conn: AsyncConnection, keys: Sequence[str]) -> list[int]:
    """Who has to do these assignments, each once."""
    source = rows_table(conn.dialect.name == "sqlite", key="text")
    rows = await conn.execute(
        text(
            f"SELECT DISTINCT k.owner_id FROM {source} AS p JOIN assignment k ON k.key = p.key "
            "WHERE k.owner_id IS NOT NULL ORDER BY 1"
        ),
        {"rows": pack_rows((key,) for key in keys)},
    )
    return [int(row[0]) for row in rows]


async def finish(tx: Tx, number: int, actor: str, said: str) -> bool:
    """It is done; False if it was done or closed before."""
    result = await tx.conn.execute(
        text(
            "UPDATE assignment SET state = 'done', done_at = :now, actor = :a, said = :s "
            "WHERE id = :id AND state IN ('open', 'late')"
        ),
        {"now": tx.now, "a": actor, "s": said or None, "id": number},
    )
    tx.wake("assignment")
    return bool(result.rowcount)


async def close_key(tx: Tx, key: str) -> None:
    """What this asked for is asked of nobody any more."""
    await tx.conn.execute(
        text("UPDATE assignment SET state = 'closed', done_at = :now WHERE key = :k AND state IN ('open', 'late')"),
        {"now": tx.now, "k": key},
    )


async def finish_point(tx: Tx, point: int, actor: str, said: str) -> int:
    """A point has taken its next step: what its dates asked for is done; gives how many that were."""
    result = await tx.conn.execute(
        text(
            "UPDATE assignment SET state = 'done', done_at = :now, actor = :a, said = :s "
            "WHERE point_id = :p AND kind IN ('rectify', 'recheck') AND state IN ('open', 'late')"
        ),
        {"now": tx.now, "a": actor, "s": said or None, "p": point},
    )
    tx.wake("assignment")
    return int(result.rowcount)


async def take_late(tx: Tx, most: int = 200) -> list[Any]:
    """Those whose time is up: late from now on, each with the superior of who should have done it."""
    skip = "" if tx.conn.dialect.name == "sqlite" else "FOR UPDATE OF k SKIP LOCKED"
    rows = (
        await tx.conn.execute(
            text(
                "SELECT k.id, k.warning_id, k.run_id, k.title, k.owner_id, k.drill, s.id AS superior FROM assignment k "
                "LEFT JOIN recipient o ON o.id = k.owner_id LEFT JOIN recipient s ON s.ref = o.superior AND s.gone_at IS NULL "
                f"WHERE k.state = 'open' AND k.due_at <= :now ORDER BY k.due_at, k.id LIMIT {int(most)} {skip}"
            ),
            {"now": tx.now},
        )
    ).all()
    for row in rows:
        await tx.conn.execute(
            text(
                "UPDATE assignment SET state = 'late', late_at = :now, raised_id = :s, next_at = :next "
                "WHERE id = :id AND state = 'open'"
            ),
            {
                "now": tx.now,
                "s": await raised_to(tx, row),
                "next": tx.now if row.warning_id or row.run_id else None,
                "id": row.id,
            },
        )
    return list(rows)


async def raised_to(tx: Tx, row: Any) -> int | None:
    """Who hears of a late one: the superior; in a drill only if they take part."""
    if row.superior is None or row.drill is None:
        return row.superior if row.superior is None else int(row.superior)
    known = await tx.conn.scalar(
        text("SELECT 1 FROM participant WHERE drill_id = :d AND recipient_id = :r"), {"d": row.drill, "r": row.superior}
    )
    return int(row.superior) if known else None


class Alarm(NamedTuple):
    """An assignment of which somebody is to be told now. `warning` is the one it follows from, or that its run goes on under;
    `stage` counts who was told that it is late; `superior` is who hears of it after its owner."""

    id: int
    state: str
    stage: int
    title: str
    warning: int
    owner: int | None
    superior: int | None


async def take_alarms(tx: Tx, most: int = 500) -> list[Alarm]:
    """Those of which somebody is to be told now, in this transaction's hand."""
    skip = "" if tx.conn.dialect.name == "sqlite" else "FOR UPDATE OF k SKIP LOCKED"
    rows = await tx.conn.execute(
        text(
            "SELECT k.id, k.state, k.stage, k.title, coalesce(r.warning_id, k.warning_id), k.owner_id, k.raised_id "
            "FROM assignment k LEFT JOIN run r ON r.id = k.run_id WHERE k.state IN ('open', 'late') AND k.next_at <= :now "
            f"AND (r.warning_id IS NOT NULL OR k.warning_id IS NOT NULL) ORDER BY k.next_at, k.id LIMIT {int(most)} {skip}"
        ),
        {"now": tx.now},
    )
    return [Alarm(*row) for row in rows]


async def set_alarm(tx: Tx, number: int, stage: int, at: int | None) -> None:
    """Who was told, and when the next is to be; None: nobody."""
    await tx.conn.execute(
        text("UPDATE assignment SET stage = :s, next_at = :at WHERE id = :id"), {"s": stage, "at": at, "id": number}
    )


async def idle_people(conn: AsyncConnection, warning: int, cause: str, people: Sequence[int]) -> set[int]:
    """Those of these people whom a wave of tasks has nothing to tell any more: it is done, or closed."""
    told, _, title = cause.removeprefix(TASK).partition(":")
    named = "" if told == "start" else f"AND substr(k.title, 1, {TITLE}) = :title"
    theirs = "(k.raised_id = p.recipient OR k.stage >= 3)" if told == "raised" else "k.owner_id = p.recipient"
    late = "= 'late'" if told in {"late", "raised"} else "IN ('open', 'late')"
    source = rows_table(conn.dialect.name == "sqlite", recipient="int")
    rows = await conn.execute(
        text(
            f"SELECT p.recipient FROM {source} AS p WHERE NOT EXISTS (SELECT 1 FROM assignment k "
            "LEFT JOIN run r ON r.id = k.run_id WHERE coalesce(r.warning_id, k.warning_id) = :w "
            f"AND k.state {late} AND {theirs} {named})"
        ),
        {"rows": pack_rows((person,) for person in people), "w": warning} | ({"title": title} if named else {}),
    )
    return {int(row[0]) for row in rows}


async def close_ended(tx: Tx) -> int:
    """Patrols of warnings that are over, and steps of runs that have ended, are asked of nobody any more."""
    result = await tx.conn.execute(
        text(
            "UPDATE assignment SET state = 'closed', done_at = :now WHERE state IN ('open', 'late') AND ("
            "(run_id IS NULL AND warning_id IN (SELECT id FROM warning WHERE state NOT IN ('pending', 'released'))) "
            "OR run_id IN (SELECT id FROM run WHERE state = 'ended'))"
        ),
        {"now": tx.now},
    )
    return int(result.rowcount)


LIST = (
    "SELECT k.*, o.name AS owner, o.role AS owner_role, t.name AS town, r.name AS raised, p.name AS point, p.way AS point_way, "
    "p.ref AS point_ref "
    "FROM assignment k LEFT JOIN recipient o ON o.id = k.owner_id LEFT JOIN recipient r ON r.id = k.raised_id "
    "LEFT JOIN area t ON t.id = k.town_id LEFT JOIN point p ON p.id = k.point_id "
)


async def list_own(conn: AsyncConnection, recipient: int) -> list[Any]:
    """What one person has to do, or has to see to because it is late; with what they did in the last day."""
    query = LIST + (
        "WHERE (k.owner_id = :r OR k.raised_id = :r) AND k.state IN ('open', 'late') ORDER BY k.due_at, k.id LIMIT 100"
    )
    return list((await conn.execute(text(query), {"r": recipient})).all())


async def list_of_warning(conn: AsyncConnection, warning: int, most: int = 500) -> list[Any]:
    """Everything that follows from a warning, its run included, by deadline."""
    query = LIST + (
        "WHERE k.warning_id = :w OR k.run_id IN (SELECT id FROM run WHERE warning_id = :w) ORDER BY k.due_at, k.id LIMIT :most"
    )
    return list((await conn.execute(text(query), {"w": warning, "most": most})).all())


async def list_of_points(conn: AsyncConnection, most: int = 500, point: int | None = None) -> list[Any]:
    """What the dates of hazard points ask of somebody now, by deadline; of one `point` all there was, the newest first."""
    if point is not None:
        query = LIST + "WHERE k.point_id = :p AND k.kind IN ('rectify', 'recheck') ORDER BY k.id DESC LIMIT :most"
        return list((await conn.execute(text(query), {"p": point, "most": most})).all())
    query = LIST + "WHERE k.state IN ('open', 'late') AND k.kind IN ('rectify', 'recheck') ORDER BY k.due_at, k.id LIMIT :most"
    return list((await conn.execute(text(query), {"most": most})).all())


async def list_checks(conn: AsyncConnection, most: int = 50) -> list[Any]:
    """What cancels named that nobody here knows, and the desk has yet to find out, by deadline."""
    query = LIST + "WHERE k.state IN ('open', 'late') AND k.kind = 'unmet' ORDER BY k.due_at, k.id LIMIT :most"
    return list((await conn.execute(text(query), {"most": most})).all())


async def list_of_run(conn: AsyncConnection, run: int) -> list[Any]:
    """The steps of a run, by deadline."""
    return list((await conn.execute(text(LIST + "WHERE k.run_id = :r ORDER BY k.due_at, k.id"), {"r": run})).all())


async def count_assignments(conn: AsyncConnection, warning: int) -> dict[str, int]:
    """State → how many; `overdue` are those that were ever late."""
    rows = await conn.execute(
        text(
            "SELECT state, count(*) AS n, sum(CASE WHEN late_at IS NULL THEN 0 ELSE 1 END) AS late FROM assignment "
            "WHERE warning_id = :w OR run_id IN (SELECT id FROM run WHERE warning_id = :w) GROUP BY state"
        ),
        {"w": warning},
    )
    found = {"open": 0, "late": 0, "done": 0, "closed": 0, "overdue": 0}
    for row in rows:
        found[row.state] = int(row.n)
        found["overdue"] += int(row.late)
    return found
