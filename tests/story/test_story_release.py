"""From an agency's POST to a person's confirmation, with receipts that come early, late, twice and out of order."""

import asyncio
import json
from collections import Counter
from typing import Any

from townhall import PHONE, Town, make_alert

from warnhub.simulate.townsfolk import hidden_fields
from warnhub.store.assignments import TASK


async def test_red_reaches_everybody_and_is_confirmed(town: Town) -> None:
    """Everybody is told once on every channel they have; only a person's own act confirms; every view says the same."""
    for name in ("aliyun", "wechat"):
        town.fault(name, early=0.3, duplicate=0.3, reorder=0.3, delay=0.3)
    uid = await town.release(make_alert("r-1"))
    await town.settle(uid)
    told = Counter((heard.channel, heard.address, heard.text) for heard in town.watchman.messages())
    assert {place[:2] for place in told} == await town.wanted()
    rounds = await town.number("SELECT count(DISTINCT round) FROM wave")
    tasked = await town.number(f"SELECT count(*) FROM wave v JOIN delivery d ON d.wave_id = v.id WHERE v.cause LIKE '{TASK}%'")
    twice = [n for n in Counter((heard.channel, heard.address) for heard in town.watchman.messages()).values() if n > 1]
    assert sum(n - 1 for n in twice) == tasked, "only who has a task hears more than the warning"
    assert rounds == 1 + bool(tasked)

    stream = asyncio.create_task(follow(town, uid, confirmed=2))
    first, second, third = town.watchman.links()[:3]
    await refuse_machines(town, third)
    answers = await asyncio.gather(town.confirm(first), town.confirm(second, "help"))
    assert [answer.status_code for answer in answers] == [200, 200]
    said = await asyncio.wait_for(stream, 10)
    assert len(said) >= 2
    assert [one["people"]["confirmed"] for one in said] == sorted(one["people"]["confirmed"] for one in said)

    await views_agree(town, uid, said[-1])


async def refuse_machines(town: Town, link: str) -> None:
    """HEAD, GET and a button pressed within two seconds confirm nothing."""
    assert (await town.http.head(link, headers=PHONE)).status_code == 200
    page = await town.http.get(link, headers=PHONE)
    quick = await town.http.post(link, data=hidden_fields(page.text) | {"choice": "received"}, headers=PHONE)
    assert quick.status_code == 400
    assert await town.number("SELECT count(*) FROM ack WHERE human") == 0


async def follow(town: Town, uid: str, confirmed: int) -> list[dict[str, Any]]:
    """The figures as the stream gives them, until so many have confirmed."""
    said: list[dict[str, Any]] = []
    headers = {"authorization": f"Bearer {town.base.agencies['weather']}"}
    async with town.http.stream("GET", f"/v1/warnings/{uid}/stream", headers=headers) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                said.append(json.loads(line.removeprefix("data: ")))
                if said[-1]["people"]["confirmed"] >= confirmed:
                    break
    return said


async def views_agree(town: Town, uid: str, streamed: dict[str, Any]) -> None:
    """Summary, stream, deliveries, unconfirmed and the ledger's own rows."""
    await town.summary(uid)
    summary = await town.get(f"/v1/warnings/{uid}/summary")
    assert {**summary, "at": 0} == {**streamed, "at": 0}
    deliveries = await town.pages(f"/v1/warnings/{uid}/deliveries", "deliveries")
    states = Counter(line["state"] for line in deliveries)
    assert states == {state: n for state, n in summary["states"].items() if n}
    assert states["confirmed"] == 2
    assert states["accepted"] == sum(line["provider"] == "push.fcm" for line in deliveries), "all but FCM report"
    open_tasks = await town.pages(f"/v1/warnings/{uid}/unconfirmed", "unconfirmed")
    tasks = summary["tasks"]
    assert (tasks["total"] - tasks["done"], tasks["done"], tasks["help"]) == (len(open_tasks), 2, 1)
    assert tasks["total"] == await town.number(
        "SELECT count(*) FROM recipient WHERE role NOT IN ('resident', 'speaker', 'display')"
    )


async def check_forecast(town: Town, uid: str, said: dict[str, Any]) -> None:
    """What the API said it would do is what it did, and the time was by the providers' rates."""
    told = "SELECT count(*) FROM target WHERE role NOT IN ('speaker', 'display') AND state <> 20"
    assert said["people"] == await town.number(told)
    assert said["asked"] == await town.number("SELECT count(*) FROM task WHERE kind = 'confirm'")
    sent = await town.ask("SELECT channel, sum(size) FROM batch WHERE round = 1 GROUP BY channel")
    assert {one["channel"]: one["people"] for one in said["channels"]} == {row[0]: int(row[1]) for row in sent}
    assert said["seconds"] == max(one["seconds"] for one in said["channels"]) > 0
    after = {"authorization": f"Bearer {town.base.agencies['water']}"}
    assert (await town.http.get(f"/v1/warnings/{uid}/forecast", headers=after)).status_code == 409


async def test_two_officers_release_what_no_green_channel_does(town: Town) -> None:
    """A red alert of an agency that is not certified waits for two different officers, and reaches nobody before."""
    answer = await town.post(make_alert("two-1", sender="云岭县水利局"), "water")
    uid, said = answer.json()["warning"], answer.json()
    assert (answer.status_code, said["state"]) == (201, "pending")
    assert (await town.act(uid, "release", "looker")).status_code == 403
    forecast = await town.get(f"/v1/warnings/{uid}/forecast", "water")
    for _ in range(2):
        assert (await town.act(uid, "release", "zhang")).json()["state"] == "pending", "the same officer twice is one"
    assert town.watchman.messages() == []
    assert (await town.act(uid, "release", "li")).json()["state"] == "released"
    await town.settle(uid)
    assert {(heard.channel, heard.address) for heard in town.watchman.messages()} == await town.wanted()
    await check_forecast(town, uid, forecast)
