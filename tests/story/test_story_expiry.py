"""What has expired is not sent, by whatever way it comes, and is counted as what it is."""

import time
from datetime import UTC, datetime, timedelta

from townhall import PHONE, TOWNS, Opener, Town, make_alert

SLOW = {"wechat.template": {"rate": 20, "parallel": 10}, "sms.aliyun": {"rate": 8}, "push.fcm": {"rate": 1}}


async def ended(town: Town, uid: str) -> bool:
    """Whether it is over."""
    return bool((await town.warning(uid)).ended_at)


async def test_expires_in_the_middle(visit: Opener) -> None:
    """Nothing after its time; those who were late are counted expired, not failed; the page says that it is over."""
    async with visit(providers=SLOW) as town:
        town.fault("aliyun", latency=0.2, delay=0.1)
        clock = time.monotonic() - time.time()
        uid = await town.release(make_alert("e-1", life=timedelta(seconds=5)))
        end = (await town.warning(uid)).expires_at / 1000 + clock

        async def over() -> bool:
            return await ended(town, uid)

        await town.until(over, "it expires")
        found = await town.settle(uid)
        said = town.watchman.messages()
        assert max(heard.at for heard in said) <= end
        assert (await town.warning(uid)).state == "expired"
        assert found.states["expired"] == found.planned - len(said) > 100
        assert found.states["failed"] == 0
        assert (found.people.remaining, found.people.failed) == (0, 0)
        assert found.people.stopped == found.people.total - found.people.suppressed - len(town.people(said)) > 0
        assert await town.number("SELECT count(*) FROM task WHERE state = 'open'") == 0
        page = await town.http.get(town.watchman.links()[0], headers=PHONE)
        assert "已过有效期" in page.text
        assert "<form" not in page.text


async def test_expired_before_it_can_leave(town: Town) -> None:
    """One that comes expired is refused, one that expires while it waits cannot be released; nobody is told."""
    old = make_alert("e-2", sent=datetime.now(UTC) - timedelta(hours=3), life=timedelta(hours=1), areas=(TOWNS[0],))
    answer = await town.post(old)
    assert (answer.status_code, [error["rule"] for error in answer.json()["errors"]]) == (422, ["EXPIRED"])
    given = {"sender": "云岭县水利局", "level": "blue", "areas": (TOWNS[0],), "life": timedelta(seconds=1.5)}
    pending = (await town.post(make_alert("e-3", **given), "water")).json()
    assert pending["state"] == "pending"

    async def late() -> bool:
        return (await town.warning(pending["warning"])).expires_at < time.time() * 1000

    await town.until(late, "its time is over")
    refused = await town.act(pending["warning"], "release")
    assert refused.status_code == 409
    assert "expired" in refused.json()["title"]
    assert town.watchman.messages() == []
