"""The stations and points that a county watches, with their areas and thresholds: a table the county keeps, as CSV or JSON.

A reading that does not bring its own thresholds or places is read with those of its station. Columns are those of the
readings themselves (`hydrology.yaml`, `geology.yaml`): code, name, river, area codes, warning, guaranteed, historical, …
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from warnhub.config import ConfigError
from warnhub.ingest.fields import bare_name, is_nothing
from warnhub.ingest.findings import Unreadable
from warnhub.ingest.native import parse_json
from warnhub.ingest.scales import BOOKS, Book, read_book
from warnhub.ingest.table import parse_table

MOST = 100_000
Stations = Mapping[str, Mapping[str, Any]]


def read_stations(path: Path) -> Stations:
    """The stations of a file by their codes. Raises `Unreadable` with the row, or OSError."""
    body = path.read_bytes()
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"[", b"{")):
        value = parse_json(body)
        rows = value.get("stations", value.get("points")) if isinstance(value, dict) else value
        named = [(f"[{at}]", one) for at, one in enumerate(rows if isinstance(rows, list) else [])]
    else:
        named = [(f"row[{row.line}]", row.cells) for row in parse_table(body, MOST, is_column).rows]
    stations: dict[str, Mapping[str, Any]] = {}
    for place, one in named:
        code = station_code(one) if isinstance(one, Mapping) else ""
        if not code:
            raise Unreadable("MISSING_REQUIRED_ELEMENT", "station", place)
        if code in stations:
            raise Unreadable("STATION_TWICE", path=place, value=code)
        stations[code] = one
    return stations


def load_stations(path: Path | None) -> Stations:
    """The county's stations, none where no file is named. Raises `ConfigError` that says what is wrong and where."""
    if path is None:
        return {}
    try:
        return read_stations(path)
    except Unreadable as error:
        raise ConfigError(f"stations: {path.name}: {error} {error.problem.value}".strip()) from error
    except OSError as error:
        raise ConfigError(f"stations: cannot read {path}: {error.strerror}") from error


def is_column(name: str) -> bool:
    """Whether any of the forms knows a column of this name."""
    return any(knows(read_book(form), name) for form in BOOKS)


def knows(book: Book, name: str) -> bool:
    """Whether a form has a field or a scale of this name."""
    bare = bare_name(name)
    return bool(bare) and (any(bare in book.bare_names(field) for field in book.names) or bool(book.scale_of(name)))


def station_code(row: Mapping[str, Any]) -> str:
    """The code a row is of; "" of none."""
    names = {bare_name(one) for form in BOOKS for one in read_book(form).names["station"]}
    found = (str(value).strip() for key, value in row.items() if bare_name(key) in names and not is_nothing(value))
    return next(found, "")
