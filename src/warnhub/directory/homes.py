"""Importing shelters and households."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from warnhub.crypto import KeyRing
from warnhub.directory import fields
from warnhub.directory.fields import Reader, Wrong
from warnhub.directory.listing import Listing, Values, import_listing
from warnhub.directory.reading import CodeReader
from warnhub.directory.report import Progress, Report
from warnhub.store.areas import Saved, load_codes
from warnhub.store.engine import Store, Tx
from warnhub.store.households import Household, Shelter, save_households, save_shelters, shelter_refs

AREA = ("区划代码", "网格编码", "网格代码", "区划", "area_code", "code")
PLACE = {"lon": ("经度", "longitude", "lng"), "lat": ("纬度", "latitude")}
SHELTERS = {
    "ref": ("编号", "安置点编号", "id"),
    "name": ("名称", "安置点", "安置点名称"),
    "area": AREA,
    "capacity": ("容量", "可容纳人数", "容纳人数"),
    "way": ("路线", "怎么走", "转移路线"),
    "keeper": ("负责人", "管理员", "负责人编号"),
    **PLACE,
}
HOUSEHOLDS = {
    "ref": ("编号", "户编号", "户号", "id"),
    "area": AREA,
    "head": ("户主", "户主姓名", "姓名"),
    "place": ("地址", "住址", "门牌", "门牌号"),
    "phone": ("手机", "电话", "联系电话"),
    "people": ("人数", "人口", "在家人数"),
    "old": ("老人", "老年人", "65岁以上"),
    "alone": ("独居", "独居老人"),
    "disabled": ("残疾", "残疾人", "行动不便"),
    "children": ("儿童", "小孩", "14岁以下"),
    "point": ("隐患点", "隐患点编号"),
    "river": ("临河", "临水", "河边"),
    "shelter": ("安置点", "安置点编号"),
    **PLACE,
}
NEEDS = ("old", "alone", "disabled", "children", "point", "river")
LARGEST = 200
"""People in a household: more is a typing error, or an institution, which is a shelter's or a hazard point's list."""


def read_count(most: int) -> Reader:
    """A reader of whole numbers from 0 to `most`; 是 and 否 are 1 and 0."""

    def read(cell: str) -> int:
        word = fields.YES_NO.get(cell.lower())
        plain = cell.removesuffix(".0")
        if word is None and not (plain.isascii() and plain.isdigit()):
            raise Wrong("count")
        count = int(word) if word is not None and not plain.isdigit() else int(plain)
        if count > most:
            raise Wrong("count")
        return count

    return read


def read_words(most: int) -> Reader:
    """A reader of plain text of at most `most` characters."""

    def read(cell: str) -> str:
        said = " ".join(cell.split())
        if len(said) > most or fields.CONTROL.search(said):
            raise Wrong("form")
        return said

    return read


def common_readers(codes: Mapping[str, int]) -> dict[str, Reader]:
    """The columns that every such list has."""
    return {"ref": fields.read_ref, "area": CodeReader(codes), "lon": fields.read_degrees, "lat": fields.read_degrees}


async def import_shelters(store: Store, path: Path, *, partial: bool = False, progress: Progress | None = None) -> Report:
    """Add or change shelters from a CSV or GeoJSON file; the columns are SHELTERS."""
    async with store.read() as conn:
        codes = await load_codes(conn)
    readers = common_readers(codes) | {
        "name": fields.read_name,
        "capacity": read_count(1_000_000),
        "way": read_words(300),
        "keeper": fields.read_ref,
    }
    listing = Listing(SHELTERS, readers, ("ref", "name", "area", "capacity"))
    return await import_listing(store, path, listing, make_shelter, save_shelters, partial, progress)


def make_shelter(values: Values) -> Shelter:
    """A shelter from a line."""
    place = (values.get("lon"), values.get("lat"))
    names = (values["ref"], values["name"], values["area"], values["capacity"], values.get("way", ""), values.get("keeper", ""))
    return Shelter(*names, *place)


async def import_households(
    store: Store, keys: KeyRing, path: Path, *, partial: bool = False, progress: Progress | None = None
) -> Report:
    """Add or change households from a CSV or GeoJSON file; the columns are HOUSEHOLDS. A shelter must be known before."""
    async with store.read() as conn:
        codes, shelters = await load_codes(conn), await shelter_refs(conn)
    listing = Listing(HOUSEHOLDS, household_readers(codes), ("ref", "area", "head"), frozenset({"head", "place", "phone"}))

    async def save(tx: Tx, homes: Sequence[Household]) -> Saved:
        return await save_households(tx, keys, homes)

    return await import_listing(store, path, listing, make_household(shelters), save, partial, progress)


def household_readers(codes: Mapping[str, int]) -> dict[str, Reader]:
    """How each column of a file of households is read."""
    count = read_count(LARGEST)
    return common_readers(codes) | {
        "head": fields.read_name,
        "place": read_words(120),
        "phone": fields.read_phone,
        "people": count,
        "old": count,
        "alone": fields.read_flag,
        "disabled": count,
        "children": count,
        "point": fields.read_ref,
        "river": fields.read_flag,
        "shelter": fields.read_ref,
    }


def make_household(shelters: Mapping[str, Any]) -> Callable[[Values], Household]:
    """Makes households whose shelters are among these."""

    def make(values: Values) -> Household:
        shelter = values.get("shelter", "")
        if shelter and shelter not in shelters:
            raise Wrong("shelter")
        needs = {name: values[name] for name in NEEDS if values.get(name)}
        people = max(1, values.get("people", 0), *(int(needs.get(name, 0)) for name in ("old", "disabled", "children")))
        place = (values.get("lon"), values.get("lat"))
        head, home, phone = values["head"], values.get("place", ""), values.get("phone", "")
        return Household(values["ref"], values["area"], head, home, phone, people, needs, shelter, *place)

    return make
