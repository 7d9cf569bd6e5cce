"""How much of a provider's day is used."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.states import Rank

HANDED = (Rank.SENDING, Rank.UNKNOWN, Rank.ACCEPTED, Rank.FAILED, Rank.DELIVERED, Rank.READ, Rank.CONFIRMED)


async def count_used(conn: AsyncConnection, since: int) -> dict[str, int]:
    """Messages that each provider was handed of warnings released, living or ended since then (milliseconds).

    A warning from before counts whole, so it is never less than was used; tallies are summed, no delivery is read.
    """
    states = ", ".join(str(int(rank)) for rank in HANDED)
    rows = await conn.execute(
        text(
            "SELECT t.provider, sum(t.n) AS n FROM warning w JOIN tally t ON t.warning_id = w.id "
            "WHERE (w.state = 'released' OR w.released_at >= :since OR w.ended_at >= :since) "
            f"AND t.state IN ({states}) GROUP BY t.provider"
        ),
        {"since": since},
    )
    return {str(row.provider): int(row.n) for row in rows}
