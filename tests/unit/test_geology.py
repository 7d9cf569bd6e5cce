"""Hazard points and risk forecasts: levels, who must sign, who answers for a point, and whose number is told nobody."""

import json
from copy import deepcopy
from typing import Any

import pytest
from alertdocs import example, places, rules, taken

from warnhub.alert import Gate, Kind, Level, Status, Verdict
from warnhub.ingest import Limits, read_alerts

ALARM = json.loads(example("geology.json"))
FORECAST = json.loads(example("forecast.json"))


def read(value: Any, limits: Limits | None = None) -> list[Verdict]:
    """Every verdict."""
    return read_alerts(json.dumps(value).encode(), "application/json", limits)


def alarm(**fields: Any) -> Verdict:
    """The one verdict on the example's alarm with these fields; None takes one out."""
    value = deepcopy(ALARM)
    row = value["alarms"][0] | fields
    value["alarms"] = [{name: one for name, one in row.items() if one is not None}]
    (verdict,) = read(value)
    return verdict


def test_the_alarm_of_a_point_is_taken_with_who_answers_for_it() -> None:
    verdict = alarm()
    alert = taken(verdict)
    assert verdict.gate is Gate.ACCEPT, verdict.problems
    assert (alert.hazard, alert.level, alert.sender) == ("11D01", Level.ORANGE, "云岭县自然资源局")
    named = {one.name: one.value for one in alert.parameters}
    assert named["responsible"] == "林守义"
    assert named["responsible_phone"] == "••••0007"
    assert named["station"] == "990123-D-0007"
    assert named["derivation"] == "位移 28.0 mm ≥ 橙色阈值 20.0 mm → 橙色"
    assert alert.areas[0].codes[0].value == "990123102001"


def test_a_telephone_number_is_nowhere_in_what_becomes_of_it() -> None:
    wrong = alarm(value="13800000007", time="13800000007", level="13800000007", area_codes="13800000007")
    assert wrong.gate is Gate.REFUSE
    for verdict in (alarm(), wrong):
        assert "13800000007" not in verdict.model_dump_json()


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({"value": 4}, None),
        ({"value": 40}, Level.RED),
        ({"value": 1.2, "unit": "cm"}, Level.ORANGE),
        ({"parameter": "裂缝", "value": 6}, Level.BLUE),
        ({"parameter": "降雨量", "value": 60, "duration": "1h"}, Level.RED),
        ({"parameter": "倾角", "value": 12, "unit": "度"}, Level.YELLOW),
        ({"parameter": None, "value": None, "unit": None, "level": "警戒级", "text": "后山裂缝扩大"}, Level.ORANGE),
    ],
)
def test_each_value_is_a_level(fields: dict[str, Any], level: Level | None) -> None:
    if fields.get("unit") == "cm":
        fields = fields | {"thresholds": {"orange": 1.0}}
    verdict = alarm(**fields)
    assert verdict.gate is Gate.ACCEPT, verdict.problems
    assert (verdict.alert.level if verdict.alert else None) is level


def test_a_point_without_thresholds_is_held() -> None:
    verdict = alarm(thresholds=None)
    assert (verdict.gate, rules(verdict)[0]) == (Gate.HOLD, "LEVEL_UNKNOWN")


def test_a_point_and_its_person_as_objects() -> None:
    value = {
        "sender": "云岭县自然资源局",
        "point": {"id": "D-7", "name": "后山滑坡", "lat": 26.7, "lon": 117.4},
        "responsible": {"name": "林守义", "phone": "13800000007"},
        "time": "2026-06-12T16:10:00+08:00",
        "crack": 6.2,
        "level": "orange",
        "hazard": "landslide",
        "area_codes": ["990123102001"],
    }
    (verdict,) = read(value)
    named = {one.name: one.value for one in taken(verdict).parameters}
    assert (verdict.gate, taken(verdict).hazard, taken(verdict).level) == (Gate.ACCEPT, "11D01", Level.ORANGE), verdict.problems
    assert named["responsible"] == "林守义"
    assert (named["station"], named["place"], named["裂缝宽度"]) == ("D-7", "后山滑坡", "6.2")
    assert "13800000007" not in verdict.model_dump_json()


def test_points_as_csv() -> None:
    text = (
        "隐患点编号,隐患点名称,灾害类型,监测时间,监测类型,监测值,计量单位,红色阈值,影响区划代码,责任人,联系电话,发布单位\n"
        "990123-D-0007,后山滑坡,滑坡,2026-06-12 16:10,裂缝,55,毫米,50,990123102001,林守义,13800000007,云岭县自然资源局\n"
    )
    (verdict,) = read_alerts(text.encode("gb18030"), "text/csv")
    alert = taken(verdict)
    assert verdict.gate is Gate.ACCEPT, verdict.problems
    assert (alert.hazard, alert.level, alert.original.form) == ("11D01", Level.RED, "geology")
    assert "13800000007" not in verdict.model_dump_json()


# ---------------------------------------------------------------- forecasts


def forecast(**fields: Any) -> list[Verdict]:
    """The verdicts on the example with these fields; None takes one out."""
    return read({name: one for name, one in (FORECAST | fields).items() if one is not None})


def test_a_forecast_is_one_alert_a_level_the_gravest_first() -> None:
    first, second = forecast()
    assert [verdict.gate for verdict in (first, second)] == [Gate.ACCEPT] * 2, first.problems
    assert [taken(one).level for one in (first, second)] == [Level.ORANGE, Level.YELLOW]
    alert = taken(first)
    assert (alert.hazard, alert.sender) == ("11B37", "云岭县自然资源局、云岭县气象局")
    assert alert.original.level == "level=二级(风险高) → orange"
    assert alert.areas[0].codes[0].value == "990123102"
    assert alert.texts[0].headline == "云岭县自然资源局、云岭县气象局联合发布地质灾害气象风险橙色预警"
    assert len({taken(one).identifier for one in (first, second)}) == 2
    assert alert.expires.isoformat() == "2026-06-13T12:00:00+00:00"


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ("一级", "red"),
        ("很高", "red"),
        ("风险高", "orange"),
        ("橙色", "orange"),
        ("较高", "yellow"),
        ("4", "blue"),
        ("红色预警", "red"),
    ],
)
def test_each_word_for_a_level(said: str, level: str) -> None:
    (verdict,) = forecast(areas=[{"code": "990123102", "level": said}])
    assert verdict.gate is Gate.ACCEPT, verdict.problems
    assert taken(verdict).level == level


def test_one_office_alone_is_held_from_yellow_on() -> None:
    for issuers, level, gate in (
        (["云岭县自然资源局"], "三级", Gate.HOLD),
        ("云岭县自然资源局", "四级", Gate.ACCEPT),
        ("云岭县自然资源局、云岭县气象台", "一级", Gate.ACCEPT),
        (["云岭县气象局", "云岭县水利局"], "一级", Gate.HOLD),
    ):
        (verdict,) = forecast(issuers=issuers, areas=[{"code": "990123102", "level": level}])
        assert verdict.gate is gate, (issuers, verdict.problems)
        assert ("JOINT_MISSING" in rules(verdict)) is (gate is Gate.HOLD)


@pytest.mark.parametrize(
    "fields",
    [
        {"areas": ["990123102", "990123101"], "level": "三级"},
        {"areas": None, "area_codes": "990123102,990123101", "riskLevel": 3, "id": None},
        {"type": None, "hazard": "geological_risk", "areas": None, "regions": [{"code": "990123102", "level": 3}]},
    ],
)
def test_forecasts_written_otherwise(fields: dict[str, Any]) -> None:
    (verdict,) = forecast(**fields)
    assert (verdict.gate, taken(verdict).level, taken(verdict).hazard) == (Gate.ACCEPT, Level.YELLOW, "11B37"), verdict.problems
    assert taken(verdict).areas[0].codes[0].value == "990123102"
    assert taken(verdict).identifier


def test_flash_flood_forecasts_are_signed_by_water() -> None:
    (verdict,) = forecast(
        type="山洪灾害气象预警", issuers=["云岭县水利局", "云岭县气象局"], areas=[{"code": "990123102", "level": "可能性很大"}]
    )
    assert verdict.gate is Gate.ACCEPT, verdict.problems
    assert (taken(verdict).hazard, taken(verdict).level) == ("11A51", Level.RED)


@pytest.mark.parametrize(
    ("fields", "rule", "gate"),
    [
        ({"time": None}, "MISSING_REQUIRED_ELEMENT", Gate.REFUSE),
        ({"areas": [{"code": "990123102", "level": "不明"}]}, "LEVEL_UNKNOWN", Gate.HOLD),
        ({"areas": [{"name": "某处", "level": "一级"}]}, "NO_AREA", Gate.HOLD),
        ({"areas": [{"code": "99012310", "level": "一级"}]}, "GEOCODE_INVALID", Gate.HOLD),
        ({"kind": "更新", "areas": [{"code": "990123102", "level": "一级"}]}, "MISSING_REFERENCE", Gate.HOLD),
    ],
)
def test_each_fault_of_a_forecast(fields: dict[str, Any], rule: str, gate: Gate) -> None:
    verdict = forecast(**fields)[0]
    assert verdict.gate is gate, verdict.problems
    assert rule in rules(verdict)


def test_a_fault_names_the_area_it_is_in() -> None:
    (verdict,) = forecast(areas=[{"code": "990123102", "level": "一级"}, {"code": "1", "level": "一级"}])
    assert places(verdict, "GEOCODE_INVALID") == ["areas[1].code"]


def test_a_test_is_a_test_and_a_cancel_lifts() -> None:
    first, _ = forecast(status="演练")
    assert taken(first).status is Status.EXERCISE
    (verdict,) = forecast(
        kind="解除", references=["yunling-risk-1"], areas=[{"code": "990123102", "level": "四级"}], issuers="云岭县气象局"
    )
    assert (verdict.gate, taken(verdict).kind) == (Gate.ACCEPT, Kind.CANCEL), verdict.problems
