"""What every benchmark is asked and what it says: a table, or one line of JSON with value, unit, ceiling and ratio."""

import argparse
import json
import os
import platform
import statistics
from collections.abc import Sequence
from typing import Any


def parser(name: str, about: str | None, *, recipients: int, store: bool = True) -> argparse.ArgumentParser:
    """The options that all share."""
    made = argparse.ArgumentParser(prog=f"benchmarks {name}", description=about, formatter_class=argparse.RawTextHelpFormatter)
    made.add_argument("--recipients", type=int, default=recipients)
    if store:
        made.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    made.add_argument("--runs", type=int, default=1, help="the figure is the median of these")
    made.add_argument("--json", action="store_true", help="one line of JSON")
    return made


def summed_up(name: str, unit: str, values: Sequence[float], ceilings: Sequence[float], **settings: Any) -> dict[str, Any]:
    """The figure beside its ceiling; `ratio` is None where there is no ceiling but the reach that the issue names."""
    value = statistics.median(values)
    ceiling = statistics.median(ceilings) if ceilings else None
    return {
        "name": name,
        "value": rounded(value),
        "unit": unit,
        "ceiling": rounded(ceiling) if ceiling is not None else None,
        "ratio": round(value / ceiling, 3) if ceiling else None,
        "runs": [rounded(one) for one in values],
        **settings,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def rounded(value: float) -> float:
    """Three digits or so."""
    return round(value) if abs(value) >= 100 else round(value, 3)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(len(ordered) * share * 1000) // 1000) - 1))]


def show(result: dict[str, Any], as_json: bool) -> dict[str, Any]:
    """Print it."""
    if as_json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        for key, value in result.items():
            print(f"{key:14}{value}")
    return result
