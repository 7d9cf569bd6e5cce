"""Whom an alert concerns: its codes, polygons and circles against the county's own places, in memory.

Places come from the `area` table once and are kept as arrays; a polygon of 500 vertices against 3,000 grids takes a few
milliseconds (shapely's tree, no database). Nothing is widened: what cannot be placed is a problem that holds the alert.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import Area, Circle, Gate, Polygon, Problem

METRES_PER_DEGREE = 111_320.0
LENGTHS = (2, 4, 6, 9, 12, 15)
NEAR = 0.2
"""Degrees around what is mapped of a county within which its other places may lie."""


@dataclass(slots=True)
class Extent:
    """Where a warning applies: ids of the places inside it, of those above them, and what could not be placed."""

    home: set[int] = field(default_factory=set)
    above: set[int] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Nothing of it lies in the county."""
        return not self.home


def code_prefix(code: str) -> str:
    """A division code without the zeros that pad it: 990123100000 → 990123100; 990123 and 990123000000 are the same place."""
    bare = code.rstrip("0")
    length = next((n for n in LENGTHS if n >= len(bare)), len(code))
    return code[:length].ljust(length, "0") if length <= len(code) else code


class Places:
    """The county's places. Positions in the arrays are the same for all of them."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self.ids = [int(row.id) for row in rows]
        self.codes = [str(row.code) for row in rows]
        self.by_code = dict(zip(self.codes, self.ids, strict=True))
        self.code_by_id = dict(zip(self.ids, self.codes, strict=True))
        self.names = {int(row.id): str(row.name) for row in rows}
        self.towns = {int(row.id): int(row.town_id) for row in rows}
        self.villages = {int(row.id): int(row.village_id) for row in rows}
        self.parents = {int(row.id): row.parent_id for row in rows}
        self.levels = {int(row.id): int(row.level) for row in rows}
        self.county = min(self.codes, key=len) if self.codes else ""
        parents = {row.parent_id for row in rows}
        leaves = [row for row in rows if row.id not in parents and row.shape]
        self.leaves = np.array([int(row.id) for row in leaves], dtype=np.int64)
        self.leaf_codes = {int(row.id): str(row.code) for row in leaves}
        self.tree = shapely.STRtree(shapely.from_wkb([bytes(row.shape) for row in leaves]) if leaves else [])
        self.prefixes: dict[str, set[int]] = {}
        for place, code in zip(self.ids, self.codes, strict=True):
            for length in LENGTHS:
                if length <= len(code):
                    self.prefixes.setdefault(code[:length], set()).add(place)

    def id_of(self, code: str) -> int | None:
        """The place with this code."""
        return self.by_code.get(code)

    def code_of(self, place: int) -> str:
        """A place's code; "" for none."""
        return self.code_by_id.get(place, "")

    def title(self, code: str) -> str:
        """A place's name by its code; the code itself where it has none."""
        return self.names.get(self.by_code.get(code, -1), code)

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """(west, south, east, north) of the county, degrees; None while there is no map."""
        shapes = self.tree.geometries
        if not len(shapes):
            return None
        west, south, east, north = (float(edge) for edge in shapely.total_bounds(shapes))
        return west, south, east, north

    @classmethod
    async def load(cls, conn: AsyncConnection) -> "Places":
        """Every place in the database."""
        found = await conn.execute(
            text("SELECT id, code, name, level, parent_id, town_id, village_id, shape FROM area ORDER BY code")
        )
        return cls(found.all())

    def select(self, areas: Iterable[Area]) -> Extent:
        """The places that `areas` name or touch."""
        extent = Extent()
        for number, area in enumerate(areas):
            inside: set[int] = set()
            hole = excluded_ground(area)
            for place, polygon in enumerate(area.polygons):
                inside |= self.cover(less(to_polygon(polygon), hole), f"areas[{number}].polygons[{place}]", extent)
            for place, circle in enumerate(area.circles):
                inside |= self.cover(less(to_disc(circle), hole), f"areas[{number}].circles[{place}]", extent)
            named: set[int] = set()
            outside: set[int] = set()
            for place, code in enumerate(area.codes):
                drawn = bool(area.polygons or area.circles) and not code.exclude
                found = self.resolve(code.value, code.scheme, f"areas[{number}].codes[{place}]", extent, drawn)
                if code.exclude:
                    outside |= found
                else:
                    named |= found
            if hole is not None:
                named = self.spare(named, hole, f"areas[{number}].excluded", extent)
            extent.home |= (inside | named) - outside
        if extent.home:
            extent.above = self.ancestors(extent.home) - extent.home
        return extent

    def elsewhere(self, areas: Sequence[Area], extent: Extent) -> bool:
        """Whether it is sure that none of these areas concerns the county: each can be placed, and lies outside.

        What a place on no map may share ground with, and a code for the whole country, is not sure.
        """
        unsure = extent.home or any(one.gate is Gate.HOLD for one in extent.problems)
        if unsure or not areas or not self.county or not all(area.placeable for area in areas):
            return False
        if any(code.scheme == "cn" and code.value.startswith("00") for area in areas for code in area.codes):
            return False
        shapes = [
            shape for area in areas for shape in (*map(to_polygon, area.polygons), *(to_disc(one) for one in area.circles))
        ]
        return not shapes or not self.near(shapes)

    def near(self, shapes: Sequence[shapely.Geometry]) -> bool:
        """Whether any shape comes so near that a place of the county which is on no map may lie in it."""
        box = self.box
        if box is None:
            return True
        childless = set(self.ids) - set(self.parents.values())
        if len(childless) == len(self.leaves):
            return False  # every place has been looked at
        around = shapely.box(*box).buffer(NEAR)
        return any(around.intersects(shape) for shape in shapes)

    def cover(self, shape: shapely.Geometry, path: str, extent: Extent) -> set[int]:
        """The leaves that share ground with a shape; a note if there are none. What only has a border in common is outside."""
        hits = self.leaves
        if shape.is_empty:
            return set()
        if len(hits):
            found = self.tree.query(shape, predicate="intersects")
            if shape.geom_type != "Point":
                found = found[~shapely.touches(shape, self.tree.geometries[found])]
            hits = hits[found]
        if not len(hits):
            note = Problem(path=path, rule="OUTSIDE_COUNTY", message="不在本县范围内 / outside the county", gate=Gate.ACCEPT)
            extent.problems.append(note)
        return {int(hit) for hit in hits}

    def spare(self, named: set[int], hole: shapely.Geometry, path: str, extent: Extent) -> set[int]:
        """Of places that codes name, those that do not lie in the excluded ground; a problem for one that is on no map."""
        mapped = {int(leaf) for leaf in self.leaves}
        left = (named & mapped) - {int(leaf) for leaf in self.leaves[self.tree.query(hole, predicate="covers")]}
        unmapped = named - mapped - set(self.parents.values())
        if unmapped:
            message = "部分地点没有边界,无法扣除排除区域 / the excluded part cannot be taken out of places on no map"
            value = " ".join(sorted(self.code_of(place) for place in unmapped)[:20])
            extent.problems.append(Problem(path=path, rule="EXCLUSION_UNUSED", message=message, value=value, gate=Gate.HOLD))
        left.update(unmapped)
        return left | (named & self.ancestors(left))

    def resolve(self, code: str, scheme: str, path: str, extent: Extent, drawn: bool = False) -> set[int]:
        """The places a code names; a problem for a code that cannot be looked up here.

        `drawn`: the area has shapes too. A foreign code beside them is by CAP an equivalent description, and so a note.
        """
        if scheme != "cn":
            extent.problems.append(
                Problem(
                    path=path,
                    rule="UNKNOWN_CODE_SCHEME",
                    message="无法识别的区域编码体系 / no table for it",
                    value=scheme,
                    gate=Gate.ACCEPT if drawn else Gate.HOLD,
                )
            )
            return set()
        prefix = code_prefix(code)
        if self.county and self.county.startswith(prefix):
            return set(self.ids)
        found = self.prefixes.get(prefix, set())
        if not found and self.county and prefix.startswith(self.county):
            extent.problems.append(
                Problem(
                    path=path,
                    rule="UNKNOWN_AREA",
                    message="本县没有此区划代码 / no such place in the county",
                    value=code,
                    gate=Gate.HOLD,
                )
            )
        elif not found:
            extent.problems.append(
                Problem(
                    path=path,
                    rule="OUTSIDE_COUNTY",
                    message="不在本县范围内 / outside the county",
                    value=code,
                    gate=Gate.ACCEPT,
                )
            )
        return found

    def ancestors(self, places: Iterable[int]) -> set[int]:
        """Every place above `places`."""
        found: set[int] = set()
        for place in places:
            parent = self.parents.get(place)
            while parent is not None and parent not in found:
                found.add(int(parent))
                parent = self.parents.get(int(parent))
        return found

    def rows(self, extent: Extent) -> list[tuple[int, int, bool]]:
        """(area, township, home) of an extent. A village above a touched grid is home: its people have no nearer address."""
        rows = [(place, self.towns[place], True) for place in sorted(extent.home)]
        rows += [(place, self.towns[place], self.levels[place] >= 12) for place in sorted(extent.above)]
        return rows


def to_polygon(polygon: Polygon) -> shapely.Geometry:
    """Our rings as a prepared shape; made valid, since the gate has judged it already."""
    shape = shapely.Polygon(polygon.rings[0], polygon.rings[1:])
    shape = shape if shape.is_valid else shapely.make_valid(shape)
    shapely.prepare(shape)
    return shape


def excluded_ground(area: Area) -> shapely.Geometry | None:
    """What an area leaves out, as one shape; None of nothing."""
    return shapely.union_all([to_polygon(one) for one in area.excluded]) if area.excluded else None


def less(shape: shapely.Geometry, hole: shapely.Geometry | None) -> shapely.Geometry:
    """A shape without the hole in it; it may be empty."""
    return shape if hole is None else shape.difference(hole)


def to_disc(circle: Circle, points: int = 64) -> shapely.Geometry:
    """A circle in degrees: flat-earth metres about its centre, right to 0.5 % within 100 km."""
    lon, lat = circle.center
    if circle.radius == 0:
        return shapely.Point(lon, lat)
    high = circle.radius / METRES_PER_DEGREE
    wide = high / max(0.01, math.cos(math.radians(lat)))
    turns = [2 * math.pi * n / points for n in range(points)]
    shape = shapely.Polygon([(lon + wide * math.cos(turn), lat + high * math.sin(turn)) for turn in turns])
    shapely.prepare(shape)
    return shape
