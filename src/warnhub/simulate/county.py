"""A whole fictional county: as the files an office would send, or straight into the store."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import shapely

from warnhub.crypto import KeyRing
from warnhub.directory import Progress
from warnhub.roles import Role
from warnhub.simulate.homes import HOME_HEADER, POINT_HEADER, SHELTER_HEADER, list_homes, list_points, list_shelters
from warnhub.simulate.land import Land, build_land
from warnhub.simulate.people import CHUNK, Device, Person, list_devices, list_residents, list_staff
from warnhub.store.areas import load_codes, save_places
from warnhub.store.engine import Store
from warnhub.store.households import Household, Shelter, save_households, save_shelters
from warnhub.store.points import Entry as Point
from warnhub.store.points import save_points
from warnhub.store.recipients import Entry, add_entries, count_roles

PEOPLE_HEADER = ("编号", "姓名", "角色", "区划代码", "手机", "微信", "推送", "语言", "副手", "上级", "退订")
DEVICE_HEADER = ("设备编号", "名称", "区划代码", "类型", "设备地址")
CHANNELS = {"speaker": "loudspeaker", "display": "display"}


class Occupied(Exception):
    """The store already has recipients: a fictional county is never mixed with them."""


class County(NamedTuple):
    """How many of each were made."""

    areas: int
    staff: int
    devices: int
    residents: int
    households: int = 0
    shelters: int = 0


def write_county(folder: Path, residents: int, seed: int = 1) -> County:
    """Write `areas.geojson`, `people.csv`, `devices.csv`, `shelters.csv`, `households.csv` and `points.csv` (UTF-8 with BOM, as
    spreadsheets do) into `folder`."""
    land = build_land(residents, seed)
    staff, devices = list_staff(land), list(list_devices(land, residents))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "areas.geojson").write_bytes(to_geojson(land))
    people = chain(staff, chain.from_iterable(list_residents(land, residents)))
    write_table(folder / "people.csv", PEOPLE_HEADER, map(person_cells, people))
    write_table(folder / "devices.csv", DEVICE_HEADER, map(device_cells, devices))
    shelters, homes = list(list_shelters(land)), list(list_homes(land, residents))
    write_table(folder / "shelters.csv", SHELTER_HEADER, iter(shelters))
    write_table(folder / "households.csv", HOME_HEADER, iter(homes))
    write_table(folder / "points.csv", POINT_HEADER, list_points(land))
    return County(len(land.places), len(staff), len(devices), residents, len(homes), len(shelters))


def write_table(path: Path, header: Sequence[str], rows: Iterator[Sequence[str]]) -> None:
    """A CSV file."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def person_cells(person: Person) -> Sequence[str]:
    """A person in the order of PEOPLE_HEADER; the country code is left off, as offices do."""
    ref, name, role, area, phone, *rest, opt_out = person
    return ref, name, Role(role).zh, area, phone, *rest, "是" if opt_out else ""


def device_cells(device: Device) -> Sequence[str]:
    """A device in the order of DEVICE_HEADER."""
    return device.ref, device.name, device.area, Role(device.kind).zh, device.address


def to_geojson(land: Land) -> bytes:
    """The county's areas as a feature collection."""
    features = [
        {
            "type": "Feature",
            "properties": {"区划代码": place.code, "名称": place.name},
            "geometry": shapely.geometry.mapping(shapely.from_wkb(place.shape)),
        }
        for place in land.places
    ]
    return orjson.dumps({"type": "FeatureCollection", "features": features})


async def load_county(store: Store, keys: KeyRing, residents: int, seed: int = 1, progress: Progress | None = None) -> County:
    """Put the county straight into a store without recipients; `progress` is told ("residents", done, residents).

    Raises `Occupied` where there are recipients. Written in transactions of a few thousand; memory does not grow.
    """
    land = build_land(residents, seed)
    staff, devices = list_staff(land), list(list_devices(land, residents))
    async with store.write() as tx:
        if await count_roles(tx.conn):
            raise Occupied("通讯录不是空的 / the directory is not empty")
        await save_places(tx, land.places)
        codes = await load_codes(tx.conn)
        await add_entries(tx, keys, [device_entry(device, codes) for device in devices])
        await add_entries(tx, keys, [person_entry(person, codes) for person in staff])
    done = 0
    for chunk in list_residents(land, residents, CHUNK):
        async with store.write() as tx:
            await add_entries(tx, keys, [person_entry(person, codes) for person in chunk])
        done += len(chunk)
        if progress:
            progress("residents", done, residents)
    homes, shelters = await load_homes(store, keys, land, residents, codes)
    return County(len(land.places), len(staff), len(devices), residents, homes, shelters)


async def load_homes(store: Store, keys: KeyRing, land: Land, residents: int, codes: Mapping[str, int]) -> tuple[int, int]:
    """Put the households and shelters into the store, as an import would; gives (households, shelters)."""
    shelters = [to_shelter(row, codes) for row in list_shelters(land)]
    homes = [to_home(row, codes) for row in list_homes(land, residents)]
    async with store.write() as tx:
        await save_shelters(tx, shelters)
        await save_points(tx, [to_point(row, codes) for row in list_points(land)])
    for start in range(0, len(homes), CHUNK):
        async with store.write() as tx:
            await save_households(tx, keys, homes[start : start + CHUNK])
    return len(homes), len(shelters)


def to_shelter(row: Sequence[str], codes: Mapping[str, int]) -> Shelter:
    """A shelter as the store takes one."""
    ref, name, area, capacity, way, keeper, lon, lat = row
    return Shelter(ref, name, codes[area], int(capacity), way, keeper, float(lon), float(lat))


def to_point(row: Sequence[str], codes: Mapping[str, int]) -> Point:
    """A hazard point as the store takes one."""
    ref, area, kind, name, level, keepers, people, way, shelter, _, lon, lat = row
    colour = {"红": "red", "橙": "orange", "黄": "yellow", "蓝": "blue"}[level]
    sort = {"滑坡": "slide", "河段": "river", "水库": "reservoir"}[kind]
    fixed = (ref, codes[area], sort, name, colour, keepers.split(), int(people), way, shelter, "day")
    return Point(*fixed, None, float(lon), float(lat))


def to_home(row: Sequence[str], codes: Mapping[str, int]) -> Household:
    """A household as the store takes one."""
    ref, area, head, place, phone, people, old, alone, disabled, children, point, river, shelter, lon, lat = row
    counts = {"old": old, "disabled": disabled, "children": children}
    needs: dict[str, Any] = {name: int(value) for name, value in counts.items() if value and int(value)}
    said = {"alone": bool(alone), "point": point, "river": bool(river)}
    needs |= {name: value for name, value in said.items() if value}
    return Household(ref, codes[area], head, place, "+86" + phone, int(people), needs, shelter, float(lon), float(lat))


def person_entry(person: Person, codes: Mapping[str, int]) -> Entry:
    """A person as the store takes one."""
    ref, name, role, area, phone, openid, push, language, deputy, superior, opt_out = person
    addresses = {"sms": phone and "+86" + phone, "wechat": openid, "push": push}
    return Entry(ref, "person", role, name, codes[area], language, deputy, superior, opt_out, addresses)


def device_entry(device: Device, codes: Mapping[str, int]) -> Entry:
    """A device as the store takes one."""
    addresses = {CHANNELS[device.kind]: device.address}
    return Entry(device.ref, "device", device.kind, device.name, codes[device.area], addresses=addresses)
