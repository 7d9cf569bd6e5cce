"""Listening at the desk to what villages hear: who may, in parts as players ask for it, as long and loud as it should be."""

import io
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from stage import Hub, number_of
from test_doors import enter

from warnhub.channels import Provider
from warnhub_loudspeaker.loudness import CEILING, TARGET, loudness
from warnhub_loudspeaker.mqtt import Mqtt
from warnhub_loudspeaker.settings import MqttSettings
from warnhub_loudspeaker.voice import VoiceSettings

Client = httpx.AsyncClient


@pytest.fixture
async def client(hub: Hub, base: str, tmp_path: Path) -> AsyncIterator[Client]:
    """A desk whose loudspeakers have a real voice: the quickest to load."""
    voice = VoiceSettings(engine="espeak")
    settings = MqttSettings(audio_dir=tmp_path / "audio", audio_url="http://127.0.0.1:9/audio", voice=voice)
    async with Client() as http:
        hub.providers["loudspeaker.mqtt"] = Provider("loudspeaker.mqtt", "loudspeaker", Mqtt(settings, http), settings)
        async with Client(base_url=base, timeout=60) as made:
            yield made


async def test_only_who_sees_the_desk_may_listen(client: Client, warnings: dict[str, str]) -> None:
    path = f"/console/warnings/{warnings['living']}/speech"
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/console/login")
    for name in ("rain", "town"):
        client.cookies.clear()
        await enter(client, name)
        assert (await client.get(path)).status_code == 403
    client.cookies.clear()
    await enter(client, "qian")
    assert (await client.get(path)).status_code == 200
    assert (await client.get("/console/warnings/wa_nothing/speech")).status_code == 404


async def test_it_is_a_recording_of_the_words_as_long_and_as_loud_as_it_should_be(
    client: Client, hub: Hub, warnings: dict[str, str]
) -> None:
    await enter(client)
    answer = await client.get(f"/console/warnings/{warnings['living']}/speech")
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert int(answer.headers["content-length"]) == len(answer.content)
    with wave.open(io.BytesIO(answer.content)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        rate, frames = file.getframerate(), file.getnframes()
        samples = np.frombuffer(file.readframes(frames), np.int16).astype(np.float32) / np.float32(32_768)
    number = await number_of(hub, warnings["living"])
    words = hub.wordbook.words(await hub.wordbook.story(number), "loudspeaker", "speaker", "zh-CN").text
    seconds = frames / rate
    assert len(words) > 40
    assert 0.1 * len(words) < seconds < 0.8 * len(words), "two to ten syllables a second"
    assert loudness(samples, rate) == pytest.approx(TARGET, abs=2.5)
    assert 0.3 < float(np.abs(samples).max()) <= CEILING + 1e-3
    loud = np.abs(samples) > 0.01
    assert loud.mean() > 0.2, "it speaks, and is not a chime with silence behind it"
    thirds = np.array_split(loud, 3)
    assert all(part.mean() > 0.05 for part in thirds), "it speaks to its end"


async def test_a_player_gets_the_part_it_asks_for(client: Client, warnings: dict[str, str]) -> None:
    await enter(client)
    path = f"/console/warnings/{warnings['living']}/speech"
    whole = (await client.get(path)).content
    size = len(whole)
    for asked, first, last in (("0-99", 0, 99), (f"{size - 10}-", size - 10, size - 1), ("-5", size - 5, size - 1)):
        part = await client.get(path, headers={"range": f"bytes={asked}"})
        assert (part.status_code, part.headers["content-range"]) == (206, f"bytes {first}-{last}/{size}")
        assert part.content == whole[first : last + 1]
    beyond = await client.get(path, headers={"range": f"bytes={size + 1}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
