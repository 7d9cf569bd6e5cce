"""The auditor: counts the rows themselves and compares them with the counts that pages show."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.states import effective_rank
from warnhub.store.tallies import PEOPLE

VILLAGE = "village"


@dataclass(frozen=True, slots=True)
class Drift:
    """A count that differs from the rows: (channel, provider, role, township, state), what is counted and what is there. A
    village's count has `VILLAGE` as its provider and the village in the township's place."""

    cell: tuple[str, str, str, int, int]
    counted: int
    found: int


async def check_ledger(conn: AsyncConnection, warning: int) -> list[Drift]:
    """Every count of a warning against its rows; [] when planned = sum of states, everywhere."""
    found: Counter[tuple[str, str, str, int, int]] = Counter()
    rows = await conn.execute(
        text(
            "SELECT b.channel, b.provider, b.role, b.town_id, d.state, b.state AS stage, b.attempt, count(*) AS n "
            "FROM batch b JOIN delivery d ON d.batch_id = b.id WHERE b.warning_id = :w "
            "GROUP BY b.channel, b.provider, b.role, b.town_id, d.state, b.state, b.attempt"
        ),
        {"w": warning},
    )
    for row in rows:
        state = effective_rank(row.state, row.stage, row.attempt)
        found[row.channel, row.provider, row.role, row.town_id, state] += row.n
    people = await conn.execute(
        text("SELECT role, town_id, state, count(*) AS n FROM target WHERE warning_id = :w GROUP BY role, town_id, state"),
        {"w": warning},
    )
    for row in people:
        found[PEOPLE, "", row.role, row.town_id, row.state] += row.n
    villages = await conn.execute(
        text(
            "SELECT village_id, state, count(*) AS n FROM target WHERE warning_id = :w AND village_id <> 0 "
            "GROUP BY village_id, state"
        ),
        {"w": warning},
    )
    for row in villages:
        found[PEOPLE, VILLAGE, "", row.village_id, row.state] += row.n
    counted: Counter[tuple[str, str, str, int, int]] = Counter()
    rows = await conn.execute(
        text("SELECT channel, provider, role, town_id, state, n FROM tally WHERE warning_id = :w"), {"w": warning}
    )
    for row in rows:
        counted[row.channel, row.provider, row.role, row.town_id, row.state] += row.n
    rows = await conn.execute(text("SELECT village_id, state, n FROM village_tally WHERE warning_id = :w"), {"w": warning})
    for row in rows:
        counted[PEOPLE, VILLAGE, "", row.village_id, row.state] += row.n
    return [
        Drift(cell, counted[cell], found[cell]) for cell in sorted(set(found) | set(counted)) if counted[cell] != found[cell]
    ]


async def check_batches(conn: AsyncConnection, warning: int) -> list[int]:
    """Batches whose open count is not the number of their rows without an outcome."""
    rows = await conn.execute(
        text(
            "SELECT b.id FROM batch b JOIN delivery d ON d.batch_id = b.id WHERE b.warning_id = :w "
            "GROUP BY b.id, b.open HAVING b.open <> sum(CASE WHEN d.state <= 10 THEN 1 ELSE 0 END)"
        ),
        {"w": warning},
    )
    return [int(row[0]) for row in rows]
