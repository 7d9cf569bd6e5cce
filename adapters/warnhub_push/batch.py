"""What one call of JPush carries: the messages it can stand for, and its form.

https://docs.jiguang.cn/jpush/server/push/rest_api_v3_push
"""

from collections.abc import Hashable, Sequence
from typing import Any

from warnhub.port import Outgoing
from warnhub_push.rest import JpushSettings
from warnhub_push.texts import LEVELS, clipped, topic

MOST = 900
"""Bytes of text: 4,000 for Android's part and 2,000 for Apple's, each with the text, the title and the link in it."""

LONGEST = 864_000
"""Seconds that JPush keeps a push for a device that is off."""


def grouped(messages: Sequence[Outgoing]) -> list[list[int]]:
    """The places of the messages that one call can carry: same words, link, lane, end and warning."""
    groups: dict[Hashable, list[int]] = {}
    for index, each in enumerate(messages):
        key = each.text, each.words.title, each.link, each.lane, each.expires, each.drill, topic(each.reference)
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def push(message: Outgoing, devices: Sequence[str], cid: str, settings: JpushSettings) -> dict[str, Any]:
    """The push on the wire; `message` stands for all of its group."""
    level, about = LEVELS[message.lane], topic(message.reference)
    title, text = clipped(message.words.title, 200), clipped(message.text, MOST)
    urgent = settings.critical and message.lane == 1 and not message.drill
    extras = {"warning": about, "level": level, "link": message.link, "drill": str(message.drill).lower()}
    android = {"title": title, "alert": text, "priority": 2, "alert_type": 7, "channel_id": f"warning_{level}"}
    ios = {
        "alert": {"title": title, "body": text},
        "sound": {"critical": 1, "name": "default", "volume": 1} if urgent else "default",
        "interruption-level": "critical" if urgent else "time-sensitive",
    }
    return {
        "cid": cid,
        "platform": "all",
        "audience": {"registration_id": list(devices)},
        "notification": {"alert": text, "android": android | {"extras": extras}, "ios": ios | {"extras": extras}},
        "options": {
            "time_to_live": min(LONGEST, max(0, int(message.left))),
            "apns_production": settings.apns_production,
            "apns_collapse_id": about,
            "classification": 1,
        },
    }
