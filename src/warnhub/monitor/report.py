"""After-action figures, of one warning and of a quarter: each number with its definition, and a seal over all of them.

The figures come from the tallies, as the pages' do; the seal is an HMAC of this installation over the SHA-256 of the figures as
canonical JSON, so that a report that was changed afterwards no longer fits it.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.crypto import KeyRing
from warnhub.monitor.summary import Funnel, Part, Summary, make_funnel
from warnhub.store.tallies import Count

STAGES = ("total", "accepted", "delivered", "read", "confirmed", "failed", "unknown", "suppressed", "stopped", "remaining")
"""Each is defined by the message `define.<stage>`."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. `key`: its definition is the message `define.<key>`; `whole`: what it is a share of, 0 for nothing."""

    key: str
    value: int
    whole: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: what it is about, and its funnel."""

    key: str
    name: str
    funnel: dict[str, int]


@dataclass(slots=True)
class Report:
    """What is exported and sealed. `about`: facts that are no figures."""

    kind: str
    id: str
    title: str
    at: int
    about: dict[str, Any] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    tables: dict[str, list[Row]] = field(default_factory=dict)

    def packed(self) -> bytes:
        """The whole as canonical JSON."""
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS)

    def seal(self, keys: KeyRing) -> tuple[str, str]:
        """(SHA-256 in hex, the installation's seal over it in hex)."""
        digest = hashlib.sha256(self.packed()).hexdigest()
        return digest, seal_digest(keys, digest)


def seal_digest(keys: KeyRing, digest: str) -> str:
    """The seal of a report's digest."""
    return keys.blind("report", digest).hex()


def funnel_figures(funnel: Funnel) -> list[Figure]:
    """A funnel, each stage as a share of all."""
    return [Figure(stage, getattr(funnel, stage), funnel.total if stage != "total" else 0) for stage in STAGES]


def rows_of(parts: Iterable[Part]) -> list[Row]:
    """A table of funnels."""
    return [Row(part.key, part.name, part.funnel.model_dump()) for part in parts]


def warning_report(summary: Summary, about: Mapping[str, Any]) -> Report:
    """One warning."""
    figures = funnel_figures(summary.people)
    tasks = summary.tasks
    figures += [
        Figure("asked", tasks.total),
        Figure("answered", tasks.done, tasks.total),
        Figure("late", tasks.late, tasks.total),
        Figure("help", tasks.help, tasks.total),
        Figure("silent", summary.silent_villages),
        Figure("messages", summary.planned),
    ]
    tables = {name: rows_of(getattr(summary, name)) for name in ("providers", "roles", "towns")}
    return Report("warning", summary.id, summary.headline, summary.at, dict(about), figures, tables)


def quarter_bounds(quarter: str, zone: ZoneInfo) -> tuple[int, int]:
    """(begin, end) of `2026Q2` in milliseconds, by the county's clock. ValueError for what is none."""
    year, _, number = quarter.partition("Q")
    if not (year.isdecimal() and len(year) == 4 and number in {"1", "2", "3", "4"}):
        raise ValueError(f"{quarter!r} is not a quarter such as 2026Q2")
    first, month = int(year), int(number) * 3 - 2
    after = (first + 1, 1) if month == 10 else (first, month + 3)
    begin, end = datetime(first, month, 1, tzinfo=zone), datetime(*after, 1, tzinfo=zone)
    return int(begin.timestamp() * 1000), int(end.timestamp() * 1000)


def quarter_of(at: int, zone: ZoneInfo) -> str:
    """The quarter a moment lies in."""
    local = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)
    return f"{local.year}Q{(local.month + 2) // 3}"


async def quarter_report(conn: AsyncConnection, quarter: str, zone: ZoneInfo, now: int) -> Report:
    """Every warning released in a quarter, and all of them together; drills are counted apart and add to no figure."""
    begin, end = quarter_bounds(quarter, zone)
    warnings = (
        await conn.execute(
            text(
                "SELECT id, uid, headline, level, hazard, drill, released_at FROM warning "
                "WHERE released_at >= :a AND released_at < :b AND kind <> 'cancel' ORDER BY released_at"
            ),
            {"a": begin, "b": end},
        )
    ).all()
    inside = "warning_id IN (SELECT id FROM warning WHERE released_at >= :a AND released_at < :b AND kind <> 'cancel')"
    bind = {"a": begin, "b": end}
    counts: dict[int, list[Count]] = defaultdict(list)
    for row in await conn.execute(
        text(f"SELECT warning_id, state, sum(n) AS n FROM tally WHERE channel = '' AND {inside} GROUP BY warning_id, state"),
        bind,
    ):
        counts[row.warning_id].append(Count("", "", "", 0, row.state, int(row.n)))
    tasks: dict[int, tuple[int, int]] = {}
    for row in await conn.execute(
        text(
            "SELECT warning_id, count(*) AS n, sum(CASE WHEN state IN ('done', 'covered') THEN 1 ELSE 0 END) AS done "
            f"FROM task WHERE kind = 'confirm' AND {inside} GROUP BY warning_id"
        ),
        bind,
    ):
        tasks[row.warning_id] = int(row.n), int(row.done)
    real = [one for one in warnings if one.drill is None]
    whole = make_funnel(count for one in real for count in counts[one.id])
    levels = Counter(one.level for one in real)
    figures = [Figure("warnings", len(real)), Figure("drills", len(warnings) - len(real))]
    figures += [Figure(f"level.{level}", levels[level], len(real)) for level in ("red", "orange", "yellow", "blue")]
    figures += funnel_figures(whole)
    asked = sum(tasks.get(one.id, (0, 0))[0] for one in real)
    figures += [Figure("asked", asked), Figure("answered", sum(tasks.get(one.id, (0, 0))[1] for one in real), asked)]
    rows = []
    for one in warnings:
        total, done = tasks.get(one.id, (0, 0))
        funnel = make_funnel(counts[one.id]).model_dump() | {"asked": total, "answered": done, "released_at": one.released_at}
        rows.append(Row(one.uid, one.headline, funnel | {"drill": int(one.drill is not None)}))
    return Report("quarter", quarter, quarter, now, {"begin": begin, "end": end, "drill": False}, figures, {"warnings": rows})
