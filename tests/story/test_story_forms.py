"""Readings of stations, hazard points and messages of several subjects, from the POST to what becomes of them."""

import json
from datetime import UTC, datetime, timedelta

from structlog.testing import capture_logs
from townhall import TOWNS, WEATHER, Town

WATER = "云岭县水利局"
STATIONS = """站码,站名,时间,水位,警戒水位,保证水位,历史最高水位,影响区划代码,发布单位
62300100,云岭站,{time},26.10,25.50,26.50,27.92,{area},{sender}
62300300,下渡站,{time},18.20,21.00,22.50,24.10,{area},{sender}
"""
POINT = {
    "point": "D-7",
    "point_name": "后山滑坡",
    "hazard": "11D01",
    "parameter": "位移",
    "value": 28.0,
    "unit": "mm",
    "thresholds": {"yellow": 10, "orange": 40},
    "person": "林守义",
    "phone": "13800000007",
    "area_codes": TOWNS[0],
}


def now(offset: str = "") -> str:
    """Beijing's time, as tables write it."""
    return f"{datetime.now(UTC) + timedelta(hours=8):%Y-%m-%d %H:%M:%S}{offset}"


async def test_stations_over_a_threshold_are_warnings_and_the_rest_is_answered_for(town: Town) -> None:
    """One CSV: a station in yellow is told, one below everything stands in the answer, and the same CSV again is a repeat."""
    body = STATIONS.format(time=now(), area=TOWNS[0], sender=WATER).encode("gb18030")
    answer = await town.post(body, "water", "text/csv")
    assert answer.status_code == 201, answer.text
    said = answer.json()
    (made,) = said["alerts"]
    (quiet,) = said["readings"]
    assert "READING_BELOW" in [note["rule"] for note in quiet]
    assert "LEVEL_DERIVED" in [note["rule"] for note in made["notes"]]
    alert = (await town.get(made["links"]["alert"], "water"))["alert"]
    assert (alert["hazard"], alert["level"], alert["original"]["form"]) == ("11A01", "yellow", "hydrology")
    again = (await town.post(body, "water", "text/csv")).json()
    assert [one["repeated"] for one in again["alerts"]] == [True]
    assert await town.number("SELECT count(*) FROM alert") == 1


async def test_a_station_that_is_read_again_is_told_once_a_level(town: Town) -> None:
    """The same level at another value is kept and not told again; a graver one is a new warning in its place."""
    states = []
    for number, stage in enumerate(("25.60", "25.90", "26.70")):
        time = f"{datetime.now(UTC) + timedelta(hours=8, minutes=number - 5):%Y-%m-%d %H:%M:%S}"
        body = STATIONS.format(time=time, area=TOWNS[0], sender=WATER).replace("26.10", stage)
        (made,) = (await town.post(body.encode(), "water", "text/csv")).json()["alerts"]
        states.append(made["state"])
    assert states == ["pending", "kept", "pending"]
    assert await town.number("SELECT count(*) FROM warning") == 2
    assert await town.number("SELECT count(*) FROM alert") == 3


async def test_readings_that_are_all_low_are_no_alert_and_no_error(town: Town) -> None:
    """Nothing to warn of is 200, with the reasons; nothing is kept and nobody is told."""
    low = STATIONS.format(time=now(), area=TOWNS[0], sender=WATER).replace("26.10", "20.10")
    answer = await town.post(low.encode(), "water", "text/csv")
    assert (answer.status_code, answer.json()["alerts"], len(answer.json()["readings"])) == (200, [], 2)
    assert await town.number("SELECT count(*) FROM alert") == 0
    assert town.watchman.messages() == []


async def test_a_points_number_is_kept_nowhere_but_in_what_was_sent(town: Town) -> None:
    """The name of who answers for a hazard point is kept; the number is in no log, no answer, no text."""
    with capture_logs() as logs:
        made = (await town.post(json.dumps(POINT | {"time": now("+08:00")}).encode(), "land")).json()
        kept = await town.get(made["links"]["alert"], "land")
        await town.settle(made["warning"])
    assert "林守义" in json.dumps(kept, ensure_ascii=False)
    everything = [json.dumps(kept), json.dumps(made), str(logs), *(heard.text for heard in town.watchman.messages())]
    assert not any("13800000007" in one for one in everything)


TWO = """<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{name}</identifier><sender>{sender}</sender>
<sent>{time}</sent><status>Actual</status><msgType>{kind}</msgType><scope>Public</scope>{references}
<info><language>zh-CN</language><category>Met</category><event>高温</event><urgency>Expected</urgency><severity>Minor</severity>
<certainty>Likely</certainty><headline>高温蓝色预警</headline><description>高温。</description>
<area><areaDesc>全县</areaDesc><geocode><valueName>cn</valueName><value>990123</value></geocode></area></info>
<info><language>zh-CN</language><category>Met</category><event>暴雨</event><urgency>Expected</urgency><severity>Moderate</severity>
<certainty>Likely</certainty><headline>暴雨黄色预警</headline><description>暴雨。</description>
<area><areaDesc>一镇</areaDesc><geocode><valueName>cn</valueName><value>{area}</value></geocode></area></info>
<info><language>zh-CN</language><category>Met</category><event>暴雨</event><urgency>Expected</urgency><severity>Minor</severity>
<certainty>Likely</certainty><headline>暴雨蓝色预警</headline><description>暴雨。</description>
<area><areaDesc>全县</areaDesc><geocode><valueName>cn</valueName><value>990123</value></geocode></area></info>
</alert>"""


def message(name: str, kind: str = "Alert", follows: str = "") -> bytes:
    """A CAP message of three subjects: heat, a rainstorm in one township, a lesser one in the county."""
    time = datetime.now(UTC).isoformat(timespec="seconds")
    references = f"<references>{WEATHER},{follows},{time}</references>" if follows else ""
    given = {"name": name, "kind": kind, "references": references, "time": time, "area": TOWNS[0], "sender": WEATHER}
    return TWO.format(**given).encode()


async def test_each_subject_of_one_message_lives_and_all_of_them_end_with_it(town: Town) -> None:
    """Three subjects are three warnings, and the wider does not take the graver's place; an update takes the place of all three
    and leaves its own; one cancel ends those."""
    living = "SELECT count(*) FROM warning WHERE state = 'released' AND kind <> 'cancel'"
    body = message("m-1")
    first = (await town.post(body, media="application/cap+xml")).json()
    assert [one["state"] for one in first["alerts"]] == ["released"] * 3, first
    assert await town.number(living) == 3
    assert (await town.post(body, media="application/cap+xml")).status_code == 200
    second = (await town.post(message("m-2", "Update", "m-1"), media="application/cap+xml")).json()
    assert [one["state"] for one in second["alerts"]] == ["released"] * 3, second
    assert await town.number(living) == 3
    assert await town.number("SELECT count(*) FROM warning WHERE state = 'superseded'") == 3
    await town.post(message("m-3", "Cancel", "m-2"), media="application/cap+xml")
    assert await town.number(living) == 0
