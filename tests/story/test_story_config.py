"""A provider whose key is wrong: nobody fails for it. It stops, another takes over, and it works again when it is put right."""

from typing import cast

from townhall import TOWNS, Opener, Town, make_alert

from warnhub.dispatch.failover import close_incident
from warnhub.simulate.aliyun import AliyunCarrier

WRONG = {"sms.aliyun": {"access_key_secret": "not the one it knows"}}
TEXTS = """
name: 只发短信
rules:
  - levels: "*"
    roles: "*"
    channels: sms
    reason: 故事用:只看短信
"""


async def test_a_wrong_key_stops_the_provider_and_fails_nobody(visit: Opener) -> None:
    """One incident; all its texts go by the other provider, also those of the next warning, also after a new start."""
    async with visit(policy=TEXTS, providers=WRONG) as town:
        await reaches_all_by(town, "k-1", TOWNS[0], "sms.twilio")
        incident = await only_incident(town)
        await town.restart()
        await reaches_all_by(town, "k-2", TOWNS[1], "sms.twilio")
        assert await only_incident(town) == incident
        assert town.watchman.taken["aliyun"] == []

        cast(AliyunCarrier, town.carriers["aliyun"]).secret = WRONG["sms.aliyun"]["access_key_secret"]
        async with town.hub.store.write() as tx:
            provider = await close_incident(tx, incident, "zhang")
        assert provider == "sms.aliyun"
        town.hands.worker.resume(provider)
        before = len(town.watchman.taken["twilio"])
        await reaches_all_by(town, "k-3", TOWNS[2], "sms.aliyun")
        assert len(town.watchman.taken["twilio"]) == before


async def reaches_all_by(town: Town, name: str, area: str, provider: str) -> None:
    """Everybody in a township is told, by this provider, each message once (who has a task is told of it too), as counted."""
    before = len(town.watchman.messages())
    uid = await town.release(make_alert(name, areas=(area,)))
    found = await town.settle(uid)
    assert found.states["delivered"] == found.planned > 100
    assert [part.key for part in found.providers if part.funnel.total] == [provider]
    assert (found.people.failed, found.people.unknown) == (0, 0)
    assert len({heard.address for heard in town.watchman.messages()[before:]}) == found.people.delivered
    assert len(town.watchman.messages()) - before == found.planned


async def only_incident(town: Town) -> int:
    """The number of the one incident that is open."""
    rows = await town.ask("SELECT id, provider, closed_at FROM incident")
    assert [(row.provider, row.closed_at) for row in rows] == [("sms.aliyun", None)]
    return int(rows[0].id)
