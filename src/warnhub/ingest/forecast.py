"""Risk forecasts by area and level that two offices issue together → `Alert`; what they are is `forecast.yaml`.

One alert a level: the areas of one level are told the same. From the level on at which both offices must have signed, one
that names only one of them is held.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from pydantic import Field

from warnhub.alert import (
    LANES,
    Alert,
    Area,
    Certainty,
    Gate,
    Level,
    Model,
    Original,
    Parameter,
    Status,
    Text,
    Urgency,
    Verdict,
)
from warnhub.ingest.draft import ENDS, Draft
from warnhub.ingest.fields import Record, bare_name
from warnhub.ingest.findings import Findings, Limits, Unreadable, spot
from warnhub.ingest.geojson import read_geometry
from warnhub.ingest.mapping import mapping, title_colours
from warnhub.ingest.measured import COLOUR, STATUSES, UNNAMED, read_kind, read_references
from warnhub.ingest.places import read_divisions, unique
from warnhub.ingest.scales import BOOKS, read_book
from warnhub.ingest.text import HEADLINE, LINE

MOST_AREAS = 1_000
LOOK = 100
SPLIT = re.compile(r"\s*[,，、;；/]\s*|\s+and\s+|与|和")


class Product(Model):
    """One kind of forecast. `joint`: for each office that must sign, the words its name may have."""

    zh: str
    en: str
    tell: list[str]
    hazard: str
    joint_from: Level
    joint: list[list[str]]
    words: dict[str, Level]


class Products(Model):
    """The tables of the form."""

    form: str
    zone: str
    names: dict[str, list[str]]
    kinds: dict[str, Product] = Field(min_length=1)


@cache
def products() -> Products:
    """The tables, from their file."""
    return Products.model_validate(yaml.safe_load(files("warnhub.ingest").joinpath("forecast.yaml").read_text("utf-8")))


def is_forecast(value: Any) -> bool:
    """An object that names its issuers, areas with levels, and a product we know."""
    if not isinstance(value, Mapping):
        return False
    record = Record(value, "", products().names, Findings())
    areas = areas_of(record)
    levelled = record.has("level") or any(Record(flat, "", products().names, Findings()).has("level") for flat in areas[:LOOK])
    stations = {bare_name(one) for form in BOOKS for one in read_book(form).names["station"]}
    if stations & {bare_name(str(key)) for key in value}:
        return False  # of one point, not of areas
    return bool(areas) and levelled and record.has("issuers") and product_of(record) is not None


def areas_of(record: Record) -> list[Mapping[str, Any]]:
    """The areas as objects: a text is a code or a name; where there is no list, the document's own codes."""
    value = record.value("areas")
    if isinstance(value, list):
        return [one if isinstance(one, Mapping) else {"code" if str(one).isdigit() else "name": one} for one in value]
    return [{"codes": record.value("codes")}] if record.has("codes") else []


def product_of(record: Record) -> Product | None:
    """Which forecast it is, by the words of its type or its title."""
    words = " ".join(str(record.value(name) or "") for name in ("kind_of", "headline")).lower()
    return next((one for one in products().kinds.values() if any(word in words for word in one.tell)), None)


def read_forecast(value: Mapping[str, Any], limits: Limits, now: datetime | None) -> Iterator[Verdict]:
    """One verdict for each level."""
    document = Record(value, "", products().names, Findings(limits, now))
    product = product_of(document)
    assert product
    levels: dict[Level | None, list[Record]] = {}
    where, areas = document.path("areas"), areas_of(document)
    if len(areas) > MOST_AREAS:
        raise Unreadable("TOO_MANY_READINGS", f"most {MOST_AREAS}", where, len(areas))
    for at, one in enumerate(areas):
        record = Record(one, spot(where, at), products().names, Findings(limits, now), document)
        levels.setdefault(read_risk(record, product), []).append(record)
    for level in sorted(levels, key=lambda one: LANES.get(one, 9) if one else 9):
        yield read_level(value, product, level, levels[level], len(levels) > 1, Findings(limits, now))


def read_risk(record: Record, product: Product) -> Level | None:
    """The level of one area, by a colour or the product's own words."""
    said = str(record.value("level") or "").strip().lower()
    table: dict[str, str] = (
        mapping()["colours"] | mapping()["ranks"] | {bare_name(key): one for key, one in product.words.items()}
    )
    found = table.get(said) or table.get(bare_name(said))
    colours = title_colours(said)
    return Level(found) if found else Level(colours.pop()) if len(colours) == 1 else None


def read_level(
    value: Mapping[str, Any], product: Product, level: Level | None, areas: list[Record], several: bool, findings: Findings
) -> Verdict:
    """The verdict on the areas of one level."""
    record = Record(value, "", products().names, findings)
    sent = record.moment("sent", products().zone, required=True)
    identifier = record.word("identifier") or (f"{product.hazard}-{sent:%Y%m%dT%H%M%SZ}" if sent else "")
    kind = read_kind(record)
    issuers = [one for said in record.words("issuers") for one in SPLIT.split(said) if one]
    if level is None:
        findings.add(areas[0].path("level"), "LEVEL_UNKNOWN", areas[0].value("level"))
    elif level.lane <= product.joint_from.lane and not signed(issuers, product) and kind not in ENDS:
        findings.add(record.path("issuers"), "JOINT_MISSING", "、".join(issuers), f"{product.zh} ≥ {product.joint_from}")
    places = [read_area(one, findings) for one in areas]
    if kind not in ENDS and not any(one.placeable for one in places):
        findings.add(record.path("areas"), "NO_AREA")
    name = f"{identifier}-{level}" if several and level else identifier

    def build() -> Alert:
        assert sent
        shown = level or Level.BLUE
        said = str(areas[0].value("level") or "")
        zone = products().zone
        return Draft(
            record,
            identifier=UNNAMED.sub("-", name),
            sender=UNNAMED.sub("-", "、".join(issuers)),
            sent=sent,
            status=record.choice("status", Status, Gate.REFUSE, Status.ACTUAL, STATUSES) or Status.ACTUAL,
            kind=kind,
            hazard=product.hazard,
            level=shown,
            original=Original(form=products().form, hazard=product.zh, level=f"level={said} → {shown}"),
            references=read_references(record),
            severity=mapping()["level_severities"][shown],
            urgency=Urgency.EXPECTED,
            certainty=Certainty.POSSIBLE,
            times=(None, record.moment("onset", zone), record.moment("expires", zone)),
            areas=places,
            texts=[make_text(record, product, shown, "、".join(issuers), places)],
            parameters=[Parameter(name="issuer", value=one) for one in issuers],
        ).build()

    return findings.verdict(build)


def signed(issuers: list[str], product: Product) -> bool:
    """Whether each office that must has signed."""
    names = [one.lower() for one in issuers]
    return all(any(word in name for word in words for name in names) for words in product.joint)


def read_area(record: Record, findings: Findings) -> Area:
    """One area of the forecast."""
    codes = read_divisions(record.path("codes"), ",".join(record.words("codes")), findings)
    polygons = read_geometry(record.value("geometry"), record.path("geometry"), findings)
    return Area(name=record.text("area", LINE), codes=unique(codes), polygons=polygons)


def make_text(record: Record, product: Product, level: Level, issuers: str, areas: list[Area]) -> Text:
    """The offices' own words, else what the forecast says."""
    names = "、".join(one.name for one in areas if one.name)
    return Text(
        headline=record.text("headline", HEADLINE) or f"{issuers}联合发布{product.zh}{COLOUR[level]}预警",
        description=record.prose("description") or f"{names}{product.zh}{COLOUR[level]}预警。",
        instruction=record.prose("instruction"),
        sender_name=issuers[:256],
    )
