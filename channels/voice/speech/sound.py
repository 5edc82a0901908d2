"""Mu-law sound as it stands in files: with a header, and sentences put together."""

import struct
from collections.abc import Sequence
from typing import Final

RATE: Final = 8000
SILENCE: Final = b"\xff"
PAUSE: Final = SILENCE * (RATE * 3 // 20)  # between two sentences
LETTER_S: Final = 0.12  # that a letter takes at the slowest, to tell a sound that does not end from a long one

_MU_LAW: Final = 7  # the format's number, RFC 2361


def wav(sound: bytes) -> bytes:
    """As a WAV file, which is what Twilio plays."""
    odd = len(sound) % 2
    head = struct.pack(
        "<4sI4s4sIHHIIHHH4sII",
        *(b"RIFF", 50 + len(sound) + odd, b"WAVE"),
        *(b"fmt ", 18, _MU_LAW, 1, RATE, RATE, 1, 8, 0),
        *(b"fact", 4, len(sound)),
    )
    return head + struct.pack("<4sI", b"data", len(sound)) + sound + b"\x00" * odd


def joined(sounds: Sequence[bytes]) -> bytes:
    """One after the other, with a breath between them."""
    return PAUSE.join(sounds)
