"""What follows when a warning has its audience: the doors."""

from dataclasses import dataclass
from typing import Any

from warnhub.response.action import Action
from warnhub.store.engine import Store
from warnhub.store.warnings import read_warning


@dataclass(slots=True)
class Responder:
    """Hears of warnings and sets people to work."""

    store: Store
    action: Action

    async def planned(self, key: str, data: dict[str, Any]) -> None:
        """A warning has its audience; told again, nothing is done twice."""
        async with self.store.write() as tx:
            warning = await read_warning(tx.conn, int(key))
            if warning is not None:
                await self.action.open(tx, warning)
