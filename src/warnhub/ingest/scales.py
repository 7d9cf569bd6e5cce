"""Measured values → levels, by tables that are data: which values there are, their units, and the thresholds they pass."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import Field, PrivateAttr, ValidationError

from warnhub.alert import Level, Model
from warnhub.config import ConfigError
from warnhub.ingest.fields import bare_name

BOOKS = ("hydrology", "geology")
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
    tell: list[str] = Field(default_factory=list)
    normal: list[str] = Field(default_factory=list)
    units: dict[str, dict[str, float]]
    scales: dict[str, Scale]
    timed_names: dict[str, list[str]] = Field(default_factory=dict)
    _scales: dict[str, str] = PrivateAttr(default_factory=dict)
    _fields: dict[str, frozenset[str]] = PrivateAttr(default_factory=dict)

    def scale_of(self, name: str) -> str | None:
        """The scale a parameter's name means."""
        if not self._scales:
            for key, scale in reversed(self.scales.items()):
                self._scales.update(dict.fromkeys(map(bare_name, (key, *scale.names)), key))
        return self._scales.get(bare_name(name))

    def bare_names(self, name: str) -> frozenset[str]:
        """The bare names a field goes under."""
        if name not in self._fields:
            self._fields[name] = frozenset(map(bare_name, self.names.get(name, ())))
        return self._fields[name]

    def is_unit(self, text: str) -> bool:
        """Whether a text is a unit that any scale knows."""
        return any(text.strip().lower() in map(str.lower, (unit, *known)) for unit, known in self.units.items())

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


def read_book(name: str, folder: Path | None = None) -> Book:
    """The tables of a form; with a folder, the county's own of the same name laid over ours. Raises OSError, ValueError."""
    return load_book(name, folder)


@cache
def load_book(name: str, folder: Path | None) -> Book:
    """The same, read once."""
    ours = yaml.safe_load(files("warnhub.ingest").joinpath(f"{name}.yaml").read_text("utf-8"))
    path = folder / f"{name}.yaml" if folder else None
    if path is None or not path.is_file():
        return Book.model_validate(ours)
    given = yaml.safe_load(path.read_text("utf-8"))
    if not isinstance(given, dict):
        raise ValueError(f"{path.name}: is not a table")
    return Book.model_validate(lay_over(ours, given))


def lay_over(ours: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The tables with the given parts in place of ours: whole lists and values, the parts of a mapping each by itself."""
    laid = dict(ours)
    for key, value in given.items():
        inner = ours.get(key)
        laid[key] = lay_over(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return laid


def check_tables(folder: Path | None) -> None:
    """Read every table now and not when the first alert comes. Raises `ConfigError` for a county's that cannot be used, naming
    it and what is wrong."""
    for name in BOOKS:
        read_book(name)  # by which a form is told
        try:
            read_book(name, folder)
        except (OSError, ValueError, yaml.YAMLError) as error:
            said = (
                "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
                if isinstance(error, ValidationError)
                else str(error)
            )
            raise ConfigError(f"tables: {name}.yaml: {said}"[:500]) from error


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
