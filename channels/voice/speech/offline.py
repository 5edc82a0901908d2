"""Speech without a service and without a key: espeak-ng speaks, pocketsphinx listens, each in a process of its own.

Both are optional (`pip install "frontdesk[offline]"`). espeak-ng is under the GPL: it is not part of what we ship, is
loaded by the helper alone, and whoever installs it agrees with its licence (docs/dependencies.md).
"""

from collections.abc import AsyncIterator, Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

from channels.voice.speech.base import SpeechError
from channels.voice.speech.helper import Helper
from channels.voice.speech.voices import Voice, Voices

PROVIDER: Final = "offline"
PACKAGES: Final[Mapping[str, str]] = MappingProxyType(
    {"espeakng_loader": "espeakng-loader", "pocketsphinx": "pocketsphinx"}
)  # by what is imported
MODEL: Final = "espeak-ng"

_WITHIN_S: Final = 10.0  # of a sentence, on a busy machine and with a process that has to begin
_SPEED: Final = "words_a_minute"


def missing() -> list[str]:
    """The packages that it needs and that are not installed."""
    return [package for module, package in PACKAGES.items() if find_spec(module) is None]


def voices(named: Mapping[str, str], *, words_a_minute: int) -> Voices:
    """A voice of espeak-ng for each language that is named; other languages speak with the first of them."""
    pace = ((_SPEED, float(words_a_minute)),)
    found = {language: Voice(voice, MODEL, pace) for language, voice in named.items()}
    return Voices(next(iter(found.values()), Voice("en-us+f2", MODEL, pace)), found)


def mouth() -> Helper:
    """What speaks, for a process; it begins when it is first asked."""
    return Helper("channels.voice.speech.mouth", within_s=_WITHIN_S)


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
