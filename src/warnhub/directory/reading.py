"""From a line's cells to a recipient as the store takes it, or to what is wrong with the line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from warnhub.directory import fields
from warnhub.directory.fields import Reader, Wrong, hide
from warnhub.directory.report import BadLine
from warnhub.directory.sheet import Line, Sheet
from warnhub.roles import Role
from warnhub.store.areas import trim_code
from warnhub.store.recipients import Entry

Cells = dict[str, Any]


class CodeReader:
    """Reads a division code into an area's id; each spelling is resolved once."""

    def __init__(self, codes: Mapping[str, int]) -> None:
        self.codes = codes
        self.seen: dict[str, int] = {}

    def __call__(self, cell: str) -> int:
        """The id of the area a code means, padded or not."""
        found = self.seen.get(cell)
        if found is None:
            code = trim_code(cell.removesuffix(".0"))
            if code is None:
                raise Wrong("code")
            if code not in self.codes:
                raise Wrong("area")
            found = self.seen[cell] = self.codes[code]
        return found


def people_readers(codes: Mapping[str, int]) -> dict[str, Reader]:
    """How each column of a file of people is read."""
    return {
        "ref": fields.read_ref,
        "name": fields.read_name,
        "role": fields.read_person,
        "area": CodeReader(codes),
        "phone": fields.read_phone,
        "openid": fields.read_openid,
        "push": fields.read_push,
        "jpush": fields.read_jpush,
        "fcm": fields.read_fcm,
        "language": fields.read_language,
        "deputy": fields.read_ref,
        "superior": fields.read_ref,
        "opt_out": fields.read_flag,
    }


def device_readers(codes: Mapping[str, int]) -> dict[str, Reader]:
    """How each column of a file of devices is read."""
    return {
        "ref": fields.read_ref,
        "name": fields.read_name,
        "area": CodeReader(codes),
        "kind": fields.read_device,
        "address": fields.read_topic,
    }


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file: its columns, those a file must have, those a line must fill, and what a line becomes."""

    name: str
    headers: dict[str, tuple[str, ...]]
    needed: tuple[str, ...]
    filled: frozenset[str]


PERSON = Kind("person", fields.PEOPLE, ("ref", "area"), frozenset({"ref", "area"}))
DEVICE = Kind("device", fields.DEVICES, ("ref", "area", "kind", "address"), frozenset({"ref", "area", "kind", "address"}))


class LineReader:
    """Reads the lines of one sheet."""

    def __init__(self, kind: Kind, sheet: Sheet, readers: Mapping[str, Reader]) -> None:
        self.kind = kind
        self.width = sheet.width
        self.plan = [(column, place, readers[column]) for column, place in sheet.columns.items() if column in readers]
        self.push = [column for column in PUSH if column in sheet.columns]

    def read(self, line: Line) -> tuple[Entry | None, list[BadLine], list[BadLine]]:
        """(the recipient, nothing wrong, warnings) or (None, everything wrong with the line, [])."""
        values, wrong = self.values(line)
        if self.kind is DEVICE:
            return (None, wrong, []) if wrong else (device_entry(values), [], [])
        if values.get("name") == "" and (role := values.get("role")) and Role(role).responsible:
            wrong.append(BadLine(line.number, "name", "required"))
        if wrong:
            return None, wrong, []
        return self.person_entry(values), [], self.warnings(line.number, values)

    def values(self, line: Line) -> tuple[Cells, list[BadLine]]:
        """(value of each column, what is wrong); an empty cell is ""."""
        values: Cells = {}
        wrong: list[BadLine] = []
        if len(line.cells) > self.width and any(line.cells[self.width :]):
            wrong.append(BadLine(line.number, "", "cells"))
        for column, place, read in self.plan:
            cell = line.cells[place].strip()
            try:
                if cell:
                    if "\ufffd" in cell:
                        raise Wrong("encoding")
                    values[column] = read(cell)
                elif column in self.kind.filled:
                    raise Wrong("required")
                else:
                    values[column] = ""
            except Wrong as error:
                wrong.append(BadLine(line.number, column, error.rule, hide(column, cell)))
        return values, wrong

    def person_entry(self, values: Cells) -> Entry:
        """A person; an empty cell takes an address, a deputy or a superior away, and says nothing of the rest."""
        return Entry(
            values["ref"],
            "person",
            values.get("role") or None,
            values.get("name") or None,
            values["area"],
            values.get("language") or None,
            values.get("deputy"),
            values.get("superior"),
            flag if (flag := values.get("opt_out", "")) != "" else None,
            self.addresses(values),
        )

    def warnings(self, number: int, values: Cells) -> list[BadLine]:
        """What is odd about a person, and used all the same."""
        ref, found = values["ref"], []
        for column in ("deputy", "superior"):
            if values.get(column) == ref:
                found.append(BadLine(number, column, "itself", hide(column, ref)))
        if len(self.push) > 1 and len([column for column in self.push if values[column]]) > 1:
            found.append(BadLine(number, "push", "second_push"))
        return found

    def addresses(self, values: Cells) -> dict[str, str]:
        """A person's address on each channel the sheet has a column for."""
        found = {}
        if "phone" in values:
            found["sms"] = values["phone"]
        if "openid" in values:
            found["wechat"] = values["openid"]
        if self.push:
            found["push"] = next(filter(None, map(values.get, self.push)), "")
        return found


PUSH = ("push", "jpush", "fcm")
DEVICE_CHANNELS = {Role.SPEAKER.value: "loudspeaker", Role.DISPLAY.value: "display"}


def device_entry(values: Cells) -> Entry:
    """A loudspeaker or a display."""
    role, address = values["kind"], values["address"]
    name = values.get("name") or None
    return Entry(values["ref"], "device", role, name, values["area"], addresses={DEVICE_CHANNELS[role]: address})
