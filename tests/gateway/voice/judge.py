"""What a telephone played, judged from its samples: the words in it, and what should not be there."""

import re
from collections.abc import Sequence
from itertools import pairwise

from channels.voice.audio import LINEAR, RATE
from channels.voice.speech.ear import Sphinx
from channels.voice.speech.grammar import words_of

_REST = RATE * 14 // 100  # between two sentences there is more silence than that, within one there is less
_SILENCE = re.compile(rb"[\xff\x7f]{%d,}" % _REST)
_JUMP = 16_000  # of 32,124 from one sample to the next: half as much again as the voice has anywhere
_SOFT = 300  # what is before a sound that begins
_ONSET = 4_000  # that no sound begins with
_BEFORE = 40  # samples: 5 ms


def parts(sound: bytes) -> list[tuple[int, bytes]]:
    """The sentences in it with the place where each begins, without the silence around them."""
    found, begin = [], 0
    for end, after in [*(one.span() for one in _SILENCE.finditer(sound)), (len(sound), len(sound))]:
        bare = sound[begin:end].strip(b"\xff\x7f")
        if bare:
            found.append((sound.index(bare, begin), bare))
        begin = after
    return found


def understood(sound: bytes, prompts: Sequence[str]) -> list[str]:
    """Which of the prompts a recogniser hears in each sentence; empty for none of them."""
    known = list(dict.fromkeys(words_of(one) for one in prompts))
    grammar = f"#JSGF V1.0;\ngrammar prompts;\npublic <prompt> = {' | '.join(known)};\n"
    words = sorted({word for one in known for word in one.split()})
    ear = Sphinx(beam=1e-120, word_beam=1e-100)
    return [ear.hear(grammar, words, one)[0] for _, one in parts(sound)]


def clicks(sound: bytes) -> list[int]:
    """Where it jumps as no voice does, or has the header of a file in it."""
    samples = [LINEAR[byte] for byte in sound]
    found = [one.start() for one in re.finditer(b"RIFF|WAVE|fmt |fact|data", sound)]
    for place, (before, after) in enumerate(pairwise(samples)):
        jump = abs(after - before)
        if jump > _JUMP or (jump > _ONSET and max(map(abs, samples[max(0, place - _BEFORE) : place + 1])) < _SOFT):
            found.append(place)
    return sorted(found)


def gap_ms(heard: bytes, made: bytes) -> float:
    """How much longer a sentence was to be heard than the voice took to say it."""
    return (len(heard.strip(b"\xff\x7f")) - len(made.strip(b"\xff\x7f"))) * 1000 / RATE


def after_ms(sound: bytes, cleared_at: int) -> float:
    """For how long the sentence that was cut off is still to be heard after that place."""
    ends = [begin + len(one) for begin, one in parts(sound) if begin < cleared_at]
    return max(0.0, max(ends, default=0) - cleared_at) * 1000 / RATE
