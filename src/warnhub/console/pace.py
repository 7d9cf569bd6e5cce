"""How fast a warning leaves: how long what remains will take, and messages over time by channel."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.channels import Provider
from warnhub.monitor.summary import Summary
from warnhub.store.counts import STEP

BARS = 48
STEPS = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 86_400)


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
    """Messages over time. `step` in seconds; `peak`: the most in a step."""

    step: int
    peak: int
    bars: list[Bar]
    channels: list[str]


async def read_pace(conn: AsyncConnection, warning: int, start: int) -> Pace | None:
    """The picture, from what was counted as it left; None while nothing was handed over. `start`: when it was released."""
    rows = await conn.execute(text("SELECT channel, step, n FROM pace WHERE warning_id = :w"), {"w": warning})
    return make_pace([(row.channel, max(0, int(row.step) * STEP - start) // 1000, int(row.n)) for row in rows], start)


def make_pace(counts: list[tuple[str, int, int]], start: int) -> Pace | None:
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
    return Pace(step, peak, bars, channels)
