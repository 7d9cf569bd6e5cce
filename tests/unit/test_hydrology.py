"""Water stations: each threshold at its level, each unit, each way to write it, and nothing below them dropped or sent."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alertdocs import example, places, rules, taken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warnhub.alert import Gate, Kind, Level, Status, Verdict
from warnhub.config import ConfigError
from warnhub.ingest import Limits, read_alerts
from warnhub.ingest.findings import Unreadable
from warnhub.ingest.scales import check_tables
from warnhub.ingest.stations import read_stations
from warnhub.ingest.table import MOST_COLUMNS, parse_table

TIME = "2026-06-12T16:00:00+08:00"
STAGES = {"warning": 25.5, "guaranteed": 26.5, "historical": 27.92}


def read(value: Any, limits: Limits | None = None, now: datetime | None = None) -> list[Verdict]:
    """Every verdict on JSON."""
    return read_alerts(json.dumps(value).encode(), "application/json", limits, now)


def one(limits: Limits | None = None, now: datetime | None = None, **fields: Any) -> Verdict:
    """The one verdict on one reading."""
    base: dict[str, Any] = {
        "station": "62300100",
        "name": "云岭站",
        "time": TIME,
        "area_codes": "990123100",
        "sender": "水文站",
    }
    (verdict,) = read({name: value for name, value in (base | fields).items() if value is not None}, limits, now)
    return verdict


def parameter(verdict: Verdict, name: str) -> str:
    """The value of one parameter."""
    return next(f"{one.value} {one.unit}".strip() for one in taken(verdict).parameters if one.name == name)


def test_the_example_is_two_alerts_and_a_reading_that_is_none() -> None:
    flood, flash, low = read(json.loads(example("hydrology.json")))
    assert [verdict.gate for verdict in (flood, flash, low)] == [Gate.ACCEPT] * 3
    alert = taken(flood)
    assert (alert.hazard, alert.level, alert.sender) == ("11A01", Level.ORANGE, "云岭县水文站")
    assert alert.sent == datetime(2026, 6, 12, 8, tzinfo=UTC)
    assert [code.value for code in alert.areas[0].codes] == ["990123100", "990123101"]
    assert parameter(flood, "水位") == "26.83 m"
    assert parameter(flood, "流量") == "412.0 m³/s"
    assert parameter(flood, "derivation") == "水位 26.83 m ≥ 保证水位 26.50 m → 橙色"
    assert alert.original.level == "水位 26.83 m ≥ 保证水位 26.50 m → 橙色"
    assert "26.83m" in alert.text("zh").description
    assert "guaranteed stage" in alert.text("en").headline
    assert (taken(flash).hazard, taken(flash).level) == ("11A51", Level.ORANGE)
    assert parameter(flash, "1小时雨量") == "58.5 mm"
    assert low.alert is None
    assert rules(low) == ["READING_BELOW"]
    assert (low.problems[0].path, low.problems[0].value) == ("readings[2]", "水位 18.20 m")
    assert "接近警戒水位" in low.problems[0].message


@pytest.mark.parametrize(
    ("value", "level"),
    [(27.92, Level.RED), (27.91, Level.ORANGE), (26.5, Level.ORANGE), (25.5, Level.YELLOW), (25.0, Level.BLUE), (24.99, None)],
)
def test_each_stage_is_a_level(value: float, level: Level | None) -> None:
    verdict = one(stage=value, **STAGES)
    assert verdict.gate is Gate.ACCEPT
    assert (verdict.alert.level if verdict.alert else None) is level
    assert rules(verdict)[0] == ("LEVEL_DERIVED" if level else "READING_BELOW")


@pytest.mark.parametrize(
    ("fields", "hazard", "level"),
    [
        ({"flow": 900, "warning_flow": 1000}, "11A01", Level.BLUE),
        ({"parameter": "Q", "value": 1000, "unit": "m3/s", "thresholds": {"warning": 1000}}, "11A01", Level.YELLOW),
        ({"parameter": "重现期", "value": 50}, "11A01", Level.RED),
        (
            {"parameter": "水位", "value": 2650, "unit": "cm", "thresholds": {"warning": 2550, "guaranteed": 2650}},
            "11A01",
            Level.ORANGE,
        ),
        ({"drp": 70, "intv": 3, "prepare_1h": 40, "move_1h": 60, "prepare_3h": 65, "move_3h": 90}, "11A51", Level.ORANGE),
        ({"3小时雨量": 95, "3小时立即转移": 90, "3小时准备转移": 65}, "11A51", Level.RED),
        ({"rain_1h": 30, "blue": 20, "yellow": 30, "orange": 40, "red": 50}, "11A51", Level.YELLOW),
        ({"level": "立即转移", "text": "石坑村立即转移"}, "11A51", Level.RED),
        ({"warngradeid": 2, "text": "准备转移"}, "11A51", Level.ORANGE),
        ({"level": "Ⅱ级", "headline": "云溪洪水预警"}, "11A01", Level.ORANGE),
        ({"level": "红色预警", "headline": "云溪洪水红色预警"}, "11A01", Level.RED),
    ],
)
def test_each_way_to_say_it(fields: dict[str, Any], hazard: str, level: Level) -> None:
    verdict = one(**fields)
    assert verdict.gate is Gate.ACCEPT, verdict.problems
    assert (taken(verdict).hazard, taken(verdict).level) == (hazard, level)


@pytest.mark.parametrize(
    ("fields", "rule", "gate"),
    [
        ({"stage": 26.0, "level": "红色", **STAGES}, "LEVEL_CONFLICT", Gate.HOLD),
        ({"stage": 20.0, "level": "红色", **STAGES}, "LEVEL_CONFLICT", Gate.HOLD),
        ({"stage": 26.0}, "LEVEL_UNKNOWN", Gate.HOLD),
        ({"stage": 26.0, "warning": 26.5, "guaranteed": 25.5}, "THRESHOLDS_ORDER", Gate.HOLD),
        ({"parameter": "水位", "value": 26, "unit": "ft", "thresholds": STAGES}, "UNIT_UNKNOWN", Gate.HOLD),
        ({"parameter": "浊度", "value": 26}, "PARAMETER_UNKNOWN", Gate.HOLD),
        ({"stage": "about 26", **STAGES}, "NUMBER_INVALID", Gate.REFUSE),
        ({"stage": 26.0, "area_codes": None, **STAGES}, "NO_AREA", Gate.HOLD),
        ({"stage": 26.0, "area_codes": None, "addvcd": "990123", **STAGES}, "AREA_ASSUMED", Gate.HOLD),
        ({"stage": 26.0, "area_codes": "9901", **STAGES}, "GEOCODE_INVALID", Gate.HOLD),
        ({"stage": 26.0, "time": None, **STAGES}, "MISSING_REQUIRED_ELEMENT", Gate.REFUSE),
        ({"stage": 26.0, "time": "yesterday", **STAGES}, "TIME_INVALID", Gate.REFUSE),
        ({"stage": 26.0, "kind": "解除", **STAGES}, "MISSING_REFERENCE", Gate.HOLD),
        ({"stage": 26.0, "status": "Real", **STAGES}, "INVALID_VALUE", Gate.REFUSE),
        ({"stage": 26.0, "sender": None, **STAGES}, "SENDER_ASSUMED", Gate.ACCEPT),
        ({"stage": "--"}, "READING_EMPTY", Gate.ACCEPT),
        ({"stage": -9999, **STAGES}, "READING_EMPTY", Gate.ACCEPT),
        ({"stage": 26.0, "headline": "演练:云溪洪水", **STAGES}, "TEST_CONTENT", Gate.HOLD),
    ],
)
def test_each_fault(fields: dict[str, Any], rule: str, gate: Gate) -> None:
    verdict = one(**fields)
    assert verdict.gate is gate, verdict.problems
    assert rule in rules(verdict), verdict.problems


NESTED: list[dict[str, Any]] = [
    {"station": {"code": "1", "name": "云岭站"}, "water_level": {"value": 26.6, "unit": "m"}, "thresholds": STAGES},
    {"station": {"id": "1", "name": "云岭站"}, "observations": [{"parameter": "stage", "value": 26.6}], "thresholds": STAGES},
    {"station": "1", "station_name": "云岭站", "data": {"stage": 26.6}, "warning_level": 25.5, "guaranteed_level": 26.5},
    {"station": "1", "name": "云岭站", "z": 26.6, "thresholds": [{"name": "警戒", "value": 25}, {"type": "grz", "value": 26}]},
    {"station": "1", "name": "云岭站", "stage": 26.6, "thresholds": {"warning": {"value": 25.5}, "guarantee": {"value": 26.5}}},
]


@pytest.mark.parametrize("value", NESTED)
def test_objects_in_objects(value: dict[str, Any]) -> None:
    (verdict,) = read(value | {"time": TIME, "area_codes": [{"code": "990123100"}], "sender": "水文站"})
    alert = taken(verdict)
    assert (verdict.gate, alert.level) == (Gate.ACCEPT, Level.ORANGE), verdict.problems
    named = {one.name: one.value for one in alert.parameters}
    assert (named["station"], named["place"], named["水位"]) == ("1", "云岭站", "26.60")


WORDS = [("move at once", Level.RED), ("PREPARE_TO_MOVE", Level.ORANGE), ("立即转移", Level.RED)]


@pytest.mark.parametrize(("word", "level"), WORDS)
def test_a_stage_of_a_flash_flood_is_no_water_level(word: str, level: Level) -> None:
    verdict = one(stage=word, description="石坑村")
    assert (verdict.gate, taken(verdict).level, taken(verdict).hazard) == (Gate.ACCEPT, level, "11A51"), verdict.problems


@pytest.mark.parametrize(
    "fields",
    [
        {"observedAt": TIME, "water_level": 26.6, "warning_threshold": 25.5, "guaranteed_threshold": 26.5},
        {"timestamp": TIME, "监测要素": "水位", "监测值": 26.6, "单位": "m", "警戒值": 25.5, "保证值": 26.5},
        {"publishTime": TIME, "title": "云岭县发布洪水橙色预警", "content": "将超保证水位", "level": "橙色", "station": None},
    ],
)
def test_other_offices_names(fields: dict[str, Any]) -> None:
    verdict = one(**({"time": None} | fields))
    assert (verdict.gate, taken(verdict).level) == (Gate.ACCEPT, Level.ORANGE), verdict.problems
    assert taken(verdict).sender == "水文站"


def test_a_drill_stays_a_drill_and_a_cancel_needs_no_value() -> None:
    assert taken(one(stage=26.0, status="演练", **STAGES)).status is Status.EXERCISE
    verdict = one(kind="解除", references=["62300100-x"], text="云溪水位已退至警戒以下", area_codes=None)
    assert verdict.gate is Gate.ACCEPT, verdict.problems
    assert (taken(verdict).kind, taken(verdict).references[0].identifier) == (Kind.CANCEL, "62300100-x")


def test_a_stale_reading_is_no_alert_and_says_so() -> None:
    late = datetime(2026, 6, 14, tzinfo=UTC)
    verdict = one(now=late, stage=26.0, **STAGES)
    assert (verdict.gate, verdict.alert, rules(verdict)[-1]) == (Gate.ACCEPT, None, "READING_STALE")
    assert "SENT_IN_FUTURE" in rules(one(now=late - timedelta(days=30), stage=26.0, **STAGES))


def test_the_same_reading_is_the_same_alert() -> None:
    first, again = one(stage=26.0, **STAGES), one(stage=26.0, **STAGES)
    assert taken(first) == taken(again)
    assert taken(first).identifier == "62300100-11A01-20260612T080000Z"


def test_the_gravest_of_several_values_of_one_station_leads() -> None:
    rows = [
        {"station": "1", "time": TIME, "parameter": "流量", "value": 1000, "thresholds": {"warning": 1000}},
        {"station": "1", "time": TIME, "parameter": "水位", "value": 28, "thresholds": STAGES},
    ]
    (verdict,) = read({"sender": "x", "data": rows, "area_codes": "990123"})
    assert taken(verdict).level is Level.RED
    assert {"水位", "流量"} <= {one.name for one in taken(verdict).parameters}


# ---------------------------------------------------------------- the table of stations


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_a_reading_does_not_say_is_in_the_table_of_stations(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"stations.{form}"
    row = {"站码": "62300100", "站名": "云岭站", "警戒水位": "25.5", "保证水位": "26.5", "影响区划代码": "990123100"}
    text = ",".join(row) + "\n" + ",".join(row.values()) + "\n" if form == "csv" else json.dumps({"stations": [row]})
    path.write_text(text, "utf-8")
    limits = Limits(stations=read_stations(path))
    (verdict,) = read({"stcd": "62300100", "tm": "2026-06-12 16:00:00", "z": "26.60", "sender": "x"}, limits)
    alert = taken(verdict)
    assert (verdict.gate, alert.level) == (Gate.ACCEPT, Level.ORANGE), verdict.problems
    assert [code.value for code in alert.areas[0].codes] == ["990123100"]
    assert alert.areas[0].name == "云岭站"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("站码,警戒水位\n,25\n", "MISSING_REQUIRED_ELEMENT"),
        ("站码,警戒水位\n1,2\n1,3\n", "STATION_TWICE"),
        ("a,b\n1,2\n", "TABLE_UNKNOWN"),
    ],
)
def test_a_table_of_stations_that_is_wrong_is_refused(tmp_path: Path, text: str, rule: str) -> None:
    path = tmp_path / "stations.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(Unreadable) as refused:
        read_stations(path)
    assert refused.value.problem.rule == rule


def test_a_countys_own_table_is_laid_over_ours(tmp_path: Path) -> None:
    text = "scales:\n  stage:\n    steps:\n      - {level: red, at: warning, zh: 警戒水位, en: warning stage}\n"
    (tmp_path / "hydrology.yaml").write_text(text, "utf-8")
    check_tables(tmp_path)
    assert taken(one(stage=25.6, **STAGES)).level is Level.YELLOW
    assert taken(one(Limits(tables=tmp_path), stage=25.6, **STAGES)).level is Level.RED
    assert taken(one(Limits(tables=tmp_path), flow=5, warning_flow=5)).level is Level.YELLOW


@pytest.mark.parametrize("text", ["scales: {stage: {steps: [{level: purple, zh: x, en: x}]}}", "- 1", "a: [", "x: 1"])
def test_a_table_that_cannot_be_used_is_refused_at_the_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "hydrology.yaml").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=r"tables: hydrology\.yaml"):
        check_tables(tmp_path)


def test_more_readings_than_a_document_may_hold_are_refused() -> None:
    rows = "站码,时间,水位,警戒水位\n" + "1,2026-06-12 08:00,1,2\n" * 3
    assert rules(read_alerts(rows.encode(), "text/csv", Limits(max_readings=2))[0]) == ["TOO_MANY_READINGS"]
    assert len(read_alerts(rows.encode(), "text/csv", Limits(max_alerts=0))) == 1


# ---------------------------------------------------------------- CSV


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("media", ["text/csv", None])
def test_csv_in_every_encoding(encoding: str, media: str | None) -> None:
    text = example("hydrology.csv").replace("m³/s", "m3/s") if encoding == "gb18030" else example("hydrology.csv")
    alert, older, low = sorted(read_alerts(text.encode(encoding), media), key=lambda one: one.alert is None)
    assert taken(alert).level is Level.ORANGE
    assert taken(alert).sent == datetime(2026, 6, 12, 8, tzinfo=UTC)
    assert "TIME_ZONE_OF_FORM" in rules(alert)
    assert {rules(older)[-1], rules(low)[-1]} == {"READING_OLDER", "READING_BELOW"}
    assert alert.gate is older.gate is low.gate is Gate.ACCEPT


@pytest.mark.parametrize(
    "text",
    [
        "STCD;TM;Z;WRZ;area_codes;sender\n1;2026/6/12 8:05;26;25.5;990123;x\n",
        "STCD\tTM\tZ\tWRZ\tarea_codes\tsender\n1\t20260612080500\t26\t25.5\t990123\tx\n",
        "云岭县水情表,,,,,\n单位:米,,,,,\n站号,时间,水位,警戒水位,影响区划代码,单位\n1,2026年6月12日8时5分,26,25.5,990123,x\n",
    ],
)
def test_csv_as_offices_write_it(text: str) -> None:
    (verdict,) = read_alerts(text.encode(), "text/csv")
    assert (verdict.gate, taken(verdict).level) == (Gate.ACCEPT, Level.YELLOW), verdict.problems
    assert taken(verdict).sent == datetime(2026, 6, 12, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"a,b\n1,2\n", "TABLE_UNKNOWN"),
        (b"\xff\xfea\x00,", "TEXT_ENCODING"),
        ("站码,时间\n1,2026-06-12\n".encode(), "FORM_NOT_READ"),
        ('站码,时间,水位\n1,"2026\n'.encode(), "TABLE_INVALID"),
    ],
)
def test_csv_that_is_no_table_of_ours(body: bytes, rule: str) -> None:
    (verdict,) = read_alerts(body, "text/csv")
    assert (verdict.gate, rules(verdict)) == (Gate.REFUSE, [rule])


def test_a_fault_in_a_line_names_the_line_and_the_column() -> None:
    (verdict,) = read_alerts("站码,时间,水位\n1,2026-06-12 08:00,高\n".encode(), "text/csv")
    assert places(verdict, "NUMBER_INVALID") == ["row[2].水位"]


def test_an_agency_with_another_zone_is_held() -> None:
    body = b"STCD,TM,Z,WRZ,area_codes,sender\n1,2026-06-12 08:00,26,25.5,990123,x\n"
    (verdict,) = read_alerts(body, "text/csv", Limits(zone="Asia/Urumqi"))
    assert (verdict.gate, taken(verdict).sent.hour) == (Gate.HOLD, 2)
    (verdict,) = read_alerts(body, "text/csv", Limits(zone="Asia/Shanghai"))
    assert (verdict.gate, taken(verdict).sent.hour) == (Gate.ACCEPT, 0)


def test_who_posts_is_the_sender_where_nobody_is_named() -> None:
    verdict = one(Limits(sender="云岭县水利局"), stage=26.0, sender=None, **STAGES)
    assert taken(verdict).sender == "云岭县水利局"


VALUES = st.one_of(st.none(), st.text(max_size=8), st.floats(), st.integers(), st.lists(st.integers(), max_size=2))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from([*STAGES, "stage", "flow", "parameter", "value", "unit", "level", "time", "areas"]), VALUES)
)
def test_any_values_get_a_verdict(fields: dict[str, Any]) -> None:
    body = json.dumps({"station": "1", "stage": 1} | fields, allow_nan=False, default=str) if no_nan(fields) else "{}"
    for verdict in read_alerts(body.encode()):
        assert verdict.model_dump_json()
        assert verdict.alert is not None or verdict.gate is not Gate.HOLD


def no_nan(fields: dict[str, Any]) -> bool:
    """Whether JSON can say it."""
    try:
        json.dumps(fields, allow_nan=False)
    except ValueError:
        return False
    return True


def test_no_more_of_a_line_is_looked_at_for_a_head_than_columns_are_read() -> None:
    asked: list[str] = []

    def known(name: str) -> bool:
        asked.append(name)
        return False

    with pytest.raises(Unreadable):
        parse_table(b"x," * 20_000 + b"\n", 100, known)
    assert len(asked) == MOST_COLUMNS
