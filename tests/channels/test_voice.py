"""What is said, with which voice, how loud, and that it is made once."""

import asyncio
import hashlib
import sys
import threading
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from warnhub.port import LINK
from warnhub_loudspeaker.apart import Apart
from warnhub_loudspeaker.audio import Studio
from warnhub_loudspeaker.kokoro import spelled
from warnhub_loudspeaker.loudness import CEILING, TARGET, levelled, limited, loudness, resampled
from warnhub_loudspeaker.portions import CLAUSE_PAUSE, SENTENCE_PAUSE, portions
from warnhub_loudspeaker.sherpa import described
from warnhub_loudspeaker.speech import fitted, sentences, spoken
from warnhub_loudspeaker.voice import Audio, VoiceError, VoiceSettings, choose_voice, joined, trimmed

WARNING = "云岭县气象台发布暴雨红色预警。请立即转移！"


class Hum:
    """A voice that hums 0.2 s a character with pauses, and counts how often it was asked; `fails` raises instead."""

    warning = ""

    def __init__(self, name: str = "hum", loud: float = 0.05, rate: int = 24_000, fails: bool = False) -> None:
        self.name, self.loud, self.rate, self.fails = name, loud, rate, fails
        self.asked: list[str] = []
        self.open = threading.Event()
        self.open.set()

    def speak(self, text: str) -> Audio:
        """Hum."""
        self.asked.append(text)
        assert self.open.wait(10)
        if self.fails:
            raise VoiceError("hoarse")
        at = np.arange(round(0.2 * len(text) * self.rate)) / self.rate
        swell = np.clip(np.sin(2 * np.pi * 2 * at), 0, 1)
        return Audio((self.loud * 32_767 * np.sin(2 * np.pi * 300 * at) * swell).astype(np.int16), self.rate)


def tone(seconds: float, peak: float, pitch: float = 997.0, rate: int = 48_000) -> NDArray[np.float32]:
    """A sine."""
    return (peak * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def heard(path: Path) -> tuple[NDArray[np.float32], int]:
    """The samples of a WAV file, −1..1, and their rate; it is mono and 16-bit."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return samples.astype(np.float32) / np.float32(32_768), file.getframerate()


def endings(folder: Path) -> list[str]:
    """Of the files in a folder."""
    return [path.suffix for path in folder.iterdir()]


class TestSpeech:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("请转移。详情请点击：https://yj.example.cn/a/x7k?b=1#c", "请转移。"),
            ("请转移，见 http://10.0.0.2:8000/a，不要返回。", "请转移，不要返回。"),
            ("暴雨红色预警https://a.cn/b请立即转移", "暴雨红色预警请立即转移"),
            ("信息见yj.gov.cn/a/b。请转移", "请转移"),
            (f"请转移。{LINK}", "请转移。"),
            ("水位一点二米<br>&nbsp;请转移", "水位一点二米请转移"),
            ("水位1.2米,涨到3.5", "水位1.2米,涨到3.5"),
            ("【云岭应急】暴雨预警", "云岭应急，暴雨预警"),
            ("请转移！！（马上）", "请转移！！马上"),
            ("转移对象：老人、孩子；请转移；", "转移对象：老人、孩子；请转移"),
        ],
    )
    def test_drops_addresses_and_tags(self, text: str, said: str) -> None:
        assert spoken(text) == said

    def test_pieces_lose_nothing(self) -> None:
        long = "甲" * 150 + "，" + "乙" * 30 + "。短句！" + "丙，" * 60
        pieces = sentences(long, 60)
        assert all(0 < len(piece) <= 60 for piece in pieces)
        assert "".join(pieces) == long

    def test_pieces_have_words(self) -> None:
        assert sentences("一。 。！\n\n二，三；") == ["一。", "二，三；"]

    @pytest.mark.parametrize(("size", "kept"), [(500, WARNING), (45, "云岭县气象台发布暴雨红色预警。"), (44, ""), (3, "")])
    def test_fits_by_sentence(self, size: int, kept: str) -> None:
        assert fitted(WARNING, size) == kept

    def test_fits_by_clause(self) -> None:
        assert fitted("请立即转移，不要返回取财物。", 20) == "请立即转移"


class TestChoice:
    def test_order(self, tmp_path: Path) -> None:
        assert choose_voice(VoiceSettings()).name == "kokoro-82m-int8/jm_kumo@0.9"
        assert choose_voice(VoiceSettings(model_dir=tmp_path)).name.startswith("sherpa/")
        assert choose_voice(VoiceSettings(model_dir=tmp_path, engine="kokoro")).name.startswith("kokoro")
        assert choose_voice(VoiceSettings(engine="espeak", speed=1)).name == "espeak-ng/cmn@1"

    def test_only_the_last_resort_warns(self, tmp_path: Path) -> None:
        assert "清晰度差" in choose_voice(VoiceSettings(engine="espeak")).warning
        assert choose_voice(VoiceSettings()).warning == ""
        assert choose_voice(VoiceSettings(model_dir=tmp_path)).warning == ""

    def test_sherpa_names_what_is_missing(self, tmp_path: Path) -> None:
        pytest.importorskip("sherpa_onnx", reason="the extra `sherpa` is not installed")
        with pytest.raises(VoiceError, match=r"tokens\.txt"):
            choose_voice(VoiceSettings(model_dir=tmp_path)).speak("请转移")
        with pytest.raises(VoiceError, match="model_dir"):
            choose_voice(VoiceSettings(engine="sherpa"))

    @pytest.mark.parametrize(
        ("files", "family", "keys"),
        [
            (["vits.onnx", "lexicon.txt"], "vits", {"model", "lexicon", "tokens"}),
            (["model-steps-3.onnx", "vocos-22khz.onnx"], "matcha", {"acoustic_model", "vocoder", "lexicon", "tokens"}),
            (["model.onnx", "voices.bin", "dict/a"], "kokoro", {"model", "voices", "lexicon", "tokens", "dict_dir"}),
        ],
    )
    def test_sherpa_knows_the_family(self, tmp_path: Path, files: list[str], family: str, keys: set[str]) -> None:
        for name in [*files, "tokens.txt"]:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        found, parts = described(tmp_path)
        assert (found, set(parts)) == (family, keys)
        assert all(Path(path).exists() for path in parts.values() if path)


class TestLoudness:
    @pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
    def test_agrees_with_the_standard(self, rate: int) -> None:
        """BS.1770: a 997 Hz sine at full scale in one channel is −3.01 LKFS."""
        assert loudness(tone(5, 1.0, rate=rate), rate) == pytest.approx(-3.01, abs=0.05)

    def test_gates_silence(self) -> None:
        sound = np.concatenate([tone(4, 0.1), np.zeros(48_000 * 8, np.float32)])
        assert loudness(sound, 48_000) == pytest.approx(loudness(tone(4, 0.1), 48_000), abs=0.3)
        assert loudness(np.zeros(48_000, np.float32), 48_000) == float("-inf")

    def test_limits_without_touching_the_rest(self) -> None:
        sound = tone(1, 0.5)
        sound[24_000:24_010] = 3.0
        made = limited(sound, 48_000)
        assert np.abs(made).max() <= CEILING + 1e-6
        assert np.array_equal(made[:20_000], sound[:20_000])

    @pytest.mark.parametrize("peak", [0.003, 0.2, 1.0])
    def test_levels(self, peak: float) -> None:
        generator = np.random.default_rng(1)
        sound = (tone(4, peak) * np.clip(generator.normal(0.4, 0.4, 4).repeat(48_000), 0.05, 1)).astype(np.float32)
        made = levelled(sound, 48_000)
        assert loudness(made, 48_000) == pytest.approx(TARGET, abs=0.5)
        assert np.abs(made).max() <= CEILING + 1e-6

    def test_silence_stays_silence(self) -> None:
        assert not levelled(np.zeros(16_000, np.float32), 16_000).any()

    def test_resampling_keeps_pitch_and_length(self) -> None:
        made = resampled(tone(1, 0.5, 440, 24_000), 24_000, 16_000)
        assert len(made) == 16_000
        assert np.abs(made[100:-100] - tone(1, 0.5, 440, 16_000)[100:-100]).max() < 0.01

    def test_joining_never_clips(self) -> None:
        made = joined([tone(0.1, 1.7), np.zeros(0, np.float32), tone(0.1, 0.5)], 48_000, 0.5)
        assert made.seconds == pytest.approx(0.7)
        assert int(np.abs(made.samples).max()) == pytest.approx(0.98 * 32_767, abs=20)
        with pytest.raises(VoiceError):
            joined([], 48_000, 0.5)

    def test_trimming_keeps_a_margin(self) -> None:
        sound = np.concatenate([np.zeros(48_000, np.float32), tone(1, 0.5), np.zeros(48_000, np.float32)])
        assert len(trimmed(sound, 48_000)) == pytest.approx(48_000 * 1.06, abs=100)
        assert len(trimmed(np.zeros(100, np.float32), 48_000)) == 0


class TestStudio:
    async def test_recording(self, tmp_path: Path) -> None:
        clip = await Studio(Hum(), tmp_path, 16_000, chimes=False).clip(WARNING)
        samples, rate = heard(clip.path)
        assert rate == 16_000
        assert clip.seconds == pytest.approx(len(samples) / rate)
        assert clip.seconds == pytest.approx(0.2 * len(WARNING) + 0.4, abs=0.05)
        assert loudness(samples, rate) == pytest.approx(TARGET, abs=0.5)
        assert np.abs(samples).max() <= 10 ** (-1 / 20) + 1e-3
        assert clip.sha256 == hashlib.sha256(clip.path.read_bytes()).hexdigest()
        assert clip.size == clip.path.stat().st_size

    async def test_chime_comes_first(self, tmp_path: Path) -> None:
        plain = await Studio(Hum(), tmp_path, 24_000, chimes=False).clip(WARNING)
        chimed = await Studio(Hum(), tmp_path, 24_000).clip(WARNING)
        samples, rate = heard(chimed.path)
        assert rate == 24_000
        assert chimed.seconds == pytest.approx(plain.seconds + 1.35 + 0.4, abs=0.02)
        assert loudness(samples, rate) == pytest.approx(TARGET, abs=1)
        spectrum = np.abs(np.fft.rfft(samples[round(0.2 * rate) : round(0.65 * rate)]))
        assert np.argmax(spectrum) / 0.45 == pytest.approx(784, abs=5)

    async def test_made_once_when_asked_together(self, tmp_path: Path) -> None:
        voice = Hum()
        voice.open.clear()
        studios = [Studio(voice, tmp_path), Studio(voice, tmp_path)]  # two: as two processes would be
        asking = [asyncio.create_task(studio.clip(WARNING)) for studio in studios for _ in range(20)]
        await asyncio.sleep(0.05)
        asking[0].cancel()
        voice.open.set()
        clips = await asyncio.gather(*asking[1:])
        assert len(voice.asked) == 1
        assert len({clip.sha256 for clip in clips}) == 1
        assert endings(tmp_path) == [".wav"]

    async def test_found_again(self, tmp_path: Path) -> None:
        voice = Hum()
        first = await Studio(voice, tmp_path).clip(WARNING)
        assert await Studio(voice, tmp_path).clip(WARNING + " https://a.cn/b") == first
        assert len(voice.asked) == 1

    async def test_whatever_changes_the_sound_changes_the_name(self, tmp_path: Path) -> None:
        studios = [Studio(Hum(), tmp_path), Studio(Hum("other"), tmp_path), Studio(Hum(), tmp_path, 24_000)]
        studios.append(Studio(Hum(), tmp_path, chimes=False))
        assert len({(await studio.clip(WARNING)).name for studio in studios}) == 4

    @pytest.mark.parametrize("damage", [b"", b"RIFF", None])
    async def test_broken_file_is_made_again(self, tmp_path: Path, damage: bytes | None) -> None:
        voice = Hum()
        clip = await Studio(voice, tmp_path).clip(WARNING)
        whole = clip.path.read_bytes()
        clip.path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
        assert (await Studio(voice, tmp_path).clip(WARNING)).sha256 == clip.sha256
        assert len(voice.asked) == 2
        clip.path.unlink()
        assert (await Studio(voice, tmp_path).clip(WARNING)).path.exists()

    async def test_failure_leaves_nothing(self, tmp_path: Path) -> None:
        voice = Hum(fails=True)
        studio = Studio(voice, tmp_path)
        with pytest.raises(VoiceError):
            await studio.clip(WARNING)
        assert not {".wav", ".part"} & set(endings(tmp_path))
        voice.fails = False
        assert (await studio.clip(WARNING)).seconds > 1


class TestEspeak:
    def test_speaks_from_another_process(self) -> None:
        voice = choose_voice(VoiceSettings(engine="espeak"))
        one, two = voice.speak("请立即转移。"), voice.speak("请立即转移。请立即转移。https://a.example.cn/b")
        assert one.rate == 22_050
        assert 0.8 < one.seconds < 4
        assert two.seconds == pytest.approx(2 * one.seconds + 0.4, abs=0.1)
        assert np.abs(two.samples).max() < 32_767
        assert "espeakng_loader" not in sys.modules
        assert "libespeak" not in Path("/proc/self/maps").read_text()

    def test_failure_is_told(self) -> None:
        with pytest.raises(VoiceError, match="CalledProcessError"):
            choose_voice(VoiceSettings(engine="espeak", voice="no-such-voice")).speak("请转移")


@pytest.mark.voice
class TestKokoro:
    def test_speaks(self) -> None:
        voice = choose_voice(VoiceSettings())
        short, long = voice.speak("请立即转移。"), voice.speak("请立即转移。" + "请沿河居民马上向高处撤离，" * 8)
        assert short.rate == 24_000
        assert 0.8 < short.seconds < 3
        assert 10 < long.seconds < 40
        with pytest.raises(VoiceError):
            voice.speak("https://a.example.cn/b")

    def test_words_are_spelled_as_by_misaki(self) -> None:
        """By its parts, in a child that ends: the lists never lie in the process that speaks."""
        from misaki.zh import ZHG2P

        texts = ["云岭县气象台发布暴雨红色预警，请立即转移！", "重庆水位涨到3.5米，请拨打12379。", "《通知》 OK", ""]
        assert spelled(texts) == [ZHG2P()(text)[0] for text in texts]

    @pytest.mark.parametrize("most", [4, 12, 30, 64])
    def test_portions_lose_nothing(self, most: int) -> None:
        said = "ʨʰi↓ŋ ti→wa→ti↘ʨʰy→ ʨʰy↗nʊ↘ŋ li↘ʨi↗, wa↓ni↗: tau↘ a→nʨʰɥɛ↗n ti↘tai↘."
        found = list(portions(said, most))
        assert all(0 < len(part) <= most for part, _ in found)
        assert "".join(part for part, _ in found).replace(" ", "") == said.replace(" ", "")
        assert found[-1][1] == SENTENCE_PAUSE

    def test_portions_end_where_a_speaker_breathes(self) -> None:
        said = "pau↘y↓ xʊ↗ŋsɤ↘ y↘ʨi↓ŋ, ʨʰi↓ŋ ti→wa→ti↘ʨʰy→ ʨʰy↗nʊ↘ŋ li↘ʨi↗ wa↓ni↗."
        clause, *words = portions(said, 30)
        assert clause == ("pau↘y↓ xʊ↗ŋsɤ↘ y↘ʨi↓ŋ, ", CLAUSE_PAUSE)
        assert [part for part, _ in words] == ["ʨʰi↓ŋ ti→wa→ti↘ʨʰy→ ʨʰy↗nʊ↘ŋ", "li↘ʨi↗ wa↓ni↗."]

    def test_unknown_speaker_is_told(self) -> None:
        with pytest.raises(VoiceError, match="jm_kumo"):
            choose_voice(VoiceSettings(voice="nobody")).speak("请转移")


@pytest.mark.voice
def test_the_voice_lives_apart() -> None:
    """A neural voice speaks in a child that is used again, ends when it rests, and begins anew when it is broken."""
    voice = Apart(VoiceSettings(engine="kokoro"), "kokoro", "")
    first = voice.speak("暴雨红色预警。")
    child = voice.child
    assert child is not None
    assert 0.5 < first.seconds < 6
    assert voice.speak("请立即转移。").rate == first.rate
    assert voice.child is child
    child.kill()
    child.wait()
    assert voice.speak("请立即转移。").seconds > 0.5
    voice.rest()
    assert voice.child is None


@pytest.mark.voice
def test_what_cannot_be_said_is_said() -> None:
    """The child's refusal is the parent's `VoiceError`, and the child goes on."""
    voice = Apart(VoiceSettings(engine="kokoro", voice="nobody"), "kokoro", "")
    with pytest.raises(VoiceError, match="nobody"):
        voice.speak("请立即转移。")
    with pytest.raises(VoiceError, match="nobody"):
        voice.speak("请立即转移。")
    voice.rest()
