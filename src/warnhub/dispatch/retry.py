"""What follows a refusal: one table by `Reason`, exponential waits with full jitter, within a budget, never past expiry."""

import random
from dataclasses import dataclass
from enum import StrEnum

from warnhub.port import Reason, SendError


class Turn(StrEnum):
    """What to do with a message that was not taken.

    fail      it will never pass this way
    wait      it was certainly not taken: the same batch again, later
    unknown   it may have been taken
    stop      the provider is misconfigured: nobody's fault, nobody fails; the provider stops
    """

    FAIL = "fail"
    WAIT = "wait"
    UNKNOWN = "unknown"
    STOP = "stop"


TURNS = {
    Reason.CONFIG: Turn.STOP,
    Reason.RECIPIENT: Turn.FAIL,
    Reason.REJECTED: Turn.FAIL,
    Reason.THROTTLED: Turn.WAIT,
    Reason.UNREACHABLE: Turn.WAIT,
    Reason.UNKNOWN: Turn.UNKNOWN,
    Reason.UNEXPECTED: Turn.UNKNOWN,
}

ATTEMPTS = 12
FIRST = 1.0
LONGEST = 60.0


def retry_wait(attempt: int, error: SendError | None, chance: random.Random) -> float:
    """Seconds to wait before attempt `attempt` + 1: what the provider asked for, else full jitter up to 1, 2, 4 … 60 s."""
    if error is not None and error.retry_after is not None:
        return min(error.retry_after, LONGEST * 5) + chance.random()
    return chance.uniform(0.2, min(LONGEST, FIRST * 2.0 ** min(attempt, 10)))


@dataclass(slots=True)
class Budget:
    """Retries may be a tenth of what succeeds, with a start of `tokens`; beyond it they wait the longest time."""

    tokens: float = 50.0
    most: float = 200.0

    def earn(self, calls: int = 1) -> None:
        """Calls that the provider took."""
        self.tokens = min(self.most, self.tokens + calls / 10)

    def spend(self) -> bool:
        """Whether one more retry is within the budget."""
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
