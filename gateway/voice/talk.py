"""What every call over a socket has in common: questions in their order, keys, silence, and words for who waits."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from channels.voice.codec import Given, Ring
from channels.voice.listen import AGAIN, PERSON, Listen
from desk import calls
from gateway.accounts import Account
from gateway.voice.exchange import Exchange
from gateway.voice.port import play
from gateway.voice.speech import Speech, phrase
from gateway.voice.turns import Between, Reach
from storage.store import StoreUnavailable

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
    is_waiting: bool = False  # for what another system answers
    is_told: bool = False  # that people may have put something in
    is_read_out: bool = False  # what is said is what a person has written
    timing: calls.Timing = field(default_factory=calls.Timing)  # of what was said last
    said_s: float | None = None  # when that was to be said, by the clock of the exchange

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

    @property
    @abstractmethod
    def is_talking(self) -> bool:
        """Whether something of ours is to be heard, as far as that is known."""

    @abstractmethod
    async def hush(self) -> Reach | None:
        """Be quiet, where that can be done; how much of the open words was heard, as far as that can be told now."""

    @abstractmethod
    def reach(self) -> Reach | None:
        """How much of the open words was heard, as far as that can be told now that they are answered."""

    async def listen(self, spec: Listen, turn: int) -> None:
        self.spec, self.turn, self.keys = spec, turn, ""

    async def key(self, digit: str) -> None:
        """One answer each, or gathered into one where there are not just a few to choose from, as `<Gather>` does it."""
        is_all = self.spec.digits or (not self.keys and self.spec.kind != "long" and digit in (PERSON, AGAIN))
        if is_all:
            if digit and digit != "#":
                await self.give(Given(self.turn, "digits", digit, 0, 0))
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
        if self.reach() is None:  # else it is noted with the turn
            await self.settle(None)  # long ago, though nobody has told
        await self.give(Given(self.turn, "silence"))

    async def give(self, given: Given) -> None:
        """Have it answered. While that takes long the caller hears so; one filler at a time."""
        begun_s = self.exchange.monotonic_s()
        speech = await self._patiently(asyncio.create_task(self.answered(given), name="call answer"))
        self.timing = calls.Timing(answer_ms=self._since_ms(begun_s))
        self.is_read_out = False
        await self.play(speech)

    async def _patiently(self, task: "asyncio.Task[Speech]") -> Speech:
        settings, waited_s = self.exchange.house.settings.voice, 0.0
        for until_s, key in (
            (settings.moment_s, "voice_moment"),
            (settings.still_s, "voice_still"),
            (settings.slow_s, "voice_slow"),
        ):
            if await self.ends_within(task, max(0.0, until_s - waited_s)):
                break
            waited_s = until_s
            await self.fill(phrase(self.language, key))
        return await task

    async def ends_within(self, work: asyncio.Task[Speech], seconds: float) -> bool:
        """Whether the work is done before so much time of the call has passed; back as soon as that is known."""
        done, _ = await asyncio.wait({work}, timeout=seconds)
        return bool(done)

    async def answered(self, given: Given) -> Speech:
        reach = None if self.is_settled else self.reach()
        self.is_settled = self.is_settled or reach is not None
        work = self.exchange.hear(self.account, self.ring, given, self.mode, self.timing, reach)
        return await asyncio.shield(work.task)

    async def play(self, speech: Speech) -> None:
        self.turn, self.language, self.said_s = speech.turn, speech.language, self.exchange.monotonic_s()
        await play(self, speech)
        await self.wait_on(speech)

    @property
    def may_come_between(self) -> bool:
        """Whether there may be something that people have put in, and it can be said now: what a person has written is said
        to its end first, and a number that is being pressed is taken whole.
        """
        return self.is_told and not (self.is_over or self.keys or (self.is_read_out and self.is_talking))

    async def comes_between(self) -> None:
        """Say the next that people have put in."""
        self.is_told = False
        if (found := await self.put_in()) is None:
            return
        if (reach := await self.hush()) is not None:
            await self.settle(reach.words, by_us=True)
        self.is_told, self.is_read_out, self.timing = True, found.is_written, calls.Timing()  # there may be more
        await self.play(found.speech)

    async def put_in(self) -> Between | None:
        """What people have put in after what was said last."""
        return await self.exchange.between(self.account, self.ring, self.turn)

    async def wait_on(self, speech: Speech) -> None:
        """Say by itself what comes of slow work, if the bot waits for that; what they give meanwhile is handled after it."""
        if speech.waits:
            self.is_waiting = True
            outcome = await self._patiently(asyncio.create_task(self._learns(speech.turn), name="call outcome"))
            self.is_waiting = False
            self.timing = calls.Timing()
            await self.play(outcome)

    async def _learns(self, number: int) -> Speech:
        return await asyncio.shield(self.exchange.outcome(self.account, self.ring, number).task)

    def sounds(self) -> None:
        """The open words begin to be heard, or to go out."""
        if self.said_s is not None and self.timing.sound_ms is None:
            self.timing = replace(self.timing, sound_ms=self._since_ms(self.said_s))

    async def leave(self) -> None:
        """The line is over: keep what was measured of the last words, which nothing follows."""
        if self.timing != calls.Timing():
            with suppress(StoreUnavailable):
                await self.exchange.timed(self.account, self.ring, self.turn, self.timing)

    async def settle(self, words: str | None, *, by_us: bool = False) -> None:
        """Note once how much of the open words was heard: all (None), or these (see `Reach`)."""
        if not self.is_settled:
            self.is_settled = True
            await self.exchange.reached(self.account, self.ring, self.turn, Reach(words, by_us))

    async def _flush(self) -> None:
        keys, self.keys = self.keys, ""
        if keys:
            await self.give(Given(self.turn, "digits", keys))

    def _since_ms(self, begun_s: float) -> int:
        return round((self.exchange.monotonic_s() - begun_s) * 1000)
