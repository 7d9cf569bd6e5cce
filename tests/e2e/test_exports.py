"""Reports as pages and as files: every kind holds the same, opens in what it is for, is sealed, and shows no number."""

import asyncio
import csv
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree
from sqlalchemy import text
from stage import KEY, OFFICERS, Hub, number_of
from test_doors import enter
from typer.testing import CliRunner

from warnhub.cli import app
from warnhub.console import exports
from warnhub.crypto import KeyRing
from warnhub.monitor.trailer import check_file

Client = httpx.AsyncClient
PHONE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture
async def client(base: str) -> AsyncIterator[Client]:
    """An officer."""
    async with Client(base_url=base, timeout=60) as made:
        await enter(made)
        yield made


def read_book(body: bytes) -> dict[str, list[list[str]]]:
    """The sheets of a workbook, as text."""
    sheets: dict[str, list[list[str]]] = {}
    with zipfile.ZipFile(io.BytesIO(body)) as file:
        names = [sheet.get("name") for sheet in etree.fromstring(file.read("xl/workbook.xml")).iter(f"{MAIN}sheet")]
        for place, name in enumerate(names, 1):
            rows = etree.fromstring(file.read(f"xl/worksheets/sheet{place}.xml")).iter(f"{MAIN}row")
            sheets[str(name)] = [["".join(cell.itertext()) for cell in row] for row in rows]
    return sheets


async def test_every_kind_of_a_warnings_report_holds_every_delivery_and_the_same_figures(
    client: Client, hub: Hub, warnings: dict[str, str], tmp_path: Path
) -> None:
    uid = warnings["living"]
    async with hub.store.read() as conn:
        wanted = await conn.scalar(
            text("SELECT count(*) FROM delivery d JOIN batch b ON b.id = d.batch_id WHERE b.warning_id = :w"),
            {"w": await number_of(hub, uid)},
        )
    files = {}
    for kind in ("json", "csv", "xlsx"):
        answer = await client.get(f"/console/reports/warnings/{uid}/export/{kind}")
        assert answer.status_code == 200
        files[kind] = answer.content
        path = tmp_path / f"report.{kind}"
        path.write_bytes(answer.content)
        assert check_file(path, KeyRing(KEY)).fits, kind
    said = json.loads(files["json"])
    assert len(said["deliveries"]) == wanted
    assert {one["key"]: one["value"] for one in said["report"]["figures"]}["total"] > 100
    assert {*said["definitions"]} >= {one["key"] for one in said["report"]["figures"]}
    rows = list(csv.reader(io.StringIO(files["csv"].decode("utf-8-sig"))))
    head = rows.index(list(exports.HEADS))
    assert len([row for row in rows[head + 1 :] if len(row) == len(exports.HEADS)]) == wanted
    sheets = read_book(files["xlsx"])
    first, second = sheets
    assert len(sheets[second]) == (wanted or 0) + 1
    assert any(row[:1] == ["覆盖率"] for row in sheets[first])
    for body in (files["json"].decode(), files["csv"].decode(), str(sheets)):
        assert not PHONE.search(body)
    async with hub.store.read() as conn:
        kept = await conn.execute(text("SELECT data FROM audit WHERE action = 'report.export' ORDER BY id"))
        assert [json.loads(row.data)["kind"] for row in kept] == ["json", "csv", "xlsx"]


async def test_a_workbook_goes_on_on_another_sheet_and_drops_nobody(tmp_path: Path) -> None:
    async def parts() -> AsyncIterator[list[dict[str, Any]]]:
        for start in range(0, 700, 70):
            yield [dict.fromkeys(exports.HEADS, "=1+1") | {"ref": f"r{n}", "round": n} for n in range(start, start + 70)]

    path = tmp_path / "book.xlsx"
    await exports.fill_book(path, ("报告", "逐条记录"), [["覆盖率", 0.5]], parts(), most=100)
    sheets = read_book(path.read_bytes())
    details = [rows for name, rows in sheets.items() if name != "报告"]
    assert len(details) > 7
    assert all(len(rows) <= 100 for rows in details)
    assert all(rows[0] == list(exports.HEADS) for rows in details)
    assert [row[0] for rows in details for row in rows[1:]] == [f"r{n}" for n in range(700)]
    assert details[0][1][1] == "=1+1"
    with zipfile.ZipFile(path) as file:
        assert b"<f>" not in file.read("xl/worksheets/sheet2.xml"), "text, and no formula"


@pytest.mark.parametrize("path", ["quarters/2026Q2", "years/2026"])
async def test_a_period_has_its_ranking_its_indicators_and_its_files(client: Client, path: str, tmp_path: Path) -> None:
    page = await client.get(f"/console/reports/{path}")
    assert page.status_code == 200
    for words in ("考核指标", "乡镇排名", "权重", "主要失分原因", "去年同期" if "Q" in path else "上一期", "本期演练"):
        assert words in page.text
    assert '<svg class="months"' in page.text
    said = json.loads((await client.get(f"/console/reports/{path}/export/json")).content)["report"]
    scores = [row["cells"]["score"] for row in said["tables"]["towns"]]
    assert [row["cells"]["rank"] for row in said["tables"]["towns"]] == list(range(1, len(scores) + 1))
    given = [score for score in scores if score is not None]
    assert given == sorted(given, reverse=True)
    assert sum(row["cells"]["points"] or 0 for row in said["tables"]["indicators"]) == pytest.approx(
        next(one["value"] for one in said["figures"] if one["key"] == "score"), abs=0.3
    )
    for kind in ("csv", "xlsx"):
        file = tmp_path / f"period.{kind}"
        file.write_bytes((await client.get(f"/console/reports/{path}/export/{kind}")).content)
        assert check_file(file, KeyRing(KEY)).fits


@pytest.mark.parametrize("path", ["quarters/2026", "years/2026Q2", "quarters/2026Q5", "years/x", "years/2026/export/pdf"])
async def test_what_is_no_period_or_no_kind_is_not_found(client: Client, path: str) -> None:
    assert (await client.get(f"/console/reports/{path}")).status_code == 404


async def test_a_warnings_report_says_when_who_confirmed_with_the_meaning_of_each_number(
    client: Client, warnings: dict[str, str]
) -> None:
    page = await client.get(f"/console/reports/warnings/{warnings['living']}")
    assert '<svg class="curve"' in page.text
    for words in (
        "叫应时间",
        "首位确认",
        "95%确认",
        "发布到半数被要求者本人确认",
        "覆盖率＝已送达的对象 ÷ 目标对象",
        "考核指标",
    ):
        assert words in page.text
    english = await client.get(f"/console/reports/warnings/{warnings['living']}?lang=en")
    assert "coverage = targets delivered ÷ targets" in english.text
    assert len(page.content) < 120_000


async def test_an_exported_file_is_verified_from_the_command_line(
    client: Client, warnings: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARNHUB_SECRET_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "report.csv"
    path.write_bytes((await client.get(f"/console/reports/warnings/{warnings['over']}/export/csv")).content)

    def verify() -> tuple[int, dict[str, Any]]:
        done = CliRunner().invoke(app, ["report", "verify", str(path), "--json"])
        return done.exit_code, json.loads(done.stdout)

    code, said = await asyncio.to_thread(verify)
    assert (code, said["fits"], said["kind"]) == (0, True, "csv")
    path.write_bytes(path.read_bytes().replace(b"confirmed", b"delivered", 1))
    code, said = await asyncio.to_thread(verify)
    assert (code, said["fits"], said["whole"], said["ours"]) == (1, False, False, True)
    path.write_bytes(path.read_bytes()[:-40])
    assert (await asyncio.to_thread(verify))[1]["kind"] == ""
    path = tmp_path / "nothing"
    lost = await asyncio.to_thread(CliRunner().invoke, app, ["report", "verify", str(path)])
    assert lost.exit_code == 2


async def test_who_sees_one_part_takes_no_report(base: str, warnings: dict[str, str]) -> None:
    for name in ("rain", "town"):
        async with Client(base_url=base) as other:
            await enter(other, name)
            assert OFFICERS[name] in {"agency", "township"}
            for path in ("reports", f"reports/warnings/{warnings['living']}/export/csv", "reports/years/2026/export/xlsx"):
                assert (await other.get(f"/console/{path}")).status_code == 403
