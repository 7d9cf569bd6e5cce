"""The divisions of the fictional county 云岭县, code 990123: no division of China begins with 99.

Sizes follow a real county's: 250 villages in 19 townships and about 3,000 grids from 400,000 residents up, fewer below.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from warnhub.simulate.names import place_stems
from warnhub.simulate.shapes import Map, draw_map
from warnhub.store.areas import Place

CODE, NAME = "990123", "云岭县"
FULL = 400_000
VILLAGES, GRIDS = 250, 12


@dataclass(frozen=True, slots=True)
class Town:
    """A township: a street office, a town or a rural township, by its code (GB/T 10114)."""

    code: str
    name: str
    villages: list[str]


@dataclass(frozen=True, slots=True)
class Land:
    """The county's places by code, parents first; `grids` gives the codes of each village's grids."""

    seed: int
    places: list[Place]
    names: dict[str, str]
    towns: list[Town]
    grids: dict[str, list[str]]


def land_sizes(residents: int) -> tuple[int, int, int]:
    """(townships, villages, grids) for so many residents."""
    villages = max(12, min(VILLAGES, round(VILLAGES * (residents / FULL) ** 0.5)))
    share = max(3, min(GRIDS, round(residents / villages / 40)))
    return max(3, round(villages / 13)), villages, villages * share


def build_land(residents: int, seed: int) -> Land:
    """The same county for the same numbers."""
    rng = np.random.default_rng([seed, 1])
    towns, villages, grids = land_sizes(residents)
    drawn = draw_map(rng, grids, villages, towns)
    names = iter(place_stems(rng, towns + villages))
    land = Land(seed, [make_place(CODE, NAME, drawn.county)], {CODE: NAME}, [], {})
    for town, (code, kind) in enumerate(town_codes(towns)):
        add_town(land, drawn, town, code, next(names) + kind, names)
    land.places.sort(key=lambda place: (len(place.code), place.code))
    return land


def town_codes(count: int) -> Iterator[tuple[str, str]]:
    """(code, kind of township): two street offices in a full county, half of the rest towns, half rural townships."""
    streets = 2 if count > 9 else 1
    towns = (count - streets + 1) // 2
    for n in range(count):
        if n < streets:
            yield f"{CODE}{n + 1:03}", "街道"
        elif n < streets + towns:
            yield f"{CODE}{100 + n - streets:03}", "镇"
        else:
            yield f"{CODE}{200 + n - streets - towns:03}", "乡"


def add_town(land: Land, drawn: Map, town: int, code: str, name: str, names: Iterator[str]) -> None:
    """A township with its villages and grids; the first village of a town, and each of a street office, is a community."""
    land.places.append(make_place(code, name, drawn.towns[town]))
    land.names[code] = name
    mine = [n for n, owner in enumerate(drawn.town_of) if owner == town]
    codes = []
    for n, village in enumerate(mine):
        community = name.endswith("街道") or n == 0
        codes.append(f"{code}{n + 1 if community else 199 + n:03}")
        add_village(land, drawn, village, codes[-1], next(names) + ("社区" if community else "村"))
    land.towns.append(Town(code, name, codes))


def add_village(land: Land, drawn: Map, village: int, code: str, name: str) -> None:
    """A village with its grids."""
    land.places.append(make_place(code, name, drawn.villages[village]))
    land.names[code] = name
    mine = [n for n, owner in enumerate(drawn.village_of) if owner == village]
    land.grids[code] = [f"{code}{serial:03}" for serial in range(1, len(mine) + 1)]
    for serial, (grid, number) in enumerate(zip(land.grids[code], mine, strict=True), 1):
        land.names[grid] = f"{name}第{serial}网格"
        land.places.append(make_place(grid, land.names[grid], drawn.grids[number]))


def make_place(code: str, name: str, shape: Any) -> Place:
    """An area with a point inside it."""
    point = shape.representative_point()
    return Place(code, name, shapely.to_wkb(shape), round(point.x, 6), round(point.y, 6))
