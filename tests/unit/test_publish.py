"""What leaves as CAP: valid against the schema, the same alert when it comes back, and nothing told wider than it was."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import shapely
from alertdocs import SHARED, cap, example, rules, taken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from shapely.geometry import Polygon as Shape

from warnhub.alert import Alert, Area, Code, Gate, Polygon, Reference
from warnhub.ingest.findings import Findings, Limits
from warnhub.ingest.forms import read_alerts
from warnhub.ingest.mapping import CODE
from warnhub.ingest.native import read_native
from warnhub.ingest.structure import CAP, check_structure
from warnhub.publish.cap import Unwritable, write_cap
from warnhub.publish.national import file_name, make_issue, write_national
from warnhub.publish.shapes import cut_open

XSD = SHARED / "data" / "cap_corpus" / "schema" / "CAP-v1.2.xsd"
CORPUS = SHARED / "data" / "cap_corpus"
SCHEMA = etree.XMLSchema(etree.parse(XSD)) if XSD.exists() else None
FEW = settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def check_valid(document: bytes) -> etree._Element:
    """The root, if the document is CAP 1.2: by OASIS's schema where it is there, always by our own table."""
    root = etree.fromstring(document)
    findings = Findings(Limits(), None)
    check_structure(root, CAP["1.2"], findings)
    assert [problem.rule for problem in findings.problems] == []
    if SCHEMA is not None:
        SCHEMA.assertValid(root)
    return root


# ---------------------------------------------------------------- native → CAP → native

chars = st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n&<>;\u200d") | st.sampled_from(
    "暴雨红色预警&<>;/bamp"
)
prose = st.text(chars, max_size=60)
line = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=30)
name = st.text(st.characters(codec="ascii", categories=("L", "N"), include_characters=".-_/"), min_size=1, max_size=20)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))
degrees = st.floats(-80, 80, allow_nan=False)


@st.composite
def polygons(draw: st.DrawFn) -> dict[str, Any]:
    """A triangle or a square, with a hole now and then."""
    x, y, wide = draw(degrees), draw(degrees), draw(st.floats(0.001, 3))
    ring = [[x, y], [x + wide, y], [x + wide, y + wide], [x, y + wide], [x, y]]
    third = wide / 3
    hole = [[x + third, y + third], [x + 2 * third, y + third], [x + 2 * third, y + 2 * third], [x + third, y + third]]
    return {"rings": draw(st.sampled_from([[ring], [ring, hole]]))}


codes = st.builds(
    lambda value, exclude: {"value": value, "exclude": exclude}, st.from_regex(r"99012[0-9]{4}", fullmatch=True), st.booleans()
) | st.builds(lambda value, scheme: {"value": value, "scheme": scheme}, name, name)
circles = st.builds(lambda x, y, r: {"center": [x, y], "radius": r}, degrees, degrees, st.floats(0, 900_000, allow_nan=False))
areas = st.fixed_dictionaries(
    {"name": line, "codes": st.lists(codes, min_size=1, max_size=4)},
    optional={"polygons": st.lists(polygons(), max_size=2), "circles": st.lists(circles, max_size=2), "altitude": degrees}
    | {"excluded": st.lists(polygons(), max_size=2)},
)
texts = st.fixed_dictionaries(
    {"language": st.sampled_from(["zh-CN", "en", "en-US", "zh", "mn"]), "headline": line, "description": prose},
    optional={
        "event": line,
        "instruction": prose,
        "sender_name": line,
        "contact": line,
        "web": st.just("https://a.example/b?c=1"),
    },
)
parameters = st.fixed_dictionaries({"name": line.filter(str.strip), "value": prose}, optional={"unit": line})
resources = st.fixed_dictionaries(
    {}, optional={"description": line, "mime": st.just("image/png"), "uri": name, "size": st.just(7)}
)
natives = st.fixed_dictionaries(
    {
        "identifier": name,
        "sender": name,
        "sent": moments.map(datetime.isoformat),
        "status": st.sampled_from(["actual", "exercise", "test", "system", "draft"]),
        "kind": st.sampled_from(["alert", "update", "cancel", "ack", "error"]),
        "hazard": st.sampled_from(["11B03", "11A01", "11D01", "11B99", "19000", "ABCDE"]),
        "level": st.sampled_from(["red", "orange", "yellow", "blue"]),
        "areas": st.lists(areas, max_size=3),
        "texts": st.lists(texts, max_size=3),
        "scope": st.sampled_from(["public", "private", "restricted"]),
    },
    optional={
        "severity": st.sampled_from(["extreme", "severe", "moderate", "minor", "unknown"]),
        "urgency": st.sampled_from(["immediate", "past", "unknown"]),
        "certainty": st.sampled_from(["observed", "unlikely"]),
        "onset": moments.map(datetime.isoformat),
        "expires": moments.map(datetime.isoformat),
        "restriction": line,
        "parameters": st.lists(parameters, max_size=4),
        "spoken": st.lists(st.fixed_dictionaries({"channel": st.just("sms"), "text": line.filter(str.strip)}), max_size=2),
        "resources": st.lists(resources, max_size=2),
        "references": st.lists(
            st.fixed_dictionaries({"identifier": name}, optional={"sender": name, "sent": moments.map(datetime.isoformat)}),
            max_size=2,
        ),
    },
)


@FEW
@given(natives)
def test_native_to_cap_to_native_loses_nothing(fields: dict[str, Any]) -> None:
    alert = read_native(fields, Limits(), None).alert
    if alert is None:
        return
    document = write_cap(alert, "Asia/Shanghai")
    check_valid(document)
    back = read_alerts(document)
    assert len(back) == 1
    assert back[0].alert == alert, rules(back[0])


@pytest.mark.parametrize("form", ["alert.json", "cap.xml", "national.xml"])
def test_the_examples_leave_as_they_came(form: str) -> None:
    alert = taken(read_alerts(example(form).encode())[0])
    document = write_cap(alert, "Asia/Shanghai")
    check_valid(document)
    verdict = read_alerts(document)[0]
    assert (verdict.gate, verdict.alert) == (Gate.ACCEPT, alert)
    assert write_cap(taken(verdict), "Asia/Shanghai") == document


# ---------------------------------------------------------------- CAP → native → CAP


@st.composite
def documents(draw: st.DrawFn) -> str:
    """CAP 1.2 on one subject, in one language or two, with any of its optional elements."""
    word = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=12)

    def some(tag: str, text: st.SearchStrategy[str] = word) -> str:
        return f"<{tag}>{draw(text)}</{tag}>" if draw(st.booleans()) else ""

    def pairs(tag: str) -> str:
        found = draw(st.lists(st.tuples(word, word), max_size=2))
        return "".join(f"<{tag}><valueName>{key}</valueName><value>{value}</value></{tag}>" for key, value in found)

    shared = (
        some("responseType", st.sampled_from(["Shelter", "Evacuate", "None"])),
        some("audience") + pairs("eventCode") + some("onset", st.just("2026-06-12T17:00:00+08:00")),
        pairs("parameter")
        + (f"<resource><resourceDesc>{draw(word)}</resourceDesc><mimeType>image/png</mimeType><size>5</size></resource>")
        + f"<area><areaDesc>{draw(word)}</areaDesc><polygon>26.6,117.3 26.6,117.5 26.8,117.5 26.6,117.3</polygon>"
        + f"<circle>26.6,117.3 {draw(st.integers(1, 900))}</circle>{pairs('geocode')}</area>",
    )
    infos = ""
    for language in draw(st.sampled_from([["en"], ["zh-CN"], ["zh-CN", "en"]])):
        infos += (
            f"<info><language>{language}</language><category>Met</category><event>{draw(word)}</event>{shared[0]}"
            f"<urgency>Immediate</urgency><severity>Severe</severity><certainty>Likely</certainty>{shared[1]}"
            f"<expires>2026-06-12T19:00:00+08:00</expires>{some('senderName')}{some('headline')}{some('description')}"
            f"{some('instruction')}{some('web', st.just('https://a.example/'))}{some('contact')}{shared[2]}</info>"
        )
    kind = draw(st.sampled_from(["Alert", "Update", "Cancel"]))
    return (
        '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>a-1</identifier><sender>met.example</sender>'
        f"<sent>2026-06-12T16:00:00+08:00</sent><status>Actual</status><msgType>{kind}</msgType>{some('source')}"
        f"<scope>Public</scope>{some('addresses')}{some('code')}{some('note')}"
        f"<references>met.example,a-0,2026-06-12T15:00:00+08:00</references>{some('incidents')}{infos}</alert>"
    )


def leaves(root: etree._Element) -> list[tuple[str, str]]:
    """What each element says, with its path; our own parameters and the codes' scheme left aside."""
    found = []
    for one in root.iter():
        if len(one) == 0 and not (one.getparent() is not None and ours(one.getparent())):
            steps = [etree.QName(above).localname for above in one.iterancestors()]
            found.append(("/".join([*reversed(steps), etree.QName(one).localname]), (one.text or "").strip()))
    return sorted(found)


def ours(parent: etree._Element) -> bool:
    """Whether it is a pair that this house adds."""
    return (parent.findtext("{*}valueName") or "").startswith("warnhub:")


@FEW
@given(documents())
def test_cap_to_native_to_cap_loses_nothing(document: str) -> None:
    alert = taken(read_alerts(document.encode())[0])
    again = write_cap(alert, "Asia/Shanghai")
    said, told = leaves(etree.fromstring(document)), leaves(check_valid(again))
    missing = [leaf for leaf in said if leaf not in told]
    # an effective time that was not said is shown; numbers are written with all their digits
    assert [leaf for leaf in missing if not leaf[0].endswith(("polygon", "circle"))] == []
    assert taken(read_alerts(again)[0]) == alert


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of public alerts is not here")
def test_real_messages_come_back_the_same() -> None:
    seen = 0
    for path in sorted(CORPUS.rglob("*.xml")) + sorted(CORPUS.rglob("*.cap")):
        for verdict in read_alerts(path.read_bytes()):
            if verdict.alert is None or len(path.read_bytes()) > 300_000:
                continue
            try:
                document = write_cap(verdict.alert, "Asia/Shanghai")
            except Unwritable:
                continue
            check_valid(document)
            assert read_alerts(document)[0].alert == verdict.alert, path.name
            seen += 1
    assert seen > 50


# ---------------------------------------------------------------- what must not go wrong


def small(**changes: Any) -> Alert:
    """A small alert with changes."""
    return taken(read_alerts(cap().encode())[0]).model_copy(update=changes)


def test_a_hole_is_not_told() -> None:
    outer = [(0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0), (0.0, 0.0)]
    holes = [[(1.0, 1.0), (4.0, 1.0), (4.0, 4.0), (1.0, 1.0)], [(5.0, 5.0), (8.0, 5.0), (8.0, 8.0), (5.0, 5.0)]]
    parts = [Shape(ring) for ring in cut_open(Polygon(rings=[outer, *holes]))]
    whole = Shape(outer, holes)
    assert len(parts) > 1
    assert shapely.union_all(parts).symmetric_difference(whole).area == pytest.approx(0, abs=1e-9)


def test_no_exponent_is_written() -> None:
    alert = small()
    thin = alert.areas[0].model_copy(update={"altitude": 1e-7})
    document = write_cap(alert.model_copy(update={"areas": [thin]})).decode()
    assert "<altitude>0.0000001</altitude>" in document


def test_a_name_xml_cannot_hold_is_said() -> None:
    with pytest.raises(Unwritable, match=r"U\+0001"):
        write_cap(small(identifier="a\x01b"))


def carrying(name: str, value: str) -> bytes:
    """A small CAP with one carried field."""
    pair = f"<parameter><valueName>warnhub:{name}</valueName><value>{value}</value></parameter>"
    return cap(info=pair).encode()


@pytest.mark.parametrize(
    "name", ["identifier", "sender", "status", "kind", "scope", "original", "original.nothing", "areas[9]", "x"]
)
def test_what_decides_whom_it_reaches_is_never_carried(name: str) -> None:
    verdict = read_alerts(carrying(name, '"test"'))[0]
    plain = taken(read_alerts(cap().encode())[0])
    assert verdict.gate is Gate.HOLD
    assert "CARRIED_UNREADABLE" in rules(verdict)
    assert taken(verdict).model_dump(exclude={"original"}) == plain.model_dump(exclude={"original"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("texts", "not json"),
        ("areas", "[" * 5_000),
        ("expires", '"2027-01-01T00:00:00Z"'),
        ("areas[0].polygons", '[{"rings": [[[0,0],[1,1],[1,0],[0,1],[0,0]]]}]'),
        ("areas[0].codes", '[{"value": "99"}]'),
    ],
)
def test_what_is_carried_goes_through_the_gates(name: str, value: str) -> None:
    verdict = read_alerts(carrying(name, value))[0]
    assert verdict.gate is Gate.HOLD
    assert taken(verdict).expires == datetime(2026, 6, 12, 11, tzinfo=UTC)
    assert not any(code.value == "99" for code in taken(verdict).areas[0].codes)


def test_too_many_carried_points_are_refused() -> None:
    ring = [[0, at / 100_000] for at in range(60_000)]
    verdict = read_alerts(carrying("areas[0].polygons", str([{"rings": [ring]}]).replace("'", '"')))[0]
    assert verdict.gate is Gate.REFUSE
    assert rules(verdict)[0] == "GEOMETRY_TOO_LARGE"


def test_a_carried_colour_against_the_title_is_held() -> None:
    document = cap(info="<parameter><valueName>warnhub:level</valueName><value>blue</value></parameter>")
    verdict = read_alerts(document.replace("标题", "暴雨红色预警").encode())[0]
    assert (verdict.gate, "LEVEL_CONFLICT" in rules(verdict)) == (Gate.HOLD, True)


def test_a_reference_without_a_time_is_completed_where_it_is_known() -> None:
    alert = taken(read_alerts(example("national.xml").encode())[0])
    alert = alert.model_copy(update={"references": [Reference(identifier="first")]})
    assert "<references>" not in write_cap(alert).decode()
    known = {"first": alert.sent - timedelta(hours=1)}
    document = write_cap(alert, "Asia/Shanghai", known)
    assert f"<references>{alert.sender},first,2026-06-12T15:00:00+08:00</references>" in document.decode()
    assert taken(read_alerts(document)[0]) == alert


# ---------------------------------------------------------------- the national profile


def test_a_national_message_is_passed_on_as_it_came() -> None:
    alert = taken(read_alerts(example("national.xml").encode())[0])
    issue = make_issue(alert, "99012300000000", "x")
    assert file_name(alert, issue) == "99012341600000_20260612160012_11B03_RED_ALERT.XML"
    back = read_alerts(write_national(alert, issue))[0]
    assert (back.gate, back.alert) == (Gate.ACCEPT, alert)


@FEW
@given(natives)
def test_what_leaves_in_the_national_profile_says_the_same(fields: dict[str, Any]) -> None:
    alert = read_native(fields, Limits(), None).alert
    if alert is None or not CODE.fullmatch(alert.hazard):
        return
    try:
        document = write_national(alert, make_issue(alert, "99012300000000", "云岭县应急管理局"))
    except Unwritable:
        excluding = any(area.excluded or any(code.exclude for code in area.codes) for area in alert.areas)
        assert alert.status == "system" or excluding
        return
    back = read_alerts(document)[0].alert
    assert back
    for name in ("status", "kind", "scope", "hazard", "level"):
        assert getattr(back, name) == getattr(alert, name)
    assert abs(back.sent - alert.sent) < timedelta(seconds=1)
    for area, other in zip(back.areas, alert.areas, strict=True):
        asked = [code.value for code in other.codes if code.scheme == "cn"]
        assert len(area.codes) == len(set(asked))
        assert all(code.value.startswith(value) for code, value in zip(area.codes, dict.fromkeys(asked), strict=True))


def test_what_the_national_profile_cannot_say_is_not_said_wider() -> None:
    area = Area(name="x", codes=[Code(value="990123"), Code(value="990123100", exclude=True)])
    alert = small(areas=[area])
    with pytest.raises(Unwritable, match="exclude"):
        write_national(alert, make_issue(alert, "99012300000000", "x"))
