"""The weather service's GeoJSON: with a geometry taken, without one held by its codes, and no test or end mistaken."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from alertdocs import example, places, rules, taken

from warnhub.alert import Gate, Kind, Level, Status, Verdict
from warnhub.ingest import Limits, read_alerts

COLLECTION = json.loads(example("weather.geojson"))
FEATURE = COLLECTION["features"][0]


def read(value: Any, limits: Limits | None = None) -> list[Verdict]:
    """Every verdict."""
    return read_alerts(json.dumps(value).encode(), "application/geo+json", limits)


def one(geometry: Any = "as it is", **properties: Any) -> Verdict:
    """The verdict on the example's feature with these properties; None takes one out."""
    feature = deepcopy(FEATURE)
    feature["properties"] = {k: v for k, v in (feature["properties"] | properties).items() if v is not None}
    if geometry != "as it is":
        feature["geometry"] = geometry
    (verdict,) = read(feature)
    return verdict


def test_a_collection_with_a_geometry_is_taken_whole() -> None:
    (verdict,) = read(COLLECTION)
    alert = taken(verdict)
    assert verdict.gate is Gate.ACCEPT, verdict.problems
    assert alert.original.form == "nws"
    assert (alert.hazard, alert.level, alert.kind) == ("11A51", Level.RED, Kind.ALERT)
    assert alert.sent == datetime(2026, 6, 12, 8, 4, tzinfo=UTC)
    assert alert.areas[0].polygons[0].rings[0][0] == (117.3, 26.6)
    assert alert.areas[0].codes == []
    assert {("UGC", "XXC123"), ("SAME", "099123"), ("AWIPSidentifier", "FFWYUN")} <= {
        (parameter.name, parameter.value) for parameter in alert.parameters
    }
    assert alert.text("en").headline.startswith("Flash Flood Warning")


def test_without_a_geometry_it_is_held_and_its_codes_are_named() -> None:
    verdict = one(geometry=None)
    assert verdict.gate is Gate.HOLD
    (held,) = [problem for problem in verdict.problems if problem.rule == "AREA_BY_CODE"]
    assert (held.path, held.value) == ("properties.geocode", "SAME 099123; UGC XXC123")
    assert {(code.scheme, code.value) for code in taken(verdict).areas[0].codes} == {("SAME", "099123"), ("UGC", "XXC123")}


def test_zones_named_by_address_alone_are_codes_too() -> None:
    verdict = one(geometry=None, geocode={"SAME": [], "UGC": []})
    assert "UGC XXC123" in verdict.model_dump_json()
    assert rules(one(geometry=None, geocode=None, affectedZones=[]))[0] == "NO_AREA"


@pytest.mark.parametrize(
    ("geometry", "rule"),
    [
        ({"type": "Point", "coordinates": [117.3, 26.6]}, "GEOMETRY_NOT_AREA"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]}, "POLYGON_SELF_CROSSING"),
        ({"type": "Polygon", "coordinates": [[[0, "x"], [1, 1], [0, 0]]]}, "POLYGON_UNREADABLE"),
        ({"type": "Polygon", "coordinates": []}, "POLYGON_EMPTY"),
        ("everywhere", "GEOMETRY_NOT_AREA"),
    ],
)
def test_a_geometry_that_is_not_sound_is_held(geometry: Any, rule: str) -> None:
    verdict = one(geometry=geometry)
    assert verdict.gate is Gate.HOLD
    assert rule in rules(verdict)
    assert all(place.startswith("geometry") for place in places(verdict, rule))


def test_several_polygons_and_a_hole() -> None:
    ring, hole = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]], [[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]
    far = [[10, 10], [11, 10], [11, 11], [10, 10]]
    many = {"type": "MultiPolygon", "coordinates": [[ring, hole], [far]]}
    for geometry in (many, {"type": "GeometryCollection", "geometries": [many]}):
        polygons = taken(one(geometry=geometry)).areas[0].polygons
        assert [len(polygon.rings) for polygon in polygons] == [2, 1]


def test_too_many_points_are_refused_unread() -> None:
    (verdict,) = read(FEATURE, Limits(max_points=4))
    assert (verdict.gate, rules(verdict)[0]) == (Gate.REFUSE, "GEOMETRY_TOO_LARGE")


@pytest.mark.parametrize(
    ("properties", "rule", "gate"),
    [
        ({"parameters": {"VTEC": ["/T.NEW.KYUN.FF.W.0007.260612T0804Z-260612T1100Z/"]}}, "TEST_CONTENT", Gate.HOLD),
        ({"parameters": {"VTEC": ["/O.CAN.KYUN.FF.W.0007.260612T0804Z-260612T1100Z/"]}}, "VTEC_OVER", Gate.HOLD),
        ({"parameters": {"VTEC": ["FF.W"]}}, "VTEC_INVALID", Gate.ACCEPT),
        ({"eventCode": {"SAME": ["RWT"]}, "event": "Required Weekly Test"}, "TEST_CONTENT", Gate.HOLD),
        ({"severity": "Unknown"}, "LEVEL_UNKNOWN", Gate.HOLD),
        ({"urgency": "Soon"}, "INVALID_VALUE", Gate.HOLD),
        ({"messageType": "Update"}, "MISSING_REFERENCE", Gate.HOLD),
        ({"messageType": "Alarm"}, "INVALID_VALUE", Gate.REFUSE),
        ({"status": "Real"}, "INVALID_VALUE", Gate.REFUSE),
        ({"sent": "now"}, "TIME_INVALID", Gate.REFUSE),
        ({"sent": "2026-06-12T16:04:00"}, "TIME_WITHOUT_ZONE", Gate.REFUSE),
        ({"sender": None}, "MISSING_REQUIRED_ELEMENT", Gate.REFUSE),
        ({"id": "x" * 300}, "TOO_LONG", Gate.REFUSE),
        ({"expires": None}, "EXPIRES_MISSING", Gate.ACCEPT),
    ],
)
def test_each_fault(properties: dict[str, Any], rule: str, gate: Gate) -> None:
    verdict = one(**properties)
    assert verdict.gate is gate, verdict.problems
    assert rule in rules(verdict)


def test_the_vtec_event_says_what_it_is_where_the_words_do_not() -> None:
    alert = taken(one(event="Statement", eventCode=None))
    assert (alert.hazard, alert.original.hazard) == ("11A51", "vtec=FF → 11A51")


def test_a_test_is_a_test_and_a_cancel_needs_no_place() -> None:
    assert taken(one(status="Test", parameters={})).status is Status.TEST
    reference = {"identifier": "urn:oid:1", "sender": FEATURE["properties"]["sender"], "sent": "2026-06-12T15:00:00+08:00"}
    verdict = one(geometry=None, messageType="Cancel", references=[reference], parameters={})
    assert verdict.gate is Gate.ACCEPT, verdict.problems
    assert taken(verdict).references[0].identifier == "urn:oid:1"


def test_json_ld_is_the_same_alerts() -> None:
    graph = {"@context": {}, "@graph": [FEATURE["properties"] | {"geometry": FEATURE["geometry"]}, 5]}
    first, second = read(graph)
    assert (first.gate, places(second, "FORM_NOT_READ")) == (Gate.ACCEPT, ["@graph[1]"])
    assert taken(first).areas[0].polygons


def test_a_feature_of_something_else_is_named() -> None:
    first, second = read({"type": "FeatureCollection", "features": [FEATURE, {"type": "Feature", "properties": {}}]})
    assert (first.gate, places(second, "FORM_NOT_READ")) == (Gate.ACCEPT, ["features[1]"])
