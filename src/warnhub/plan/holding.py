"""What a duty officer may make of an alert that is held: what is left of its areas, or areas chosen by hand. Pure."""

import re
from collections.abc import Sequence

from warnhub.alert import Alert, Area, Code, Gate, Problem
from warnhub.plan.audience import Extent, Places

SPLIT = re.compile(r"[\s,;\uff0c\uff1b\u3001]+")
PATH = re.compile(r"areas\[(\d+)\]\.codes\[(\d+)\]")
UNUSED = "EXCLUSION_UNUSED"
UNPLACED = frozenset(("UNKNOWN_AREA", "UNKNOWN_CODE_SCHEME"))


class Unplaceable(ValueError):
    """A code that was chosen and is not in the directory."""


def unplaced(problems: Sequence[Problem]) -> set[tuple[int, int]]:
    """(area, code) of each code that the directory does not know."""
    found = (PATH.fullmatch(one.path) for one in problems if one.rule in UNPLACED and one.gate is Gate.HOLD)
    return {(int(one[1]), int(one[2])) for one in found if one}


def placeable_areas(alert: Alert, extent: Extent) -> list[Area]:
    """The areas without the codes nobody can place; an exclusion that cannot be placed leaves with the area it belongs to."""
    gone = unplaced(extent.problems)
    kept = []
    for number, area in enumerate(alert.areas):
        if any(code.exclude and (number, place) in gone for place, code in enumerate(area.codes)):
            continue
        codes = [code for place, code in enumerate(area.codes) if (number, place) not in gone]
        left = area.model_copy(update={"codes": codes})
        if left.placeable:
            kept.append(left)
    return kept


def spares_all(alert: Alert, placing: Sequence[Problem], noted: Sequence[Problem] = ()) -> bool:
    """Whether an alert taken as it is tells nobody in the ground that it excludes: all of that can be placed. `placing`: what
    its areas met in the directory; `noted`: what was found when it came, whose paths lead into the message."""
    if any(one.rule == UNUSED for one in (*placing, *noted)):
        return False
    return not any(alert.areas[number].codes[place].exclude for number, place in unplaced(placing))


def chosen_areas(places: Places, said: str) -> list[Area]:
    """Areas of the division codes an officer wrote or ticked. Raises `Unplaceable` for one that the directory does not have."""
    codes = list(dict.fromkeys(code for code in SPLIT.split(said.strip()) if code))
    extent = Extent()
    for code in codes:
        if not places.resolve(code, "cn", code, extent):
            raise Unplaceable(code)
    return [Area(name=name_of(places, code), codes=[Code(value=code)]) for code in codes]


def name_of(places: Places, code: str) -> str:
    """The place's name in the directory, or the code."""
    known = dict(zip(places.codes, places.ids, strict=True))
    return places.names[known[code]] if code in known else code
