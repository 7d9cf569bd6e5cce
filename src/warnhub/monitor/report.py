"""What a report is: figures, tables and a seal over all of them.

The seal is an HMAC of this installation over the SHA-256 of the whole as canonical JSON, so that a report that was changed
afterwards no longer fits it. What the numbers mean stands in the catalogue, `define.<key>`, and beside each of them.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from warnhub.crypto import KeyRing
from warnhub.monitor.summary import Funnel, Part

STAGES = ("total", "accepted", "delivered", "read", "confirmed", "failed", "unknown", "suppressed", "stopped", "remaining")
"""Each is defined by the message `define.<stage>`."""

RATES = ("coverage", "reach", "confirm", "median", "doors", "tasks", "effect")
"""The indicators a county is judged by; defined in `warnhub.response.figures`."""

FUNNEL = ("total", "accepted", "delivered", "confirmed", "failed", "unknown")
JUDGED = ("score", *RATES)
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "indicators": ("value", "weight", "points"),
    "times": ("asked", "confirmed", "first", "p50", "p95", "p100"),
    "compare": ("warnings", *JUDGED),
    "towns": ("rank", *JUDGED, "cause"),
    "agencies": ("rank", "warnings", *JUDGED, "cause"),
    "channels": ("total", "coverage", "reach", "cause"),
    "roles": FUNNEL,
    "providers": FUNNEL,
    "places": FUNNEL,
    "warnings": ("released_at", "total", "delivered", "confirmed", "asked", "answered"),
    "months": ("red", "orange", "yellow", "blue"),
}
"""The columns of each table, in their order."""

SHARES = frozenset(("coverage", "reach", "confirm", "doors", "tasks", "effect"))
SECONDS = frozenset(("median", "first", "p50", "p95", "p100"))
PERIOD = re.compile(r"(\d{4})(?:Q([1-4]))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. `key`: its definition is the message `define.<key>`; `whole`: what it is a share of, 0 for nothing; `unit`:
    s for seconds, 1 for a share; None is what cannot be said."""

    key: str
    value: float | None
    whole: int = 0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. `key` and `name`: what it is about; `cells`: by column of its table."""

    key: str
    name: str
    cells: dict[str, Any]


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


def period_bounds(period: str, zone: ZoneInfo) -> tuple[int, int]:
    """(begin, end) of `2026Q2` or `2026` in milliseconds, by the county's clock. ValueError for what is neither."""
    found = PERIOD.fullmatch(period)
    if not found or not 1970 <= int(found[1]) <= 9_000:
        raise ValueError(f"{period!r} is not a quarter such as 2026Q2 or a year such as 2026")
    year, quarter = int(found[1]), int(found[2] or 0)
    months = 3 if quarter else 12
    first = quarter * 3 - 2 if quarter else 1
    after = (year + 1, 1) if first + months > 12 else (year, first + months)
    begin, end = datetime(year, first, 1, tzinfo=zone), datetime(*after, 1, tzinfo=zone)
    return int(begin.timestamp() * 1000), int(end.timestamp() * 1000)


def period_before(period: str) -> str:
    """The quarter or year before one; the period must be one."""
    year, quarter = int(period[:4]), int(period[5:] or 0)
    if not quarter:
        return f"{year - 1}"
    return f"{year}Q{quarter - 1}" if quarter > 1 else f"{year - 1}Q4"


def year_before(period: str) -> str:
    """The same quarter a year earlier, or the year before."""
    return f"{int(period[:4]) - 1}{period[4:]}"


def quarter_of(at: int, zone: ZoneInfo) -> str:
    """The quarter a moment lies in."""
    local = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)
    return f"{local.year}Q{(local.month + 2) // 3}"
