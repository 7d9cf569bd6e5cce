"""Packages: the message and its attachments, each bound, each trick of the format, and names that do not fit what is inside."""

import hashlib
import io
import struct
import zipfile
from pathlib import Path

import pytest
from alertdocs import EXAMPLES, cap, example, rules, taken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warnhub.alert import Gate, Level, Verdict
from warnhub.ingest import Limits, read_alerts
from warnhub.ingest.check import check_files

PACKAGE = (EXAMPLES / "package.zip").read_bytes()
NAME = "99012341600000_20260612160012_0_11B03_RED_ALERT"
XML = example("national.xml")


def pack(members: dict[str, bytes | str], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A package of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return file.getvalue()


def read(body: bytes, limits: Limits | None = None) -> list[Verdict]:
    """Every verdict."""
    return read_alerts(body, "application/zip", limits)


def test_the_example_is_one_alert_with_its_attachment() -> None:
    (verdict,) = read(PACKAGE)
    assert verdict.gate is Gate.ACCEPT, verdict.problems
    (resource,) = taken(verdict).resources
    assert (resource.description, resource.mime, resource.size) == (f"{NAME}_P_01.pdf", "application/pdf", 42)
    with zipfile.ZipFile(io.BytesIO(PACKAGE)) as archive:
        assert resource.digest == f"sha256:{hashlib.sha256(archive.read(f'{NAME}_P_01.pdf')).hexdigest()}"


def test_messages_of_any_form_and_attachments_by_their_names() -> None:
    members = {"a.xml": XML, "b.json": example("alert.json"), "b_O_01.jpg": b"\xff\xd8", "c.csv": example("hydrology.csv")}
    first, second, flood, *rest = read(pack(members))
    assert [taken(one).original.form for one in (first, second, flood)] == ["national", "native", "hydrology"]
    assert [len(taken(one).resources) for one in (first, second, flood)] == [0, 1, 0]
    assert all(one.gate is Gate.ACCEPT for one in (first, second, flood, *rest))
    assert second.problems == [] or second.problems[0].path.startswith("b.json")


@pytest.mark.parametrize(
    ("old", "new"),
    [("<size>42</size>", "<size>43</size>"), ("<digest>", "<digest>00")],
)
def test_an_attachment_that_is_not_what_was_said_is_held(old: str, new: str) -> None:
    with zipfile.ZipFile(io.BytesIO(PACKAGE)) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    text = members[f"{NAME}.xml"].decode()
    assert old in text
    (verdict,) = read(pack(members | {f"{NAME}.xml": text.replace(old, new)}))
    assert (verdict.gate, rules(verdict)[0]) == (Gate.HOLD, "RESOURCE_MISMATCH")
    assert taken(verdict).resources[0].size == 42


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (NAME, None),
        (NAME.lower(), None),
        ("99012341600000_20260612160000_11B03_RED_ALERT", None),
        ("99012341600000_20260612160012_11B03_RED_ACTUAL", None),
        ("whatever", None),
        (NAME.replace("RED", "BLUE"), "blue"),
        (NAME.replace("11B03", "11B01"), "11B01"),
        (NAME.replace("ALERT", "CANCEL"), "cancel"),
        (NAME.replace("99012341600000", "99012333400000"), "99012333400000"),
        (NAME.replace("160012", "170012"), "20260612170012"),
        (NAME.replace("_0_", "_1_"), "1"),
    ],
)
def test_a_name_that_says_something_else_is_held(tmp_path: Path, name: str, said: str | None) -> None:
    path = tmp_path / f"{name}.XML"
    path.write_text(XML, "utf-8")
    (line,) = check_files([path])
    found = [problem["value"] for problem in line["problems"] if problem["rule"] == "FILENAME_MISMATCH"]
    assert found == ([said] if said else [])
    assert line["verdict"] == ("hold" if said else "accept")
    (inside,) = read(pack({f"folder/{name}.XML": XML}))
    assert inside.gate is (Gate.HOLD if said else Gate.ACCEPT)


def test_chinese_names_as_chinese_programs_write_them() -> None:
    (verdict,) = read(unmarked({"预警.xml": XML.encode(), "批文扫描件.pdf": b"%PDF"}))
    assert taken(verdict).resources[0].description == "批文扫描件.pdf"


def unmarked(members: dict[str, bytes]) -> bytes:
    """A package whose names are GB18030 and say so nowhere."""
    body, directory, offsets = b"", b"", []
    for name, data in members.items():
        raw, crc = name.encode("gb18030"), zipfile.crc32(data)
        offsets.append(len(body))
        body += struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 33, crc, len(data), len(data), len(raw), 0) + raw + data
        head = struct.pack(
            "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 33, crc, len(data), len(data), len(raw), 0, 0, 0, 0, 0, offsets[-1]
        )
        directory += head + raw
    return body + directory + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(members), len(members), len(directory), len(body), 0)


# ---------------------------------------------------------------- bounds and tricks


def test_a_bomb_is_refused_by_what_it_says_and_by_what_it_is() -> None:
    zeros = pack({"a.xml": b"\0" * 9_000_000})
    assert len(zeros) < 20_000
    assert rules(read(zeros)[0]) == ["PACKAGE_TOO_LARGE"]
    many = pack({f"{n}.bin": b"\0" * 7_900_000 for n in range(9)})
    assert rules(read(many)[0]) == ["PACKAGE_TOO_LARGE"]
    lying = bytearray(zeros)
    for mark, at in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        place = lying.index(mark) + at
        lying[place : place + 4] = struct.pack("<I", 100)
    (verdict,) = read(bytes(lying))
    assert verdict.gate is Gate.REFUSE


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"PK\3\4 and nothing more", "PACKAGE_INVALID"),
        (pack({f"{n}.txt": b"" for n in range(201)}), "PACKAGE_TOO_LARGE"),
        (pack({"a.pdf": b"x"}), "PACKAGE_EMPTY"),
        (pack({"a.xml": XML}, zipfile.ZIP_BZIP2), "PACKAGE_INVALID"),
        (pack({"a.xml": XML, "b/a.xml": XML}), "PACKAGE_INVALID"),
    ],
)
def test_packages_that_are_refused(body: bytes, rule: str) -> None:
    (verdict,) = read(body)
    assert (verdict.gate, rules(verdict)) == (Gate.REFUSE, [rule])


def test_a_package_in_a_package_is_an_attachment() -> None:
    (verdict,) = read(pack({"a.xml": XML, "b.zip": PACKAGE}))
    assert [one.mime for one in taken(verdict).resources] == ["application/zip"]


def test_too_many_alerts_in_a_package() -> None:
    members = {f"{n}.xml": cap().replace("a-1", f"a-{n}") for n in range(4)}
    assert rules(read(pack(members), Limits(max_alerts=3))[0]) == ["TOO_MANY_ALERTS"]


def test_a_message_that_is_broken_says_which_it_is() -> None:
    first, second = read(pack({"a.xml": "<alert", "b.xml": XML}))
    assert (first.gate, first.problems[0].path) == (Gate.REFUSE, "a.xml/")
    assert (second.gate, taken(second).level) == (Gate.ACCEPT, Level.RED)


def test_a_signature_is_asked_of_each_message(tmp_path: Path) -> None:
    (verdict,) = read(PACKAGE, Limits(signed=True))
    assert (verdict.gate, verdict.problems[0].rule) == (Gate.REFUSE, "SIGNATURE_MISSING")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_damaged_package_gets_a_verdict(data: st.DataObject) -> None:
    body = bytearray(PACKAGE)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    for verdict in read_alerts(bytes(body)):
        assert verdict.model_dump_json()
        assert verdict.problems or verdict.gate is Gate.ACCEPT
