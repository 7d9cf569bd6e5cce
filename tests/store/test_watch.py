"""Readings, sightings and proposals, on both databases: merged, explained, and never released by themselves."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from town import FAR_GRID, GRID, GRID2, MINUTE, NOW, OTHER, TOWN, VILLAGE, County

from warnhub.alert import Level, Parameter, Status
from warnhub.desk import Refusal
from warnhub.feedback.acks import Acks
from warnhub.feedback.receipts import Receipts
from warnhub.feedback.replies import Replies
from warnhub.plan.loading import PolicyError
from warnhub.port import Report
from warnhub.response.build import make_responder
from warnhub.response.linkage import add_linkage, default_linkage, default_rules, newest_linkage, read_linkage
from warnhub.response.responder import Responder
from warnhub.response.watch import OTHER as STRANGE
from warnhub.response.watch import TURN, name_danger
from warnhub.store.audits import verify_audit
from warnhub.store.points import Entry, save_points
from warnhub.store.proposals import HOLD, Gauge, Sighting, list_proposals, similar_cases

HOUR = 60 * MINUTE


async def settle(county: County) -> Responder:
    """A slope above a grid, and a reservoir in the other township."""
    async with county.store.write() as tx:
        await save_points(
            tx,
            [
                Entry("P1", county.codes[GRID], "slide", "后山滑坡", "red", ["G1"], 12, "往东", "", "now"),
                Entry("P3", county.codes[FAR_GRID], "reservoir", "南山水库", "orange", ["H9"], 80, "", "", "day"),
            ],
        )
    return make_responder(county.store, county.desk.settings, county.desk.places, county.policies, county.planner)


def gauge(county: County, measure: str, value: float, code: str = VILLAGE, ago: int = 0, name: str = "") -> Gauge:
    """A reading."""
    key = name or f"test:{measure}:{value}:{ago}"
    return Gauge(key, f"站{code[-3:]}", measure, value, "", county.codes[code], county.hand.now - ago, "agency:weather")


async def open_ones(county: County) -> list[Any]:
    """What waits for an officer."""
    async with county.store.read() as conn:
        return [one for one in await list_proposals(conn) if one.state == "open"]


async def test_a_rule_fires_where_all_of_it_holds_and_says_what_fired_it(county: County) -> None:
    watch = (await settle(county)).watch
    assert await watch.measure([gauge(county, "rain_24h", 120)]) == 1
    assert await open_ones(county) == []
    await watch.measure([gauge(county, "soil", 0.8)])
    assert await open_ones(county) == [], "at the threshold is not over it"
    await watch.measure([gauge(county, "soil", 0.9, GRID2)])
    (one,) = await open_ones(county)
    assert (one.rule, one.hazard, one.level, one.area, one.source) == ("landslide", "11D01", "orange", "云溪镇", "rule")
    facts = {(fact["measure"], fact["value"], fact["station"]) for fact in facts_of(one)}
    assert facts == {("rain_24h", 120.0, "站200"), ("soil", 0.9, "站002")}
    async with county.store.read() as conn:
        assert [point.ref for point in await watch.points(conn, one)] == ["P1"]


def facts_of(one: Any) -> list[dict[str, Any]]:
    """What a proposal rests on."""
    return list(one.facts if isinstance(one.facts, list) else orjson.loads(one.facts))


async def test_old_readings_and_other_places_fire_nothing(county: County) -> None:
    watch = (await settle(county)).watch
    await watch.measure([gauge(county, "rain_24h", 300, ago=61 * MINUTE), gauge(county, "soil", 0.95)])
    await watch.measure([gauge(county, "rain_24h", 300, OTHER), gauge(county, "soil", 0.95, OTHER)])
    assert await open_ones(county) == [], "no slope stands in the other township"


async def test_the_same_again_is_one_proposal_and_a_decided_one_rests(county: County) -> None:
    watch = (await settle(county)).watch
    for minute in range(3):
        await watch.measure([gauge(county, "rain_24h", 120 + minute), gauge(county, "soil", 0.9, name=f"test:soil:{minute}")])
        county.hand.pass_by(MINUTE)
    (one,) = await open_ones(county)
    assert one.count >= 3
    await watch.dismiss(one.uid, "user:a", "现场已核实,无异常")
    await watch.measure([gauge(county, "rain_24h", 140)])
    assert await open_ones(county) == []
    county.hand.pass_by(HOLD + 1)
    await watch.measure([gauge(county, "rain_24h", 150), gauge(county, "soil", 0.95)])
    assert len(await open_ones(county)) == 1
    with pytest.raises(Refusal, match="somebody was first"):
        await watch.dismiss(one.uid, "user:b", "x")


async def test_one_click_makes_a_pending_warning_that_only_people_release(county: County) -> None:
    """Even where the policy's green channel lets everything of a certified agency out."""
    watch = (await settle(county)).watch
    await watch.measure([gauge(county, "displacement_1h", 14, GRID)])
    (one,) = await open_ones(county)
    assert (one.level, one.area) == ("red", "石坪村")
    assert await county.rows("SELECT 1 FROM warning") == []
    made = await watch.accept(one.uid, "user:a", Level.RED, "11D01", "裂缝扩大,同意")
    assert (made.state, made.approvals) == ("pending", 2)
    assert made.drill is None
    county.hand.pass_by(3 * HOUR)
    responder = make_responder(county.store, county.desk.settings, county.desk.places, county.policies, county.planner)
    await responder.tick()
    assert (await county.warning(made.uid)).state == "pending"
    assert await county.rows("SELECT 1 FROM delivery") == []
    with pytest.raises(Refusal, match="somebody was first"):
        await watch.accept(one.uid, "user:b", Level.RED, "11D01", "again")
    assert len(await county.rows("SELECT 1 FROM warning")) == 1
    await county.desk.release(made.uid, "user:a")
    assert (await county.desk.release(made.uid, "user:b")).state == "released"
    async with county.store.read() as conn:
        assert (await verify_audit(conn))[1] is None


async def test_an_alert_and_its_measured_values_are_held_against_the_rules(county: County) -> None:
    responder = await settle(county)
    values = [Parameter(name="rain_1h", value="62", unit="mm"), Parameter(name="words", value="many")]
    warning = await county.plan(await county.warn(codes=[OTHER], parameters=values))
    await responder.planned(str(warning.id), {})
    assert await open_ones(county) == []
    await responder.watch.measure([gauge(county, "reservoir_over_limit", 0.4, FAR_GRID)])
    (one,) = await open_ones(county)
    assert (one.rule, one.hazard, one.level) == ("dam", "11A03", "red")
    assert {fact["measure"] for fact in facts_of(one)} == {"reservoir_over_limit", "warning"}
    gauges = await county.rows("SELECT measure, value FROM gauge WHERE source = 'alert'")
    assert [tuple(row) for row in gauges] == [("rain_1h", 62.0)]


async def test_a_drills_alert_fires_nothing(county: County) -> None:
    responder = await settle(county)
    await county.run("INSERT INTO drill (id, name, created_at, created_by) VALUES ('d', 'd', 0, 'test')")
    await county.run("INSERT INTO participant (drill_id, recipient_id) VALUES ('d', :r)", r=county.people["G1"])
    values = [Parameter(name="displacement_1h", value="30")]
    warning = await county.plan(await county.warn(parameters=values, status=Status.EXERCISE))
    await responder.planned(str(warning.id), {})
    assert await county.rows("SELECT 1 FROM gauge") == []
    assert await open_ones(county) == []


def seen(county: County, client: str, hazard: str = "11D01", **given: Any) -> Sighting:
    """Somebody has seen something."""
    place = (given.get("lon"), given.get("lat"))
    code, said_at = given.get("code", GRID), given.get("said_at", county.hand.now)
    return Sighting(client, "resident", hazard, "屋后有裂缝", county.codes[code], said_at, *place, county.people["R1"])


async def test_what_several_see_of_one_thing_is_one_proposal(county: County) -> None:
    watch = (await settle(county)).watch
    assert await watch.see(seen(county, "client-01", lon=117.15, lat=26.15))
    assert not await watch.see(seen(county, "client-01", lon=117.15, lat=26.15))
    county.hand.pass_by(10 * MINUTE)
    await watch.see(seen(county, "client-02", lon=117.154, lat=26.151))
    (one,) = await open_ones(county)
    assert one.count == 2
    await watch.see(seen(county, "client-03", lon=117.16, lat=26.15))  # a kilometre away
    await watch.see(seen(county, "client-04", hazard="11A02", lon=117.15, lat=26.15))  # another danger
    county.hand.pass_by(31 * MINUTE)
    await watch.see(seen(county, "client-05", lon=117.15, lat=26.15))  # long after
    assert len(await open_ones(county)) == 4
    await watch.see(seen(county, "client-06", said_at=county.hand.now - 40 * MINUTE, code=FAR_GRID))
    late = next(one for one in await open_ones(county) if one.area == "南山村")
    assert facts_of(late)[0]["late"] is True


async def test_what_is_seen_in_a_drill_stays_a_drill(county: County) -> None:
    responder = await settle(county)
    await county.run("INSERT INTO drill (id, name, created_at, created_by) VALUES ('d', 'd', 0, 'test')")
    await county.run("INSERT INTO participant (drill_id, recipient_id) VALUES ('d', :r)", r=county.people["G1"])
    warning = await county.plan(await county.warn(status=Status.EXERCISE))
    await responder.watch.see(seen(county, "client-01")._replace(warning=warning.id))
    await responder.watch.see(seen(county, "client-02"))
    ones = await open_ones(county)
    assert sorted(bool(one.drill) for one in ones) == [False, True]
    drill = next(one for one in ones if one.drill)
    made = await responder.watch.accept(drill.uid, "user:a", Level.YELLOW, "11D01", "演练")
    assert made.drill == "d"
    released = await county.plan(await county.desk.release(made.uid, "user:a"))
    assert {ref for ref, _ in await county.told(released)} <= {"G1"}


async def test_words_by_short_message_that_speak_of_a_danger_are_a_sighting(county: County) -> None:
    responder = await settle(county)
    warning = await county.plan(await county.warn())
    for number, said in enumerate(("屋后山体有裂缝", "谢谢", "险情 桥头", "收到了没有")):
        await county.run(
            "INSERT INTO ack (warning_id, recipient_id, evidence, human, text, at) VALUES (:w, :r, 'report', :h, :t, :at)",
            w=warning.id,
            r=county.people["R1"],
            h=False,
            t=said,
            at=NOW + number,
        )
    for _ in range(2):
        await responder.tick()
    assert sorted((one.hazard, one.count) for one in await open_ones(county)) == [("11D01", 1), (STRANGE, 1)]


async def test_earlier_cases_stand_beside_a_proposal(county: County) -> None:
    await settle(county)
    old = await county.plan(await county.warn(hazard="11D01", level=Level.RED))
    async with county.store.read() as conn:
        cases = await similar_cases(conn, "11D01", county.codes[TOWN])
        assert await similar_cases(conn, "11D01", county.codes[OTHER]) == []
    assert [(case.uid, case.asked) for case in cases] == [(old.uid, len(await county.tasks(old)))]


def test_words_are_read_for_what_they_speak_of() -> None:
    said = ("后山滑坡了", "泥石流下来了", "水库管涌", "收到", "险情在桥头", "我们被困在二楼,求助", "Need Help", "谢谢帮助")
    found = ["11D01", "11D02", "11A03", None, STRANGE, STRANGE, STRANGE, None]
    assert [name_danger(one) for one in said] == found


async def text_in(county: County, replies: Replies, ref: str, said: str, key: str) -> None:
    """Somebody sends a short message, as a provider brings it."""
    (row,) = await county.rows("SELECT value FROM address WHERE recipient_id = :r AND channel = 'sms'", r=county.people[ref])
    report = Report(key, address=county.keys.unseal(bytes(row.value)), reply=said)
    await Receipts(county.store, county.keys).take("sms.aliyun", [report])
    for waiting in await county.rows("SELECT key, data FROM outbox WHERE topic = 'reply.came' ORDER BY id"):
        await replies.take(waiting.key, {})
    await county.run("DELETE FROM outbox WHERE topic = 'reply.came'")


async def test_a_resident_who_asks_for_help_by_short_message_is_a_report_from_the_ground(county: County) -> None:
    """Told of a warning or not: the words are merged by place and time with what others see there."""
    responder = await settle(county)
    replies = Replies(county.store, county.keys, Acks(county.store))
    await text_in(county, replies, "R8", "家里进水了,求助", "k-0")  # of the township, before any warning
    await text_in(county, replies, "R8", "今天天气不错", "k-1")
    await responder.tick()
    (flooded,) = await open_ones(county)
    assert (flooded.hazard, flooded.area, flooded.count) == ("11A02", "云溪镇", 1)
    warning = await county.plan(await county.warn())
    await county.run("UPDATE delivery SET state = 40, handed_at = :n", n=NOW)
    county.hand.pass_by(5 * MINUTE)
    await text_in(county, replies, "R1", "救命,我们被困住了", "k-2")
    await text_in(county, replies, "R7", "需要帮助", "k-3")
    for _ in range(2):
        await responder.tick()
    ones = {one.hazard: one for one in await open_ones(county)}
    assert set(ones) == {"11A02", STRANGE}
    assert (ones[STRANGE].area, ones[STRANGE].count) == ("石坪村", 2), "two of one village within minutes are one"
    assert await county.rows("SELECT 1 FROM task WHERE state = 'done'") == [], "a report confirms nothing"
    seen = await county.rows("SELECT source, warning_id FROM sighting ORDER BY id")
    assert [tuple(row) for row in seen] == [("sms", None), ("sms", warning.id), ("sms", warning.id)]


@pytest.mark.parametrize("warned", [False, True], ids=["before any warning", "told of one"])
async def test_a_call_for_help_is_heard_behind_however_much_talk(county: County, warned: bool) -> None:
    responder = await settle(county)
    replies = Replies(county.store, county.keys, Acks(county.store))
    if warned:
        await county.plan(await county.warn())
        await county.run("UPDATE delivery SET state = 40, handed_at = :n", n=NOW)
    for number in range(TURN + 5):
        await text_in(county, replies, "R1", "今天天气不错", f"t-{number}")
    await responder.tick()
    county.hand.pass_by(30 * MINUTE)
    await text_in(county, replies, "R1", "救命,我们被困住了", "help")
    for _ in range(2):
        await responder.tick()
    assert [one.hazard for one in await open_ones(county)] == [STRANGE]
    assert len(await county.rows("SELECT 1 FROM sighting")) == 1


async def test_rules_are_kept_by_version_and_a_proposal_names_its_own(county: County) -> None:
    responder = await settle(county)
    await responder.tick()
    (version,) = responder.watch.linkages
    await responder.watch.measure([gauge(county, "displacement_1h", 30)])
    (first,) = await open_ones(county)
    assert (first.rule, first.version) == ("slope_moves", version)
    stricter = default_rules().replace("{measure: displacement_1h, over: 10}", "{measure: displacement_1h, over: 50}")
    stricter = stricter.replace("say: 坡体正在移动", "say: 坡体移动加快")
    async with county.store.write() as tx:
        second = await add_linkage(tx, stricter, "cli:li", "少误报")
        with pytest.raises(PolicyError, match="twice"):
            await add_linkage(tx, default_rules().replace("key: power", "key: dam"), "cli:li", "")
    await responder.tick()
    await responder.watch.measure([gauge(county, "displacement_1h", 40, name="second-1")])
    assert [one.count for one in await open_ones(county)] == [1], "no longer over the threshold"
    made = await responder.watch.accept(first.uid, "user:a", Level.RED, "11D01", "立即撤离")
    body = (await county.rows("SELECT a.body FROM alert a JOIN warning w ON w.alert_id = a.id WHERE w.id = :w", w=made.id))[0][
        0
    ]
    said = orjson.dumps(body).decode() if not isinstance(body, str) else body
    assert "坡体正在移动" in said, "by the words of the version it was made under"
    newest = await newest_linkage(county.store)
    assert (newest.version, newest.author, newest.note) == (second, "cli:li", "少误报")
    async with county.store.read() as conn:
        assert (await verify_audit(conn))[1] is None


def test_what_is_no_rule_is_refused_with_its_line() -> None:
    rule = "{key: a, name: 规则, hazard: 11D01, level: red, when: [{measure: rain, over: 5}], say: 某事, advise: 某事}"
    assert len(default_linkage().rules) >= 5
    assert {link.hazard for link in default_linkage().rules} >= {"11A51", "11A02", "11D01", "11A03", "12P08"}
    assert read_linkage(f"name: x\nrules: [{rule}]").rules[0].when[0].within == timedelta(hours=1)
    for old, new in (("red", "pink"), ("over: 5", "over: much"), ("measure: rain", "alert: 11B03, measure: rain")):
        with pytest.raises(PolicyError, match="line 2"):
            read_linkage(f"name: x\nrules: [{rule.replace(old, new)}]")
