"""What a warning will take: people, short messages, money and time by channel before anybody releases it, and the time that is
left while it goes out. One model for both (`docs/scaling.md`): a provider takes its rate, and no more than the engine gives."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from warnhub.plan.segments import billed_segments
from warnhub.port import CODE, LINK, Words

LINK_LENGTH = 40
# People a second that one process hands over beside its store, whatever the provider would take: measured, docs/benchmarks.md.
BY_MANY = 8_000.0
ONE_BY_ONE = 1_800.0
SEEN = 200
"""Hand-offs from which on the pace that was seen says more than the model."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """What one message (of an SMS: one part) costs, in the county's currency, and how many people a second are reached.

    `alone` is that number where each message has its recipient's own link or code, and so is a call of its own: `rate` unless
    told.
    """

    price: Decimal = Decimal(0)
    rate: float = 50.0
    alone: float | None = None

    def pace(self, words: Words) -> float:
        """People a second for these words."""
        return self.alone if self.alone is not None and is_personal(words) else self.rate


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


def is_personal(words: Words) -> bool:
    """Whether nobody else gets the same text."""
    return LINK in words.text or CODE in words.text


def estimate_plan(loads: Iterable[Load], tariffs: Mapping[str, Tariff]) -> Estimate:
    """The sum of the loads by channel, in the order channels first come; a channel without a tariff is free at 50 a second."""
    sums: dict[str, tuple[int, int, float]] = {}
    for load in loads:
        people, messages, seconds = sums.get(load.channel, (0, 0, 0.0))
        pace = tariffs.get(load.channel, Tariff()).pace(load.words)
        sums[load.channel] = people + load.people, messages + load.people * parts_of(load), seconds + load.people / pace
    lines = []
    for channel, (people, messages, seconds) in sums.items():
        price = tariffs.get(channel, Tariff()).price
        lines.append(Line(channel, people, messages, messages * price, seconds))
    return Estimate(tuple(lines))


def reach_rate(calls: float, most: int, personal: bool = False) -> float:
    """People a second through a provider that takes `calls` a second with `most` people in each; `personal`: each has a link
    of their own, which is a call each."""
    by_many = most > 1 and not personal
    return min(calls * most, BY_MANY) if by_many else min(calls, ONE_BY_ONE)


def mixed_rate(many: int, alone: int, rate: float, slow: float) -> float:
    """People a second where `many` go at `rate` and `alone` at `slow`, one after the other."""
    seconds = many / rate + alone / slow
    return (many + alone) / seconds if seconds else rate


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for one provider: `left` of this warning, `ahead` of others that go before it.

    `rate` is the model's people a second; `handed` in `elapsed` seconds is what was seen of this warning so far.
    """

    channel: str
    left: int
    ahead: int
    rate: float
    handed: int = 0
    elapsed: float = 0.0

    @property
    def observed(self) -> bool:
        """Whether enough was seen."""
        return self.handed >= SEEN and self.elapsed >= 1.0

    @property
    def seconds(self) -> float:
        """Until the last of `left` is handed over. A pace that was seen is never taken to be faster than the model's."""
        pace = min(self.rate, self.handed / self.elapsed) if self.observed else self.rate
        return (self.left + self.ahead) / pace if self.left else 0.0


def channel_times(queues: Iterable[Queue]) -> dict[str, float]:
    """Seconds by channel; a channel's providers work side by side, so it takes as long as the slowest."""
    found: dict[str, float] = {}
    for queue in queues:
        found[queue.channel] = max(found.get(queue.channel, 0.0), queue.seconds)
    return found
