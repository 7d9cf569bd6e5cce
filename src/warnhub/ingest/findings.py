"""What a reader found on its way: problems with their places, and the verdict they add up to.

Unreadable     the document cannot be read at all, so there is no alert to judge
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from lxml import etree
from pydantic import ValidationError

from warnhub.alert import MAX_POINTS, MAX_POLYGONS, Alert, Gate, Problem, Verdict
from warnhub.ingest.rules import RULES
from warnhub.logs import redact_text

MOST_PROBLEMS = 200
ORDER = {Gate.REFUSE: 0, Gate.HOLD: 1, Gate.ACCEPT: 2}
PYDANTIC_RULES = {
    "missing": "MISSING_REQUIRED_ELEMENT",
    "extra_forbidden": "UNSUPPORTED_ELEMENT",
    "timezone_aware": "TIME_WITHOUT_ZONE",
    "string_too_long": "TOO_LONG",
    "too_long": "TOO_LONG",
}
BEFORE = etree.XPath("count(preceding-sibling::*[local-name() = $name])")
T = TypeVar("T")
Where = etree._Element | str


@dataclass(frozen=True, slots=True)
class Limits:
    """What one body may hold, and what is known of its source.

    zone  IANA name read into times that have none; None refuses them
    home  (west, south, east, north) degrees of the county: coordinates that only touch it when swapped are held
    datum  of the source's coordinates: `wgs84`, or `gcj02`, which is turned back
    signed  the body must carry a signature made with one of `certificates` (PEM, pinned for this source)
    sender    who sends it, for forms that may leave that out
    stations  the county's stations and points by code, with what their readings leave out
    tables    a folder of the county's own level tables, laid over ours
    """

    max_bytes: int = 8_000_000
    max_alerts: int = 500
    max_elements: int = 100_000
    max_readings: int = 3_000
    max_polygons: int = MAX_POLYGONS
    max_points: int = MAX_POINTS
    zone: str | None = None
    home: tuple[float, float, float, float] | None = None
    datum: str = "wgs84"
    signed: bool = False
    certificates: tuple[str, ...] = ()
    sender: str | None = None
    stations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tables: Path | None = None


class Unreadable(Exception):
    """The document cannot be read: the rule it breaks, where, and what stood there."""

    def __init__(self, rule: str, detail: str = "", path: str = "/", value: object = "") -> None:
        super().__init__(f"{path}: {rule} {detail}".strip())
        self.problem = problem(path, rule, value, detail, Gate.REFUSE)


def problem(path: str, rule: str, value: object = "", detail: str = "", gate: Gate | None = None) -> Problem:
    """The `Problem` of breaking `rule` at `path`; it is logged and shown, so of telephone numbers only the last digits stay."""
    entry = RULES[rule]
    path, text, detail = (whole(redact_text(part)) for part in (path, str(value), detail))
    return Problem(path=path, rule=rule, message=entry.message(detail), value=text, gate=gate or entry.gate)


def whole(text: str) -> str:
    """`text` with a mark in the place of half characters, which no answer can carry."""
    return text.encode("utf-8", "replace").decode("utf-8")


def refusal(found: Problem) -> Verdict:
    """The verdict on a document that yields no alert."""
    return Verdict(gate=Gate.REFUSE, problems=[found])


def add_problems(verdict: Verdict, more: Sequence[Problem]) -> Verdict:
    """The verdict with what else was found about the document it came in; never a milder one."""
    if not more:
        return verdict
    problems = sorted([*verdict.problems, *more], key=lambda found: ORDER[found.gate])
    gate = min([verdict.gate, *(found.gate for found in more)], key=ORDER.__getitem__)
    return Verdict(gate=gate, problems=problems, alert=None if gate is Gate.REFUSE else verdict.alert)


def xpath(element: etree._Element) -> str:
    """Where it stands, by local names: /alert[1]/info[1]/area[1]/polygon[1]."""
    steps = []
    current: etree._Element | None = element
    while current is not None:
        name = local(current)
        steps.append(f"{name}[{int(float(str(BEFORE(current, name=name)))) + 1}]")
        current = current.getparent()
    return "/" + "/".join(reversed(steps))


def spot(base: str, *steps: str | int) -> str:
    """A place in JSON: `areas[0].polygons[1]`."""
    for step in steps:
        base += f"[{step}]" if isinstance(step, int) else f".{step}" if base else step
    return base


def local(element: etree._Element) -> str:
    """The name without its namespace; "" of a comment."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


@dataclass
class Findings:
    """Collects problems while one alert is read; `gate` is the worst so far.

    `now` None means: do not judge against the clock. Past `MOST_PROBLEMS` only a graver one is kept.
    """

    limits: Limits = field(default_factory=Limits)
    now: datetime | None = None
    problems: list[Problem] = field(default_factory=list)
    gate: Gate = Gate.ACCEPT

    def add(self, where: Where, rule: str, value: object = "", detail: str = "", gate: Gate | None = None) -> None:
        """Note that `rule` is broken at an element or a path; `gate` overrides the rule's own."""
        meant = gate or RULES[rule].gate
        if len(self.problems) >= MOST_PROBLEMS and ORDER[meant] >= ORDER[self.gate]:
            return
        path = where if isinstance(where, str) else xpath(where)
        self.problems.append(problem(path, rule, value, detail, meant))
        self.gate = min(self.gate, meant, key=ORDER.__getitem__)

    def has(self, rule: str) -> bool:
        """Whether it is broken anywhere so far."""
        return any(found.rule == rule for found in self.problems)

    def first(self, where: Where, items: Sequence[T], most: int) -> list[T]:
        """At most so many; the rest is a problem."""
        if len(items) > most:
            self.add(where, "TOO_MANY", len(items), f"most {most}")
        return list(items[:most])

    def take(self, other: "Findings") -> None:
        """What was found of something that belongs together with this."""
        self.problems += other.problems
        self.gate = min(self.gate, other.gate, key=ORDER.__getitem__)

    def verdict(self, build: Callable[[], Alert], where: Where = "/") -> Verdict:
        """Build the alert unless it is refused already; the gravest problems come first."""
        alert = None
        if self.gate is not Gate.REFUSE:
            try:
                alert = build()
            except ValidationError as error:
                self.invalid(error, where if isinstance(where, str) else xpath(where))
        problems = sorted(self.problems, key=lambda found: ORDER[found.gate])
        return Verdict(gate=self.gate, problems=problems, alert=alert if self.gate is not Gate.REFUSE else None)

    def invalid(self, error: ValidationError, base: str = "") -> None:
        """Each thing the schema refuses, with its place below `base`."""
        for one in error.errors(include_url=False, include_context=False):
            rule = PYDANTIC_RULES.get(one["type"], "INVALID_VALUE")
            self.add(spot(base, *one["loc"]), rule, shown(one["input"], one["type"]), one["msg"], Gate.REFUSE)


def shown(value: Any, kind: str) -> str:
    """The offending value; nothing of the whole object around something missing."""
    return "" if kind == "missing" or isinstance(value, Mapping | list) else str(value)[:200]
