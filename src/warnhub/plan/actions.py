"""What to do, in few words: the table `actions.yaml`, read once."""

from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from warnhub.alert import Level
from warnhub.roles import Role

Frame = Literal["zh", "en"]


class Said(BaseModel):
    """The same in Chinese and English."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zh: str
    en: str

    def told(self, frame: Frame) -> str:
        """The words in one of the two languages."""
        return self.zh if frame == "zh" else self.en


class Pair(BaseModel):
    """To everybody, and to those who answer for others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    public: Said
    duty: Said


class Entry(BaseModel):
    """One group of hazards, by the prefixes of their codes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hazards: list[str]
    red: Pair
    orange: Pair
    yellow: Pair
    blue: Pair
    guide: Said

    def pair(self, level: Level) -> Pair:
        """What is said at a level."""
        return {Level.RED: self.red, Level.ORANGE: self.orange, Level.YELLOW: self.yellow, Level.BLUE: self.blue}[level]


@cache
def action_table() -> dict[str, Entry]:
    """The entries by prefix."""
    known = (files("warnhub.plan") / "actions.yaml").read_text("utf-8")
    rows = yaml.load(known, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are the safe one
    return {prefix: entry for entry in map(Entry.model_validate, rows) for prefix in entry.hazards}


def find_entry(hazard: str) -> Entry:
    """The entry of the longest prefix that fits; every code has one."""
    table = action_table()
    return next(table[hazard[:length]] for length in range(len(hazard), -1, -1) if hazard[:length] in table)


def short_action(hazard: str, level: Level, role: Role, frame: Frame) -> str:
    """What `role` should do, without a full stop."""
    pair = find_entry(hazard).pair(level)
    return (pair.duty if role.responsible else pair.public).told(frame)


def long_guide(hazard: str, frame: Frame) -> str:
    """The longer advice to everybody, in whole sentences."""
    return find_entry(hazard).guide.told(frame)
