"""One warning as its page shows it now: read once for everybody who looks, however many they are."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from warnhub.alert import Alert
from warnhub.console.hub import Hub
from warnhub.console.maps import Atlas, Sheet
from warnhub.console.pace import Pace, read_pace, seconds_left
from warnhub.console.strings import has_words
from warnhub.console.timeline import Line, read_timeline
from warnhub.monitor.summary import Funnel, Part, Summary
from warnhub.plan.assess import DRILLED
from warnhub.store.answers import Asked, Call, Village, count_tellings, list_asked, list_calls, silent_villages
from warnhub.store.overview import agency_names
from warnhub.store.pauses import Pause, find_pause
from warnhub.store.warnings import Warning, find_warning, warning_alert

FRESH = 1.0
LATEST = 0.3
"""Seconds that the figures of a scene may be older than it: with `FRESH` and a look every half second under two in all."""

PAGE = 15
KEPT = 64


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table of funnels."""

    name: str
    note: str
    funnel: Funnel
    href: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """What changes while a warning lives. `asked` is the first page of those who have not confirmed."""

    warning: Warning
    alert: Alert
    agency: str
    summary: Summary
    lines: list[Line]
    calls: list[Call]
    silent: list[Village]
    asked: list[Asked]
    tellings: dict[int, int]
    pause: Pause | None = None
    seconds: float | None = None

    @property
    def events(self) -> list[Line]:
        """The timeline, the newest first."""
        return self.lines

    @property
    def drill(self) -> bool:
        """Whether this is one, or will be once it has its list."""
        return self.warning.drill is not None or self.alert.status in DRILLED

    @property
    def left(self) -> int:
        """How many have not confirmed."""
        return self.summary.tasks.total - self.summary.tasks.done

    def providers(self, t: Callable[[str], str]) -> list[Row]:
        """By provider, under its channel's name."""
        return [Row(channel_name(part.key, t), part.key.partition(".")[2], part.funnel) for part in self.summary.providers]

    def roles(self, name: Callable[[str], str]) -> list[Row]:
        """By role."""
        return [Row(name(part.key), "", part.funnel) for part in self.summary.roles]

    def towns(self) -> list[Row]:
        """By township, the least delivered first among those that have anybody."""
        return [
            Row(one.name, "", one.funnel, f"?place={one.key}#villages") for one in sorted(self.summary.towns, key=undelivered)
        ]


def channel_name(key: str, t: Callable[[str], str]) -> str:
    """The channel's name; its code where it has none."""
    name = f"channel.{key.partition('.')[0]}"
    return t(name) if has_words(name) else key.partition(".")[0]


def undelivered(part: Part) -> float:
    """The share that was delivered: sorted by it, the worst comes first."""
    return part.funnel.delivered / part.funnel.total if part.funnel.total else 1.0


@dataclass(slots=True)
class Frame:
    """A scene, when it was read, and the lock under which the next is."""

    at: float = -1e9
    scene: Scene | None = None
    drawn: dict[Any, dict[str, str]] = field(default_factory=dict)
    sheets: dict[int | None, Sheet | None] = field(default_factory=dict)
    pace: Pace | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Drawer(Protocol):
    """What maps are drawn with."""

    @property
    def atlas(self) -> Atlas: ...


class Scenes:
    """Shared scenes of the warnings that are looked at."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.frames: dict[str, Frame] = {}

    async def look(self, uid: str, fresh: float = FRESH) -> Frame | None:
        """A warning's frame, at most `fresh` seconds old; None if there is no such warning."""
        frame = self.frames.setdefault(uid, Frame())
        async with frame.lock:
            if time.monotonic() - frame.at >= fresh:
                frame.scene = await self.read(uid, fresh)
                frame.at = time.monotonic()
                frame.drawn, frame.sheets = {}, {}
                self.forget()
        if frame.scene is None:
            self.frames.pop(uid, None)
            return None
        return frame

    def forget(self) -> None:
        """Keep what was read last."""
        for uid in sorted(self.frames, key=lambda uid: self.frames[uid].at)[:-KEPT]:
            del self.frames[uid]

    async def pictures(self, console: Drawer, frame: Frame, place: int | None = None) -> dict[str, Sheet | Pace | None]:
        """The map of a warning, of the county or of one place, and its pace; both kept with the frame."""
        scene = frame.scene
        assert scene is not None
        if place not in frame.sheets:
            async with self.hub.store.read() as conn:
                frame.sheets[place] = await console.atlas.draw(conn, scene.alert, place, scene.warning.id)
                frame.pace = await read_pace(conn, scene.warning.id, scene.warning.released_at or 0)
        return {"sheet": frame.sheets[place], "pace": frame.pace}

    async def read(self, uid: str, fresh: float) -> Scene | None:
        """Everything of a warning that its page shows."""
        summary = await self.hub.monitor.summary(uid, min(fresh, LATEST))
        async with self.hub.store.read() as conn:
            warning = await find_warning(conn, uid)
            if warning is None or summary is None:
                return None
            asked = await list_asked(conn, warning.id, most=PAGE + 1)
            names = await agency_names(conn, [warning.agency_id])
            return Scene(
                warning=warning,
                alert=await warning_alert(conn, warning),
                agency=names.get(warning.agency_id, warning.agency_id),
                summary=summary,
                lines=await read_timeline(conn, warning.id),
                calls=await list_calls(conn, warning.id),
                silent=await silent_villages(conn, warning.id),
                asked=asked,
                tellings=await count_tellings(conn, warning.id, [one.recipient for one in asked]),
                pause=await find_pause(conn, warning.id),
                seconds=seconds_left(summary, self.hub.providers),
            )
