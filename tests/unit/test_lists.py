"""Public lists of warnings: each dialect's names and codes, and none of them placed without a person."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from alertdocs import example, places, rules, taken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warnhub.alert import Gate, Kind, Level, Verdict
from warnhub.ingest import Limits, read_alerts


def read(value: Any, limits: Limits | None = None) -> list[Verdict]:
    """Every verdict."""
    return read_alerts(json.dumps(value).encode(), "application/json", limits)


def one(value: Any) -> Verdict:
    """The only verdict."""
    (verdict,) = read(value)
    return verdict


def test_the_example_is_held_for_its_place_and_for_what_it_lifts() -> None:
    warning, lifted = read(json.loads(example("weather-list.json")))
    alert = taken(warning)
    assert (warning.gate, rules(warning)[0]) == (Gate.HOLD, "AREA_ASSUMED")
    assert (alert.hazard, alert.level, alert.sender) == ("11B03", Level.ORANGE, "云岭县气象台")
    assert alert.sent == datetime(2026, 6, 12, 8, 0, 12, tzinfo=UTC)
    assert [code.value for code in alert.areas[0].codes] == ["990123"]
    assert (lifted.gate, rules(lifted)[0], taken(lifted).kind) == (Gate.HOLD, "MISSING_REFERENCE", Kind.CANCEL)


CMA = {
    "data": [
        {
            "id": "44512241600000_20260612180026",
            "headline": "饶平县气象台发布雷雨大风黄色预警",
            "effective": "2026/06/12 18:00",
            "description": "预计有雷雨大风。",
            "longitude": 116.9,
            "latitude": 23.6,
            "type": "p0020003",
        }
    ]
}
NMC = {
    "data": {
        "page": {
            "list": [
                {
                    "alertid": "41062241600000_20260605160643",
                    "issuetime": "2026/06/05 16:06",
                    "title": "河南省鹤壁市淇县气象台发布大风蓝色预警信号",
                    "pic": "http://image.nmc.cn/assets/img/alarm/p0007004.png",
                }
            ]
        }
    }
}
CAIYUN = {
    "result": {
        "alert": {
            "content": [
                {
                    "status": "预警中",
                    "code": "1602",
                    "description": "未来1~3小时有雷雨大风。",
                    "pubtimestamp": 1686694680,
                    "alertId": "44010041600000_20230614062133",
                    "title": "广州市气象台发布雷雨大风黄色预警[III级/较重]",
                    "adcode": "440100",
                    "source": "国家预警信息发布中心",
                    "location": "广东省广州市",
                }
            ]
        }
    }
}
NEWER = {
    "alerts": [
        {
            "id": "ALERT_CN_31000041600000_20250811152835",
            "area_code": "310000",
            "publish_time": 1754896800,
            "color": {"red": 250, "green": 230, "alpha": {"value": 1}},
            "data": [
                {
                    "language_code": "zh-CN",
                    "title": "上海中心气象台发布雷电黄色预警[Ⅲ级/较重]",
                    "text": "注意防范。",
                    "level": "yellow",
                }
            ],
        }
    ]
}
QWEATHER = {
    "warning": [
        {
            "id": "10101010020260612103000837287",
            "sender": "云岭县气象台",
            "pubTime": "2026-06-12T10:30+08:00",
            "title": "云岭县气象台发布大风蓝色预警",
            "startTime": "2026-06-12T10:30+08:00",
            "endTime": "2026-06-12T20:30+08:00",
            "status": "active",
            "level": "蓝色",
            "severity": "Minor",
            "severityColor": "Blue",
            "type": "1006",
            "typeName": "大风",
            "urgency": "",
            "certainty": "",
            "text": "预计有大风。",
            "related": "",
        }
    ]
}
QWEATHER_NEW = {
    "metadata": {"tag": "x"},
    "alerts": [
        {
            "id": "202510241119105837988676",
            "senderName": "临桂区气象台",
            "issuedTime": "2025-10-24T11:19+08:00",
            "messageType": {"code": "update", "supersedes": ["202510181140100706230391"]},
            "eventType": {"name": "大风", "code": "1006"},
            "urgency": None,
            "severity": "minor",
            "color": {"code": "blue", "red": 30, "green": 50, "blue": 205, "alpha": 1},
            "expireTime": "2025-10-25T11:19+08:00",
            "headline": "临桂区气象台更新大风蓝色预警信号",
            "description": "有大风。",
        }
    ],
}


@pytest.mark.parametrize(
    ("document", "hazard", "level", "kind", "place"),
    [
        (CMA, "11B20", Level.YELLOW, Kind.ALERT, "445122"),
        (NMC, "11B06", Level.BLUE, Kind.ALERT, "410622"),
        (CAIYUN, "11B20", Level.YELLOW, Kind.ALERT, "440100"),
        (NEWER, "11B14", Level.YELLOW, Kind.ALERT, "310000"),
        (QWEATHER, "11B06", Level.BLUE, Kind.ALERT, None),
        (QWEATHER_NEW, "11B06", Level.BLUE, Kind.UPDATE, None),
    ],
    ids=["cma", "nmc", "caiyun", "caiyun v3", "qweather", "qweather v1"],
)
def test_each_dialect(document: Any, hazard: str, level: Level, kind: Kind, place: str | None) -> None:
    verdict = one(document)
    alert = taken(verdict)
    assert verdict.gate is Gate.HOLD
    assert {problem.rule for problem in verdict.problems if problem.gate is Gate.HOLD} == {
        "AREA_ASSUMED" if place else "NO_AREA"
    }
    assert (alert.hazard, alert.level, alert.kind) == (hazard, level, kind)
    assert [code.value for code in alert.areas[0].codes] == ([place] if place else [])
    assert alert.sender.endswith("气象台")


def item(**fields: Any) -> dict[str, Any]:
    """A list of one item."""
    base = {"id": "x-1", "title": "云岭县气象台发布预警", "time": "2026-06-12 10:30", "adcode": "990123"}
    return {"list": [{name: value for name, value in (base | fields).items() if value is not None}]}


@pytest.mark.parametrize(
    ("fields", "hazard", "level"),
    [
        ({"type": "11B1403"}, "11B14", Level.ORANGE),
        ({"type": "11B03", "level": "红色"}, "11B03", Level.RED),
        ({"type": "1021", "severityColor": "Yellow"}, "11B21", Level.YELLOW),
        ({"code": "0204"}, "11B03", Level.RED),
        ({"code": "0901"}, "11B14", Level.BLUE),
        ({"icon": "p0002002", "title": "云岭县气象台发布暴雨预警"}, "11B03", Level.ORANGE),
    ],
)
def test_each_code(fields: dict[str, Any], hazard: str, level: Level) -> None:
    alert = taken(one(item(**fields)))
    assert (alert.hazard, alert.level) == (hazard, level)


@pytest.mark.parametrize(
    ("fields", "rule", "gate"),
    [
        ({"type": "1006", "title": "云岭县气象台发布暴雨蓝色预警"}, "HAZARD_CONFLICT", Gate.HOLD),
        ({"code": "0204", "title": "云岭县气象台发布暴雨蓝色预警"}, "LEVEL_CONFLICT", Gate.HOLD),
        ({"code": "0204", "level": "蓝色"}, "LEVEL_CONFLICT", Gate.HOLD),
        ({"type": "1006"}, "LEVEL_UNKNOWN", Gate.HOLD),
        ({"type": "1098", "level": "蓝色"}, "HAZARD_UNKNOWN", Gate.HOLD),
        ({"state": "什么"}, "INVALID_VALUE", Gate.HOLD),
        ({"title": "云岭县气象台演练：发布暴雨红色预警"}, "TEST_CONTENT", Gate.HOLD),
        ({"time": "soon"}, "TIME_INVALID", Gate.REFUSE),
        ({"id": None, "type": "1006"}, "MISSING_REQUIRED_ELEMENT", Gate.REFUSE),
        ({"id": "x" * 300}, "TOO_LONG", Gate.REFUSE),
    ],
)
def test_each_fault(fields: dict[str, Any], rule: str, gate: Gate) -> None:
    verdict = one(item(**fields))
    assert verdict.gate is gate, verdict.problems
    assert rule in rules(verdict), verdict.problems


def test_what_is_no_warning_is_named_at_its_place() -> None:
    value = item()
    value["list"].append({"weather": "sunny"})
    first, second = read(value)
    assert first.gate is Gate.HOLD
    assert places(second, "FORM_NOT_READ") == ["list[1]"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["id", "title", "time", "type", "code", "level", "status", "adcode", "color", "data", "related"]),
        st.one_of(st.none(), st.text(max_size=6), st.integers(), st.lists(st.text(max_size=3), max_size=2), st.booleans()),
    )
)
def test_any_values_get_a_verdict(fields: dict[str, Any]) -> None:
    for verdict in read(item(**fields)):
        assert verdict.model_dump_json()
        assert (verdict.alert is None) is (verdict.gate is Gate.REFUSE)
