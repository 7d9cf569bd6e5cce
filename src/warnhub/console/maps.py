"""Maps drawn on the server: the places below one place, each with how far it has confirmed, the alert's own outline over them,
and the loudspeakers. Nothing is asked of another host, and a place is told by its words as well as by its colour."""

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import shapely
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import Alert
from warnhub.plan.audience import Places, excluded_ground, less, to_disc, to_polygon
from warnhub.store.points import OPEN
from warnhub.store.states import Rank

WIDTH, TALLEST, EDGE = 720.0, 620.0, 10.0
FINE = 0.6
"""How far a line may be off, in the map's own units: less than a pixel."""

KEPT_FOR = 300.0
MOST_SPEAKERS = 240
BELOW = {6: ("a.town_id", "1 = 1"), 9: ("a.village_id", "a.town_id = :p"), 12: ("a.id", "a.village_id = :p")}
"""Level of a place → what its parts are told apart by, and which areas lie in it."""


@dataclass(frozen=True, slots=True)
class Score:
    """Who must confirm somewhere, and who has."""

    total: int = 0
    done: int = 0
    late: int = 0

    @property
    def grade(self) -> str:
        """How far: `none` where nobody is asked, then `c0` to `c4`; 100 % is all of them, 0 % none."""
        if not self.total:
            return "none"
        if not self.done:
            return "c0"
        if self.done >= self.total:
            return "c4"
        return "c1" if self.done * 2 < self.total else "c2" if self.done * 10 < self.total * 9 else "c3"


@dataclass(frozen=True, slots=True)
class Shape:
    """One place on the map. `path` is "" where its outline is not known; `inside`: whether the warning holds any of it."""

    id: int
    code: str
    name: str
    path: str
    x: float
    y: float
    inside: bool
    score: Score
    deeper: bool


@dataclass(frozen=True, slots=True)
class Speaker:
    """A loudspeaker, or several at one spot. `state`: heard, sent, waiting, failed."""

    x: float
    y: float
    name: str
    state: str
    recipient: int


@dataclass(frozen=True, slots=True)
class Spot:
    """A hazard point. `open`: whether putting it right is not done."""

    x: float
    y: float
    ref: str
    name: str
    kind: str
    open: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """A map. `trail`: the places above, from the county down."""

    place: int
    name: str
    width: float
    height: float
    shapes: list[Shape]
    outline: list[str]
    speakers: list[Speaker]
    trail: list[tuple[int, str]]
    frame: "Frame"
    spots: list[Spot] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Frame:
    """How degrees become the map's units: x = (longitude - west) · wide · scale + edge; y = (north - latitude) · scale + edge,
    which the desk's script turns round where somebody draws."""

    west: float
    north: float
    wide: float
    scale: float
    height: float
    edge: float = EDGE

    @classmethod
    def around(cls, box: Sequence[float]) -> "Frame":
        """The frame of a box (west, south, east, north): north is up, and a kilometre is as long either way."""
        west, south, east, north = box
        wide = math.cos(math.radians((south + north) / 2))
        breadth, depth = max((east - west) * wide, 1e-6), max(north - south, 1e-6)
        scale = min((WIDTH - 2 * EDGE) / breadth, (TALLEST - 2 * EDGE) / depth)
        return cls(west, north, wide, scale, round(depth * scale + 2 * EDGE, 1))

    def place(self, lon: float, lat: float) -> tuple[float, float]:
        """A point on the map."""
        return round((lon - self.west) * self.wide * self.scale + EDGE, 1), round((self.north - lat) * self.scale + EDGE, 1)

    def draw(self, shape: shapely.Geometry) -> str:
        """An outline as an SVG path, no finer than can be seen."""
        plain = shapely.simplify(shape, FINE / self.scale)
        parts = plain.geoms if hasattr(plain, "geoms") else [plain]
        rings = [ring for part in parts if isinstance(part, shapely.Polygon) for ring in (part.exterior, *part.interiors)]
        return "".join(self.ring(ring.coords) for ring in rings if len(ring.coords) > 3)

    def ring(self, points: Iterable[Sequence[float]]) -> str:
        """One ring."""
        return "M" + "L".join(f"{x:g} {y:g}" for x, y in (self.place(*point[:2]) for point in points)) + "z"


@dataclass(slots=True)
class Ground:
    """The places below one place, as they are kept: (id, code, name, outline)."""

    at: float
    rows: list[tuple[int, str, str, shapely.Geometry | None]] = field(default_factory=list)
    drawn: dict[int, tuple[str, float, float]] = field(default_factory=dict)
    """Each outline as a path, with the spot for its name: the frame is that of the ground, and so are they."""


class Atlas:
    """Outlines by the place above them, kept for a few minutes."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.grounds: dict[int, Ground] = {}

    async def ground(self, conn: AsyncConnection, place: int) -> Ground:
        """What lies below a place."""
        known = self.grounds.get(place)
        if known is None or time.monotonic() - known.at > KEPT_FOR:
            found = await conn.execute(
                text("SELECT id, code, name, shape FROM area WHERE parent_id = :p ORDER BY code"), {"p": place}
            )
            rows = [(r.id, r.code, r.name, shapely.from_wkb(bytes(r.shape)) if r.shape else None) for r in found]
            known = self.grounds[place] = Ground(time.monotonic(), rows)
        return known

    def top(self) -> int:
        """The county."""
        return next((place for place, level in self.places.levels.items() if level == 6), 0)

    async def draw(
        self,
        conn: AsyncConnection,
        alert: Alert | None,
        place: int | None = None,
        warning: int | None = None,
        detail: bool = True,
    ) -> Sheet | None:
        """The map of what lies below `place`, the county by default; None where no outline is known."""
        centre = place if place in self.places.names else self.top()
        assert centre is not None
        ground = await self.ground(conn, centre)
        known = [shape for *_, shape in ground.rows if shape is not None]
        if not known:
            return None
        frame = Frame.around(tuple(float(edge) for edge in shapely.total_bounds(known)))
        scores = await read_scores(conn, warning, centre, self.places.levels.get(centre, 6)) if warning else {}
        home = self.places.select(alert.areas if alert else [])
        held = home.home | home.above
        speakers = await self.speakers(conn, frame, centre, warning) if warning and detail else []
        return Sheet(
            centre,
            self.places.names.get(centre, ""),
            WIDTH,
            frame.height,
            [self.shape(frame, row, held, scores, ground.drawn) for row in ground.rows],
            [frame.draw(shape) for shape in (outlines(alert) if alert else [])],
            speakers,
            self.trail(centre),
            frame,
            await self.spots(conn, frame, centre, held) if detail else [],
        )

    def shape(
        self,
        frame: Frame,
        row: tuple[int, str, str, shapely.Geometry | None],
        held: set[int],
        scores: dict[int, Score],
        drawn: dict[int, tuple[str, float, float]],
    ) -> Shape:
        """One place, drawn once for everybody."""
        number, code, name, outline = row
        if outline is not None and number not in drawn:
            spot = shapely.point_on_surface(outline)
            drawn[number] = frame.draw(outline), *frame.place(spot.x, spot.y)
        path, x, y = drawn.get(number, ("", 0.0, 0.0))
        score = scores.get(number, Score())
        return Shape(number, code, name, path, x, y, number in held, score, self.places.levels.get(number, 15) < 15)

    def trail(self, place: int) -> list[tuple[int, str]]:
        """The places above, the county first."""
        found: list[tuple[int, str]] = []
        parent = self.places.parents.get(place)
        while parent is not None:
            found.append((int(parent), self.places.names[int(parent)]))
            parent = self.places.parents.get(int(parent))
        return found[::-1]

    async def spots(self, conn: AsyncConnection, frame: Frame, place: int, held: set[int]) -> list[Spot]:
        """The hazard points below a place that an alert touches, or all; none where they are too many to be told apart."""
        level = self.places.levels.get(place, 6)
        where = {6: "1 = 1", 9: "a.town_id = :p", 12: "a.village_id = :p"}.get(level, "a.id = :p")
        rows = (
            await conn.execute(
                text(
                    "SELECT h.ref, h.name, h.kind, h.state, h.lon, h.lat, h.area_id FROM point h "
                    f"JOIN area a ON a.id = h.area_id WHERE {where} AND h.gone_at IS NULL AND h.lon IS NOT NULL "
                    "ORDER BY h.id LIMIT 5000"
                ),
                {"p": place},
            )
        ).all()
        near = [row for row in rows if not held or row.area_id in held]
        if len(near) > MOST_SPEAKERS:
            return []
        return [Spot(*frame.place(row.lon, row.lat), row.ref, row.name, row.kind, row.state in OPEN) for row in near]

    async def speakers(self, conn: AsyncConnection, frame: Frame, place: int, warning: int) -> list[Speaker]:
        """The loudspeakers of a warning below a place; none where there are too many to be told apart."""
        level = self.places.levels.get(place, 6)
        where = {6: "1 = 1", 9: "a.town_id = :p", 12: "a.village_id = :p"}.get(level, "a.id = :p")
        rows = (
            await conn.execute(
                text(
                    "SELECT r.id, r.name, a.lon, a.lat, a.id AS spot, t.state FROM (SELECT DISTINCT town_id FROM tally "
                    "WHERE warning_id = :w AND channel = '' AND role = 'speaker') AS y "  # by index: not past everybody else
                    "CROSS JOIN target t JOIN recipient r ON r.id = t.recipient_id JOIN area a ON a.id = r.area_id "
                    "WHERE t.warning_id = :w AND t.town_id = y.town_id AND t.role = 'speaker' "
                    f"AND {where} AND a.lon IS NOT NULL "
                    f"ORDER BY r.id LIMIT {MOST_SPEAKERS + 1}"
                ),
                {"w": warning, "p": place},
            )
        ).all()
        if len(rows) > MOST_SPEAKERS:
            return []
        spots: dict[int, int] = defaultdict(int)
        found = []
        for row in rows:
            x, y = frame.place(row.lon, row.lat)
            turn = spots[row.spot]
            spots[row.spot] += 1
            around = 0.0 if not turn else 9.0
            dx, dy = around * math.cos(turn * 1.05), around * math.sin(turn * 1.05)
            found.append(Speaker(round(x + dx, 1), round(y + dy, 1), row.name, speaker_state(row.state), row.id))
        return found


def speaker_state(state: int) -> str:
    """What a loudspeaker has done, in a word."""
    if state >= Rank.DELIVERED:
        return "heard"
    if state in {Rank.FAILED, 25} or state in {Rank.SUPPRESSED, Rank.SUPERSEDED, Rank.EXPIRED}:
        return "failed"
    return "sent" if state >= Rank.UNKNOWN else "waiting"


def outlines(alert: Alert) -> list[shapely.Geometry]:
    """What the agency drew."""
    found = []
    for area in alert.areas:
        drawn = [*map(to_polygon, area.polygons), *(to_disc(circle) for circle in area.circles if circle.radius)]
        found += [left for one in drawn if not (left := less(one, excluded_ground(area))).is_empty]
    return found


async def read_scores(conn: AsyncConnection, warning: int, place: int, level: int) -> dict[int, Score]:
    """Who must confirm and who has, in each place right below one; the database adds them up."""
    column, where = BELOW.get(level, BELOW[6])
    rows = await conn.execute(
        text(
            f"SELECT {column} AS place, count(*) AS n, "
            "sum(CASE WHEN k.state IN ('done', 'covered') THEN 1 ELSE 0 END) AS done, "
            "sum(CASE WHEN k.state = 'late' THEN 1 ELSE 0 END) AS late FROM task k JOIN area a ON a.id = k.area_id "
            f"WHERE k.warning_id = :w AND k.kind = 'confirm' AND {where} GROUP BY {column}"
        ),
        {"w": warning} | ({"p": place} if ":p" in where else {}),
    )
    return {int(row.place): Score(int(row.n), int(row.done), int(row.late)) for row in rows}
