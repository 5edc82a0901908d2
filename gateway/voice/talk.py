"""What every call over a socket has in common: questions in their order, keys, silence, and words for who waits."""

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Final

from channels.voice.codec import Given, Ring
from channels.voice.listen import Listen
from desk import calls
from gateway.accounts import Account
from gateway.voice.exchange import Exchange
from gateway.voice.port import play
from gateway.voice.speech import Speech, phrase

FAR_S: Final = 1e9
_KEYS_S: Final = 3.0  # after the last of several keys


@dataclass(kw_only=True)
class Talk(ABC):
    """A `VoicePort`. `text` is what was said last and `turn` the question that it asks."""

    exchange: Exchange
    account: Account
    ring: Ring
    mode: calls.Mode
    turn: int = 0
    spec: Listen = field(default_factory=Listen)
    text: str = ""
    language: str = "en"
    is_settled: bool = False  # how much of the open words was heard is noted
    keys: str = ""
    due_s: float = FAR_S  # when the caller has been silent for too long
    is_over: bool = False

    @abstractmethod
    def now_s(self) -> float:
        """The time of the call."""

    @abstractmethod
    async def say(self, text: str) -> None:
        """See `VoicePort`."""

    @abstractmethod
    async def transfer(self, target: str) -> None:
        """See `VoicePort`."""

    @abstractmethod
    async def end(self, then: str = "") -> None:
        """See `VoicePort`."""

    @abstractmethod
    async def fill(self, text: str) -> None:
        """Say it to somebody who waits."""

    @abstractmethod
    async def note_heard(self) -> None:
        """Settle how much of the open words was heard, as far as that can be told now that they are answered."""

    async def listen(self, spec: Listen, turn: int) -> None:
        self.spec, self.turn, self.keys = spec, turn, ""

    async def key(self, digit: str) -> None:
        if self.spec.kind != "long":
            if digit and digit != "#":
                await self.give(Given(self.turn, "digits", digit))
        elif digit == "#":
            await self._flush()
        else:
            self.keys += digit
            self.due_s = self.now_s() + _KEYS_S

    async def come_due(self) -> None:
        """Nothing has come in time."""
        if self.keys:
            await self._flush()
            return
        await self.settle(None)  # long ago
        await self.give(Given(self.turn, "silence"))

    async def give(self, given: Given) -> None:
        """Have it answered. While that takes long the caller hears so; one filler at a time."""
        settings = self.exchange.house.settings.voice
        task = asyncio.create_task(self.answered(given), name="call answer")
        waited_s = 0.0
        for until_s, key in (
            (settings.moment_s, "voice_moment"),
            (settings.still_s, "voice_still"),
            (settings.slow_s, "voice_slow"),
        ):
            done, _ = await asyncio.wait({task}, timeout=max(0.0, until_s - waited_s))
            if done:
                break
            waited_s = until_s
            await self.fill(phrase(self.language, key))
        await self.play(await task)

    async def answered(self, given: Given) -> Speech:
        await self.note_heard()
        return await asyncio.shield(self.exchange.hear(self.account, self.ring, given, self.mode))

    async def play(self, speech: Speech) -> None:
        self.turn, self.language = speech.turn, speech.language
        await play(self, speech)

    async def settle(self, words: str | None) -> None:
        """Note once how much of the open words was heard: all (None), or these."""
        if not self.is_settled:
            self.is_settled = True
            await self.exchange.reached(self.account, self.ring, self.turn, words)

    async def _flush(self) -> None:
        keys, self.keys = self.keys, ""
        if keys:
            await self.give(Given(self.turn, "digits", keys))
