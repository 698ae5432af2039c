"""Tones: made for a phone to speak, and found in what another phone heard."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

RATE = 8000


def write_tone(path: Path, hertz: int, seconds: float = 100.0) -> Path:
    """A sine of ``hertz`` as 8 kHz mono 16 bit WAV; baresip speaks it once, so it is as long as a call may be."""
    count = round(seconds * hertz) * RATE // hertz
    samples = (9000 * np.sin(2 * np.pi * hertz * np.arange(count) / RATE)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return path


def read_growing(path: Path) -> tuple[np.ndarray, int]:
    """The samples so far (mono) and the rate of a 16 bit WAV whose header is not finished yet."""
    data = path.read_bytes()
    if len(data) < 46:
        return np.zeros(0), RATE
    channels = int.from_bytes(data[22:24], "little")
    rate = int.from_bytes(data[24:28], "little")
    start = data.find(b"data") + 8
    body = data[start : len(data) - (len(data) - start) % (2 * channels)]
    return np.frombuffer(body, "<i2").astype(float)[::channels], rate


def share(samples: np.ndarray, rate: int, hertz: float, width: float = 25.0) -> float:
    """How much of the sound's energy lies within ``width`` Hz of ``hertz``: 0 to 1."""
    if len(samples) < rate // 5 or np.abs(samples).max() < 300:
        return 0.0
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
    return float(power[np.abs(frequencies - hertz) <= width].sum() / power.sum())
