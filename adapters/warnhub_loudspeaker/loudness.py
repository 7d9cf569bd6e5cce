"""How loud a recording is, and making it as loud as every other: ITU-R BS.1770-4, in numpy.

Target: −16 LUFS integrated, with no sample above −1 dBFS. That is the level of spoken-word broadcasts; an amplifier set for one
warning is then right for all of them.
"""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

TARGET = -16.0
CEILING = 10 ** (-1 / 20)
BLOCK, STEP = 0.4, 0.1
LOOK = 0.005
CHIME = ((784.0, 0.45), (587.33, 0.9))  # G5, D5: hertz and seconds


def weighting(frequencies: NDArray[np.floating], rate: int) -> NDArray[np.float64]:
    """The K curve's gain in power at `frequencies` (hertz), from the two filters of BS.1770 at this sample rate."""
    z = np.exp(-2j * np.pi * frequencies / rate)
    k = np.tan(np.pi * 1681.974450955533 / rate)
    q, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    shelf = (high + band * k / q + k * k) + 2 * (k * k - high) * z + (high - band * k / q + k * k) * z**2
    shelf /= (1 + k / q + k * k) + 2 * (k * k - 1) * z + (1 - k / q + k * k) * z**2
    k, q = np.tan(np.pi * 38.13547087602444 / rate), 0.5003270373238773
    whole = 1 + k / q + k * k
    passed = (1 - 2 * z + z**2) / (1 + 2 * (k * k - 1) / whole * z + (1 - k / q + k * k) / whole * z**2)
    return np.asarray(np.abs(shelf * passed) ** 2, np.float64)


def loudness(samples: Samples, rate: int) -> float:
    """Integrated loudness in LUFS of one channel, gated at −70 LUFS and 10 LU below the mean; −inf if all is below."""
    spectrum = np.fft.rfft(samples)
    curve = np.sqrt(weighting(np.fft.rfftfreq(len(samples), 1 / rate), rate))
    heard = np.fft.irfft(spectrum * curve, len(samples))
    size, step = round(BLOCK * rate), round(STEP * rate)
    if len(heard) < size:
        heard = np.pad(heard, (0, size - len(heard)))
    power = np.concatenate([[0.0], np.cumsum(heard**2)])
    starts = np.arange(0, len(heard) - size + 1, step)
    blocks = np.maximum((power[starts + size] - power[starts]) / size, 1e-12)
    for gate in (-70.0, None):
        if not len(blocks):
            return float("-inf")
        floor = level(blocks.mean()) - 10 if gate is None else gate
        blocks = blocks[10 * np.log10(blocks) - 0.691 > floor]
    return level(blocks.mean()) if len(blocks) else float("-inf")


def level(power: float) -> float:
    """Mean square to LUFS."""
    return float(10 * np.log10(power) - 0.691)


def limited(samples: Samples, rate: int) -> Samples:
    """No sample above the ceiling: the gain sinks 5 ms ahead of a peak and rises 5 ms after it, so nothing clicks."""
    wide = round(LOOK * rate)
    gain = np.minimum(1.0, CEILING / np.maximum(np.abs(samples), 1e-9))
    lowest = np.lib.stride_tricks.sliding_window_view(np.pad(gain, 2 * wide, mode="edge"), 2 * wide + 1).min(axis=1)
    window = np.hanning(2 * wide + 3)[1:-1]
    return np.asarray(samples * np.convolve(lowest, window / window.sum(), "valid"), np.float32)


def levelled(samples: Samples, rate: int) -> Samples:
    """The same sound at the target. Silence stays silence."""
    gain, made = 1.0, samples
    for _ in range(6):
        now = loudness(made, rate)
        if not np.isfinite(now) or abs(now - TARGET) < 0.1:
            break
        gain *= 10 ** ((TARGET - now) / 20)
        made = limited(np.asarray(samples * gain, np.float32), rate)
    return made


def resampled(samples: Samples, old: int, new: int) -> Samples:
    """The same sound at another sample rate, band-limited, by Fourier transform of the whole."""
    if old == new:
        return samples
    count = round(len(samples) * new / old)
    spectrum = np.fft.rfft(samples)[: count // 2 + 1]
    return np.asarray(np.fft.irfft(spectrum, count) * (count / len(samples)), np.float32)


def chime(rate: int) -> Samples:
    """Two falling tones that make people listen before the first word."""
    tones = []
    for pitch, seconds in CHIME:
        at = np.arange(round(seconds * rate)) / rate
        swell = np.minimum(1.0, at / 0.01) * np.exp(-3 * at / seconds) * np.minimum(1.0, (seconds - at) / 0.02)
        tones.append((np.sin(2 * np.pi * pitch * at) + 0.3 * np.sin(4 * np.pi * pitch * at)) * swell)
    return np.concatenate(tones).astype(np.float32)
