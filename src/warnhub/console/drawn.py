"""Areas drawn at the desk: what stands in the form becomes polygons by the same gate as an agency's, or is refused by name."""

from collections.abc import Iterable, Sequence

from warnhub.alert import Gate, Polygon, Problem
from warnhub.ingest.findings import Findings, Limits
from warnhub.ingest.geometry import check_ring, check_shape, read_pairs

LONGEST = 60_000
"""Characters of a drawn area in the form."""


def read_drawn(written: str, limits: Limits) -> tuple[list[Polygon], list[Problem]]:
    """(polygons, what is wrong) of a form's lines, each `longitude,latitude longitude,latitude …`; a ring closes by itself.

    Somebody sits at the form and can draw again, so what an agency would be held for is refused here, with its line.
    """
    findings = Findings(limits)
    lines = [line for line in written.splitlines() if line.strip()]
    points = sum(line.count(",") for line in lines)
    if len(lines) > limits.max_polygons or points > limits.max_points:
        most = f"most {limits.max_polygons} polygons, {limits.max_points} points"
        findings.add("drawn", "GEOMETRY_TOO_LARGE", f"{len(lines)} polygons, {points} points", most)
        return [], findings.problems
    found = [read_ring(line, f"drawn[{number}]", findings) for number, line in enumerate(lines)]
    wrong = [one for one in findings.problems if one.gate is not Gate.ACCEPT]
    return ([] if wrong else [one for one in found if one]), wrong


def read_ring(line: str, where: str, findings: Findings) -> Polygon | None:
    """One line as a polygon, or None with the reason."""
    pairs = read_pairs(line.strip())
    if not pairs:
        findings.add(where, "POLYGON_UNREADABLE", line.strip())
        return None
    if pairs[0] != pairs[-1]:
        pairs.append(pairs[0])
    ring = check_ring(pairs, where, findings, close=True)
    return check_shape([ring], where, findings) if ring else None


def write_ring(points: Iterable[Sequence[float]]) -> str:
    """A ring as a line of the form."""
    return " ".join(f"{point[0]:.6f},{point[1]:.6f}" for point in points)
