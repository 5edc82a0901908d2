"""Speech that a machine can read back: one short tone for each letter, in mu-law, as long as it takes to say it.

What a caller heard can so be told from the samples alone, letter by letter: a word that was cut off is not in it.
"""

import math
import struct
from functools import cache
from typing import Final

RATE = 8000
SILENCE = b"\xff"
LETTER = 528  # samples: 66 ms, some 15 letters a second
LETTER_S = LETTER / RATE
_START = 24  # samples that are enough to tell whether a letter may begin here
_FIRST, _LAST = 0x20, 0x24F  # letters beyond Latin sound like a question mark


def encode(text: str) -> bytes:
    """The text as sound, mu-law without a header."""
    return b"".join(_tone(letter) for letter in text)


def decode(audio: bytes) -> str:
    """What can be understood of mu-law sound; anything that is no whole letter is passed over."""
    return decode_part(audio)[0]


def decode_part(audio: bytes) -> tuple[str, bytes]:
    """The same while the sound still comes: the text, and the rest that may be the beginning of a letter."""
    letters, starts = _letters()
    found: list[str] = []
    at, ends = 0, len(audio) - LETTER + 1
    # All tones begin with the same sample, and an hour of music has to be looked through quickly.
    while at < ends and (at := audio.find(_BEGINS, at, ends)) >= 0:
        if audio[at : at + _START] in starts and (letter := letters.get(audio[at : at + LETTER])) is not None:
            found.append(letter)
            at += LETTER
        else:
            at += 1
    return "".join(found), audio[at if at >= 0 else ends :]


def to_wav(audio: bytes) -> bytes:
    """Mu-law sound in a WAV file (format 7, RFC 2361)."""
    head = struct.pack("<4sI4s4sIHHIIHHH", b"RIFF", 50 + len(audio), b"WAVE", b"fmt ", 18, 7, 1, RATE, RATE, 1, 8, 0)
    return head + struct.pack("<4sII4sI", b"fact", 4, len(audio), b"data", len(audio)) + audio


def to_pcm(audio: bytes) -> bytes:
    """Mu-law as 16 bits a sample, little-endian."""
    return b"".join(struct.pack("<h", _linear(byte)) for byte in audio)


def from_pcm(samples: bytes) -> bytes:
    """16 bits a sample, little-endian, as mu-law; an odd byte at the end is left out."""
    count = len(samples) // 2
    return bytes(map(_mu_laws().__getitem__, struct.unpack(f"<{count}H", samples[: 2 * count])))


def from_wav(file: bytes) -> bytes:
    """The mu-law sound in a WAV file of 8,000 samples a second, mu-law or 16 bits, one channel.

    Raises:
        ValueError: it is none of these.
    """
    if file[:4] != b"RIFF" or file[8:12] != b"WAVE":
        raise ValueError("no WAV file")
    at, kind, bits = 12, 0, 0
    while at + 8 <= len(file):
        name, size = file[at : at + 4], int.from_bytes(file[at + 4 : at + 8], "little")
        part = file[at + 8 : at + 8 + size]
        if name == b"fmt ":
            kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", part[:16])
            if channels != 1 or rate != RATE:
                raise ValueError(f"{channels} channels of {rate} samples a second")
        elif name == b"data":
            if kind == 7:
                return part
            if kind == 1 and bits == 16:
                return from_pcm(part)
            raise ValueError(f"format {kind} with {bits} bits")
        at += 8 + size + size % 2
    raise ValueError("no sound in it")


@cache
def _tone(letter: str) -> bytes:
    if letter.isspace():
        letter = " "
    number = ord(letter) - _FIRST if _FIRST <= ord(letter) <= _LAST else ord("?") - _FIRST
    # Two tones together, as of a telephone's keys: 24 low ones, 24 high ones.
    low, high = _wave(300 + 40 * (number % 24), 0), _wave(1500 + 60 * (number // 24), 1)
    return bytes(_mu_law(round(one + other)) for one, other in zip(low, high, strict=True))


@cache
def _wave(hertz: int, phase: int) -> list[float]:
    turn = 2 * math.pi * hertz / RATE
    return [7000 * math.sin(turn * n + phase) for n in range(LETTER)]


@cache
def _letters() -> tuple[dict[bytes, str], set[bytes]]:
    letters = {_tone(chr(code)): chr(code) for code in range(_FIRST, _LAST + 1) if not 0x7F <= code <= 0xA0}
    return letters, {tone[:_START] for tone in letters}


def _mu_law(sample: int) -> int:
    """G.711, by the book: sign, exponent and mantissa of the biased sample, all bits turned."""
    sign = 0x80 if sample < 0 else 0
    value = min(abs(sample), 32635) + 132
    exponent = value.bit_length() - 8
    code = ~(sign | exponent << 4 | value >> (exponent + 3) & 0x0F) & 0xFF
    return 0xFF if code == 0x7F else code  # minus zero would not survive a detour over 16 bits


@cache
def _mu_laws() -> bytes:
    """Of every sample, by its 16 bits."""
    return bytes(_mu_law(bits - 0x10000 if bits & 0x8000 else bits) for bits in range(0x10000))


@cache
def _linear(byte: int) -> int:
    turned = ~byte & 0xFF
    value = (((turned & 0x0F) << 3) + 132 << (turned >> 4 & 7)) - 132
    return -value if turned & 0x80 else value


_BEGINS: Final = _tone(" ")[:1]
