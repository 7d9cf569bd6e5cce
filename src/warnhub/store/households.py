"""Households and shelters: who lives where, who must be helped first, and where they go.

A household's name, house number and telephone are sealed; what it needs is kept open, because lists are ordered by it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Table, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from warnhub.crypto import KeyRing
from warnhub.store.areas import Saved
from warnhub.store.bulk import among, insert_rows, run_many, take_ids
from warnhub.store.engine import Tx
from warnhub.store.ground import household, shelter

WEIGHTS = {"point": 40, "river": 20, "disabled": 16, "alone": 12, "old": 8, "children": 6}
"""What puts a household further up the list: each thing that is so adds its weight, however many people it is said of."""

HOUSEHOLD = ("id", "ref", "area_id", "head", "place", "phone", "people", "needs", "weight", "shelter", "lon", "lat", "digest")
SHELTER = ("id", "ref", "name", "area_id", "capacity", "way", "keeper", "lon", "lat")


class Household(NamedTuple):
    """A household as somebody gives it. `needs`: what of WEIGHTS is so, with how many people or the hazard point's ref;
    `shelter`: the ref of the shelter its people go to."""

    ref: str
    area_id: int
    head: str
    place: str
    phone: str
    people: int
    needs: Mapping[str, Any]
    shelter: str
    lon: float | None = None
    lat: float | None = None

    @property
    def weight(self) -> int:
        """How early somebody must knock here; the greatest first."""
        return sum(weight for name, weight in WEIGHTS.items() if self.needs.get(name))


class Shelter(NamedTuple):
    """A shelter: `capacity` people, `way` how to get there in words, `keeper` the ref of who has the key."""

    ref: str
    name: str
    area_id: int
    capacity: int
    way: str
    keeper: str = ""
    lon: float | None = None
    lat: float | None = None


def digest_home(keys: KeyRing, home: Household) -> bytes:
    """A keyed digest of all that is said of a household: what is sealed cannot be compared, for it is sealed anew each time."""
    said = list(home._replace(needs=dict(home.needs)))
    return keys.blind("household", orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode())


async def save_households(tx: Tx, keys: KeyRing, given: Sequence[Household]) -> Saved:
    """Add or change households by ref, each ref once; one that was gone is back, and one that is as it was is left alone."""
    digests = {home.ref: digest_home(keys, home) for home in given}
    query = select(household.c.ref, household.c.digest).where(
        among(tx.conn, household.c.ref, list(digests)), household.c.gone_at.is_(None), household.c.digest.is_not(None)
    )
    same = {ref for ref, digest in await tx.conn.execute(query) if bytes(digest) == digests[ref]}
    given = [home for home in given if home.ref not in same]
    rows = [
        (
            home.ref,
            home.area_id,
            keys.seal(home.head),
            keys.seal(home.place),
            keys.seal(home.phone) if home.phone else None,
            home.people,
            dict(home.needs),
            home.weight,
            home.shelter or None,
            home.lon,
            home.lat,
            digests[home.ref],
        )
        for home in given
    ]
    return (await save_rows(tx, household, HOUSEHOLD, rows)).plus(Saved(0, 0, len(same)))


async def save_shelters(tx: Tx, given: Sequence[Shelter]) -> Saved:
    """Add or change shelters by ref, each ref once; one that was gone is back."""
    return await save_rows(tx, shelter, SHELTER, [(*one[:5], one.keeper or None, one.lon, one.lat) for one in given])


async def save_rows(tx: Tx, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Saved:
    """Insert the new and write over the known, by their first column, which is the ref."""
    query = select(table.c.ref, table.c.id).where(among(tx.conn, table.c.ref, [row[0] for row in rows]))
    known = {ref: number for ref, number in await tx.conn.execute(query)}
    fresh = [row for row in rows if row[0] not in known]
    every = (*columns, "updated_at")
    ids = await take_ids(tx.conn, table, len(fresh))
    await insert_rows(tx.conn, table, every, [packed(tx, (n, *row, tx.now)) for n, row in zip(ids, fresh, strict=True)])
    changed = [packed(tx, (known[row[0]], *row[1:], None, tx.now)) for row in rows if row[0] in known]
    names = ("key", *columns[2:], "gone_at", "updated_at")
    await run_many(tx.conn, table.update().where(table.c.id == bindparam("key")), names, changed)
    return Saved(len(fresh), len(changed), 0)


def packed(tx: Tx, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row as the driver takes it: objects as JSON text."""
    return tuple(orjson.dumps(value).decode() if isinstance(value, dict) else value for value in row)


async def shelter_refs(conn: AsyncConnection) -> dict[str, int]:
    """Ref → id of every shelter that is in use."""
    found = await conn.execute(select(shelter.c.ref, shelter.c.id).where(shelter.c.gone_at.is_(None)))
    return {row.ref: row.id for row in found}


async def count_households(conn: AsyncConnection) -> int:
    """How many households are kept."""
    return int(await conn.scalar(text("SELECT count(*) FROM household WHERE gone_at IS NULL")) or 0)
