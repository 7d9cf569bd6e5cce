"""One person's page: every attempt with the provider's own words, however the reports came, and no full number anywhere."""

import re
from datetime import UTC, datetime

import httpx
from sqlalchemy import text
from stage import Hub, find_person, number_of
from test_doors import enter

from warnhub.crypto import make_reference
from warnhub.feedback.receipts import Receipts
from warnhub.port import Reason, Report, State
from warnhub.store.answers import list_messages
from warnhub.store.reports import first_since, list_reports


async def test_reports_are_found_and_shown_without_a_number(base: str, hub: Hub, warnings: dict[str, str]) -> None:
    uid = warnings["living"]
    person, number = int(await find_person(hub, uid)), await number_of(hub, uid)
    async with hub.store.read() as conn:
        message = next(one for one in await list_messages(conn, number, person) if one["handed_at"])
    receipts, name = Receipts(hub.store, hub.keys), make_reference(message["wave"], person)
    hub.hand.now = message["handed_at"] + 500
    said = datetime.fromtimestamp(hub.hand.now / 1000, UTC)
    strangers = [
        Report(key=f"other-{n}", reference=make_reference(message["wave"], person + n), state=State.DELIVERED) for n in (1, 2)
    ]
    own = Report(
        key="receipt-1",
        reference=name,
        state=State.FAILED,
        reason=Reason.RECIPIENT,
        code="MK:0013",
        detail="13800138000 does not answer",
        at=said,
    )
    await receipts.take(message["provider"], [strangers[0], own, own, strangers[1]])
    async with hub.store.read() as conn:
        found, whole = await list_reports(conn, message, person)
        assert await first_since(conn, hub.hand.now + 10**9) == int(await conn.scalar(text("SELECT max(id) + 1 FROM receipt")))
    assert ([one.key for one in found], whole) == (["receipt-1"], True), "its own, once, and nobody else's"
    async with httpx.AsyncClient(base_url=base) as client:
        await enter(client, "qian")
        page = await client.get(f"/console/warnings/{uid}/people/{person}?lang=en")
    assert name in page.text
    assert "MK:0013" in page.text
    assert "does not answer" in page.text
    assert not re.search(r"(?<!\d)1[3-9]\d{9}(?!\d)", page.text)
    assert "/a/…" in page.text or "SMS" not in page.text


async def test_points_stand_on_the_map(base: str, warnings: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=base) as client:
        await enter(client, "qian")
        page = await client.get(f"/console/warnings/{warnings['living']}?lang=en")
        spots = re.findall(r'href="(/console/points/[^"]+)" class="spot', page.text)
        assert spots
        assert (await client.get(spots[0])).status_code == 200
