"""What a warning will take before anybody releases it: people, short messages, money and time, by channel."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from warnhub.plan.segments import billed_segments
from warnhub.port import CODE, LINK, Words

LINK_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Tariff:
    """What one message (of an SMS: one part) costs, in the county's currency, and how many people a second are reached."""

    price: Decimal = Decimal(0)
    rate: float = 50.0


@dataclass(frozen=True, slots=True)
class Load:
    """The same words to so many people on one channel."""

    channel: str
    people: int
    words: Words


@dataclass(frozen=True, slots=True)
class Line:
    """One channel's share. `messages` are billed parts for SMS, people otherwise; `seconds` at the provider's full rate."""

    channel: str
    people: int
    messages: int
    cost: Decimal
    seconds: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """The whole: channels work side by side, so it takes as long as the slowest."""

    lines: tuple[Line, ...]

    @property
    def cost(self) -> Decimal:
        """All channels together."""
        return sum((line.cost for line in self.lines), Decimal(0))

    @property
    def messages(self) -> int:
        """All channels together."""
        return sum(line.messages for line in self.lines)

    @property
    def seconds(self) -> float:
        """Until the last channel is through."""
        return max((line.seconds for line in self.lines), default=0.0)


def parts_of(load: Load) -> int:
    """Billed parts of one message of a load, with a link in its place."""
    if load.channel != "sms":
        return 1
    return billed_segments(load.words.text.replace(LINK, "x" * LINK_LENGTH).replace(CODE, "0000")).count


def estimate_plan(loads: Iterable[Load], tariffs: Mapping[str, Tariff]) -> Estimate:
    """The sum of the loads by channel, in the order channels first come; a channel without a tariff is free at 50 a second."""
    sums: dict[str, tuple[int, int]] = {}
    for load in loads:
        people, messages = sums.get(load.channel, (0, 0))
        sums[load.channel] = people + load.people, messages + load.people * parts_of(load)
    lines = []
    for channel, (people, messages) in sums.items():
        tariff = tariffs.get(channel, Tariff())
        lines.append(Line(channel, people, messages, messages * tariff.price, people / tariff.rate))
    return Estimate(tuple(lines))
