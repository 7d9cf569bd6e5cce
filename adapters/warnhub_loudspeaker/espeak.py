"""espeak-ng (GPL-3.0): the voice of last resort, and only ever in a process of its own.

    python -m warnhub_loudspeaker.espeak < request > sound

The request is JSON, `{"pieces", "speed", "voice"}`; the answer is one line of JSON, `{"rate", "counts"}`, and then the 16-bit
samples of all pieces. The library is loaded by that child alone: nothing of it is in WarnHub's own process.
"""

import ctypes
import json
import subprocess
import sys
from typing import Any, BinaryIO

import numpy as np

from warnhub_loudspeaker.speech import sentences, spoken
from warnhub_loudspeaker.voice import Audio, Samples, VoiceError, VoiceSettings, joined, trimmed

WARNING = (
    "当前使用 espeak 合成语音，普通话清晰度差，请安装神经网络语音。"
    "The loudspeaker voice is espeak, which is hard to understand in Mandarin: install a neural voice."
)
WORDS_A_MINUTE = 160
AMPLITUDE = 70  # the default of 100 clips in Mandarin
RATE, VOLUME = 1, 2  # espeak_PARAMETER
SYNCHRONOUS, UTF8 = 2, 1
PAUSE = 0.4


class Espeak:
    """The parent's side: one child a text."""

    warning = WARNING

    def __init__(self, settings: VoiceSettings) -> None:
        self.voice = settings.voice or "cmn"
        self.speed = settings.speed
        self.name = f"espeak-ng/{self.voice}@{self.speed:g}"

    def speak(self, text: str) -> Audio:
        """Sentence by sentence, with a pause between."""
        request = json.dumps({"pieces": sentences(spoken(text)), "speed": self.speed, "voice": self.voice})
        child = [sys.executable, "-m", __name__]
        try:
            done = subprocess.run(child, input=request.encode(), capture_output=True, timeout=120, check=True)  # noqa: S603
        except (OSError, subprocess.SubprocessError) as error:
            raise VoiceError(f"espeak's process failed: {type(error).__name__}") from None
        head, _, sound = done.stdout.partition(b"\n")
        said = json.loads(head)
        samples: Samples = np.frombuffer(sound, np.int16).astype(np.float32) / np.float32(32_768)
        pieces = np.split(samples, np.cumsum(said["counts"])[:-1])
        return joined([trimmed(piece, said["rate"]) for piece in pieces], said["rate"], PAUSE)


class Library:
    """The C library, in the child. `sound` is what it said so far."""

    def __init__(self, voice: str, speed: float) -> None:
        import espeakng_loader

        self.library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        self.rate = int(self.library.espeak_Initialize(SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0))
        if self.rate <= 0 or self.library.espeak_SetVoiceByName(voice.encode()):
            raise SystemExit(f"espeak has no voice {voice!r}")
        self.sound = bytearray()
        # The library keeps a bare pointer to it, so it must live as long as this object.
        self.callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)(self.take)
        self.library.espeak_SetSynthCallback(self.callback)
        self.library.espeak_SetParameter(RATE, round(WORDS_A_MINUTE * speed), 0)
        self.library.espeak_SetParameter(VOLUME, AMPLITUDE, 0)

    def take(self, samples: Any, count: int, events: int | None) -> int:
        """What the library calls with each stretch of sound; 0 says go on."""
        if samples and count > 0:
            self.sound.extend(ctypes.string_at(samples, count * 2))
        return 0

    def say(self, text: str) -> int:
        """Say it; how many samples that took."""
        before, words = len(self.sound), text.encode()
        self.library.espeak_Synth(words, len(words) + 1, 0, 0, 0, UTF8, None, None)
        return (len(self.sound) - before) // 2


def main(request: BinaryIO, answer: BinaryIO) -> None:
    """The child: read one request, write one sound."""
    asked = json.load(request)
    library = Library(asked["voice"], asked["speed"])
    counts = [library.say(piece) for piece in asked["pieces"]]
    answer.write(json.dumps({"rate": library.rate, "counts": counts}).encode() + b"\n" + library.sound)


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
