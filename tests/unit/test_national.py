"""The national profile: both lengths of identifier, blanks in times, empty elements, metres, and who it is really from."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from alertdocs import cap, example, places, rules, sample, swap, taken

from warnhub.alert import Gate, Kind, Level, Scope, Severity, Status, Verdict
from warnhub.ingest import read_alerts
from warnhub.ingest.national import is_national
from warnhub.ingest.tree import parse_xml
from warnhub.plan.wording import Wording, make_words
from warnhub.roles import Role

LONG = example("national.xml")
SHORT = sample("national_short.xml")


def read(body: str | bytes) -> Verdict:
    """The one verdict."""
    (verdict,) = read_alerts(body.encode() if isinstance(body, str) else body, "application/xml")
    return verdict


def test_the_example_whole() -> None:
    verdict = read(LONG)
    alert = taken(verdict)
    assert verdict.gate is Gate.ACCEPT
    assert alert.identifier == "99012341600000_20260612160012_0"
    assert alert.sender == "云岭县气象局"
    assert alert.sent == datetime(2026, 6, 12, 8, tzinfo=UTC)
    assert (alert.hazard, alert.level, alert.severity) == ("11B03", Level.RED, Severity.EXTREME)
    assert alert.onset is None
    assert alert.expires - alert.sent == timedelta(hours=12)
    assert not alert.original.expires_given
    assert [code.value for code in alert.areas[0].codes] == ["990123100000", "990123101000", "990123102000"]
    assert {code.scheme for code in alert.areas[0].codes} == {"cn"}
    assert alert.areas[0].polygons[0].rings[0][0] == (117.30, 26.60)
    assert [words.channel for words in alert.spoken] == ["sms", "loudspeaker"]
    assert alert.original.agency_code == "99012341600000"
    assert alert.original.level == "Red"
    assert alert.original.addresses == "county-duty county-speakers"


def test_an_update_without_a_namespace_and_with_a_short_identifier() -> None:
    verdict = read(SHORT)
    alert = taken(verdict)
    assert verdict.gate is Gate.ACCEPT, verdict.problems
    assert alert.kind is Kind.UPDATE
    assert alert.references[0].identifier == "99012341600001_20260610180500"
    assert alert.references[0].sender is None
    assert [(words.channel, words.text) for words in alert.spoken] == [("display", "大风蓝色预警继续生效。")]
    assert [code.value for code in alert.areas[0].codes] == ["990123000000"]  # fourteen digits are twelve, and once is enough


def test_words_for_a_channel_are_what_that_channel_says_and_no_other() -> None:
    alert = taken(
        read(
            swap(LONG, "<method>", "<method><methodName>WEIXIN</methodName><message>微信专用文字。</message></method><method>")
        )
    )
    said = {words.channel: words.text for words in alert.spoken}
    assert set(said) == {"sms", "loudspeaker", "wechat"}
    wording = Wording("云岭应急", segments=10)
    for channel in ("sms", "wechat", "push"):
        text = make_words(wording, alert, channel=channel, role=Role.RESIDENT).text
        assert {name for name, words in said.items() if words.rstrip("。!！") in text} == ({channel} & set(said)), text
    spoken = make_words(wording, alert, channel="loudspeaker", role=Role.SPEAKER).text
    assert "微信专用" not in spoken
    assert said["loudspeaker"][:4] in spoken


def test_a_short_message_has_the_room_of_its_alphabet() -> None:
    """615 characters of Chinese, 1,395 of Latin letters; one letter beyond the alphabet decides."""

    def said(text: str) -> Verdict:
        return read(
            swap(
                SHORT,
                "<methodName>LED</methodName><message>大风蓝色预警继续生效。",
                f"<methodName>SMS</methodName><message>{text}",
            )
        )

    at = "/alert[1]/code[1]/method[1]/message[1]"
    for text in ("雨" * 616, "a" * 1_396, "a" * 615 + "雨", "`" * 616):
        assert places(said(text), "MESSAGE_TOO_LONG") == [at]
        assert said(text).gate is Gate.HOLD
    for text in ("雨" * 615, "a" * 1_395):
        assert places(said(text), "MESSAGE_TOO_LONG") == []


def test_named_numbers_are_neither_used_nor_shown() -> None:
    verdict = read(SHORT)
    assert "AUDIENCE_IGNORED" in rules(verdict)
    assert "1380013800" not in verdict.model_dump_json()


@pytest.mark.parametrize(
    "audience", ["<audiencePrt>13800000001,13800000002</audiencePrt>", "<audenceprt>13800000001,</audenceprt>"]
)
def test_a_message_that_is_not_public_waits_for_who_may_get_it(audience: str) -> None:
    body = swap(LONG, "<audenceprt>,</audenceprt>", audience).decode()
    assert read(body).gate is Gate.ACCEPT
    for old, new in (("<scope>Public", "<scope>Private"), ("<secClassification>None", "<secClassification>Inner")):
        verdict = read(swap(body, old, new))
        assert (verdict.gate, rules(verdict)[0]) == (Gate.HOLD, "AUDIENCE_NAMED")
        assert "1380000000" not in verdict.model_dump_json()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("", "", True),
        (' xmlns="http://com.icss.amp"', "", True),
        (' xmlns="http://com.icss.amp"', ' xmlns="urn:oasis:names:tc:emergency:cap:1.2"', True),
        ("<senderCode>99012341600000</senderCode>", "", True),
    ],
)
def test_it_is_told_from_cap_by_what_is_in_it(old: str, new: str, told: bool) -> None:
    assert is_national(parse_xml(LONG.replace(old, new).encode(), 1000)) is told
    assert not is_national(parse_xml(cap().encode(), 1000))


@pytest.mark.parametrize(
    ("old", "new", "path", "rule", "gate"),
    [
        ("_20260612160012_0<", "<", "/alert[1]/identifier[1]", "INVALID_IDENTIFIER", Gate.HOLD),
        ("<senderCode>99012341600000", "<senderCode>99012333400000", "/alert[1]/senderCode[1]", "SENDER_MISMATCH", Gate.HOLD),
        ("<sender>云岭县气象局", "<sender>", "/alert[1]/sender[1]", "MISSING_REQUIRED_ELEMENT", Gate.REFUSE),
        ("<scope>Public</scope>", "", "/alert[1]", "MISSING_REQUIRED_ELEMENT", Gate.REFUSE),
        ("<sendTime>2026-06-12 16", "<sendTime>12 June 16", "/alert[1]/sendTime[1]", "TIME_INVALID", Gate.REFUSE),
        ("16:00:00+08:00</sendTime>", "16:00:00</sendTime>", "/alert[1]/sendTime[1]", "TIME_ZONE_ASSUMED", Gate.HOLD),
        ("<status>Actual", "<status>Actuell", "/alert[1]/status[1]", "INVALID_VALUE", Gate.REFUSE),
        ("<severity>Red", "<severity>Unknown", "/alert[1]/info[1]/severity[1]", "LEVEL_UNKNOWN", Gate.HOLD),
        ("<severity>Red", "<severity>Severe", "/alert[1]/info[1]/severity[1]", "LEVEL_UNKNOWN", Gate.HOLD),
        ("<severity>Red", "<severity>Blue", "/alert[1]/info[1]/severity[1]", "LEVEL_CONFLICT", Gate.HOLD),
        ("<eventType>11B03", "<eventType>11B77", "/alert[1]/info[1]/eventType[1]", "HAZARD_UNKNOWN", Gate.ACCEPT),
        ("<eventType>11B03", "<eventType>暴雨", "/alert[1]/info[1]/eventType[1]", "HAZARD_UNKNOWN", Gate.HOLD),
        ("<eventType>11B03", "<eventType>00000", "/alert[1]/info[1]", "TEST_CONTENT", Gate.HOLD),
        ("990123102000", "99012310", "/alert[1]/info[1]/area[1]/geocode[1]", "GEOCODE_INVALID", Gate.HOLD),
        (" 117.30,26.60</polygon>", "</polygon>", "/alert[1]/info[1]/area[1]/polygon[1]", "POLYGON_NOT_CLOSED", Gate.HOLD),
        (
            "117.30,26.60 117.56",
            "17.30,26.60 117.56",
            "/alert[1]/info[1]/area[1]/polygon[1]",
            "POLYGON_OUT_OF_RANGE",
            Gate.HOLD,
        ),
        ("<circle/>", "<circle>117.4,26.7 8</circle>", "/alert[1]/info[1]/area[1]/circle[1]", "CIRCLE_IMPLAUSIBLE", Gate.HOLD),
        ("<methodName>SMS", "<methodName>DRONE", "/alert[1]/code[1]/method[1]", "METHOD_UNKNOWN", Gate.ACCEPT),
        ("<msgType>Alert", "<msgType>Cancel", "/alert[1]/references[1]", "MISSING_REFERENCE", Gate.HOLD),
        ("发布暴雨红色预警</headline>", "解除暴雨红色预警</headline>", "/alert[1]/info[1]", "LIFTED_NOT_CANCELLED", Gate.HOLD),
        ("<info>", "<signature>x</signature><info>", "/alert[1]/signature[1]", "UNSUPPORTED_ELEMENT", Gate.ACCEPT),
    ],
)
def test_each_fault_at_its_element(old: str, new: str, path: str, rule: str, gate: Gate) -> None:
    verdict = read(swap(LONG, old, new))
    assert verdict.gate is gate, verdict.problems
    assert path in places(verdict, rule), verdict.problems


@pytest.mark.parametrize(("word", "level"), [("Red", "red"), ("ORANGE", "orange"), ("yellow", "yellow"), ("蓝色", "blue")])
def test_levels(word: str, level: str) -> None:
    body = LONG.replace("<severity>Red", f"<severity>{word}").replace("暴雨红色预警</headline>", "暴雨预警</headline>")
    verdict = read(body)
    assert verdict.gate is Gate.ACCEPT
    assert taken(verdict).level == level
    assert taken(verdict).original.level == word


def test_an_unknown_level_keeps_the_headlines_colour_in_its_place() -> None:
    assert taken(read(swap(LONG, "<severity>Red", "<severity>Unknown"))).level is Level.RED


def test_points_the_other_way_round() -> None:
    north_first = "26.60,117.30 26.60,117.56 26.74,117.58 26.76,117.32 26.60,117.30"
    body = swap(LONG, "117.30,26.60 117.56,26.60 117.58,26.74 117.32,26.76 117.30,26.60", north_first)
    verdict = read(body)
    assert verdict.gate is Gate.ACCEPT
    assert taken(verdict).areas[0].polygons == taken(read(LONG)).areas[0].polygons
    assert "POLYGON_ORDER" in rules(verdict)


def test_radii_are_metres() -> None:
    alert = taken(read(swap(LONG, "<circle/>", "<circle>117.4,26.7 8000</circle>")))
    assert alert.areas[0].circles[0].radius == 8000
    assert alert.areas[0].circles[0].center == (117.4, 26.7)


def test_an_expiry_equal_to_the_sending_says_nothing() -> None:
    alert = taken(read(swap(LONG, "<expires/>", "<expires>2026-06-12 16:00:00+08:00</expires>")))
    assert not alert.original.expires_given
    assert alert.expires - alert.sent == timedelta(hours=12)


def test_a_given_expiry_stays() -> None:
    alert = taken(read(swap(LONG, "<expires/>", "<expires>2026-06-12 19:30:00+08:00</expires>")))
    assert alert.original.expires_given
    assert alert.expires == datetime(2026, 6, 12, 11, 30, tzinfo=UTC)


def test_internal_is_restricted_whatever_the_scope() -> None:
    alert = taken(read(swap(LONG, "<secClassification>None", "<secClassification>Inner")))
    assert alert.scope is Scope.RESTRICTED
    assert alert.restriction


def test_another_agencys_first_message_is_foreign() -> None:
    verdict = read(swap(SHORT, "<references>99012341600001", "<references>99012333400000"))
    assert verdict.gate is Gate.HOLD
    assert places(verdict, "FOREIGN_REFERENCE") == ["/alert[1]/references[1]"]


def test_a_test_is_a_test() -> None:
    verdict = read(swap(LONG, "<status>Actual", "<status>Test"))
    assert verdict.gate is Gate.ACCEPT
    assert taken(verdict).status is Status.TEST


def test_a_second_info_is_held_and_none_is_refused() -> None:
    info = LONG[LONG.index("<info>") : LONG.index("</alert>")]
    assert places(read(LONG.replace("</alert>", info + "</alert>")), "INFO_MIXED") == ["/alert[1]/info[2]"]
    verdict = read(LONG.replace(info, ""))
    assert (verdict.gate, rules(verdict)) == (Gate.REFUSE, ["MISSING_INFO"])


def put(text: str, old: str, new: str) -> str:
    """`text` with the one for the other, which must be there."""
    assert old in text
    return text.replace(old, new)


def test_a_second_info_in_another_language_is_joined() -> None:
    info = LONG[LONG.index("<info>") : LONG.index("</alert>")]
    headline = info[info.index("<headline>") : info.index("</headline>")]
    english = put(info, "zh-CN", "en").replace(headline, "<headline>Rainstorm warning, red")
    verdict = read(LONG.replace("</alert>", english + "</alert>"))
    assert "INFO_MIXED" not in rules(verdict)
    alert = taken(verdict)
    assert [text.language for text in alert.texts] == ["zh-CN", "en"]
    assert alert.text("en").headline == "Rainstorm warning, red"
    assert alert.model_copy(update={"texts": alert.texts[:1]}) == taken(read(LONG))
    nowhere = english[: english.index("<area>")] + "</info>"
    assert len(taken(read(LONG.replace("</alert>", nowhere + "</alert>"))).texts) == 2


@pytest.mark.parametrize("name", ["eventType", "severity", "expires", "area", "language"])
def test_a_second_info_of_another_event_time_or_place_is_held_and_says_why(name: str) -> None:
    info = LONG[LONG.index("<info>") : LONG.index("</alert>")]
    english = put(info, "zh-CN", "en") if name != "language" else info
    changed = {
        "eventType": lambda text: put(text, "11B03", "11B06"),
        "severity": lambda text: put(text, "<severity>Red", "<severity>Blue"),
        "expires": lambda text: re.sub(r"<expires>.*?</expires>|<expires/>", "<expires>2030-01-01 00:00:00</expires>", text),
        "area": lambda text: put(text, "<geocode>990123", "<geocode>990124"),
        "language": lambda text: text,
    }[name](english)
    verdict = read(LONG.replace("</alert>", changed + "</alert>"))
    (found,) = [one for one in verdict.problems if one.rule == "INFO_MIXED"]
    assert verdict.gate is Gate.HOLD
    assert ("info in zh-CN" if name == "language" else name) in found.message
    assert len(taken(verdict).texts) == 1
