"""The geometry gate: sound shapes pass unchanged, each defect has its own name, nothing grows."""

import math
import random
import time

import pytest
from alertdocs import SQUARE, rules

from warnhub.alert import Polygon
from warnhub.ingest.findings import Findings, Limits
from warnhub.ingest.geometry import Order, check_ring, cut_out, read_circle, read_polygon

FIRST = Order.LATITUDE_FIRST
RANGE = Order.BY_RANGE


def read(text: str, order: Order = FIRST, limits: Limits | None = None) -> tuple[Polygon | None, list[str]]:
    """What becomes of a coordinate text."""
    findings = Findings(limits or Limits())
    return read_polygon(text, "/p", findings, order), rules(findings)


def test_cap_is_latitude_first() -> None:
    polygon, found = read(SQUARE)
    assert polygon
    assert polygon.rings[0][0] == (117.30, 26.60)
    assert len(polygon.rings[0]) == 5
    assert found == []


@pytest.mark.parametrize("blank", ["\n", "\t", "   ", "\r\n  ", "\u3000"])
def test_any_blank_divides_points(blank: str) -> None:
    polygon, found = read(blank + SQUARE.replace(" ", blank) + blank)
    assert polygon == read(SQUARE)[0]
    assert found == []


def test_blanks_around_the_comma() -> None:
    assert read(SQUARE.replace(",", " , "))[0] == read(SQUARE)[0]


@pytest.mark.parametrize("text", ["1. 2", "-11.,-12.1 13.2,14. 15,-16 -11,-12.1"])
def test_numbers_may_end_in_a_point(text: str) -> None:
    assert (read(text)[0] is not None) is ("," in text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "POLYGON_EMPTY"),
        (" \n ", "POLYGON_EMPTY"),
        ("3,4 a,b 5,6 3,4", "POLYGON_UNREADABLE"),
        ("1,2,0 3,4,0 5,1,0 1,2,0", "POLYGON_UNREADABLE"),
        ("1,nan 3,4 5,1 1,nan", "POLYGON_UNREADABLE"),
        ("1_0,2 3,4 5,1 1_0,2", "POLYGON_UNREADABLE"),
        ("1,2 3,4 1,2", "POLYGON_TOO_FEW_POINTS"),
        ("1,2", "POLYGON_TOO_FEW_POINTS"),
        ("1,2 3,4 5,6 1,2", "POLYGON_DEGENERATE"),
        ("0,0 1,1 0,1 1,0 0,0", "POLYGON_SELF_CROSSING"),
        ("0,0 0,4 4,4 4,0 0,0 -1,-2 -2,-2 0,0", "POLYGON_SELF_CROSSING"),
        ("95,190 95,191 96,191 95,190", "POLYGON_OUT_OF_RANGE"),
        ("1,2 1e999,4 5,6 1,2", "POLYGON_OUT_OF_RANGE"),
        ("117.3,26.6 117.5,26.6 117.5,26.8 117.3,26.6", "POLYGON_SWAPPED"),
        ("10,179 10,-179 12,-179 12,179 10,179", "POLYGON_ANTIMERIDIAN"),
    ],
)
def test_each_defect_is_named_and_not_placed(text: str, rule: str) -> None:
    polygon, found = read(text)
    assert polygon is None
    assert rule in found


def test_an_open_ring_is_closed_and_held() -> None:
    polygon, found = read(SQUARE.rsplit(" ", 1)[0])
    assert polygon == read(SQUARE)[0]
    assert found == ["POLYGON_NOT_CLOSED"]


def test_repeated_vertices_are_merged_with_a_note() -> None:
    first = SQUARE.split(" ")[0]
    polygon, found = read(f"{first} {SQUARE}")
    assert polygon == read(SQUARE)[0]
    assert found == ["POLYGON_REPEATED_POINTS"]


def test_the_national_order_is_told_by_range() -> None:
    forwards = " ".join(",".join(reversed(pair.split(","))) for pair in SQUARE.split())
    assert read(forwards, RANGE) == (read(SQUARE)[0], [])
    assert read(SQUARE, RANGE) == (read(SQUARE)[0], ["POLYGON_ORDER"])
    assert read("10,20 10,21 11,21 10,20", RANGE) == (None, ["POLYGON_OUT_OF_RANGE"])


def test_a_national_line_is_no_area() -> None:
    assert read(SQUARE.rsplit(" ", 1)[0], RANGE)[0] is None


def test_swapped_against_the_county() -> None:
    home = Limits(home=(80.0, 30.0, 81.0, 31.0))
    there = "30.2,80.2 30.2,80.4 30.4,80.4 30.2,80.2"
    back = "80.2,30.2 80.4,30.2 80.4,30.4 80.2,30.2"
    assert read(there, limits=home)[1] == []
    assert read(back)[1] == []
    assert read(back, limits=home) == (None, ["POLYGON_SWAPPED"])
    assert read("10,10 10,11 11,11 10,10", limits=home)[1] == []


def circle_ring(points: int) -> str:
    """A wavy ring of so many points, as CAP text."""
    angles = (2 * math.pi * at / points for at in range(points))
    pairs = [f"{26 + math.sin(a) * (1 + 0.01 * math.sin(40 * a)):.6f},{117 + math.cos(a):.6f}" for a in angles]
    return " ".join([*pairs, pairs[0]])


def test_a_ring_of_34_thousand_points_is_quick() -> None:
    smooth = circle_ring(34_066)
    dice = random.Random(7)
    tangled = " ".join([*(f"{26 + dice.random():.6f},{117 + dice.random():.6f}" for _ in range(34_066)), "26,117"])
    started = time.process_time()
    polygon, _ = read(smooth)
    crossing, found = read(f"26,117 {tangled}")
    assert time.process_time() - started < 3
    assert polygon
    assert len(polygon.rings[0]) == 34_067
    assert crossing is None
    assert "POLYGON_SELF_CROSSING" in found


@pytest.mark.parametrize(
    ("text", "order", "radius", "found"),
    [
        ("26.6,117.3 12.5", FIRST, 12_500, []),
        ("117.3,26.6 12500", RANGE, 12_500, []),
        ("26.6,117.3 0", FIRST, 0, []),
        ("26.6,117.3 5000", FIRST, 5_000_000, ["CIRCLE_IMPLAUSIBLE"]),
        ("117.3,26.6 5", RANGE, 5, ["CIRCLE_IMPLAUSIBLE"]),
        ("26.6,117.3 -1", FIRST, None, ["CIRCLE_OUT_OF_RANGE"]),
        ("117.3,26.6 1", FIRST, None, ["CIRCLE_OUT_OF_RANGE"]),
        ("26.6,117.3 30000", FIRST, None, ["CIRCLE_OUT_OF_RANGE"]),
        ("26.6,117.3", FIRST, None, ["CIRCLE_UNREADABLE"]),
        ("26.6 117.3 5", FIRST, None, ["CIRCLE_UNREADABLE"]),
        (",", FIRST, None, ["CIRCLE_UNREADABLE"]),
        ("", FIRST, None, ["CIRCLE_EMPTY"]),
    ],
)
def test_circles(text: str, order: Order, radius: float | None, found: list[str]) -> None:
    findings = Findings()
    circle = read_circle(text, "/c", findings, order)
    assert rules(findings) == found
    assert (circle.radius if circle else None) == radius
    assert circle is None or circle.center == (117.3, 26.6)


def test_an_excluded_part_is_cut_out() -> None:
    whole, _ = read("0,0 0,10 10,10 10,0 0,0")
    corner, _ = read("0,0 0,5 5,5 5,0 0,0")
    middle, _ = read("4,4 4,6 6,6 6,4 4,4")
    assert whole
    assert corner
    assert middle
    (left,) = cut_out([whole], [middle]) or []
    assert len(left.rings) == 2
    (left,) = cut_out([whole], [corner]) or []
    assert len(left.rings[0]) == 7
    assert cut_out([middle], [whole]) is None


def test_a_ring_keeps_its_own_points() -> None:
    findings = Findings()
    ring = [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.0, 0.0)]
    assert check_ring(ring, "/", findings, close=False) == ring
    assert check_ring(ring[:-1], "/", findings, close=False) is None
    assert rules(findings) == ["POLYGON_NOT_CLOSED"]
