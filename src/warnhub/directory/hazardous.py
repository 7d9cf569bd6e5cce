"""Importing hazard points."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from warnhub.alert import Level
from warnhub.directory import fields
from warnhub.directory.fields import Reader, Wrong
from warnhub.directory.homes import AREA, PLACE, common_readers, read_count, read_words
from warnhub.directory.listing import Listing, Values, import_listing
from warnhub.directory.report import Progress, Report
from warnhub.store.areas import load_codes
from warnhub.store.engine import Store
from warnhub.store.points import Entry, save_points

POINTS = {
    "ref": ("编号", "隐患点编号", "id"),
    "area": AREA,
    "kind": ("类型", "种类", "type"),
    "name": ("名称", "隐患点", "隐患点名称"),
    "level": ("等级", "颜色", "级别"),
    "keepers": ("责任人", "责任人编号"),
    "people": ("威胁人数", "受威胁人数", "人数"),
    "way": ("撤离路线", "路线"),
    "shelter": ("安置点", "安置点编号"),
    "urgency": ("整改时限", "时限"),
    "due": ("整改日期", "完成日期"),
    **PLACE,
}
KINDS = {
    **{"滑坡": "slide", "地质灾害": "slide", "崩塌": "slide", "泥石流": "slide", "河段": "river", "河道": "river"},
    **{
        "水库": "reservoir",
        "山塘": "reservoir",
        "林区": "forest",
        "森林": "forest",
        "矿山": "mine",
        "工地": "works",
        "工程": "works",
    },
}
LEVELS = {"红": Level.RED, "橙": Level.ORANGE, "黄": Level.YELLOW, "蓝": Level.BLUE}
URGENCIES = {"立即": "now", "立行立改": "now", "24小时": "day", "计划": "planned", "限期": "planned"}


def choose(words: Mapping[str, str]) -> Reader:
    """A reader of one of these words, or of what they stand for."""
    known = dict(words) | {value: value for value in words.values()}

    def read(cell: str) -> str:
        found = known.get(cell) or known.get(cell.lower())
        if found is None:
            raise Wrong("form")
        return found

    return read


def read_level(cell: str) -> str:
    """A colour, in either language."""
    found = LEVELS.get(cell[:1])
    if found is None and cell.lower() not in set(Level):
        raise Wrong("form")
    return (found or Level(cell.lower())).value


def read_refs(cell: str) -> list[str]:
    """Refs of people, divided by blanks, commas or 、."""
    return [fields.read_ref(one) for one in cell.replace("、", " ").replace(",", " ").replace("，", " ").split()]


def read_date(cell: str) -> int:
    """A date as the end of its day in UTC, milliseconds."""
    try:
        day = datetime.fromisoformat(cell.replace("/", "-")).replace(tzinfo=UTC, hour=23, minute=59)
    except ValueError as error:
        raise Wrong("form") from error
    return int(day.timestamp() * 1000)


async def import_points(store: Store, path: Path, *, partial: bool = False, progress: Progress | None = None) -> Report:
    """Add or change hazard points from a CSV or GeoJSON file; the columns are POINTS. Where a point stands is left alone."""
    async with store.read() as conn:
        codes = await load_codes(conn)
    readers = common_readers(codes) | {
        "kind": choose(KINDS),
        "name": fields.read_name,
        "level": read_level,
        "keepers": read_refs,
        "people": read_count(1_000_000),
        "way": read_words(300),
        "shelter": fields.read_ref,
        "urgency": choose(URGENCIES),
        "due": read_date,
    }
    listing = Listing(POINTS, readers, ("ref", "area", "kind", "name", "level"))
    return await import_listing(store, path, listing, make_point, save_points, partial, progress)


def make_point(values: Values) -> Entry:
    """A point from a line; what is planned needs a date."""
    urgency = values.get("urgency", "day")
    if urgency == "planned" and "due" not in values:
        raise Wrong("required")
    return Entry(
        values["ref"],
        values["area"],
        values["kind"],
        values["name"],
        values["level"],
        values.get("keepers", []),
        values.get("people", 0),
        values.get("way", ""),
        values.get("shelter", ""),
        urgency,
        values.get("due") if urgency == "planned" else None,
        values.get("lon"),
        values.get("lat"),
    )
