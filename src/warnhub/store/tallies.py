"""Counts that change in the transaction that changes what they count. No page ever counts rows.

A count is kept for (warning, channel, provider, role, township, state). The channel `""` counts people and devices, each in the
best state that any of their deliveries has; the others count deliveries.
"""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.counts import Cell, Hop
from warnhub.store.engine import Tx

PEOPLE = ""


BUCKETS = (1, 2, 5, 10, 20, 30, 60, 120, 180, 300, 600, 1_200, 1_800, 3_600, 7_200, 21_600, 86_400)
ENDLESS = 1_000_000


def bucket_of(seconds: float) -> int:
    """The upper bound, in seconds, of the bucket that holds `seconds`."""
    return next((bound for bound in BUCKETS if seconds <= bound), ENDLESS)


async def add_cells(tx: Tx, deltas: Counter[Cell]) -> None:
    """Change the counts, at the end of the transaction."""
    tx.cells.update(deltas)
    if any(deltas.values()):
        tx.wake("tally")


async def add_hops(tx: Tx, deltas: Counter[Hop]) -> None:
    """Change the latency histograms, at the end of the transaction."""
    tx.hops.update(deltas)


def move_cell(deltas: Counter[Cell], cell: Cell, state: int, n: int = 1) -> None:
    """`n` leave `cell` for the same cell in `state`."""
    deltas[cell] -= n
    deltas[cell._replace(state=state)] += n


@dataclass(frozen=True, slots=True)
class Count:
    """One line of a warning's tally."""

    channel: str
    provider: str
    role: str
    town: int
    state: int
    n: int


async def read_tally(conn: AsyncConnection, warning: int) -> list[Count]:
    """Every count of a warning that is not zero; a few hundred lines however many people there are."""
    rows = await conn.execute(
        text("SELECT channel, provider, role, town_id, state, n FROM tally WHERE warning_id = :w AND n <> 0"), {"w": warning}
    )
    return [Count(*row) for row in rows]


async def read_hops(conn: AsyncConnection, warning: int) -> list[tuple[str, str, int, int]]:
    """(channel, hop, bucket, n) of a warning."""
    rows = await conn.execute(text("SELECT channel, hop, bucket, n FROM latency WHERE warning_id = :w"), {"w": warning})
    return [tuple(row) for row in rows]
