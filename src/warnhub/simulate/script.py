"""Scripted drills as YAML: what is said when, what goes wrong, who takes part and how they behave."""

from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from warnhub.alert import Level
from warnhub.plan.ladder import parse_duration
from warnhub.plan.loading import PolicyError, deepest, locate, parse_yaml, refused
from warnhub.response.plans import parse_offset
from warnhub.roles import Role

LONGEST = timedelta(days=7)


def parse_at(value: object) -> object:
    """`0h` or any duration: how long after the beginning."""
    return timedelta(0) if value in {"0h", "0m", "0s"} else parse_duration(value)


def parse_number(value: object) -> object:
    """YAML gives words; here a number is meant."""
    if isinstance(value, str):
        return float(value) if "." in value else int(value)
    return value


At = Annotated[timedelta, BeforeValidator(parse_at)]
Span = Annotated[timedelta, BeforeValidator(parse_duration)]
Offset = Annotated[timedelta, BeforeValidator(parse_offset)]
Share = Annotated[float, BeforeValidator(parse_number), Field(ge=0, le=1)]
Count = Annotated[int, BeforeValidator(parse_number), Field(ge=0, le=100_000)]


class Strict(BaseModel):
    """Frozen, and no unknown field passes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Said(Strict):
    """An alert of the county's weather office. `after`: the one it updates; `onset` from when it is said."""

    id: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    hazard: str = Field(pattern=r"^[0-9A-Z]{5}$")
    level: Level
    headline: str = Field(min_length=4, max_length=80)
    onset: Offset = timedelta(0)
    life: Span = timedelta(hours=6)
    after: str = ""


class Over(Strict):
    """The end of an alert."""

    of: str
    why: str = Field(min_length=2, max_length=200)


class Fault(Strict):
    """A channel that takes nothing."""

    channel: str
    lasts: Span


class Silent(Strict):
    """Villages from which nobody answers, knocks or works."""

    villages: Count
    lasts: Span


class Event(Strict):
    """One thing that happens."""

    at: At
    alert: Said | None = None
    cancel: Over | None = None
    fault: Fault | None = None
    silent: Silent | None = None

    @model_validator(mode="after")
    def one(self) -> "Event":
        """Exactly one of them."""
        if sum(part is not None for part in (self.alert, self.cancel, self.fault, self.silent)) != 1:
            raise ValueError("must be one of alert, cancel, fault and silent")
        return self


class Cast(Strict):
    """Who takes part."""

    towns: Count = 2
    residents: Count = 0
    roles: tuple[Role, ...] = (Role.COUNTY_DUTY, Role.TOWNSHIP_DUTY, Role.VILLAGE_HEAD, Role.GRIDWORKER, Role.LEADER)


class People(Strict):
    """How they behave."""

    answers: Share = 0.7
    slow: Span = timedelta(minutes=6)
    works: Share = 0.85
    knock: Span = timedelta(minutes=3)


class Script(Strict):
    """A drill from beginning to end."""

    name: str = Field(min_length=2, max_length=60)
    hours: Annotated[int, BeforeValidator(parse_number), Field(ge=1, le=168)]
    seed: Count = 1
    cast: Cast = Cast()
    people: People = People()
    events: tuple[Event, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def known(self) -> "Script":
        """What is updated or cancelled was said before, and nothing happens after the end."""
        said: set[str] = set()
        for event in sorted(self.events, key=lambda one: one.at):
            named = event.alert.after if event.alert else event.cancel.of if event.cancel else ""
            if named and named not in said:
                raise ValueError(f"{named} was not said before")
            if event.alert:
                if event.alert.id in said:
                    raise ValueError(f"{event.alert.id} is said twice")
                said.add(event.alert.id)
            if event.at > timedelta(hours=self.hours):
                raise ValueError(f"something happens after the {self.hours} hours")
        return self


def read_script(written: str) -> Script:
    """The script in a YAML text. Raises `PolicyError` with every problem found, each with its line."""
    data, node = parse_yaml(written)
    if not isinstance(data, dict):
        raise PolicyError([refused("line 1", "mapping", "must be a mapping with name and events", type(data).__name__)])
    try:
        return Script.model_validate(data)
    except ValidationError as error:
        raise PolicyError([locate(node, found) for found in deepest(error)]) from None


def find_script(name: str) -> str:
    """The text of a script that WarnHub comes with, or of a file. Raises `OSError` where there is neither."""
    own = files("warnhub.simulate").joinpath(f"scripts/{name}.yaml")
    return own.read_text("utf-8") if name.isidentifier() and own.is_file() else Path(name).read_text("utf-8")
