"""GCJ-02 → WGS-84, for agencies whose maps are marked as shifted.

Chinese web maps draw on GCJ-02, which moves a point by 100 to 700 metres inside China and by nothing outside. The shift is a
published approximation of an unpublished rule; turned round by fixed-point steps it leaves less than a metre.
"""

from collections.abc import Iterable
from math import cos, pi, sin, sqrt

GCJ02 = "gcj02"
WGS84 = "wgs84"
DATUMS = (WGS84, GCJ02)
SHIFTED = (72.004, 0.8293, 137.8347, 55.8271)  # west, south, east, north: outside it the two are the same
AXIS = 6_378_245.0  # Krasovsky 1940, metres
ECCENTRICITY = 0.006_693_421_622_965_943
STEPS = 5

Point = tuple[float, float]


def to_wgs(points: Iterable[Point]) -> list[Point]:
    """Points in WGS-84 of points in GCJ-02, both (longitude, latitude) in degrees."""
    return [unshift(point) for point in points]


def unshift(point: Point) -> Point:
    """The WGS-84 point that GCJ-02 draws at `point`."""
    lon, lat = point
    for _ in range(STEPS):
        east, north = shift((lon, lat))
        lon, lat = lon + point[0] - east, lat + point[1] - north
    return lon, lat


def shift(point: Point) -> Point:
    """Where GCJ-02 draws a WGS-84 point."""
    lon, lat = point
    west, south, east, north = SHIFTED
    if not (west <= lon <= east and south <= lat <= north):
        return point
    x, y = lon - 105.0, lat - 35.0
    turn = lat / 180.0 * pi
    magic = 1 - ECCENTRICITY * sin(turn) ** 2
    high = AXIS * (1 - ECCENTRICITY) / (magic * sqrt(magic)) * pi / 180.0
    wide = AXIS / sqrt(magic) * cos(turn) * pi / 180.0
    return lon + metres_east(x, y) / wide, lat + metres_north(x, y) / high


def waves(x: float) -> float:
    """What both directions share."""
    return (20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)) * 2.0 / 3.0


def metres_north(x: float, y: float) -> float:
    """The shift to the north, metres, by degrees from 105°E 35°N."""
    flat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x))
    near = (20.0 * sin(y * pi) + 40.0 * sin(y / 3.0 * pi)) * 2.0 / 3.0
    return flat + waves(x) + near + (160.0 * sin(y / 12.0 * pi) + 320.0 * sin(y * pi / 30.0)) * 2.0 / 3.0


def metres_east(x: float, y: float) -> float:
    """The shift to the east, metres."""
    flat = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x))
    near = (20.0 * sin(x * pi) + 40.0 * sin(x / 3.0 * pi)) * 2.0 / 3.0
    return flat + waves(x) + near + (150.0 * sin(x / 12.0 * pi) + 300.0 * sin(x / 30.0 * pi)) * 2.0 / 3.0
