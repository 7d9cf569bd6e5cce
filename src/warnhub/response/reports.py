"""After-action of one warning, and the report of a quarter or a year (季度通报, 年度总评), with what the county is judged by.

Everything is counted from the ledger when it is asked for. Drills are counted apart and add to no figure of the real thing.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import Level
from warnhub.monitor.report import (
    JUDGED,
    RATES,
    Figure,
    Report,
    Row,
    funnel_figures,
    period_before,
    period_bounds,
    rows_of,
    year_before,
)
from warnhub.monitor.summary import Summary, make_funnel
from warnhub.response.figures import Group, Sums, confirm_times, judge, period_sums
from warnhub.store.tallies import Count
from warnhub.store.warnings import Warning

Weights = Mapping[str, float]
EVER = (0, 2**62)


def judged(one: Sums, weights: Weights) -> dict[str, Any]:
    """The score of a group and its indicators, as they are printed: shares to four digits, seconds to one."""
    score = one.score(weights)
    cells: dict[str, Any] = {"score": round(score, 1) if score is not None else None}
    return cells | {name: cut(name, value) for name, value in one.rates().items()}


def cut(name: str, value: float | None) -> float | None:
    """An indicator as it is kept: a share is cut and not rounded, so that 1 is all of them."""
    if value is None:
        return None
    return round(value, 1) if name == "median" else math.floor(value * 10_000 + 1e-6) / 10_000


def rate_figures(one: Sums, weights: Weights) -> list[Figure]:
    """The score, and each indicator as what it is made of."""
    median, score = one.rates()["median"], one.score(weights)
    return [
        Figure("score", round(score, 1) if score is not None else None),
        Figure("coverage", one.delivered, one.targets),
        Figure("reach", one.delivered, one.accepted),
        Figure("confirm", one.in_time, one.asked),
        Figure("median", round(median, 1) if median is not None else None, unit="s"),
        Figure("doors", one.closed, one.doors),
        Figure("tasks", one.tasks - one.overdue, one.tasks),
        Figure("effect", cut("effect", one.effect), unit="1"),
    ]


def indicator_rows(one: Sums, weights: Weights) -> list[Row]:
    """The county's assessment: what each indicator came to, what it counts for, and the points it brings."""
    rates, goods = one.rates(), judge(one.rates())
    known = sum(weight for name, weight in weights.items() if goods.get(name) is not None and weight > 0)
    rows = []
    for name in RATES:
        good, weight = goods[name], weights.get(name, 0.0)
        points = round(100 * weight * good / known, 1) if good is not None and known else None
        rows.append(Row(name, "", {"value": cut(name, rates[name]), "weight": weight, "points": points}))
    return rows


def ranked_rows(groups: Sequence[Sums], weights: Weights) -> list[Row]:
    """The best first, each with what pulled it down: (indicator, reason of the provider or "", how many)."""
    ordered = sorted(groups, key=lambda one: (one.score(weights) is None, -(one.score(weights) or 0.0), one.name))
    return [
        Row(one.name, one.name, {"rank": place, "warnings": one.warnings, **judged(one, weights), "cause": one.pull(weights)})
        for place, one in enumerate(ordered, 1)
    ]


def channel_rows(groups: Sequence[Sums]) -> list[Row]:
    """What each channel brought, by deliveries."""
    return [
        Row(
            one.name,
            one.name,
            {
                "total": one.targets,
                **{name: cut(name, rate) for name, rate in one.rates().items()},
                "cause": one.pull({"reach": 1.0}),
            },
        )
        for one in sorted(groups, key=lambda one: -one.targets)
    ]


def time_rows(groups: Sequence[Group]) -> list[Row]:
    """When those who were asked confirmed, by whom and from where."""
    order = ("all", "role", "channel", "town")
    rows = []
    for one in sorted(groups, key=lambda one: (order.index(one.kind), -one.asked, one.name)):
        cells: dict[str, Any] = {"asked": one.asked, "confirmed": one.confirmed}
        rows.append(Row(one.kind, one.name, cells | one.times))
    return rows


async def sums_of(conn: AsyncConnection, warning: int) -> Sums:
    """One warning's sums."""
    found = await period_sums(conn, "all", *EVER, only=warning, why=False)
    return found[0] if found else Sums("")


async def warning_report(
    conn: AsyncConnection, warning: Warning, summary: Summary, about: Mapping[str, Any], weights: Weights
) -> Report:
    """One warning."""
    sums = await sums_of(conn, warning.id)
    tasks = summary.tasks
    figures = rate_figures(sums, weights) + funnel_figures(summary.people)
    figures += [
        Figure("asked", tasks.total),
        Figure("answered", tasks.done, tasks.total),
        Figure("late", tasks.late, tasks.total),
        Figure("help", tasks.help, tasks.total),
        Figure("silent", summary.silent_villages),
        Figure("messages", summary.planned),
    ]
    tables = {
        "indicators": indicator_rows(sums, weights),
        "times": time_rows(await confirm_times(conn, warning.id)),
        "towns": ranked_rows(await period_sums(conn, "town", *EVER, only=warning.id), weights),
        "channels": channel_rows(await period_sums(conn, "channel", *EVER, only=warning.id)),
        "roles": rows_of(summary.roles),
        "providers": rows_of(summary.providers),
        "places": rows_of(summary.towns),
        "compare": await before_rows(conn, warning, sums, weights),
    }
    return Report("warning", summary.id, summary.headline, summary.at, dict(about), figures, tables)


async def before_rows(conn: AsyncConnection, warning: Warning, sums: Sums, weights: Weights) -> list[Row]:
    """This one beside the last drill and the last real warning of its hazard class before it."""
    rows = [Row("this", warning.headline, {"warnings": 1, **judged(sums, weights)})]
    query = (
        "SELECT id, headline FROM warning WHERE released_at < :at AND kind <> 'cancel' AND hazard_class = :c "
        "AND drill IS {what} ORDER BY released_at DESC LIMIT 1"
    )
    for kind, what in (("drill", "NOT NULL"), ("real", "NULL")):
        found = await conn.execute(text(query.format(what=what)), {"at": warning.released_at or 0, "c": warning.hazard_class})
        for row in found.all():
            rows.append(Row(kind, row.headline, {"warnings": 1, **judged(await sums_of(conn, row.id), weights)}))
    return rows


async def confirm_seconds(conn: AsyncConnection, warning: int) -> list[float]:
    """Seconds from the release to each person's first confirmation, in their order; of everybody who was asked."""
    return sorted((await sums_of(conn, warning)).seconds)


async def period_report(conn: AsyncConnection, period: str, zone: ZoneInfo, now: int, weights: Weights) -> Report:
    """Every warning released in a quarter or a year, and all of them together. ValueError for what is no period."""
    begin, end = period_bounds(period, zone)
    warnings = (
        await conn.execute(
            text(
                "SELECT id, uid, headline, level, hazard, drill, released_at FROM warning "
                "WHERE released_at >= :a AND released_at < :b AND kind <> 'cancel' ORDER BY released_at"
            ),
            {"a": begin, "b": end},
        )
    ).all()
    counts, tasks = await read_counts(conn, begin, end)
    real = [one for one in warnings if one.drill is None]
    levels = Counter(one.level for one in real)
    sums = await together(conn, begin, end)
    figures = [Figure("warnings", len(real)), Figure("drills", len(warnings) - len(real))]
    figures += [Figure(f"level.{level}", levels[level], len(real)) for level in Level]
    figures += rate_figures(sums, weights)
    figures += funnel_figures(make_funnel(count for one in real for count in counts[one.id]))
    asked = sum(tasks[one.id][0] for one in real)
    figures += [Figure("asked", asked), Figure("answered", sum(tasks[one.id][1] for one in real), asked)]
    tables = {
        "indicators": indicator_rows(sums, weights),
        "compare": await period_rows(conn, period, zone, sums, weights),
        "towns": ranked_rows(await period_sums(conn, "town", begin, end), weights),
        "agencies": ranked_rows(await period_sums(conn, "agency", begin, end), weights),
        "channels": channel_rows(await period_sums(conn, "channel", begin, end)),
        "months": month_rows(real, begin, end, zone),
        "warnings": [warning_row(one, counts[one.id], tasks[one.id]) for one in warnings],
    }
    kind = "quarter" if "Q" in period else "year"
    about = {"begin": begin, "end": end, "drill": False}
    return Report(kind, period, period, now, about, figures, tables)


async def together(conn: AsyncConnection, begin: int, end: int, drill: bool = False) -> Sums:
    """All warnings of a time as one."""
    found = await period_sums(conn, "all", begin, end, drill=drill, why=False)
    return found[0] if found else Sums("")


async def period_rows(conn: AsyncConnection, period: str, zone: ZoneInfo, sums: Sums, weights: Weights) -> list[Row]:
    """A period beside its drills, the period before it, and the same a year earlier."""
    rows = [Row("this", period, {"warnings": sums.warnings, **judged(sums, weights)})]
    others = [("drills", period, True), ("before", period_before(period), False)]
    if year_before(period) != period_before(period):
        others.append(("year", year_before(period), False))
    for kind, name, drill in others:
        one = await together(conn, *period_bounds(name, zone), drill=drill)
        rows.append(Row(kind, name, {"warnings": one.warnings, **judged(one, weights)}))
    return rows


async def read_counts(conn: AsyncConnection, begin: int, end: int) -> tuple[dict[int, list[Count]], dict[int, tuple[int, int]]]:
    """(the people of each warning by state, who was asked and answered) of the warnings released in a time."""
    inside = "warning_id IN (SELECT id FROM warning WHERE released_at >= :a AND released_at < :b AND kind <> 'cancel')"
    bind = {"a": begin, "b": end}
    counts: dict[int, list[Count]] = defaultdict(list)
    for row in await conn.execute(
        text(f"SELECT warning_id, state, sum(n) AS n FROM tally WHERE channel = '' AND {inside} GROUP BY warning_id, state"),
        bind,
    ):
        counts[row.warning_id].append(Count("", "", "", 0, row.state, int(row.n)))
    tasks: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in await conn.execute(
        text(
            "SELECT warning_id, count(*) AS n, sum(CASE WHEN state IN ('done', 'covered') THEN 1 ELSE 0 END) AS done "
            f"FROM task WHERE kind = 'confirm' AND {inside} GROUP BY warning_id"
        ),
        bind,
    ):
        tasks[row.warning_id] = int(row.n), int(row.done)
    return counts, tasks


def warning_row(one: Any, counts: Sequence[Count], tasks: tuple[int, int]) -> Row:
    """One warning of a period."""
    cells = make_funnel(counts).model_dump() | {"asked": tasks[0], "answered": tasks[1]}
    return Row(
        one.uid, one.headline, cells | {"released_at": one.released_at, "level": one.level, "drill": one.drill is not None}
    )


def month_rows(warnings: Sequence[Any], begin: int, end: int, zone: ZoneInfo) -> list[Row]:
    """Real warnings by month and level."""
    first = datetime.fromtimestamp(begin / 1000, UTC).astimezone(zone)
    count = round((end - begin) / 86_400_000 / 30.4)
    names = [f"{first.year}-{first.month + n:02d}" for n in range(count)]
    found: dict[str, Counter[str]] = {name: Counter() for name in names}
    for one in warnings:
        local = datetime.fromtimestamp(one.released_at / 1000, UTC).astimezone(zone)
        found[f"{local.year}-{local.month:02d}"][one.level] += 1
    return [Row(name, name, {level.value: levels[level.value] for level in Level}) for name, levels in found.items()]


__all__ = ["JUDGED", "confirm_seconds", "period_report", "warning_report"]
