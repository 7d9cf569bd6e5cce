"""Who answered what, and who did not: lists for the people who have to act on them. Always by index, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.rows import pack_rows, rows_table
from warnhub.store.states import RANKS, effective_rank

STATES = {int(rank): state.value for state, rank in RANKS.items()}

PERSON = (
    "k.id, k.recipient_id, k.state, k.rung, k.due_at, k.done_at, k.choice, k.evidence, k.role, r.name, r.ref, "
    "a.name AS place, v.name AS village, t.name AS town, "
    "(SELECT tail FROM address s WHERE s.recipient_id = r.id AND s.channel = 'sms') AS tail "
    "FROM task k JOIN recipient r ON r.id = k.recipient_id JOIN area a ON a.id = k.area_id "
    "JOIN area v ON v.id = a.village_id JOIN area t ON t.id = k.town_id"
)
ASKED = "k.warning_id = :w AND k.kind = 'confirm'"


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody who is asked to confirm. `place` is their own (a grid, a village, a township); `tail` the last four digits."""

    task: int
    recipient: int
    state: str
    rung: int
    due_at: int
    done_at: int | None
    choice: str | None
    evidence: str | None
    role: str
    name: str
    ref: str
    place: str
    village: str
    town: str
    tail: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody who asks for help, or cannot do it. `text` is their own, "" if they wrote nothing."""

    who: Asked
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Village:
    """A village nobody has answered from."""

    id: int
    name: str
    town: str
    people: int
    late: int


@dataclass(frozen=True, slots=True)
class Unwoken:
    """Somebody who was not woken. `visitor` goes to the door, None where nobody could be sent; `visit` is that task's state."""

    recipient: int
    name: str
    role: str
    place: str
    town: str
    at: int
    state: str
    visitor: str | None
    visit: str | None


async def list_asked(
    conn: AsyncConnection, warning: int, after: tuple[int, int] = (0, 0), most: int = 50, village: int | None = None
) -> list[Asked]:
    """Who has not confirmed and whose duty nobody covered: by deadline, after (deadline, task)."""
    where = "AND a.village_id = :v" if village is not None else ""
    rows = await conn.execute(
        text(
            f"SELECT {PERSON} WHERE {ASKED} AND k.state IN ('open', 'late', 'closed') {where} "
            "AND (k.due_at > :due OR (k.due_at = :due AND k.id > :id)) ORDER BY k.due_at, k.id LIMIT :most"
        ),
        {"w": warning, "due": after[0], "id": after[1], "v": village, "most": most},
    )
    return [Asked(*row) for row in rows]


async def read_asked(conn: AsyncConnection, warning: int, recipient: int) -> Asked | None:
    """One person who is, or was, asked."""
    row = (
        await conn.execute(text(f"SELECT {PERSON} WHERE {ASKED} AND k.recipient_id = :r"), {"w": warning, "r": recipient})
    ).first()
    return Asked(*row) if row else None


async def read_target(conn: AsyncConnection, warning: int, recipient: int) -> Asked | None:
    """Anybody, or any device, a warning is for, also where nobody is asked to confirm: without a task, in the state `told`."""
    row = (
        await conn.execute(
            text(
                "SELECT 0 AS task, r.id, 'told' AS state, 0 AS rung, 0 AS due, NULL AS done, NULL AS choice, NULL AS evidence, "
                "g.role, r.name, r.ref, a.name AS place, v.name AS village, t.name AS town, "
                "(SELECT tail FROM address s WHERE s.recipient_id = r.id AND s.channel = 'sms') AS tail "
                "FROM target g JOIN recipient r ON r.id = g.recipient_id JOIN area a ON a.id = r.area_id "
                "JOIN area v ON v.id = a.village_id JOIN area t ON t.id = a.town_id "
                "WHERE g.warning_id = :w AND g.recipient_id = :r"
            ),
            {"w": warning, "r": recipient},
        )
    ).first()
    return Asked(*row) if row else None


async def list_calls(conn: AsyncConnection, warning: int, most: int = 50) -> list[Call]:
    """Those who ask for help or cannot do it, the newest first, with what they last wrote."""
    rows = await conn.execute(
        text(
            "SELECT (SELECT coalesce(c.text, '') FROM ack c WHERE c.warning_id = k.warning_id "
            "AND c.recipient_id = k.recipient_id AND c.human AND c.choice = k.choice ORDER BY c.id DESC LIMIT 1) AS words, "
            f"{PERSON} WHERE {ASKED} AND k.choice IN ('help', 'cannot') ORDER BY k.done_at DESC, k.id LIMIT :most"
        ),
        {"w": warning, "most": most},
    )
    return [Call(Asked(*row[1:]), str(row[0] or ""), int(row.done_at or 0)) for row in rows]


async def silent_villages(conn: AsyncConnection, warning: int, most: int = 60) -> list[Village]:
    """Villages where somebody must confirm and nobody has, those with the most who are late first."""
    rows = await conn.execute(
        text(
            "SELECT v.id, v.name, t.name AS town, count(*) AS people, "
            "sum(CASE WHEN k.state = 'late' THEN 1 ELSE 0 END) AS late "
            "FROM task k JOIN area a ON a.id = k.area_id JOIN area v ON v.id = a.village_id JOIN area t ON t.id = v.town_id "
            f"WHERE {ASKED} AND a.level >= 12 GROUP BY v.id, v.name, t.name "
            "HAVING sum(CASE WHEN k.state = 'done' THEN 1 ELSE 0 END) = 0 ORDER BY late DESC, people DESC, v.id LIMIT :most"
        ),
        {"w": warning, "most": most},
    )
    return [Village(*row) for row in rows]


async def list_unwoken(conn: AsyncConnection, warning: int, most: int = 200) -> list[Unwoken]:
    """Who was called as often as policy says and not woken, by township; who goes to the door, and where that stands."""
    rows = await conn.execute(
        text(
            "SELECT k.recipient_id, r.name, k.role, a.name AS place, t.name AS town, k.unwoken_at, k.state, "
            "v.name AS visitor, n.state AS visit FROM task k JOIN recipient r ON r.id = k.recipient_id "
            "JOIN area a ON a.id = k.area_id JOIN area t ON t.id = k.town_id "
            "LEFT JOIN cover c ON c.origin_id = k.id AND c.task_id IN "
            "(SELECT id FROM task WHERE warning_id = :w AND kind = 'visit') "
            "LEFT JOIN task n ON n.id = c.task_id LEFT JOIN recipient v ON v.id = n.recipient_id "
            "WHERE k.warning_id = :w AND k.kind = 'confirm' AND k.unwoken_at IS NOT NULL "
            "ORDER BY CASE WHEN k.state = 'done' THEN 1 ELSE 0 END, t.code, a.code, k.id, n.id LIMIT :most"
        ),
        {"w": warning, "most": most},
    )
    return [Unwoken(*row) for row in rows]


async def count_tellings(conn: AsyncConnection, warning: int, people: Sequence[int]) -> dict[int, int]:
    """How many messages of a warning were handed over, or tried, for each of these people."""
    source = rows_table(conn.dialect.name == "sqlite", recipient="int")
    rows = await conn.execute(
        text(
            f"SELECT d.recipient_id, count(*) FROM {source} AS k CROSS JOIN wave v "
            "JOIN delivery d ON d.wave_id = v.id AND d.recipient_id = k.recipient "
            "WHERE v.warning_id = :w AND d.state >= 30 GROUP BY d.recipient_id"
        ),
        {"rows": pack_rows((person,) for person in people), "w": warning},
    )
    return {int(row[0]): int(row[1]) for row in rows}


async def list_messages(conn: AsyncConnection, warning: int, recipient: int) -> list[dict[str, Any]]:
    """Every message of a warning to one person, in order, with where it stands."""
    rows = await conn.execute(
        text(
            "SELECT v.id AS wave, v.at, v.channel, v.round, v.cause, b.provider, b.role, d.state, b.state AS stage, b.attempt, "
            "d.reason, d.code, d.handed_at, d.settled_at, d.provider_id, b.due_at, b.note, a.tail, a.blind FROM wave v "
            "JOIN delivery d ON d.wave_id = v.id AND d.recipient_id = :r JOIN batch b ON b.id = d.batch_id "
            "JOIN address a ON a.id = d.address_id WHERE v.warning_id = :w ORDER BY v.round, v.id"
        ),
        {"w": warning, "r": recipient},
    )
    return [row._asdict() | {"state": STATES[effective_rank(row.state, row.stage, row.attempt)]} for row in rows]


async def list_acts(conn: AsyncConnection, warning: int, recipient: int) -> list[dict[str, Any]]:
    """Everything that was taken for an answer of one person, in order, with its evidence."""
    rows = await conn.execute(
        text(
            "SELECT evidence, human, choice, text, officer, at FROM ack "
            "WHERE warning_id = :w AND recipient_id = :r ORDER BY id LIMIT 50"
        ),
        {"w": warning, "r": recipient},
    )
    return [row._asdict() for row in rows]
