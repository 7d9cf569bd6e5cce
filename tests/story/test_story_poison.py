"""One address that spoils whatever it is in: it fails alone, whoever it is that finds it bad."""

from collections import Counter

from sqlalchemy import text
from townhall import TOWNS, Town, make_alert

POISON = {
    "illegal number": ("sms", "cn", "+8617000000002"),
    "too many today": ("sms", "cn", "+8617000000001"),
    "no such follower": ("wechat", "", "o-invalid-1"),
    "not a registration": ("push", "jpush", "bad-registration"),
    "registration gone": ("push", "fcm", "gone-token"),
}
LASTING = {"illegal number", "no such follower", "not a registration", "registration gone"}


async def poison(town: Town) -> dict[str, int]:
    """Give one resident each a bad address, and one an address that does not open with our key; gives what → address."""
    rows = await town.ask(
        "SELECT a.id, a.channel, a.route FROM address a JOIN recipient r ON r.id = a.recipient_id "
        "JOIN area p ON p.id = r.area_id WHERE r.role = 'resident' AND NOT r.opt_out AND p.code LIKE '990123001%' ORDER BY a.id"
    )
    chosen: dict[str, int] = {}
    async with town.hub.store.write() as tx:
        for name, (channel, route, value) in POISON.items():
            number = next(
                row.id for row in rows if (row.channel, row.route) == (channel, route) and row.id not in chosen.values()
            )
            sealed, blind = town.hub.keys.seal(value), town.hub.keys.blind(channel, value)
            change = text("UPDATE address SET value = :v, blind = :b WHERE id = :id")
            await tx.conn.execute(change, {"v": sealed, "b": blind, "id": number})
            chosen[name] = number
        number = next(row.id for row in rows if row.channel == "sms" and row.id not in chosen.values())
        await tx.conn.execute(text("UPDATE address SET value = :v WHERE id = :id"), {"v": b"x" * 40, "id": number})
        chosen["broken seal"] = number
    return chosen


async def test_each_fails_alone(town: Town) -> None:
    """Everybody else is told, once; the next warning does not try again what will never work, and tries what may."""
    chosen = await poison(town)
    uid = await town.release(make_alert("p-1", areas=(TOWNS[0],)))
    found = await town.settle(uid)
    failed = {row.address_id for row in await town.ask("SELECT address_id FROM delivery WHERE state = 50")}
    assert failed == set(chosen.values())
    assert (found.states["failed"], found.states["unknown"]) == (len(chosen), 0)
    told = Counter((heard.channel, heard.address) for heard in town.watchman.messages())
    assert (set(told.values()), sum(told.values())) == ({1}, found.planned - len(chosen))
    reasons = {row.address_id: row.reason for row in await town.ask("SELECT address_id, reason FROM delivery WHERE state = 50")}
    lasting = {chosen[name] for name in LASTING}
    assert {number for number, reason in reasons.items() if reason == "recipient"} == lasting

    again = await town.settle(await town.release(make_alert("p-2", areas=(TOWNS[0],), hazard="11B09")))
    assert again.planned == found.planned - len(lasting)
    assert again.states["failed"] == len(chosen) - len(lasting)
