"""研判: linkage rules as data, evaluated where something was measured. A rule that holds proposes; it never releases.

They are kept by version like the policy: never changed, only followed by another; a proposal names the version that made it.
"""

from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import Level
from warnhub.plan.ladder import parse_duration
from warnhub.plan.loading import MAX_CHARACTERS, PolicyError, deepest, locate, parse_yaml, refused
from warnhub.store import works
from warnhub.store.audits import add_audit
from warnhub.store.engine import Store, Tx, new_id
from warnhub.store.versions import load_versions


def parse_value(value: object) -> object:
    """The loader gives words; here a number is meant."""
    return float(value) if isinstance(value, str) else value


class Strict(BaseModel):
    """Frozen, and no unknown field passes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(Strict):
    """A reading over a threshold within a time, or a living warning of a hazard at a level or above."""

    measure: str = Field(default="", pattern=r"^[a-z0-9_]{0,40}$")
    over: Annotated[float, BeforeValidator(parse_value)] = 0.0
    within: Annotated[timedelta, BeforeValidator(parse_duration)] = timedelta(hours=1)
    alert: str = Field(default="", pattern=r"^([0-9A-Z]{2,5})?$")
    level: Level = Level.BLUE

    @model_validator(mode="after")
    def one(self) -> "Condition":
        """A measure or an alert."""
        if bool(self.measure) == bool(self.alert):
            raise ValueError("must name either a measure or an alert")
        return self


class Link(Strict):
    """One rule. `scope`: the area in which all conditions must hold; `near`: a hazard point of this kind must lie in it."""

    key: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    name: str = Field(min_length=2, max_length=60)
    hazard: str = Field(pattern=r"^[0-9A-Z]{5}$")
    level: Level
    scope: Literal["village", "town"] = "town"
    near: Literal["any", "slide", "river", "reservoir", "forest", "mine", "works"] = "any"
    when: tuple[Condition, ...] = Field(min_length=1)
    say: str = Field(min_length=2, max_length=120)
    advise: str = Field(min_length=2, max_length=120)


class Linkage(Strict):
    """All rules of a county."""

    name: str = Field(min_length=1, max_length=80)
    rules: tuple[Link, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def once(self) -> "Linkage":
        """Each rule is named once: a proposal says which one made it."""
        names = [rule.key for rule in self.rules]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f"the rule {twice} stands twice")
        return self

    def named(self, key: str) -> Link | None:
        """The rule with this key."""
        return next((rule for rule in self.rules if rule.key == key), None)


class Fact(Strict):
    """What fired a rule: a reading with its station, or a warning."""

    measure: str
    value: float
    unit: str = ""
    station: str = ""
    at: int


def read_linkage(written: str) -> Linkage:
    """The rules in a YAML text. Raises `PolicyError` with every problem found, each with its line."""
    if len(written) > MAX_CHARACTERS:
        raise PolicyError([refused("", "size", f"is longer than {MAX_CHARACTERS} characters", len(written))])
    data, node = parse_yaml(written)
    if not isinstance(data, dict):
        raise PolicyError([refused("line 1", "mapping", "must be a mapping with name and rules", type(data).__name__)])
    try:
        return Linkage.model_validate(data)
    except ValidationError as error:
        raise PolicyError([locate(node, found) for found in deepest(error)]) from None


@cache
def default_rules() -> str:
    """The YAML of the rules WarnHub comes with."""
    return (files("warnhub.response") / "linkage.yaml").read_text("utf-8")


@cache
def default_linkage() -> Linkage:
    """The rules WarnHub comes with."""
    return read_linkage(default_rules())


async def load_linkages(store: Store) -> dict[int, Linkage]:
    """Every version; the first is what ships, kept when the database is new."""
    return await load_versions(store, works.linkage, read_linkage, add_linkage, default_rules)


async def add_linkage(tx: Tx, written: str, author: str, note: str) -> int:
    """A new version. Raises `PolicyError` if the text is no set of rules."""
    read_linkage(written)
    result = await tx.conn.execute(insert(works.linkage).values(text=written, author=author, note=note, at=tx.now))
    version = new_id(result)
    await add_audit(tx, author, "linkage.add", str(version), {"note": note})
    return version


async def newest_linkage(store: Store) -> Any:
    """(version, text, author, note, at) of the rules in force."""
    await load_linkages(store)
    async with store.read() as conn:
        query = "SELECT version, text, author, note, at FROM linkage ORDER BY version DESC LIMIT 1"
        return (await conn.execute(text(query))).one()


async def judge(conn: AsyncConnection, link: Link, area: int, now: int) -> list[Fact] | None:
    """What of a rule holds in an area (a village's or township's id); None unless all of it does."""
    column = "village_id" if link.scope == "village" else "town_id"
    if link.near != "any":
        near = (
            f"SELECT 1 FROM point p JOIN area a ON a.id = p.area_id WHERE p.kind = :k AND p.gone_at IS NULL AND a.{column} = :a"
        )
        if await conn.scalar(text(f"{near} LIMIT 1"), {"k": link.near, "a": area}) is None:
            return None
    facts: list[Fact] = []
    for condition in link.when:
        found = await measured(conn, condition, column, area, now) if condition.measure else await warned(conn, condition, area)
        if found is None:
            return None
        facts.append(found)
    return facts


async def measured(conn: AsyncConnection, condition: Condition, column: str, area: int, now: int) -> Fact | None:
    """The greatest reading over the threshold in the area and the time."""
    row = (
        await conn.execute(
            text(
                "SELECT g.measure, g.value, g.unit, g.station, g.said_at FROM gauge g JOIN area a ON a.id = g.area_id "
                f"WHERE g.measure = :m AND g.said_at >= :since AND g.said_at <= :now AND g.value > :v AND a.{column} = :a "
                "ORDER BY g.value DESC, g.id LIMIT 1"
            ),
            {
                "m": condition.measure,
                "since": now - int(condition.within.total_seconds() * 1000),
                "now": now,
                "v": condition.over,
                "a": area,
            },
        )
    ).first()
    return Fact(measure=row.measure, value=row.value, unit=row.unit, station=row.station, at=row.said_at) if row else None


async def warned(conn: AsyncConnection, condition: Condition, area: int) -> Fact | None:
    """A living real warning of the hazard over the area."""
    levels = [level.value for level in Level if level.lane <= condition.level.lane]
    named = ", ".join(f"'{level}'" for level in levels)
    row = (
        await conn.execute(
            text(
                "SELECT w.headline, w.released_at FROM warning w JOIN extent e ON e.warning_id = w.id "
                "JOIN area a ON a.id = e.area_id "
                f"WHERE w.state = 'released' AND w.drill IS NULL AND w.kind <> 'cancel' AND w.level IN ({named}) "
                "AND w.hazard LIKE :h AND e.home AND (a.town_id = :a OR a.village_id = :a) ORDER BY w.id DESC LIMIT 1"
            ),
            {"h": f"{condition.alert}%", "a": area},
        )
    ).first()
    return Fact(measure="warning", value=1, station=row.headline, at=row.released_at or 0) if row else None
