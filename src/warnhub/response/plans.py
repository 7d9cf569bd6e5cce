"""预案 as data: for a hazard and a response level the steps, each with who, when before or after the onset, by when, and what
shows that it was done. Versioned like the policy: never changed, only followed by another; a run keeps the version it began
under."""

import re
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import insert, text

from warnhub.alert import Level
from warnhub.plan.ladder import parse_duration
from warnhub.plan.loading import MAX_CHARACTERS, PolicyError, deepest, locate, parse_yaml, refused
from warnhub.roles import Role
from warnhub.store import works
from warnhub.store.audits import add_audit
from warnhub.store.engine import Store, Tx, new_id
from warnhub.store.versions import load_versions

LEVELS = ("IV", "III", "II", "I")
"""Response levels, the gravest last."""

STOPS = ("停课", "停工", "停产", "停运", "停业")
Response = Literal["I", "II", "III", "IV"]


def parse_offset(value: object) -> object:
    """`-48h`, `+6h`, `-90m`: before or after the onset."""
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"([+-])(.+)", value) if isinstance(value, str) else None
    if not found:
        raise ValueError("must be like -48h or +6h")
    if found[2] in {"0h", "0m", "0s"}:
        return timedelta(0)
    span = parse_duration(found[2])
    if not isinstance(span, timedelta):
        raise ValueError("must be like -48h or +6h")
    return -span if found[1] == "-" else span


Offset = Annotated[timedelta, BeforeValidator(parse_offset)]
Span = Annotated[timedelta, BeforeValidator(parse_duration)]


class Strict(BaseModel):
    """Frozen, and no unknown field passes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(Strict):
    """One step. `each`: one for the county, or one for each township of the warning."""

    key: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    level: Response
    title: str = Field(min_length=2, max_length=80)
    owner: Role
    at: Offset
    within: Span
    each: Literal["county", "town"] = "county"
    evidence: Literal["tick", "text"] = "tick"


class Plan(Strict):
    """The plan for some hazards."""

    key: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    name: str = Field(min_length=2, max_length=60)
    hazards: tuple[Annotated[str, Field(pattern=r"^[0-9A-Z]{2,5}$")], ...] = Field(min_length=1)
    levels: dict[Level, Response] = Field(min_length=1)
    stops: dict[Response, tuple[Literal["停课", "停工", "停产", "停运", "停业"], ...]] = Field(default_factory=dict)
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def once(self) -> "Plan":
        """Each step is named once, and asked of a person."""
        names = [step.key for step in self.steps]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f"the step {twice} stands twice")
        device = next((step.key for step in self.steps if not step.owner.responsible), None)
        if device:
            raise ValueError(f"the step {device} is asked of nobody who answers for others")
        return self

    def steps_at(self, level: str) -> list[Step]:
        """The steps of a response level: its own and those of every lighter one."""
        return [step for step in self.steps if LEVELS.index(step.level) <= LEVELS.index(level)]


class Plans(Strict):
    """All plans of a county; the first that fits a hazard counts."""

    name: str = Field(min_length=1, max_length=80)
    plans: tuple[Plan, ...] = Field(min_length=1)

    def match(self, hazard: str, level: Level) -> Plan | None:
        """The plan for a warning; None if there is none."""
        fitting = (plan for plan in self.plans if hazard.startswith(plan.hazards) and level in plan.levels)
        return next(fitting, None)

    def named(self, key: str) -> Plan | None:
        """The plan with this key."""
        return next((plan for plan in self.plans if plan.key == key), None)


def read_plans(written: str) -> Plans:
    """The plans in a YAML text. Raises `PolicyError` with every problem found, each with its line."""
    if len(written) > MAX_CHARACTERS:
        raise PolicyError([refused("", "size", f"is longer than {MAX_CHARACTERS} characters", len(written))])
    data, node = parse_yaml(written)
    if not isinstance(data, dict):
        raise PolicyError([refused("line 1", "mapping", "must be a mapping with name and plans", type(data).__name__)])
    try:
        return Plans.model_validate(data)
    except ValidationError as error:
        raise PolicyError([locate(node, found) for found in deepest(error)]) from None


@cache
def default_plans() -> str:
    """The YAML of the plans WarnHub comes with."""
    return (files("warnhub.response") / "plans.yaml").read_text("utf-8")


async def load_plans(store: Store) -> dict[int, Plans]:
    """Every version; the first is what ships, kept when the database is new."""
    return await load_versions(store, works.plan, read_plans, add_plans, default_plans)


async def add_plans(tx: Tx, written: str, author: str, note: str) -> int:
    """A new version. Raises `PolicyError` if the text is no plan."""
    read_plans(written)
    result = await tx.conn.execute(insert(works.plan).values(text=written, author=author, note=note, at=tx.now))
    version = new_id(result)
    await add_audit(tx, author, "plan.add", str(version), {"note": note})
    return version


async def newest_plans(store: Store) -> tuple[int, str]:
    """(version, text) of the plans in force."""
    await load_plans(store)
    async with store.read() as conn:
        row = (await conn.execute(text("SELECT version, text FROM plan ORDER BY version DESC LIMIT 1"))).one()
    return int(row.version), str(row.text)
