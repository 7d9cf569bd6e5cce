"""The one schema: what an agency said, whatever form it came in.

`Alert` is close to OASIS CAP 1.2 so that nothing is lost, and flatter so that a person can write it. Every reader under
`warnhub.ingest` ends here; everything after it reads nothing else. Times are aware and in UTC; coordinates are (longitude,
latitude) in WGS-84 degrees, as GeoJSON has them; radii are metres.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

MAX_POLYGONS = 1_000
MOST_SHAPES = 100_000  # what the schema can hold at all; what is taken is `limits.max_polygons`
MAX_POINTS = 50_000


class Level(StrEnum):
    """The colour of a warning, most urgent first."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    BLUE = "blue"

    @property
    def lane(self) -> int:
        """1 for red to 4 for blue: the priority of its work, lower first."""
        return LANES[self]


LANES = {Level.RED: 1, Level.ORANGE: 2, Level.YELLOW: 3, Level.BLUE: 4}


class Status(StrEnum):
    """CAP `status`. Only `actual` reaches anybody outside a drill."""

    ACTUAL = "actual"
    EXERCISE = "exercise"
    TEST = "test"
    SYSTEM = "system"
    DRAFT = "draft"


class Kind(StrEnum):
    """CAP `msgType`. `ack` and `error` are kept and never dispatched."""

    ALERT = "alert"
    UPDATE = "update"
    CANCEL = "cancel"
    ACK = "ack"
    ERROR = "error"


class Scope(StrEnum):
    """CAP `scope`. Private and restricted alerts never go to the public."""

    PUBLIC = "public"
    RESTRICTED = "restricted"
    PRIVATE = "private"


class Urgency(StrEnum):
    """CAP `urgency`."""

    IMMEDIATE = "immediate"
    EXPECTED = "expected"
    FUTURE = "future"
    PAST = "past"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """CAP `severity`."""

    EXTREME = "extreme"
    SEVERE = "severe"
    MODERATE = "moderate"
    MINOR = "minor"
    UNKNOWN = "unknown"


class Certainty(StrEnum):
    """CAP `certainty`."""

    OBSERVED = "observed"
    LIKELY = "likely"
    POSSIBLE = "possible"
    UNLIKELY = "unlikely"
    UNKNOWN = "unknown"


def utc(moment: datetime) -> datetime:
    """The same moment in UTC."""
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(utc)]
Point = Annotated[tuple[float, float], Field(description="(longitude, latitude), WGS-84 degrees")]


class Model(BaseModel):
    """Frozen, and no unknown field passes."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Reference(Model):
    """An earlier alert of the same sender. `sender` and `sent` are missing where the form has only an identifier."""

    identifier: str = Field(min_length=1, max_length=256)
    sender: str | None = Field(default=None, max_length=256)
    sent: Moment | None = None


class Circle(Model):
    """A centre and a radius in metres."""

    center: Point
    radius: float = Field(ge=0, le=20_040_000, description="metres")

    @field_validator("center")
    @classmethod
    def in_range(cls, value: Point) -> Point:
        """Longitude in ±180 and latitude in ±90."""
        return placed(value)


Ring = Annotated[list[Point], Field(min_length=4)]


class Polygon(Model):
    """An outer ring and its holes; each ring is closed (first = last)."""

    rings: list[Ring] = Field(min_length=1)

    @field_validator("rings")
    @classmethod
    def closed(cls, value: list[list[Point]]) -> list[list[Point]]:
        """Every ring ends where it began and stays on the globe."""
        for ring in value:
            if ring[0] != ring[-1]:
                raise ValueError(f"a ring must end where it began: {ring[0]} is not {ring[-1]}")
            for point in ring:
                placed(point)
        return value


class Code(Model):
    """A place code. `scheme` is `cn` for administrative division codes, else the source's own name for it."""

    value: str = Field(min_length=1, max_length=128)
    scheme: str = Field(default="cn", max_length=128)
    exclude: bool = False


class Area(Model):
    """A place: codes, polygons and circles all count; `exclude`d codes and `excluded` ground are taken away."""

    name: str = Field(default="", max_length=2_000)
    codes: list[Code] = Field(default_factory=list, max_length=5_000)
    polygons: list[Polygon] = Field(default_factory=list, max_length=MOST_SHAPES)
    circles: list[Circle] = Field(default_factory=list, max_length=MOST_SHAPES)
    excluded: list[Polygon] = Field(default_factory=list, max_length=MOST_SHAPES)
    altitude: float | None = None
    ceiling: float | None = None

    @property
    def placeable(self) -> bool:
        """Whether anything here can be laid on a map or looked up."""
        return bool(self.polygons or self.circles or any(not code.exclude for code in self.codes))


class Text(Model):
    """What the agency says, in one language; plain text."""

    language: str = Field(default="zh-CN", pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")
    event: str = Field(default="", max_length=256, description="the agency's own words for the event")
    headline: str = Field(default="", max_length=500)
    description: str = Field(default="", max_length=20_000)
    instruction: str = Field(default="", max_length=20_000)
    sender_name: str = Field(default="", max_length=256)
    web: str = Field(default="", max_length=2_000)
    contact: str = Field(default="", max_length=2_000)


class Parameter(Model):
    """A measured value or a threshold, with its unit; or a source's own named value kept for the way out."""

    name: str = Field(min_length=1, max_length=256)
    value: str = Field(max_length=20_000)
    unit: str = Field(default="", max_length=64)


class Spoken(Model):
    """Words the agency wrote for one channel (`code/method` of the national profile)."""

    channel: Literal["sms", "loudspeaker", "display", "tv", "radio", "web", "phone", "fax", "wechat", "push"]
    text: str = Field(min_length=1, max_length=20_000)


class Resource(Model):
    """An attachment by description, type and digest; its bytes are not kept here."""

    description: str = Field(default="", max_length=2_000)
    mime: str = Field(default="", max_length=128)
    size: int | None = Field(default=None, ge=0)
    uri: str = Field(default="", max_length=4_000)
    digest: str = Field(default="", max_length=256)


class Original(Model):
    """The source's own words where ours are a reading of them, so that a person can check the reading."""

    form: str = Field(description="native, cap-1.0, cap-1.1, cap-1.2, national, …")
    hazard: str = ""
    level: str = ""
    status: str = ""
    kind: str = ""
    category: list[str] = Field(default_factory=list)
    response: list[str] = Field(default_factory=list)
    codes: list[str] = Field(default_factory=list)
    event_codes: list[Parameter] = Field(default_factory=list)
    audience: str = ""
    source: str = ""
    note: str = ""
    incidents: str = ""
    addresses: str = ""
    agency_code: str = ""
    part_of: str = Field(default="", description="the identifier of the message of several subjects that this is one of")
    expires_given: bool = True
    effective_given: bool = True


class Alert(Model):
    """What an agency said. Immutable: an update or a cancel is another alert that refers to it."""

    identifier: str = Field(min_length=1, max_length=256)
    sender: str = Field(min_length=1, max_length=256)
    sent: Moment
    status: Status
    kind: Kind
    references: list[Reference] = Field(default_factory=list, max_length=200)
    hazard: str = Field(pattern=r"^[0-9A-Z]{5}$", description="event-type code, e.g. 11B03 rainstorm; 11B99 if unknown")
    level: Level
    urgency: Urgency = Urgency.UNKNOWN
    severity: Severity = Severity.UNKNOWN
    certainty: Certainty = Certainty.UNKNOWN
    effective: Moment
    onset: Moment | None = None
    expires: Moment
    areas: list[Area] = Field(default_factory=list, max_length=MOST_SHAPES)
    texts: list[Text] = Field(default_factory=list, max_length=30)
    parameters: list[Parameter] = Field(default_factory=list, max_length=500)
    spoken: list[Spoken] = Field(default_factory=list, max_length=30)
    resources: list[Resource] = Field(default_factory=list, max_length=200)
    scope: Scope = Scope.PUBLIC
    restriction: str = Field(default="", max_length=2_000)
    original: Original

    @model_validator(mode="after")
    def coherent(self) -> Self:
        """An alert ends after it was sent, and restricted scope says to whom."""
        if self.kind is not Kind.CANCEL and self.expires <= self.sent:
            raise ValueError(f"expires {self.expires.isoformat()} must be after sent {self.sent.isoformat()}")
        return self

    @property
    def message(self) -> str:
        """The identifier of the message it came in: its own, unless it is one of several parts."""
        return self.original.part_of or self.identifier

    @property
    def key(self) -> tuple[str, str, datetime]:
        """What makes a repeat a repeat: sender, identifier, sent."""
        return self.sender, self.identifier, self.sent

    def text(self, language: str = "zh") -> Text:
        """The text in `language`, else in Chinese, else the first there is."""
        for wanted in (language.lower(), language.split("-")[0].lower(), "zh"):
            for text in self.texts:
                if text.language.lower().startswith(wanted):
                    return text
        return self.texts[0] if self.texts else Text()


def placed(point: Point) -> Point:
    """`point`, if it is on the globe; ValueError otherwise."""
    lon, lat = point
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise ValueError(f"({lon}, {lat}) is not (longitude -180..180, latitude -90..90)")
    return point


class Gate(StrEnum):
    """What becomes of what came in: taken, held for a person, or refused."""

    ACCEPT = "accept"
    HOLD = "hold"
    REFUSE = "refuse"


class Problem(Model):
    """One thing wrong with what came in: where, which rule, and the value that broke it (cut to 200 characters)."""

    path: str
    rule: str
    message: str
    value: str = ""
    gate: Gate = Gate.REFUSE

    @field_validator("value", mode="before")
    @classmethod
    def shortened(cls, value: object) -> str:
        """Enough to find it by; never a megabyte of geometry."""
        text = str(value)
        return text if len(text) <= 200 else text[:197] + "…"


class Verdict(Model):
    """One alert as read, with everything found on the way.

    `alert` is None when it is refused, and of what is read well and is no alert: a reading below every threshold.
    """

    gate: Gate
    problems: list[Problem] = Field(default_factory=list)
    alert: Alert | None = None
