"""Areas of XML forms: names, codes, polygons and circles, each through its gate."""

import re
from collections.abc import Iterable, Sequence

from lxml import etree

from warnhub.alert import Area, Circle, Code, Polygon
from warnhub.ingest.findings import Findings, xpath
from warnhub.ingest.geometry import Order, count_points, cut_out, read_circle, read_polygon
from warnhub.ingest.mapping import Named, mapping
from warnhub.ingest.text import LINE, clean_text
from warnhub.ingest.tree import child, children, said, words

SPLIT = re.compile(r"[,，;；、\s]+")
DIVISION = re.compile(r"\d{6}|\d{9}|\d{12}|\d{15}", re.ASCII)
LONG_DIVISION = re.compile(r"\d{12}00", re.ASCII)
EXCLUDE = "EXCLUDE"
MOST_CODES = 5_000


def too_large(alert: etree._Element, findings: Findings) -> bool:
    """Whether it has more polygons or points than `Limits` allows; told by scanning, before any is read."""
    shapes = [one for one in alert.iter("{*}polygon", "{*}circle")]
    holes = [one for one in alert.iter("{*}geocode") if said(one, "valueName").upper().startswith(EXCLUDE)]
    points = sum(count_points(words(one)) for one in (*shapes, *holes))
    limits = findings.limits
    if len(shapes) <= limits.max_polygons and points <= limits.max_points:
        return False
    most = f"most {limits.max_polygons} shapes, {limits.max_points} points"
    findings.add(alert, "GEOMETRY_TOO_LARGE", f"{len(shapes)} shapes, {points} points", most)
    return True


def read_area(area: etree._Element, named: Sequence[tuple[etree._Element, Named]], findings: Findings) -> Area:
    """One CAP area. `named` are its geocodes as scheme and value, with where they stand."""
    polygons = read_shapes(area, findings, Order.LATITUDE_FIRST)
    circles = read_circles(area, findings, Order.LATITUDE_FIRST)
    holes = [one for one in named if one[1].name.upper() == "EXCLUDE_POLYGON"]
    codes = [code for where, one in named if (where, one) not in holes for code in read_codes(where, one, findings)]
    altitude, ceiling = read_heights(area, findings)
    more = bool(circles) or any(not code.exclude for code in codes)
    polygons, excluded = take_out(area, polygons, more, holes, findings)
    return Area(
        name=clean_text(said(area, "areaDesc"), area, findings, LINE, lines=False),
        codes=findings.first(area, unique(codes), MOST_CODES),
        polygons=polygons,
        circles=circles,
        excluded=excluded,
        altitude=altitude,
        ceiling=ceiling,
    )


def read_shapes(area: etree._Element, findings: Findings, order: Order) -> list[Polygon]:
    """The sound polygons."""
    read = (read_polygon(words(one), one, findings, order) for one in children(area, "polygon"))
    return [one for one in read if one]


def read_circles(area: etree._Element, findings: Findings, order: Order) -> list[Circle]:
    """The sound circles."""
    read = (read_circle(words(one), one, findings, order) for one in children(area, "circle"))
    return [one for one in read if one]


def take_out(
    area: etree._Element,
    polygons: list[Polygon],
    more: bool,
    holes: Sequence[tuple[etree._Element, Named]],
    findings: Findings,
) -> tuple[list[Polygon], list[Polygon]]:
    """(the polygons less the excluded parts, what is still to be taken out where there is `more` than polygons).

    An exclusion that cannot be used is held: never told wider than meant.
    """
    if not holes:
        return polygons, []
    read = [read_polygon(one.value, where, findings, Order.LATITUDE_FIRST) for where, one in holes]
    cuts = [one for one in read if one]
    if len(cuts) < len(holes) or not (polygons or more):
        findings.add(holes[0][0], "EXCLUSION_UNUSED", holes[0][1].value)
    left = (cut_out(polygons, cuts) if cuts and polygons else polygons) or []
    if polygons and not left and not more:
        findings.add(area, "INVALID_AREA", "", "the excluded part is the whole")
    return left, cuts if more else []


def read_codes(where: etree._Element, named: Named, findings: Findings) -> list[Code]:
    """The codes of one geocode; those of Chinese divisions by their digits, others as they are."""
    name, value = named
    if not value:
        findings.add(where, "GEOCODE_EMPTY", name)
        return []
    if name.lower() in mapping()["division_schemes"] and all(map(is_division, SPLIT.split(value.strip(",，")))):
        return read_divisions(where, value, findings)
    if len(value) > 128 or len(name) > 128:
        findings.add(where, "GEOCODE_INVALID", value)
        return []
    return [Code(value=value, scheme=name or "unnamed", exclude=name.upper().startswith(EXCLUDE))]


def is_division(code: str) -> bool:
    """Whether it has the digits of a division or a grid."""
    return bool(DIVISION.fullmatch(code) or LONG_DIVISION.fullmatch(code))


def read_divisions(where: etree._Element | str, text: str, findings: Findings) -> list[Code]:
    """Division codes from a list: 6, 9, 12 or 15 digits; 14 digits that end in two zeros are 12."""
    codes = []
    for value in filter(None, SPLIT.split(text)):
        if not is_division(value):
            findings.add(where, "GEOCODE_INVALID", value)
        else:
            codes.append(Code(value=value[:12] if len(value) == 14 else value))
    return codes


def unique(codes: Iterable[Code]) -> list[Code]:
    """Each code once, in the order they came."""
    return list({(code.scheme, code.value, code.exclude): code for code in codes}.values())


def read_heights(area: etree._Element, findings: Findings) -> tuple[float | None, float | None]:
    """Altitude and ceiling, in the source's feet; a ceiling needs an altitude below it."""
    altitude, ceiling = (read_height(child(area, name), findings) for name in ("altitude", "ceiling"))
    if ceiling is not None and (altitude is None or ceiling < altitude):
        findings.add(area, "INVALID_AREA", said(area, "ceiling"), "a ceiling needs an altitude below it")
        findings.add(f"{xpath(area)}/ceiling[1]", "INVALID_HEIGHT", said(area, "ceiling"))
        return altitude, None
    return altitude, ceiling


def read_height(element: etree._Element | None, findings: Findings) -> float | None:
    """A number, or None."""
    text = words(element).strip()
    if element is None or not text:
        return None
    if not re.fullmatch(r"[-+]?(?:\d+\.?\d*|\.\d+)", text, re.ASCII):
        findings.add(element, "INVALID_HEIGHT", text)
        return None
    return float(text)


def merge_areas(areas: Iterable[Area]) -> list[Area]:
    """Each place once: the same codes and shapes under another language's name are the same place."""
    kept: dict[str, Area] = {}
    for area in areas:
        shape = area.model_dump_json(exclude={"name"})
        kept.setdefault(shape if area.placeable else f"{shape}{area.name}", area)
    return list(kept.values())
