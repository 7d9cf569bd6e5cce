"""A whole fictional county: as the files an office would send, or straight into the store."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import orjson
import shapely

from warnhub.crypto import KeyRing
from warnhub.directory import Progress
from warnhub.roles import Role
from warnhub.simulate.land import Land, build_land
from warnhub.simulate.people import CHUNK, Device, Person, list_devices, list_residents, list_staff
from warnhub.store.areas import load_codes, save_places
from warnhub.store.engine import Store
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


def write_county(folder: Path, residents: int, seed: int = 1) -> County:
    """Write `areas.geojson`, `people.csv` and `devices.csv` (UTF-8 with BOM, as spreadsheets do) into `folder`."""
    land = build_land(residents, seed)
    staff, devices = list_staff(land), list(list_devices(land, residents))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "areas.geojson").write_bytes(to_geojson(land))
    people = chain(staff, chain.from_iterable(list_residents(land, residents)))
    write_table(folder / "people.csv", PEOPLE_HEADER, map(person_cells, people))
    write_table(folder / "devices.csv", DEVICE_HEADER, map(device_cells, devices))
    return County(len(land.places), len(staff), len(devices), residents)


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
    return County(len(land.places), len(staff), len(devices), residents)


def person_entry(person: Person, codes: Mapping[str, int]) -> Entry:
    """A person as the store takes one."""
    ref, name, role, area, phone, openid, push, language, deputy, superior, opt_out = person
    addresses = {"sms": phone and "+86" + phone, "wechat": openid, "push": push}
    return Entry(ref, "person", role, name, codes[area], language, deputy, superior, opt_out, addresses)


def device_entry(device: Device, codes: Mapping[str, int]) -> Entry:
    """A device as the store takes one."""
    addresses = {CHANNELS[device.kind]: device.address}
    return Entry(device.ref, "device", device.kind, device.name, codes[device.area], addresses=addresses)
