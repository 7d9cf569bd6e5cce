"""The county's own voice on a call: made once, lent by an address that names nobody, and done without where there is none."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from town import County

from warnhub.channels import Provider
from warnhub.config import County as Office
from warnhub.config import Settings, load_settings
from warnhub.crypto import make_key
from warnhub.dispatch.handover import Item
from warnhub.dispatch.packing import Packer
from warnhub.dispatch.voicing import GOOD, Voicing
from warnhub.dispatch.wordbook import Wordbook
from warnhub.port import ChannelSettings, Outgoing, Plays, Receipt, Speaks
from warnhub.store.batches import COLUMNS, Batch, read_lines
from warnhub.store.warnings import Warning


@dataclass
class Mouth:
    """A loudspeaker's voice: keeps what it was asked to say; `path` None is a voice that fails."""

    path: Path | None
    wait: float = 0.0
    Settings: ClassVar[type[ChannelSettings]] = ChannelSettings

    def __post_init__(self) -> None:
        self.said: list[str] = []

    async def send(self, message: Outgoing) -> Receipt:
        """Nothing is sent here."""
        raise AssertionError

    async def speech(self, text: str) -> Path | None:
        """The recording."""
        self.said.append(text)
        await asyncio.sleep(self.wait)
        return self.path


@dataclass
class Telephone:
    """A channel that can play."""

    plays: bool = True
    Settings: ClassVar[type[ChannelSettings]] = ChannelSettings

    async def send(self, message: Outgoing) -> Receipt:
        """Taken."""
        return Receipt("CA1")


@dataclass
class Studio:
    """What these tests work with."""

    county: County
    settings: Settings
    packer: Packer
    voicing: Voicing
    mouth: Mouth
    telephone: Provider
    batch: Batch

    async def lend(self) -> list[Item]:
        """The messages of the batch, as they would be sent."""
        story = await self.voicing.wordbook.story(self.batch.warning)
        async with self.county.store.read() as conn:
            lines = await read_lines(conn, self.batch.id)
        items, _ = self.packer.items(story, self.batch, lines)
        return list(await self.voicing.lend(self.telephone, self.batch, items))

    async def find(self, url: str) -> Path | None:
        """What an address leads to."""
        parts = url.removeprefix(f"{self.settings.public_url}/speech/").removesuffix(".wav").split("/")
        return await self.voicing.find(*parts)


@pytest.fixture
async def warning(county: County) -> Warning:
    """A red warning, planned."""
    return await county.plan(await county.warn())


@pytest.fixture
async def studio(county: County, warning: Warning, tmp_path: Path) -> Studio:
    """A voice, a telephone, and a batch of two gridworkers."""
    recording = tmp_path / "clip.wav"
    recording.write_bytes(b"RIFF....WAVE")
    mouth = Mouth(recording)
    telephone = Provider("sms.aliyun", "sms", Telephone(), ChannelSettings())  # type: ignore[arg-type]
    providers = {
        "loudspeaker.own": Provider("loudspeaker.own", "loudspeaker", mouth, ChannelSettings()),
        "sms.aliyun": telephone,
    }
    settings = load_settings(secret_key=make_key(), public_url="https://warn.yunling.example/w")
    book = Wordbook(county.store, county.policies, Office())
    (row,) = await county.rows(
        f"SELECT {COLUMNS} FROM batch WHERE provider = 'sms.aliyun' AND role = 'gridworker' ORDER BY id LIMIT 1"
    )
    voicing = Voicing(settings, county.keys, book, providers, county.store)
    return Studio(county, settings, Packer(settings, county.keys, book, providers), voicing, mouth, telephone, Batch(*row))


def test_abilities() -> None:
    assert isinstance(Telephone(), Plays)
    assert isinstance(Mouth(None), Speaks)
    assert not isinstance(Mouth(None), Plays)


async def test_one_recording_is_lent_to_everybody_who_hears_the_same_words(studio: Studio) -> None:
    items = await studio.lend()
    assert len(items) == 2
    (url,) = {item.message.audio for item in items}
    assert url.startswith("https://warn.yunling.example/w/speech/")
    assert url.endswith(".wav")
    assert studio.mouth.said == [items[0].message.words.text]
    assert await studio.find(url) == studio.mouth.path
    assert studio.mouth.said[0] == studio.mouth.said[1], "another process says the same words"


async def test_no_number_and_no_secret_is_in_the_address(studio: Studio) -> None:
    """Not a digit run of anybody's number, no link and no reference of anybody's, and not the key."""
    items = await studio.lend()
    url = items[0].message.audio
    for item in items:
        number = item.message.address.lstrip("+")
        assert all(number[start : start + 6] not in url for start in range(len(number) - 5))
        assert item.message.link.rpartition("/")[2] not in url
        assert item.message.reference not in url
    assert studio.settings.secret_key.get_secret_value() not in url
    assert len(url) < 140


async def test_an_address_is_good_for_a_while_and_for_what_it_names(studio: Studio) -> None:
    url = (await studio.lend())[0].message.audio
    wave, role, language, ticket = url.rpartition("/speech/")[2].removesuffix(".wav").split("/")
    find = studio.voicing.find
    assert await find(wave, role, language, ticket) is not None
    for strange in (
        (wave, "resident", language, ticket),
        (wave + "1", role, language, ticket),
        ("../x", role, language, ticket),
        ("é", role, language, ticket),
        (wave, role, "zh-TW", ticket),
        (wave, role, language, ticket[:-1] + ("A" if ticket[-1] != "A" else "B")),
        (wave, role, language, "ffffffffff." + ticket.partition(".")[2]),
    ):
        assert await find(*strange) is None, strange
    studio.county.hand.pass_by(GOOD * 1000 + 1000)
    assert await find(wave, role, language, ticket) is None


@pytest.mark.parametrize("without", ["voice", "time", "wish", "language"])
async def test_without_a_recording_the_text_is_said(studio: Studio, without: str) -> None:
    adapter: Any = studio.telephone.adapter
    if without == "voice":
        studio.mouth.path = None
    elif without == "time":
        studio.mouth.wait, studio.voicing.patience = 5, 0.05
    elif without == "wish":
        adapter.plays = False
    else:
        await studio.county.run("UPDATE recipient SET language = 'en'")
    assert {item.message.audio for item in await studio.lend()} == {""}
