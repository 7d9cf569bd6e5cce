"""How fast a warning leaves: how long what remains will take, and messages over time by channel."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.channels import Provider
from warnhub.monitor.summary import Summary
from warnhub.store.engine import run_beside

SAMPLE = 30_000
"""Deliveries read for one picture: beyond that every n-th batch stands for the others, and the page says so."""

BARS = 48
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 86_400)


def seconds_left(summary: Summary, providers: Mapping[str, Provider]) -> float | None:
    """How long what remains takes, by the one outlook there is; 0 if nothing does, None if nobody can carry some of it."""
    waiting = [part.key for part in summary.providers if part.funnel.remaining]
    able = all(name in providers and providers[name].settings.rate > 0 for name in waiting)
    return (summary.eta.seconds if summary.eta else 0.0) if able else None


@dataclass(frozen=True, slots=True)
class Bar:
    """One step of time: messages by channel, each with where it begins in the picture."""

    at: int
    parts: list[tuple[str, int, float, float]]
    """(channel, count, top, height) in a picture 100 high."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Messages over time. `step` in seconds; `every`: 1 if all were counted, n if every n-th batch was; `peak`: the most in a
    step."""

    step: int
    every: int
    peak: int
    bars: list[Bar]
    channels: list[str]


async def read_pace(conn: AsyncConnection, warning: int, start: int, planned: int) -> Pace | None:
    """The picture; None while nothing was handed over. `start`: when it was released."""
    every = max(1, -(-planned // SAMPLE))
    if every > 1:
        batches = int(await conn.scalar(text("SELECT count(*) FROM batch WHERE warning_id = :w"), {"w": warning}) or 1)
        every = max(1, min(every, batches // 40 or 1))
    query = (
        "SELECT b.channel, (d.handed_at - :start) / 1000 AS second, count(*) AS n FROM batch b "
        "JOIN delivery d ON d.batch_id = b.id WHERE b.warning_id = :w AND b.id % :every = 0 AND d.handed_at >= :start "
        "GROUP BY b.channel, (d.handed_at - :start) / 1000"
    )
    rows = (await run_beside(conn, text(query), {"w": warning, "start": start, "every": every})).all()
    return make_pace([(row.channel, int(row.second), int(row.n) * every) for row in rows], start, every)


def make_pace(counts: list[tuple[str, int, int]], start: int, every: int = 1) -> Pace | None:
    """(channel, second, count) as bars of equal length that fit the picture."""
    if not counts:
        return None
    last = max(second for _, second, _ in counts)
    step = next((size for size in STEPS if last // size < BARS), STEPS[-1])
    sums: Counter[tuple[int, str]] = Counter()
    for channel, second, n in counts:
        sums[second // step, channel] += n
    channels = sorted({channel for _, channel in sums}, key=lambda one: -sum(n for (_, c), n in sums.items() if c == one))
    totals: Counter[int] = Counter()
    for (place, _), n in sums.items():
        totals[place] += n
    peak = max(totals.values())
    bars = []
    for place in range(min(last // step + 1, BARS)):
        top, parts = 100.0, []
        for channel in channels:
            n = sums[place, channel]
            height = round(100 * n / peak, 1)
            top = round(top - height, 1)
            if n:
                parts.append((channel, n, top, height))
        bars.append(Bar(start + place * step * 1_000, parts))
    return Pace(step, every, peak, bars, channels)


class Paces:
    """Pictures of warnings, each kept for a few seconds: fifty who look cost as much as one."""

    def __init__(self, fresh: float = 5.0) -> None:
        self.fresh = fresh
        self.kept: dict[int, tuple[float, Pace | None]] = {}

    async def look(self, conn: AsyncConnection, warning: int, start: int | None, planned: int) -> Pace | None:
        """The picture, at most `fresh` seconds old, and a hundred times as old as it took to make."""
        known = self.kept.get(warning)
        if start is None:
            return None
        if known is None or time.monotonic() > known[0]:
            began = time.monotonic()
            made = await read_pace(conn, warning, start, planned)
            took = time.monotonic() - began
            self.kept = {key: one for key, one in self.kept.items() if time.monotonic() < one[0] + 600}
            self.kept[warning] = time.monotonic() + max(self.fresh, took * 100), made
        return self.kept[warning][1]
