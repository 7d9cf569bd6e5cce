"""The ladder: what is done, rung by rung, when nobody confirmed in time. Data, checked before use.

A rung says who is told (the person again, their deputy, their superior, the duty desk), by which channels, how often, how long
it waits for an answer, and whether the one above goes to the door. The words of the first ladders stand for whole rungs:

next_channel  the person, by a channel not yet tried; passes on at once if there is none
deputy        the person's named stand-in
superior      who answers for the person
duty_desk     who is on duty at the county's desk now, by its roster
"""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator
from pydantic_core import PydanticCustomError

LONGEST = timedelta(days=7)
DURATION = re.compile(r"(?:(\d{1,3})h)?(?:(\d{1,4})m)?(?:(\d{1,6})s)?")


def parse_duration(value: object) -> timedelta:
    """`90s`, `5m`, `2h` or `1h30m` as a timedelta above zero and at most seven days; ValueError otherwise."""
    if isinstance(value, timedelta):
        found = value
    else:
        match = DURATION.fullmatch(value) if isinstance(value, str) and value.isascii() else None
        if not match:
            raise ValueError('must be a duration such as "90s", "5m" or "2h"')
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        found = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta(0) < found <= LONGEST:
        raise ValueError("must be more than 0s and at most 168h")
    return found


def write_duration(value: timedelta) -> str:
    """The shortest form `parse_duration` reads back, in whole seconds."""
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return "".join(f"{number}{unit}" for number, unit in ((hours, "h"), (minutes, "m"), (seconds, "s")) if number)


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(write_duration)]


class Strict(BaseModel):
    """Frozen, and no unknown key passes."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, populate_by_name=True)


class Step(StrEnum):
    """A whole rung in a word."""

    NEXT_CHANNEL = "next_channel"
    DEPUTY = "deputy"
    SUPERIOR = "superior"
    DUTY_DESK = "duty_desk"


class Who(StrEnum):
    """Whom a rung tells."""

    SELF = "self"
    DEPUTY = "deputy"
    SUPERIOR = "superior"
    DUTY_DESK = "duty_desk"


def read_who(value: object) -> object:
    """One name or a list of names, each once."""
    named = (value,) if isinstance(value, str) else value
    if isinstance(named, list | tuple) and len(set(map(str, named))) < len(named):
        raise ValueError("names somebody twice")
    return named


class Rung(Strict):
    """One rung, climbed by all who have not confirmed when the one before has waited.

    channels  by which the person is told again, in place of the rule's; () is the rule's own. Others have their own rule's.
    untried   only the first channel that was not tried yet, for the person alone
    wait      until the next rung; None: as long as the first wait of the ladder
    times     how often this rung comes before the next
    door      who was not woken is written on that list, and the one above has the task of going to the door
    """

    who: Annotated[tuple[Who, ...], BeforeValidator(read_who), Field(min_length=1)]
    channels: Annotated[tuple[str, ...], BeforeValidator(read_who)] = ()
    untried: bool = False
    wait: Duration | None = None
    times: int = Field(default=1, ge=1, le=10)
    door: bool = False

    @model_validator(mode="after")
    def sensible(self) -> Self:
        """Channels and `untried` are about the person themself; somebody must go to the door."""
        if (self.channels or self.untried) and Who.SELF not in self.who:
            raise ValueError("channels and untried are for who: self")
        if self.channels and self.untried:
            raise ValueError("either channels or untried")
        if self.door and not {Who.SUPERIOR, Who.DUTY_DESK} & set(self.who):
            raise ValueError("door needs who: superior or duty_desk, for somebody must go there")
        return self

    @property
    def cause(self) -> str:
        """How the ledger names a round of this rung."""
        if self.untried:
            return Step.NEXT_CHANNEL.value
        return self.who[-1].value if self.who != (Who.SELF,) else "again"


WORDS: dict[str, dict[str, Any]] = {
    Step.NEXT_CHANNEL: {"who": "self", "untried": True},
    Step.DEPUTY: {"who": "deputy"},
    Step.SUPERIOR: {"who": "superior"},
    Step.DUTY_DESK: {"who": "duty_desk"},
}


def read_rung(value: object) -> object:
    """A rung in a word, or as it is."""
    if not isinstance(value, str):
        return value
    if value not in WORDS:
        raise PydanticCustomError("enum", "must be one of {names}, or a rung", {"names": ", ".join(WORDS)})
    return WORDS[value]


def read_rungs(value: object) -> object:
    """One rung or a list of rungs; a word twice is refused, for a rung that comes twice says `times`."""
    named = [value] if isinstance(value, str | dict) else value
    words = [one for one in named if isinstance(one, str)] if isinstance(named, list | tuple) else []
    if len(set(words)) < len(words):
        raise ValueError("names something twice")
    return named


class Confirm(Strict):
    """How long a person has to confirm, and what is done when the time is up.

    stop  `confirmed`: only an answer ends the ladder; `heard`: who has listened to a call for as long as it takes to count
          (the voice provider's `heard`, 20 s) is called no more and not on the list of the not woken, but still has to answer
    """

    within: Duration
    then: Annotated[
        tuple[Annotated[Rung, BeforeValidator(read_rung)], ...], BeforeValidator(read_rungs), Field(max_length=20)
    ] = ()
    stop: Literal["confirmed", "heard"] = "confirmed"

    @property
    def ladder(self) -> tuple[Rung, ...]:
        """Every rung as often as it comes."""
        return tuple(rung for rung in self.then for _ in range(rung.times))

    def wait(self, rung: Rung) -> int:
        """Milliseconds a rung waits for an answer."""
        return int((rung.wait or self.within).total_seconds() * 1000)
