"""Pictures of a report, in numbers for SVG: who confirmed when, and the warnings of each month."""

from collections.abc import Sequence
from dataclasses import dataclass

from warnhub.monitor.report import Row

WIDTH, HEIGHT = 1_000.0, 200.0
POINTS = 160
STEPS = (60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400)


@dataclass(frozen=True, slots=True)
class Curve:
    """The share of those who were asked that had confirmed, over time. `line`: points of a polyline in a picture of `WIDTH` and
    `HEIGHT`; `until`: the seconds it is wide; `marks`: (share, height) of lines across."""

    line: str
    until: int
    confirmed: int
    asked: int
    marks: tuple[tuple[str, float], ...] = (("50%", HEIGHT / 2), ("95%", round(HEIGHT * 0.05, 1)))


def draw_curve(seconds: Sequence[float], asked: int) -> Curve | None:
    """The curve of confirmations after so many seconds, in their order; None where nobody was asked or has answered."""
    if not asked or not seconds:
        return None
    last = seconds[-1]
    until = next((step for step in STEPS if step >= last), int(last) + 1)
    points = [(0.0, HEIGHT)]
    every = max(1, len(seconds) // POINTS)
    for place, at in enumerate(seconds, 1):
        if place % every == 0 or place == len(seconds):
            x, y = round(WIDTH * at / until, 1), round(HEIGHT - HEIGHT * place / asked, 1)
            points += [(x, points[-1][1]), (x, y)]
    points.append((WIDTH, points[-1][1]))
    return Curve(" ".join(f"{x:g},{y:g}" for x, y in points), until, len(seconds), asked)


@dataclass(frozen=True, slots=True)
class Column:
    """One month: (level, how many, top, height) in a picture 100 high."""

    name: str
    parts: list[tuple[str, int, float, float]]
    total: int


def draw_months(rows: Sequence[Row]) -> list[Column]:
    """The months of a period, the gravest at the bottom; nothing where there was no warning."""
    most = max((sum(row.cells.values()) for row in rows), default=0)
    columns = []
    for row in rows:
        top, parts = 100.0, []
        for level, n in row.cells.items():
            height = round(100 * n / most, 1) if most else 0.0
            top = round(top - height, 1)
            if n:
                parts.append((level, n, top, height))
        columns.append(Column(row.name, parts, sum(row.cells.values())))
    return columns if most else []
