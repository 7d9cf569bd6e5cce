"""OASIS CAP: what is read, each fault at its own element, and that no reading of a foreign word is silent."""

import base64
from datetime import UTC, datetime

import pytest
from alertdocs import SQUARE, cap, example, places, rules, sample, swap, taken

from warnhub.alert import Certainty, Gate, Kind, Level, Severity, Status, Verdict
from warnhub.ingest import Limits, read_alerts
from warnhub.publish.cap import write_cap

EXAMPLE = example("cap.xml")


def read(body: str | bytes) -> Verdict:
    """The one verdict."""
    (verdict,) = read_alerts(body.encode() if isinstance(body, str) else body, "application/cap+xml")
    return verdict


def test_the_example_whole() -> None:
    verdict = read(EXAMPLE)
    alert = taken(verdict)
    assert verdict.gate is Gate.ACCEPT
    assert verdict.problems == []
    assert (alert.identifier, alert.sender) == ("yunling-land-20260612-0003", "land.yunling.example")
    assert alert.sent == datetime(2026, 6, 12, 8, 20, tzinfo=UTC)
    assert (alert.status, alert.kind) == (Status.ACTUAL, Kind.UPDATE)
    assert alert.references[0].identifier == "yunling-land-20260612-0001"
    assert (alert.hazard, alert.level, alert.severity) == ("11D01", Level.RED, Severity.EXTREME)
    assert [text.language for text in alert.texts] == ["zh-CN", "en"]
    assert alert.text("en").headline == "Landslide warning raised from orange to red"
    assert alert.areas[0].polygons[0].rings[0][0] == (117.448, 26.701)
    assert len(alert.areas) == 1
    assert alert.parameters[1].value == "28"
    assert alert.original.level == "预警级别=红色"
    assert alert.original.category == ["Geo"]
    assert alert.original.response == ["Evacuate"]
    assert alert.original.event_codes[0].value == "11D01"


def test_a_foreign_alert_is_read_by_its_parameters_and_shown_as_it_was() -> None:
    verdict = read(sample("cap_foreign.xml"))
    alert = taken(verdict)
    assert verdict.gate is Gate.ACCEPT
    assert (alert.level, alert.severity) == (Level.ORANGE, Severity.MODERATE)
    assert alert.original.level == "awareness_level=3; orange; Severe"
    assert alert.hazard == "11B06"
    assert alert.original.hazard.endswith("→ 11B06")
    assert [(code.scheme, code.value) for area in alert.areas for code in area.codes] == [("EMMA_ID", "XX011")]
    assert alert.texts[0].description == "Böen bis 90 km/h\nim Bergland & am See"
    assert {"HAZARD_MAPPED", "HTML_REMOVED"} <= set(rules(verdict))


def test_cap_1_0() -> None:
    verdict = read(sample("cap_old.xml"))
    alert = taken(verdict)
    assert verdict.gate is Gate.ACCEPT, verdict.problems
    assert alert.original.form == "cap-1.0"
    assert alert.references[0].sender == "net@quake.example"
    assert alert.certainty is Certainty.LIKELY
    assert alert.hazard == "11C02"
    assert alert.areas[0].circles[0].radius == 12_500
    assert alert.areas[0].codes[0].scheme == "FIPS6"


@pytest.mark.parametrize(
    ("severity", "level", "gate"),
    [
        ("Extreme", Level.RED, Gate.ACCEPT),
        ("Severe", Level.ORANGE, Gate.ACCEPT),
        ("Moderate", Level.YELLOW, Gate.ACCEPT),
        ("Minor", Level.BLUE, Gate.ACCEPT),
        ("Unknown", Level.BLUE, Gate.HOLD),
    ],
)
def test_without_a_colour_the_severity_is_mapped_and_says_so(severity: str, level: Level, gate: Gate) -> None:
    verdict = read(swap(cap(), "<severity>Severe", f"<severity>{severity}"))
    assert verdict.gate is gate
    assert taken(verdict).level is level
    assert taken(verdict).original.level.startswith(f"severity={severity}") or gate is Gate.HOLD
    assert ("LEVEL_MAPPED" if gate is Gate.ACCEPT else "LEVEL_UNKNOWN") in rules(verdict)


def parameter(name: str, value: str) -> str:
    """One parameter."""
    return f"<parameter><valueName>{name}</valueName><value>{value}</value></parameter>"


@pytest.mark.parametrize(
    ("headline", "info", "level", "rule"),
    [
        ("云岭县发布暴雨红色预警", "", Level.RED, None),
        ("雲嶺縣豪雨紅色警戒", "", Level.RED, None),
        ("由黄色预警升级为红色预警", "", Level.RED, None),
        ("将暴雨红色预警信号降为黄色预警信号", "", Level.YELLOW, None),
        ("橙色预警区扩大,黄色预警区缩小", "", Level.ORANGE, "LEVEL_CONFLICT"),
        ("标题", parameter("alert_color", "紅色"), Level.RED, None),
        ("标题", parameter("预警级别", "Ⅱ级/重大"), Level.ORANGE, None),
        ("标题", parameter("awareness_level", "2; yellow; Moderate"), Level.YELLOW, None),
        ("标题", parameter("awareness_level", "1; green; Minor"), Level.BLUE, "LEVEL_BELOW_BLUE"),
        ("标题", parameter("note", "red"), Level.ORANGE, "LEVEL_MAPPED"),
        ("暴雨蓝色预警", parameter("color", "Red"), Level.RED, "LEVEL_CONFLICT"),
    ],
)
def test_colours(headline: str, info: str, level: Level, rule: str | None) -> None:
    verdict = read(cap(info=info).replace("标题", headline))
    assert taken(verdict).level is level
    assert rule is None or rule in rules(verdict)
    assert rule is not None or not {"LEVEL_CONFLICT", "LEVEL_MAPPED"} & set(rules(verdict))


def code(name: str, value: str) -> str:
    """One event code."""
    return f"<eventCode><valueName>{name}</valueName><value>{value}</value></eventCode>"


@pytest.mark.parametrize(
    ("event", "info", "hazard", "rule"),
    [
        ("anything", code("eventType", "11B03"), "11B03", None),
        ("anything", code("eventType", "11B73"), "11B73", "HAZARD_UNKNOWN"),
        ("anything", code("SAME", "SVR"), "11B43", "HAZARD_MAPPED"),
        ("地质灾害气象风险预警", "", "11B37", "HAZARD_MAPPED"),
        ("雷雨大风", "", "11B20", "HAZARD_MAPPED"),
        ("Flash Flood Watch", "", "11A51", "HAZARD_MAPPED"),
        ("LANDSLIDE", "", "11D01", "HAZARD_MAPPED"),
        ("Something else", "", "11B99", "HAZARD_UNKNOWN"),
    ],
)
def test_hazards(event: str, info: str, hazard: str, rule: str | None) -> None:
    body = cap(event=event).replace("<expires>", f"{info}<expires>")
    verdict = read(body)
    assert verdict.gate is Gate.ACCEPT
    assert taken(verdict).hazard == hazard
    assert [found for found in rules(verdict) if found.startswith("HAZARD")] == ([rule] if rule else [])


FAULTS = [
    ("<identifier>a-1", "<identifier>a 1", "/alert[1]/identifier[1]", "INVALID_IDENTIFIER", Gate.HOLD),
    ("<sender>met", "<sender>met,", "/alert[1]/sender[1]", "INVALID_SENDER", Gate.HOLD),
    ("<identifier>a-1</identifier>", "", "/alert[1]", "MISSING_REQUIRED_ELEMENT", Gate.REFUSE),
    ("<identifier>a-1</identifier>", "<identifier/>", "/alert[1]/identifier[1]", "MISSING_REQUIRED_ELEMENT", Gate.REFUSE),
    ("<scope>Public</scope>", "", "/alert[1]", "MISSING_REQUIRED_ELEMENT", Gate.REFUSE),
    ("scope>Public</scope", "scoep>Public</scoep", "/alert[1]/scoep[1]", "UNSUPPORTED_ELEMENT", Gate.REFUSE),
    ("<status>Actual", "<status>Real", "/alert[1]/status[1]", "INVALID_VALUE", Gate.REFUSE),
    ("<msgType>Alert", "<msgType>Alarm", "/alert[1]/msgType[1]", "INVALID_VALUE", Gate.REFUSE),
    ("<urgency>Immediate", "<urgency>Soon", "/alert[1]/info[1]/urgency[1]", "INVALID_VALUE", Gate.HOLD),
    ("<sent>2026-06-12T16:00:00+08:00", "<sent>12/06/2026", "/alert[1]/sent[1]", "TIME_INVALID", Gate.REFUSE),
    ("<sent>2026-06-12T16:00:00+08:00", "<sent>", "/alert[1]/sent[1]", "MISSING_REQUIRED_ELEMENT", Gate.REFUSE),
    ("19:00:00+08:00</expires>", "19:00:00</expires>", "/alert[1]/info[1]/expires[1]", "TIME_WITHOUT_ZONE", Gate.REFUSE),
    ("19:00:00+08:00</expires>", "15:00:00+08:00</expires>", "/alert[1]/info[1]", "EXPIRES_BEFORE_SENT", Gate.HOLD),
    ("<category>Met</category>", "", "/alert[1]/info[1]", "MISSING_REQUIRED_ELEMENT", Gate.HOLD),
    ("<areaDesc>云岭县</areaDesc>", "", "/alert[1]/info[1]/area[1]", "MISSING_REQUIRED_ELEMENT", Gate.HOLD),
    ("<language>zh-CN", "<language>toolonglang", "/alert[1]/info[1]/language[1]", "INVALID_LANGUAGE", Gate.HOLD),
    ("<language>zh-CN", "<language>12345", "/alert[1]/info[1]/language[1]", "INVALID_LANGUAGE", Gate.HOLD),
    ("<info>", "{}<info>", "/alert[1]", "UNEXPECTED_TEXT", Gate.HOLD),
    ("<event>暴雨", "<event>a<b/>暴雨", "/alert[1]/info[1]/event[1]/b[1]", "UNSUPPORTED_ELEMENT", Gate.HOLD),
    (
        "<event>暴雨</event>",
        "<event>暴雨</event><event>雪</event>",
        "/alert[1]/info[1]/event[2]",
        "REPEATED_ELEMENT",
        Gate.HOLD,
    ),
    ("urn:oasis:names:tc:emergency:cap:1.2", "urn:demo", "/alert[1]", "NAMESPACE_UNKNOWN", Gate.HOLD),
    ("<msgType>Alert", "<msgType>Cancel", "/alert[1]", "MISSING_REFERENCE", Gate.HOLD),
    ("标题", "解除暴雨红色预警", "/alert[1]/info[1]", "LIFTED_NOT_CANCELLED", Gate.HOLD),
    ("标题", "THIS IS A TEST", "/alert[1]/info[1]", "TEST_CONTENT", Gate.HOLD),
    (f"<polygon>{SQUARE}</polygon>", "<polygon/>", "/alert[1]/info[1]", "NO_AREA", Gate.HOLD),
    (SQUARE, "0,0 1,1 0,1 1,0 0,0", "/alert[1]/info[1]/area[1]/polygon[1]", "POLYGON_SELF_CROSSING", Gate.HOLD),
]


@pytest.mark.parametrize(("old", "new", "path", "rule", "gate"), FAULTS)
def test_each_fault_at_its_element(old: str, new: str, path: str, rule: str, gate: Gate) -> None:
    verdict = read(swap(cap(), old, new))
    assert verdict.gate is gate
    assert path in places(verdict, rule), verdict.problems


INFO_FAULTS = [
    ("<web>page.html</web>", "web[1]", "INVALID_WEB"),
    ("<web>ftp://x/y</web>", "web[1]", "INVALID_WEB"),
    ("<web>http://[x</web>", "web[1]", "INVALID_WEB"),
    ("<resource><resourceDesc>d</resourceDesc><uri>a b</uri></resource>", "resource[1]/uri[1]", "INVALID_URI"),
    (
        "<resource><resourceDesc>d</resourceDesc><derefUri>no*base</derefUri></resource>",
        "resource[1]/derefUri[1]",
        "INVALID_DEREF_URI",
    ),
]


@pytest.mark.parametrize(("info", "path", "rule"), INFO_FAULTS)
def test_faults_of_links(info: str, path: str, rule: str) -> None:
    verdict = read(cap(info=info))
    assert verdict.gate is Gate.HOLD
    assert places(verdict, rule) == [f"/alert[1]/info[1]/{path}"]


def test_links_that_are_sound() -> None:
    info = (
        "<web>https://yunling.example/a?b=1</web><resource><resourceDesc>图</resourceDesc><mimeType>image/png</mimeType>"
        "<size>84k</size><uri>map.png</uri><derefUri>aGVs\nbG8=</derefUri></resource>"
    )
    verdict = read(cap(info=info))
    alert = taken(verdict)
    assert verdict.gate is Gate.ACCEPT
    assert alert.texts[0].web == "https://yunling.example/a?b=1"
    assert (alert.resources[0].uri, alert.resources[0].size) == ("map.png", None)
    assert "INVALID_SIZE" in rules(verdict)


ME = "met.example,a-1,2026-06-11T16:00:00+08:00"
REFERENCES = [
    (ME, "CIRCULAR_REFERENCE"),
    ("met.example,a-0,2026-06-13T16:00:00+08:00", "POSTDATED_REFERENCE"),
    ("met.example,a-0", "INVALID_REFERENCES"),
    ("met.example,a-0,yesterday", "INVALID_REFERENCES"),
    ("other.example,a-0,2026-06-11T16:00:00+08:00", "FOREIGN_REFERENCE"),
]


@pytest.mark.parametrize(("text", "rule"), REFERENCES)
def test_references(text: str, rule: str) -> None:
    body = cap(head=f"<references>{text}</references>").replace("<msgType>Alert", "<msgType>Update")
    verdict = read(body)
    assert verdict.gate is Gate.HOLD
    assert places(verdict, rule) == ["/alert[1]/references[1]"]


@pytest.mark.parametrize("between", [" ", "\n", ","])
def test_several_references(between: str) -> None:
    both = between.join(f"met.example,a-{n},2026-06-11T16:00:00+08:00" for n in (7, 8))
    alert = taken(read(cap(head=f"<references>{both}</references>").replace("<msgType>Alert", "<msgType>Cancel")))
    assert [one.identifier for one in alert.references] == ["a-7", "a-8"]


def test_a_cancel_needs_no_words() -> None:
    body = cap(head="<references>met.example,a-0,2026-06-11T16:00:00+08:00</references>")
    verdict = read(body[: body.index("<info>")].replace("<msgType>Alert", "<msgType>Cancel") + "</alert>")
    assert verdict.gate is Gate.ACCEPT
    assert taken(verdict).texts == []


def test_an_alert_without_words_is_held() -> None:
    body = cap()
    verdict = read(body[: body.index("<info>")] + "</alert>")
    assert (verdict.gate, rules(verdict)) == (Gate.HOLD, ["MISSING_INFO"])


def test_a_missing_expiry_is_the_hazards_default_and_says_so() -> None:
    verdict = read(swap(cap(), "<expires>2026-06-12T19:00:00+08:00</expires>", ""))
    alert = taken(verdict)
    assert verdict.gate is Gate.ACCEPT
    assert (alert.expires - alert.sent).total_seconds() == 12 * 3600
    assert not alert.original.expires_given
    assert "EXPIRES_MISSING" in rules(verdict)


def test_elements_out_of_order_are_only_noted() -> None:
    body = swap(
        cap(), "<urgency>Immediate</urgency><severity>Severe</severity>", "<severity>Severe</severity><urgency>Future</urgency>"
    )
    verdict = read(body)
    assert verdict.gate is Gate.ACCEPT
    assert places(verdict, "ELEMENT_ORDER") == ["/alert[1]/info[1]/urgency[1]"]


def test_a_signature_is_left_alone() -> None:
    signed = cap().replace(
        "</info></alert>", '</info><Signature xmlns="http://www.w3.org/2000/09/xmldsig#">x</Signature></alert>'
    )
    assert read(signed).gate is Gate.ACCEPT


def geocode(name: str, value: str) -> str:
    """One geocode."""
    return f"<geocode><valueName>{name}</valueName><value>{value}</value></geocode>"


def test_division_codes_are_told_from_others() -> None:
    alert = taken(read(cap(geocode("行政区划代码", "990123001,990123002") + geocode("UGC", "ABC001"))))
    assert [(one.scheme, one.value) for one in alert.areas[0].codes] == [
        ("cn", "990123001"),
        ("cn", "990123002"),
        ("UGC", "ABC001"),
    ]


def test_an_empty_polygon_falls_back_to_the_codes() -> None:
    verdict = read(cap("<polygon/>" + geocode("adcode", "990123")))
    assert verdict.gate is Gate.ACCEPT
    assert "POLYGON_EMPTY" in rules(verdict)


def test_an_excluded_polygon_is_cut_out() -> None:
    inner = "26.65,117.35 26.65,117.40 26.70,117.40 26.65,117.35"
    verdict = read(cap(f"<polygon>{SQUARE}</polygon>" + geocode("EXCLUDE_POLYGON", inner)))
    assert verdict.gate is Gate.ACCEPT
    assert len(taken(verdict).areas[0].polygons[0].rings) == 2


def test_an_excluded_polygon_stays_beside_a_circle_and_codes() -> None:
    inner = "26.65,117.35 26.65,117.40 26.70,117.40 26.65,117.35"
    for inside in (geocode("adcode", "990123"), "<circle>26.65,117.35 20</circle>"):
        verdict = read(cap(inside + geocode("EXCLUDE_POLYGON", inner)))
        assert verdict.gate is Gate.ACCEPT, rules(verdict)
        assert taken(verdict).areas[0].excluded[0].rings[0][0] == (117.35, 26.65)
        again = read_alerts(write_cap(taken(verdict), "Asia/Shanghai"))[0]
        assert taken(again).areas == taken(verdict).areas
    both = read(cap(f"<polygon>{SQUARE}</polygon>" + geocode("adcode", "990123") + geocode("EXCLUDE_POLYGON", inner)))
    assert len(taken(both).areas[0].polygons[0].rings) == 2
    assert taken(both).areas[0].excluded


@pytest.mark.parametrize("inner", ["26.65,117.35 26.65,117.40", "everywhere", ""])
def test_an_exclusion_that_cannot_be_read_is_held(inner: str) -> None:
    held = read(cap(geocode("adcode", "990123") + geocode("EXCLUDE_POLYGON", inner)))
    assert held.gate is Gate.HOLD
    assert "EXCLUSION_UNUSED" in rules(held)


def test_what_is_excluded_whole_is_held() -> None:
    wide = "26,117 26,118 27,118 27,117 26,117"
    verdict = read(cap(f"<polygon>{SQUARE}</polygon>" + geocode("EXCLUDE_POLYGON", wide)))
    assert verdict.gate is Gate.HOLD
    assert "INVALID_AREA" in rules(verdict)
    assert "EXCLUSION_UNUSED" in rules(read(cap(geocode("EXCLUDE_POLYGON", wide))))


def test_heights() -> None:
    verdict = read(cap("<circle>26.6,117.3 1</circle><ceiling>9</ceiling>"))
    assert places(verdict, "INVALID_AREA") == ["/alert[1]/info[1]/area[1]"]
    assert places(verdict, "INVALID_HEIGHT") == ["/alert[1]/info[1]/area[1]/ceiling[1]"]
    alert = taken(read(cap("<circle>26.6,117.3 1</circle><altitude>100</altitude><ceiling>900.5</ceiling>")))
    assert (alert.areas[0].altitude, alert.areas[0].ceiling) == (100, 900.5)


def second(changes: dict[str, str]) -> str:
    """A CAP alert with a second info like the first but for these changes."""
    body = cap(info="<instruction>请避险</instruction>")
    info = body[body.index("<info>") : body.index("</alert>")]
    other = info
    for old, new in changes.items():
        assert old in other
        other = other.replace(old, new)
    return body.replace("</alert>", other + "</alert>")


def test_the_same_words_for_another_place_join_the_areas() -> None:
    alert = taken(read(second({SQUARE: "10,10 10,11 11,11 10,10"})))
    assert len(alert.areas) == 2
    assert len(alert.texts) == 1


def test_the_same_words_in_another_language_are_held() -> None:
    verdict = read(second({"zh-CN": "fr"}))
    assert verdict.gate is Gate.HOLD
    assert "/alert[1]/info[2]/instruction[1]" in places(verdict, "SAME_TEXT_DIFFERENT_LANGUAGE")


def test_each_subject_is_an_alert_of_its_own_the_gravest_first() -> None:
    body = second({"<severity>Severe": "<severity>Extreme", "暴雨": "滑坡", SQUARE: "10,10 10,11 11,11 10,10"})
    grave, other = read_alerts(body.encode())
    assert grave.gate is other.gate is Gate.ACCEPT, (grave.problems, other.problems)
    assert [(taken(one).hazard, taken(one).level) for one in (grave, other)] == [("11D01", Level.RED), ("11B03", Level.ORANGE)]
    assert [len(taken(one).areas) for one in (grave, other)] == [1, 1]
    assert [(taken(one).identifier, taken(one).message) for one in (grave, other)] == [("a-1", "a-1"), ("a-1#2", "a-1")]
    assert taken(other).original.part_of == "a-1"


def test_what_is_wrong_with_one_subject_holds_that_one_alone() -> None:
    body = second({"暴雨": "滑坡", SQUARE: "0,0 1,1 0,1 1,0 0,0"})
    first, other = read_alerts(body.encode())
    assert (first.gate, other.gate) == (Gate.ACCEPT, Gate.HOLD)
    assert places(other, "POLYGON_SELF_CROSSING") == ["/alert[1]/info[2]/area[1]/polygon[1]"]


def english(square: str) -> dict[str, str]:
    """The changes that make an info its own translation, for this place."""
    words = {"zh-CN": "en", "暴雨": "Rainstorm", "标题": "Headline", "请避险": "Take shelter", "云岭县": "Yunling"}
    return words | {SQUARE: square}


def test_a_translation_for_another_place_is_an_alert_of_its_own() -> None:
    (joined,) = read_alerts(second(english(SQUARE)).encode())
    assert [text.language for text in taken(joined).texts] == ["zh-CN", "en"]
    assert len(taken(joined).areas) == 1
    first, other = read_alerts(second(english("10,10 10,11 11,11 10,10")).encode())
    assert [[text.language for text in taken(one).texts] for one in (first, other)] == [["zh-CN"], ["en"]]


def test_a_translation_with_other_times_is_joined_and_noted() -> None:
    later = "<expires>2026-06-12T20:00:00+08:00</expires>"
    body = second(english(SQUARE) | {"<expires>2026-06-12T19:00:00+08:00</expires>": later})
    (verdict,) = read_alerts(body.encode())
    assert (verdict.gate, taken(verdict).expires.hour) == (Gate.ACCEPT, 11)
    assert places(verdict, "INFO_TIMES") == ["/alert[1]/info[2]"]


def test_two_times_in_two_languages_are_two_alerts_of_two_texts() -> None:
    later = {"<expires>2026-06-12T19:00:00+08:00</expires>": "<expires>2026-06-12T20:00:00+08:00</expires>"}
    first = second({})
    info = first[first.index("<info>") : first.index("</info>") + len("</info>")]
    infos = [info]
    for changes in ({"标题": "稍后", **later}, {**english(SQUARE), "Headline": "Later", **later}, english(SQUARE)):
        other = info
        for old, new in changes.items():
            other = other.replace(old, new)
        infos.append(other)
    body = first[: first.index("<info>")] + "".join(infos) + "</alert>"
    verdicts = read_alerts(body.encode())
    assert [[text.headline for text in taken(one).texts] for one in verdicts] == [["标题", "Headline"], ["稍后", "Later"]]


def test_a_cancel_of_several_subjects_is_one() -> None:
    body = second({"暴雨": "滑坡"}).replace("<msgType>Alert", "<msgType>Cancel")
    body = body.replace("<info>", "<references>met.example,a-0,2026-06-11T16:00:00+08:00</references><info>", 1)
    (verdict,) = read_alerts(body.encode())
    assert (verdict.gate, taken(verdict).kind) == (Gate.ACCEPT, Kind.CANCEL)


CAP12 = "urn:oasis:names:tc:emergency:cap:1.2"


@pytest.mark.parametrize(
    ("namespace", "form", "gate"),
    [
        (CAP12, "cap-1.2", Gate.ACCEPT),
        (f"{CAP12}:profile:cap-au:1.0", "cap-1.2", Gate.ACCEPT),
        ("urn:oasis:names:tc:emergency:cap:1.1:profile", "cap-1.1", Gate.ACCEPT),
        ("http://docs.oasis-open.org/emergency/cap/v1.1", "cap-1.1", Gate.HOLD),
        ("urn:x", "cap-1.2", Gate.HOLD),
        ("", "cap-1.2", Gate.HOLD),
    ],
)
def test_namespaces(namespace: str, form: str, gate: Gate) -> None:
    verdict = read(cap().replace(CAP12, namespace))
    assert (verdict.gate, taken(verdict).original.form) == (gate, form), verdict.problems
    assert ("NAMESPACE_UNKNOWN" in rules(verdict)) is (namespace != CAP12)


def test_a_root_that_is_alone_in_its_namespace_is_read_and_held() -> None:
    body = cap().replace("<alert xmlns=", "<cap:alert xmlns:cap=").replace("</alert>", "</cap:alert>")
    verdict = read(body)
    assert (verdict.gate, rules(verdict)[0]) == (Gate.HOLD, "NAMESPACE_MIXED")
    assert taken(verdict).areas[0].polygons


XML = '<?xml version="1.0" encoding="UTF-8"?>'
ESCAPED = cap().replace("&", "&amp;").replace("<", "&lt;")
PACKED = base64.b64encode((XML + cap()).encode()).decode()


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (f"<alerts>{cap()}{cap()}</alerts>", 2),
        (f'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>{cap()}</s:Body></s:Envelope>', 1),
        (f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><content type="text">{ESCAPED}</content></entry></feed>', 1),
        (f"<rss><channel><item><description><![CDATA[{XML}{cap()}]]></description></item></channel></rss>", 1),
        (f"<rss><channel><item><description>&lt;p>news&lt;/p></description></item><item>{cap()}</item></channel></rss>", 1),
        (f"<EDXLDistribution><contentObject><contentData>{PACKED}</contentData></contentObject></EDXLDistribution>", 1),
        (f"<list>{cap()}{example('national.xml').removeprefix(XML)}</list>", 2),
    ],
    ids=["bare", "soap", "atom text", "rss cdata", "rss", "edxl base64", "cap and national"],
)
def test_alerts_inside_something_else(body: str, count: int) -> None:
    verdicts = read_alerts(body.encode(), "application/xml")
    assert [verdict.gate for verdict in verdicts] == [Gate.ACCEPT] * count, [verdict.problems for verdict in verdicts]


def test_a_fault_inside_a_text_names_where_the_text_stands() -> None:
    (verdict,) = read_alerts(f"<rss><item><description>{ESCAPED.replace('Actual', 'Real')}</description></item></rss>".encode())
    assert places(verdict, "INVALID_VALUE") == ["/rss[1]/item[1]/description[1]/alert[1]/status[1]"]


def test_restricted_says_to_whom() -> None:
    body = cap().replace("<scope>Public</scope>", "<scope>Restricted</scope><restriction>防汛办</restriction>")
    assert taken(read(body)).restriction == "防汛办"
    assert "RESTRICTION_MISMATCH" in rules(read(swap(cap(), "<scope>Public", "<scope>Restricted")))


def test_a_sources_own_zone() -> None:
    body = swap(cap(), "19:00:00+08:00</expires>", "19:00:00</expires>")
    (verdict,) = read_alerts(body, limits=Limits(zone="Asia/Shanghai"))
    assert verdict.gate is Gate.HOLD
    assert taken(verdict).expires == datetime(2026, 6, 12, 11, tzinfo=UTC)


def test_a_parameter_whose_name_nobody_can_see_is_left_out() -> None:
    parameter = "<parameter><valueName>\U0001fffe</valueName><value>1</value></parameter>"
    verdict = read(cap(geocode("adcode", "990123")).replace("<area>", f"{parameter}<area>", 1))
    assert verdict.gate is Gate.ACCEPT
    assert taken(verdict).parameters == []
    assert "TEXT_CLEANED" in rules(verdict)
