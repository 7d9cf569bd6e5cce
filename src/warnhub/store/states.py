"""The one table of delivery states and their order.

A delivery's state only rises: an update is `WHERE state < :state`. What a provider or a person said later outranks what we
only assumed, so `delivered` outranks `failed` (a carrier corrects itself) and every word of a provider outranks `unknown`.
"""

from enum import IntEnum

from warnhub.port import State


class Rank(IntEnum):
    """A state as it is stored."""

    PLANNED = 0
    SENDING = 10
    SUPPRESSED = 20
    SUPERSEDED = 21
    EXPIRED = 22
    UNKNOWN = 30
    ACCEPTED = 40
    FAILED = 50
    DELIVERED = 60
    READ = 70
    CONFIRMED = 80


RANKS = {State(rank.name.lower()): rank for rank in Rank}
STATES = {rank: state for state, rank in RANKS.items()}

OPEN = Rank.SENDING
"""Up to and including this rank a delivery has no outcome yet."""

# For a person with several deliveries a failed one says less than an open question or a success.
FAILED_PERSON = 25


class Stage(IntEnum):
    """Where a batch stands; the state of its deliveries that have no outcome of their own follows from it."""

    READY = 0
    LEASED = 1
    DONE = 2
    SUPERSEDED = 3
    EXPIRED = 4
    SUPPRESSED = 5
    LOST = 6


IMPLIED = {
    Stage.LEASED: Rank.SENDING,
    Stage.DONE: Rank.UNKNOWN,
    Stage.SUPERSEDED: Rank.SUPERSEDED,
    Stage.EXPIRED: Rank.EXPIRED,
    Stage.SUPPRESSED: Rank.SUPPRESSED,
    Stage.LOST: Rank.UNKNOWN,
}


def implied_rank(stage: int, attempt: int) -> Rank:
    """The state of a delivery without an outcome, by its batch: planned until the first claim, sending after it."""
    if stage == Stage.READY:
        return Rank.SENDING if attempt else Rank.PLANNED
    return IMPLIED[Stage(stage)]


def effective_rank(state: int, stage: int, attempt: int) -> int:
    """The state a delivery is counted in."""
    return state if state > OPEN else implied_rank(stage, attempt)


def person_rank(rank: int) -> int:
    """A delivery's state as it counts for the person."""
    return FAILED_PERSON if rank == Rank.FAILED else rank
