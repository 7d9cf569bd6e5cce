"""Counts that change in the transaction that changes what they count. No page ever counts rows.

A count is kept for (warning, channel, provider, role, township, state). The channel `""` counts people and devices, each in the
best state that any of their deliveries has; the others count deliveries. People and devices are counted once more for (warning,
village, state).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.counts import STEP, Beat, Cell, Deltas, Hop, Local
from warnhub.store.engine import Tx
from warnhub.store.rows import pack_rows, rows_table

PEOPLE = ""


BUCKETS = (1, 2, 5, 10, 20, 30, 60, 120, 180, 300, 600, 1_200, 1_800, 3_600, 7_200, 21_600, 86_400)
ENDLESS = 1_000_000


def bucket_of(seconds: float) -> int:
    """The upper bound, in seconds, of the bucket that holds `seconds`."""
    return next((bound for bound in BUCKETS if seconds <= bound), ENDLESS)


async def add_cells(tx: Tx, deltas: Deltas) -> None:
    """Change the counts, at the end of the transaction."""
    tx.cells.update(deltas)
    if any(deltas.values()):
        tx.wake("tally")


async def add_hops(tx: Tx, deltas: Counter[Hop]) -> None:
    """Change the latency histograms, at the end of the transaction."""
    tx.hops.update(deltas)


async def add_beats(tx: Tx, warning: int, channel: str, n: int) -> None:
    """Count messages handed over now, at the end of the transaction."""
    tx.beats[Beat(warning, channel, tx.now // STEP)] += n


def move_cell(deltas: Deltas, cell: Cell | Local, state: int, n: int = 1) -> None:
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


async def read_villages(conn: AsyncConnection, warning: int, villages: Sequence[int]) -> list[Count]:
    """The counts of people and devices of these villages; a village stands in `town`."""
    source = rows_table(conn.dialect.name == "sqlite", warning="int", village="int")
    rows = await conn.execute(
        text(
            f"SELECT y.village_id, y.state, y.n FROM {source} AS k CROSS JOIN village_tally y "
            "WHERE y.warning_id = k.warning AND y.village_id = k.village AND y.n <> 0"
        ),
        {"rows": pack_rows((warning, village) for village in villages)},
    )
    return [Count(PEOPLE, "", "", int(village), int(state), int(n)) for village, state, n in rows]


async def read_hops(conn: AsyncConnection, warning: int) -> list[tuple[str, str, int, int]]:
    """(channel, hop, bucket, n) of a warning."""
    rows = await conn.execute(text("SELECT channel, hop, bucket, n FROM latency WHERE warning_id = :w"), {"w": warning})
    return [tuple(row) for row in rows]
