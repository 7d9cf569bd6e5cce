"""Reports as files: CSV, XLSX and JSON, each as it is made, with a sealed end. Nothing of them is ever whole in memory."""

import asyncio
import csv
import io
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import xlsxwriter

from warnhub.console.strings import say
from warnhub.console.tables import column_names, define, line_name, pull_words
from warnhub.console.visit import Visit
from warnhub.monitor.report import COLUMNS, Report
from warnhub.monitor.trailer import NO_COMMENT, Trailer
from warnhub.store.people import list_parts, read_part

MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
BOM = "\ufeff"
SHEET = 1_000_000
"""Rows of a sheet; the next begins another. Excel's own end is at 1,048,576."""

CHUNK = 1 << 18
HEADS = (
    "ref", "name", "role", "town", "channel", "provider", "round", "address", "state", "reason", "code", "due_at", "handed_at",
    "settled_at",
)  # fmt: skip


async def write_out(visit: Visit, report: Report, warning: int | None, kind: str) -> AsyncIterator[bytes]:
    """A report, with the deliveries of its warning where it is of one."""
    writers: dict[str, Callable[[Visit, Report, int | None], AsyncIterator[bytes]]]
    writers = {"json": write_json, "csv": write_csv, "xlsx": write_book}
    trailer = Trailer(kind, visit.hub.keys)
    most, held = len(NO_COMMENT) if kind == "xlsx" else 0, b""
    async for part in writers[kind](visit, report, warning):
        whole = held + trailer.add(part)
        held = whole[len(whole) - most :]
        yield whole[: len(whole) - most]
    yield trailer.end()


async def each_part(visit: Visit, warning: int | None) -> AsyncIterator[list[dict[str, Any]]]:
    """A warning's deliveries, about a thousand at a time; addresses by their last four characters."""
    if warning is None:
        return
    async with visit.hub.store.read() as conn:
        parts = await list_parts(conn, warning)
    for first, last in parts:
        async with visit.hub.store.read() as conn:
            found = await read_part(conn, warning, first, last)
        if found:
            yield found
        await asyncio.sleep(0)  # others want the loop too


async def write_json(visit: Visit, report: Report, warning: int | None) -> AsyncIterator[bytes]:
    """The figures with their definitions and seal, then the deliveries, one object."""
    digest, seal = report.seal(visit.hub.keys)
    said = {key: define(key, visit.lang) for key in defined(report)}
    head = orjson.dumps({"figures_sha256": digest, "figures_seal": seal, "definitions": said})
    yield b'{"report":' + report.packed() + b"," + head[1:-1] + b',"deliveries":['
    comma = b""
    async for rows in each_part(visit, warning):
        yield comma + orjson.dumps([{name: row[name] for name in HEADS} for row in rows])[1:-1]
        comma = b","
    yield b"]"


def plain_cell(value: Any) -> Any:
    """A cell a spreadsheet takes for text, not for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value[:1] else value


def defined(report: Report) -> list[str]:
    """Everything a report says that has a definition, once."""
    columns = [name for table in report.tables for name in COLUMNS[table]]
    return list(dict.fromkeys([*(figure.key for figure in report.figures), *columns]))


def report_rows(visit: Visit, report: Report) -> Iterator[list[Any]]:
    """The figures and tables as rows; shares from 0 to 1, times in seconds or as ISO 8601."""
    lang = visit.lang
    yield [report.title, report.id]
    yield []
    yield [say(key, lang) for key in ("report.figure", "report.value", "report.whole", "report.definition")]
    for figure in report.figures:
        yield [say(f"figure.{figure.key}", lang), figure.value, figure.whole or None, define(figure.key, lang)]
    for table, rows in report.tables.items():
        yield []
        yield [say(f"report.{table}", lang), *column_names(table, lang)]
        for row in rows:
            yield [line_name(table, row, lang), *(file_cell(name, row.cells.get(name), lang) for name in COLUMNS[table])]
    yield []
    yield [say("report.definition", lang)]
    known = {figure.key for figure in report.figures}
    for name in defined(report):
        if name not in known:
            yield [say(f"figure.{name}", lang), define(name, lang)]
    digest, seal = report.seal(visit.hub.keys)
    yield []
    yield [say("report.figures.digest", lang), digest]
    yield [say("report.figures.seal", lang), seal]


def file_cell(column: str, value: Any, lang: str) -> Any:
    """A value as programs read it."""
    if column == "cause":
        return pull_words(value, lang)
    if column == "released_at" and value is not None:
        return datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="seconds")
    return value


def csv_lines(rows: Sequence[Sequence[Any]]) -> bytes:
    """Rows as they stand in the file."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows([[plain_cell(cell) for cell in row] for row in rows])
    return buffer.getvalue().encode()


async def write_csv(visit: Visit, report: Report, warning: int | None) -> AsyncIterator[bytes]:
    """The rows, then the deliveries, with the mark that spreadsheets want for UTF-8."""
    yield BOM.encode() + csv_lines(list(report_rows(visit, report)))
    if warning is not None:
        yield csv_lines([[], HEADS])
    async for rows in each_part(visit, warning):
        yield csv_lines([[row[name] for name in HEADS] for row in rows])
    yield csv_lines([[]])


async def write_book(visit: Visit, report: Report, warning: int | None) -> AsyncIterator[bytes]:
    """A workbook: the figures on one sheet, the deliveries on as many more as they need. It is made in a file."""
    with tempfile.TemporaryDirectory(prefix="warnhub-") as folder:
        path = Path(folder) / "report.xlsx"
        names = say("menu.reports", visit.lang), say("report.deliveries", visit.lang)
        await fill_book(path, names, list(report_rows(visit, report)), each_part(visit, warning))
        with path.open("rb") as file:
            while part := await asyncio.to_thread(file.read, CHUNK):
                yield part


async def fill_book(
    path: Path,
    names: tuple[str, str],
    first: Sequence[Sequence[Any]],
    parts: AsyncIterator[Sequence[Mapping[str, Any]]],
    most: int = SHEET,
) -> None:
    """Write a workbook: `first` on a sheet, then the deliveries, at most `most` rows a sheet."""
    given = {"constant_memory": True, "tmpdir": str(path.parent), "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(str(path), given)
    book.use_zip64()
    write_rows(book.add_worksheet(names[0][:31]), 0, first)
    detail, place, number = None, most, 0
    async for rows in parts:
        for start in range(0, len(rows), most - 1):
            some = rows[start : start + most - 1]
            if place + len(some) > most:
                number += 1
                detail, place = book.add_worksheet(f"{names[1][:25]} {number}"), 1
                write_rows(detail, 0, [HEADS])
            await asyncio.to_thread(write_rows, detail, place, [[row[name] for name in HEADS] for row in some])
            place += len(some)
    await asyncio.to_thread(book.close)


def write_rows(sheet: Any, place: int, rows: Sequence[Sequence[Any]]) -> None:
    """Rows from `place` on, as text and numbers only."""
    for row in rows:
        for column, cell in enumerate(row):
            if isinstance(cell, str):
                sheet.write_string(place, column, cell)
            elif cell is not None:
                sheet.write_number(place, column, cell)
        place += 1
