"""Reading the tables that offices send, cell by cell."""

from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warnhub.directory import fields
from warnhub.directory.fields import Wrong, header_names, hide
from warnhub.directory.places import read_code, read_shape
from warnhub.directory.report import MOST, RULES, BadLine, Report
from warnhub.directory.sheet import Unreadable, detect_encoding, open_sheet
from warnhub.roles import Role
from warnhub.store.areas import parent_code, trim_code

PEOPLE = header_names(fields.PEOPLE)
TABLE = '编号,姓名,区划代码,手机\r\nG1,林木水,990123100,14500000001\r\n\r\nG2,"江\n燕",990123100\r\n'


def write(folder: Path, content: bytes) -> Path:
    path = folder / "people.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_every_usual_encoding_reads_alike(tmp_path: Path, encoding: str) -> None:
    sheet = open_sheet(write(tmp_path, TABLE.encode(encoding)), PEOPLE)
    assert sheet.columns == {"ref": 0, "name": 1, "area": 2, "phone": 3}
    assert [(line.number, line.cells) for line in sheet.lines()] == [
        (2, ["G1", "林木水", "990123100", "14500000001"]),
        (4, ["G2", "江\n燕", "990123100", ""]),
    ]


def test_one_broken_byte_does_not_turn_utf8_into_something_else(tmp_path: Path) -> None:
    text = ("编号,姓名\n" + "G1,林木水\n" * 20).encode()
    assert detect_encoding(write(tmp_path, text.replace("木".encode(), b"\xe6\x9c", 1))) == "utf-8-sig"


@pytest.mark.parametrize("delimiter", ["\t", ";", ","])
def test_delimiters(tmp_path: Path, delimiter: str) -> None:
    sheet = open_sheet(write(tmp_path, TABLE.replace(",", delimiter).encode()), PEOPLE)
    assert next(sheet.lines()).cells[3] == "14500000001"


def test_headers_in_english_marked_or_unknown(tmp_path: Path) -> None:
    sheet = open_sheet(write(tmp_path, b"REF,*Name,Area,mobile,shoe size,name\n1,a,2,3,4,5\n"), PEOPLE)
    assert sheet.columns == {"ref": 0, "name": 1, "area": 2, "phone": 3}
    assert sheet.unknown == ["shoe size", "name"]


@pytest.mark.parametrize("content", [b"", b"\n\n", b'{"type": "Feature"}', b'{"features": []}', b"{", b'{"features": [3]}'])
def test_what_is_no_table(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        open_sheet(write(tmp_path, content), PEOPLE)
    assert caught.value.rule in RULES


def test_geojson_lines_carry_properties_and_geometry(tmp_path: Path) -> None:
    content = (
        '{"features": [{"properties": {"名称": "云溪镇", "编码": 990123100}, "geometry": '
        '{"type": "Point", "coordinates": [1, 2]}},'
        ' {"properties": null, "geometry": null}]}'
    )
    sheet = open_sheet(write(tmp_path, content.encode()), header_names(fields.AREAS))
    first, second = sheet.lines()
    assert [first.cells[sheet.columns[name]] for name in ("code", "name")] == ["990123100", "云溪镇"]
    assert '"Point"' in first.cells[sheet.columns["shape"]]
    assert second.number == 2
    assert not any(second.cells)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("14500000001", "+8614500000001"),
        ("+86 145-0000-0001", "+8614500000001"),
        ("008614500000001", "+8614500000001"),
        ("'14500000001", "+8614500000001"),
        ("14500000001.0", "+8614500000001"),
        ("145 0000 0001", "+8614500000001"),
        ("+852 5123 4567", "+85251234567"),
    ],
)
def test_numbers_that_can_be_texted(cell: str, number: str) -> None:
    assert fields.read_phone(cell) == number


@pytest.mark.parametrize("cell", ["1450000000", "12379", "059212345678", "010-88886666", "1.45E+10", "无", "12000000001"])
def test_numbers_that_cannot(cell: str) -> None:
    with pytest.raises(Wrong) as caught:
        fields.read_phone(cell)
    assert caught.value.rule == "phone"


@given(st.from_regex(r"1[0-9]{10}", fullmatch=True))
def test_the_short_way_judges_as_the_library_does(cell: str) -> None:
    try:
        number = phonenumbers.parse(cell, "CN")
    except phonenumbers.NumberParseException:  # the prefix of a call abroad, such as 12593 00
        mobile = False
    else:
        mobile = phonenumbers.number_type(number) in fields.SMS_TYPES and phonenumbers.is_valid_number(number)
    assert bool(fields.MOBILE.fullmatch(cell)) is mobile


@pytest.mark.parametrize(
    ("cell", "value"),
    [("JPUSH:1507bfd3a7c00000001", "jpush:1507bfd3a7c00000001"), ("fcm:" + "a:b_c-" * 5, "fcm:" + "a:b_c-" * 5)],
)
def test_push_addresses_name_their_provider(cell: str, value: str) -> None:
    assert fields.read_push(cell) == value


@pytest.mark.parametrize("cell", ["1507bfd3a7c00000001", "apns:abcdefghijklmnopqrstuvwx", "jpush:", "fcm:short"])
def test_push_addresses_of_nobody_we_know(cell: str) -> None:
    with pytest.raises(Wrong):
        fields.read_push(cell)


def test_roles_in_both_languages() -> None:
    assert fields.read_person("网格员") == fields.read_person("Gridworker") == Role.GRIDWORKER.value
    assert fields.read_device("大喇叭") == Role.SPEAKER.value
    with pytest.raises(Wrong):
        fields.read_person("大喇叭")
    with pytest.raises(Wrong):
        fields.read_device("网格员")


@pytest.mark.parametrize(("cell", "value"), [("是", True), ("YES", True), ("0", False), ("否", False)])
def test_flags(cell: str, value: bool) -> None:
    assert fields.read_flag(cell) is value


def test_a_flag_is_never_guessed() -> None:
    with pytest.raises(Wrong):
        fields.read_flag("也许")


def test_names_keep_their_dots_and_lose_control_characters() -> None:
    assert fields.read_name("阿依古丽·买买提  ") == "阿依古丽·买买提"
    assert fields.read_name("江\n燕") == "江 燕"
    with pytest.raises(Wrong):
        fields.read_name("林\x00水")


@pytest.mark.parametrize(
    ("code", "trimmed"),
    [
        ("990123", "990123"),
        ("990123000000", "990123"),
        ("990123100000", "990123100"),
        ("99012310000000", "990123100"),
        ("990123100200", "990123100200"),
        ("990123100200000", "990123100200"),
        ("990123100200001", "990123100200001"),
        ("99012310", None),
        ("9901231002", None),
        ("99012A", None),
        ("９９０１２３", None),
        ("", None),
    ],
)
def test_codes_padded_with_zeros_are_the_same_place(code: str, trimmed: str | None) -> None:
    assert trim_code(code) == trimmed


def test_parents_by_code() -> None:
    assert [parent_code(code) for code in ("990123100200001", "990123100", "990123")] == ["990123100200", "990123", None]


def test_a_spreadsheets_float_is_still_a_code() -> None:
    assert read_code("990123100.0") == "990123100"


SQUARE = "POLYGON ((117 26, 118 26, 118 27, 117 27, 117 26))"


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("POINT (117 26)", "shape"),
        ("POLYGON EMPTY", "shape"),
        ("POLYGON ((117 26, 118", "shape"),
        ('{"type": "Polygon"}', "shape"),
        ("POLYGON ((26 117, 27 117, 27 118, 26 117))", "swapped"),
        ("POLYGON ((500000 2900000, 500100 2900000, 500100 2900100, 500000 2900000))", "range"),
        ("POLYGON ((117 26, 118 26, 117 26, 117 26))", "shape"),
    ],
)
def test_shapes_that_cannot_be_an_area(cell: str, rule: str) -> None:
    with pytest.raises(Wrong) as caught:
        read_shape(cell)
    assert caught.value.rule == rule


def test_shapes_are_flat_and_valid() -> None:
    shape, repaired = read_shape(
        SQUARE.replace("26,", "26 9,").replace("27,", "27 9,").replace("26))", "26 9))").replace("POLYGON", "POLYGON Z")
    )
    assert (shape.area, shape.has_z, repaired) == (1.0, False, False)
    crossed, repaired = read_shape("POLYGON ((117 26, 118 27, 118 26, 117 27, 117 26))")
    assert (crossed.area, crossed.is_valid, repaired) == (0.5, True, True)


def test_reports_show_no_full_number() -> None:
    assert hide("phone", "14500000001") == "••••001"
    assert "14500000001" not in hide("area", "张三14500000001")
    assert hide("area", "990123100201") == "990123100201"
    assert len(hide("name", "长" * 500)) == 58


def test_reports_count_everything_and_keep_the_first() -> None:
    report = Report()
    for number in range(MOST + 5):
        report.refuse(BadLine(number, "ref", "required"))
    assert (report.bad_count, len(report.bad), report.bad[-1].line) == (MOST + 5, MOST, MOST - 1)


def test_bad_lines_speak_two_languages() -> None:
    assert str(BadLine(7, "role", "role", "超人")) == "第 7 行 / line 7: role「超人」 不认识这个角色 / is not a known role"
