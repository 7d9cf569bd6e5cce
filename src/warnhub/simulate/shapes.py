"""Shapes of a county that does not exist: a Voronoi diagram whose cells are the grids, drawn together into villages,
townships and the county, so that every area is exactly the union of those in it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

Points = np.ndarray[Any, np.dtype[np.float64]]
Labels = np.ndarray[Any, np.dtype[np.int64]]

# The middle of the county and its half axes in degrees: about 60 × 40 km.
CENTRE = (117.5, 26.7)
HALF = (0.30, 0.18)


@dataclass(frozen=True, slots=True)
class Map:
    """Grids with the village of each, villages with the township of each; shapes are polygons or multipolygons in
    (longitude, latitude), WGS-84 degrees rounded to 1e-6 (0.1 m)."""

    grids: list[Any]
    villages: list[Any]
    towns: list[Any]
    county: Any
    village_of: list[int]
    town_of: list[int]


def draw_map(rng: np.random.Generator, grids: int, villages: int, towns: int) -> Map:
    """A map with exactly so many of each; every village has a grid and every township a village."""
    cells, points = draw_cells(rng, grids)
    village_of = cluster(rng, points, villages)
    centres = np.array([points[village_of == n].mean(axis=0) for n in range(villages)])
    town_of = cluster(rng, centres, towns)
    shapes = join_shapes(cells, village_of, villages)
    town_shapes = join_shapes(shapes, town_of, towns)
    county = shapely.unary_union(town_shapes)
    return Map(cells, shapes, town_shapes, county, village_of.tolist(), town_of.tolist())


def draw_cells(rng: np.random.Generator, count: int) -> tuple[list[Any], Points]:
    """`count` cells around points within an irregular outline, and the points.

    The points outside only close the outer cells, so no cell is ever cut and neighbours share their corners exactly.
    """
    outline = draw_outline(rng)
    inside = scatter(rng, outline, count, True)
    outside = scatter(rng, outline, max(400, 3 * count), False)
    for _ in range(2):
        cells = voronoi_cells(np.vstack([inside, outside]))[:count]
        inside = np.array([(cell.centroid.x, cell.centroid.y) for cell in cells])
    cells = voronoi_cells(np.vstack([inside, outside]))[:count]
    return [shapely.transform(cell, lambda xy: np.round(xy, 6)) for cell in cells], inside


def draw_outline(rng: np.random.Generator) -> Any:
    """An ellipse bent by a few waves."""
    turns = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    waves = sum(rng.normal(0, 0.25 / n) * np.sin(n * turns + rng.uniform(0, 2 * np.pi)) for n in range(2, 8))
    reach = np.clip(1 + waves, 0.6, 1.25)
    return shapely.Polygon(
        np.column_stack([CENTRE[0] + HALF[0] * reach * np.cos(turns), CENTRE[1] + HALF[1] * reach * np.sin(turns)])
    )


def scatter(rng: np.random.Generator, outline: Any, count: int, within: bool) -> Points:
    """`count` points inside the outline, or around it in a box half as large again."""
    found = np.empty((0, 2))
    reach = 1.25 if within else 1.5
    while len(found) < count:
        points = np.array(CENTRE) + rng.uniform(-reach, reach, (4 * count, 2)) * np.array(HALF)
        found = np.vstack([found, points[shapely.contains_xy(outline, points[:, 0], points[:, 1]) == within]])
    return found[:count]


def voronoi_cells(points: Points) -> list[Any]:
    """The cell of each point, in their order."""
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(points), ordered=True))
    return list(cells)


def cluster(rng: np.random.Generator, points: Points, count: int) -> Labels:
    """Which of `count` near groups each point belongs to (k-means); no group is empty."""
    centres = points[rng.choice(len(points), count, replace=False)]
    for _ in range(8):
        labels = nearest(points, centres)
        centres = np.array([points[labels == n].mean(axis=0) if (labels == n).any() else centres[n] for n in range(count)])
    labels = nearest(points, centres)
    for empty in set(range(count)) - set(labels.tolist()):
        crowd = np.bincount(labels, minlength=count).argmax()
        labels[np.flatnonzero(labels == crowd)[0]] = empty
    return labels


def nearest(points: Points, centres: Points) -> Labels:
    """The nearest centre of each point."""
    gaps = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
    labels: Labels = gaps.argmin(axis=1)
    return labels


def join_shapes(shapes: list[Any], labels: Labels, count: int) -> list[Any]:
    """The union of the shapes of each label."""
    groups: list[list[Any]] = [[] for _ in range(count)]
    for shape, label in zip(shapes, labels.tolist(), strict=True):
        groups[label].append(shape)
    return [shapely.unary_union(group) for group in groups]
