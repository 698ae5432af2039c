"""Sounds that need no language and no licence, made on the device: hold music and the tones of the feature codes."""

from __future__ import annotations

import array
import io
import math
import wave
from collections.abc import Iterable, Iterator
from pathlib import Path

from pbxweb.storage.files import write_atomic

# Four chords of three notes each (Hz): C, A minor, F, G.
CHORDS = ((261.63, 329.63, 392.0), (220.0, 261.63, 329.63), (174.61, 220.0, 261.63), (196.0, 246.94, 293.66))
CHORD_SECONDS = 4.0
# name -> (Hz, seconds) one after the other; 0 Hz is silence. Rising: it is on; falling: it is off; low twice: no.
TONES = {
    "on": ((0, 0.3), (600, 0.15), (0, 0.05), (900, 0.3), (0, 0.2)),
    "off": ((0, 0.3), (900, 0.15), (0, 0.05), (600, 0.3), (0, 0.2)),
    "no": ((0, 0.3), (400, 0.15), (0, 0.1), (400, 0.3), (0, 0.2)),
}


def make_sounds(data: Path) -> None:
    """Put ``moh/pbxweb.wav16`` and ``sounds/pbxweb/{on,off,no}.wav`` below ``data``, Asterisk's data folder.

    What is there is left alone. Raises OSError.
    """
    music = data / "moh" / "pbxweb.wav16"
    if not music.exists():
        _write(music, 16000, _chords(16000))
    for name, tones in TONES.items():
        path = data / "sounds" / "pbxweb" / f"{name}.wav"
        if not path.exists():
            _write(path, 8000, _tones(8000, tones))


def _chords(rate: int) -> Iterator[int]:
    length = int(rate * CHORD_SECONDS)
    for chord in CHORDS:
        for i in range(length):
            swell = 2200 * math.sin(math.pi * i / length)
            yield int(swell * sum(math.sin(2 * math.pi * note * i / rate) for note in chord))


def _tones(rate: int, tones: Iterable[tuple[float, float]]) -> Iterator[int]:
    for hertz, seconds in tones:
        for i in range(int(rate * seconds)):
            yield int(8000 * math.sin(2 * math.pi * hertz * i / rate))


def _write(path: Path, rate: int, samples: Iterable[int]) -> None:
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(array.array("h", samples).tobytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, data.getvalue(), mode=0o644)
