"""The helper that speaks: `python -m channels.voice.speech.mouth`, asked over its standard input (`helper`).

{"text": …, "voice": "en-us+f2", "speed": 160}  ->  {} and mu-law, 8,000 samples a second
"""

import sys
from typing import IO, Final

from channels.voice.audio import RATE
from channels.voice.speech import helper
from channels.voice.speech.espeak import Espeak
from channels.voice.speech.resample import resample, to_mu_law

_LOUDNESS: Final = 0.6  # of what espeak-ng makes, which is at the edge of what a telephone carries
_QUIET: Final = 200  # of 32,768: what it puts at both ends of a text is no more than that
_REST: Final = RATE // 50  # of it that stays


def main(source: IO[bytes], target: IO[bytes]) -> None:
    """Speak until nobody asks any more."""
    espeak: Espeak | None = None
    while (asked := helper.read(source)) is not None:
        question, _ = asked
        try:
            espeak = espeak or Espeak()
            speed = question["speed"]
            made = espeak.say(str(question["text"]), str(question["voice"]), speed if isinstance(speed, int) else 160)
        except (ImportError, OSError, ValueError) as trouble:
            helper.write(target, {"trouble": str(trouble), "lasting": True})
            continue
        samples = [round(one * _LOUDNESS) for one in resample(made, espeak.rate, RATE)]
        helper.write(target, {}, to_mu_law(_trimmed(samples)))


def _trimmed(samples: list[int]) -> list[int]:
    """Without the silence at both ends: pauses between sentences are made by whoever puts them together."""
    loud = [place for place, one in enumerate(samples) if abs(one) > _QUIET]
    return samples[max(0, loud[0] - _REST) : loud[-1] + _REST] if loud else []


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
