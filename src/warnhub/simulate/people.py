"""Who lives and works in the fictional county: those who answer for others, the residents, loudspeakers and displays."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from warnhub.roles import Role
from warnhub.simulate.land import CODE, Land
from warnhub.simulate.names import people_names

CHUNK = 20_000
# China has no numbers reserved for fiction. 145 is given to data cards without voice calls, so it is nobody's telephone; the
# numbering library takes it for a mobile number, and it has room for a hundred million. Simulated carriers alone are sent to.
BLOCK = "145"
ROOM = 10**8
STAFF = 90_000_000
# Odd and not a multiple of 5, so that times this is one to one within ROOM and neighbours look unlike.
SPREAD = 61_803_399


class Person(NamedTuple):
    """A person as an office would list one; `area` is a code, `push` has its provider before it, "" is nothing."""

    ref: str
    name: str
    role: str
    area: str
    phone: str
    openid: str
    push: str
    language: str
    deputy: str
    superior: str
    opt_out: bool


class Device(NamedTuple):
    """A loudspeaker or a display; `address` is `area12/device`."""

    ref: str
    name: str
    area: str
    kind: str
    address: str


class Post(NamedTuple):
    """A place on the staff, before somebody fills it."""

    ref: str
    role: Role
    area: str
    deputy: str
    superior: str


def list_posts(land: Land) -> Iterator[Post]:
    """Everybody who answers for others, from the county down; each has somebody above, and nearly each a deputy."""
    for n in (1, 2, 3):
        yield Post(f"L{CODE}-{n}", Role.LEADER, CODE, f"L{CODE}-{n % 3 + 1}", "")
    for n in (1, 2, 3, 4):
        yield Post(f"C{CODE}-{n}", Role.COUNTY_DUTY, CODE, f"C{CODE}-{n % 4 + 1}", f"L{CODE}-1")
    for town in land.towns:
        yield Post(f"L{town.code}-1", Role.LEADER, town.code, f"T{town.code}-1", f"L{CODE}-1")
        for n in (1, 2):
            yield Post(f"T{town.code}-{n}", Role.TOWNSHIP_DUTY, town.code, f"T{town.code}-{3 - n}", f"C{CODE}-1")
        for village in town.villages:
            yield Post(f"H{village}-1", Role.VILLAGE_HEAD, village, f"H{village}-2", f"T{town.code}-1")
            yield Post(f"H{village}-2", Role.VILLAGE_HEAD, village, "", f"H{village}-1")
            grids = land.grids[village]
            for n, grid in enumerate(grids):
                deputy = f"G{grids[(n + 1) % len(grids)]}" if len(grids) > 1 else ""
                yield Post(f"G{grid}", Role.GRIDWORKER, grid, deputy, f"H{village}-1")


def list_staff(land: Land) -> list[Person]:
    """The posts, filled: each has a telephone, most have WeChat and the app."""
    posts = list(list_posts(land))
    rng = np.random.default_rng([land.seed, 2])
    names = people_names(rng, len(posts))
    wechat, push = rng.random(len(posts)) < 0.9, rng.random(len(posts)) < 0.7
    people = []
    for n, post in enumerate(posts):
        serial = STAFF + n
        openid, token = make_openid(serial) if wechat[n] else "", make_push(serial) if push[n] else ""
        phone = make_phone(serial)
        people.append(
            Person(
                post.ref, names[n], post.role.value, post.area, phone, openid, token, "zh-CN", post.deputy, post.superior, False
            )
        )
    return people


def list_residents(land: Land, residents: int, chunk: int = CHUNK) -> Iterator[list[Person]]:
    """The residents in lists of up to `chunk`, grid by grid; only one list is ever held."""
    grids = [grid for codes in land.grids.values() for grid in codes]
    rng = np.random.default_rng([land.seed, 3])
    share = rng.lognormal(0, 0.5, len(grids))
    ends = rng.multinomial(residents, share / share.sum()).cumsum()
    for start in range(0, residents, chunk):
        serials = np.arange(start, min(start + chunk, residents))
        homes = [grids[n] for n in np.searchsorted(ends, serials, side="right").tolist()]
        yield make_residents(np.random.default_rng([land.seed, 4, start]), serials.tolist(), homes)


def make_residents(rng: np.random.Generator, serials: list[int], homes: list[str]) -> list[Person]:
    """Residents of these grids: 97 % have a telephone, 15 % WeChat, 20 % the app; 2 % want nothing, 1 % English."""
    count = len(serials)
    names = people_names(rng, count)
    phone, wechat, push, out, english = (rng.random((5, count)) < [[0.97], [0.15], [0.20], [0.02], [0.01]]).tolist()
    return [
        Person(
            f"R{serial:08}",
            name,
            "resident",
            home,
            make_phone(serial) if has_phone else "",
            make_openid(serial) if has_wechat else "",
            make_push(serial) if has_push else "",
            "en" if speaks_english else "zh-CN",
            "",
            "",
            opt_out,
        )
        for serial, name, home, has_phone, has_wechat, has_push, opt_out, speaks_english in zip(
            serials, names, homes, phone, wechat, push, out, english, strict=True
        )
    ]


def list_devices(land: Land, residents: int) -> Iterator[Device]:
    """Loudspeakers, up to 10 a village and about 5 in a full county, and two displays a township."""
    rng = np.random.default_rng([land.seed, 5])
    most = max(2, min(10, residents // 2_000))
    for town in land.towns:
        for n in (1, 2):
            yield Device(f"D{town.code}-{n}", f"{town.name}{n}号显示屏", town.code, "display", f"{town.code}000/LED{n:02}")
        for village, count in zip(town.villages, rng.integers(1, most, len(town.villages), endpoint=True), strict=True):
            for n in range(1, int(count) + 1):
                name = f"{land.names[village]}{n}号大喇叭"
                yield Device(f"S{village}-{n}", name, village, "speaker", f"{village}/SP{n:02}")


def make_phone(serial: int) -> str:
    """A number for each serial under ROOM, all different."""
    return f"{BLOCK}{serial * SPREAD % ROOM:08}"


def make_openid(serial: int) -> str:
    """28 characters, as WeChat's are."""
    return f"oSimulatedYunling{serial:011}"


def make_push(serial: int) -> str:
    """A JPush registration for nine of ten, an FCM token for the tenth."""
    if serial % 10:
        return f"jpush:1507bfd3a7c{serial:08x}"
    return f"fcm:simulated{serial:010}:APA91b{serial * SPREAD:048x}"
