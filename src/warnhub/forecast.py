"""What a release would do, in numbers, before anybody releases: people by role and channel, messages, time."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from pydantic import BaseModel, Field

from warnhub.alert import Level
from warnhub.channels import Provider, by_channel
from warnhub.dispatch.wordbook import Story, Wordbook
from warnhub.plan.audience import Places
from warnhub.plan.estimate import Estimate, Load, Tariff, estimate_plan, parts_of, reach_rate
from warnhub.plan.policy import Policy, Rule, rules_for
from warnhub.port import Bulk, Fills
from warnhub.roles import Role
from warnhub.store.census import Reach, count_reach
from warnhub.store.engine import Store
from warnhub.store.warnings import Warning, warning_alert

FRESH = 300.0


@dataclass(frozen=True, slots=True)
class Share:
    """One role: how many are told, by which channels, how many have no usable address, and by when they must confirm."""

    role: Role
    people: int
    channels: tuple[str, ...]
    counts: tuple[int, ...]
    """People on each of `channels`."""
    missed: int
    within: int
    """Seconds to confirm in; 0 where nobody is asked."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The whole of it."""

    shares: tuple[Share, ...]
    estimate: Estimate
    towns: int
    villages: int
    prices: Mapping[str, Decimal | None]
    """What one message of each channel costs, at its heaviest provider's price; None where that is not set."""
    crowded: tuple[tuple[str, str], ...] = ()
    """(provider, names of our words) that its template has no room for."""
    parts: int = 0
    """Billed parts of the longest short message."""

    @property
    def unpriced(self) -> list[str]:
        """Channels whose cost nobody has said."""
        return [line.channel for line in self.estimate.lines if line.people and self.prices.get(line.channel) is None]

    @property
    def people(self) -> int:
        """People told."""
        return sum(share.people for share in self.shares if share.role.person)

    @property
    def devices(self) -> int:
        """Loudspeakers and displays."""
        return sum(share.people for share in self.shares if not share.role.person)

    @property
    def asked(self) -> int:
        """People who must confirm."""
        return sum(share.people for share in self.shares if share.within)

    @property
    def missed(self) -> int:
        """People nobody can reach by these channels."""
        return sum(share.missed for share in self.shares)


@dataclass(slots=True)
class Forecasts:
    """Forecasts of warnings, each kept for a few minutes: the census behind one is long in a large county."""

    store: Store
    places: Places
    policies: Mapping[int, Policy]
    providers: Mapping[str, Provider]
    wordbook: Wordbook
    kept: dict[tuple[int, int, str | None], tuple[float, Forecast]] = field(default_factory=dict)

    async def make(self, warning: Warning) -> Forecast:
        """What releasing `warning` would do."""
        key = (warning.id, warning.version, warning.drill)
        known = self.kept.get(key)
        if known and time.monotonic() - known[0] < FRESH:
            return known[1]
        self.kept = {one: old for one, old in self.kept.items() if time.monotonic() - old[0] < FRESH}
        made = await self.count(warning)
        self.kept[key] = time.monotonic(), made
        return made

    async def count(self, warning: Warning) -> Forecast:
        """The same, counted now."""
        async with self.store.read() as conn:
            alert = await warning_alert(conn, warning)
            places = self.places.rows(self.places.select(alert.areas))
            reach = await count_reach(conn, [(area, home) for area, _, home in places], carried(self.providers), warning.drill)
        story = await self.wordbook.story(warning.id)
        rules = rules_for(self.policies[warning.policy], warning.hazard_class, Level(warning.level))
        told = {role: rule for role, rule in rules.items() if role.responsible or not warning.restricted}
        shares, counts = share_out(told, reach)
        homes = [area for area, _, home in places if home]
        loads, prices = list(self.loads(story, counts)), channel_prices(self.providers)
        return Forecast(
            tuple(shares),
            estimate_plan(loads, tariffs(self.providers, prices)),
            towns=len({self.places.towns[area] for area in homes if self.places.levels[area] >= 9}),
            villages=len({self.places.villages[area] for area in homes if self.places.levels[area] >= 12}),
            prices=prices,
            crowded=tuple(find_crowded(self.providers, loads)),
            parts=max((parts_of(load) for load in loads if load.channel == "sms"), default=0),
        )

    def loads(self, story: Story, counts: Mapping[tuple[Role, str], int]) -> Iterable[Load]:
        """The words of each role and channel, to so many."""
        for (role, channel), people in counts.items():
            yield Load(channel, people, self.wordbook.words(story, channel, role.value, "zh-CN"))


class Told(BaseModel):
    """What a forecast says of one role: how many are told, on which channels, how many nobody can reach."""

    role: str
    people: int
    channels: dict[str, int] = Field(description="channel → people or devices")
    missed: int = Field(description="without an address that any provider carries")
    confirm_within: int | None = Field(description="seconds to confirm in; null where nobody is asked")


class Passage(BaseModel):
    """What a forecast says of one channel."""

    channel: str
    people: int
    messages: int = Field(description="billed parts of short messages; people on other channels")
    cost: float | None = Field(description="in the county's currency; null where nobody has said the price")
    seconds: float = Field(description="at the providers' rates and what one process gives, whichever is less")


class Outlook(BaseModel):
    """What releasing a warning would do, by the same model as the console's forecast and the summary's `eta`. It knows no
    failures, retries or quiet hours: it is the earliest, not a promise."""

    people: int
    devices: int
    missed: int
    asked: int = Field(description="people who must confirm")
    towns: int
    villages: int
    messages: int
    cost: float | None = Field(description="null where a channel's price is not known")
    seconds: float = Field(description="until the last message is handed over: channels work side by side")
    roles: list[Told]
    channels: list[Passage]


def describe_forecast(forecast: Forecast) -> Outlook:
    """A forecast for machines."""
    lines, unpriced = forecast.estimate.lines, forecast.unpriced
    return Outlook(
        people=forecast.people,
        devices=forecast.devices,
        missed=forecast.missed,
        asked=forecast.asked,
        towns=forecast.towns,
        villages=forecast.villages,
        messages=forecast.estimate.messages,
        cost=None if unpriced else float(forecast.estimate.cost),
        seconds=round(forecast.estimate.seconds, 1),
        roles=[
            Told(
                role=share.role.value,
                people=share.people,
                channels=dict(zip(share.channels, share.counts, strict=True)),
                missed=share.missed,
                confirm_within=share.within or None,
            )
            for share in forecast.shares
        ],
        channels=[
            Passage(
                channel=line.channel,
                people=line.people,
                messages=line.messages,
                cost=None if line.channel in unpriced else float(line.cost),
                seconds=round(line.seconds, 1),
            )
            for line in lines
        ],
    )


def carried(providers: Mapping[str, Provider]) -> dict[str, tuple[str, ...]]:
    """The channels there are, with the kinds of address that their providers carry between them; () is all."""
    found: dict[str, tuple[str, ...]] = {}
    for provider in providers.values():
        routes, before = provider.settings.routes, found.get(provider.channel)
        found[provider.channel] = routes if before is None else () if not (routes and before) else before + routes
    return found


def share_out(rules: Mapping[Role, Rule], reach: Iterable[Reach]) -> tuple[list[Share], Counter[tuple[Role, str]]]:
    """(each role's share, people by role and channel)."""
    people: Counter[Role] = Counter()
    missed: Counter[Role] = Counter()
    counts: Counter[tuple[Role, str]] = Counter()
    for group in reach:
        role = Role(group.role)
        if role not in rules:
            continue
        wanted = [channel.value for channel in rules[role].channels if channel.value in group.channels]
        (people if wanted else missed)[role] += group.people
        for channel in wanted[:1] if rules[role].mode == "first" else wanted:
            counts[role, channel] += group.people
    shares = []
    for role, rule in rules.items():
        if people[role] or missed[role]:
            channels = tuple(channel.value for channel in rule.channels if counts[role, channel.value])
            each = tuple(counts[role, channel] for channel in channels)
            within = int(rule.confirm.within.total_seconds()) if rule.confirm else 0
            shares.append(Share(role, people[role], channels, each, missed[role], within))
    return shares, counts


def channel_prices(providers: Mapping[str, Provider]) -> dict[str, Decimal | None]:
    """What a message of each channel costs at the provider that carries most of it."""
    return {channel: those[0].settings.price for channel, those in by_channel(providers).items()}


def find_crowded(providers: Mapping[str, Provider], loads: Iterable[Load]) -> list[tuple[str, str]]:
    """The words that providers' own templates have no room for."""
    found: dict[str, dict[str, None]] = {}
    for load in loads:
        for provider in providers.values():
            if provider.channel == load.channel and isinstance(provider.adapter, Fills):
                found.setdefault(provider.name, {}).update(dict.fromkeys(provider.adapter.crowded(load.words)))
    return [(name, ", ".join(words)) for name, words in found.items() if words]


def tariffs(providers: Mapping[str, Provider], prices: Mapping[str, Decimal | None]) -> dict[str, Tariff]:
    """What a message costs, and how many people a second each channel reaches, all its providers together."""
    rates: dict[str, float] = {}
    alone: dict[str, float] = {}
    for provider in providers.values():
        most = type(provider.adapter).most if isinstance(provider.adapter, Bulk) else 1
        rates[provider.channel] = rates.get(provider.channel, 0.0) + reach_rate(provider.settings.rate, most)
        alone[provider.channel] = alone.get(provider.channel, 0.0) + reach_rate(provider.settings.rate, most, personal=True)
    return {channel: Tariff(prices.get(channel) or Decimal(0), rate, alone[channel]) for channel, rate in rates.items()}
