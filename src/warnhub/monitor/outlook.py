"""How long until the last message of a warning is handed over, told from its tallies and from what others have waiting."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import LANES, Level
from warnhub.channels import Provider
from warnhub.plan.estimate import Queue, channel_times, mixed_rate, reach_rate
from warnhub.port import Bulk
from warnhub.roles import Role
from warnhub.store.states import OPEN
from warnhub.store.tallies import PEOPLE, Count
from warnhub.store.warnings import LIVING, Warning


class Eta(BaseModel):
    """When everything of a warning will have been handed to its providers.

    `basis`: `observed` where all that waits has been moving long enough to be timed, `model` where it is by the providers'
    rates and what the engine can do. It knows no failures, retries or quiet hours: it is the earliest, not a promise.
    """

    seconds: float
    left: int = Field(description="deliveries that wait or are in a call")
    basis: Literal["observed", "model"]
    channels: dict[str, float] = Field(description="channel → seconds")


async def read_eta(
    conn: AsyncConnection, warning: Warning, counts: Sequence[Count], providers: Mapping[str, Provider], now: int
) -> Eta | None:
    """The outlook of a released warning; None when nothing of it waits. The cost does not grow with the audience."""
    if warning.state != LIVING or warning.released_at is None:
        return None
    waiting = {count.provider for count in counts if count.channel != PEOPLE and count.state <= OPEN and count.n}
    if not waiting:
        return None
    before = await read_ahead(conn, warning)
    queues = [make_queue(warning, counts, name, providers.get(name), before.get(name, 0), now) for name in sorted(waiting)]
    times = {channel: round(seconds, 1) for channel, seconds in channel_times(queues).items()}
    return Eta(
        seconds=max(times.values()),
        left=sum(queue.left for queue in queues),
        basis="observed" if all(queue.observed for queue in queues) else "model",
        channels=times,
    )


def make_queue(warning: Warning, counts: Sequence[Count], name: str, provider: Provider | None, ahead: int, now: int) -> Queue:
    """What one provider has of a warning; who answers for others has a link of their own, and so a call of their own."""
    own = [count for count in counts if count.provider == name]
    left = sum(count.n for count in own if count.state <= OPEN)
    alone = sum(count.n for count in own if count.state <= OPEN and Role(count.role).responsible)
    handed = sum(count.n for count in own if count.state > OPEN)
    rate = provider.settings.rate if provider else 1.0
    most = type(provider.adapter).most if provider and isinstance(provider.adapter, Bulk) else 1
    elapsed = max(0.0, (now - (warning.released_at or now)) / 1000)
    pace = mixed_rate(left - alone, alone, reach_rate(rate, most), reach_rate(rate, most, personal=True))
    return Queue(name.partition(".")[0], left, ahead, pace, handed, elapsed)


async def read_ahead(conn: AsyncConnection, warning: Warning) -> dict[str, int]:
    """Provider → deliveries of other living warnings that go first: those of a more urgent lane, and older ones of the same."""
    found = await conn.execute(
        text(
            "SELECT w.id, w.level, t.provider, sum(t.n) AS n FROM warning w JOIN tally t ON t.warning_id = w.id "
            "WHERE w.state = :living AND w.id <> :w AND t.channel <> '' AND t.state <= :open AND t.n > 0 "
            "GROUP BY w.id, w.level, t.provider"
        ),
        {"living": LIVING, "w": warning.id, "open": int(OPEN)},
    )
    own = LANES[Level(warning.level)]
    ahead: dict[str, int] = {}
    for row in found.all():
        lane = LANES[Level(row.level)]
        if lane < own or (lane == own and row.id < warning.id):
            ahead[row.provider] = ahead.get(row.provider, 0) + int(row.n)
    return ahead
