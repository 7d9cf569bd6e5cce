"""The geometry gate: text or points → rings that are sound, or a problem that says what is wrong with them.

Nothing is widened and nothing is mended by guess. An open ring of CAP is closed, which is its only reading, and held for a
person; every other defect leaves the shape out.
"""

import math
import re
from collections.abc import Sequence
from enum import Enum

import shapely
from shapely.geometry import Polygon as Shape

from warnhub.alert import Circle, Polygon
from warnhub.ingest.datum import GCJ02, to_wgs
from warnhub.ingest.findings import Findings, Where

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?"
PAIR = re.compile(rf"({NUMBER}),({NUMBER})", re.ASCII)
COMMA = re.compile(r"\s*,\s*")
SOUND = "Valid Geometry"
CHINA = (73.0, 3.0, 136.0, 54.0)
KILOMETRE = 1_000.0
FARTHEST = 20_040_000.0
ODD_KILOMETRES = 1_000_000.0
ODD_METRES = 100.0
FLAT = 1e-10
"""Square degrees, about a square metre: less than that is a line that was rounded."""

Points = list[tuple[float, float]]


class Order(Enum):
    """How a source writes a point: CAP latitude first; the national profile either way, told by range."""

    LATITUDE_FIRST = "lat,lon"
    BY_RANGE = "x,y"


def count_points(text: str | None) -> int:
    """How many points a coordinate text holds at most, without reading them."""
    return text.count(",") if text else 0


def read_polygon(text: str | None, where: Where, findings: Findings, order: Order) -> Polygon | None:
    """A polygon of CAP or national text, or None with the reason."""
    if not text or not text.strip():
        findings.add(where, "POLYGON_EMPTY")
        return None
    pairs = read_pairs(text)
    if pairs is None:
        findings.add(where, "POLYGON_UNREADABLE", text.strip())
        return None
    points = set_order(pairs, where, findings, order)
    if points is None:
        return None
    ring = check_ring(points, where, findings, close=order is Order.LATITUDE_FIRST)
    return check_shape([ring], where, findings) if ring else None


def read_pairs(text: str) -> Points | None:
    """The pairs of numbers, whatever blank divides them; None if anything else is there."""
    pairs: Points = []
    for token in COMMA.sub(",", text).split():
        found = PAIR.fullmatch(token)
        if not found:
            return None
        pairs.append((float(found[1]), float(found[2])))
    return pairs


def set_order(pairs: Points, where: Where, findings: Findings, order: Order) -> Points | None:
    """Points as (longitude, latitude)."""
    swapped = [(second, first) for first, second in pairs]
    if order is Order.LATITUDE_FIRST:
        return swapped
    if within(pairs, CHINA):
        return pairs
    if within(swapped, CHINA):
        findings.add(where, "POLYGON_ORDER", brief(pairs))
        return swapped
    findings.add(where, "POLYGON_OUT_OF_RANGE", brief(pairs), "longitude 73 to 136, latitude 3 to 54")
    return None


def check_ring(points: Sequence[tuple[float, float]], where: Where, findings: Findings, close: bool) -> Points | None:
    """A closed ring on the globe without repeated vertices, or None with every reason. An open one is closed if `close`."""
    outside = next((point for point in points if not on_globe(point)), None)
    if outside:
        lon, lat = outside
        rule = "POLYGON_SWAPPED" if on_globe((lat, lon)) else "POLYGON_OUT_OF_RANGE"
        findings.add(where, rule, f"{lon},{lat}", "longitude,latitude")
    ring = [point for at, point in enumerate(points) if at == 0 or point != points[at - 1]]
    if len(ring) < len(points):
        findings.add(where, "POLYGON_REPEATED_POINTS", len(points) - len(ring))
    open_ended = ring[0] != ring[-1]
    if open_ended:
        findings.add(where, "POLYGON_NOT_CLOSED", f"{brief(ring[:1])} … {brief(ring[-1:])}")
        ring.append(ring[0])
    if len(ring) < 4:
        findings.add(where, "POLYGON_TOO_FEW_POINTS", brief(ring))
        return None
    longitudes = [lon for lon, _ in ring]
    wide = max(longitudes) - min(longitudes) > 180
    if wide:
        findings.add(where, "POLYGON_ANTIMERIDIAN", f"{min(longitudes)} … {max(longitudes)}")
    usable = not (outside or wide or (open_ended and not close))
    return to_datum(ring, where, findings) if usable else None


def to_datum(points: Points, where: Where, findings: Findings) -> Points:
    """The points in WGS-84, of a source whose maps are marked as GCJ-02."""
    if findings.limits.datum != GCJ02:
        return points
    findings.add(where, "DATUM_CONVERTED", brief(points[:1]))
    return to_wgs(points)


def check_shape(rings: Sequence[Points], where: Where, findings: Findings) -> Polygon | None:
    """The polygon of closed rings (outer first), unless it encloses nothing, crosses itself or seems swapped."""
    shape = Shape(rings[0], rings[1:])
    if Shape(rings[0]).convex_hull.area < FLAT:
        findings.add(where, "POLYGON_DEGENERATE", brief(rings[0]))
        return None
    reason = shapely.is_valid_reason(shape)
    if reason != SOUND:
        findings.add(where, "POLYGON_SELF_CROSSING", brief(rings[0]), reason)
        return None
    if swapped_home(shape, findings):
        findings.add(where, "POLYGON_SWAPPED", brief(rings[0]), "only the swapped shape touches the county")
        return None
    return Polygon(rings=[list(ring) for ring in rings])


def swapped_home(shape: Shape, findings: Findings) -> bool:
    """Whether the shape misses the county but would touch it with its axes swapped."""
    if findings.limits.home is None:
        return False
    home = shapely.box(*findings.limits.home)
    if shape.intersects(home):
        return False
    return bool(shapely.transform(shape, lambda points: points[:, ::-1]).intersects(home))


def read_circle(text: str | None, where: Where, findings: Findings, order: Order) -> Circle | None:
    """A circle of CAP (`lat,lon km`) or national (`x,y m`) text, or None with the reason."""
    if not text or not text.strip():
        findings.add(where, "CIRCLE_EMPTY")
        return None
    parts = COMMA.sub(",", text).split()
    centre = PAIR.fullmatch(parts[0])
    if len(parts) != 2 or not centre or not re.fullmatch(NUMBER, parts[1], re.ASCII):
        findings.add(where, "CIRCLE_UNREADABLE", text.strip())
        return None
    points = set_order([(float(centre[1]), float(centre[2]))], where, findings, order)
    if points is None:
        return None
    radius = float(parts[1]) * (KILOMETRE if order is Order.LATITUDE_FIRST else 1.0)
    if not on_globe(points[0]) or not 0 <= radius <= FARTHEST:
        findings.add(where, "CIRCLE_OUT_OF_RANGE", text.strip())
        return None
    if radius > ODD_KILOMETRES or (order is Order.BY_RANGE and 0 < radius < ODD_METRES):
        findings.add(where, "CIRCLE_IMPLAUSIBLE", f"{radius:g} m")
    return Circle(center=to_datum(points, where, findings)[0], radius=radius)


def cut_out(polygons: Sequence[Polygon], holes: Sequence[Polygon]) -> list[Polygon] | None:
    """What is left of `polygons` without `holes`; None if nothing is."""
    hole = shapely.union_all([Shape(one.rings[0], one.rings[1:]) for one in holes])
    left: list[Polygon] = []
    for one in polygons:
        rest = Shape(one.rings[0], one.rings[1:]).difference(hole)
        parts = [part for part in shapely.get_parts(rest) if isinstance(part, Shape) and part.area > 0]
        left += [Polygon(rings=[list(part.exterior.coords), *(list(i.coords) for i in part.interiors)]) for part in parts]
    return left or None


def on_globe(point: tuple[float, float]) -> bool:
    """Longitude in ±180, latitude in ±90, both finite."""
    lon, lat = point
    return math.isfinite(lon) and math.isfinite(lat) and -180 <= lon <= 180 and -90 <= lat <= 90


def within(points: Points, box: tuple[float, float, float, float]) -> bool:
    """Whether every point is in (west, south, east, north)."""
    west, south, east, north = box
    return all(west <= x <= east and south <= y <= north for x, y in points)


def brief(points: Sequence[tuple[float, float]]) -> str:
    """The first points, as `lon,lat`."""
    return " ".join(f"{x:g},{y:g}" for x, y in points[:5])
