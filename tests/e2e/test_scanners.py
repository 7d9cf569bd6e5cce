"""What follows links by itself – a scripted scanner, a browser without a head, a mail gateway – confirms nobody."""

import contextlib
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx
import pytest
from playwright.async_api import Error
from sqlalchemy import text
from stage import Hub, number_of
from window import PHONE, Opener

MOST = 60
AGENTS = (
    PHONE,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36",
    "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0)",
    "curl/8.5.0",
    "",
)


class Finder(HTMLParser):
    """Every address a page names, and every form with its fields as they stand."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[tuple[str, str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One element."""
        found = {name: value or "" for name, value in attrs}
        self.links += [found[name] for name in ("href", "src", "data", "poster") if found.get(name)]
        if tag == "form":
            self.forms.append((found.get("action", ""), found.get("method", "get"), {}))
        fill = found.get("type", "text") not in {"radio", "checkbox", "file"} or "checked" in found
        if tag in {"input", "textarea", "select"} and self.forms and found.get("name") and fill:
            self.forms[-1][2][found["name"]] = found.get("value", "")


async def told_links(hub: Hub, uid: str) -> list[str]:
    """The links of everybody who is asked and has not answered."""
    query = text(
        "SELECT d.wave_id, d.recipient_id FROM wave v JOIN delivery d ON d.wave_id = v.id "
        "JOIN task k ON k.recipient_id = d.recipient_id AND k.warning_id = v.warning_id AND k.state IN ('open', 'late') "
        f"WHERE v.warning_id = :w AND v.channel = 'sms' AND k.kind = 'confirm' ORDER BY d.recipient_id LIMIT {MOST}"
    )
    async with hub.store.read() as conn:
        rows = (await conn.execute(query, {"w": await number_of(hub, uid)})).all()
    assert len(rows) > 20
    return [f"/a/{hub.keys.link_token(row.wave_id, row.recipient_id)}" for row in rows]


async def answers(hub: Hub) -> tuple[int, int]:
    """(acknowledgements of people, tasks that are done)."""
    async with hub.store.read() as conn:
        acks = await conn.scalar(text("SELECT count(*) FROM ack WHERE human"))
        tasks = await conn.scalar(text("SELECT count(*) FROM task WHERE state IN ('done', 'covered')"))
    return int(acks or 0), int(tasks or 0)


@pytest.fixture
async def line(base: str) -> AsyncIterator[httpx.AsyncClient]:
    """A program's connection."""
    async with httpx.AsyncClient(base_url=base, follow_redirects=True, timeout=20) as client:
        yield client


@pytest.mark.parametrize("agent", AGENTS)
async def test_a_scripted_scanner(line: httpx.AsyncClient, hub: Hub, warnings: dict[str, str], agent: str) -> None:
    """Opens a page, follows what it names two deep, waits, and submits every form as it stands, by its method and by GET."""
    before = await answers(hub)
    (first, *_) = await told_links(hub, warnings["living"])
    seen: set[str] = set()
    todo = [first]
    for _ in range(2):
        found: list[str] = []
        for path in todo:
            if path in seen or path.startswith(("tel:", "mailto:", "data:")) or "/console" in path:
                continue
            seen.add(path)
            page = await line.get(path, headers={"user-agent": agent})
            finder = Finder()
            finder.feed(page.text)
            found += [urljoin(path, link) for link in finder.links]
            hub.hand.now += 30_000
            for action, method, fields in finder.forms:
                place = urljoin(path, action)
                await line.request(method, place, data=fields, headers={"user-agent": agent})
                await line.get(place, params=fields | {"choice": "received"}, headers={"user-agent": agent})
                await line.post(place, headers={"user-agent": agent})
        todo = found
    assert await answers(hub) == before


async def test_a_mail_gateway(line: httpx.AsyncClient, hub: Hub, warnings: dict[str, str]) -> None:
    """Follows every link of every message, before it is delivered and again when it is opened."""
    before = await answers(hub)
    for link in await told_links(hub, warnings["living"]):
        for method in ("HEAD", "GET", "OPTIONS", "GET"):
            answer = await line.request(method, link, headers={"user-agent": PHONE, "x-forwarded-for": "203.0.113.9"})
            assert answer.status_code in {200, 405}
    assert await answers(hub) == before


async def test_a_gateway_that_presses_buttons_for_many_is_doubted(
    line: httpx.AsyncClient, hub: Hub, warnings: dict[str, str]
) -> None:
    """One that even chooses is found out by answering for many; a person behind it answers again and counts."""
    links = await told_links(hub, warnings["living"])
    forms = {}
    for link in links:
        finder = Finder()
        finder.feed((await line.get(link, headers={"user-agent": PHONE})).text)
        forms[link] = next(fields for action, method, fields in finder.forms if method == "post")
    hub.hand.now += 5_000
    pages = {
        link: await line.post(link, data=forms[link] | {"choice": "received"}, headers={"user-agent": PHONE}) for link in links
    }
    doubted = [link for link, page in pages.items() if page.status_code == 400]
    assert len(doubted) == len(links) - 20
    assert all("再选一次" in pages[link].text for link in doubted)
    async with hub.store.read() as conn:
        machines = await conn.scalar(
            text("SELECT count(*) FROM ack WHERE evidence = 'machine' AND text = 'many' AND NOT human")
        )
    assert machines == len(doubted)
    again = re.search(r'name="nonce" value="([^"]*)"', pages[doubted[0]].text)
    assert again
    hub.hand.now += 3_000
    form = forms[doubted[0]] | {"choice": "received", "nonce": again[1]}
    assert (await line.post(doubted[0], data=form, headers={"user-agent": PHONE})).status_code == 200


PRESS = (
    "document.querySelectorAll('form').forEach(form => form.noValidate = true);"
    "document.querySelectorAll('{}').forEach(one => one.click())"
)
"""What a sandbox does: press all of these at once, whatever the page asks for first."""


@pytest.mark.browser
@pytest.mark.parametrize("agent", [None, PHONE])
async def test_a_browser_without_a_head(browse: Opener, hub: Hub, warnings: dict[str, str], agent: str | None) -> None:
    """Runs whatever scripts there are, presses every button and opens every link, by its own name and by a telephone's."""
    before = await answers(hub)
    (link, *_) = await told_links(hub, warnings["living"])
    for script in (PRESS.format("summary, button"), PRESS.format("a[href]"), "document.forms[0].submit()"):
        page = await browse(1280, **({"user_agent": agent} if agent else {}))
        page.set_default_timeout(4_000)
        await page.goto(link)
        hub.hand.now += 20_000
        with contextlib.suppress(Error):
            async with page.expect_navigation():
                await page.evaluate(script)
    assert await answers(hub) == before
