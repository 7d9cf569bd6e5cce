"""The county's own voice on a call: a recording is made once for each text, and lent by an address that is good for a while.

The address names a wave, a role and a language, and is signed; it holds no number of anybody's and no key. Whichever process is
asked for it says the same words again, so that no files need be shared.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import structlog
from sqlalchemy import text

from warnhub.channels import Provider
from warnhub.config import Settings
from warnhub.crypto import KeyRing, base36
from warnhub.dispatch.handover import Item
from warnhub.dispatch.wordbook import Wordbook
from warnhub.port import Plays, Speaks
from warnhub.store.batches import Batch
from warnhub.store.engine import Store

PATIENCE = 15.0
"""Seconds that calls wait for a recording; without one the provider's voice says the text."""

GOOD = 2 * 3_600
"""Seconds for which an address is good: longer than a call waits for a line."""

log = structlog.get_logger(__name__)


class Voicing:
    """Makes recordings of what is said on calls, and finds them again."""

    def __init__(
        self, settings: Settings, keys: KeyRing, wordbook: Wordbook, providers: Mapping[str, Provider], store: Store
    ) -> None:
        self.settings = settings
        self.keys = keys
        self.wordbook = wordbook
        self.providers = providers
        self.store = store
        self.patience = PATIENCE

    async def lend(self, provider: Provider, batch: Batch, items: Sequence[Item]) -> Sequence[Item]:
        """The messages with the address of their recording, where the provider plays one and there is a voice for it."""
        adapter: object = provider.adapter
        if not isinstance(adapter, Plays) or not adapter.plays:
            return items
        found = {item.message.words.language: item.message.words.text for item in items}
        urls = {language: await self.address(batch, language, said) for language, said in found.items()}
        return [item._replace(message=replace(item.message, audio=urls[item.message.words.language])) for item in items]

    async def address(self, batch: Batch, language: str, said: str) -> str:
        """Where the recording can be fetched; "" where there is none in time."""
        try:
            async with asyncio.timeout(self.patience):
                path = await self.record(said, language)
        except TimeoutError:
            log.warning("voicing.too_slow", wave=batch.wave, seconds=self.patience)
            path = None
        if path is None:
            return ""
        async with self.store.read() as conn:
            until = await self.store.now(conn) // 1_000 + GOOD
        ticket = self.keys.make_pass(pass_name(batch.wave, batch.role, language), until)
        return f"{self.settings.public_url}/speech/{base36(batch.wave)}/{batch.role}/{language}/{ticket}.wav"

    async def record(self, said: str, language: str) -> Path | None:
        """The recording, made if there is none; None where nobody here can speak this language."""
        if not language.lower().startswith("zh"):
            return None
        for provider in self.providers.values():
            adapter: object = provider.adapter
            if isinstance(adapter, Speaks) and (path := await adapter.speech(said)) is not None:
                return path
        return None

    async def find(self, wave: str, role: str, language: str, ticket: str) -> Path | None:
        """The recording that an address of ours names; None for any other address, and for one whose time is over."""
        if not wave.isascii() or not wave.isalnum() or len(wave) > 12:
            return None
        number = int(wave, 36)
        async with self.store.read() as conn:
            now = await self.store.now(conn)
            if not self.keys.check_pass(pass_name(number, role, language), ticket, now // 1_000):
                return None
            query = text("SELECT warning_id, channel FROM wave WHERE id = :v")
            row = (await conn.execute(query, {"v": number})).first()
        if row is None:
            return None
        story = await self.wordbook.story(row.warning_id)
        cause = await self.wordbook.recall(story, number)
        return await self.record(
            self.wordbook.words(story, row.channel, role, language, cause.round, cause.task).text, language
        )


def pass_name(wave: int, role: str, language: str) -> str:
    """What a ticket is for."""
    return f"speech:{wave}:{role}:{language}"
