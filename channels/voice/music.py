"""What callers hear while they wait: a few quiet notes of our own making, so that no file of anybody's is needed."""

import math
import struct
from functools import cache
from typing import Final

RATE: Final = 8000
SECONDS: Final = 8
_BEAT: Final = RATE // 2
_LENGTH: Final = RATE * 3 // 2  # of a note, which fades into the next two
# Two chords, up and down: C major with the ninth, A minor with the seventh (semitones from A 220 Hz).
_NOTES: Final = (3, 7, 10, 17, 15, 10, 7, 10, 0, 7, 10, 15, 12, 7, 3, 7)


@cache
def wav() -> bytes:
    """It as a WAV file, 16 bits, 8,000 samples a second; it begins and ends in silence, so that it can be repeated."""
    sound = [0.0] * (RATE * SECONDS)
    for place, note in enumerate(_NOTES):
        turn = 2 * math.pi * 220 * 2 ** (note / 12) / RATE
        for n in range(min(_LENGTH, len(sound) - place * _BEAT)):
            swell = min(1.0, n / 200) * math.exp(-3 * n / RATE)
            sound[place * _BEAT + n] += swell * (math.sin(turn * n) + 0.3 * math.sin(2 * turn * n))
    fade = RATE // 4
    for n in range(fade):
        sound[-1 - n] *= n / fade
    samples = struct.pack(f"<{len(sound)}h", *(round(4000 * value) for value in sound))
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16, 1, 1, RATE, RATE * 2, 2, 16)
    return head + struct.pack("<4sI", b"data", len(samples)) + samples
