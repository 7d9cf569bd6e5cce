"""Who stands for whom in a warning: a task may cover others, and is done with when nothing it covers is open any more."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.roles import Role
from warnhub.store.assignments import TASK, idle_people
from warnhub.store.batches import Batch, Line
from warnhub.store.engine import Tx
from warnhub.store.rows import pack_rows, rows_table


async def add_covers(tx: Tx, warning: int, pairs: Iterable[tuple[int, int]]) -> None:
    """These people's own tasks of a warning cover others' too: (recipient, the other's task)."""
    source = rows_table(tx.conn.dialect.name == "sqlite", recipient="int", origin="int")
    await tx.conn.execute(
        text(
            f"INSERT INTO cover (task_id, origin_id, at) SELECT t.id, k.origin, :now FROM {source} AS k "
            "JOIN task t ON t.warning_id = :w AND t.recipient_id = k.recipient AND t.kind = 'confirm' "
            "WHERE t.id <> k.origin ON CONFLICT DO NOTHING"
        ),
        {"rows": pack_rows(sorted(set(pairs))), "w": warning, "now": tx.now},
    )


async def heard_calls(tx: Tx, warning: int, people: Sequence[int]) -> set[int]:
    """Those of these people who have listened to a call of this warning for as long as it takes to count."""
    source = rows_table(tx.conn.dialect.name == "sqlite", recipient="int")
    rows = await tx.conn.execute(
        text(
            f"SELECT DISTINCT d.recipient_id FROM {source} AS k CROSS JOIN wave v "
            "JOIN delivery d ON d.wave_id = v.id AND d.recipient_id = k.recipient "
            "WHERE v.warning_id = :w AND v.channel = 'voice' AND d.state >= 70"
        ),
        {"rows": pack_rows((person,) for person in people), "w": warning},
    )
    return {int(row[0]) for row in rows}


async def mark_unwoken(tx: Tx, tasks: Sequence[int]) -> None:
    """These people were called as often as policy says, and not woken."""
    ids = ", ".join(str(int(task)) for task in tasks)
    await tx.conn.execute(
        text(f"UPDATE task SET unwoken_at = coalesce(unwoken_at, :now) WHERE id IN ({ids}) AND state = 'open'"), {"now": tx.now}
    )


async def add_visits(tx: Tx, warning: int, origins: Sequence[int], due: int) -> dict[int, int]:
    """Whoever is called for these tasks, but for deputies, must go to the door; origin → how many do."""
    ids = ", ".join(str(int(task)) for task in origins)
    above = (
        "FROM cover c JOIN task o ON o.id = c.origin_id JOIN recipient r ON r.id = o.recipient_id "
        "JOIN task t ON t.id = c.task_id JOIN recipient v ON v.id = t.recipient_id "
        f"WHERE c.origin_id IN ({ids}) AND (r.deputy IS NULL OR v.ref <> r.deputy)"
    )
    await tx.conn.execute(
        text(
            "INSERT INTO task (warning_id, recipient_id, kind, role, town_id, area_id, state, rung, due_at) "
            "SELECT DISTINCT t.warning_id, t.recipient_id, 'visit', t.role, t.town_id, t.area_id, 'open', 99, "
            f"CAST(:due AS bigint) {above} "
            "ON CONFLICT (warning_id, recipient_id, kind) "
            "DO UPDATE SET state = 'open', due_at = excluded.due_at, done_at = NULL"
        ),
        {"due": due},
    )
    await tx.conn.execute(
        text(
            "INSERT INTO cover (task_id, origin_id, at) SELECT DISTINCT n.id, c.origin_id, CAST(:now AS bigint) "
            + above.replace(
                "WHERE", "JOIN task n ON n.warning_id = :w AND n.recipient_id = t.recipient_id AND n.kind = 'visit' WHERE", 1
            )
            + " AND t.kind = 'confirm' ON CONFLICT DO NOTHING"
        ),
        {"w": warning, "now": tx.now},
    )
    rows = await tx.conn.execute(
        text(
            "SELECT c.origin_id, count(*) FROM cover c JOIN task n ON n.id = c.task_id AND n.kind = 'visit' "
            f"WHERE c.origin_id IN ({ids}) GROUP BY c.origin_id"
        )
    )
    return {int(row[0]): int(row[1]) for row in rows}


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody to whose door another must go."""

    name: str
    role: str
    place: str
    state: str
    due_at: int
    drill: str | None

    @property
    def role_name(self) -> str:
        """Their role in Chinese."""
        return Role(self.role).zh


async def list_visits(conn: AsyncConnection, recipient: int) -> list[Visit]:
    """The doors one person must go to, of warnings that live: whoever has answered meanwhile is not among them."""
    rows = await conn.execute(
        text(
            "SELECT r.name, o.role, a.name AS place, n.state, n.due_at, w.drill FROM warning w "
            "JOIN task n ON n.warning_id = w.id AND n.recipient_id = :r AND n.kind = 'visit' AND n.state IN ('open', 'late') "
            "JOIN cover c ON c.task_id = n.id JOIN task o ON o.id = c.origin_id AND o.state <> 'done' "
            "JOIN recipient r ON r.id = o.recipient_id JOIN area a ON a.id = o.area_id "
            "WHERE w.state = 'released' ORDER BY n.due_at, o.id LIMIT 100"
        ),
        {"r": recipient},
    )
    return [Visit(*row) for row in rows]


async def leave_answered(conn: AsyncConnection, batch: Batch, lines: list[Line]) -> list[Line]:
    """The lines of a later round, those blocked who have answered since it was cut: they are pressed no more, unless they are
    called for somebody who still has to. Of a round that tells of tasks, those whose tasks are done."""
    if batch.round < 2 or not lines:
        return lines
    cause = str(await conn.scalar(text("SELECT cause FROM wave WHERE id = :v"), {"v": batch.wave}) or "")
    if cause.startswith(TASK):
        idle = await idle_people(conn, batch.warning, cause, [line.recipient for line in lines])
        return [line._replace(blocked="answered") if line.recipient in idle else line for line in lines]
    rows = await conn.execute(
        text(
            "SELECT d.recipient_id FROM delivery d "
            "JOIN target t ON t.warning_id = :w AND t.recipient_id = d.recipient_id AND t.state = 80 "
            "WHERE d.batch_id = :b AND d.state <= 10 AND NOT EXISTS (SELECT 1 FROM task k JOIN cover c ON c.task_id = k.id "
            "JOIN task o ON o.id = c.origin_id AND o.state IN ('open', 'late') "
            "WHERE k.warning_id = :w AND k.recipient_id = d.recipient_id)"
        ),
        {"w": batch.warning, "b": batch.id},
    )
    answered = {int(row[0]) for row in rows}
    return [line._replace(blocked="answered") if line.recipient in answered else line for line in lines]


async def cover_origins(tx: Tx, warning: int, people: Iterable[int]) -> None:
    """These people have just answered: whom they were called for is covered, and who was called for them is let go.

    A visit to a door is another thing than an answer: it ends when the person behind that door has answered, or when the
    visitor says so.
    """
    # From the people to their tasks to whom those cover, never from all tasks of the warning.
    source = rows_table(tx.conn.dialect.name == "sqlite", warning="int", recipient="int")
    await tx.conn.execute(
        text(
            "UPDATE task SET state = 'covered', done_at = :now WHERE +warning_id = :w AND kind = 'confirm' "
            f"AND state || '' IN ('open', 'late') AND id IN (SELECT c.origin_id FROM {source} AS k JOIN task t "
            "ON t.warning_id = k.warning AND t.recipient_id = k.recipient JOIN cover c ON c.task_id = t.id)"
        ),
        {"rows": pack_rows((warning, person) for person in sorted(set(people))), "w": warning, "now": tx.now},
    )
    await tx.conn.execute(
        text(
            "UPDATE task SET state = 'covered', done_at = :now "
            "WHERE warning_id = :w AND rung = 99 AND state IN ('open', 'late') "
            "AND EXISTS (SELECT 1 FROM cover c WHERE c.task_id = task.id) "
            "AND NOT EXISTS (SELECT 1 FROM cover c JOIN task o ON o.id = c.origin_id WHERE c.task_id = task.id "
            "AND (o.state IN ('open', 'late', 'closed') OR task.kind = 'visit' AND o.state <> 'done'))"
        ),
        {"w": warning, "now": tx.now},
    )
