"""`frontdesk call --listen`: what the telephone would play, as a WAV file or aloud."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from channels.voice.speech import offline
from channels.voice.speech.base import Speaker, SpeechError
from channels.voice.speech.cache import sentences
from channels.voice.speech.sound import RATE, SILENCE, joined, wav
from gateway.accounts import Account
from gateway.context import House

ALOUD: Final = "-"  # instead of the name of a file
# What plays a WAV file that it is given, by its name, and how it is called.
_PLAYERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"aplay": ("-q", "-"), "paplay": ("/dev/stdin",)})
_TURN: Final = SILENCE * RATE  # the second in which the caller would have spoken


class NoSound(Exception):  # noqa: N818  what somebody reads who wanted to listen
    """There is nothing that speaks, or nothing that could play it; the text says what would help."""


class Heard:
    """What was played, in order. The file has all of it after each turn, so that hanging up with Ctrl-C loses nothing."""

    def __init__(self, speaker: Speaker, file: Path | None, player: tuple[str, ...]) -> None:
        self._speaker, self._file, self._player = speaker, file, player
        self._sounds: list[bytes] = []

    async def hears(self, text: str, language: str) -> None:
        """Raises: SpeechError; OSError, when the file cannot be written"""
        each = [b"".join([piece async for piece in self._speaker.say(one, language)]) for one in sentences(text)]
        sound = joined(each)  # as in a call
        if self._file is not None:
            self._sounds.append(sound)
            await asyncio.to_thread(self._file.write_bytes, wav(_TURN.join(self._sounds)))
            return
        playing = await asyncio.create_subprocess_exec(
            *self._player, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        await playing.communicate(wav(sound))
        if playing.returncode:
            raise SpeechError(f"{self._player[0]} could not play it")


async def prepare(house: House, account: Account, where: str) -> Heard:
    """With the voice that calls to that number have, or else one that needs no key.

    Raises: NoSound, StoreUnavailable
    """
    found = next(((path, *args) for name, args in _PLAYERS.items() if (path := shutil.which(name))), ())
    if where == ALOUD and not found:
        raise NoSound(f"Nothing here plays sound ({' or '.join(_PLAYERS)}); name a WAV file instead.")
    services = await house.speech.of(account)
    if services is not None:
        return Heard(services.speaker, None if where == ALOUD else Path(where), found)
    if not offline.can_speak():
        raise NoSound("There is no voice: set elevenlabs.api_key, or pip install espeakng-loader.")
    voice = house.settings.voice
    voices = offline.voices(voice.offline_voice_list, words_a_minute=voice.offline_speed)
    return Heard(offline.OfflineSpeaker(house.speech.mouth, voices), None if where == ALOUD else Path(where), found)
