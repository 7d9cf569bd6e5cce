"""What stands at the top of the list: what waits for an officer, what lives, what is broken."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from warnhub.console.hub import Hub
from warnhub.monitor.summary import Summary
from warnhub.plan.assess import DRILLED
from warnhub.store.overview import (
    Approval,
    Incident,
    agency_names,
    held_reasons,
    list_approvals,
    list_incidents,
    open_warnings,
)
from warnhub.store.warnings import Warning, warning_alert

FRESH = 1.5


@dataclass(frozen=True, slots=True)
class Entry:
    """A warning on the list. What waits has `reasons` and `approvals`, what lives has a `summary`."""

    warning: Warning
    agency: str
    summary: Summary | None = None
    reasons: list[str] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)
    drill: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """The upper part of the list."""

    pending: list[Entry]
    living: list[Entry]
    incidents: list[Incident]
    notices: list[str]

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
                pending.append(Entry(warning, names[warning.agency_id], None, reasons, approvals, drill))
            incidents = await list_incidents(conn)
        living = []
        for warning in (one for one in found if one.state != "pending"):
            summary = await self.hub.monitor.summary(warning.uid)
            if summary:
                living.append(Entry(warning, names[warning.agency_id], summary))
        return Board(pending, living, incidents, self.hub.notices)
