"""Our own JSON: what may be left out, what is refused with its place, and that nothing is lost on the way round."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from alertdocs import EXAMPLES, example, places, rules, taken
from hypothesis import given, settings
from hypothesis import strategies as st

from warnhub.alert import (
    Alert,
    Area,
    Circle,
    Code,
    Gate,
    Kind,
    Level,
    Original,
    Parameter,
    Polygon,
    Reference,
    Scope,
    Spoken,
    Status,
    Text,
    Verdict,
)
from warnhub.ingest import Limits, read_alerts
from warnhub.store.alerts import alert_digest

BASE: dict[str, Any] = json.loads(example("alert.json"))
SQUARE = [[117.3, 26.6], [117.5, 26.6], [117.5, 26.8], [117.3, 26.8], [117.3, 26.6]]


def read(**changes: Any) -> Verdict:
    """The verdict on the example with these fields changed; None leaves one out."""
    fields = {name: value for name, value in (BASE | changes).items() if value is not None}
    return read_alerts(json.dumps(fields).encode(), "application/json")[0]


def area(**fields: Any) -> list[dict[str, Any]]:
    """One area."""
    return [{"name": "云岭县"} | fields]


def test_what_is_left_out_is_filled_in_and_shown() -> None:
    alert = taken(read(expires=None, onset=None, hazard="11B03"))
    assert alert.expires - alert.sent == timedelta(hours=12)
    assert alert.effective == alert.sent
    assert not alert.original.expires_given
    assert not alert.original.effective_given
    assert alert.original.form == "native"


def test_what_is_given_stays() -> None:
    alert = taken(read(effective="2026-06-12T15:45:00+08:00"))
    assert alert.effective == datetime(2026, 6, 12, 7, 45, tzinfo=UTC)
    assert alert.original.expires_given
    assert alert.original.effective_given


@pytest.mark.parametrize("name", ["identifier", "sender", "sent", "status", "kind", "hazard", "level"])
def test_what_may_not_be_left_out(name: str) -> None:
    verdict = read(**{name: None})
    assert verdict.gate is Gate.REFUSE
    assert places(verdict, "MISSING_REQUIRED_ELEMENT") == [name]


@pytest.mark.parametrize(
    ("changes", "path", "rule"),
    [
        ({"expirse": "2026-06-13T08:00:00+08:00"}, "expirse", "UNSUPPORTED_ELEMENT"),
        ({"texts": [{"langauge": "zh"}]}, "texts[0].langauge", "UNSUPPORTED_ELEMENT"),
        ({"level": "green"}, "level", "INVALID_VALUE"),
        ({"level": "红色"}, "level", "INVALID_VALUE"),
        ({"hazard": "rain"}, "hazard", "INVALID_VALUE"),
        ({"hazard": 5}, "hazard", "INVALID_VALUE"),
        ({"status": True}, "status", "INVALID_VALUE"),
        ({"sent": 1781251200}, "sent", "TIME_INVALID"),
        ({"sent": "2026-06-12T15:40:00"}, "sent", "TIME_WITHOUT_ZONE"),
        ({"expires": "tomorrow"}, "expires", "TIME_INVALID"),
        ({"identifier": "x" * 257}, "identifier", "TOO_LONG"),
        ({"areas": "everywhere"}, "areas", "INVALID_VALUE"),
        ({"areas": [7]}, "areas[0]", "INVALID_VALUE"),
        ({"areas": area(polygons=[{"rings": [[["a", 1]]]}])}, "areas[0].polygons[0].rings[0][0][0]", "INVALID_VALUE"),
        ({"areas": area(circles=[{"center": [190, 0], "radius": 5}])}, "areas[0].circles[0].center", "INVALID_VALUE"),
        ({"areas": area(circles=[{"center": [19, 0], "radius": -5}])}, "areas[0].circles[0].radius", "INVALID_VALUE"),
        ({"texts": [{"language": "toolonglang"}]}, "texts[0].language", "INVALID_VALUE"),
        ({"spoken": [{"channel": "pigeon", "text": "x"}]}, "spoken[0].channel", "INVALID_VALUE"),
    ],
)
def test_refused_with_its_place(changes: dict[str, Any], path: str, rule: str) -> None:
    verdict = read(**changes)
    assert verdict.gate is Gate.REFUSE
    assert path in places(verdict, rule), verdict.problems


@pytest.mark.parametrize(
    ("changes", "path", "rule"),
    [
        ({"areas": []}, "areas", "NO_AREA"),
        ({"areas": area()}, "areas", "NO_AREA"),
        ({"texts": []}, "texts", "MISSING_INFO"),
        ({"kind": "update"}, "references", "MISSING_REFERENCE"),
        ({"kind": "cancel", "references": [{"identifier": "x", "sender": "other"}]}, "references", "FOREIGN_REFERENCE"),
        ({"references": [{"identifier": BASE["identifier"]}]}, "references", "CIRCULAR_REFERENCE"),
        ({"identifier": "a b"}, "identifier", "INVALID_IDENTIFIER"),
        ({"sender": "a,b"}, "sender", "INVALID_SENDER"),
        ({"expires": "2026-06-12T15:00:00+08:00", "onset": None}, "expires", "EXPIRES_BEFORE_SENT"),
        ({"areas": area(codes=["5301"])}, "areas[0].codes[0]", "GEOCODE_INVALID"),
        ({"texts": [{"headline": "防汛演练:洪水橙色预警"}]}, "texts", "TEST_CONTENT"),
        ({"texts": [{"headline": "云岭县解除洪水橙色预警"}]}, "texts", "LIFTED_NOT_CANCELLED"),
        ({"texts": [{"headline": "云" * 501}]}, "texts[0].headline", "TEXT_TOO_LONG"),
    ],
)
def test_held_with_its_place(changes: dict[str, Any], path: str, rule: str) -> None:
    verdict = read(**changes)
    assert verdict.gate is Gate.HOLD, verdict.problems
    assert taken(verdict)
    assert path in places(verdict, rule)


def test_an_unknown_hazard_is_taken_and_shown() -> None:
    verdict = read(hazard="11B73")
    assert verdict.gate is Gate.ACCEPT
    assert taken(verdict).hazard == "11B73"
    assert rules(verdict) == ["HAZARD_UNKNOWN"]


def test_sound_polygons_are_placed_and_the_rest_held() -> None:
    crossing = [[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]
    hole = [[117.35, 26.65], [117.4, 26.65], [117.4, 26.7], [117.35, 26.65]]
    verdict = read(areas=area(polygons=[{"rings": [crossing]}, {"rings": [SQUARE, hole]}, {"rings": [SQUARE[:-1]]}]))
    assert verdict.gate is Gate.HOLD
    assert [len(one.rings) for one in taken(verdict).areas[0].polygons] == [2, 1]
    assert places(verdict, "POLYGON_SELF_CROSSING") == ["areas[0].polygons[0]"]
    assert places(verdict, "POLYGON_NOT_CLOSED") == ["areas[0].polygons[2].rings[0]"]


def test_a_hole_outside_its_ring_is_no_polygon() -> None:
    hole = [[10, 10], [11, 10], [11, 11], [10, 10]]
    verdict = read(areas=area(polygons=[{"rings": [SQUARE, hole]}], codes=["990123"]))
    assert rules(verdict) == ["POLYGON_SELF_CROSSING"]
    assert taken(verdict).areas[0].polygons == []


def test_numbers_beyond_any_float_are_off_the_globe() -> None:
    body = json.dumps(BASE | {"areas": area(polygons=[{"rings": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}])})
    verdict = read_alerts(body.replace("[1, 0]", f"[{10**400}, 0]").encode())[0]
    assert "POLYGON_OUT_OF_RANGE" in rules(verdict)


def test_points_are_counted_first() -> None:
    body = json.dumps(BASE | {"areas": area(polygons=[{"rings": [SQUARE]}] * 3)}).encode()
    assert rules(read_alerts(body, limits=Limits(max_points=14))[0]) == ["GEOMETRY_TOO_LARGE"]
    assert rules(read_alerts(body, limits=Limits(max_polygons=2))[0]) == ["GEOMETRY_TOO_LARGE"]
    many = json.dumps(BASE | {"areas": area(polygons=[{"rings": [SQUARE]}] * 1_100)}).encode()
    assert rules(read_alerts(many)[0]) == ["GEOMETRY_TOO_LARGE"]
    assert read_alerts(many, limits=Limits(max_polygons=1_100))[0].gate is Gate.ACCEPT


def test_plain_codes_are_a_convenience() -> None:
    assert taken(read(areas=area(codes=["990123100"]))).areas[0].codes == [Code(value="990123100")]


def test_texts_pass_the_text_gate() -> None:
    alert = taken(read(texts=[{"description": "<b>快</b>走\u202e\ue000", "headline": "一\n二"}]))
    assert alert.texts[0].description == "快走"
    assert alert.texts[0].headline == "一 二"


def test_half_characters_get_an_answer() -> None:
    body = json.dumps(BASE | {"sender": "\ud800"}).encode()
    (verdict,) = read_alerts(body)
    assert verdict.gate is Gate.REFUSE
    assert verdict.model_dump_json()


def test_the_published_schema_says_the_same() -> None:
    schema = json.loads((EXAMPLES.parent / "alert.schema.json").read_text("utf-8"))
    check = jsonschema.Draft202012Validator(schema)
    assert list(check.iter_errors(BASE)) == []
    assert list(check.iter_errors({**BASE, "level": "green"}))
    assert list(check.iter_errors({**BASE, "expirse": ""}))
    assert not Path(EXAMPLES / "alert.xml").exists()


moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
words = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1, max_size=30)
names = st.from_regex(r"[a-z0-9.:-]{1,40}", fullmatch=True)
codes = st.from_regex(r"99[0-9]{4}|99[0-9]{7}|99[0-9]{10}", fullmatch=True)


@st.composite
def squares(draw: st.DrawFn) -> Polygon:
    """A sound polygon."""
    x, y = draw(st.floats(-170, 160)), draw(st.floats(-80, 70))
    size = draw(st.floats(0.01, 9))
    ring = [(x, y), (x + size, y), (x + size, y + size), (x, y + size), (x, y)]
    return Polygon(rings=[ring])


areas = st.builds(
    Area,
    name=words,
    codes=st.lists(st.builds(Code, value=codes), min_size=1, max_size=3),
    polygons=st.lists(squares(), max_size=2),
    circles=st.lists(
        st.builds(Circle, center=st.tuples(st.floats(-180, 180), st.floats(-90, 90)), radius=st.floats(0, 1e6)), max_size=2
    ),
)


@st.composite
def alerts(draw: st.DrawFn) -> Alert:
    """An alert with nothing wrong in it."""
    sent = draw(moments)
    return Alert(
        identifier=draw(names),
        sender="demo.example",
        sent=sent,
        status=draw(st.sampled_from(Status)),
        kind=Kind.ALERT,
        references=[Reference(identifier="before-" + draw(names), sent=sent - timedelta(hours=1))],
        hazard=draw(st.sampled_from(["11B03", "11A01", "11D01"])),
        level=draw(st.sampled_from(Level)),
        effective=sent,
        onset=draw(st.none() | moments),
        expires=sent + draw(st.timedeltas(timedelta(minutes=1), timedelta(days=9))),
        areas=draw(st.lists(areas, min_size=1, max_size=3)),
        texts=[Text(headline=draw(words), description=draw(words))],
        parameters=draw(st.lists(st.builds(Parameter, name=words, value=words, unit=words), max_size=2)),
        spoken=draw(st.lists(st.builds(Spoken, channel=st.just("sms"), text=words), max_size=2)),
        scope=draw(st.sampled_from(Scope)),
        original=Original(form="native", expires_given=draw(st.booleans())),
    )


@settings(max_examples=80, deadline=None)
@given(alerts())
def test_out_and_in_again_is_the_same(alert: Alert) -> None:
    (verdict,) = read_alerts(alert.model_dump_json().encode(), "application/json")
    assert verdict.alert == alert


def test_an_alert_kept_before_areas_could_exclude_is_the_same_alert_still() -> None:
    alert = taken(read_alerts(example("alert.json").encode())[0])
    fields = alert.model_dump(mode="json")
    for area in fields["areas"]:
        assert area.pop("excluded") == []
    assert alert_digest(alert) == hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).hexdigest()
    hole = alert.areas[0].model_copy(update={"excluded": [Polygon(rings=[[(0, 0), (1, 0), (1, 1), (0, 0)]])]})
    assert alert_digest(alert.model_copy(update={"areas": [hole]})) != alert_digest(alert)
