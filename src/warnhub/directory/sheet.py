"""Reading the tables that offices send: CSV in UTF-8 or GB18030, or GeoJSON, as lines of cells under known columns."""

import codecs
import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson

BLOCK = 1 << 20
# A county's outline is one cell of several hundred thousand characters; the csv module's own limit is 131,072.
csv.field_size_limit(16_000_000)


class Unreadable(Exception):
    """The file as a whole is not a table we can read; `rule` and `value` say why."""

    def __init__(self, rule: str, value: str = "") -> None:
        super().__init__(f"{rule}: {value}")
        self.rule = rule
        self.value = value


class Line(NamedTuple):
    """A line's number in its file, and its cells in the order of the sheet's columns."""

    number: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its known columns, each with its place in a line, and the columns that nobody knows."""

    path: Path
    columns: dict[str, int]
    unknown: list[str]
    width: int
    encoding: str = "utf-8"
    delimiter: str = ","
    features: list[dict[str, Any]] = field(default_factory=list)

    def lines(self) -> Iterator[Line]:
        """Every line after the header that is not empty; reading starts again with each call."""
        if self.features:
            return read_features(self)
        return read_lines(self)


def open_sheet(path: Path, names: Mapping[str, str]) -> Sheet:
    """The sheet in a file, by its content; `names` gives the column each header means, in lower case.

    Raises `Unreadable` for a file that is empty, no text, or no GeoJSON where it begins like one.
    """
    with path.open("rb") as file:
        start = file.read(64).removeprefix(codecs.BOM_UTF8).lstrip()
    if start.startswith(b"{"):
        return open_geojson(path, names)
    encoding = detect_encoding(path)
    with path.open(encoding=encoding, errors="replace", newline="") as text:
        first = next(text, "")
        delimiter = max(",\t;", key=first.count)
        text.seek(0)
        titles = next(csv.reader(text, delimiter=delimiter), [])
    if not any(title.strip() for title in titles):
        raise Unreadable("file")
    return Sheet(path, *match_titles(titles, names), len(titles), encoding, delimiter)


def match_titles(titles: Sequence[str], names: Mapping[str, str]) -> tuple[dict[str, int], list[str]]:
    """(known column → its place, unknown headers); the first of two headers for one column counts."""
    columns: dict[str, int] = {}
    unknown = []
    for place, title in enumerate(titles):
        known = names.get(title.strip().strip("*").lower())
        if known and known not in columns:
            columns[known] = place
        elif title.strip():
            unknown.append(title.strip())
    return columns, unknown


def open_geojson(path: Path, names: Mapping[str, str]) -> Sheet:
    """The features of a collection as lines: their properties, and the geometry as a column `shape`."""
    try:
        collection = orjson.loads(path.read_bytes().removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as error:
        raise Unreadable("file", "JSON") from error
    features = collection.get("features")
    if not isinstance(features, list) or not features or not all(map(is_feature, features)):
        raise Unreadable("file", "GeoJSON FeatureCollection")
    titles = list(dict.fromkeys(key for feature in features for key in feature["properties"] or {}))
    columns, unknown = match_titles([*titles, "shape"], {**names, "shape": "shape"})
    return Sheet(path, columns, unknown, len(titles) + 1, features=[{**feature, "titles": titles} for feature in features])


def is_feature(value: Any) -> bool:
    """Whether this has the form of a GeoJSON feature."""
    return isinstance(value, dict) and isinstance(value.get("properties", 0), dict | None)


def read_features(sheet: Sheet) -> Iterator[Line]:
    """One line for each feature."""
    for number, feature in enumerate(sheet.features, 1):
        values = feature["properties"] or {}
        geometry = feature.get("geometry")
        cells = ["" if (value := values.get(title)) is None else str(value) for title in feature["titles"]]
        yield Line(number, [*cells, orjson.dumps(geometry).decode() if geometry else ""])


def read_lines(sheet: Sheet) -> Iterator[Line]:
    """One line for each record; short ones are filled up, a record's number is that of its first line."""
    with sheet.path.open(encoding=sheet.encoding, errors="replace", newline="") as text:
        reader = csv.reader(text, delimiter=sheet.delimiter)
        next(reader, None)
        number = reader.line_num + 1
        for cells in reader:
            if any(cells):
                yield Line(number, cells + [""] * (sheet.width - len(cells)))
            number = reader.line_num + 1


def detect_encoding(path: Path) -> str:
    """utf-8-sig, utf-16 or gb18030, by the whole file.

    A file with a few broken bytes is still UTF-8: in GB18030 text hardly any character happens to be valid UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    broken = others = 0
    with path.open("rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
        file.seek(0)
        while block := file.read(BLOCK):
            text = decoder.decode(block)
            broken += text.count("\ufffd")
            others += len(text) - len(text.encode("ascii", "ignore"))
    return "utf-8-sig" if others >= 20 * broken else "gb18030"
