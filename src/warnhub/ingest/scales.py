"""Measured values → levels, by tables that are data: which values there are, their units, and the thresholds they pass."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import yaml
from pydantic import Field

from warnhub.alert import Level, Model
from warnhub.ingest.fields import bare_name

COLOURS = {"red": "红色", "orange": "橙色", "yellow": "黄色", "blue": "蓝色"}


class Step(Model):
    """One level of a scale: `at` a named threshold or at a `value`, `short` of it in the scale's unit, or a `share` of it."""

    level: Level
    at: str = ""
    value: float | None = None
    short: float = 0.0
    share: float = 1.0
    zh: str
    en: str

    def bound(self, threshold: float) -> float:
        """From which value on."""
        return threshold * self.share - self.short


class Scale(Model):
    """One thing that is measured. `timed`: its thresholds are for so many hours."""

    zh: str
    en: str
    unit: str
    digits: int = 2
    hazard: str
    names: list[str]
    timed: bool = False
    steps: list[Step] = Field(default_factory=list)

    def shown(self, value: float) -> str:
        """As people write it."""
        return f"{value:.{self.digits}f}"


class Book(Model):
    """The tables of one form, from its YAML file."""

    form: str
    zone: str
    hazard: str
    names: dict[str, list[str]]
    words: dict[str, Level] = Field(default_factory=dict)
    word_hazard: str = ""
    normal: list[str] = Field(default_factory=list)
    units: dict[str, dict[str, float]]
    scales: dict[str, Scale]
    timed_names: dict[str, list[str]] = Field(default_factory=dict)
    kinds: dict[str, str] = Field(default_factory=dict)
    joint: list[str] = Field(default_factory=list)

    def scale_of(self, name: str) -> str | None:
        """The scale a parameter's name means."""
        bare = bare_name(name)
        return next((key for key, scale in self.scales.items() if bare in map(bare_name, (key, *scale.names))), None)

    def factor(self, scale: Scale, unit: str) -> float | None:
        """What one of `unit` is in the scale's own; None where nobody knows."""
        if not unit:
            return 1.0
        known = self.units.get(scale.unit, {scale.unit: 1.0})
        found = known.get(unit.strip(), known.get(unit.strip().lower()))
        return None if found is None else float(found)


class Derived(NamedTuple):
    """The level a value leads to: the step it passed, the threshold, and from which value on."""

    step: Step
    threshold: float
    bound: float


@cache
def read_book(name: str) -> Book:
    """The tables of a form."""
    return Book.model_validate(yaml.safe_load(files("warnhub.ingest").joinpath(f"{name}.yaml").read_text("utf-8")))


def colour_steps() -> list[Step]:
    """Thresholds that are named by their colour, of whatever is measured."""
    return [Step(level=Level(name), at=name, zh=f"{word}阈值", en=f"{name} threshold") for name, word in COLOURS.items()]


def derive(value: float, steps: list[Step], thresholds: Mapping[str, float]) -> Derived | None:
    """The gravest step that `value` has passed; None below all that have a threshold."""
    passed = []
    for step in steps:
        threshold = step.value if step.value is not None else thresholds.get(step.at)
        if threshold is not None and value >= step.bound(threshold):
            passed.append(Derived(step, threshold, step.bound(threshold)))
    return min(passed, key=lambda one: one.step.level.lane, default=None)
