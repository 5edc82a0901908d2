"""From one number of samples a second to another, and to and from mu-law. Plain Python, for a process of its own."""

import math
from array import array
from collections.abc import Sequence
from functools import cache
from operator import mul
from typing import Final

from channels.voice.audio import LINEAR

_TAPS: Final = 32
_PASSES: Final = 0.9  # of the band that both can carry


def resample(samples: Sequence[int], rate: int, wanted: int) -> list[int]:
    """The same sound at `wanted` samples a second; what would be too high a tone there is left out."""
    if rate == wanted:
        return list(samples)
    shared = math.gcd(rate, wanted)
    up, down = wanted // shared, rate // shared
    phases = _phases(up, down)
    padded = [*([0] * (_TAPS // 2 - 1)), *samples, *([0] * (_TAPS // 2 + 1))]
    found = []
    for number in range(len(samples) * up // down):
        at, phase = divmod(number * down, up)
        found.append(round(sum(map(mul, phases[phase], padded[at : at + _TAPS]))))
    return [max(-32768, min(32767, one)) for one in found]


def from_mu_law(sound: bytes) -> list[int]:
    return [LINEAR[byte] for byte in sound]


def to_mu_law(samples: Sequence[int]) -> bytes:
    """Source: ITU-T G.711."""
    return bytes(_code(one) for one in samples)


def as_bytes(samples: Sequence[int]) -> bytes:
    """16 bits each, as the machine orders them."""
    return array("h", samples).tobytes()


@cache
def _code(sample: int) -> int:
    value = min(abs(sample), 32635) + 132
    exponent = value.bit_length() - 8
    return ~((0x80 if sample < 0 else 0) | exponent << 4 | value >> (exponent + 3) & 0x0F) & 0xFF


@cache
def _phases(up: int, down: int) -> list[tuple[float, ...]]:
    """A windowed sinc for each place between two samples, whose weights make one together."""
    cut = _PASSES * min(1.0, up / down)
    found = []
    for phase in range(up):
        weights = []
        for tap in range(_TAPS):
            x = tap - (_TAPS // 2 - 1) - phase / up
            window = 0.54 + 0.46 * math.cos(2 * math.pi * x / _TAPS) if abs(x) <= _TAPS / 2 else 0.0
            weights.append(window * (math.sin(math.pi * cut * x) / (math.pi * x) if x else cut))
        whole = sum(weights)
        found.append(tuple(weight / whole for weight in weights))
    return found
