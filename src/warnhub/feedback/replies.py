"""What people send back by short message, or press on a call, as a provider brings it.

A key, or an answer in words that can only be meant for one warning by one person, confirms. A number that several people share
says who by the code. Everything else is kept and shown to the desk as a report, and confirms nothing.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from warnhub.crypto import KeyRing
from warnhub.feedback.acks import CHOICES, Ack, Acks, Evidence
from warnhub.feedback.words import read_answer
from warnhub.store.addresses import find_owners
from warnhub.store.audits import add_event
from warnhub.store.engine import Store, Tx

TAKEN = 3
"""`receipt.joined` of a reply that was looked at."""

STRAY = 4
"""`receipt.joined` of words that belong to no living warning: whoever looks for dangers reads them."""

CAME = "reply.came"
CLAIM = text(
    "UPDATE receipt SET joined = :t WHERE id = :id AND joined < :t RETURNING reply, code, blind, wave_id, recipient_id"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody who was written to at this number: the newest message of each living warning. `open`: still has to confirm."""

    recipient: int
    wave: int
    warning: int
    asked: bool


class Replies:
    """Subscriber of `reply.came`, whose key is the receipt's number; each is looked at once."""

    def __init__(self, store: Store, keys: KeyRing, acks: Acks) -> None:
        self.store = store
        self.keys = keys
        self.acks = acks

    async def take(self, key: str, data: dict[str, Any]) -> None:
        """One reply or key."""
        async with self.store.write() as tx:
            row = (await tx.conn.execute(CLAIM, {"t": TAKEN, "id": int(key)})).first()
            if row is None:
                return
            if row.code == "key":
                await self.press(tx, row)
            elif row.blind is not None and not await self.reply(tx, str(row.reply), bytes(row.blind)):
                await tx.conn.execute(text("UPDATE receipt SET joined = :t WHERE id = :id"), {"t": STRAY, "id": int(key)})

    async def press(self, tx: Tx, row: Any) -> None:
        """A key on a call, which is made to one person."""
        if row.wave_id is not None and row.recipient_id is not None and row.reply in CHOICES:
            await self.acks.keep(tx, [Ack(row.wave_id, row.recipient_id, Evidence.KEY, choice=row.reply)])

    async def reply(self, tx: Tx, words: str, blind: bytes) -> bool:
        """A short message; False if it belongs to no living warning."""
        people = (await find_owners(tx.conn, [blind])).get(blind, [])
        told = await read_told(tx, people)
        answer = read_answer(words)
        who = self.who_answers(answer.code, told) if answer else None
        if answer and who:
            await self.acks.keep(tx, [Ack(who.wave, who.recipient, Evidence.REPLY, choice=answer.choice, text=words)])
        elif told:
            await self.report(tx, words, told, shared=bool(answer))
        return bool(told)

    def who_answers(self, code: str, told: list[Asked]) -> Asked | None:
        """The one person who can be meant, and the newest message they can mean; None if that is not certain."""
        asked = [one for one in told if one.asked]
        if code:
            asked = [one for one in asked if self.keys.reply_code(one.recipient) == code]
        people = {one.recipient for one in asked}
        return asked[0] if len(people) == 1 else None

    async def report(self, tx: Tx, words: str, told: list[Asked], shared: bool) -> None:
        """Words for the desk: of the one who was written to last. `shared`: an answer that does not say whose it is."""
        one = told[0]
        await self.acks.keep(tx, [Ack(one.wave, one.recipient, Evidence.REPORT, text=words)])
        data = {"text": words[:200], "unclear": shared}
        await add_event(tx, one.warning, "report", "recipient", data, one.recipient)
        tx.wake("tally")


async def read_told(tx: Tx, people: list[int]) -> list[Asked]:
    """The newest short message of each living warning to each of these people, the newest first."""
    if not people:
        return []
    ids = ", ".join(str(int(person)) for person in people)
    rows = await tx.conn.execute(
        text(
            "SELECT d.recipient_id, v.id, v.warning_id, v.at, EXISTS (SELECT 1 FROM task t WHERE t.warning_id = v.warning_id "
            "AND t.recipient_id = d.recipient_id AND t.kind = 'confirm') AS asked "
            "FROM warning w JOIN wave v ON v.warning_id = w.id AND v.channel = 'sms' "
            f"JOIN delivery d ON d.wave_id = v.id AND d.recipient_id IN ({ids}) AND d.state >= 30 "
            "WHERE w.state = 'released' ORDER BY v.at DESC, v.id DESC LIMIT 200"
        )
    )
    return [Asked(int(row[0]), int(row[1]), int(row[2]), bool(row.asked)) for row in rows]
