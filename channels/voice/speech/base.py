"""What a call needs of a speech service. Sound is mu-law, 8,000 samples a second, without a header: telephones carry it so."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from channels.voice.listen import Listen


class SpeechError(Exception):
    """The service did not do it. `is_lasting` when asking again is no use before somebody mends something: the key, the
    plan, the name of a voice.
    """

    def __init__(self, why: str, *, is_lasting: bool = False) -> None:
        super().__init__(why)
        self.is_lasting = is_lasting


class Speaker(Protocol):
    """Words to sound, in one voice for each language."""

    def say(self, text: str, language: str) -> AsyncIterator[bytes]:
        """The text, written for the ear, as sound in pieces of any length, as they come; let go of, it stops.

        Raises: SpeechError, before or in the middle of it
        """
        ...


class Hearing(Protocol):
    """One caller being listened to."""

    @property
    def partial(self) -> str:
        """What has been understood since the last `finish`, so far."""
        ...

    async def feed(self, sound: bytes) -> None:
        """More of the caller's sound. Raises: SpeechError"""
        ...

    async def pause(self) -> None:
        """They have paused and may have finished: what came so far can be understood meanwhile. `feed` if they go on.

        Raises: SpeechError
        """
        ...

    async def finish(self) -> str:
        """What they said, now that they have finished; empty when it was no words. Raises: SpeechError"""
        ...


class Listener(Protocol):
    """Sound to words."""

    def listen(self, spec: Listen, language: str) -> AbstractAsyncContextManager[Hearing]:
        """Listening for answers to a question. Raises: SpeechError when it begins"""
        ...
