"""A warning that another message changes: updates, cancels by its own agency, and cancels by everybody else."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from townhall import OVER, TOWNS, WEATHER, Heard, Opener, Town, make_alert, texts_of

SLOW = {"wechat.template": {"rate": 40, "parallel": 20}, "sms.aliyun": {"parallel": 20}}
CHANGED = "更新|由黄色升级"
NEW = "橙色|[Oo]rang"
CODE = "99012341600000"
CROSSED = {"rings": [[[109.0, 30.0], [109.1, 30.1], [109.1, 30.0], [109.0, 30.1], [109.0, 30.0]]]}
"""A ring that crosses itself: a person must look at what says so."""

STRANGE: list[tuple[str, dict[str, Any], int, str | None]] = [
    ("other", {}, 201, "held"),
    ("weather", {"sender": "云岭县气象局"}, 201, "held"),
    ("weather", {"status": "test"}, 201, "held"),
    ("weather", {"references": ["f-0"]}, 201, "held"),
    ("land", {"hazard": "11D01"}, 403, None),
]
"""Whose cancel it is, in what it differs from the agency's own, and what becomes of it: another agency's, another sender's,
a test, one that names an alert nobody knows, one out of scope."""


def national(
    number: int, first: int | None = None, kind: str = "Alert", colour: str = "Yellow", areas: str = TOWNS[0]
) -> bytes:
    """The national profile's message `number` of a chain; `first` is the first of it, the only one it refers to."""
    chinese = {"Yellow": "黄色", "Blue": "蓝色"}[colour]
    verb = {"Alert": "发布", "Update": "更新", "Cancel": "解除"}[kind]
    now = datetime.now(ZoneInfo("Asia/Shanghai"))
    said, until = (moment.strftime("%Y-%m-%d %H:%M:%S+08:00") for moment in (now, now + timedelta(hours=2)))
    return f"""<alert xmlns="http://com.icss.amp"><identifier>{name(number)}</identifier><sender>{WEATHER}</sender>
<senderCode>{CODE}</senderCode><sendTime>{said}</sendTime><status>Actual</status><msgType>{kind}</msgType>
<scope>Public</scope><references>{name(first) if first else ""}</references><info><language>zh-CN</language>
<eventType>11B03</eventType><urgency>Expected</urgency><severity>{colour}</severity><certainty>Likely</certainty>
<effective>{said}</effective><expires>{until}</expires><headline>{WEATHER}{verb}暴雨{chinese}预警</headline>
<description>雨。</description><area><areaDesc>镇</areaDesc><geocode>{areas}</geocode></area></info></alert>""".encode()


def name(number: int) -> str:
    """An identifier of the short form."""
    return f"{CODE}_202606121600{number:02}"


async def state_of(town: Town, uid: str) -> str:
    """Where a warning stands, as its agency is told."""
    return str((await town.get(f"/v1/warnings/{uid}"))["state"])


def places(messages: list[Heard]) -> list[tuple[str, str]]:
    """Where messages went, in order, each as often as it was told."""
    return sorted((heard.channel, heard.address) for heard in messages)


async def taken_of(town: Town, uid: str) -> list[tuple[str, str]]:
    """Where the messages of a warning went, as the ledger has it."""
    rows = await town.ask(
        "SELECT a.channel, a.value FROM delivery d JOIN address a ON a.id = d.address_id JOIN batch b ON b.id = d.batch_id "
        "JOIN warning w ON w.id = b.warning_id WHERE w.uid = :u AND d.state >= 40",
        u=uid,
    )
    return sorted((row.channel, town.hub.keys.unseal(row.value)) for row in rows)


async def test_update_in_the_middle(visit: Opener) -> None:
    """The old one's unsent stop within a second, are counted superseded, and everybody hears the new one, which says so."""
    async with visit(providers=SLOW) as town:
        town.fault("wechat", latency=0.2, delay=0.1)
        old = await town.release(make_alert("u-1", level="yellow", areas=(TOWNS[0],)))

        async def half() -> bool:
            return len(town.watchman.taken["wechat"]) >= 25

        await town.until(half, "half a fan-out")
        new = await town.release(make_alert("u-2", level="orange", kind="update", references=["u-1"], areas=(TOWNS[0],)))
        answered = time.monotonic()
        assert await state_of(town, old) == "superseded"
        await town.settle(new)
        ended = await town.settle(old)
        said = town.watchman.messages()
        second = texts_of(said, NEW)
        first = [heard for heard in said if heard not in second]
        assert [heard.text for heard in first if heard.at > answered + 1.0] == []
        assert ended.states["superseded"] == ended.planned - len(first) > 20
        assert ended.people.remaining == 0
        assert places(second) == await taken_of(town, new)
        assert set(places(first)) < set(places(second))
        own = [heard for heard in texts_of(second, "预警") if heard.channel == "push"]
        assert texts_of(own, CHANGED) == own != [], "where there is room for the agency's own headline"
        assert texts_of(said, OVER) == []


async def test_national_chain(town: Town) -> None:
    """Every message refers to the first; the cancel ends the one that lives, and its all-clear is for whom that one told."""
    both = ",".join(TOWNS[:2])
    steps = [national(1, areas=both), national(2, 1, "Update", "Blue", both), national(3, 1, "Update", "Yellow", TOWNS[0])]
    uids = []
    for body in steps:
        uids.append(await town.release(body, media="application/xml"))
        await town.settle(uids[-1])
    assert [await state_of(town, uid) for uid in uids] == ["superseded", "superseded", "released"]
    before = len(town.watchman.messages())
    clear = await town.release(national(4, 1, "Cancel", "Yellow", both), media="application/xml")
    assert [await state_of(town, uid) for uid in uids] == ["superseded", "superseded", "cancelled"]
    await town.settle(clear)
    said = town.watchman.messages()
    assert await taken_of(town, uids[-1]) == places(said[before:])
    assert len(texts_of(said, OVER)) == len(said) - before > 20


async def test_cancel_names_the_first_of_a_chain(town: Town) -> None:
    """Each update refers only to the one before it; a cancel of the first ends the last, and a second cancel tells nobody."""
    given = {"level": "yellow", "areas": (TOWNS[0],)}
    uids = [await town.release(make_alert("c-1", **given))]
    for number in (2, 3):
        body = make_alert(f"c-{number}", kind="update", references=[f"c-{number - 1}"], **given)
        uids.append(await town.release(body))
    await town.settle(uids[-1])
    clear = await town.release(make_alert("c-4", kind="cancel", references=["c-1"], **given))
    assert [await state_of(town, uid) for uid in uids] == ["superseded", "superseded", "cancelled"]
    await town.settle(clear)
    cleared = texts_of(town.watchman.messages(), OVER)
    assert len(cleared) > 10
    again = (await town.post(make_alert("c-5", kind="cancel", references=["c-1"], **given))).json()
    assert (again["state"], again["warning"]) == ("ended", None)
    await asyncio.sleep(1.0)
    assert texts_of(town.watchman.messages(), OVER) == cleared


async def test_cancels_that_touch_nothing(town: Town) -> None:
    """Held or refused, the warning goes on, and nobody is told that it is over."""
    area = {"level": "yellow", "areas": (TOWNS[0],)}
    uid = await town.release(make_alert("f-1", **area))
    for number, (agency, given, status, state) in enumerate(STRANGE):
        body = make_alert(f"f-2{number}", **({"kind": "cancel", "references": ["f-1"]} | area | given))
        answer = await town.post(body, agency)
        assert (answer.status_code, answer.json().get("state")) == (status, state), answer.text
        assert await state_of(town, uid) == "released", (agency, given)
    found = await town.settle(uid)
    assert found.states["superseded"] == 0 < found.states["delivered"]
    assert texts_of(town.watchman.messages(), OVER) == []


async def test_held_cancel_ends_it_once_it_is_released(town: Town) -> None:
    """A person who looked releases the held cancel: then the warning ends and its all-clear goes out."""
    given = {"level": "yellow", "areas": (TOWNS[0],)}
    uid = await town.release(make_alert("h-1", **given))
    await town.settle(uid)
    told = places(town.watchman.messages())
    crossed = {"name": "城关街道", "codes": [{"value": TOWNS[0]}], "polygons": [CROSSED]}
    body = make_alert("h-2", kind="cancel", references=["h-1"], more={"areas": [crossed]}, **given)
    held = (await town.post(body)).json()
    assert (held["state"], await state_of(town, uid)) == ("held", "released")
    assert (await town.act(held["warning"], "release")).json()["state"] == "released"
    assert await state_of(town, uid) == "cancelled"
    await town.settle(held["warning"])
    assert places(texts_of(town.watchman.messages(), OVER)) == told


async def test_update_waits_for_a_person(town: Town) -> None:
    """An update that must be released leaves the old one alone until it is."""
    given = {"hazard": "11D01", "sender": "云岭县自然资源局", "areas": (TOWNS[0],)}
    old = await town.release(make_alert("p-1", level="orange", **given), "land")
    answer = (await town.post(make_alert("p-2", level="yellow", kind="update", references=["p-1"], **given), "land")).json()
    assert answer["state"] == "pending"
    assert (await town.warning(old)).state == "released"
    assert (await town.act(answer["warning"], "release")).status_code == 200
    assert (await town.warning(old)).state == "superseded"
    await town.settle(answer["warning"])


async def test_cancel_of_a_pending_warning(town: Town) -> None:
    """It just ends: nobody was told, so nobody is told that it is over, and nobody can release it any more."""
    given = {"sender": "云岭县水利局", "areas": (TOWNS[0],), "sent": datetime.now(UTC)}
    uid = (await town.post(make_alert("q-1", **given), "water")).json()["warning"]
    answer = (await town.post(make_alert("q-2", kind="cancel", references=["q-1"], **given), "water")).json()
    assert (answer["state"], answer["warning"]) == ("ended", None)
    assert (await town.warning(uid)).state == "cancelled"
    assert (await town.act(uid, "release")).status_code == 409
    await asyncio.sleep(0.5)
    assert town.watchman.messages() == []
