"""Whether somebody speaks, as a model tells it: voices count, and what is only loud does not."""

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from random import Random

import psutil
import pytest

from channels.voice import audio
from channels.voice.endpoint import FRAME_MS, Endpoint
from channels.voice.silero import Silero
from channels.voice.speech import offline
from channels.voice.vad import EnergyVad, Vad
from simulators import tones

Sound = Callable[[float, Random], float]  # at that second since it began; 1 is the loudest

BREAKS_IN_MS = 160  # as in gateway.voice.stream
NOISES: dict[str, Sound] = {
    "a door slams": lambda t, rng: rng.uniform(-1, 1) * math.exp(-12 * t),
    "a machine is switched on": lambda t, _rng: sum(math.sin(math.tau * 100 * n * t) / n for n in range(1, 6)) / 8,
    "a dial tone": lambda t, _rng: (math.sin(math.tau * 350 * t) + math.sin(math.tau * 440 * t)) / 7,
    "the line crackles": lambda _t, rng: rng.gauss(0, 0.1),
}
QUIET = audio.SILENCE * audio.RATE  # a second
SENTENCES = ("yes", "stop", "a haircut tomorrow at three p m", "my name is Emily")
CALLERS = ("en-us+f5", "en-us+m3")


@pytest.fixture(scope="module")
def model() -> Silero:
    return Silero()


@pytest.fixture(scope="module")
def said() -> list[bytes]:
    """What callers say, each after a second of silence and before another one."""
    return asyncio.run(_said())


async def _said() -> list[bytes]:
    mouth = offline.mouth()
    try:
        return [
            QUIET + b"".join([piece async for piece in speaker.say(text, "en")]) + QUIET
            for voice in CALLERS
            for speaker in [offline.OfflineSpeaker(mouth, offline.voices({"en": voice}, words_a_minute=150))]
            for text in SENTENCES
        ]
    finally:
        await mouth.close()


def _made(sound: Sound, *, seconds: float) -> bytes:
    rng = Random(1)
    samples = (
        round(32_000 * max(-1.0, min(1.0, sound(n / audio.RATE, rng)))) for n in range(round(seconds * audio.RATE))
    )
    return tones.from_pcm(b"".join(one.to_bytes(2, "little", signed=True) for one in samples))


def _with(sound: bytes, noise: Sound) -> bytes:
    """Both at once."""
    rng = Random(2)
    mixed = (audio.LINEAR[byte] + round(32_000 * noise(n / audio.RATE, rng)) for n, byte in enumerate(sound))
    return tones.from_pcm(b"".join(max(-32_768, min(32_767, one)).to_bytes(2, "little", signed=True) for one in mixed))


def _frames(sound: bytes) -> Iterator[bytes]:
    return (sound[at : at + audio.FRAME] for at in range(0, len(sound) - audio.FRAME + 1, audio.FRAME))


def _noticed(vad: Vad, sound: bytes) -> tuple[list[str], int]:
    """What happened, and after how many milliseconds there had been speech enough to fall silent for."""
    endpoint, events, noticed_ms = Endpoint(400), list[str](), 0
    for number, frame in enumerate(_frames(sound), 1):
        if (event := endpoint.take(vad.is_speech(frame), vad.late)) in ("began", "finished"):
            events.append(event)
        if not noticed_ms and endpoint.spoken_ms >= BREAKS_IN_MS:
            noticed_ms = number * FRAME_MS
    return events, noticed_ms


@pytest.mark.parametrize("noise", NOISES)
def test_what_is_only_loud_is_no_speech(model: Silero, noise: str) -> None:
    sound = QUIET + _made(NOISES[noise], seconds=1.5) + QUIET
    assert "began" in _noticed(EnergyVad(), sound)[0]
    assert _noticed(model.vad(), sound) == ([], 0)


@pytest.mark.parametrize("loudness", [0, 0.01], ids=["in a quiet room", "in the street"])
def test_a_voice_is_noticed_with_little_delay(model: Silero, said: Sequence[bytes], loudness: float) -> None:
    """A quiet room has 0.25 s from the first sound until we are silent, of which loudness alone takes 0.16."""
    for number, sound in enumerate(said):
        heard = _with(sound, lambda _t, rng: rng.gauss(0, loudness)) if loudness else sound
        events, noticed_ms = _noticed(model.vad(), heard)
        assert events == ["began", "finished"], number
        assert noticed_ms <= _noticed(EnergyVad(), heard)[1] + 60, number


def test_a_hundred_calls_share_one_model(model: Silero, said: Sequence[bytes]) -> None:
    process, voice = psutil.Process(), list(_frames(said[0][len(QUIET) // 2 :]))[:50]
    noise = list(_frames(QUIET[: len(QUIET) // 2] + _made(NOISES["the line crackles"], seconds=0.5)))
    assert any(map(model.vad().is_speech, voice))  # what the first of all needs is there then
    before = process.memory_info().rss
    talking, beside = [model.vad() for _ in range(50)], [model.vad() for _ in range(50)]
    told = []
    for spoken, other in zip(voice, noise, strict=True):
        told.append([one.is_speech(spoken) for one in talking])
        assert not any(one.is_speech(other) for one in beside)
    assert any(map(all, told))
    assert all(map(all, filter(any, told)))  # each heard alike, in the midst of others
    assert process.memory_info().rss - before < 10_000_000  # with a model for each it would be 240 MB
