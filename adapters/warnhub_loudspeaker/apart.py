"""A neural voice in a process of its own: 300 MB and two busy cores must not weigh on the process that sends.

    python -m warnhub_loudspeaker.apart < texts > sounds

The first line of standard input is the settings as JSON, each further line a text as JSON; each answer is one line of JSON,
`{"rate", "count"}` or `{"error"}`, and then `count` 16-bit samples. The child ends with its input, and runs below the
priority of its parent; the parent ends it when it has been silent for `IDLE` seconds, which gives the memory back.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from typing import BinaryIO

import numpy as np

from warnhub_loudspeaker.voice import Audio, Voice, VoiceError, VoiceSettings, engine_of, load_voice

IDLE = 10.0
NICE = 5


class Apart:
    """The parent's side. One text at a time; a child that breaks is replaced for the next."""

    def __init__(self, settings: VoiceSettings, name: str, warning: str) -> None:
        self.settings = settings
        self.name = name
        self.warning = warning
        self.lock = threading.Lock()
        self.child: subprocess.Popen[bytes] | None = None
        self.timer: threading.Timer | None = None

    def speak(self, text: str) -> Audio:
        """As the voice itself would."""
        with self.lock:
            if self.timer:
                self.timer.cancel()
            try:
                return self.ask(text)
            finally:
                self.timer = threading.Timer(IDLE, self.rest)
                self.timer.daemon = True
                self.timer.start()

    def ask(self, text: str) -> Audio:
        """One question and its answer."""
        child = self.running()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps(text).encode() + b"\n")
            child.stdin.flush()
            said = json.loads(child.stdout.readline())
            sound = child.stdout.read(2 * said.get("count", 0))
        except (OSError, ValueError) as error:
            self.end()
            raise VoiceError(f"the voice's process failed: {type(error).__name__}") from None
        if "error" in said:
            raise VoiceError(said["error"])
        return Audio(np.frombuffer(sound, np.int16), said["rate"])

    def running(self) -> "subprocess.Popen[bytes]":
        """The child, begun if there is none."""
        if self.child is not None and self.child.poll() is not None:
            self.end()
        if self.child is None:
            command = [sys.executable, "-m", __name__]
            self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
            assert self.child.stdin is not None
            self.child.stdin.write(self.settings.model_dump_json().encode() + b"\n")
        return self.child

    def rest(self) -> None:
        """Nobody has spoken for a while."""
        with self.lock:
            self.end()

    def end(self) -> None:
        """End the child."""
        child, self.child = self.child, None
        if child is None:
            return
        for pipe in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()
        child.kill()
        child.wait()

    def __del__(self) -> None:
        """With its owner."""
        if self.timer:
            self.timer.cancel()
        self.end()


def answer(voice: Voice, text: str, out: BinaryIO) -> None:
    """Say one text."""
    try:
        audio = voice.speak(text)
    except VoiceError as error:
        out.write(json.dumps({"error": str(error)}).encode() + b"\n")
    else:
        out.write(json.dumps({"rate": audio.rate, "count": len(audio.samples)}).encode() + b"\n" + audio.samples.tobytes())
    out.flush()


def main(asked: BinaryIO, out: BinaryIO) -> None:
    """The child."""
    os.nice(NICE)
    settings = VoiceSettings.model_validate_json(asked.readline())
    voice = load_voice(settings, engine_of(settings))
    for line in asked:
        answer(voice, json.loads(line), out)


if __name__ == "__main__":
    # Libraries that print must not speak into the sound.
    sound = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    main(sys.stdin.buffer, sound)
