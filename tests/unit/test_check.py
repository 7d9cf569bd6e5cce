"""`warnhub check`: one line for each alert, an exit code by the worst, and never a traceback."""

import json
from pathlib import Path

from alertdocs import DATA, EXAMPLES, example

from warnhub.ingest import Limits
from warnhub.ingest.check import check_files, exit_code

KEYS = {"file", "index", "verdict", "problems", "alert"}


def test_one_line_for_each_alert() -> None:
    lines = list(check_files([EXAMPLES / "alert.json", DATA / "feed.xml"]))
    assert [(Path(line["file"]).name, line["index"], line["verdict"]) for line in lines] == [
        ("alert.json", 0, "accept"),
        ("feed.xml", 0, "accept"),
        ("feed.xml", 1, "refuse"),
    ]
    assert all(set(line) == KEYS for line in lines)
    assert lines[0]["alert"]["level"] == "orange"
    assert lines[2]["alert"] is None
    assert set(lines[2]["problems"][0]) == {"path", "rule", "message", "value"}
    assert json.loads(json.dumps(lines)) == lines


def test_the_gravest_problem_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "a.xml"
    file.write_text(example("national.xml").replace("<severity>Red", "<severity>Unknown"), "utf-8")
    (line,) = check_files([file])
    assert line["verdict"] == "hold"
    assert line["problems"][0]["rule"] == "LEVEL_UNKNOWN"
    assert line["problems"][-1]["rule"] != "LEVEL_UNKNOWN"


def test_an_archive_is_not_judged_by_the_clock(tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_text(example("alert.json").replace("2026-", "2016-"), "utf-8")
    (line,) = check_files([file])
    assert line["verdict"] == "accept"


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    large = tmp_path / "large.json"
    large.write_bytes(b" " * 2_000)
    lines = list(check_files([tmp_path / "none.xml", tmp_path, tmp_path / "empty", large], Limits(max_bytes=1_000)))
    assert [line["verdict"] for line in lines] == ["refuse"] * 4
    found = [line["problems"][0]["rule"] for line in lines]
    assert found == ["FILE_UNREADABLE", "FILE_UNREADABLE", "BODY_EMPTY", "BODY_TOO_LARGE"]


def test_exit_codes() -> None:
    assert exit_code([]) == 0
    assert exit_code([{"verdict": "accept"}]) == 0
    assert exit_code([{"verdict": "accept"}, {"verdict": "hold"}]) == 1
    assert exit_code([{"verdict": "refuse"}, {"verdict": "hold"}]) == 2
