"""What a worker learned of a batch, as it goes to the ledger: what was taken by sets, everything else one by one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from warnhub.port import Reason
from warnhub.store.addresses import mark_bad
from warnhub.store.engine import Tx
from warnhub.store.ledger import Move, advance
from warnhub.store.states import Rank
from warnhub.store.taken import Part, take


@dataclass(slots=True)
class Outcomes:
    """Outcomes of one batch that wait to be recorded. `people` and `ids` are those taken one by one."""

    moves: list[Move] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    batch: int = 0
    people: list[int] = field(default_factory=list)
    ids: list[str | None] = field(default_factory=list)

    def take(self, batch: int, person: int, provider_id: str | None) -> None:
        """The provider took one message."""
        self.batch = batch
        self.people.append(person)
        self.ids.append(provider_id)

    def size(self) -> int:
        """How many messages that were handed over one by one."""
        return len(self.moves) + len(self.people)

    def taken(self) -> list[Part]:
        """Every part, those by name first: a part without names is all the rest."""
        named = [Part(self.batch, None, self.people, self.ids)] if self.people else []
        return named + sorted(self.parts, key=lambda part: part.people is None)


async def record(tx: Tx, told: Outcomes) -> None:
    """Outcomes, and the addresses that they show to be dead.

    On PostgreSQL a mixture goes by `advance` alone: all its batches are locked before all its people, as everywhere.
    """
    parts, moves = told.taken(), list(told.moves)
    if tx.conn.dialect.name != "sqlite" and moves:
        moves += [move for part in parts for move in spread(part)]
        parts = []
    if moves:
        await advance(tx, moves)
        dead = [move for move in moves if move.reason == Reason.RECIPIENT]
        if dead:
            await mark_bad(tx, [(move.batch, move.recipient, move.code or "recipient") for move in dead])
    await take(tx, *parts)


def spread(part: Part) -> list[Move]:
    """A part, person by person; where there are moves none is what is left of a batch."""
    assert part.people is not None
    ids = part.ids or [part.provider_id] * len(part.people)
    return [Move(part.batch, person, Rank.ACCEPTED, None, None, pid) for person, pid in zip(part.people, ids, strict=True)]


async def record_all(tx: Tx, told: Sequence[Outcomes]) -> Sequence[None]:
    """Several at once."""
    for one in told:
        await record(tx, one)
    return [None] * len(told)
