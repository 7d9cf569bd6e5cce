"""A push of many devices whose answer was lost: repeated as the same push, which the provider knows; told once."""

from typing import cast

from townhall import TOWNS, Opener, make_alert

from warnhub.simulate.jpush import JpushCarrier

PUSH = """
name: 只推送
rules:
  - levels: "*"
    roles: "*"
    channels: push
    reason: 故事用:只看推送
"""


async def test_a_whole_push_is_repeated_whole(visit: Opener) -> None:
    """JPush takes every push and answers 500; none of its devices shows it twice."""
    async with visit(policy=PUSH) as town:
        jpush = cast(JpushCarrier, town.carriers["jpush"])
        town.fault("jpush", broken=1)
        uid = await town.release(make_alert("j-1", areas=TOWNS[:2], level="yellow"))

        async def unknown() -> bool:
            parts = (await town.summary(uid)).providers
            return any(part.key == "push.jpush" and part.funnel.unknown == part.funnel.total > 0 for part in parts)

        await town.until(unknown, "all of JPush unknown")
        town.fault("jpush")

        async def known() -> bool:
            return not (await town.summary(uid)).states["unknown"]

        await town.until(known, "every push is looked into")
        found = await town.settle(uid)
        calls = len(jpush.pushed)
        mine = next(part.funnel for part in found.providers if part.key == "push.jpush")
        assert mine.delivered == mine.total == jpush.counts["devices"] > 50
        assert jpush.counts["repeats"] == calls < mine.total / 2
