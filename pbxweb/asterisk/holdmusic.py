"""Hold music that needs no licence: a slow chord progression, made on the device."""

from __future__ import annotations

import array
import io
import math
import wave
from pathlib import Path

from pbxweb.storage.files import write_atomic

RATE = 16000
SECONDS = 4
LEVEL = 2200
# Four chords of three notes each (Hz): C, A minor, F, G.
CHORDS = ((261.63, 329.63, 392.0), (220.0, 261.63, 329.63), (174.61, 220.0, 261.63), (196.0, 246.94, 293.66))


def make_hold_music(folder: Path) -> Path:
    """The hold music in ``folder`` as 16 kHz mono ``pbxweb.wav16``; made when absent. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pbxweb.wav16"
    if not path.exists():
        write_atomic(path, _wave(), mode=0o644)
    return path


def _wave() -> bytes:
    samples = array.array("h")
    length = RATE * SECONDS
    for chord in CHORDS:
        for i in range(length):
            swell = math.sin(math.pi * i / length)
            samples.append(int(LEVEL * swell * sum(math.sin(2 * math.pi * note * i / RATE) for note in chord)))
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return data.getvalue()
