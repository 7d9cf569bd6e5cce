"""The application over a small county, called without a socket, its engine at rest."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import text
from town import COUNTY, Hand, build_county

from warnhub.alert import Level
from warnhub.app import create_app
from warnhub.config import load_settings
from warnhub.crypto import KeyRing, make_key
from warnhub.hub import Hub, make_hub
from warnhub.store.agencies import add_agency
from warnhub.store.engine import Store
from warnhub.store.users import add_user, make_token


@dataclass(slots=True)
class Door:
    """`http` calls the application; `keys` are agencies' keys, `token` an officer's."""

    hub: Hub
    app: FastAPI
    http: httpx.AsyncClient
    hand: Hand
    keys: dict[str, str] = field(repr=False)
    token: str = field(repr=False)

    def key(self, agency: str) -> dict[str, str]:
        """The header of an agency."""
        return {"authorization": f"Bearer {self.keys[agency]}"}

    @property
    def officer(self) -> dict[str, str]:
        """The header of an officer."""
        return {"authorization": f"Bearer {self.token}"}

    async def rows(self, statement: str, **bind: Any) -> list[Any]:
        """What a question finds."""
        async with self.hub.store.read() as conn:
            return list((await conn.execute(text(statement), bind)).all())


@asynccontextmanager
async def open_door(url: str, hand: Hand, **given: Any) -> AsyncIterator[Door]:
    """A county in the database at `url` with two agencies; `given` are settings."""
    secret = make_key()
    store = Store(url, hand)
    await build_county(store, hand, KeyRing(secret))
    async with store.write() as tx:
        keys = {
            id: await add_agency(tx, "test", id=id, name=name, areas=[COUNTY], release=Level.BLUE)
            for id, name in (("rain", "云岭县气象局"), ("water", "云岭县水利局"))
        }
        await add_user(tx, "test", name="zhang", password="a long enough one", role="duty")
        token = str(await make_token(tx, "test", "zhang"))
    await store.close()
    settings = load_settings(database_url=url, secret_key=secret, public_url="https://warn.example", **given)
    hub = await make_hub(settings, clock=hand)
    app = create_app(settings, hub=hub)
    app.state.hub = hub
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://warn.example") as http:
            yield Door(hub, app, http, hand, keys, token)
    finally:
        await hub.close()
