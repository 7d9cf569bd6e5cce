"""Where the fictional county's people live, as far as somebody must knock there, and where they would be taken."""

from collections.abc import Iterator

import numpy as np

from warnhub.simulate.land import Land
from warnhub.simulate.names import people_names
from warnhub.simulate.people import make_phone

SHARE = 10
"""Residents for each registered household: the registers hold those who need somebody, not everybody."""

SERIALS = 80_000_000
SHELTER_HEADER = ("编号", "名称", "区划代码", "容量", "路线", "负责人", "经度", "纬度")
HOME_HEADER = (
    "编号",
    "区划代码",
    "户主",
    "地址",
    "电话",
    "人数",
    "老人",
    "独居",
    "残疾",
    "儿童",
    "隐患点",
    "临河",
    "安置点",
    "经度",
    "纬度",
)
POINT_HEADER = (
    "编号",
    "区划代码",
    "类型",
    "名称",
    "等级",
    "责任人",
    "威胁人数",
    "撤离路线",
    "安置点",
    "整改时限",
    "经度",
    "纬度",
)
Row = tuple[str, ...]


def shelter_ref(village: str) -> str:
    """The ref of a village's shelter."""
    return f"A{village}"


def point_ref(village: str) -> str:
    """The ref of a village's hazard point, if it has one."""
    return f"P{village}"


def has_point(number: int) -> bool:
    """Whether the village at this place of the list has a hazard point: two of five do."""
    return number % 5 in {0, 2}


def list_villages(land: Land) -> list[str]:
    """Every village, in the order of its township."""
    return [village for town in land.towns for village in town.villages]


def centres(land: Land) -> dict[str, tuple[float, float]]:
    """A point inside each place."""
    return {place.code: (float(place.lon or 0), float(place.lat or 0)) for place in land.places}


def list_shelters(land: Land) -> Iterator[Row]:
    """One for each village: its school, or its hall."""
    rng, middle = np.random.default_rng([land.seed, 6]), centres(land)
    for number, village in enumerate(list_villages(land)):
        name, kind = land.names[village], ("小学", "文化活动中心", "村部")[number % 3]
        lon, lat = middle[village]
        way = f"沿村道往{'东南西北'[number % 4]}走{int(rng.integers(2, 15)) * 100}米,{kind}大门进,勿走河边小路"
        capacity = str(int(rng.integers(6, 30)) * 10)
        yield shelter_ref(village), f"{name}{kind}", village, capacity, way, f"H{village}-1", f"{lon:.6f}", f"{lat:.6f}"


def list_points(land: Land) -> Iterator[Row]:
    """One for two villages of five: a slope mostly, else a river section or a reservoir."""
    middle = centres(land)
    for number, village in enumerate(list_villages(land)):
        if not has_point(number):
            continue
        grid = land.grids[village][0]
        kind = ("滑坡", "滑坡", "河段", "水库")[number % 4]
        lon, lat = middle[grid]
        name = f"{land.names[village]}{ {'滑坡': '后山滑坡', '河段': '下游河段', '水库': '山塘'}[kind] }"
        level = "红橙黄蓝"[number % 4]
        keepers, way = f"G{grid} H{village}-1", "往高处走，不过桥，不走沟边"
        where = (f"{lon:.6f}", f"{lat:.6f}")
        people = str(8 + number % 30)
        yield point_ref(village), grid, kind, name, level, keepers, people, way, shelter_ref(village), "24小时", *where


def list_homes(land: Land, residents: int) -> Iterator[Row]:
    """The registered households, village by village; a village's first grid lies under its hazard point, if it has one."""
    rng, middle = np.random.default_rng([land.seed, 7]), centres(land)
    villages = list_villages(land)
    ends = rng.multinomial(max(len(villages), residents // SHARE), np.full(len(villages), 1 / len(villages)))
    serial = 0
    for number, (village, count) in enumerate(zip(villages, ends.tolist(), strict=True)):
        names = people_names(rng, count)
        old, alone, disabled, river, child = (rng.random((5, count)) < [[0.45], [0.15], [0.08], [0.12], [0.3]]).tolist()
        grids = land.grids[village]
        for n in range(count):
            grid = grids[n % len(grids)]
            under = has_point(number) and grid == grids[0]
            people = 1 if alone[n] else int(rng.integers(2, 7))
            lon, lat = middle[grid]
            yield (
                f"F{village}-{n + 1}",
                grid,
                names[n],
                f"{land.names[village]}{n % len(grids) + 1}组{n + 1}号",
                make_phone(SERIALS + serial),
                str(people),
                str(1 + n % 2) if old[n] and people > 1 else str(int(old[n] or alone[n])),
                "是" if alone[n] else "",
                "1" if disabled[n] else "",
                "1" if child[n] and people > 2 else "",
                point_ref(village) if under else "",
                "是" if river[n] else "",
                shelter_ref(village),
                f"{lon + (n % 7 - 3) * 2e-4:.6f}",
                f"{lat + (n % 5 - 2) * 2e-4:.6f}",
            )
            serial += 1
