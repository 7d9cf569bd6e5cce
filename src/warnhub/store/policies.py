"""Policies by version: never changed, only followed by another. Warnings keep the version they were made under."""

from sqlalchemy import insert, text

from warnhub.plan.loading import default_text, read_policy
from warnhub.plan.policy import Policy
from warnhub.store import tables
from warnhub.store.audits import add_audit
from warnhub.store.engine import Store, Tx, new_id
from warnhub.store.versions import load_versions


async def load_policies(store: Store) -> dict[int, Policy]:
    """Every version; the first is the default that ships, kept when the database is new."""
    return await load_versions(store, tables.policy, read_policy, add_policy, default_text)


async def add_policy(tx: Tx, written: str, author: str, note: str) -> int:
    """A new version. Raises `PolicyError` if the text is not a policy."""
    read_policy(written)
    result = await tx.conn.execute(insert(tables.policy).values(text=written, author=author, note=note, at=tx.now))
    version = new_id(result)
    before = await tx.conn.scalar(text("SELECT max(version) FROM policy WHERE version < :v"), {"v": version})
    await add_audit(tx, author, "policy.add", str(version), {"note": note, "before": before, "after": version})
    return version


async def newest_policy(store: Store) -> tuple[int, str]:
    """(version, text) of the policy in force."""
    async with store.read() as conn:
        row = (await conn.execute(text("SELECT version, text FROM policy ORDER BY version DESC LIMIT 1"))).one()
    return int(row.version), str(row.text)
