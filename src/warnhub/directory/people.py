"""Importing people and devices: the whole file is checked first, then written in short transactions.

A transaction never holds more than a few thousand lines, so that a warning is not kept waiting behind an import; should
the machine stop between two of them, the same file again writes the rest.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from warnhub.crypto import KeyRing
from warnhub.directory.fields import Reader, header_names, hide
from warnhub.directory.reading import DEVICE, PERSON, Kind, LineReader, device_readers, people_readers
from warnhub.directory.report import BadLine, Progress, Report
from warnhub.directory.sheet import Line, Sheet, Unreadable, open_sheet
from warnhub.store.areas import load_codes
from warnhub.store.engine import Store
from warnhub.store.recipients import Entry, find_kinds, save_entries

CHUNK = 5_000


async def import_people(
    store: Store, keys: KeyRing, path: Path, *, partial: bool = False, progress: Progress | None = None
) -> Report:
    """Add or change people from a CSV or GeoJSON file; the columns are `fields.PEOPLE`, `ref` and `area` are needed.

    A missing column leaves what is kept; an empty cell takes an address, a deputy or a superior away, and leaves a role, a
    name, a language or an opt-out. With a bad line nothing is written, unless `partial`. OSError if the file cannot be read.
    """
    async with store.read() as conn:
        readers = people_readers(await load_codes(conn))
    return await Import(store, keys, PERSON, readers, progress).run(path, partial)


async def import_devices(
    store: Store, keys: KeyRing, path: Path, *, partial: bool = False, progress: Progress | None = None
) -> Report:
    """Add or change loudspeakers and displays; the columns are `fields.DEVICES`. Otherwise like `import_people`."""
    async with store.read() as conn:
        readers = device_readers(await load_codes(conn))
    return await Import(store, keys, DEVICE, readers, progress).run(path, partial)


class Import:
    """One run over one file."""

    def __init__(
        self, store: Store, keys: KeyRing, kind: Kind, readers: Mapping[str, Reader], progress: Progress | None
    ) -> None:
        self.store = store
        self.keys = keys
        self.kind = kind
        self.readers = readers
        self.progress: Progress = progress or (lambda stage, done, total: None)
        self.report = Report()
        self.seen: set[str] = set()
        self.skipped: set[int] = set()
        self.named: dict[str, tuple[int, str]] = {}

    async def run(self, path: Path, partial: bool) -> Report:
        """Check, then write if it may be written."""
        try:
            sheet = await asyncio.to_thread(open_sheet, path, header_names(self.kind.headers))
        except Unreadable as error:
            self.report.refuse(BadLine(1, "", error.rule, error.value))
            return self.report
        missing = [BadLine(1, column, "column") for column in self.kind.needed if column not in sheet.columns]
        if missing:
            self.report.refuse(*missing)
            return self.report
        self.report.warn(*(BadLine(1, title, "unknown_column") for title in sheet.unknown))
        await self.check(LineReader(self.kind, sheet, self.readers), sheet)
        if partial or not self.report.bad_count:
            await self.write(LineReader(self.kind, sheet, self.readers), sheet)
        return self.report

    async def check(self, reader: LineReader, sheet: Sheet) -> None:
        """Read every line once and write nothing."""
        lines = sheet.lines()
        while chunk := await asyncio.to_thread(take, lines):
            entries = await asyncio.to_thread(self.check_lines, reader, chunk)
            async with self.store.read() as conn:
                kinds = await find_kinds(conn, [entry.ref for _, entry in entries])
            for number, entry in entries:
                if kinds.get(entry.ref, self.kind.name) != self.kind.name:
                    self.refuse(number, BadLine(number, "ref", "taken", hide("ref", entry.ref)))
            self.report.lines += len(chunk)
            self.progress("check", self.report.lines, 0)
        await self.check_named()
        self.seen.clear()

    def check_lines(self, reader: LineReader, lines: Sequence[Line]) -> list[tuple[int, Entry]]:
        """The usable lines of a chunk by their numbers; the others are refused."""
        entries = []
        for line in lines:
            entry, wrong, warnings = reader.read(line)
            if entry is None:
                self.refuse(line.number, *wrong)
            elif entry.ref in self.seen:
                self.refuse(line.number, BadLine(line.number, "ref", "repeat", hide("ref", entry.ref)))
            else:
                self.seen.add(entry.ref)
                self.report.warn(*warnings)
                entries.append((line.number, entry))
                for field, ref in (("deputy", entry.deputy), ("superior", entry.superior)):
                    if ref:
                        self.named.setdefault(ref, (line.number, field))
        return entries

    def refuse(self, number: int, *wrong: BadLine) -> None:
        """A line that will not be written."""
        self.skipped.add(number)
        self.report.refuse(*wrong)

    async def check_named(self) -> None:
        """Warn of deputies and superiors that are neither in the file nor in the store."""
        missing = [ref for ref in self.named if ref not in self.seen]
        async with self.store.read() as conn:
            kinds = await find_kinds(conn, missing)
        for ref in missing:
            if kinds.get(ref) != "person":
                number, field = self.named[ref]
                self.report.warn(BadLine(number, field, "unknown_ref", hide(field, ref)))

    async def write(self, reader: LineReader, sheet: Sheet) -> None:
        """Read every line again and write those that were found good."""
        done, lines = 0, sheet.lines()
        while chunk := await asyncio.to_thread(take, lines):
            entries = await asyncio.to_thread(self.good_entries, reader, chunk)
            async with self.store.write() as tx:
                self.report.count(await save_entries(tx, self.keys, entries))
            done += len(chunk)
            self.progress("write", done, self.report.lines)

    def good_entries(self, reader: LineReader, lines: Sequence[Line]) -> list[Entry]:
        """The recipients of those lines that passed the check."""
        read = (reader.read(line)[0] for line in lines if line.number not in self.skipped)
        return [entry for entry in read if entry]


def take(lines: Iterator[Line]) -> list[Line]:
    """The next few thousand lines; [] at the end."""
    return list(islice(lines, CHUNK))
