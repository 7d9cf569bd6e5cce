"""Acknowledgements: what a person did, with its evidence. Only human evidence confirms.

Evidence, weakest first: the order of `Evidence`. What stands before `reply` is kept and shown, and changes no state: a GET, a
link scanner, a provider's 200, a loudspeaker that played to its end, a call that was heard or a read receipt never confirms.
A new kind of evidence (a button in a chat program) is one line here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy import text

from warnhub.monitor.metrics import ACKS
from warnhub.store.audits import add_event
from warnhub.store.bursts import MANY, Answered, find_strange
from warnhub.store.covers import cover_origins
from warnhub.store.engine import Store, Tx
from warnhub.store.group import Group
from warnhub.store.ledger import Move, advance, hold_warnings
from warnhub.store.proofs import add_proofs
from warnhub.store.rows import pack_rows, rows_table
from warnhub.store.states import Rank


class Evidence(StrEnum):
    """How we know, weakest first.

    fetched  a page was opened
    machine  something answered that looks like no person
    report   a person's own words, which are no answer to what was asked
    reply    an answer by short message, with a code or beyond doubt without one
    key      a key pressed on a call
    human    an answer on the person's own page
    told     by telephone, written down by an officer with a name
    """

    FETCHED = "fetched"
    MACHINE = "machine"
    REPORT = "report"
    REPLY = "reply"
    KEY = "key"
    HUMAN = "human"
    TOLD = "told"


ORDER = {evidence: number for number, evidence in enumerate(Evidence)}
HUMAN = frozenset(evidence for evidence in Evidence if ORDER[evidence] >= ORDER[Evidence.REPLY])
CHOICES = ("received", "moved", "help", "cannot")


@dataclass(frozen=True, slots=True)
class Ack:
    """One act. `wave` is 0 where it came by no message of ours (told by phone, entered `by` an officer).

    `place` is (longitude, latitude) where the person says they are; `photo` a JPEG that was made anew.
    """

    wave: int
    recipient: int
    evidence: Evidence
    warning: int = 0
    choice: str = ""
    text: str = ""
    by: str = ""
    agent: str = ""
    origin: str = ""
    place: tuple[float, float] | None = None
    photo: bytes = b""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`state` is the warning's; `known` is False for a token whose delivery is not in the ledger; `strange`: taken for a
    machine's, since one address has just answered for many."""

    known: bool
    state: str = ""
    confirmed: bool = False
    strange: bool = False


class Acks:
    """Takes acknowledgements; many share one commit."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.group: Group[Ack, Outcome] = Group(store, self.keep)

    async def take(self, ack: Ack) -> Outcome:
        """Keep one, and confirm if it is a person's own act."""
        return await self.group.put(ack)

    async def keep(self, tx: Tx, acks: Sequence[Ack]) -> Sequence[Outcome]:
        """One transaction's worth."""
        acks, strange = await screen(tx, acks)
        places = await locate(tx, acks)
        outcomes: list[Outcome] = []
        moves: list[Move] = []
        confirmed: dict[int, list[Ack]] = {}
        rows = []
        for number, ack in enumerate(acks):
            place = places.get((ack.wave, ack.recipient))
            warning = place.warning if place else ack.warning
            human = ack.evidence in HUMAN
            ACKS.labels(ack.evidence.value).inc()
            if not warning:
                outcomes.append(Outcome(False))
                continue
            rows.append(ack_row(ack, warning, human, tx.now))
            if human:
                confirmed.setdefault(warning, []).append(ack)
                if place:
                    moves.append(Move(place.batch, ack.recipient, Rank.CONFIRMED))
            outcomes.append(Outcome(True, place.state if place else "", human, number in strange))
        if rows:
            await tx.conn.execute(INSERT_ACK, rows)
        await hold_warnings(tx, confirmed)
        for warning, done in sorted(confirmed.items()):
            await close_tasks(tx, warning, done)
        await advance(tx, moves, {warning: [ack.recipient for ack in done] for warning, done in confirmed.items()})
        return outcomes


async def screen(tx: Tx, acks: Sequence[Ack]) -> tuple[Sequence[Ack], set[int]]:
    """The answers, and the places of those that are no longer a person's: one address has just answered for too many."""
    pages = [(n, ack) for n, ack in enumerate(acks) if ack.evidence is Evidence.HUMAN and ack.origin and ack.wave]
    if not pages:
        return acks, set()
    odd = await find_strange(tx, [Answered(ack.origin, ack.agent[:200], ack.wave, ack.recipient) for _, ack in pages])
    strange = {n for (n, _), found in zip(pages, odd, strict=True) if found}
    suspect = {"evidence": Evidence.MACHINE, "text": MANY, "place": None, "photo": b""}
    return [replace(ack, **suspect) if n in strange else ack for n, ack in enumerate(acks)], strange  # type: ignore[arg-type]  # a table of fields


INSERT_ACK = text(
    "INSERT INTO ack (warning_id, recipient_id, wave_id, evidence, human, choice, text, officer, agent, origin, at) VALUES "
    "(:warning, :recipient, :wave, :evidence, :human, :choice, :text, :officer, :agent, :origin, :at)"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a delivery is."""

    warning: int
    batch: int
    state: str


async def locate(tx: Tx, acks: Sequence[Ack]) -> dict[tuple[int, int], Place]:
    """(wave, recipient) → where it is in the ledger."""
    source = rows_table(tx.conn.dialect.name == "sqlite", wave="int", recipient="int")
    rows = await tx.conn.execute(
        text(
            "SELECT d.wave_id, d.recipient_id, v.warning_id, d.batch_id, w.state "
            f"FROM {source} AS k JOIN delivery d ON d.wave_id = k.wave AND d.recipient_id = k.recipient "
            "JOIN wave v ON v.id = d.wave_id JOIN warning w ON w.id = v.warning_id"
        ),
        {"rows": pack_rows({(ack.wave, ack.recipient) for ack in acks if ack.wave})},
    )
    return {(row[0], row[1]): Place(row[2], row[3], row[4]) for row in rows}


def ack_row(ack: Ack, warning: int, human: bool, now: int) -> dict[str, object]:
    """An acknowledgement as the table keeps it."""
    return {
        "warning": warning,
        "recipient": ack.recipient,
        "wave": ack.wave or None,
        "evidence": ack.evidence.value,
        "human": human,
        "choice": ack.choice or None,
        "text": ack.text[:500] or None,
        "officer": ack.by or None,
        "agent": ack.agent[:200] or None,
        "origin": ack.origin or None,
        "at": now,
    }


async def close_tasks(tx: Tx, warning: int, acks: Sequence[Ack]) -> None:
    """Their task is done; a call for help stays on the page whatever came before."""
    # The warning is a column of the rows, not a constant: else SQLite walks the tasks of the whole warning for each row.
    source = rows_table(tx.conn.dialect.name == "sqlite", warning="int", recipient="int", choice="text", evidence="text")
    await tx.conn.execute(
        text(
            "UPDATE task SET state = 'done', done_at = coalesce(task.done_at, :now), choice = k.choice, evidence = k.evidence "
            f"FROM {source} AS k WHERE task.warning_id = k.warning AND task.recipient_id = k.recipient "
            "AND task.kind = 'confirm' AND (task.state <> 'done' OR task.choice IS NULL OR task.choice <> k.choice)"
        ),
        {
            # Of several answers of one person in one commit the last counts.
            "rows": pack_rows(
                {ack.recipient: (warning, ack.recipient, ack.choice, ack.evidence.value) for ack in acks}.values()
            ),
            "now": tx.now,
        },
    )
    await add_proofs(tx, warning, [(ack.recipient, ack.place, ack.photo) for ack in acks])
    await close_visits(tx, warning, acks)
    await cover_origins(tx, warning, [ack.recipient for ack in acks])
    for ack in acks:
        if ack.choice in {"help", "cannot"} or ack.by or ack.place or ack.photo:
            data = {"choice": ack.choice, "text": ack.text[:200], "evidence": ack.evidence.value}
            await add_event(tx, warning, "answer", ack.by or "recipient", data, ack.recipient)
    tx.wake("task")


async def close_visits(tx: Tx, warning: int, acks: Sequence[Ack]) -> None:
    """Who says that the people have moved has been at the door."""
    moved = {ack.recipient: (warning, ack.recipient, ack.evidence.value) for ack in acks if ack.choice == "moved"}
    if moved:
        source = rows_table(tx.conn.dialect.name == "sqlite", warning="int", recipient="int", evidence="text")
        await tx.conn.execute(
            text(
                "UPDATE task SET state = 'done', done_at = :now, choice = 'moved', evidence = k.evidence "
                f"FROM {source} AS k WHERE task.warning_id = k.warning AND task.recipient_id = k.recipient "
                "AND task.kind = 'visit' AND task.state IN ('open', 'late')"
            ),
            {"rows": pack_rows(moved.values()), "now": tx.now},
        )
