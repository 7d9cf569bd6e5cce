"""What an officer should know before a release: what lives there already, which channels are broken or used up, how long it
takes, whom nothing reaches, who is on duty, what the templates have no room for. Each is said, also where all is well."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.channels import Provider, by_channel
from warnhub.console import figures
from warnhub.console.scene import Scene
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.course import find_replaced
from warnhub.forecast import Forecast
from warnhub.store.overview import list_incidents, open_warnings
from warnhub.store.rosters import find_gaps, list_shifts
from warnhub.store.usage import count_used
from warnhub.store.warnings import LIVING, Warning, warning_alert

SHORT = 30 * 60_000
"""A warning that lives less than this many milliseconds more is hardly worth sending."""

PROMPT = {"red": 600.0, "orange": 900.0}
"""Seconds in which the public should be told: the national platform's ten minutes, the green channel's fifteen."""

DAY = 24 * 3_600_000
KNOWN = 30 * DAY
"""A desk that had somebody on duty within this time has a roster, whatever it says about today."""

LONG = 3
"""Billed parts from which on a short message arrives late, or in pieces."""

TONES = ("bad", "warn", "good")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing. `tone`: good, warn or bad; `name`: what was looked at; `uid`: the warning it speaks of, "" for none."""

    tone: str
    name: str
    words: str
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Inquest:
    """What is being checked."""

    visit: Visit
    scene: Scene
    forecast: Forecast

    def note(self, tone: str, name: str, key: str, uid: str = "", **given: str) -> Check:
        """One finding in the reader's language."""
        return Check(tone, name, say(key, self.visit.lang, **given), uid)

    @property
    def used(self) -> set[str]:
        """The channels that would carry it."""
        return {channel for share in self.forecast.shares for channel in share.channels}

    @property
    def left(self) -> int:
        """Milliseconds it will be in force."""
        return self.scene.warning.expires_at - self.visit.now


async def run_checks(visit: Visit, conn: AsyncConnection, scene: Scene, forecast: Forecast) -> list[Check]:
    """Everything that was looked at, what is wrong first."""
    about = Inquest(visit, scene, forecast)
    found = [
        *await check_conflicts(about, conn),
        *await check_lines(about, conn),
        *await check_quotas(about, conn),
        *check_reach(about),
        *check_times(about),
        *await check_rosters(about, conn),
        *check_words(about),
    ]
    return sorted(found, key=lambda one: TONES.index(one.tone))


async def check_conflicts(about: Inquest, conn: AsyncConnection) -> list[Check]:
    """What lives in the same places for the same hazard: what it takes the place of, and what it will stand beside."""
    places, scene = about.visit.hub.places, about.scene
    home, found = places.select(scene.alert.areas).home, []
    replaced = await replaced_by(about.visit, conn, scene)
    for other in replaced:
        found.append(about.note("good", "same", "check.replaces", other.uid, headline=other.headline))
    for other in await open_warnings(conn):
        if other.id == scene.warning.id or other.hazard != scene.warning.hazard or other.drill or scene.drill:
            continue
        if other.state != LIVING or other.kind == "cancel" or other.id in {one.id for one in replaced}:
            continue
        there = places.select((await warning_alert(conn, other)).areas).home & home
        if there:
            found.append(about.note("warn", "same", "check.same", other.uid, headline=other.headline, n=str(len(there))))
    return found or [about.note("good", "same", "check.same.none")]


async def replaced_by(visit: Visit, conn: AsyncConnection, scene: Scene) -> list[Warning]:
    """The living warnings whose place it takes on its release."""
    if scene.warning.kind == "cancel":
        return []
    found = await find_replaced(conn, visit.hub.places, scene.warning, scene.alert)
    return [one for one in found if one.state == LIVING]


async def check_lines(about: Inquest, conn: AsyncConnection) -> list[Check]:
    """Channels that are stopped."""
    stopped = [one for one in await list_incidents(conn) if one.provider.partition(".")[0] in about.used]
    return [
        about.note("bad", "lines", "check.stopped", provider=incident.provider, code=incident.code) for incident in stopped
    ] or [about.note("good", "lines", "check.lines")]


async def check_quotas(about: Inquest, conn: AsyncConnection) -> list[Check]:
    """Whether providers with a number of messages a day have enough of it left for today."""
    visit = about.visit
    local = datetime.fromtimestamp(visit.now / 1_000, UTC).astimezone(visit.console.zone)
    midnight = int(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1_000)
    limited = {name: those for name, those in by_channel(visit.hub.providers).items() if is_limited(those)}
    spent = await count_used(conn, midnight) if limited else {}
    found = []
    for line in about.forecast.estimate.lines:
        for_channel = limited.get(line.channel, [])
        if not for_channel or not line.people:
            continue
        most = sum(one.settings.daily or 0 for one in for_channel)
        used = sum(spent.get(one.name, 0) for one in for_channel)
        short = line.people - max(0, most - used)
        given = {"channel": say(f"channel.{line.channel}", visit.lang), "most": f"{most:,}", "used": f"{used:,}"}
        given |= {"need": f"{line.people:,}", "short": f"{max(0, short):,}"}
        found.append(
            about.note("bad" if short > 0 else "good", "quota", f"check.quota.{'short' if short > 0 else 'fine'}", **given)
        )
    return found or [about.note("good", "quota", "check.quota.none")]


def is_limited(providers: list[Provider]) -> bool:
    """Whether all of a channel's providers have a daily limit; one without can carry what the others may not."""
    return all(one.settings.daily is not None for one in providers)


def check_reach(about: Inquest) -> list[Check]:
    """Whom nothing reaches."""
    forecast = about.forecast
    if not forecast.people + forecast.devices:
        return [about.note("bad", "reach", "check.nobody")]
    if forecast.missed:
        return [about.note("warn", "reach", "check.missed", n=f"{forecast.missed:,}")]
    return [about.note("good", "reach", "check.reach")]


def check_times(about: Inquest) -> list[Check]:
    """How long it will be in force, and how long telling everybody takes at the providers' rates."""
    seconds, lang = about.forecast.estimate.seconds, about.visit.lang
    took = figures.span(seconds, lang)
    if about.left < SHORT:
        return [about.note("bad", "time", "check.short", minutes=str(max(0, about.left // 60_000)))]
    if seconds * 1_000 > about.left:
        return [about.note("bad", "time", "check.slower", took=took)]
    within = PROMPT.get(about.scene.warning.level)
    if within and seconds > within:
        return [about.note("warn", "time", "check.slow", took=took, within=figures.span(within, lang))]
    return [about.note("good", "time", "check.time", took=took)]


async def check_rosters(about: Inquest, conn: AsyncConnection) -> list[Check]:
    """Desks of the places it touches that have nobody on duty, now or while it is in force."""
    visit, now = about.visit, about.visit.now
    places = visit.hub.places
    extent = places.select(about.scene.alert.areas)
    touched = extent.home | extent.above
    shifts = await list_shifts(conn, now - KNOWN, min(about.scene.warning.expires_at, now + DAY), most=20_000)
    here = [one for one in shifts if one.desk in touched or places.levels.get(one.desk) == 6]
    found = []
    for gap in find_gaps(here, now, max(now + 1, min(about.scene.warning.expires_at, now + DAY))):
        given = {"place": gap.place, "from_": visit.when(gap.start), "to": visit.when(gap.end)}
        now_ = gap.start <= now
        found.append(about.note("bad" if now_ else "warn", "roster", f"check.roster.{'now' if now_ else 'later'}", **given))
    if not any(places.levels.get(one.desk) == 6 for one in here):
        found.append(about.note("warn", "roster", "check.roster.none"))
    return found or [about.note("good", "roster", "check.roster.fine")]


def check_words(about: Inquest) -> list[Check]:
    """What providers' templates have no room for, and short messages of many parts."""
    lang = about.visit.lang
    found = []
    for provider, names in about.forecast.crowded:
        said = ", ".join(say(f"field.{name}", lang) for name in names.split(", "))
        found.append(about.note("warn", "words", "check.crowded", provider=provider, names=said))
    if about.forecast.parts > LONG:
        found.append(about.note("warn", "words", "check.long", n=str(about.forecast.parts)))
    return found or [about.note("good", "words", "check.words")]
