"""What an officer should know before a release: what already lives there, which channels are broken, whom nothing reaches, and
how long it will be in force."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.console.forecast import Forecast
from warnhub.console.scene import Scene
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.store.overview import list_incidents, open_warnings
from warnhub.store.warnings import LIVING, warning_alert

SHORT = 30 * 60_000
"""A warning that lives less than this many milliseconds more is hardly worth sending."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing. `tone`: good, warn or bad; `uid`: the warning it speaks of, "" for none."""

    tone: str
    words: str
    uid: str = ""


async def run_checks(visit: Visit, conn: AsyncConnection, scene: Scene, forecast: Forecast) -> list[Check]:
    """Everything that was looked at, what is wrong first."""
    lang, found = visit.lang, []
    home = visit.hub.places.select(scene.alert.areas).home
    for other in await open_warnings(conn):
        if other.id == scene.warning.id or other.hazard != scene.warning.hazard or other.drill or scene.drill:
            continue
        if other.state == LIVING and other.kind != "cancel":
            there = visit.hub.places.select((await warning_alert(conn, other)).areas).home & home
            if there:
                found.append(Check("warn", say("check.same", lang, headline=other.headline, n=len(there)), other.uid))
    used = {channel for share in forecast.shares for channel in share.channels}
    for incident in await list_incidents(conn):
        if incident.provider.partition(".")[0] in used:
            found.append(Check("bad", say("check.stopped", lang, provider=incident.provider, code=incident.code)))
    if forecast.missed:
        found.append(Check("warn", say("check.missed", lang, n=f"{forecast.missed:,}")))
    left = scene.warning.expires_at - visit.now
    if left < SHORT:
        found.append(Check("bad", say("check.short", lang, minutes=max(0, left // 60_000))))
    if not forecast.people + forecast.devices:
        found.append(Check("bad", say("check.nobody", lang)))
    return found or [Check("good", say("check.fine", lang))]
