"""Nobody knows whether it arrived: the provider is asked, or the message is repeated where a repeat is known, and only where
neither can be done does the policy tell people a second time."""

import asyncio
from collections import Counter

from sqlalchemy import text
from townhall import TOWNS, Opener, Town, make_alert

FORGETFUL = """
name: 只推送
rules:
  - levels: "*"
    roles: "*"
    channels: push
    reason: 故事用:只看推送
"""


HOUR = 3_600_000


async def look_later(town: Town) -> None:
    """What is unknown is not looked into before the story says so: not while its carriers hang, on however busy a machine."""
    await move_looks(town, "due_at = due_at + :hour WHERE kind = 'resolve' AND due_at < :now + :hour / 2")


async def look_now(town: Town) -> None:
    """What was put off is looked into."""
    await move_looks(town, "due_at = :now WHERE kind = 'resolve' AND due_at > :now + :hour / 2")


async def move_looks(town: Town, change: str) -> None:
    """Change when what is unknown is looked into."""
    async with town.hub.store.write() as tx:
        given = {"now": tx.now, "hour": HOUR}
        await tx.conn.execute(text(f"UPDATE timer SET {change}"), given)
        tx.wake("timer")


async def test_found_again_and_told_once(visit: Opener) -> None:
    """WeChat never answers, Aliyun breaks after it took, half of its receipts are lost: all are found, none told twice.

    Red, which would rather tell somebody twice than never.
    """
    async with visit(providers={"wechat.template": {"timeout": 1.0}}) as town:
        town.fault("wechat", hang=1, delay=0.1)
        town.fault("aliyun", broken=1, drop=0.5, delay=0.1)
        uid = await town.release(make_alert("u-1", areas=(TOWNS[0],)))
        wechat = await all_unknown(town, uid, "wechat")
        town.fault("wechat")
        town.fault("aliyun")
        await none_unknown(town, uid)
        found = await town.settle(uid, receipts=False)
        assert (found.states["failed"], found.people.failed, found.people.unknown) == (0, 0, 0)
        told = Counter((heard.channel, heard.address) for heard in town.watchman.messages())
        assert sum(told.values()) == found.planned
        assert set(told.values()) == {1}
        assert town.carriers["wechat"].counts["repeats"] == wechat
        assert await town.number("SELECT max(round) FROM wave") == 1
        sms = next(part.funnel for part in found.channels if part.key == "sms")
        dropped = town.carriers["aliyun"].counts["callbacks_dropped"]
        assert sms.accepted == sms.total == sms.delivered > dropped > 0


async def all_unknown(town: Town, uid: str, channel: str) -> int:
    """Wait until all deliveries of a channel are counted as unknown; gives how many there are."""

    async def reached() -> bool:
        await look_later(town)
        parts = (await town.summary(uid)).channels
        return any(part.key == channel and part.funnel.unknown == part.funnel.total > 0 for part in parts)

    await town.until(reached, f"all of {channel} unknown")
    return next(part.funnel.total for part in (await town.summary(uid)).channels if part.key == channel)


async def none_unknown(town: Town, uid: str) -> None:
    """Wait until no delivery is unknown any more."""

    async def reached() -> bool:
        await look_now(town)
        return not (await town.summary(uid)).states["unknown"]

    await town.until(reached, "what was unknown is found")


async def test_without_memory_the_level_decides(visit: Opener) -> None:
    """FCM cannot be asked and knows no repeat: red tells everybody once more, yellow leaves it; both stay counted."""
    async with visit(policy=FORGETFUL, providers={"push.fcm": {"timeout": 1.0}}) as town:
        town.fault("fcm", hang=1)
        red, yellow = await asyncio.gather(
            town.release(make_alert("u-2")), town.release(make_alert("u-3", level="yellow", hazard="11B09"))
        )
        count = await unknown_by_fcm(town, red)
        assert await unknown_by_fcm(town, yellow) == count
        town.fault("fcm")
        await look_now(town)

        async def looked_into() -> bool:
            left = await town.number("SELECT count(*) FROM timer WHERE kind = 'resolve'")
            return not left and not await town.number("SELECT count(*) FROM outbox")

        await town.until(looked_into, "both are looked into")
        first, second = await town.settle(red), await town.settle(yellow)
        assert (first.states["unknown"], first.states["accepted"], first.people.unknown) == (count, count, 0)
        assert (second.states["unknown"], second.states["accepted"], second.people.unknown) == (count, 0, count)
        assert await town.ask("SELECT warning_id, round, cause FROM wave WHERE round > 1") == [
            ((await town.warning(red)).id, 2, "resend:1")
        ]
        told = Counter(heard.address for heard in town.watchman.messages() if heard.carrier == "fcm")
        assert (len(told), set(told.values())) == (count, {3}), "twice for red, once for yellow"


async def unknown_by_fcm(town: Town, uid: str) -> int:
    """Wait until all that FCM has of a warning is unknown; gives how many."""

    async def reached() -> bool:
        await look_later(town)
        parts = (await town.summary(uid)).providers
        return any(part.key == "push.fcm" and part.funnel.unknown == part.funnel.total > 0 for part in parts)

    await town.until(reached, "all of FCM unknown")
    return next(part.funnel.total for part in (await town.summary(uid)).providers if part.key == "push.fcm")
