"""Recordings of what the loudspeakers say: each text once, at one loudness, in a directory that the core serves.

A recording is a WAV file of 16-bit mono samples named by the digest of its words, voice, rate and form, so a text that was said
before costs nothing and a changed voice never meets an old file. Two askers, in one process or in several, make it once.
"""

import asyncio
import fcntl
import hashlib
import os
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from warnhub_loudspeaker.loudness import chime, levelled, resampled
from warnhub_loudspeaker.speech import spoken
from warnhub_loudspeaker.voice import Audio, Voice, VoiceError

FORM = "wav-s16-mono-1"
SILENCE = 0.2  # seconds at both ends: amplifiers wake up, and nothing is cut off
AFTER_CHIME = 0.4


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording: where it is, the digest of its bytes (hex SHA-256), how long it lasts, how many bytes it has."""

    path: Path
    sha256: str
    seconds: float
    size: int

    @property
    def name(self) -> str:
        """The file's name, and the last part of its URL."""
        return self.path.name


class Studio:
    """Makes recordings with one voice. `rate` is in hertz; `chimes` puts two tones before the words."""

    def __init__(self, voice: Voice, directory: Path, rate: Literal[16_000, 24_000] = 16_000, chimes: bool = True) -> None:
        self.voice = voice
        self.directory = directory
        self.rate = rate
        self.chimes = chimes
        self.making: dict[str, asyncio.Task[Clip]] = {}
        self.known: dict[str, Clip] = {}

    def path(self, text: str) -> Path:
        """Where the recording of `text` is, made or not."""
        told = "\n".join((FORM, str(self.rate), str(self.chimes), self.voice.name, spoken(text)))
        return self.directory / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.wav"

    async def clip(self, text: str) -> Clip:
        """The recording of `text`, made if there is none. Raises `VoiceError`, or OSError of the directory."""
        path = self.path(text)
        known = self.known.get(path.name)
        if known and path.exists():
            return known
        task = self.making.get(path.name)
        if task is None:
            task = self.making[path.name] = asyncio.create_task(asyncio.to_thread(self.record, text, path))
            task.add_done_callback(lambda _: self.making.pop(path.name))
        # One asker that gives up must not take the recording from the others.
        self.known[path.name] = made = await asyncio.shield(task)
        return made

    def record(self, text: str, path: Path) -> Clip:
        """Read the recording, or make it while other processes wait for it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if (found := opened(path)) is None:
                write(path, self.finished(self.voice.speak(text)))
                found = opened(path)
        path.with_suffix(".lock").unlink(missing_ok=True)
        if found is None:
            raise VoiceError(f"{path.name} cannot be read back")
        return found

    def finished(self, said: Audio) -> Audio:
        """Levelled, at this studio's rate, with its chime and with silence around."""
        speech = said.samples.astype(np.float32) / np.float32(32_768)
        words = levelled(resampled(speech, said.rate, self.rate), self.rate)
        quiet = np.zeros(round(SILENCE * self.rate), np.float32)
        parts = [quiet, words, quiet]
        if self.chimes:
            pause = np.zeros(round(AFTER_CHIME * self.rate), np.float32)
            parts = [quiet, levelled(chime(self.rate), self.rate), pause, words, quiet]
        return Audio(np.round(np.concatenate(parts) * 32_767).astype(np.int16), self.rate)


def opened(path: Path) -> Clip | None:
    """The recording at `path`; None if there is none, or if it is not whole."""
    try:
        with wave.open(str(path)) as file:
            seconds, whole = file.getnframes() / file.getframerate(), file.getnframes() * file.getsampwidth()
        content = path.read_bytes()
    except (OSError, EOFError, wave.Error, ZeroDivisionError):
        return None
    if not whole or len(content) < whole:
        return None
    return Clip(path, hashlib.sha256(content).hexdigest(), seconds, len(content))


def write(path: Path, sound: Audio) -> None:
    """Write it so that nobody ever reads half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as raw, wave.open(raw, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(sound.rate)
            file.writeframes(sound.samples.tobytes())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
