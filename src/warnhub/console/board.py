"""What stands at the top of the list: what waits for an officer, what lives, what is broken."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from warnhub.console.hub import Hub
from warnhub.console.pace import seconds_left
from warnhub.console.scene import LATEST
from warnhub.monitor.selfcheck import Health, read_health
from warnhub.monitor.summary import Funnel, Summary
from warnhub.plan.assess import DRILLED
from warnhub.store.answers import Village, silent_villages
from warnhub.store.assignments import list_checks, list_of_points
from warnhub.store.holds import find_hold
from warnhub.store.overview import (
    Approval,
    Incident,
    agency_names,
    held_reasons,
    list_approvals,
    list_incidents,
    open_warnings,
)
from warnhub.store.pauses import Pause, find_pause
from warnhub.store.proposals import list_proposals
from warnhub.store.warnings import Warning, warning_alert

FRESH = 1.0
SILENT = 12
"""Villages of a warning that are named on the first page."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A warning on the list. What waits has `reasons` and `approvals`; what lives has a `summary`, the villages nobody has
    answered from, how long what remains will take (None: nobody can carry it), and its pause if somebody holds it still."""

    warning: Warning
    agency: str
    summary: Summary | None = None
    reasons: list[str] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)
    drill: bool = False
    held: bool = False
    """Whether a person has to say first what is made of it."""
    listless: bool = False
    """Whether it is a drill that has no list yet."""
    silent: list[Village] = field(default_factory=list)
    left: float | None = 0.0
    pause: Pause | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One provider: what it carries for the warnings that live, and whether it is stopped."""

    name: str
    channel: str
    funnel: Funnel
    stopped: str
    waiting: int
    oldest: float
    rate: float


@dataclass(frozen=True, slots=True)
class Board:
    """The upper part of the list."""

    pending: list[Entry]
    living: list[Entry]
    incidents: list[Incident]
    notices: list[str]
    health: Health | None = None
    lines: list[Line] = field(default_factory=list)
    proposals: list[Any] = field(default_factory=list)
    """What rules or people on the ground propose and nobody has decided about."""
    points: list[Any] = field(default_factory=list)
    """What the dates of hazard points ask of somebody."""
    checks: list[Any] = field(default_factory=list)
    """What cancels named that nobody here knows."""

    @property
    def waiting(self) -> int:
        """People who must confirm and have not, drills left out."""
        return sum(e.summary.tasks.total - e.summary.tasks.done for e in self.living if e.summary and not e.warning.drill)

    @property
    def silent(self) -> int:
        """Villages nobody has answered from, drills left out; one that is silent on two warnings counts twice."""
        return sum(e.summary.silent_villages for e in self.living if e.summary and not e.warning.drill)


class Boards:
    """The list, read once for everybody who looks at it."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.at = -1e9
        self.board = Board([], [], [], [])
        self.drawn: dict[Any, str] = {}
        self.lock = asyncio.Lock()

    async def look(self, fresh: float = FRESH) -> Board:
        """The list, at most `fresh` seconds old."""
        async with self.lock:
            if time.monotonic() - self.at >= fresh:
                self.board = await self.read()
                self.drawn = {}
                self.at = time.monotonic()
        return self.board

    async def read(self) -> Board:
        """The list now."""
        async with self.hub.store.read() as conn:
            found = await open_warnings(conn)
            names = await agency_names(conn, [warning.agency_id for warning in found])
            pending = []
            for warning in (one for one in found if one.state == "pending"):
                alert = await warning_alert(conn, warning)
                reasons, approvals = await held_reasons(conn, warning.id), await list_approvals(conn, warning.id)
                drill = alert.status in DRILLED
                held = await find_hold(conn, warning) is not None
                listless = drill and warning.drill is None and await self.hub.desk.drill_list(conn, alert) is None
                pending.append(Entry(warning, names[warning.agency_id], None, reasons, approvals, drill, held, listless))
            proposals = [one for one in await list_proposals(conn, SILENT) if one.state == "open"]
            points, checks, incidents = await list_of_points(conn), await list_checks(conn), await list_incidents(conn)
            health = await read_health(conn, found, await self.hub.store.now(conn))
        living = [await self.read_living(one, names[one.agency_id]) for one in found if one.state != "pending"]
        kept = [entry for entry in living if entry.summary]
        lines = self.read_lines(kept, incidents, health)
        return Board(pending, kept, incidents, self.hub.notices, health, lines, proposals, points, checks)

    async def read_living(self, warning: Warning, agency: str) -> Entry:
        """One that lives."""
        summary = await self.hub.monitor.summary(warning.uid, LATEST)
        async with self.hub.store.read() as conn:
            silent = await silent_villages(conn, warning.id, SILENT)
            pause = await find_pause(conn, warning.id)
        left = seconds_left(summary, self.hub.providers) if summary else None
        return Entry(warning, agency, summary, silent=silent, left=left, pause=pause)

    def read_lines(self, living: list[Entry], incidents: list[Incident], health: Health) -> list[Line]:
        """Every provider there is."""
        stopped = {incident.provider: incident.code for incident in incidents}
        queues = {queue.provider: queue for queue in health.queues}
        lines = []
        for name, provider in sorted(self.hub.providers.items()):
            parts = [p.funnel for e in living if e.summary for p in e.summary.providers if p.key == name]
            whole = Funnel(**{field: sum(getattr(part, field) for part in parts) for field in Funnel.model_fields})
            queue = queues.get(name)
            waiting, oldest = (queue.waiting, queue.oldest) if queue else (0, 0.0)
            lines.append(Line(name, provider.channel, whole, stopped.get(name, ""), waiting, oldest, provider.settings.rate))
        return lines
