"""Importing areas, people and devices into a real store."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import shapely
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from warnhub.crypto import KeyRing
from warnhub.directory import Report, import_areas, import_devices, import_people
from warnhub.directory.people import CHUNK
from warnhub.store.areas import Place, find_area, load_areas, load_grids, save_places
from warnhub.store.engine import Store
from warnhub.store.recipients import Entry, count_roles, save_entries
from warnhub.store.tables import address, recipient

PLACES = [
    Place("990123", "云岭县"),
    Place("990123100", "云溪镇"),
    Place("990123100200", "石坪村"),
    Place("990123100200001", "石坪村第1网格", shapely.to_wkb(shapely.box(117.1, 26.1, 117.2, 26.2)), 117.15, 26.15),
]
HEADER = "编号,姓名,角色,区划代码,手机,微信,推送,语言,副手,上级,退订"
HEAD = "H1,林木水,村负责人,990123100200,14500000001,oSimulated0000000000000000001,jpush:1507bfd3a7c00000001,,H2,,"
GRID = "G1,江燕,网格员,990123100200001,14500000002,,fcm:simulated0000000001:APA91b,英语,,H1,"
RESIDENT = "R1,,居民,990123100200001000,,,,,,,是"


@pytest.fixture
async def land(store: Store) -> Store:
    """The store with one branch of a county."""
    async with store.write() as tx:
        await save_places(tx, PLACES)
    return store


def write(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "people.csv"
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


async def kept(store: Store, keys: KeyRing) -> dict[tuple[str, str], tuple[str, str, str, str | None]]:
    """(ref, channel) → (address, tail, route, bad)."""
    columns = (recipient.c.ref, address.c.channel, address.c.value, address.c.tail, address.c.route, address.c.bad)
    async with store.read() as conn:
        rows = await conn.execute(select(*columns).join(recipient))
        return {(ref, channel): (keys.unseal(value), *rest) for ref, channel, value, *rest in rows}


async def person(store: Store, ref: str) -> Any:
    async with store.read() as conn:
        return (await conn.execute(select(recipient).where(recipient.c.ref == ref))).one()


def found(lines: Sequence[Any]) -> list[tuple[int, str, str]]:
    return [(line.line, line.field, line.rule) for line in lines]


def counts(report: Report) -> tuple[int, int, int, int]:
    return report.added, report.updated, report.unchanged, report.bad_count


async def test_people_arrive_sealed_and_can_be_found_again(land: Store, keys: KeyRing, tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, HEAD, GRID, RESIDENT, encoding="gb18030")
    report = await import_people(land, keys, path)
    assert counts(report) == (3, 0, 0, 0)
    assert await kept(land, keys) == {
        ("H1", "sms"): ("+8614500000001", "0001", "cn", None),
        ("H1", "wechat"): ("oSimulated0000000000000000001", "0001", "", None),
        ("H1", "push"): ("1507bfd3a7c00000001", "0001", "jpush", None),
        ("G1", "sms"): ("+8614500000002", "0002", "cn", None),
        ("G1", "push"): ("simulated0000000001:APA91b", "A91b", "fcm", None),
    }
    async with land.read() as conn:
        blind = keys.blind("push", "1507bfd3a7c00000001")
        owner = select(recipient.c.ref).join(address).where(address.c.blind == blind)
        assert (await conn.scalars(owner)).all() == ["H1"]
        raw = b"".join((await conn.scalars(select(address.c.value))).all())
        assert b"14500000001" not in raw
        assert await count_roles(conn) == {"village_head": 1, "gridworker": 1, "resident": 1}
    head, grid, resident = [await person(land, ref) for ref in ("H1", "G1", "R1")]
    assert (head.name, head.role, head.language, head.deputy, head.kind) == ("林木水", "village_head", "zh-CN", "H2", "person")
    assert (grid.superior, grid.deputy, grid.language) == ("H1", None, "en")
    assert (resident.opt_out, resident.name) == (True, "")
    assert resident.area_id == grid.area_id


async def test_people_named_but_missing_are_only_warned_of(land: Store, keys: KeyRing, tmp_path: Path) -> None:
    own = "G2,江燕,网格员,990123100200001,,,,,G2,H9,"
    report = await import_people(land, keys, write(tmp_path, HEADER, HEAD, GRID, own))
    assert report.added == 3
    assert sorted(found(report.warnings)) == [
        (2, "deputy", "unknown_ref"),
        (4, "deputy", "itself"),
        (4, "superior", "unknown_ref"),
    ]


async def test_the_same_file_again_changes_nothing(land: Store, keys: KeyRing, tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, HEAD, GRID, RESIDENT)
    await import_people(land, keys, path)
    before = await kept(land, keys)
    async with land.read() as conn:
        sealed = (await conn.scalars(select(address.c.value).order_by(address.c.id))).all()
    assert counts(await import_people(land, keys, path)) == (0, 0, 3, 0)
    assert await kept(land, keys) == before
    async with land.read() as conn:
        assert (await conn.scalars(select(address.c.value).order_by(address.c.id))).all() == sealed


async def test_what_changed_is_written_and_nothing_else(land: Store, keys: KeyRing, tmp_path: Path) -> None:
    await import_people(land, keys, write(tmp_path, HEADER, HEAD, GRID, RESIDENT))
    moved = HEAD.replace("14500000001", "14500000009").replace("林木水", "林木火")
    assert counts(await import_people(land, keys, write(tmp_path, HEADER, moved, GRID, RESIDENT))) == (0, 1, 2, 0)
    addresses = await kept(land, keys)
    assert addresses["H1", "sms"] == ("+8614500000009", "0009", "cn", None)
    assert (await person(land, "H1")).name == "林木火"
    assert len(addresses) == 5


async def test_marks_survive_until_the_file_says_otherwise(land: Store, keys: KeyRing, tmp_path: Path) -> None:
    await import_people(land, keys, write(tmp_path, HEADER, HEAD, GRID, RESIDENT))
    async with land.write() as tx:
        await tx.conn.execute(update(address).values(bad="recipient"))
        await tx.conn.execute(update(recipient).where(recipient.c.ref == "G1").values(opt_out=True))
    moved = HEAD.replace("14500000001", "14500000009")
    await import_people(land, keys, write(tmp_path, HEADER, moved, GRID, RESIDENT))
    addresses = await kept(land, keys)
    assert (addresses["H1", "sms"][3], addresses["H1", "push"][3], addresses["G1", "sms"][3]) == (
        None,
        "recipient",
        "recipient",
    )
    assert (await person(land, "G1")).opt_out is True
    assert (await person(land, "R1")).opt_out is True
    await import_people(land, keys, write(tmp_path, "编号,区划代码,退订", "R1,990123100200001,否"))
    assert (await person(land, "R1")).opt_out is False


async def test_a_missing_column_keeps_and_an_empty_cell_takes_away(land: Store, keys: KeyRing, tmp_path: Path) -> None:
    await import_people(land, keys, write(tmp_path, HEADER, HEAD))
    await import_people(land, keys, write(tmp_path, "ref,area,phone,deputy,name", "H1,990123100200,,,"))
    addresses = await kept(land, keys)
    assert addresses["H1", "sms"] == ("", "", "", "removed")
    assert addresses["H1", "wechat"][0] == "oSimulated0000000000000000001"
    head = await person(land, "H1")
    assert (head.deputy, head.name, head.role) == (None, "林木水", "village_head")
    await import_people(land, keys, write(tmp_path, "ref,area,phone", "H1,990123100200,14500000001"))
    assert (await kept(land, keys))["H1", "sms"] == ("+8614500000001", "0001", "cn", None)


BAD = [
    ("H1,,村负责人,990123100200,,,,,,,", (2, "name", "required")),
    (",林木水,居民,990123100200,,,,,,,", (2, "ref", "required")),
    ("R 1,林木水,居民,990123100200,,,,,,,", (2, "ref", "form")),
    ("R1,林木水,超人,990123100200,,,,,,,", (2, "role", "role")),
    ("R1,林木水,大喇叭,990123100200,,,,,,,", (2, "role", "role")),
    ("R1,林木水,居民,9901231002,,,,,,,", (2, "area", "code")),
    ("R1,林木水,居民,990123100999,,,,,,,", (2, "area", "area")),
    ("R1,林木水,居民,990123100200,12345678901,,,,,,", (2, "phone", "phone")),
    ("R1,林木水,居民,990123100200,,短,,,,,", (2, "openid", "form")),
    ("R1,林木水,居民,990123100200,,,apns:x,,,,", (2, "push", "form")),
    ("R1,林木水,居民,990123100200,,,,中,,,", (2, "language", "form")),
    ("R1,林木水,居民,990123100200,,,,,,,随便", (2, "opt_out", "yes_no")),
    ("R1,林木水,居民,990123100200,,,,,,,,多", (2, "", "cells")),
]


@pytest.mark.parametrize(("line", "problem"), BAD)
async def test_a_bad_line_is_named_and_stops_the_rest(
    land: Store, keys: KeyRing, tmp_path: Path, line: str, problem: tuple[int, str, str]
) -> None:
    report = await import_people(land, keys, write(tmp_path, HEADER, line, GRID))
    assert found(report.bad) == [problem]
    assert counts(report) == (0, 0, 0, 1)
    async with land.read() as conn:
        assert await count_roles(conn) == {}


async def test_everything_wrong_with_a_line_is_told_and_no_number_shown(land: Store, keys: KeyRing, tmp_path: Path) -> None:
    swapped = "R1,林木水,居民,14500000001,990123100200,,,,,,"
    report = await import_people(land, keys, write(tmp_path, HEADER, swapped))
    assert found(report.bad) == [(2, "area", "code"), (2, "phone", "phone")]
    assert report.bad_count == 1
    assert "14500000001" not in " ".join(map(str, report.bad))


async def test_partial_takes_the_good_lines(land: Store, keys: KeyRing, tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, BAD[3][0], GRID, GRID.replace("江燕", "江红"), RESIDENT)
    report = await import_people(land, keys, path, partial=True)
    assert counts(report) == (2, 0, 0, 2)
    assert found(report.bad) == [(2, "role", "role"), (4, "ref", "repeat")]
    assert (await person(land, "G1")).name == "江燕"


async def test_a_broken_character_is_a_bad_line(land: Store, keys: KeyRing, tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, *[f"R{n},林木水,居民,990123100200,,,,,,," for n in range(20)], GRID)
    path.write_bytes(path.read_bytes().replace("江燕".encode(), b"\xe6\xb1\xff\xe7"))
    report = await import_people(land, keys, path)
    assert found(report.bad) == [(22, "name", "encoding")]


@pytest.mark.parametrize(("content", "rule"), [("", "file"), ("姓名,手机\n林,1\n", "column"), ('{"features": 1}', "file")])
async def test_a_file_that_is_no_list_of_people(land: Store, keys: KeyRing, tmp_path: Path, content: str, rule: str) -> None:
    report = await import_people(land, keys, write(tmp_path, content), partial=True)
    assert {problem.rule for problem in report.bad} == {rule}
    assert counts(report) == (0, 0, 0, 1)


async def test_a_chunk_border_is_no_border(land: Store, keys: KeyRing, tmp_path: Path) -> None:
    lines = [f"R{n},,居民,990123100200,145{n:08},,,,,," for n in range(CHUNK + 3)]
    told: list[tuple[str, int, int]] = []
    report = await import_people(
        land, keys, write(tmp_path, HEADER, *lines, lines[0]), partial=True, progress=lambda *step: told.append(step)
    )
    assert counts(report) == (CHUNK + 3, 0, 0, 1)
    total = CHUNK + 4
    assert told == [("check", CHUNK, 0), ("check", total, 0), ("write", CHUNK, total), ("write", total, total)]


async def test_who_was_gone_comes_back_with_the_file(land: Store, keys: KeyRing, tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, RESIDENT)
    await import_people(land, keys, path)
    async with land.write() as tx:
        await tx.conn.execute(update(recipient).values(gone_at=tx.now))
    assert counts(await import_people(land, keys, path)) == (0, 1, 0, 0)
    assert (await person(land, "R1")).gone_at is None


DEVICES = "设备编号,名称,区划代码,类型,设备地址"
SPEAKER = "S1,石坪村1号大喇叭,990123100200,大喇叭,990123100200/SP01"


async def test_devices_keep_their_address_and_their_kind(land: Store, keys: KeyRing, tmp_path: Path) -> None:
    display = "D1,云溪镇显示屏,990123100,显示屏,990123100000/LED01"
    report = await import_devices(land, keys, write(tmp_path, DEVICES, SPEAKER, display))
    assert counts(report) == (2, 0, 0, 0)
    addresses = await kept(land, keys)
    assert addresses["S1", "loudspeaker"][0] == "990123100200/SP01"
    assert addresses["D1", "display"][0] == "990123100000/LED01"
    speaker = await person(land, "S1")
    assert (speaker.kind, speaker.role) == ("device", "speaker")
    bad = write(tmp_path, DEVICES, "S2,x,990123100200,网格员,SP01", "S3,,990123100200,,")
    assert found((await import_devices(land, keys, bad)).bad) == [
        (2, "kind", "role"),
        (2, "address", "form"),
        (3, "kind", "required"),
        (3, "address", "required"),
    ]


async def test_a_persons_ref_is_never_a_devices(land: Store, keys: KeyRing, tmp_path: Path) -> None:
    await import_devices(land, keys, write(tmp_path, DEVICES, SPEAKER))
    report = await import_people(land, keys, write(tmp_path, HEADER, RESIDENT.replace("R1", "S1"), GRID), partial=True)
    assert found(report.bad) == [(2, "ref", "taken")]
    assert counts(report) == (1, 0, 0, 1)
    assert (await person(land, "S1")).role == "speaker"


def feature(code: str, name: str, shape: Any = None) -> dict[str, Any]:
    geometry = orjson.loads(shapely.to_geojson(shape)) if shape else None
    return {"type": "Feature", "properties": {"code": code, "name": name}, "geometry": geometry}


def collect(folder: Path, *features: dict[str, Any]) -> Path:
    path = folder / "areas.geojson"
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": features}))
    return path


BRANCH = [
    feature("990123100200001", "石坪村第1网格", shapely.box(117, 26, 118, 27)),
    feature("990123100200", "石坪村", shapely.MultiPolygon([shapely.box(117, 26, 118, 27)])),
    feature("990123100000", "云溪镇"),
    feature("990123", "云岭县"),
]


async def test_areas_know_their_township_and_village(store: Store, tmp_path: Path) -> None:
    assert counts(await import_areas(store, collect(tmp_path, *BRANCH))) == (4, 0, 0, 0)
    async with store.read() as conn:
        county, town, village, grid = await load_areas(conn)
        assert await load_grids(conn) == [grid]
        assert await find_area(conn, "990123100000000") == town
        assert await find_area(conn, "99") is None
    assert [area.level for area in (county, town, village, grid)] == [6, 9, 12, 15]
    assert [area.town_id for area in (county, town, village, grid)] == [county.id, town.id, town.id, town.id]
    assert [area.village_id for area in (county, town, village, grid)] == [county.id, town.id, village.id, village.id]
    assert [area.parent_id for area in (county, town, village, grid)] == [None, county.id, town.id, village.id]
    assert shapely.from_wkb(grid.shape).equals(shapely.box(117, 26, 118, 27))
    assert (grid.lon, grid.lat, town.shape, town.lon) == (117.5, 26.5, None, None)


async def test_areas_again_keep_ids_and_shapes(store: Store, tmp_path: Path) -> None:
    path = collect(tmp_path, *BRANCH)
    await import_areas(store, path)
    async with store.read() as conn:
        before = await load_areas(conn)
    assert counts(await import_areas(store, path)) == (0, 0, 4, 0)
    table = tmp_path / "areas.csv"
    table.write_text("区划代码,名称\n990123100200,石坪社区\n990123100200002,石坪社区第2网格\n", encoding="gb18030")
    assert counts(await import_areas(store, table)) == (1, 1, 0, 0)
    async with store.read() as conn:
        after = {area.code: area for area in await load_areas(conn)}
    assert [after[area.code].id for area in before] == [area.id for area in before]
    assert after["990123100200"].name == "石坪社区"
    assert after["990123100200"].shape == next(area.shape for area in before if area.code == "990123100200")
    assert after["990123100200002"].village_id == after["990123100200"].id


async def test_areas_that_cannot_be_placed(store: Store, tmp_path: Path) -> None:
    bow = shapely.from_wkt("POLYGON ((117 26, 118 27, 118 26, 117 27, 117 26))")
    path = collect(
        tmp_path,
        feature("990123", "云岭县", bow),
        feature("990124100", "邻镇"),
        feature("990124100200", "邻村"),
        feature("990123", "又一个"),
        feature("12", "什么"),
        feature("990123100", "", shapely.Point(1, 2)),
    )
    report = await import_areas(store, path)
    assert counts(report) == (0, 0, 0, 5)
    report = await import_areas(store, path, partial=True)
    assert counts(report) == (1, 0, 0, 5)
    assert found(report.bad) == [
        (4, "code", "repeat"),
        (5, "code", "code"),
        (6, "name", "required"),
        (6, "shape", "shape"),
        (2, "code", "parent"),
        (3, "code", "parent"),
    ]
    assert found(report.warnings) == [(1, "shape", "repaired")]


async def test_areas_in_csv_may_bring_points_and_outlines(store: Store, tmp_path: Path) -> None:
    table = tmp_path / "areas.csv"
    table.write_text('code,name,lon,lat,wkt\n990123,云岭县,117.5,26.7,"POLYGON ((117 26, 118 26, 118 27, 117 26))"\n')
    await import_areas(store, table)
    async with store.read() as conn:
        (county,) = await load_areas(conn)
    assert (county.lon, county.lat) == (117.5, 26.7)
    assert shapely.from_wkb(county.shape).area == pytest.approx(0.5)


async def test_a_place_without_parent_is_refused_by_the_store(store: Store) -> None:
    for wrong in (Place("990123100", "云溪镇"), Place("990123000", "云岭县")):
        with pytest.raises(ValueError, match="code: "):
            async with store.write() as tx:
                await save_places(tx, [wrong])


async def test_a_ref_given_twice_to_the_store_leaves_nothing(land: Store, keys: KeyRing) -> None:
    entry = Entry("R1", "person", None, None, 1, addresses={"sms": "+8614500000001"})
    with pytest.raises(IntegrityError):
        async with land.write() as tx:
            await save_entries(tx, keys, [entry, entry])
    async with land.read() as conn:
        assert await count_roles(conn) == {}
