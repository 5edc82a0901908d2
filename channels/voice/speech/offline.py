"""Speech without a service and without a key: espeak-ng speaks, pocketsphinx listens, each in a process of its own.

Both are optional (`pip install "frontdesk[offline]"`). espeak-ng is under the GPL: it is not part of what we ship, is
loaded by the helper alone, and whoever installs it agrees with its licence (docs/dependencies.md).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

from channels.voice import audio
from channels.voice.listen import Listen
from channels.voice.speech.base import Hearing, SpeechError
from channels.voice.speech.grammar import Vocabulary, grammar, vocabulary_words
from channels.voice.speech.helper import Helper
from channels.voice.speech.voices import Voice, Voices, short

PROVIDER: Final = "offline"
PACKAGES: Final[Mapping[str, str]] = MappingProxyType(
    {"espeakng_loader": "espeakng-loader", "pocketsphinx": "pocketsphinx"}
)  # by what is imported
MODEL: Final = "espeak-ng"
UNDERSTOOD: Final = ("en",)  # languages, by the model of pocketsphinx and the grammars that we have

_WITHIN_S: Final = 10.0  # of a sentence, on a busy machine and with a process that has to begin
_SPEED: Final = "words_a_minute"
_LONGEST: Final = 60 * audio.RATE  # of an utterance
_UNLIKE: Final = -36.0  # from there on down it was most likely something else (`ear`, measured with two voices)
_LEAST: Final = audio.RATE * 3 // 10  # in which a word can be said


def missing() -> list[str]:
    """The packages that it needs and that are not installed."""
    return [package for module, package in PACKAGES.items() if find_spec(module) is None]


def can_speak() -> bool:
    """Whether what is needed for that alone is installed."""
    return find_spec("espeakng_loader") is not None


def voices(named: Mapping[str, str], *, words_a_minute: int, bots: Voices = Voices()) -> Voices:  # noqa: B008  frozen
    """A voice of espeak-ng for each language that is named; other languages speak with the first of them. Of the `bots` own
    voices their speed counts, and which they are says nothing to espeak-ng.
    """

    def like(voice: Voice, name: str) -> Voice:
        speed = dict(voice.settings).get("speed", 1.0)
        return Voice(name, MODEL, ((_SPEED, float(round(words_a_minute * speed))),))

    first = next(iter(named.values()), "en-us+f2")
    return Voices(
        like(bots.usual, first), {language: like(bots.of(language), name) for language, name in named.items()}
    )


def mouth() -> Helper:
    """What speaks, for a process; it begins when it is first asked."""
    return Helper("channels.voice.speech.mouth", within_s=_WITHIN_S)


def ear() -> Helper:
    """What listens, likewise."""
    return Helper("channels.voice.speech.ear", within_s=_WITHIN_S)


class OfflineSpeaker:
    """A `Speaker` over a mouth that others use too."""

    def __init__(self, mouth: Helper, voices: Voices) -> None:
        self._mouth, self._voices = mouth, voices

    async def say(self, text: str, language: str) -> AsyncIterator[bytes]:
        """See `Speaker`. All of it comes at once."""
        voice = self._voices.of(language)
        speed = int(dict(voice.settings)[_SPEED])
        _, sound = await self._mouth.ask({"text": text, "voice": voice.voice_id, "speed": speed})
        if not sound:
            raise SpeechError("what came is no sound")
        yield sound


class OfflineListener:
    """A `Listener` over an ear that others use too, for callers who say what `vocabulary` and the question expect."""

    def __init__(self, ear: Helper, vocabulary: Vocabulary) -> None:
        self._ear, self._vocabulary = ear, vocabulary

    @asynccontextmanager
    async def listen(self, spec: Listen, language: str) -> AsyncIterator[Hearing]:
        """See `Listener`. The grammar is made ready while we still speak."""
        if short(language) not in UNDERSTOOD:
            raise SpeechError("it does not understand that language", is_lasting=True)
        hearing = _OfflineHearing(self._ear, grammar(spec, self._vocabulary))
        try:
            yield hearing
        finally:
            await hearing.close()


class _OfflineHearing:
    """One question. What is said is recognised when the caller has finished, all at once."""

    def __init__(self, ear: Helper, text: str) -> None:
        self._ear = ear
        self._question = {"grammar": text, "words": sorted(vocabulary_words(text))}
        self._sound = bytearray()
        self._ready = asyncio.create_task(ear.ask(self._question), name="grammar")

    @property
    def partial(self) -> str:
        """Nothing: it is known at the end only."""
        return ""

    async def feed(self, sound: bytes) -> None:
        self._sound += sound
        del self._sound[:-_LONGEST]

    async def pause(self) -> None:
        """Nothing: half a sentence is not in the grammar."""

    async def finish(self) -> str:
        await self._ready
        sound, self._sound = bytes(self._sound), bytearray()
        if len(sound) < _LEAST:
            return ""
        answer, _ = await self._ear.ask(self._question, sound)
        score = answer["score"]
        return str(answer["text"]) if isinstance(score, int | float) and score >= _UNLIKE else ""

    async def close(self) -> None:
        self._ready.cancel()
        await asyncio.gather(self._ready, return_exceptions=True)
