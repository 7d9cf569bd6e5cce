"""sherpa-onnx (Apache-2.0) with a model that the operator unpacked: VITS, Matcha or Kokoro, as published for it.

https://k2-fsa.github.io/sherpa/onnx/tts/pretrained_models/index.html
"""

import threading
from pathlib import Path
from typing import Any

import numpy as np

from warnhub_loudspeaker.speech import sentences, spoken
from warnhub_loudspeaker.voice import Audio, Samples, VoiceError, VoiceSettings, joined, trimmed

PAUSE = 0.4


def described(folder: Path) -> tuple[str, dict[str, str]]:
    """Which family the model in `folder` is of (vits, matcha, kokoro), and its files by sherpa's own names.

    Raises `VoiceError` that names what is missing.
    """
    nets = sorted(folder.glob("*.onnx"))
    coders = [path for path in nets if any(word in path.name for word in ("vocos", "hifigan", "vocoder"))]
    models = [path for path in nets if path not in coders]
    if not models or not (folder / "tokens.txt").is_file():
        raise VoiceError(f"{folder} holds no model: tokens.txt and one *.onnx are needed")
    parts = {"tokens": str(folder / "tokens.txt"), "lexicon": ",".join(map(str, sorted(folder.glob("lexicon*.txt"))))}
    folders = {"dict_dir": folder / "dict", "data_dir": folder / "espeak-ng-data"}
    parts |= {name: str(path) for name, path in folders.items() if path.is_dir()}
    if (folder / "voices.bin").is_file():
        return "kokoro", parts | {"model": str(models[0]), "voices": str(folder / "voices.bin")}
    if coders:
        return "matcha", parts | {"acoustic_model": str(models[0]), "vocoder": str(coders[0])}
    return "vits", parts | {"model": str(models[0])}


def engine(folder: Path, threads: int) -> Any:
    """sherpa's engine for the model in `folder`. Raises `VoiceError`."""
    try:
        import sherpa_onnx
    except ImportError:
        raise VoiceError("sherpa-onnx is not installed: pip install 'warnhub[sherpa]'") from None
    family, parts = described(folder)
    makers = {
        "vits": sherpa_onnx.OfflineTtsVitsModelConfig,
        "matcha": sherpa_onnx.OfflineTtsMatchaModelConfig,
        "kokoro": sherpa_onnx.OfflineTtsKokoroModelConfig,
    }
    model = sherpa_onnx.OfflineTtsModelConfig(**{family: makers[family](**parts)}, num_threads=threads)
    rules = ",".join(map(str, sorted(folder.glob("*.fst"))))
    config = sherpa_onnx.OfflineTtsConfig(model=model, rule_fsts=rules, max_num_sentences=1)
    if not config.validate():
        raise VoiceError(f"{folder} is no whole {family} model")
    return sherpa_onnx.OfflineTts(config)


class Sherpa:
    """One speaker of the operator's model, by number. The model is read when it first speaks."""

    warning = ""

    def __init__(self, settings: VoiceSettings) -> None:
        if settings.model_dir is None:
            raise VoiceError("sherpa needs model_dir")
        self.folder = settings.model_dir
        self.settings = settings
        self.speaker = int(settings.voice or 0)
        self.name = f"sherpa/{self.folder.name}/{self.speaker}@{settings.speed:g}"
        self.engine: Any = None
        self.lock = threading.Lock()

    def speak(self, text: str) -> Audio:
        """Sentence by sentence, with a pause between."""
        with self.lock:
            if self.engine is None:
                self.engine = engine(self.folder, self.settings.threads)
            rate = int(self.engine.sample_rate)
            pieces = [self.say(piece, rate) for piece in sentences(spoken(text))]
        return joined(pieces, rate, PAUSE)

    def say(self, text: str, rate: int) -> Samples:
        """One sentence, −1..1."""
        made = self.engine.generate(text, sid=self.speaker, speed=self.settings.speed)
        return trimmed(np.asarray(made.samples, np.float32), rate)
