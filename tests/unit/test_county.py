"""The fictional county: its map, its people, its files."""

import math
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import phonenumbers
import pytest
import shapely
from sqlalchemy import text

from warnhub.crypto import KeyRing, make_key
from warnhub.directory import import_areas, import_devices, import_people
from warnhub.directory.fields import read_openid, read_phone, read_push, read_topic
from warnhub.directory.hazardous import import_points
from warnhub.directory.homes import import_households, import_shelters
from warnhub.simulate.county import County, Occupied, load_county, write_county
from warnhub.simulate.land import Land, build_land, land_sizes
from warnhub.simulate.names import FIRST, SECOND, people_names, place_stems
from warnhub.simulate.people import ROOM, SPREAD, STAFF, Person, list_devices, list_residents, list_staff, make_phone, make_push
from warnhub.simulate.shapes import draw_map
from warnhub.store.areas import load_areas, parent_code, trim_code
from warnhub.store.engine import Store
from warnhub.store.migrate import upgrade_store
from warnhub.store.points import list_points
from warnhub.store.recipients import count_roles
from warnhub.store.tables import address, recipient


@pytest.fixture(scope="module")
def land() -> Land:
    """A small county."""
    return build_land(1_000, 7)


@pytest.mark.parametrize("seed", range(5))
def test_children_tile_their_parents(seed: int) -> None:
    drawn = draw_map(np.random.default_rng(seed), 120, 12, 3)
    for children, owners, parents in (
        (drawn.grids, drawn.village_of, drawn.villages),
        (drawn.villages, drawn.town_of, drawn.towns),
        (drawn.towns, [0] * 3, [drawn.county]),
    ):
        assert shapely.coverage_is_valid(children)
        for number, parent in enumerate(parents):
            mine = [child for child, owner in zip(children, owners, strict=True) if owner == number]
            assert mine
            assert parent.is_valid
            assert shapely.symmetric_difference(parent, shapely.unary_union(mine)).area == 0
            assert sum(child.area for child in mine) == pytest.approx(parent.area, rel=1e-12)


def test_the_county_lies_where_it_should_and_is_about_60_by_40_km(land: Land) -> None:
    county = shapely.from_wkb(land.places[0].shape)
    west, south, east, north = county.bounds
    assert 117 < west < east < 118
    assert 26.3 < south < north < 27.1
    assert 45 < (east - west) * 99.5 < 80
    assert 28 < (north - south) * 110.8 < 55
    assert all(shapely.from_wkb(place.shape).contains(shapely.Point(place.lon, place.lat)) for place in land.places)


def test_codes_nest_and_names_differ(land: Land) -> None:
    codes = {place.code for place in land.places}
    assert len(codes) == len(land.places)
    assert all(trim_code(code) == code for code in codes)
    assert all(parent_code(code) in codes for code in codes if code != "990123")
    assert [len(place.code) for place in land.places] == sorted(len(place.code) for place in land.places)
    names = [place.name for place in land.places]
    assert len(set(names)) == len(names)
    assert names[0] == "云岭县"
    assert all(name[-1] in "镇乡道" for name in names[1:4])


@pytest.mark.parametrize(
    ("residents", "sizes"), [(1_000, (3, 12, 36)), (400_000, (19, 250, 3_000)), (10_000_000, (19, 250, 3_000))]
)
def test_sizes_grow_to_a_full_county(residents: int, sizes: tuple[int, int, int]) -> None:
    assert land_sizes(residents) == sizes


def test_a_full_county_has_a_real_ones_devices_and_duties() -> None:
    land = build_land(400_000, 1)
    roles = Counter(person.role for person in list_staff(land))
    kinds = Counter(device.kind for device in list_devices(land, 400_000))
    assert roles == {"leader": 22, "county_duty": 4, "township_duty": 38, "village_head": 500, "gridworker": 3_000}
    assert 1_200 < kinds["speaker"] < 1_600
    assert kinds["display"] == 38


def test_the_same_numbers_make_the_same_county(land: Land) -> None:
    again = build_land(1_000, 7)
    assert again == land
    assert list_staff(again) == list_staff(land)
    assert list(list_residents(again, 1_000)) == list(list_residents(land, 1_000))
    assert list(list_devices(again, 1_000)) == list(list_devices(land, 1_000))
    assert build_land(1_000, 8).places != land.places


def test_everybody_on_the_staff_has_a_superior_and_a_telephone(land: Land) -> None:
    staff = {person.ref: person for person in list_staff(land)}
    top = [person for person in staff.values() if not person.superior]
    assert {(person.role, person.area) for person in top} == {("leader", "990123")}
    assert all(person.superior in staff for person in staff.values() if person.superior)
    assert all(person.deputy in staff and person.deputy != person.ref for person in staff.values() if person.deputy)
    grids = {place.code for place in land.places if len(place.code) == 15}
    assert Counter(person.area for person in staff.values() if person.role == "gridworker") == dict.fromkeys(grids, 1)
    assert all(person.phone for person in staff.values())
    assert sum(bool(person.openid) for person in staff.values()) > 0.7 * len(staff)


def flat(land: Land, residents: int, chunk: int) -> list[Person]:
    return list(chain.from_iterable(list_residents(land, residents, chunk)))


def test_residents_are_as_many_and_as_reachable_as_told(land: Land) -> None:
    people = flat(land, 10_000, 3_000)
    assert len({person.ref for person in people}) == 10_000
    assert {person.area for person in people} <= set(land.names)
    assert len({person.area for person in people}) == 36
    for share, count in (
        (0.97, sum(bool(person.phone) for person in people)),
        (0.15, sum(bool(person.openid) for person in people)),
        (0.20, sum(bool(person.push) for person in people)),
        (0.02, sum(person.opt_out for person in people)),
    ):
        assert count / 10_000 == pytest.approx(share, abs=0.02)


def test_residents_come_in_pieces(land: Land) -> None:
    sizes = [len(chunk) for chunk in list_residents(land, 2_500, 1_000)]
    assert sizes == [1_000, 1_000, 500]


def test_telephones_never_repeat_and_are_always_valid() -> None:
    assert math.gcd(SPREAD, ROOM) == 1
    assert len({make_phone(serial) for serial in chain(range(20_000), range(STAFF, STAFF + 20_000))}) == 40_000
    for serial in range(0, ROOM, 1_234_567):
        assert phonenumbers.is_valid_number(phonenumbers.parse(make_phone(serial), "CN"))


def test_addresses_have_the_form_that_importing_asks_for(land: Land) -> None:
    for person in chain(list_staff(land), flat(land, 500, 500)):
        assert not person.phone or read_phone(person.phone) == "+86" + person.phone
        assert not person.openid or read_openid(person.openid)
        assert not person.push or read_push(person.push) == person.push
    assert all(read_topic(device.address) for device in list_devices(land, 1_000))
    providers = Counter(make_push(serial).partition(":")[0] for serial in range(1_000))
    assert providers == {"jpush": 900, "fcm": 100}


def test_names_run_out_rather_than_repeat() -> None:
    rng = np.random.default_rng(1)
    most = len(FIRST) * len(SECOND)
    assert len(set(place_stems(rng, most))) == most
    with pytest.raises(ValueError, match="count"):
        place_stems(rng, most + 1)
    assert all(2 <= len(name) <= 3 for name in people_names(rng, 100))


async def rows(store: Store) -> tuple[list[Any], list[Any], list[Any]]:
    """Areas, recipients and addresses without their own ids and times."""
    async with store.read() as conn:
        people = recipient.c
        areas = [tuple(area)[1:4] + tuple(area)[7:] for area in await load_areas(conn)]
        found = recipient.select().order_by(people.ref)
        recipients = [(row.ref, row.kind, *row[4:-1]) for row in await conn.execute(found)]
        found = address.select().join(recipient).add_columns(people.ref).order_by(people.ref, address.c.channel)
        addresses = [(row[-1], row.channel, row.blind, row.tail, row.route, row.bad) for row in await conn.execute(found)]
    return areas, recipients, addresses


async def homes(store: Store, keys: KeyRing) -> list[tuple[Any, ...]]:
    """Every household, opened, with the shelter it goes to."""
    query = (
        "SELECT h.ref, a.code, h.head, h.place, h.phone, h.people, h.needs, h.weight, h.lon, h.lat, s.name, s.capacity, s.way "
        "FROM household h JOIN area a ON a.id = h.area_id JOIN shelter s ON s.ref = h.shelter ORDER BY h.ref"
    )
    async with store.read() as conn:
        return [(*row[:2], *map(keys.unseal, row[2:5]), *row[5:]) for row in await conn.execute(text(query))]


async def points(store: Store) -> list[tuple[Any, ...]]:
    """Every hazard point as it stands, without its own id and times."""
    async with store.read() as conn:
        return [(one.ref, one.kind, one.name, one.level, one.keepers, one.people, one.state) for one in await list_points(conn)]


async def new_store(path: Path) -> Store:
    store = Store(f"sqlite:///{path}")
    await upgrade_store(store)
    return store


async def test_the_files_and_the_short_way_make_the_same_directory(tmp_path: Path) -> None:
    keys = KeyRing(make_key())
    told: list[tuple[str, int, int]] = []
    direct, imported = await new_store(tmp_path / "direct"), await new_store(tmp_path / "imported")
    made = await load_county(direct, keys, 1_000, 3, progress=lambda *step: told.append(step))
    assert write_county(tmp_path / "files", 1_000, 3) == made
    assert told == [("residents", 1_000, 1_000)]
    for report in (
        await import_areas(imported, tmp_path / "files" / "areas.geojson"),
        await import_devices(imported, keys, tmp_path / "files" / "devices.csv"),
        await import_people(imported, keys, tmp_path / "files" / "people.csv"),
        await import_shelters(imported, tmp_path / "files" / "shelters.csv"),
        await import_households(imported, keys, tmp_path / "files" / "households.csv"),
        await import_points(imported, tmp_path / "files" / "points.csv"),
    ):
        assert (report.bad, report.warnings) == ([], [])
    areas, recipients, addresses = await rows(direct)
    other_areas, other_recipients, other_addresses = await rows(imported)
    assert [area[:3] for area in areas] == [area[:3] for area in other_areas]
    assert all(
        shapely.from_wkb(ours[3]).equals(shapely.from_wkb(theirs[3])) for ours, theirs in zip(areas, other_areas, strict=True)
    )
    assert recipients == other_recipients
    assert addresses == other_addresses
    assert await homes(direct, keys) == await homes(imported, keys)
    assert len(await homes(direct, keys)) == made.households > 50
    assert await points(direct) == await points(imported) != []
    assert (len(areas), len(recipients)) == (made.areas, made.staff + made.devices + made.residents)
    await direct.close()
    await imported.close()


async def test_a_county_is_never_mixed_with_what_is_there(tmp_path: Path) -> None:
    store, keys = await new_store(tmp_path / "store"), KeyRing(make_key())
    made = await load_county(store, keys, 100, 1)
    assert isinstance(made, County)
    with pytest.raises(Occupied):
        await load_county(store, keys, 100, 2)
    async with store.read() as conn:
        assert (await count_roles(conn))["resident"] == 100
    await store.close()
