"""What it costs to tell whether a caller speaks: `python -m bench.vad [--calls 100] [--seconds 60]`.

By loudness, and by Silero's model behind it (`pip install "frontdesk[silero]"`), over a quiet line, over noise, and over
speech of espeak-ng (`frontdesk[offline]`): processor time for a frame of 20 ms, and what a process grows by.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

import psutil

from bench import report
from channels.voice import audio
from channels.voice.silero import Silero
from channels.voice.speech import offline
from channels.voice.vad import EnergyVad, Vad
from simulators import tones

_TEXT: Final = "Hello, I would like to book a haircut for my daughter, next Tuesday afternoon at about three."


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.vad", description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0, help="of sound")
    options = parser.parse_args(argv)
    print(report.machine(), end="\n\n")
    rng = Random(1)
    sounds = {
        "a quiet line": _made(lambda n: rng.gauss(0, 8)),
        "noise, every other second": _made(lambda n: rng.gauss(0, 3000 if n // audio.RATE % 2 else 8)),
        "speech without an end": asyncio.run(_speech()),
    }
    count = round(options.seconds / audio.FRAME_S)
    before = _mb()
    model = Silero()
    loaded = _mb()
    makers: dict[str, Callable[[], Vad]] = {"loudness": EnergyVad, "Silero": model.vad}
    lines = [(by, over, *_costs(make(), sound, count)) for by, make in makers.items() for over, sound in sounds.items()]
    print(report.table(("by", "over", "µs a frame", "taken for speech", "of a core, 100 at once"), lines))
    filled = _mb()
    calls = [model.vad() for _ in range(options.calls)]
    for one in calls:
        _costs(one, sounds["speech without an end"], 100)
    print(f"\nThe model takes {loaded - before:.0f} MB; {options.calls} calls {_mb() - filled:.1f} MB more.")
    return 0


def _costs(vad: Vad, sound: bytes, count: int) -> tuple[str, ...]:
    """By the processor's time, which others on the machine add little to."""
    frames = [sound[at : at + audio.FRAME] for at in range(0, len(sound) - audio.FRAME + 1, audio.FRAME)]
    began = time.thread_time()
    speech = sum(vad.is_speech(frames[number % len(frames)]) for number in range(count))
    took_s = (time.thread_time() - began) / count
    return f"{took_s * 1e6:.0f}", f"{speech / count:.0%}", f"{took_s / audio.FRAME_S * 100:.2f}"


def _made(sample: Callable[[int], float]) -> bytes:
    samples = (max(-32_768, min(32_767, round(sample(n)))) for n in range(10 * audio.RATE))
    return tones.from_pcm(b"".join(one.to_bytes(2, "little", signed=True) for one in samples))


async def _speech() -> bytes:
    mouth = offline.mouth()
    try:
        speaker = offline.OfflineSpeaker(mouth, offline.voices({"en": "en-us+f5"}, words_a_minute=150))
        return b"".join([piece async for piece in speaker.say(_TEXT, "en")])
    finally:
        await mouth.close()


def _mb() -> float:
    return float(psutil.Process().memory_info().rss / 1e6)


if __name__ == "__main__":
    sys.exit(main())
