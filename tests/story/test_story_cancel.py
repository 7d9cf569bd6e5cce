"""A warning that is cancelled while it goes out: what is not submitted stops, and those who were told hear that it is over."""

import time

from townhall import OVER, Opener, Town, make_alert, texts_of

SLOW = {"wechat.template": {"rate": 100, "parallel": 30}, "sms.aliyun": {"parallel": 10}}


async def test_cancel_in_the_middle(visit: Opener) -> None:
    """Within a second of the answer nothing more is submitted; the rest is superseded; the all-clear goes to whom it told."""
    async with visit(providers=SLOW) as town:
        town.fault("wechat", latency=0.5, delay=0.1)
        town.fault("aliyun", latency=0.5, delay=0.1)
        uid = await town.release(make_alert("c-1", level="yellow"))
        await half_told(town)
        answer = await town.act(uid, "cancel", why="预报有误")
        answered = time.monotonic()
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
        await stopped_at_once(town, uid, answered)
        await all_clear_matches(town, uid)


async def half_told(town: Town) -> None:
    """Until some have been told by WeChat and some have not."""

    async def reached() -> bool:
        return len(town.watchman.taken["wechat"]) >= 90

    await town.until(reached, "half a fan-out")


async def stopped_at_once(town: Town, uid: str, answered: float) -> None:
    """Nothing of the old warning later than a second, and nobody of it left over."""
    (clear,) = await town.ask("SELECT uid FROM warning WHERE kind = 'cancel'")
    await town.settle(clear.uid)
    old = await town.settle(uid)
    said = town.watchman.messages()
    cleared = texts_of(said, OVER)
    first = [heard for heard in said if heard not in cleared]
    assert max(heard.at for heard in first) <= answered + 1.0
    assert old.states["superseded"] == old.planned - len(first) > 50
    assert old.states["delivered"] == len(first)
    assert old.people.remaining == 0
    assert old.people.stopped == old.people.total - old.people.suppressed - len(town.people(first)) > 0


async def all_clear_matches(town: Town, uid: str) -> None:
    """Exactly those who were told, each by the way they were told."""
    said = town.watchman.messages()
    cleared = texts_of(said, OVER)
    first = [heard for heard in said if heard not in cleared]
    assert town.people(cleared) == town.people(first)
    assert sorted((heard.channel, heard.address) for heard in cleared) == sorted(
        (heard.channel, heard.address) for heard in first
    )
    clear = await town.summary((await town.ask("SELECT uid FROM warning WHERE kind = 'cancel'"))[0].uid)
    assert (clear.people.total, clear.people.remaining) == (len(town.people(first)), 0)
    assert texts_of(cleared, "/a/") == [], "nobody is asked to confirm it"
