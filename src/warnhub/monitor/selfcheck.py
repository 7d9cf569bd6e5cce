"""The desk looks at itself: what waits and how long, receipts nobody asked for, counts against batches, the last trial message.

Cheap enough for every look at the first page: indexed counts, and sums over batches, never over deliveries. The full recount is
`warnhub audit verify`'s.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.warnings import Warning

LATE = 30.0
"""Seconds a batch of the red lane may be due before somebody is told."""


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for one provider: batches, of them those tried before, and the age of the oldest that is due, in seconds."""

    provider: str
    waiting: int
    again: int
    oldest: float


@dataclass(frozen=True, slots=True)
class Trial:
    """The last test message: how many it was for, how many it reached, and when."""

    uid: str
    at: int
    total: int
    reached: int


@dataclass(frozen=True, slots=True)
class Health:
    """`drift`: warnings whose counts and batches differ; `orphans`: receipts whose delivery is not found; `red`: the age in
    seconds of the oldest red batch that is due."""

    queues: list[Queue]
    drift: list[str]
    checked: int
    orphans: int
    red: float
    trial: Trial | None
    at: int

    @property
    def fine(self) -> bool:
        """Whether nothing of this needs a person."""
        return not self.drift and self.red < LATE

    @property
    def oldest(self) -> float:
        """The age of the oldest batch that is due."""
        return max((queue.oldest for queue in self.queues), default=0.0)

    @property
    def waiting(self) -> int:
        """Batches that wait."""
        return sum(queue.waiting for queue in self.queues)


async def read_health(conn: AsyncConnection, warnings: Iterable[Warning], now: int) -> Health:
    """How things are."""
    rows = (
        await conn.execute(
            text(
                "SELECT provider, lane, count(*) AS n, sum(CASE WHEN attempt > 0 THEN 1 ELSE 0 END) AS again, "
                "min(due_at) AS due FROM batch WHERE state = 0 AND open > 0 GROUP BY provider, lane"
            )
        )
    ).all()
    queues = []
    for name in sorted({row.provider for row in rows}):
        mine = [row for row in rows if row.provider == name]
        age = max(0.0, (now - min(row.due for row in mine)) / 1000)
        queues.append(Queue(name, sum(row.n for row in mine), sum(int(row.again) for row in mine), age))
    red = [row.due for row in rows if row.lane == 1]
    living = [warning for warning in warnings if warning.state == "released"]
    return Health(
        queues=queues,
        drift=[warning.uid for warning in living if not await agrees(conn, warning.id)],
        checked=len(living),
        orphans=int(await conn.scalar(text("SELECT count(*) FROM receipt WHERE joined = 0")) or 0),
        red=max(0.0, (now - min(red)) / 1000) if red else 0.0,
        trial=await last_trial(conn),
        at=now,
    )


async def agrees(conn: AsyncConnection, warning: int) -> bool:
    """Whether as many deliveries are counted as were cut: planned = sum of states."""
    cut, counted = (
        await conn.execute(
            text(
                "SELECT (SELECT coalesce(sum(size), 0) FROM batch WHERE warning_id = :w), "
                "(SELECT coalesce(sum(n), 0) FROM tally WHERE warning_id = :w AND channel <> '')"
            ),
            {"w": warning},
        )
    ).one()
    return int(cut) == int(counted)


async def last_trial(conn: AsyncConnection) -> Trial | None:
    """The newest test that was released: it went the whole way to its list."""
    row = (
        await conn.execute(
            text(
                "SELECT w.id, w.uid, w.released_at FROM warning w JOIN alert a ON a.id = w.alert_id "
                "WHERE a.status = 'test' AND w.released_at IS NOT NULL ORDER BY w.id DESC LIMIT 1"
            )
        )
    ).first()
    if row is None:
        return None
    sums = (
        await conn.execute(
            text(
                "SELECT coalesce(sum(n), 0) AS total, coalesce(sum(CASE WHEN state >= 60 THEN n ELSE 0 END), 0) AS reached "
                "FROM tally WHERE warning_id = :w AND channel = ''"
            ),
            {"w": row.id},
        )
    ).one()
    return Trial(row.uid, int(row.released_at), int(sums.total), int(sums.reached))
