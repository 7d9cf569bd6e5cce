"""Importing lists of what is neither people nor areas: shelters, households, hazard points. Checked whole, then written."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from warnhub.directory.fields import Reader, Wrong, header_names, hide
from warnhub.directory.report import BadLine, Progress, Report
from warnhub.directory.sheet import Line, Sheet, Unreadable, open_sheet
from warnhub.store.areas import Saved
from warnhub.store.engine import Store, Tx

CHUNK = 2_000
T = TypeVar("T")
Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """A kind of list: its columns by any of their headers, how each is read, and which must be there and filled."""

    headers: Mapping[str, tuple[str, ...]]
    readers: Mapping[str, Reader]
    needed: tuple[str, ...]
    hidden: frozenset[str] = field(default=frozenset())


async def import_listing(
    store: Store,
    path: Path,
    listing: Listing,
    make: Callable[[Values], T],
    save: Callable[[Tx, Sequence[T]], Awaitable[Saved]],
    partial: bool,
    progress: Progress | None,
) -> Report:
    """Read a list and save what each line makes, by its `ref`. With a bad line nothing is written, unless `partial`.

    `make` may raise `Wrong` for a line whose cells do not go together. OSError if the file cannot be read.
    """
    report = Report()
    try:
        sheet = await asyncio.to_thread(open_sheet, path, header_names(dict(listing.headers)))
    except Unreadable as error:
        report.refuse(BadLine(1, "", error.rule, error.value))
        return report
    missing = [BadLine(1, column, "column") for column in listing.needed if column not in sheet.columns]
    if missing:
        report.refuse(*missing)
        return report
    report.warn(*(BadLine(1, title, "unknown_column") for title in sheet.unknown))
    made = await asyncio.to_thread(read_listing, sheet, listing, make, report)
    if progress:
        progress("check", report.lines, report.lines)
    if made and (partial or not report.bad_count):
        for start in range(0, len(made), CHUNK):
            async with store.write() as tx:
                report.count(await save(tx, made[start : start + CHUNK]))
            if progress:
                progress("write", min(start + CHUNK, len(made)), len(made))
    return report


def read_listing(sheet: Sheet, listing: Listing, make: Callable[[Values], T], report: Report) -> list[T]:
    """What the usable lines make; the others are refused."""
    made: list[T] = []
    seen: set[str] = set()
    for line in sheet.lines():
        report.lines += 1
        values, wrong = read_values(line, sheet, listing)
        ref = str(values.get("ref", ""))
        if ref and ref in seen:
            wrong.append(BadLine(line.number, "ref", "repeat", hide("ref", ref)))
        if not wrong:
            try:
                made.append(make(values))
                seen.add(ref)
            except Wrong as error:
                wrong.append(BadLine(line.number, "", error.rule, ref))
        if wrong:
            report.refuse(*wrong)
    return made


def read_values(line: Line, sheet: Sheet, listing: Listing) -> tuple[Values, list[BadLine]]:
    """(the value of each filled column, what is wrong)."""
    values: Values = {}
    wrong: list[BadLine] = []
    for column, read in listing.readers.items():
        cell = line.cells[sheet.columns[column]].strip() if column in sheet.columns else ""
        try:
            if cell:
                if "\ufffd" in cell:
                    raise Wrong("encoding")
                values[column] = read(cell)
            elif column in listing.needed:
                raise Wrong("required")
        except Wrong as error:
            shown = "…" if column in listing.hidden else hide(column, cell)
            wrong.append(BadLine(line.number, column, error.rule, shown))
    return values, wrong
