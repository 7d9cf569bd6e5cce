"""What CAP has no element for, carried in it lawfully: parameters named `warnhub:<field>` whose values are JSON.

Who writes CAP reads it back, compares, and carries each difference; whoever reads takes the carried values over the others. So
an alert that leaves this house and comes to another loses nothing, and nobody else is disturbed. Identity, status, kind, scope
and level are never carried: what decides whom an alert may reach stands where every reader of CAP looks for it.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from warnhub.alert import Alert
from warnhub.ingest.findings import Findings, Unreadable, Where
from warnhub.ingest.mapping import Named
from warnhub.ingest.native import gate_area, parse_json, too_large
from warnhub.ingest.text import lay_out

PREFIX = "warnhub:"
HAZARD = f"{PREFIX}hazard"
LEVEL = f"{PREFIX}level"
FIXED = frozenset(("identifier", "sender", "status", "kind", "scope", "level"))
TIMES = ("sent", "effective", "onset", "expires")
STEP = re.compile(r"\.?(\w+)|\[(\d{1,4})\]", re.ASCII)
PROSE = {"headline": False, "event": False, "sender_name": False, "contact": False, "description": True, "instruction": True}
PROSE["text"] = True
DEEPEST = 3
MOST = 12  # so many differences inside one field, and the field is carried whole


def is_carried(named: Named) -> bool:
    """Whether a parameter is one of these."""
    return named.name.startswith(PREFIX)


def differences(wanted: Alert, read: Alert | None) -> dict[str, Any]:
    """Paths and values that make the alert as read the alert as wanted."""
    want = wanted.model_dump(mode="json")
    have = read.model_dump(mode="json") if read else {}
    found: dict[str, Any] = {}
    for name in want.keys() - FIXED:
        inside = compare(want[name], have.get(name), name, DEEPEST)
        found |= inside if len(inside) <= MOST else {name: want[name]}
    return dict(sorted(found.items()))


def compare(want: Any, have: Any, path: str, depth: int) -> dict[str, Any]:
    """Where two values differ, as near the leaves as `depth` allows."""
    if want == have:
        return {}
    if depth and isinstance(want, dict) and isinstance(have, dict) and want.keys() == have.keys():
        steps = [(f"{path}.{key}", want[key], have[key]) for key in want]
    elif depth and isinstance(want, list) and isinstance(have, list) and len(want) == len(have):
        steps = [(f"{path}[{at}]", one, other) for at, (one, other) in enumerate(zip(want, have, strict=True))]
    else:
        return {path: want}
    return {where: value for step in steps for where, value in compare(step[1], step[2], step[0], depth - 1).items()}


def restore(alert: Alert, carried: Sequence[Named], where: Where, findings: Findings) -> Alert:
    """The alert with what was carried in it. What cannot be used, or fails a gate, is held."""
    fields: dict[str, Any] = alert.model_dump(mode="json")
    for name, value in carried:
        path = name.removeprefix(PREFIX)
        if name in (HAZARD, LEVEL) and not value.startswith('"'):
            continue
        try:
            put(fields, path, parse_json(value.encode()))
        except (Unreadable, LookupError, TypeError):
            findings.add(where, "CARRIED_UNREADABLE", f"{name}={value}")
    if too_large(fields, "areas", findings):
        return alert
    try:
        made = Alert.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        findings.add(where, "CARRIED_UNREADABLE", ".".join(map(str, first["loc"])), first["msg"])
        return alert
    return gated(made, alert, where, findings)


def put(fields: dict[str, Any], path: str, value: Any) -> None:
    """Set the place a path names. Raises LookupError or TypeError where there is none or it may not be set."""
    steps: list[str | int] = [found[1] if found[1] else int(found[2]) for found in STEP.finditer(path)]
    if "".join(found[0] for found in STEP.finditer(path)) != path or not steps or steps[0] in FIXED:
        raise LookupError(path)
    inner: Any = fields
    for step in steps[:-1]:
        inner = inner[step]
    inner[steps[-1]]  # it must be there already
    inner[steps[-1]] = value


def gated(made: Alert, alert: Alert, where: Where, findings: Findings) -> Alert:
    """Carried values through the gates of what they are: moments to the second, plain text, sound places."""
    for name in TIMES:
        over = name == "expires" and made.expires <= made.sent  # what ends another alert may; see `settle_expiry`
        if not over and not same_second(getattr(made, name), getattr(alert, name)):
            findings.add(where, "CARRIED_UNREADABLE", str(getattr(made, name)), f"{PREFIX}{name} is not {name}")
            return alert
    fields = made.model_dump(mode="json")
    clean = fields | {name: [plain(one) for one in fields[name]] for name in ("texts", "spoken")}
    if clean != fields:
        findings.add(where, "TEXT_CLEANED", PREFIX)
    if made.areas != alert.areas:
        clean["areas"] = [gate_area(one, f"areas[{at}]", findings) for at, one in enumerate(clean["areas"])]
    return Alert.model_validate_json(json.dumps(clean))


def same_second(one: datetime | None, other: datetime | None) -> bool:
    """Whether CAP, which has no fractions, writes them alike; a moment where there was none is none."""
    if one is None or other is None:
        return one is other
    return abs(one - other) < timedelta(seconds=1)


def plain(value: dict[str, Any]) -> dict[str, Any]:
    """An object with its prose laid out and nothing hidden in it; markup was taken out before it was carried."""
    return value | {name: lay_out(value[name], lines) for name, lines in PROSE.items() if name in value}
