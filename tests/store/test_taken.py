"""What a provider took at once is in the ledger exactly as if it had been written row by row."""

import contextlib
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from town import MINUTE, County

from warnhub.dispatch.recording import Outcomes, record
from warnhub.store.batches import Batch, claim_batch, lose_batches, read_lines
from warnhub.store.ledger import Move, advance
from warnhub.store.states import Rank
from warnhub.store.taken import Part, take
from warnhub.store.tallies import read_hops, read_tally
from warnhub.store.warnings import Warning


@pytest.fixture
async def warning(county: County) -> Warning:
    """A red warning, planned."""
    return await county.plan(await county.warn())


async def residents(county: County) -> tuple[Batch, list[int]]:
    """The largest batch, claimed, with its people."""
    claimed = []
    async with county.store.write() as tx:
        while batch := await claim_batch(tx, "sms.aliyun", (1, 2, 3, 4), "node", MINUTE):
            claimed.append(batch)
        largest = max(claimed, key=lambda one: one.open)
        return largest, [line.recipient for line in await read_lines(tx.conn, largest.id)]


async def book(conn: AsyncConnection, batch: Batch) -> dict[str, Any]:
    """All that the ledger says of a batch and of its people."""
    rows = await conn.execute(
        text(
            "SELECT recipient_id, state, reason, code, provider_id, handed_at, settled_at FROM delivery "
            "WHERE batch_id = :b ORDER BY recipient_id"
        ),
        {"b": batch.id},
    )
    head = await conn.execute(text("SELECT open, state FROM batch WHERE id = :b"), {"b": batch.id})
    people = await conn.execute(
        text("SELECT recipient_id, state FROM target WHERE warning_id = :w ORDER BY recipient_id"), {"w": batch.warning}
    )
    query = "SELECT village_id, state, n FROM village_tally WHERE warning_id = :w AND n <> 0"
    villages = await conn.execute(text(query), {"w": batch.warning})
    pace = await conn.execute(text("SELECT channel, step, n FROM pace WHERE warning_id = :w"), {"w": batch.warning})
    return {
        "rows": [tuple(row) for row in rows],
        "head": [tuple(row) for row in head],
        "people": [tuple(row) for row in people],
        "counts": {count for count in await read_tally(conn, batch.warning) if count.n},
        "villages": {tuple(row) for row in villages},
        "pace": {tuple(row) for row in pace},
        "hops": sorted(await read_hops(conn, batch.warning)),
    }


class Undone(Exception):
    """Leaves the store as it was."""


@pytest.mark.parametrize("whole", [True, False], ids=["all of a batch", "some by name"])
async def test_the_same_as_row_by_row(county: County, warning: Warning, whole: bool) -> None:
    """Of one more is known already, and stays known."""
    batch, people = await residents(county)
    assert len(people) > 1
    told = people if whole else people[:2]
    part = Part(batch.id, "BIZ") if whole else Part(batch.id, None, told, ["BIZ"] * 2)
    books = []
    for by_sets in (False, True):
        with contextlib.suppress(Undone):
            async with county.store.write() as tx:
                await advance(tx, [Move(batch.id, people[0], Rank.DELIVERED, provider_id="early")])
                if by_sets:
                    assert await take(tx, part) == len(told) - 1
                else:
                    await advance(tx, [Move(batch.id, person, Rank.ACCEPTED, provider_id="BIZ") for person in told])
                await tx.count()
                books.append(await book(tx.conn, batch))
                raise Undone
    assert books[0] == books[1]
    assert sum(n for _, _, n in books[0]["pace"]) == len(told)
    assert [row[4] for row in books[1]["rows"]][:2] == ["early", "BIZ"]
    assert books[1]["head"] == [(len(people) - len(told), 1)]


async def test_a_second_telling_changes_nothing(county: County, warning: Warning) -> None:
    batch, people = await residents(county)
    async with county.store.write() as tx:
        assert await take(tx, Part(batch.id, "A")) == len(people)
        await tx.count()
        first = await book(tx.conn, batch)
    async with county.store.write() as tx:
        assert await take(tx, Part(batch.id, "B")) == 0
        assert await take(tx, Part(batch.id, None, people, ["C"] * len(people))) == 0
        await tx.count()
        assert await book(tx.conn, batch) == first
    await county.sound(warning)


async def test_what_a_lost_worker_handed_over_is_known_after_all(county: County, warning: Warning) -> None:
    batch, people = await residents(county)
    county.hand.pass_by(2 * MINUTE)
    async with county.store.write() as tx:
        assert batch.id in await lose_batches(tx)
    async with county.store.write() as tx:
        assert await take(tx, Part(batch.id, "BIZ")) == len(people)
        said = await book(tx.conn, batch)
    assert {row[1] for row in said["rows"]} == {Rank.ACCEPTED}
    await county.sound(warning)


async def test_each_keeps_the_id_of_the_call_that_took_it(county: County, warning: Warning) -> None:
    """One person was in a call of their own and the others together: whoever is named is recorded before what is left."""
    batch, people = await residents(county)
    told = Outcomes(parts=[Part(batch.id, "together")])
    told.take(batch.id, people[0], "alone")
    async with county.store.write() as tx:
        await record(tx, told)
        said = await book(tx.conn, batch)
    assert {row[0]: row[4] for row in said["rows"]} == {person: "together" for person in people} | {people[0]: "alone"}
    await county.sound(warning)
