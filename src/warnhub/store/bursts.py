"""One address that answers for many: what no person does, however honest each of its answers looks.

Carriers put a whole township behind one address, so an address alone says nothing. The same address with the same `User-Agent`
answering for more than `MOST` people within `SPAN` milliseconds is taken for a machine; who is a person answers again, and then
it counts. What has been answered stands in the ledger, so it is the same whichever process each answer came to.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import text

from warnhub.store.engine import Tx
from warnhub.store.rows import pack_rows, rows_table

MOST, SPAN = 20, 10_000
MANY = "many"
"""`ack.text` of an answer that was not believed because of this."""


class Answered(NamedTuple):
    """An answer on somebody's page, by whom it was sent."""

    origin: str
    agent: str
    wave: int
    recipient: int


async def find_strange(tx: Tx, given: Sequence[Answered]) -> list[bool]:
    """Whether each of these answers, in their order, looks like one of a machine's."""
    sqlite = tx.conn.dialect.name == "sqlite"
    told: dict[tuple[str, str], set[tuple[int, int]]] = defaultdict(set)
    rows = await tx.conn.execute(
        text(
            f"SELECT DISTINCT a.origin, coalesce(a.agent, '') AS agent, a.wave_id, a.recipient_id "
            f"FROM {rows_table(sqlite, origin='text')} AS k JOIN ack a ON a.origin = k.origin "
            f"AND a.at >= :since AND (a.human OR a.text = '{MANY}') AND a.wave_id IS NOT NULL"
        ),
        {"rows": pack_rows(sorted({(one.origin,) for one in given})), "since": tx.now - SPAN},
    )
    for row in rows:
        told[row.origin, row.agent].add((row.wave_id, row.recipient_id))
    found = []
    for one in given:
        pages = told[one.origin, one.agent]
        pages.add((one.wave, one.recipient))
        found.append(len(pages) > MOST)
    if not any(found):
        return found
    again = await asked_again(tx, [one for one, odd in zip(given, found, strict=True) if odd])
    return [odd and (one.wave, one.recipient) not in again for one, odd in zip(given, found, strict=True)]


async def asked_again(tx: Tx, given: Sequence[Answered]) -> set[tuple[int, int]]:
    """Those of these pages on which an answer was not believed before."""
    source = rows_table(tx.conn.dialect.name == "sqlite", wave="int", recipient="int")
    rows = await tx.conn.execute(
        text(
            f"SELECT DISTINCT k.wave, k.recipient FROM {source} AS k JOIN wave v ON v.id = k.wave JOIN ack a "
            "ON a.warning_id = v.warning_id AND a.recipient_id = k.recipient AND a.wave_id = k.wave "
            f"WHERE NOT a.human AND a.text = '{MANY}'"
        ),
        {"rows": pack_rows(sorted({(one.wave, one.recipient) for one in given}))},
    )
    return {(int(row[0]), int(row[1])) for row in rows}
