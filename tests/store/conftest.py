"""A migrated store and the keys of one installation."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from warnhub.crypto import KeyRing, make_key
from warnhub.store.engine import Store
from warnhub.store.migrate import upgrade_store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store at the newest schema."""
    made = Store(f"sqlite:///{tmp_path / 'warnhub.sqlite3'}")
    await upgrade_store(made)
    yield made
    await made.close()


@pytest.fixture
def keys() -> KeyRing:
    """The keys of an installation of its own."""
    return KeyRing(make_key())
