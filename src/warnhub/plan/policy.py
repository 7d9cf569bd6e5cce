"""Policy: who is told by which channels, how often, and what happens when nobody answers. Data, checked before use.

The first rule in the list that fits (hazard class, level, role) is the one that counts, as in a firewall: exceptions stand
above what is general. A rule that can never be reached is refused, and so is one that does what policy may not do (quiet
hours for orange or red, a confirmation asked of the public). `channels: []` says on purpose that nobody is told.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from itertools import product
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator, model_validator
from pydantic_core import PydanticCustomError

from warnhub.alert import Level
from warnhub.hazards import HazardClass
from warnhub.plan.ladder import Confirm, Duration, Strict
from warnhub.roles import Role

CLASSES = tuple(HazardClass)
Cell = tuple[HazardClass, Level, Role]

CALM = frozenset({Level.BLUE, Level.YELLOW})


class ChannelName(StrEnum):
    """A way to reach people, whoever provides it."""

    SMS = "sms"
    WECHAT = "wechat"
    LOUDSPEAKER = "loudspeaker"
    PUSH = "push"
    VOICE = "voice"


def parse_clock(value: object) -> object:
    """`22:00` as a time of day; a time passes as it is."""
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise ValueError('must be a time of day such as "22:00"')
    return time.fromisoformat(value)


def spread(everything: tuple[str, ...]) -> BeforeValidator:
    """Reads one name, a list of names, or "*" for all of `everything`; a name twice is refused."""

    def read(value: object) -> object:
        if value == "*":
            return everything
        named = (value,) if isinstance(value, str) else value
        if isinstance(named, list | tuple) and len(set(map(str, named))) < len(named):
            raise ValueError("names something twice")
        return named

    return BeforeValidator(read)


Clock = Annotated[time, BeforeValidator(parse_clock), PlainSerializer(lambda at: at.strftime("%H:%M"))]
Classes = Annotated[tuple[HazardClass, ...], spread(CLASSES), Field(min_length=1)]
Levels = Annotated[tuple[Level, ...], spread(tuple(Level)), Field(min_length=1)]
Roles = Annotated[tuple[Role, ...], spread(tuple(Role)), Field(min_length=1)]
Channels = Annotated[tuple[ChannelName, ...], spread(tuple(ChannelName))]


Threshold = Annotated[Level | None, BeforeValidator(lambda value: None if value == "never" else value)]


class Repeat(Strict):
    """Say it again to those who have not confirmed: `times` in all, the first included."""

    every: Duration
    times: int = Field(ge=1, le=20)


class Quiet(Strict):
    """Local hours in which nothing is sent; it waits until they end. May pass midnight."""

    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")

    @model_validator(mode="after")
    def some_hours(self) -> Self:
        """Quiet from 22:00 to 22:00 would be never, or always."""
        if self.start == self.end:
            raise ValueError("from and to must differ")
        return self


class Loudspeaker(Strict):
    """How often a loudspeaker says it, and how loud (0–100)."""

    times: int = Field(default=2, ge=1, le=10)
    volume: int = Field(default=80, ge=0, le=100)


class Rule(Strict):
    """Whom it is about, how they are told, and why: `reason` names the source it was drawn from."""

    hazard_class: Classes = CLASSES
    levels: Levels
    roles: Roles
    channels: Channels
    mode: Literal["all", "first"] = "all"
    repeat: Repeat | None = None
    quiet: Quiet | None = None
    confirm: Confirm | None = None
    loudspeaker: Loudspeaker = Loudspeaker()
    reason: str = Field(min_length=4, max_length=500)

    @property
    def cells(self) -> Iterator[Cell]:
        """Every (hazard class, level, role) it speaks of."""
        return product(self.hazard_class, self.levels, self.roles)

    @model_validator(mode="after")
    def allowed(self) -> Self:
        """Quiet is for blue and yellow; a confirmation is asked only of those who answer for others."""
        if self.quiet and (loud := [level.value for level in self.levels if level not in CALM]):
            raise ValueError(f"quiet hours are allowed for blue and yellow only, not for {', '.join(loud)}")
        if self.confirm and (public := [role.value for role in self.roles if not role.responsible]):
            raise ValueError(f"a confirmation cannot be asked of {', '.join(public)}")
        rungs = self.confirm.then if self.confirm else ()
        if strange := sorted({name for rung in rungs for name in rung.channels} - set(ChannelName)):
            raise ValueError(f"confirm.then names channels there are not: {', '.join(strange)}")
        if self.loudspeaker != Loudspeaker() and ChannelName.LOUDSPEAKER not in self.channels:
            raise ValueError("loudspeaker settings without the channel loudspeaker")
        return self


class Release(Strict):
    """Who may let a warning out.

    green  certified agencies' alerts at this level or above leave at once (the green channel); `never` is None
    two    without the green channel, this level or above takes two officers; `never` is None: one is always enough
    """

    green: Threshold = Level.ORANGE
    two: Threshold = Level.RED

    def people_needed(self, level: Level, *, certified: bool, green: Level | None = None) -> int:
        """0, 1 or 2 officers. `green` is the agency's own threshold, where it has one."""
        threshold = green or self.green
        if certified and threshold and level.lane <= threshold.lane:
            return 0
        return 2 if self.two and level.lane <= self.two.lane else 1


class Unknown(Strict):
    """What to do with a message whose outcome nobody knows, by level."""

    red: Literal["resend", "leave"] = "resend"
    orange: Literal["resend", "leave"] = "resend"
    yellow: Literal["resend", "leave"] = "leave"
    blue: Literal["resend", "leave"] = "leave"

    def resends(self, level: Level) -> bool:
        """Whether a message at `level` is sent again, at the risk of arriving twice."""
        return bool(getattr(self, level.value) == "resend")


class Defaults(Strict):
    """What a rule has that does not say otherwise."""

    mode: Literal["all", "first"] = "all"
    repeat: Repeat | None = None
    loudspeaker: Loudspeaker = Loudspeaker()


class Policy(Strict):
    """A county's whole policy: the first rule that fits counts."""

    name: str = Field(min_length=1, max_length=100)
    zone: str = "Asia/Shanghai"
    release: Release = Release()
    unknown: Unknown = Unknown()
    defaults: Defaults = Defaults()
    rules: tuple[Rule, ...] = Field(min_length=1, max_length=500)

    @field_validator("zone")
    @classmethod
    def real_zone(cls, value: str) -> str:
        """An IANA zone this machine knows."""
        try:
            return ZoneInfo(value).key
        except (KeyError, ValueError, OSError):
            raise ValueError("is not an IANA time zone such as Asia/Shanghai") from None

    @field_validator("rules")
    @classmethod
    def reachable(cls, value: tuple[Rule, ...]) -> tuple[Rule, ...]:
        """Every rule is the first to speak of something."""
        taken: set[Cell] = set()
        for number, rule in enumerate(value):
            cells = set(rule.cells)
            if cells <= taken:
                raise PydanticCustomError(
                    "unreachable", "can never apply: the rules above it cover all it speaks of", {"rule": number}
                )
            taken |= cells
        return value

    @model_validator(mode="before")
    @classmethod
    def filled(cls, data: Any) -> Any:
        """Put `defaults` under each rule that does not say otherwise."""
        if not isinstance(data, dict) or not isinstance(data.get("defaults"), dict):
            return data
        rules = data.get("rules")
        if not isinstance(rules, list):
            return data
        return data | {"rules": [under(data["defaults"], rule) for rule in rules]}


def under(defaults: dict[str, Any], rule: Any) -> Any:
    """`rule` with what it leaves open taken from `defaults`, where the rule can use it."""
    if not isinstance(rule, dict):
        return rule
    given = {key: defaults[key] for key in ("mode", "repeat", "loudspeaker") if defaults.get(key) is not None}
    if not speaks_aloud(rule.get("channels")):
        given.pop("loudspeaker", None)
    return given | rule


def speaks_aloud(channels: object) -> bool:
    """Whether a rule's channels, as written, hold the loudspeaker."""
    return channels == "*" or channels == "loudspeaker" or (isinstance(channels, list) and "loudspeaker" in channels)


def match_rule(policy: Policy, hazard_class: str, level: Level, role: Role) -> Rule | None:
    """The rule that counts; None where the policy says nothing."""
    for rule in policy.rules:
        if hazard_class in rule.hazard_class and level in rule.levels and role in rule.roles:
            return rule
    return None


def rules_for(policy: Policy, hazard_class: str, level: Level) -> dict[Role, Rule]:
    """The rule of each role that is told, in the order they are planned; who is told nothing is not in it."""
    found = {role: match_rule(policy, hazard_class, level, role) for role in Role}
    return {role: rule for role, rule in found.items() if rule and rule.channels}


def find_gaps(policy: Policy) -> list[Cell]:
    """Every (hazard class, level, role) no rule speaks of, not even to say that nobody is told."""
    said = {cell for rule in policy.rules for cell in rule.cells}
    return [cell for cell in product(CLASSES, Level, Role) if cell not in said]


def quiet_until(rule: Rule, now: datetime, zone: str | ZoneInfo) -> datetime | None:
    """When the quiet hours `now` falls into end (UTC); None outside them. `now` is aware; ValueError if it is not."""
    if now.tzinfo is None:
        raise ValueError("now must be aware")
    quiet, place = rule.quiet, ZoneInfo(zone) if isinstance(zone, str) else zone
    local = now.astimezone(place)
    if quiet is None or not is_quiet(quiet, local.time()):
        return None
    day = local.date() + timedelta(days=1) if quiet.end <= local.time() else local.date()
    end = datetime.combine(day, quiet.end, tzinfo=place)
    # Where clocks go back, the hour `end` names comes twice; if the first has passed, the second is meant.
    first, second = end.astimezone(UTC), end.replace(fold=1).astimezone(UTC)
    return first if first > now.astimezone(UTC) else second


def is_quiet(quiet: Quiet, at: time) -> bool:
    """Whether the local time `at` is in the quiet hours: their first minute is, their last is not."""
    if quiet.start < quiet.end:
        return quiet.start <= at < quiet.end
    return at >= quiet.start or at < quiet.end
