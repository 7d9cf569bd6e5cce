"""The sealed end of an exported file: any change of any byte shows, and so does a file that was cut off or sealed elsewhere."""

import io
import json
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

from warnhub.crypto import KeyRing, make_key
from warnhub.monitor.trailer import NO_COMMENT, Trailer, check_file

KEYS = KeyRing(make_key())


def book() -> bytes:
    """A workbook as it is made."""
    buffer = io.BytesIO()
    made = xlsxwriter.Workbook(buffer, {"in_memory": True})
    made.add_worksheet("报告").write_string(0, 0, "云溪镇")
    made.close()
    return buffer.getvalue()


def sealed(kind: str, keys: KeyRing = KEYS) -> bytes:
    """A small file of each kind with its end."""
    parts = {"csv": [b"a,b\r\n", b"1,2\r\n"], "json": [b'{"report":{"a":1},"deliveries":[', b"]"], "xlsx": [book()]}[kind]
    trailer = Trailer(kind, keys)
    body = b"".join(trailer.add(part) for part in parts)
    return (body[: -len(NO_COMMENT)] if kind == "xlsx" else body) + trailer.end()


@pytest.mark.parametrize("kind", ["csv", "json", "xlsx"])
def test_a_file_as_it_left_fits_and_any_change_of_it_does_not(tmp_path: Path, kind: str) -> None:
    whole, path = sealed(kind), tmp_path / "report"
    path.write_bytes(whole)
    found = check_file(path, KEYS)
    assert (found.kind, found.fits) == (kind, True)
    assert not check_file(path, KeyRing(make_key())).ours
    for place in range(0, len(whole), max(1, len(whole) // 150)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert not check_file(path, KEYS).fits, place
    for cut in (1, 50, len(whole) // 2, len(whole)):
        path.write_bytes(whole[:-cut])
        assert not check_file(path, KEYS).fits
    path.write_bytes(whole + b"x")
    assert check_file(path, KEYS).kind == ""


def test_each_kind_stays_what_it_is(tmp_path: Path) -> None:
    assert json.loads(sealed("json"))["report"] == {"a": 1}
    with zipfile.ZipFile(io.BytesIO(sealed("xlsx"))) as file:
        assert file.testzip() is None
        assert file.comment.startswith(b"warnhub sha256=")
    assert sealed("csv").decode().splitlines()[-1].startswith("seal,")


def test_a_new_end_over_a_change_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "forged.csv"
    path.write_bytes(sealed("csv", KeyRing(make_key())))
    found = check_file(path, KEYS)
    assert (found.whole, found.ours, found.fits) == (True, False, False)


def test_a_file_of_nobody_is_said_to_be_that(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"")
    assert check_file(path, KEYS) == ("", "", False, False)
