"""GeoJSON geometry → sound polygons, through the geometry gate."""

from collections.abc import Iterator
from typing import Any

from warnhub.alert import Polygon
from warnhub.ingest.findings import Findings, spot
from warnhub.ingest.geometry import Points, check_ring, check_shape
from warnhub.ingest.native import pair

SHAPES = ("Polygon", "MultiPolygon", "GeometryCollection")
DEEPEST = 4


def read_geometry(value: Any, path: str, findings: Findings) -> list[Polygon]:
    """The polygons of a geometry; [] of null. What is no area, or not sound, is held; too much is refused unread."""
    if value is None:
        return []
    parts = list(polygons_of(value, path))
    points = sum(len(ring) for rings, _ in parts for ring in rings if isinstance(ring, list))
    limits = findings.limits
    if len(parts) > limits.max_polygons or points > limits.max_points:
        most = f"most {limits.max_polygons} polygons, {limits.max_points} points"
        findings.add(path, "GEOMETRY_TOO_LARGE", f"{len(parts)} polygons, {points} points", most)
        return []
    if not parts:
        kind = value.get("type") if isinstance(value, dict) else type(value).__name__
        findings.add(path, "GEOMETRY_NOT_AREA", kind)
    read = [read_rings(rings, place, findings) for rings, place in parts]
    return [one for one in read if one]


def polygons_of(value: Any, path: str, depth: int = 0) -> Iterator[tuple[list[Any], str]]:
    """The coordinates of each polygon inside, with its place."""
    if not isinstance(value, dict) or str(value.get("type")) not in SHAPES or depth > DEEPEST:
        return
    inside = value.get("geometries" if value["type"] == "GeometryCollection" else "coordinates")
    if not isinstance(inside, list):
        return
    place = spot(path, "geometries" if value["type"] == "GeometryCollection" else "coordinates")
    if value["type"] == "Polygon":
        yield inside, place
    elif value["type"] == "MultiPolygon":
        yield from ((one, spot(place, at)) for at, one in enumerate(inside) if isinstance(one, list))
    else:
        for at, one in enumerate(inside):
            yield from polygons_of(one, spot(place, at), depth + 1)


def read_rings(rings: list[Any], path: str, findings: Findings) -> Polygon | None:
    """One polygon of GeoJSON rings (longitude, latitude), or None with the reason."""
    if not rings:
        findings.add(path, "POLYGON_EMPTY")
        return None
    sound: list[Points] = []
    for at, ring in enumerate(rings):
        points = [pair(one[:2]) if isinstance(one, list) else None for one in ring] if isinstance(ring, list) else []
        kept = [one for one in points if one]
        if not kept or len(kept) < len(points):
            findings.add(spot(path, at), "POLYGON_UNREADABLE", str(ring)[:80])
            return None
        checked = check_ring(kept, spot(path, at), findings, close=True)
        if not checked:
            return None
        sound.append(checked)
    return check_shape(sound, path, findings)
