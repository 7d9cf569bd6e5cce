"""Tables from bytes: CSV in UTF-8 (with or without a byte order mark), UTF-16 or GB18030, divided by , ; | or tab."""

import codecs
import csv
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from warnhub.ingest.findings import Unreadable

DELIMITERS = ",\t;|"
MOST_COLUMNS = 500
HEADS = 10
TITLE = 40


class Row(NamedTuple):
    """A row's line in the file, and its cells by their headers."""

    line: int
    cells: dict[str, str]


class Table(NamedTuple):
    """A table: its headers as written, and its rows."""

    headers: list[str]
    rows: list[Row]


def decode_text(body: bytes) -> str:
    """The text, whatever it was written in. Raises `Unreadable` for what is no text."""
    marked = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    # GB18030 text is hardly ever valid UTF-8 by chance
    for encoding in ["utf-16"] if marked else ["utf-8-sig", "gb18030"]:
        try:
            text = body.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text
    raise Unreadable("TEXT_ENCODING")


def parse_table(body: bytes, most: int, known: Callable[[str], bool]) -> Table:
    """The table of at most so many rows. Its head is the first line of which two cells are `known`; titles may stand above.

    Raises `Unreadable` for what is no such table.
    """
    lines = decode_text(body).splitlines(keepends=True)
    start = next((at for at, line in enumerate(lines[:HEADS]) if heads(line, known)), None)
    if start is None:
        raise Unreadable("TABLE_UNKNOWN", value=next((line.strip()[:TITLE] for line in lines if line.strip()), ""))
    delimiter = max(DELIMITERS, key=lines[start].count)
    try:
        return read_rows(csv.reader(lines[start:], delimiter=delimiter, strict=True), start, most)
    except csv.Error as error:
        raise Unreadable("TABLE_INVALID", str(error)) from error


def heads(line: str, known: Callable[[str], bool]) -> bool:
    """Whether this line names columns."""
    delimiter = max(DELIMITERS, key=line.count)
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return False
    return sum(known(cell) for cell in cells[:MOST_COLUMNS] if cell.strip()) >= 2


def read_rows(reader: Iterator[Sequence[str]], above: int, most: int) -> Table:
    """The rows below the head; empty ones are left out."""
    headers = [cell.strip() for cell in next(reader)][:MOST_COLUMNS]
    rows: list[Row] = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(rows) >= most:
            raise Unreadable("TOO_MANY_READINGS", f"most {most} rows")
        line = above + getattr(reader, "line_num", len(rows) + 2)
        rows.append(Row(line, {name: cell.strip() for name, cell in zip(headers, cells, strict=False) if name}))
    return Table(headers, rows)
