"""Figures as people read them: never rounded up to all, never down to none."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from warnhub.monitor.summary import Funnel
from warnhub.store.tallies import ENDLESS

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WIDTH = 1_000
"""The width of a bar, in its own units."""

NESTED = ("accepted", "delivered", "read", "confirmed")
BESIDE = ("remaining", "unknown", "failed", "suppressed", "stopped")


def count(number: int) -> str:
    """12,345."""
    return f"{number:,}"


def percent(part: int, whole: int) -> str:
    """One decimal, cut and not rounded: 100% is all of them, 0% none."""
    if not whole or not part:
        return "0%"
    if part >= whole:
        return "100%"
    tenths = part * 1_000 // whole
    return f"{tenths / 10:.1f}%" if tenths else "<0.1%"


def span(seconds: float, lang: str) -> str:
    """3 分 20 秒, 3 min 20 s: the two largest units."""
    units = ((3_600, "小时", "h"), (60, "分", "min"), (1, "秒", "s"))
    left = max(0, round(seconds))
    parts: list[str] = []
    for size, zh, en in units:
        number, left = divmod(left, size)
        if number or (size == 1 and not parts):
            parts.append(f"{number} {zh if lang == 'zh' else en}")
    return " ".join(parts[:2])


def moment(at: int | None, zone: ZoneInfo, lang: str, seconds: bool = False) -> str:
    """6月12日 16:20, or 12 Jun 16:20, in local time; a dash for no time."""
    if at is None:
        return "–"
    local = datetime.fromtimestamp(at / 1_000, UTC).astimezone(zone)
    clock = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    day = f"{local.month}月{local.day}日" if lang == "zh" else f"{local.day} {MONTHS[local.month - 1]}"
    return f"{day} {clock}"


def money(amount: Decimal, currency: str, lang: str) -> str:
    """412.50 元, or 412.50 CNY; fractions of a cent where it is one message's price."""
    digits = f"{amount:,.2f}" if amount == amount.quantize(Decimal("0.01")) else f"{amount:,f}"
    return f"{digits} 元" if lang == "zh" and currency == "CNY" else f"{digits} {currency}"


def iso(at: int | None) -> str:
    """For `<time datetime>`."""
    return datetime.fromtimestamp((at or 0) / 1_000, UTC).isoformat(timespec="seconds")


def quantile(buckets: Mapping[int, int], share: float) -> int | None:
    """The upper bound, in seconds, of the bucket where `share` of the counts is reached; None where nothing was counted."""
    total, seen = sum(buckets.values()), 0
    for bound in sorted(buckets):
        seen += buckets[bound]
        if total and seen >= share * total:
            return bound
    return None


def bound(seconds: int | None, lang: str) -> str:
    """≤ 30 秒: what a bucket is known to say."""
    if seconds is None:
        return "–"
    if seconds >= ENDLESS:
        return "> 24 小时" if lang == "zh" else "> 24 h"
    return f"≤ {span(seconds, lang)}"


def nested_bars(funnel: Funnel) -> list[tuple[str, float]]:
    """(stage, width) of bars that lie on each other, the widest first; their ground is everybody."""
    return [(stage, width_of(getattr(funnel, stage), funnel.total)) for stage in NESTED]


def beside_bars(funnel: Funnel) -> list[tuple[str, float, float]]:
    """(what, start, width) of one bar that shows where everybody is: accepted or further, then those who are not."""
    bars, start = [], 0.0
    for what in ("accepted", *BESIDE):
        width = width_of(getattr(funnel, what), funnel.total)
        if width:
            bars.append((what, start, width))
            start = round(start + width, 1)
    return bars


def width_of(part: int, whole: int) -> float:
    """A share of a bar; one that is not nothing is always seen."""
    return round(max(3.0, WIDTH * part / whole), 1) if part and whole else 0.0
