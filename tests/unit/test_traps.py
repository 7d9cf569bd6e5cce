"""The twenty-five traps of alert feeds, one test each, by the number they have in the field's own list.

Each goes by the way that alerts really come: over HTTP where the trap is about an alert's life, through the readers where it is
about a document, through the planner where it is about whom it reaches.
"""

import json
import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alertdocs import Limits, cap, example, places, rules, taken
from gatehouse import COUNTY, FAR, FAR_GRID, GRID, GRID2, OTHER, TOWN, VILLAGE, WEATHER, Gatehouse

from warnhub.alert import Gate, Level, Scope, Verdict
from warnhub.hazards import HazardClass
from warnhub.ingest.forms import read_alerts
from warnhub.plan.policy import rules_for
from warnhub.plan.segments import count_segments
from warnhub.roles import Role
from warnhub.store.areas import Place, save_places


def read(body: str | bytes, **limits: Any) -> Any:
    """The one verdict on a document."""
    (verdict,) = read_alerts(body.encode() if isinstance(body, str) else body, None, Limits(**limits))
    return verdict


def fresh(house: Gatehouse, body: str, identifier: str = "a-1") -> str:
    """A CAP document of the tests, sent now by this house's clock."""
    now = house.hand.moment
    stamp, end = now.isoformat(timespec="seconds"), (now + timedelta(hours=3)).isoformat(timespec="seconds")
    body = body.replace("2026-06-12T16:00:00+08:00", stamp).replace("2026-06-12T19:00:00+08:00", end)
    return body.replace(">a-1<", f">{identifier}<")


def test_trap_01_latitude_and_longitude_swapped() -> None:
    swapped = cap("<polygon>117.30,26.60 117.50,26.60 117.50,26.80 117.30,26.80 117.30,26.60</polygon>")
    assert places(read(swapped), "POLYGON_SWAPPED") == ["/alert[1]/info[1]/area[1]/polygon[1]"]
    # in range both ways: only the county's own box tells
    lisbon = cap("<polygon>38.7,-9.1 38.7,-9.0 38.8,-9.0 38.8,-9.1 38.7,-9.1</polygon>")
    assert read(lisbon).gate is Gate.ACCEPT
    assert "POLYGON_SWAPPED" in rules(read(lisbon, home=(38.0, -10.0, 39.0, -8.0)))
    native = json.loads(example("alert.json"))
    native["areas"] = [{"name": "x", "polygons": [{"rings": [[[26.6, 117.3], [26.6, 117.5], [26.8, 117.5], [26.6, 117.3]]]}]}]
    assert "POLYGON_SWAPPED" in rules(read(json.dumps(native)))


@pytest.mark.parametrize(
    ("ring", "rule"),
    [
        ("26.6,117.3 26.8,117.5 26.6,117.5 26.8,117.3 26.6,117.3", "POLYGON_SELF_CROSSING"),
        ("26.6,117.3 26.6,117.5 26.8,117.5 26.8,117.3", "POLYGON_NOT_CLOSED"),
        ("26.6,117.3 26.7,117.4 26.8,117.5 26.6,117.3", "POLYGON_DEGENERATE"),
        ("26.6,117.3 26.6,117.5 26.6,117.3", "POLYGON_TOO_FEW_POINTS"),
    ],
)
async def test_trap_02_a_polygon_the_schema_passes_is_held_and_never_dropped(house: Gatehouse, ring: str, rule: str) -> None:
    sound = "<polygon>26.11,117.11 26.11,117.15 26.15,117.15 26.15,117.11 26.11,117.11</polygon>"
    answer = await house.post(fresh(house, cap(f"{sound}<polygon>{ring}</polygon>")))
    assert (answer.status_code, answer.json()["state"]) == (201, "held")
    assert rule in [one["rule"] for one in answer.json()["notes"]]
    assert GRID in await house.places(answer.json()["warning"])  # what can be placed is placed


@pytest.mark.parametrize("blank", ["\t", "\n", "  ", "\r\n\t", "\u00a0"])
def test_trap_03_separators_are_not_always_one_blank(blank: str) -> None:
    points = "26.60,117.30 26.60,117.50 26.80,117.50 26.80,117.30 26.60,117.30".replace(" ", blank)
    (polygon,) = taken(read(cap(f"<polygon>{blank}{points}{blank}</polygon>"))).areas[0].polygons
    assert len(polygon.rings[0]) == 5


def test_trap_04_an_empty_polygon_falls_back_and_where_nothing_is_left_a_person_decides() -> None:
    code = "<geocode><valueName>行政区划代码</valueName><value>990123</value></geocode>"
    fallen = read(cap(f"<polygon/>{code}"))
    assert fallen.gate is Gate.ACCEPT
    assert taken(fallen).areas[0].codes[0].value == "990123"
    nothing = read(cap("<polygon> </polygon><geocode><valueName>行政区划代码</valueName><value/></geocode>"))
    assert nothing.gate is Gate.HOLD
    assert "NO_AREA" in rules(nothing)


def test_trap_05_a_box_round_the_world_matches_nobody() -> None:
    round_the_world = "<polygon>26,-180 26,180 27,180 27,-180 26,-180</polygon>"
    verdict = read(cap(round_the_world))
    assert verdict.gate is Gate.HOLD
    assert {"POLYGON_ANTIMERIDIAN", "NO_AREA"} <= set(rules(verdict))
    assert taken(verdict).areas[0].polygons == []


def huge(points: int) -> bytes:
    """An alert with a ring of so many points, as a coastline has them: about 1.7 MB with its other polygons."""

    def ring(count: int, radius: float) -> str:
        turns = [2 * math.pi * at / count for at in range(count)]
        spots = [
            (
                26.5 + radius * math.sin(t) * (1 + 0.05 * math.sin(40 * t)),
                117.5 + radius * math.cos(t) * (1 + 0.05 * math.sin(40 * t)),
            )
            for t in turns
        ]
        return " ".join(f"{lat:.12f},{lon:.12f}" for lat, lon in [*spots, spots[0]])

    few = "".join(f"<polygon>{ring(72, 0.001 * at)}</polygon>" for at in range(1, 212))
    return cap(f"<polygon>{ring(points, 0.4)}</polygon>{few}").encode()


def test_trap_06_huge_geometry_is_counted_first_and_gated_within_a_second() -> None:
    body = huge(34_065)
    assert len(body) > 1_500_000
    verdict, seconds = quickest(body)
    assert seconds < 1
    assert verdict.gate is Gate.ACCEPT
    assert sum(len(one.rings[0]) for one in taken(verdict).areas[0].polygons) > 49_000
    refused, seconds = quickest(huge(80_000))
    assert seconds < 1
    assert rules(refused) == ["GEOMETRY_TOO_LARGE"]


def quickest(body: bytes) -> tuple[Verdict, float]:
    """What becomes of it, and the least processor time of three: other tests on the same cores make one of them slow."""
    times = []
    for _ in range(3):
        started = time.thread_time()
        verdict = read(body)
        times.append(time.thread_time() - started)
    return verdict, min(times)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("990123", {COUNTY, TOWN, VILLAGE, GRID, FAR}),
        ("990123000000", {COUNTY, TOWN, VILLAGE, GRID, FAR}),
        ("990123100", {TOWN, VILLAGE, GRID, GRID2}),
        ("990123100000", {TOWN, VILLAGE, GRID, GRID2}),
        (VILLAGE, {VILLAGE, GRID, GRID2}),
        (GRID, {GRID}),
    ],
)
async def test_trap_07_codes_are_read_by_level_and_an_unknown_child_is_held_never_widened(
    house: Gatehouse, code: str, found: set[str]
) -> None:
    said = await house.say("a-1", codes=[code])
    assert said["state"] == "released"
    assert found <= await house.places(said["warning"])
    unknown = await house.say("a-2", codes=["990123100999"], words="另一条。")
    assert unknown["state"] == "held"
    assert await house.places(unknown["warning"]) == set()
    both = await house.say("a-3", codes=[FAR, "990123101999"], words="又一条。")
    assert both["state"] == "held"
    assert await house.places(both["warning"]) == {FAR, FAR_GRID}


async def test_trap_08_a_code_can_mean_not_here_and_several_all_count(house: Gatehouse) -> None:
    areas = [{"name": "x", "codes": [{"value": COUNTY}, {"value": VILLAGE, "exclude": True}]}]
    said = await house.say("a-1", areas=areas)
    assert await house.places(said["warning"]) & {VILLAGE, GRID, GRID2} == set()
    several = await house.say("a-2", codes=[GRID2, FAR], words="另一条。")
    assert await house.places(several["warning"]) == {GRID2, FAR, FAR_GRID}
    outer = "26.12,117.12 26.12,117.28 26.18,117.28 26.18,117.12 26.12,117.12"
    inner = "26.11,117.20 26.11,117.29 26.19,117.29 26.19,117.20 26.11,117.20"
    hole = f"<geocode><valueName>EXCLUDE_POLYGON</valueName><value>{inner}</value></geocode>"
    answer = await house.post(fresh(house, cap(f"<polygon>{outer}</polygon>{hole}"), "a-3"))
    assert answer.json()["state"] == "released", answer.text
    assert await house.places(answer.json()["warning"]) == {GRID}


async def test_ground_is_taken_out_of_codes_and_circles_too(house: Gatehouse) -> None:
    """A place that lies in it is not told, nor one whose every part does; one that does in part is."""
    ring = [[117.19, 26.05], [117.6, 26.05], [117.6, 26.25], [117.19, 26.25], [117.19, 26.05]]
    excluded = [{"rings": [ring]}]
    named = await house.say("a-1", areas=[{"name": "x", "codes": [{"value": COUNTY}], "excluded": excluded}], words="甲。")
    assert await house.places(named["warning"]) == {COUNTY, TOWN, VILLAGE, GRID}
    circles = [{"center": [117.2, 26.15], "radius": 40_000}]
    drawn = await house.say("a-2", areas=[{"name": "x", "circles": circles, "excluded": excluded}], words="乙。")
    assert await house.places(drawn["warning"]) == {GRID}
    whole = [{"rings": [[[117, 26], [118, 26], [118, 27], [117, 27], [117, 26]]]}]
    nobody = await house.say("a-3", areas=[{"name": "x", "codes": [{"value": COUNTY}], "excluded": whole}], words="丙。")
    assert nobody["state"] == "held"


async def test_ground_cannot_be_taken_out_of_a_place_on_no_map(house: Gatehouse) -> None:
    async with house.hub.store.write() as tx:
        await save_places(tx, [Place("990123101201", "北山村")])
    await house.hub.reload()
    excluded = [{"rings": [[[117.4, 26], [117.8, 26], [117.8, 27], [117.4, 27], [117.4, 26]]]}]
    said = await house.say("a-1", areas=[{"name": "x", "codes": [{"value": OTHER}], "excluded": excluded}])
    assert said["state"] == "held"
    assert ("EXCLUSION_UNUSED", "990123101201") in [(one["rule"], one["value"]) for one in said["notes"]]


def test_trap_09_a_radius_is_kilometres_in_cap_and_metres_in_the_national_profile() -> None:
    (circle,) = taken(read(cap("<circle>26.70,117.40 5</circle>"))).areas[0].circles
    assert circle.radius == 5_000
    text = (
        example("national.xml")
        .replace("<circle/>", "<circle>117.40,26.70 5000</circle>")
        .replace("<circle></circle>", "<circle>117.40,26.70 5000</circle>")
    )
    (circle,) = taken(read(text)).areas[0].circles
    assert (circle.radius, circle.center) == (5_000, (117.40, 26.70))
    odd = read(cap("<circle>26.70,117.40 5000</circle>"))
    assert "CIRCLE_IMPLAUSIBLE" in rules(odd)
    assert odd.gate is Gate.HOLD
    heights = read(
        cap("<polygon>26.6,117.3 26.6,117.5 26.8,117.5 26.6,117.3</polygon><altitude>26.7</altitude><ceiling>11.4</ceiling>")
    )
    assert heights.gate is Gate.HOLD  # a ceiling below its altitude is something else in disguise
    shifted = taken(read(cap(), datum="gcj02")).areas[0].polygons[0].rings[0][0]
    assert shifted != taken(read(cap())).areas[0].polygons[0].rings[0][0]


def test_trap_10_times_without_a_zone_are_read_in_the_sources_or_refused() -> None:
    bare = cap().replace("16:00:00+08:00", "16:00:00").replace("19:00:00+08:00", "19:00:00")
    assert "TIME_WITHOUT_ZONE" in rules(read(bare))
    assert read(bare).gate is Gate.REFUSE
    assert taken(read(bare, zone="Asia/Shanghai")).sent == datetime(2026, 6, 12, 8, tzinfo=UTC)
    assert taken(read(bare, zone="Europe/Paris")).sent == datetime(2026, 6, 12, 14, tzinfo=UTC)
    afternoon = cap().replace("2026-06-12T16:00:00+08:00", "2026/06/12 下午 04:00:00")
    assert taken(read(afternoon, zone="Asia/Shanghai")).sent == datetime(2026, 6, 12, 8, tzinfo=UTC)
    twice = cap().replace("2026-06-12T16:00:00+08:00", "2026-10-25T02:30:00")
    assert rules(read(twice, zone="Europe/Paris"))[0] == "TIME_AMBIGUOUS"
    assert "TIME_IMPLAUSIBLE" in rules(read(cap().replace("2026-06-12T16", "2569-06-12T16")))
    assert taken(read(cap().replace("2026-06-12T16:00:00+08:00", "2026-06-12T08:00:00Z"))).sent.hour == 8


async def test_trap_11_an_expiry_that_is_missing_or_over(house: Gatehouse) -> None:
    end = "<expires>2026-06-12T19:00:00+08:00</expires>"
    missing = read(cap().replace(end, ""))
    assert taken(missing).expires > taken(missing).sent
    assert not taken(missing).original.expires_given
    early = read(cap().replace("2026-06-12T19:00", "2026-06-12T15:00"))
    assert "EXPIRES_BEFORE_SENT" in rules(early)
    assert early.gate is Gate.HOLD
    over = await house.post(cap())  # its end is before the house's clock by nothing: still alive
    assert over.status_code == 201
    house.hand.pass_by(hours=4)
    late = await house.post(cap().replace(">a-1<", ">a-2<"))
    assert late.status_code == 422
    assert late.json()["errors"][0]["rule"] == "EXPIRED"


@pytest.mark.parametrize("code", ["RWT", "RMT", "NPT", "DMO"])
async def test_trap_12_a_test_that_says_actual_is_held_and_a_drill_reaches_its_list_alone(house: Gatehouse, code: str) -> None:
    weekly = cap(info=f"<eventCode><valueName>SAME</valueName><value>{code}</value></eventCode>")
    answer = await house.post(fresh(house, weekly))
    assert answer.json()["state"] == "held"
    assert "TEST_CONTENT" in [one["rule"] for one in answer.json()["notes"]]
    for status in ("test", "exercise"):
        drill = await house.say(f"d-{status}", status=status)
        assert drill["state"] == "held"  # there is no list of participants
    for status in ("system", "draft"):
        assert (await house.say(f"s-{status}", status=status))["state"] == "kept"
    assert await house.released() == 0


async def test_trap_13_private_and_restricted_never_reach_the_public(house: Gatehouse) -> None:
    assert Role.RESIDENT in rules_for(house.hub.policies[1], HazardClass.METEOROLOGICAL, Level.RED)
    public = await house.say("p-0", words="公开。", codes=[FAR])
    for scope in ("private", "restricted"):
        said = await house.say(f"p-{scope}", scope=scope, restriction="内部", words=scope)
        assert (await house.rows("SELECT restricted FROM warning WHERE uid = :u", u=said["warning"]))[0].restricted
        assert await house.told(said["warning"]) == {"village_head"}
    assert await house.told(public["warning"]) == {"village_head", "resident"}
    assert taken(read(cap().replace("<scope>Public", "<scope>Private"))).scope is Scope.PRIVATE


@pytest.mark.parametrize("kind", ["update", "cancel"])
async def test_trap_14_an_update_or_cancel_is_no_new_alert(house: Gatehouse, kind: str) -> None:
    first = await house.say("a-1")
    after = await house.say("b-1", kind=kind, to=["a-1"], words="新的情况。")
    assert (await house.states())["a-1"] == {"update": "superseded", "cancel": "cancelled"}[kind]
    (row,) = await house.rows("SELECT kind, previous_id FROM warning WHERE uid = :u", u=after["warning"])
    assert row.kind == kind
    (old,) = await house.rows("SELECT id FROM warning WHERE uid = :u", u=first["warning"])
    if kind == "cancel":
        assert row.previous_id == old.id  # the all-clear goes to whom the first one told
    assert (await house.say("c-1", kind="cancel", to=["nobody"]))["state"] == "held"


async def test_trap_15_references_are_matched_parked_and_never_dropped(house: Gatehouse) -> None:
    joined = cap(head="<references>s,a,2026-06-12T15:00:00+08:00,s,b,2026-06-12T15:10:00+08:00</references>")
    assert [one.identifier for one in taken(read(joined)).references] == ["a", "b"]
    assert (await house.say("u-1", kind="update", to=["later"]))["state"] == "held"
    assert len(await house.rows("SELECT 1 FROM reference WHERE identifier = 'later'")) == 1
    early = (house.hand.moment - timedelta(minutes=5)).isoformat()
    assert (await house.say("later", sent=early, words="先前。"))["state"] == "ended"
    assert await house.states() == {"u-1": "released"}
    # the national profile names the first message only: what followed from it is found too
    await house.say("u-2", kind="update", to=["later"], words="再更新。")
    await house.say("c-1", kind="cancel", to=["later"])
    assert {name: state for name, state in (await house.states()).items() if name != "c-1"} == {
        "u-1": "superseded",
        "u-2": "cancelled",
    }


async def test_trap_16_the_same_again_under_another_name_is_told_once(house: Gatehouse) -> None:
    for number in range(10):
        await house.say(f"a-{number}", words=f"6月12日16时{20 + number}分:预计有大暴雨。")
        house.hand.pass_by(minutes=5)
    assert await house.released() == 1
    await house.say("b-1", words="6月12日17时20分:预计有特大暴雨。")
    assert await house.released() == 2  # and what is distinct is not hidden


async def test_trap_17_the_same_name_with_other_content_is_a_conflict(house: Gatehouse) -> None:
    sent = house.hand.moment.isoformat()
    await house.say("a-1", sent=sent)
    answer = await house.post(house.alert("a-1", sent=sent, words="换了内容。"))
    assert (answer.status_code, answer.json()["errors"][0]["rule"]) == (409, "SAME_ID_OTHER_CONTENT")
    assert (await house.say("a-1", sent=sent))["repeated"]


async def test_trap_18_the_end_is_often_no_cancel(house: Gatehouse) -> None:
    ended = [{"name": "layer:EC-MSC-SMC:1.1:Alert_Location_Status", "value": "ended"}]
    await house.say("a-1")
    await house.say("a-2", kind="update", to=["a-1"], parameters=ended, words="预警结束。")
    await house.say("b-1", codes=[FAR], words="另一条。")
    await house.say("b-2", codes=[FAR], texts=[{"headline": f"{WEATHER}解除暴雨红色预警"}])
    states = await house.states()
    assert (states["a-1"], states["b-1"]) == ("cancelled", "cancelled")
    green = cap(info="<parameter><valueName>awareness_level</valueName><value>1; green; Minor</value></parameter>")
    assert "LEVEL_BELOW_BLUE" in rules(read(green))


async def test_trap_19_what_is_not_said_any_more_is_not_over(house: Gatehouse) -> None:
    await house.say("a-1")
    for body in (b"", b"<html><body>login</body></html>", b'{"title": "Not Found", "status": 404}', b"<feed/>"):
        answer = await house.post(body)
        assert answer.status_code in {415, 422}, body
    assert await house.states() == {"a-1": "released"}


async def test_trap_20_a_bad_message_is_not_marked_as_done(house: Gatehouse) -> None:
    bad = house.alert("a-1", level="purple")
    for _ in range(2):
        assert (await house.post(bad, **{"idempotency-key": "k"})).status_code == 422
    assert await house.rows("SELECT 1 FROM alert") == []
    mended = await house.post(house.alert("a-1"), **{"idempotency-key": "k"})
    assert (mended.status_code, mended.json()["repeated"]) == (201, False)


@pytest.mark.parametrize("by", ["another sender", "another agency", "a test", "an exercise"])
async def test_trap_21_nobody_elses_cancel_and_no_test_touches_a_living_alert(house: Gatehouse, by: str) -> None:
    async with house.hub.store.write() as tx:
        await tx.conn.exec_driver_sql("INSERT INTO drill (id, name, created_at, created_by) VALUES ('d', 'd', 1, 't')")
    await house.say("a-1")
    given: dict[str, Any] = {"kind": "cancel", "to": ["a-1"]}
    given |= {"a test": {"status": "test"}, "an exercise": {"status": "exercise"}, "another sender": {"sender": "别的台"}}.get(
        by, {}
    )
    answer = await house.post(house.alert("c-1", **given), "other" if by == "another agency" else "weather")
    assert answer.status_code == 201
    assert (await house.states())["a-1"] == "released"
    unnamed = {key: value for key, value in given.items() if key != "to"}
    await house.post(house.alert("c-2", **unnamed), "other" if by == "another agency" else "weather")
    assert (await house.states())["a-1"] == "released"


def test_trap_22_translations_are_one_alert_and_other_subjects_are_not() -> None:
    body = cap()
    info = body[body.index("<info>") : body.index("</alert>")]
    english = info.replace("zh-CN", "en-US").replace("标题", "Title")
    both = taken(read(body.replace("</alert>", f"{english}</alert>")))
    assert {text.language for text in both.texts} == {"zh-CN", "en-US"}
    assert len(both.areas) == 1
    other = english.replace("<urgency>Immediate", "<urgency>Future").replace("<severity>Severe", "<severity>Extreme")
    found = [taken(one) for one in read_alerts(body.replace("</alert>", f"{other}</alert>").encode())]
    assert sorted((one.severity, one.urgency) for one in found) == [("extreme", "future"), ("severe", "immediate")]
    assert len({one.identifier for one in found}) == 2  # two subjects are two alerts, and neither hides the other


def test_trap_23_text_is_plain_and_its_length_is_by_its_alphabet() -> None:
    raw = "&lt;p&gt;大雨&lt;br&gt;&amp;nbsp;转移&lt;custom&gt;。&lt;/custom&gt;&lt;/p&gt;\u202e"
    said = taken(read(cap(info=f"<description>{raw}</description>"))).texts[0].description
    assert said == "大雨\n转移。"
    native = json.loads(example("alert.json"))
    native["texts"][0]["description"] = "a\u0007b\u202ec<b>d</b>&amp;lt;"
    assert taken(read(json.dumps(native))).texts[0].description == "abcd&lt;"
    assert [count_segments(words).count for words in ("a" * 160, "a" * 161, "雨" * 70, "雨" * 71)] == [1, 2, 1, 2]


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE alert [<!ENTITY x SYSTEM "file:///etc/passwd">]><alert>&x;</alert>',
        b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><a>&b;&b;&b;</a>',
        '<!DOCTYPE alert SYSTEM "http://127.0.0.1:9/x.dtd"><alert/>'.encode("utf-16"),
        b"<alert>&undefined;</alert>",
    ],
)
def test_trap_24_hostile_or_lying_documents(body: bytes) -> None:
    assert read(body).gate is Gate.REFUSE
    marked = b"\xef\xbb\xbf" + example("national.xml").replace('encoding="UTF-8"', 'encoding="GB2312"').encode()
    assert taken(read(marked)).texts[0].headline.startswith("云岭县")
    foreign = read(cap().replace("urn:oasis:names:tc:emergency:cap:1.2", "urn:oasis:names:tc:emergency:alerts:1.2"))
    assert "NAMESPACE_UNKNOWN" in rules(foreign)
    assert foreign.gate is Gate.HOLD


async def test_trap_25_two_mirrors_of_one_source_are_one_alert(house: Gatehouse) -> None:
    """Trust is tested in test_trust.py: signed twice, edited after, never by a certificate that came along. Here: the union."""
    body = house.alert("a-1")
    first, second = await house.post(body), await house.post(json.dumps(json.loads(body), indent=1))
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["id"] == first.json()["id"]
    assert await house.released() == 1
