"""People and devices with their addresses: added, changed and looked up in bulk.

Addresses are sealed, found again by their blind index, and shown by their last four characters.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Table, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from warnhub.crypto import KeyRing
from warnhub.roles import Role
from warnhub.store.areas import Saved
from warnhub.store.bulk import Rows, among, insert_rows, run_many, take_ids
from warnhub.store.engine import Tx
from warnhub.store.tables import address, recipient

FIELDS = ("role", "name", "area_id", "language", "deputy", "superior", "opt_out")
COLUMNS = ("id", "ref", "kind", *FIELDS, "gone_at", "updated_at")
ADDRESS = ("recipient_id", "channel", "value", "blind", "tail", "route", "bad", "updated_at")
REMOVED = "removed"
DEFAULTS = (Role.RESIDENT.value, "", None, "zh-CN", None, None, False)


class Entry(NamedTuple):
    """A recipient as somebody gives it: None is "not said", which keeps what there is.

    ref        the giver's own key; it makes a repeat a repeat
    kind       person, device or outlet
    deputy     another recipient's ref; "" for nobody
    addresses  channel → address: sms E.164, wechat openid, push `jpush:…` or `fcm:…`, loudspeaker and display `area12/device`;
               "" takes the address away; a channel not named stays as it is
    """

    ref: str
    kind: str
    role: str | None
    name: str | None
    area_id: int
    language: str | None = None
    deputy: str | None = None
    superior: str | None = None
    opt_out: bool | None = None
    addresses: Mapping[str, str] = {}


class Known(NamedTuple):
    """A recipient as it is kept; `addresses` is channel → (id, blind, route)."""

    id: int
    kind: str
    fields: tuple[Any, ...]
    gone: bool
    addresses: Mapping[str, tuple[int, bytes, str]]


async def save_entries(tx: Tx, keys: KeyRing, entries: Sequence[Entry]) -> Saved:
    """Add or change recipients by ref, each ref once. An opt-out stays unless `entry` says, a bad mark unless the address
    is another."""
    known = await find_known(tx.conn, [entry.ref for entry in entries])
    fresh = [entry for entry in entries if entry.ref not in known]
    updated = await change_entries(tx, keys, [(known[entry.ref], entry) for entry in entries if entry.ref in known])
    await add_entries(tx, keys, fresh)
    return Saved(len(fresh), updated, len(entries) - len(fresh) - updated)


async def add_entries(tx: Tx, keys: KeyRing, entries: Sequence[Entry]) -> None:
    """Insert recipients that are certainly new, without asking first."""
    people, addresses = [], []
    for number, entry in zip(await take_ids(tx.conn, recipient, len(entries)), entries, strict=True):
        people.append((number, entry.ref, entry.kind, *wanted_fields(entry, DEFAULTS), None, tx.now))
        for channel, given in entry.addresses.items():
            if given:
                addresses.append((number, channel, *sealed(keys, channel, *split_route(channel, given)), tx.now))
    await insert_rows(tx.conn, recipient, COLUMNS, people)
    await insert_rows(tx.conn, address, ADDRESS, addresses)


async def change_entries(tx: Tx, keys: KeyRing, pairs: Sequence[tuple[Known, Entry]]) -> int:
    """Write what differs; gives how many recipients did."""
    people, added, moved = [], [], []
    changed = set()
    for old, new in pairs:
        fields = wanted_fields(new, old.fields)
        if fields != old.fields or old.gone:
            people.append((old.id, *fields, None, tx.now))
            changed.add(old.id)
        for channel, given in new.addresses.items():
            route, value = split_route(channel, given)
            there = old.addresses.get(channel)
            if there and (keys.blind(channel, value), route) != there[1:]:
                moved.append((there[0], *sealed(keys, channel, route, value), tx.now))
                changed.add(old.id)
            elif value and not there:
                added.append((old.id, channel, *sealed(keys, channel, route, value), tx.now))
                changed.add(old.id)
    await update_rows(tx, recipient, (*FIELDS, "gone_at", "updated_at"), people)
    await update_rows(tx, address, ADDRESS[2:], moved)
    await insert_rows(tx.conn, address, ADDRESS, added)
    return len(changed)


async def update_rows(tx: Tx, table: Table, columns: Sequence[str], rows: Rows) -> None:
    """Update by id; a row is (id, then the values of `columns`)."""
    await run_many(tx.conn, update(table).where(table.c.id == bindparam("key")), ("key", *columns), rows)


async def find_known(conn: AsyncConnection, refs: Sequence[str]) -> dict[str, Known]:
    """Those of `refs` that are kept, the gone ones too."""
    people = recipient.c
    mine = among(conn, people.ref, refs)
    addresses: dict[int, dict[str, tuple[int, bytes, str]]] = defaultdict(dict)
    columns = (address.c.recipient_id, address.c.channel, address.c.id, address.c.blind, address.c.route)
    for owner, channel, *kept in await conn.execute(select(*columns).join(recipient).where(mine)):
        addresses[owner][channel] = tuple(kept)
    query = select(people.ref, people.id, people.kind, people.gone_at, *(people[name] for name in FIELDS)).where(mine)
    return {
        ref: Known(number, kind, tuple(fields), gone is not None, addresses.get(number, {}))
        for ref, number, kind, gone, *fields in await conn.execute(query)
    }


async def find_kinds(conn: AsyncConnection, refs: Sequence[str]) -> dict[str, str]:
    """The kind of each of `refs` that is kept."""
    query = select(recipient.c.ref, recipient.c.kind).where(among(conn, recipient.c.ref, refs))
    return {ref: kind for ref, kind in await conn.execute(query)}


async def find_number(conn: AsyncConnection, recipient: int) -> bytes | None:
    """Somebody's telephone number as it is kept: the one messages go to, else the one they are called at; None for none."""
    query = text(
        "SELECT value FROM address WHERE recipient_id = :r AND channel IN ('sms', 'voice') AND tail <> '' "
        "ORDER BY channel LIMIT 1"
    )
    found = await conn.scalar(query, {"r": recipient})
    return bytes(found) if found is not None else None


async def count_roles(conn: AsyncConnection) -> dict[str, int]:
    """How many there are of each role, without the gone ones."""
    query = select(recipient.c.role, func.count()).where(recipient.c.gone_at.is_(None)).group_by(recipient.c.role)
    return {role: count for role, count in await conn.execute(query)}


def wanted_fields(entry: Entry, old: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values of FIELDS after `entry` is laid over `old`."""
    role, name, _, language, deputy, superior, opt_out = old
    return (
        role if entry.role is None else entry.role,
        name if entry.name is None else entry.name,
        entry.area_id,
        language if entry.language is None else entry.language,
        deputy if entry.deputy is None else entry.deputy or None,
        superior if entry.superior is None else entry.superior or None,
        opt_out if entry.opt_out is None else entry.opt_out,
    )


def split_route(channel: str, given: str) -> tuple[str, str]:
    """(route, value): which of a channel's providers carry an address, and the address as they want it."""
    if channel == "push" and given:
        route, _, value = given.partition(":")
        return route, value
    if channel == "sms" and given:
        return ("cn" if given.startswith("+86") else "intl"), given
    return "", given


def sealed(keys: KeyRing, channel: str, route: str, value: str) -> tuple[bytes, bytes, str, str, str | None]:
    """(value, blind, tail, route, bad) of an address as they are kept.

    An address that was taken away leaves a row without it, for the deliveries that still name the row.
    """
    return keys.seal(value), keys.blind(channel, value), value[-4:], route, None if value else REMOVED
