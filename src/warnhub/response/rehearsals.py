"""A drill beside the drill before it and the last real warning of its kind: what practice has brought."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.response.canary import HAZARD
from warnhub.response.figures import Sums, period_sums

APART = 36 * 3_600_000
"""Milliseconds without a warning after which what the same list plays is another drill."""

LAST = 500


@dataclass(frozen=True, slots=True)
class Played:
    """One drill, or one real warning. `kind`: last, before or real; `name` is the drill's list, or the warning's headline."""

    kind: str
    name: str
    begin: int
    warnings: Sequence[str]
    sums: Sums


async def compare_drills(conn: AsyncConnection, drill: str | None = None) -> list[Played]:
    """The last drill (of a list, if one is named), the one before it, and the last real warning of the last one's hazard class.

    A nightly test of the lines is no drill.
    """
    own = "AND w.drill = :d" if drill else ""
    rows = (
        await conn.execute(
            text(
                "SELECT w.id, w.uid, w.drill, w.hazard_class, w.released_at, coalesce(g.name, w.drill) AS name FROM warning w "
                "LEFT JOIN drill g ON g.id = w.drill WHERE w.drill IS NOT NULL AND w.released_at IS NOT NULL "
                f"AND w.kind <> 'cancel' AND w.hazard <> '{HAZARD}' {own} ORDER BY w.released_at DESC, w.id DESC LIMIT {LAST}"
            ),
            {"d": drill} if drill else {},
        )
    ).all()
    found = [await played(conn, kind, run) for kind, run in zip(("last", "before"), split_runs(rows), strict=False)]
    if not found:
        return []
    query = (
        "SELECT id, uid, headline AS name, released_at FROM warning WHERE drill IS NULL AND released_at IS NOT NULL "
        "AND kind <> 'cancel' AND hazard_class = :c ORDER BY released_at DESC, id DESC LIMIT 1"
    )
    real = (await conn.execute(text(query), {"c": rows[0].hazard_class})).all()
    return found + [await played(conn, "real", real)] * bool(real)


def split_runs(rows: Sequence[Any]) -> list[list[Any]]:
    """Warnings of drills, the newest first, as drills: each of one list, without a long silence in it; the newest first."""
    runs: list[list[Any]] = []
    open_runs: dict[str, list[Any]] = {}
    for row in rows:
        run = open_runs.get(row.drill)
        if run is None or run[-1].released_at - row.released_at > APART:
            run = open_runs[row.drill] = []
            runs.append(run)
        run.append(row)
    return runs


async def played(conn: AsyncConnection, kind: str, run: Sequence[Any]) -> Played:
    """What came of it."""
    groups = await period_sums(conn, "all", 0, 2**62, only=tuple(int(row.id) for row in run))
    begin = min(int(row.released_at) for row in run)
    return Played(kind, str(run[0].name), begin, [str(row.uid) for row in run], groups[0] if groups else Sums(""))
