"""The hazards: event-type codes with their names, their class and how long a warning of each lasts when nobody says.

The table is `hazards.json`: the five-character codes of the national emergency platform, each with how well its source is
confirmed. A code that is not in it is accepted and shown as another hazard of its class.
"""

import json
from datetime import timedelta
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class HazardClass(StrEnum):
    """What policies are written for."""

    METEOROLOGICAL = "meteorological"
    HYDROLOGICAL = "hydrological"
    GEOLOGICAL = "geological"
    OTHER = "other"


class Hazard(NamedTuple):
    """One code of the table. `en` may be empty; `status` says how the code is known."""

    code: str
    zh: str
    en: str
    kind: HazardClass
    status: str


class Life(NamedTuple):
    """How long warnings of the codes with this prefix last by default, and why."""

    prefix: str
    hours: int
    zh: str
    en: str


LETTERS = {"11A": "hydrological", "11B": "meteorological", "11C": "geological", "11D": "geological"}
OTHERS = {
    HazardClass.METEOROLOGICAL: ("其它气象灾害", "Other weather hazard"),
    HazardClass.HYDROLOGICAL: ("其它水旱灾害", "Other flood or drought"),
    HazardClass.GEOLOGICAL: ("其它地质灾害", "Other geological hazard"),
    HazardClass.OTHER: ("其它突发事件", "Other emergency"),
}


@cache
def hazard_table() -> dict[str, Hazard]:
    """Every known code."""
    rows = json.loads(files("warnhub").joinpath("hazards.json").read_text("utf-8"))["codes"]
    return {
        code: Hazard(code, row["zh"], row.get("en", ""), HazardClass(row["class"]), row["status"]) for code, row in rows.items()
    }


@cache
def life_table() -> tuple[Life, ...]:
    """The default lives, longest prefix first, so the first that fits is the one."""
    rows = json.loads(files("warnhub").joinpath("hazards.json").read_text("utf-8"))["lives"]
    return tuple(sorted((Life(**row) for row in rows), key=lambda life: -len(life.prefix)))


def known(code: str) -> bool:
    """Whether the table has it."""
    return code in hazard_table()


def hazard_class(code: str) -> HazardClass:
    """The class, by the code's letter where the code itself is unknown."""
    if entry := hazard_table().get(code):
        return entry.kind
    return HazardClass(LETTERS.get(code[:3], "other"))


def hazard_name(code: str, language: str = "zh") -> str:
    """The name in Chinese, or in English for any other language; an unknown code is another hazard of its class."""
    chinese = language.lower().startswith("zh")
    if entry := hazard_table().get(code):
        return entry.zh if chinese else entry.en or entry.zh
    return OTHERS[hazard_class(code)][0 if chinese else 1]


def life_of(code: str) -> Life:
    """The row that says how long a warning of `code` lasts by default, with its reason."""
    return next(life for life in life_table() if code.startswith(life.prefix))


def default_life(code: str) -> timedelta:
    """How long a warning of `code` lasts when the agency does not say."""
    return timedelta(hours=life_of(code).hours)
