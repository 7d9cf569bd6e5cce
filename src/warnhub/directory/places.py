"""Importing areas: divisions and grids with their shapes, from GeoJSON or CSV, in one transaction."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import shapely

from warnhub.directory import fields
from warnhub.directory.fields import Wrong, header_names, hide
from warnhub.directory.report import BadLine, Progress, Report
from warnhub.directory.sheet import Line, Sheet, Unreadable, open_sheet
from warnhub.store.areas import Place, load_codes, parent_code, save_places, trim_code
from warnhub.store.engine import Store

NEEDED = ("code", "name")
# China in whole degrees (east, north): a point that fits only when turned round was given as (latitude, longitude).
EAST, NORTH = (73, 136), (3, 54)


async def import_areas(store: Store, path: Path, *, partial: bool = False, progress: Progress | None = None) -> Report:
    """Add or change areas by code; the columns are `fields.AREAS`, and a feature's geometry (WKT or GeoJSON in CSV) its shape.

    Parents may stand anywhere in the file or be in the store. A missing shape leaves the one that is kept. With a bad line
    nothing is written, unless `partial`. OSError if the file cannot be read.
    """
    report = Report()
    try:
        sheet = await asyncio.to_thread(open_sheet, path, header_names(fields.AREAS))
    except Unreadable as error:
        report.refuse(BadLine(1, "", error.rule, error.value))
        return report
    missing = [BadLine(1, column, "column") for column in NEEDED if column not in sheet.columns]
    if missing:
        report.refuse(*missing)
        return report
    async with store.read() as conn:
        codes = await load_codes(conn)
    places = await asyncio.to_thread(read_places, sheet, codes, report)
    if progress:
        progress("check", report.lines, report.lines)
    if places and (partial or not report.bad_count):
        async with store.write() as tx:
            report.count(await save_places(tx, places))
        if progress:
            progress("write", report.lines, report.lines)
    return report


def read_places(sheet: Sheet, codes: Mapping[str, int], report: Report) -> list[Place]:
    """The usable places of a sheet; the others, those without a parent too, are refused."""
    found: dict[str, tuple[int, Place]] = {}
    for line in sheet.lines():
        report.lines += 1
        place, wrong = read_place(line, sheet.columns, report)
        if place and place.code in found:
            wrong = [BadLine(line.number, "code", "repeat", place.code)]
        if wrong or place is None:
            report.refuse(*wrong)
        else:
            found[place.code] = (line.number, place)
    good: dict[str, Place] = {}
    for code, (number, place) in sorted(found.items(), key=lambda item: len(item[0])):
        parent = parent_code(code)
        if parent is None or parent in good or parent in codes:
            good[code] = place
        else:
            report.refuse(BadLine(number, "code", "parent", code))
    return list(good.values())


def read_place(line: Line, columns: Mapping[str, int], report: Report) -> tuple[Place | None, list[BadLine]]:
    """(the place, []) or (None, everything wrong with the line)."""
    values: dict[str, Any] = {}
    wrong: list[BadLine] = []
    for column, read in READERS.items():
        cell = line.cells[columns[column]].strip() if column in columns else ""
        try:
            if cell:
                if "\ufffd" in cell:
                    raise Wrong("encoding")
                values[column] = read(cell)
            elif column in NEEDED:
                raise Wrong("required")
        except Wrong as error:
            wrong.append(BadLine(line.number, column, error.rule, hide(column, cell)))
    if wrong:
        return None, wrong
    shape, repaired = values.get("shape") or (None, False)
    if repaired:
        report.warn(BadLine(line.number, "shape", "repaired", values["code"]))
    point = shape.representative_point() if shape else None
    lon, lat = (values.get("lon"), values.get("lat")) if "lon" in values or not point else (point.x, point.y)
    return Place(values["code"], values["name"], shapely.to_wkb(shape) if shape else None, lon, lat), []


def read_code(cell: str) -> str:
    """A division code, trimmed."""
    code = trim_code(cell.removesuffix(".0"))
    if code is None:
        raise Wrong("code")
    return code


def read_shape(cell: str) -> tuple[Any, bool]:
    """(polygon or multipolygon, whether it had to be repaired) of WKT or GeoJSON text."""
    try:
        shape = shapely.from_geojson(cell) if cell.startswith("{") else shapely.from_wkt(cell)
    except shapely.errors.GEOSException as error:
        raise Wrong("shape") from error
    if shape.geom_type not in {"Polygon", "MultiPolygon"} or shape.is_empty:
        raise Wrong("shape")
    check_bounds(shape.bounds)
    shape = shapely.force_2d(shape)
    if shape.is_valid:
        return shape, False
    parts = [part for part in shapely.get_parts(shapely.make_valid(shape)) if part.area]
    if not parts:
        raise Wrong("shape")
    return shapely.unary_union(parts), True


def check_bounds(bounds: tuple[float, float, float, float]) -> None:
    """Raise `Wrong` unless these can be (longitude, latitude)."""
    west, south, east, north = bounds
    if EAST[0] <= south and north <= EAST[1] and NORTH[0] <= west and east <= NORTH[1]:
        raise Wrong("swapped")
    if not (west >= -180 and south >= -90 and east <= 180 and north <= 90):
        raise Wrong("range")


READERS = {
    "code": read_code,
    "name": fields.read_name,
    "lon": fields.read_degrees,
    "lat": fields.read_degrees,
    "shape": read_shape,
}
