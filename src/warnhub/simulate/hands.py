"""The carriers of a fast drill, in this process: they keep whom they reached, and can be down."""

from collections import Counter
from collections.abc import Callable
from typing import ClassVar

from warnhub.channels import Provider
from warnhub.crypto import read_reference
from warnhub.port import ChannelSettings, Outgoing, Reason, Receipt, SendError

CHANNELS = {"sms.drill": (), "wechat.drill": (), "push.drill": ()}


class Hands:
    """A carrier. `hear` is told (wave, recipient, channel) of each message that was taken."""

    Settings: ClassVar[type[ChannelSettings]] = ChannelSettings

    def __init__(self, channel: str, hear: Callable[[int, int, str], None]) -> None:
        self.channel = channel
        self.hear = hear
        self.down = False
        self.counts: Counter[str] = Counter()
        self.reached: Counter[str] = Counter()
        self.unmarked = 0

    async def send(self, message: Outgoing) -> Receipt:
        """Take it, unless the line is down."""
        if self.down:
            self.counts["down"] += 1
            raise SendError(Reason.UNREACHABLE, "DOWN", "the line is down in this drill")
        self.counts["sent"] += 1
        self.reached[message.address] += 1
        if not message.drill or "演练" not in message.text:
            self.unmarked += 1
        place = read_reference(message.reference)
        if place is not None:
            self.hear(place[0], place[1], self.channel)
        return Receipt(f"{self.channel}-{self.counts['sent']}")


def make_hands(hear: Callable[[int, int, str], None]) -> dict[str, Provider]:
    """A carrier for each channel that reaches people."""
    made = {}
    for name in CHANNELS:
        channel = name.partition(".")[0]
        made[name] = Provider(name, channel, Hands(channel, hear), ChannelSettings(rate=100_000, parallel=50))
    return made


def hands_of(providers: dict[str, Provider], channel: str) -> list[Hands]:
    """The carriers of a channel."""
    return [one.adapter for one in providers.values() if one.channel == channel and isinstance(one.adapter, Hands)]
