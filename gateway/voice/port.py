"""The line that a caller is on, whatever carries it: what is to be said goes in, and what is to be listened for."""

from typing import Protocol

from channels.voice.listen import Listen
from gateway.voice.speech import Speech


class VoicePort(Protocol):
    """Passing a call on to a person is not among it yet."""

    async def say(self, text: str) -> None:
        """Have it heard."""
        ...

    async def listen(self, spec: Listen, turn: int) -> None:
        """Take what the caller gives next for an answer to the question `turn`."""
        ...

    async def end(self, then: str = "") -> None:
        """Once everything has been heard, hang up or go on with that: `voicemail`."""
        ...


async def play(port: VoicePort, speech: Speech) -> None:
    """Say it, and listen or hang up."""
    await port.say(speech.text)
    if speech.listen is None:
        await port.end(speech.then)
    else:
        await port.listen(speech.listen, speech.turn)
