"""Telling the forms apart, and refusing what is hostile, too large or not read yet, with a sentence and never a traceback."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from alertdocs import EXAMPLES, cap, example, places, rules, sample, swap, taken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warnhub.alert import Gate
from warnhub.ingest import Limits, read_alerts
from warnhub.ingest.forms import FORMS


@pytest.mark.parametrize(
    ("name", "form", "media"),
    [
        ("alert.json", "native", "application/json; charset=utf-8"),
        ("cap.xml", "cap-1.2", "application/cap+xml"),
        ("cap.xml", "cap-1.2", "Application/XML"),
        ("national.xml", "national", "application/xml"),
        ("national.xml", "national", None),
    ],
)
def test_the_published_examples_are_taken(name: str, form: str, media: str | None) -> None:
    (verdict,) = read_alerts((EXAMPLES / name).read_bytes(), media)
    assert verdict.gate is Gate.ACCEPT
    assert taken(verdict).original.form == form


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "BODY_EMPTY"),
        (b" \n\xef\xbb\xbf", "BODY_EMPTY"),
        (b"{", "JSON_INVALID"),
        (b"\xff{", "JSON_INVALID"),
        (b"hello", "JSON_INVALID"),
        (b'{"sent": 1, "sent": 2}', "JSON_DUPLICATE_KEY"),
        (b'{"areas": [{"x": 1, "x": 1}], "sent": ""}', "JSON_DUPLICATE_KEY"),
        (b'{"sent": NaN}', "JSON_NOT_A_NUMBER"),
        (b'{"sent": -Infinity}', "JSON_NOT_A_NUMBER"),
        (b'{"sent": 1e999}', "JSON_NOT_A_NUMBER"),
        (b'{"sent":' + b"[" * 40 + b"]" * 40 + b"}", "JSON_TOO_DEEP"),
        (b"[" * 2_000_000, "JSON_TOO_DEEP"),
        (b"<alert>", "XML_NOT_WELL_FORMED"),
        (b"<a>" * 100_000, "XML_NOT_WELL_FORMED"),
        (b'<?xml version="1.0" encoding="utf-8"?><alert>\xff</alert>', "XML_NOT_WELL_FORMED"),
        (b'<?xml version="1.0" encoding="no-such"?><alert/>', "XML_NOT_WELL_FORMED"),
        (b"<alert>&xxe;</alert>", "XML_NOT_WELL_FORMED"),
        (b"<EBD/>", "FORM_NOT_READ"),
        (b"<feed xmlns='http://www.w3.org/2005/Atom'><entry/></feed>", "FORM_NOT_READ"),
        (b'{"type": "FeatureCollection", "features": []}', "FORM_NOT_READ"),
        (b"{}", "FORM_NOT_READ"),
        (b"[]", "FORM_NOT_READ"),
        (b"17", "FORM_NOT_READ"),
    ],
)
def test_refused_as_a_whole(body: bytes, rule: str) -> None:
    (verdict,) = read_alerts(body)
    assert verdict.gate is Gate.REFUSE
    assert verdict.alert is None
    assert rules(verdict) == [rule]


DOCTYPES = [
    b'<!DOCTYPE alert [<!ENTITY x SYSTEM "file:///etc/passwd">]><alert>&x;</alert>',
    b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a --><!DOCTYPE alert SYSTEM "http://127.0.0.1:9/x.dtd"><alert/>',
    '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><alert>&b;</alert>'.encode("utf-16"),
    b"<!doctype html><alert/>",
]


@pytest.mark.parametrize("body", DOCTYPES)
def test_no_doctype_and_no_entities(body: bytes) -> None:
    (verdict,) = read_alerts(body, "application/xml")
    assert rules(verdict) in (["XML_DOCTYPE"], ["XML_NOT_WELL_FORMED"])
    assert "root:" not in verdict.model_dump_json()


def test_a_doctype_in_words_is_only_words() -> None:
    (verdict,) = read_alerts(cap(info="<description><![CDATA[<!DOCTYPE x> 请转移]]></description>").encode())
    assert verdict.gate is Gate.ACCEPT


def test_the_root_is_named() -> None:
    (verdict,) = read_alerts(b"<q:EBD xmlns:q='urn:x'/>")
    assert verdict.problems[0].path == "/EBD[1]"
    assert "form not read yet: EBD" in verdict.problems[0].message
    (verdict,) = read_alerts(b'{"alertData": []}')
    assert "alertData" in verdict.problems[0].message


@pytest.mark.parametrize(
    ("body", "media"),
    [(b"<alert/>", "application/json"), (b"{}", "text/xml"), (b"{}", "image/png"), (b"<a/>", "text/html")],
)
def test_media_that_do_not_fit(body: bytes, media: str) -> None:
    (verdict,) = read_alerts(body, media)
    assert rules(verdict) == ["MEDIA_UNSUPPORTED"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030", "gbk"])
def test_declared_encodings_are_read_from_the_bytes(encoding: str) -> None:
    name = encoding.removesuffix("-sig")
    text = example("national.xml").replace('encoding="UTF-8"', f'encoding="{name}"')
    (verdict,) = read_alerts(text.encode(encoding))
    assert taken(verdict).texts[0].headline == "云岭县气象局发布暴雨红色预警"


@pytest.mark.parametrize("declared", ["GB2312", "ISO-8859-1", "UTF-16", "Big5"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_wrong_declaration_does_not_garble_what_is_plainly_utf8(declared: str, mark: bytes) -> None:
    text = example("national.xml").replace('encoding="UTF-8"', f'encoding="{declared}"')
    (verdict,) = read_alerts(mark + text.encode())
    assert taken(verdict).texts[0].headline == "云岭县气象局发布暴雨红色预警"


@pytest.mark.parametrize("encoding", ["gb18030", "latin-1"])
def test_bytes_that_are_not_what_they_say_are_refused_not_guessed(encoding: str) -> None:
    body = example("national.xml").replace("云岭县", "é").encode(encoding, "ignore")
    assert rules(read_alerts(body)[0]) == ["XML_NOT_WELL_FORMED"]


def test_json_with_a_byte_order_mark() -> None:
    (verdict,) = read_alerts(example("alert.json").encode("utf-8-sig"))
    assert verdict.gate is Gate.ACCEPT


def test_each_alert_in_a_feed() -> None:
    first, second = read_alerts(sample("feed.xml").encode(), "application/atom+xml")
    assert first.gate is Gate.ACCEPT
    assert taken(first).areas[0].codes[0].value == "990123"
    assert second.gate is Gate.REFUSE
    assert places(second, "MISSING_REQUIRED_ELEMENT") == ["/feed[1]/entry[2]/content[1]/alert[1]"]


def test_each_alert_in_an_array() -> None:
    one = json.loads(example("alert.json"))
    first, second, third = read_alerts(json.dumps([one, one | {"level": "green"}, 5]).encode())
    assert first.gate is Gate.ACCEPT
    assert places(second, "INVALID_VALUE") == ["[1].level"]
    assert places(third, "FORM_NOT_READ") == ["[2]"]


def test_bounds_come_before_reading() -> None:
    body = cap().encode()
    assert rules(read_alerts(body, limits=Limits(max_bytes=len(body) - 1))[0]) == ["BODY_TOO_LARGE"]
    assert rules(read_alerts(body, limits=Limits(max_elements=5))[0]) == ["TOO_MANY_ELEMENTS"]
    assert rules(read_alerts(body, limits=Limits(max_points=4))[0]) == ["GEOMETRY_TOO_LARGE"]
    assert rules(read_alerts(body, limits=Limits(max_polygons=0))[0]) == ["GEOMETRY_TOO_LARGE"]
    assert rules(read_alerts(sample("feed.xml").encode(), limits=Limits(max_alerts=1))[0]) == ["TOO_MANY_ALERTS"]
    assert read_alerts(body, limits=Limits(max_points=5))[0].gate is Gate.ACCEPT


@pytest.mark.parametrize(
    "body",
    [
        cap("<polygon>" + "1,2 " * 1_500_000 + "</polygon>").encode(),
        cap("<polygon>" + "1 , 2 " * 1_000_000 + "</polygon>").encode(),
        cap("<geocode/>" * 95_000).encode(),
        cap(info="<x/>" * 95_000).encode(),
        b"<alert " + b" ".join(b'a%d="1"' % at for at in range(200_000)) + b"/>",
        b"<!--" * 1_500_000,
        b"<?a " * 1_500_000,
    ],
)
def test_hostile_bodies_are_quick(body: bytes) -> None:
    started = time.process_time()
    assert read_alerts(body)[0].gate is not Gate.ACCEPT
    assert time.process_time() - started < 5


def test_the_clock_is_judged_only_when_given() -> None:
    body = example("cap.xml").encode()
    assert read_alerts(body)[0].gate is Gate.ACCEPT
    late = datetime(2026, 7, 1, tzinfo=UTC)
    assert rules(read_alerts(body, now=late)[0])[0] == "EXPIRED"
    early = datetime(2026, 6, 12, 8, 17, tzinfo=UTC)
    assert places(read_alerts(body, now=early)[0], "SENT_IN_FUTURE") == ["/alert[1]/sent[1]"]
    assert read_alerts(body, now=datetime(2026, 6, 12, 9, tzinfo=UTC))[0].gate is Gate.ACCEPT


def test_a_cancel_may_come_after_the_end() -> None:
    body = swap(example("cap.xml"), "<msgType>Update", "<msgType>Cancel")
    assert read_alerts(body, now=datetime(2026, 7, 1, tzinfo=UTC))[0].gate is Gate.ACCEPT


def test_the_particular_form_stands_before_the_general() -> None:
    names = [form.name for form in FORMS]
    assert names.index("national") < names.index("cap")


@given(st.binary(max_size=400))
def test_any_bytes_get_a_verdict(body: bytes) -> None:
    for verdict in read_alerts(body):
        assert verdict.gate is Gate.REFUSE
        assert verdict.model_dump_json()


NAMES = sorted(path.name for path in EXAMPLES.iterdir())
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8), st.just([]),
    st.just({}), st.just([[]]), st.just([{}]), st.just("2026-06-12T16:00:00+08:00"), st.just("红色"), st.just("990123"),
)  # fmt: skip


def spots(value: object) -> list[tuple[Any, Any]]:
    """Every place in a JSON value: what holds it, and the key."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [spot for key in keys for spot in ((value, key), *spots(value[key]))]  # type: ignore[index]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_document_with_other_values_gets_a_verdict(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([one for one in NAMES if one.endswith("json")]))
    value = json.loads(example(name))
    for _ in range(data.draw(st.integers(1, 3))):
        if places_left := spots(value):
            holder, key = data.draw(st.sampled_from(places_left))
            holder[key] = json.loads(json.dumps(data.draw(JUNK)))
    for verdict in read_alerts(json.dumps(value).encode()):
        assert verdict.alert is not None or verdict.gate is not Gate.HOLD
        assert verdict.problems or verdict.gate is Gate.ACCEPT
        assert verdict.model_dump_json()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_damaged_document_gets_a_verdict(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    body = bytearray((EXAMPLES / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=20))
    for verdict in read_alerts(bytes(body)):
        assert verdict.alert is not None or verdict.gate is not Gate.HOLD
        assert verdict.alert is None or verdict.gate is not Gate.REFUSE
        assert verdict.problems or verdict.gate is Gate.ACCEPT
        assert verdict.model_dump_json()
