"""People with telephones: some open the link they were sent, look at the page, choose, and press the button."""

import asyncio
import html
import random
import re
from collections import Counter
from typing import Any

import httpx

from warnhub.client import make_client, make_transport

LINK = re.compile(r"https?://[^\s\"'<>]+/a/[A-Za-z0-9_-]+")
FIELD = re.compile(r"<input[^>]*>")
ATTRIBUTE = re.compile(r"(\w+)=\"([^\"]*)\"")
AGENT = "Mozilla/5.0 (Linux; Android 14; V{}A) AppleWebKit/537.36 MicroMessenger/8.0"
"""Everybody has a telephone of their own."""

CHOICES = ("received", "received", "received", "received", "moved", "help")


class Townsfolk:
    """Answers `share` of the links they hear of, each `slow` seconds later on average, reading for at least `read` seconds."""

    def __init__(self, share: float = 0.7, slow: float = 8.0, read: float = 3.0, seed: int = 1) -> None:
        self.share = share
        self.slow = slow
        self.read = read
        self.random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.seen: set[str] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.http = make_client(make_transport(), 10)

    def hear(self, what: dict[str, Any]) -> None:
        """A carrier took a message; if it has a link, its owner may answer."""
        for link in LINK.findall(str(what)):
            if link in self.seen:
                continue
            self.seen.add(link)
            self.counts["links"] += 1
            if self.random.random() < self.share:
                task = asyncio.create_task(self.answer(link))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)

    async def answer(self, link: str) -> None:
        """Open, read, choose, press."""
        await asyncio.sleep(self.random.expovariate(1 / self.slow))
        try:
            phone = {"user-agent": AGENT.format(self.random.randrange(1_000, 9_999))}
            page = await self.http.get(link, headers=phone)
            await asyncio.sleep(self.read + self.random.random())
            fields = hidden_fields(page.text)
            if page.status_code != 200 or not fields:
                self.counts["no form"] += 1
                return
            answer = await self.http.post(link, data=fields | {"choice": self.random.choice(CHOICES)}, headers=phone)
            self.counts["confirmed" if answer.is_success else f"refused {answer.status_code}"] += 1
        except httpx.HTTPError:
            self.counts["no line"] += 1

    async def close(self) -> None:
        """Everybody puts the telephone away."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.http.aclose()


def hidden_fields(page: str) -> dict[str, str]:
    """What a browser would send of itself: the page's hidden fields."""
    found = [dict(ATTRIBUTE.findall(tag)) for tag in FIELD.findall(page)]
    return {tag["name"]: html.unescape(tag.get("value", "")) for tag in found if tag.get("type") == "hidden" and "name" in tag}
