"""How the cancels of the corpus's alphagov part end at a real application, beside the answers of the system they were made for.

Their system (GOV.UK Emergency Alerts) gives an error where a cancel names nothing, nobody's, or several; here such a cancel is
kept: parked until what it names comes, held for a person, or applied to all it names (docs/decisions/0031-life.md).
"""

import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx
import shapely
from sqlalchemy import text

from warnhub.app import create_app
from warnhub.config import load_settings
from warnhub.crypto import make_key
from warnhub.hub import Hub, make_hub
from warnhub.store.agencies import add_agency
from warnhub.store.areas import Place, save_places
from warnhub.store.engine import Store
from warnhub.store.migrate import upgrade_store

THEN = int(datetime(2020, 2, 16, 23, 3, tzinfo=UTC).timestamp() * 1_000)
TOWNS = {"990123100": (0.2, 53.0, 0.3, 53.2), "990123101": (-3.1, 54.2, -2.8, 54.5)}  # Wainfleet, Windermere
SLOT = re.compile(r">\s*\{\}\s*<")


class Case(NamedTuple):
    """What is posted after what, their status, our status, and what our ledger must then say of (the alert, the cancel)."""

    name: str
    before: tuple[str, ...]
    live: bool
    cancel: str
    theirs: int
    ours: int
    ends: tuple[str, ...]
    why: str = ""


CASES = (
    Case("of one that waits", ("wainfleet",), False, "wainfleet_cancel_with_references", 201, 201, ("cancelled",)),
    Case("of one that lives", ("wainfleet",), True, "wainfleet_cancel_with_references", 201, 201, ("cancelled", "pending")),
    Case(
        "that names nothing", ("wainfleet",), True, "wainfleet_cancel", 400, 201, ("cancelled", "pending"), "matched by place"
    ),
    Case("that names what never came", (), False, "wainfleet_cancel_with_references", 404, 201, ("held",), "parked"),
    Case(
        "that names two",
        ("wainfleet", "windemere"),
        True,
        "wainfleet_cancel_with_windmere_references",
        400,
        201,
        ("cancelled", "cancelled", "pending"),
        "ends all it names",
    ),
)


class Ended(NamedTuple):
    """A case with what came of it."""

    case: Case
    status: int
    found: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether it ended as it must here."""
        return (self.status, self.found) == (self.case.ours, self.case.ends)


@asynccontextmanager
async def open_desk(folder: Path) -> AsyncIterator[tuple[Hub, httpx.AsyncClient]]:
    """A desk with two English towns and one agency without the green channel, in February 2020."""
    url = f"sqlite:///{folder / 'desk.sqlite3'}"
    store = Store(url, lambda: THEN)
    await upgrade_store(store)
    async with store.write() as tx:
        await save_places(tx, [Place("990123", "county")])
        await save_places(tx, [Place(code, code, shapely.to_wkb(shapely.box(*box))) for code, box in TOWNS.items()])
        key = await add_agency(tx, "corpus", id="environment", name="Environment Agency")
    await store.close()
    settings = load_settings(secret_key=make_key(), database_url=url)
    hub = await make_hub(settings, clock=lambda: THEN)
    app = create_app(settings, hub=hub)
    app.state.hub = hub
    given = {"authorization": f"Bearer {key}", "content-type": "application/cap+xml"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk.test", headers=given) as http:
        yield hub, http
    await hub.close()


async def run_case(corpus: Path, case: Case) -> Ended:
    """One case on a desk of its own."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_desk(Path(folder)) as (hub, http):
            for name in case.before:
                answer = await http.post("/v1/alerts", content=read(corpus, name))
                assert answer.status_code == 201, answer.text
                if case.live:
                    for officer in ("user:a", "user:b"):
                        if answer.json()["warning"] in await waiting(hub):
                            await hub.desk.release(answer.json()["warning"], officer)
            answer = await http.post("/v1/alerts", content=read(corpus, case.cancel))
            async with hub.store.read() as conn:
                query = "SELECT w.state, a.state AS kept FROM warning w JOIN alert a ON a.id = w.alert_id ORDER BY w.id"
                rows = (await conn.execute(text(query))).all()
    found = tuple("held" if row.state == "pending" and row.kept == "held" else row.state for row in rows)
    return Ended(case, answer.status_code, found)


async def waiting(hub: Hub) -> set[str]:
    """The warnings that wait for a release."""
    async with hub.store.read() as conn:
        return {row[0] for row in await conn.execute(text("SELECT uid FROM warning WHERE state = 'pending'"))}


def read(corpus: Path, name: str) -> bytes:
    """One of the documents; an empty slot of a template stays empty."""
    body = (corpus / "alphagov" / f"{name}.xml").read_text("utf-8")
    return SLOT.sub("><", body).strip().encode()


async def run_cases(corpus: Path) -> list[Ended]:
    """All of them."""
    return [await run_case(corpus, case) for case in CASES]
