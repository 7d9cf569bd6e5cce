"""Failures and lists of a warning are found by index: the same rows as before, whatever else there is."""

from sqlalchemy import text
from town import County

from warnhub.response.figures import period_sums
from warnhub.store.ledger import Move, advance
from warnhub.store.losses import UNSAID, count_faults, list_victims, lost_rows
from warnhub.store.people import list_deliveries, list_parts, read_part
from warnhub.store.states import Rank


async def test_what_failed_is_found_by_its_reason_and_by_none(county: County) -> None:
    warning = await county.plan(await county.warn())
    rows = await county.rows(
        "SELECT d.batch_id, d.recipient_id, b.provider FROM delivery d JOIN batch b ON b.id = d.batch_id ORDER BY 1, 2"
    )
    sms = [row for row in rows if row.provider.startswith("sms")]
    assert len(sms) >= 5
    first = [(row.batch_id, row.recipient_id) for row in sms]
    async with county.store.write() as tx:
        await advance(tx, [Move(*first[0], Rank.FAILED, "recipient", "DEAD"), Move(*first[1], Rank.FAILED)])
        await advance(tx, [Move(*first[2], Rank.UNKNOWN), Move(*first[3], Rank.DELIVERED)])
        await advance(tx, [Move(*first[4], Rank.SUPERSEDED, "gate")])
    async with county.store.read() as conn:
        faults = await count_faults(conn, warning.id)
        assert {(one.state, one.reason, one.code) for one in faults} == {
            (int(Rank.FAILED), "recipient", "DEAD"),
            (int(Rank.FAILED), UNSAID, None),
            (int(Rank.UNKNOWN), UNSAID, None),
        }
        assert sum(one.n for one in faults) == 3
        named = await list_victims(conn, warning.id, sms[0].provider, "DEAD", 0)
        assert [one.recipient for one in named] == [first[0][1]]
        assert await list_victims(conn, warning.id, sms[0].provider, "DEAD", first[0][1]) == []
        silent = await list_victims(conn, warning.id, sms[0].provider, "", 0)
        assert {one.recipient for one in silent} == {first[1][1], first[2][1]}
        (whole,) = await period_sums(conn, "all", 0, 2**62)
        assert whole.causes == {"recipient": 1, UNSAID: 2, "gate": 1}
    async with county.store.write() as tx:
        await advance(tx, [Move(*first[1], Rank.DELIVERED)])
    async with county.store.read() as conn:
        assert sum(one.n for one in await count_faults(conn, warning.id)) == 2, "a carrier corrected itself"


async def test_the_index_of_what_failed_is_the_one_that_is_used(county: County) -> None:
    if not county.store.sqlite:
        return
    async with county.store.read() as conn:
        plan = await conn.execute(
            text(
                f"EXPLAIN QUERY PLAN SELECT d.code FROM wave v CROSS JOIN {lost_rows(conn)} "
                "WHERE v.warning_id = 1 AND d.wave_id = v.id AND d.reason IS NOT NULL"
            )
        )
        assert any("ix_delivery_reason" in row.detail for row in plan)


async def test_pages_and_parts_hold_every_delivery_once_and_in_order(county: County) -> None:
    warning = await county.plan(await county.warn())
    wanted = [
        f"{row.batch_id}.{row.recipient_id}"
        for row in await county.rows("SELECT batch_id, recipient_id FROM delivery ORDER BY batch_id, recipient_id")
    ]
    assert len(wanted) > 10
    async with county.store.read() as conn:
        for most in (1, 2, 3, 7, len(wanted), 500):
            seen: list[str] = []
            after = (0, 0)
            while page := await list_deliveries(conn, warning.id, after, most):
                assert len(page) <= most
                seen += [one["cursor"] for one in page]
                batch, _, person = seen[-1].partition(".")
                after = int(batch), int(person)
            assert seen == wanted, most
        for size in (1, 2, 5, 1_000):
            parts = await list_parts(conn, warning.id, size)
            found = [one["cursor"] for part in parts for one in await read_part(conn, warning.id, *part)]
            assert found == wanted, size
        assert await list_parts(conn, 10_000) == []
