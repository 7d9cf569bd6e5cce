"""A drill: whatever happens in it, it stays with the people on its list, and every word of it says what it is."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from townhall import Opener, Town, make_alert

from warnhub.store.counts import Cell
from warnhub.store.tallies import PEOPLE, add_cells

LIST = "2026-flood"
LADDER = """
name: 演练用
rules:
  - levels: "*"
    roles: [county_duty, township_duty, village_head, gridworker, leader]
    channels: [sms, wechat, push]
    confirm: {within: 1s, then: [deputy, superior]}
    reason: 故事用:一秒内不叫应就找副手和上级
  - levels: "*"
    roles: resident
    channels: [sms, wechat, push]
    reason: 故事用:居民各渠道都告知
"""


async def enlist(town: Town) -> dict[str, int]:
    """A list of two officers on duty, one's deputy the other, a grid worker whose deputy and head are not on it, and two
    residents; gives ref → person."""
    staff = "ref IN ('C990123-1', 'C990123-2', 'G990123001001001')"
    public = "role = 'resident' AND language = 'zh-CN' AND NOT opt_out"
    phone = "EXISTS (SELECT 1 FROM address a WHERE a.recipient_id = recipient.id AND a.channel = 'sms')"
    rows = await town.ask(f"SELECT id, ref FROM recipient WHERE {staff}")
    rows += await town.ask(f"SELECT id, ref FROM recipient WHERE {public} AND {phone} ORDER BY id LIMIT 2")
    async with town.hub.store.write() as tx:
        add = text("INSERT INTO drill (id, name, created_at, created_by) VALUES (:d, '防汛演练', :now, 'story')")
        await tx.conn.execute(add, {"d": LIST, "now": tx.now})
        join = text("INSERT INTO participant (drill_id, recipient_id) VALUES (:d, :r)")
        await tx.conn.execute(join, [{"d": LIST, "r": row.id} for row in rows])
    return {row.ref: row.id for row in rows}


async def test_a_drill_stays_on_its_list(visit: Opener) -> None:
    """Not by planning and not by the ladder is anybody else told."""
    async with visit(policy=LADDER) as town:
        people = await enlist(town)
        uid = await town.release(make_alert("d-1", status="exercise"))

        async def climbed() -> bool:
            return await town.number("SELECT count(*) FROM task WHERE state = 'late'") == 3

        await town.until(climbed, "every ladder is climbed to its end")
        found = await town.settle(uid)
        said = town.watchman.messages()
        on_list = {place for place, owners in town.owners.items() if owners & set(people.values())}
        assert {(heard.channel, heard.address) for heard in said} == {place for place in on_list if place[0] != "loudspeaker"}
        assert [heard.text for heard in said if "演练" not in heard.text] == []
        assert (found.drill, found.people.total, found.people.delivered) == (True, 5, 5)
        await deputies_of_the_list_alone(town, people)


async def deputies_of_the_list_alone(town: Town, people: dict[str, int]) -> None:
    """The deputy who takes part was told for the other; the deputy, the head and the leader who do not were not."""
    causes = "SELECT DISTINCT v.cause FROM wave v JOIN delivery d ON d.wave_id = v.id WHERE d.recipient_id = :r"
    assert {row[0] for row in await town.ask(causes, r=people["C990123-2"])} == {"plan", "deputy"}
    assert {row[0] for row in await town.ask(causes, r=people["G990123001001001"])} == {"plan"}
    steps = await town.ask("SELECT recipient_id FROM event WHERE kind = 'escalated'")
    assert [row.recipient_id for row in steps] == [people["C990123-1"]]


@pytest.mark.parametrize("status", ["test", "exercise"])
async def test_without_a_list_nobody_is_reached(town: Town, status: str) -> None:
    """It is held; no officer can let it out until there is a list; then it goes to the list."""
    answer = await town.post(make_alert("d-2", status=status))
    uid = answer.json()["warning"]
    assert (answer.status_code, answer.json()["state"]) == (201, "held")
    refused = await town.act(uid, "release")
    assert refused.status_code == 409
    assert "warnhub drill add" in refused.text
    assert (await town.warning(uid)).state == "pending"
    assert town.watchman.messages() == []
    people = await enlist(town)
    released = await town.act(uid, "release")
    assert (released.status_code, released.json()["state"]) == (200, "released")
    assert (await town.settle(uid)).drill
    assert town.people(town.watchman.messages()) == set(people.values())


async def test_a_forged_delivery_stops_at_the_gate(town: Town) -> None:
    """Somebody who is not on the list stands in the ledger, in a batch that waits, with all counts right."""
    await enlist(town)
    town.hands.worker.draining = True
    uid = await town.release(make_alert("d-3", status="exercise", life=timedelta(hours=1)))

    async def planned() -> bool:
        return (await town.warning(uid)).planned_at is not None

    await town.until(planned, "planned")
    victim = await forge(town, uid)
    town.hands.worker.draining = False
    found = await town.settle(uid)
    assert town.heard(victim) == []
    state = await town.number("SELECT state FROM delivery WHERE recipient_id = :r", r=victim)
    assert (state, found.states["suppressed"], found.people.suppressed) == (20, 1, 1)
    assert found.people.delivered == 5


async def forge(town: Town, uid: str) -> int:
    """Put a resident who is not on the list into a batch of text messages for residents; gives who."""
    number = (await town.warning(uid)).id
    batch: Any = (await town.ask("SELECT * FROM batch WHERE channel = 'sms' AND role = 'resident' LIMIT 1"))[0]
    async with town.hub.store.write() as tx:
        row = (
            await tx.conn.execute(
                text(
                    "INSERT INTO delivery (batch_id, recipient_id, wave_id, address_id, state) "
                    "SELECT :b, a.recipient_id, :v, a.id, 0 FROM address a JOIN recipient r ON r.id = a.recipient_id "
                    "WHERE a.channel = 'sms' AND r.role = 'resident' AND NOT r.opt_out AND NOT EXISTS "
                    "(SELECT 1 FROM participant p WHERE p.recipient_id = r.id) LIMIT 1 RETURNING recipient_id"
                ),
                {"b": batch.id, "v": batch.wave_id},
            )
        ).one()
        victim = int(row.recipient_id)
        await tx.conn.execute(text("UPDATE batch SET size = size + 1, open = open + 1 WHERE id = :b"), {"b": batch.id})
        target = "INSERT INTO target (warning_id, recipient_id, town_id, role, state) VALUES (:w, :r, :t, 'resident', 0)"
        await tx.conn.execute(text(target), {"w": number, "r": victim, "t": batch.town_id})
        delivery = Cell(number, "sms", batch.provider, "resident", batch.town_id, 0)
        await add_cells(tx, Counter({delivery: 1, delivery._replace(channel=PEOPLE, provider=""): 1}))
    return victim
