"""The line that a caller is on, whatever carries it: what is to be said goes in, and what is to be listened for."""

from typing import Protocol

from channels.voice.listen import Listen
from gateway.voice.speech import Speech


class VoicePort(Protocol):
    async def say(self, text: str) -> None:
        """Have it heard."""
        ...

    async def listen(self, spec: Listen, turn: int) -> None:
        """Take what the caller gives next for an answer to the question `turn`."""
        ...

    async def transfer(self, target: str) -> None:
        """Once everything has been heard, let the caller wait for a person in that line (`desk.connecting`)."""
        ...

    async def end(self, then: str = "") -> None:
        """Once everything has been heard, hang up or go on with that: `voicemail`."""
        ...


async def play(port: VoicePort, speech: Speech) -> None:
    """Say it, and listen, pass the caller on or hang up."""
    if speech.text or not (speech.waits or speech.transfer):
        await port.say(speech.text)
    if speech.transfer:
        await port.transfer(speech.transfer)
    elif speech.listen is None:
        await port.end(speech.then)
    else:
        await port.listen(speech.listen, speech.turn)
