"""Shapes for forms that have no holes."""

import shapely
from shapely.geometry import Polygon as Shape

from warnhub.alert import Point, Polygon


def cut_open(polygon: Polygon) -> list[list[Point]]:
    """Closed rings that cover the polygon and no more: its own where it has no hole, else what is left and right of a line
    through each."""
    if len(polygon.rings) == 1:
        return [polygon.rings[0]]
    whole = Shape(polygon.rings[0], polygon.rings[1:])
    return [[(x, y) for x, y in part.exterior.coords] for part in halves(whole)]


def halves(shape: Shape) -> list[Shape]:
    """Parts without holes."""
    if not shape.interiors:
        return [shape]
    west, south, east, north = shape.bounds
    middle = Shape(shape.interiors[0]).representative_point().x
    sides = (shapely.box(west, south, middle, north), shapely.box(middle, south, east, north))
    parts = [part for side in sides for part in shapely.get_parts(shape.intersection(side))]
    return [one for part in parts if isinstance(part, Shape) and part.area > 0 for one in halves(part)]
