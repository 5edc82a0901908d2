"""Calls in their order: every turn waits for its place in the conversation, and callers hear something meanwhile."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakSet

import structlog
from aiohttp import WSCloseCode, web

from channels.voice.adapter import SPOKEN
from channels.voice.codec import ENDED, Given, News, Ring
from channels.voice.vad import EnergyVad, Vad
from desk import calls, connecting
from gateway.accounts import Account
from gateway.context import House
from gateway.pipeline import turn
from gateway.voice import turns
from gateway.voice.speech import Speech
from gateway.voice.turns import Between, Line, Reach
from storage.store import StoreUnavailable

if TYPE_CHECKING:
    from gateway.voice.services import Services
    from gateway.voice.stream import StreamPort

log = structlog.get_logger()

_WORKS_S: Final = 60.0  # that another system may take: longer than it is asked
_READY_S: Final = 10.0  # from the beginning of a call to its socket, which takes less than one

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Work:
    """An answer that is worked on, and since when, by the clock of the exchange."""

    task: asyncio.Task[Speech]
    begun_s: float


@dataclass(frozen=True)
class Exchange:
    """Every call of this process goes through here, whatever carries its sound."""

    house: House
    monotonic_s: Callable[[], float] = time.monotonic
    vad: Callable[[], Vad] = EnergyVad  # for a call whose sound goes through us
    # For which a webhook waits for its answer at most: Twilio gives it 15 s, and its sound is still to be made.
    longest_wait_s: float = 8.0
    streams: "dict[str, StreamPort]" = field(default_factory=dict)  # calls whose sound goes through us
    sockets: "WeakSet[web.WebSocketResponse]" = field(default_factory=WeakSet)  # that calls are talked over
    _at_work: dict[tuple[int, str, int], Work] = field(default_factory=dict)
    _ready: "OrderedDict[tuple[int, str], tuple[float, Services]]" = field(default_factory=OrderedDict)

    def line(self, account: Account, mode: calls.Mode) -> Line:
        channel = turn.Channel(account, SPOKEN, inline=True, is_aloud=True)
        voice = self.house.settings.voice
        people = self.people if mode != "terminal" else None
        every = timedelta(hours=voice.missed_text_h)
        return Line(channel, self.house.bots, mode, voice.silence, voice.voicemail, every, self.house.usual, people)

    @property
    def people(self) -> connecting.Rules | None:
        """How callers are passed on to people; None when they are not."""
        return self.house.settings.voice.people

    async def can_stream(self, account: Account, sid: str) -> bool:
        """Whether the sound of that call, which is another one, can go through us.

        Raises: StoreUnavailable
        """
        if len(self.streams) >= self.house.settings.voice.streams_max:
            log.warning("too many streams", account=account.id, streams=len(self.streams))
            return False
        services = await self.house.speech.of(account, sid)
        if services is None:
            log.warning("no key for speech", account=account.id)
            return False
        self._ready[account.id, sid] = self.monotonic_s(), services
        while len(self._ready) > self.house.settings.voice.streams_max:
            self._ready.popitem(last=False)
        return True

    async def services(self, account: Account, sid: str) -> "Services | None":
        """Who speaks and listens in a call whose socket connects: those of a moment ago, when it began (`can_stream`), or else
        looked up. Another key holds from the next call on, as for calls that go on.

        Raises: StoreUnavailable
        """
        at_s, found = self._ready.pop((account.id, sid), (0.0, None))
        if found is not None and self.monotonic_s() - at_s < _READY_S:
            return found
        return await self.house.speech.of(account, sid)

    async def begin(self, account: Account, ring: Ring, mode: calls.Mode) -> Speech:
        """The first words to a caller; for a call that goes on already, what was said last.

        Raises: StoreUnavailable
        """
        line = self.line(account, mode)
        return await self._in_order(account, ring, "start", partial(turns.begin, line=line, ring=ring))

    def hear(
        self,
        account: Account,
        ring: Ring,
        given: Given,
        mode: calls.Mode,
        timing: calls.Timing | None = None,
        reach: Reach | None = None,
    ) -> Work:
        """What comes of an answer. It is worked on to its end, whoever waits for it; asked for twice it is one piece of
        work. `timing` is what was measured of the question and `reach` how much of it was heard; both are kept with it.
        Raises StoreUnavailable when awaited.
        """

        def begun() -> Coroutine[Any, Any, Speech]:
            run = partial(turns.hear, line=self.line(account, mode), ring=ring, given=given, timing=timing, reach=reach)
            return self._hear(account, ring, given, run)

        return self._work((account.id, ring.sid, given.turn), "call turn", begun)

    def outcome(self, account: Account, ring: Ring, number: int) -> Work:
        """What comes of the slow work that the call waits for since that turn; whoever asks for it waits for the same. When
        nothing comes for too long, that turn once more, as a question like any other.
        """
        return self._work((account.id, ring.sid, number), "call outcome", partial(self._outcome, account, ring, number))

    def followed(self, account: Account, ring: Ring, number: int) -> Work:
        """What comes of the answer to that question, which somebody works on already: here, or in another process. If that
        is lost, or done, it is what was answered, or else the question that is open.
        """
        return self._work(
            (account.id, ring.sid, number), "call followed", partial(self._followed, account, ring, number)
        )

    def _work(self, key: tuple[int, str, int], what: str, begun: Callable[[], Coroutine[Any, Any, Speech]]) -> Work:
        found = self._at_work.get(key)
        if found is None:
            found = Work(asyncio.create_task(begun(), name=what), self.monotonic_s())
            self._at_work[key] = found
            found.task.add_done_callback(lambda _done: self._at_work.pop(key, None))
        return found

    async def again(self, account: Account, ring: Ring, number: int, mode: calls.Mode = "gather") -> Speech:
        """What was answered to that question, or else the question that is open.

        Raises: StoreUnavailable
        """
        run = partial(turns.again, line=self.line(account, mode), ring=ring, number=number)
        return await self._write(account, ring, run)

    async def go_on(self, account: Account, ring: Ring, *, is_hopeless: bool) -> tuple[Speech, calls.Mode]:
        """The open question, said again because the line broke, and how to say it: in the same way once more, or, when
        that broke before or `is_hopeless`, in a simpler one.

        Raises: StoreUnavailable
        """
        line = self.line(account, "relay")
        return await self._write(account, ring, partial(turns.go_on, line=line, ring=ring, is_hopeless=is_hopeless))

    async def resume(self, account: Account, ring: Ring, turn: int, mode: calls.Mode) -> tuple[Speech, list[str]]:
        """What is open in a call whose socket has just connected, and what its caller said since the question `turn`.

        Raises: StoreUnavailable
        """
        line = self.line(account, mode)
        return await self._write(account, ring, partial(turns.resume, line=line, ring=ring, turn_=turn))

    async def after_stream(self, account: Account, ring: Ring) -> tuple[Speech, bool]:
        """What was said last before the sound stopped going through us, with a word of apology, and whether that were the
        last words and all of them were heard.

        Raises: StoreUnavailable
        """
        return await self._write(
            account, ring, partial(turns.after_stream, line=self.line(account, "gather"), ring=ring)
        )

    async def reached(self, account: Account, ring: Ring, number: int, reach: Reach) -> None:
        """Note how much of what was said in a turn was heard.

        Raises: StoreUnavailable
        """
        async with self._order(account, ring):
            await self.house.store.write(turns.reached, account.id, ring.sid, number, reach)

    async def timed(self, account: Account, ring: Ring, number: int, timing: calls.Timing) -> None:
        """Keep what was measured of a turn that nothing follows.

        Raises: StoreUnavailable
        """
        await self.house.store.write(turns.timed, account.id, ring.sid, number, timing)

    async def between(self, account: Account, ring: Ring, number: int) -> Between | None:
        """What people have put in after that turn; None for nothing.

        Raises: StoreUnavailable
        """
        return await self.house.store.read(turns.between, account.id, ring.sid, number)

    async def waits(self, account: Account, ring: Ring) -> Speech | None:
        """What was said last to a caller who waits for a person or talks with one; None when they do not.

        Raises: StoreUnavailable
        """
        return await self.house.store.read(turns.waiting, account.id, ring.sid)

    async def language(self, account: Account, ring: Ring) -> str:
        """What that call is held in; the first language of the business while nothing has been said.

        Raises: StoreUnavailable
        """
        return await self.house.store.read(turns.language, account.business_id, account.id, ring.sid)

    async def back(self, account: Account, ring: Ring, wait: str, key: str, mode: calls.Mode) -> Speech:
        """The open question, asked by the bot after a person, with the phrase `key` before it.

        Raises: StoreUnavailable
        """
        run = partial(turns.back, line=self.line(account, mode), ring=ring, wait=wait, key=key)
        return await self._write(account, ring, run)

    async def let_go(self) -> None:
        """We are about to stop: every call over a socket goes on without it, as soon as somebody of ours is there again."""
        await asyncio.gather(*(socket.close(code=WSCloseCode.GOING_AWAY) for socket in self.sockets))

    async def news(self, account: Account, ring: Ring, news: News) -> str:
        """A status callback.

        Raises: StoreUnavailable
        """
        status = ENDED.get(news.status)
        if status is None:
            return "ignored"
        line = self.line(account, "gather")
        run = partial(
            turns.ended, line=line, ring=ring, status=status, sequence=news.sequence, duration_s=news.duration_s
        )
        outcome = await self._write(account, ring, run)
        log.info("call over", account=account.id, call=ring.sid, status=status, outcome=outcome)
        return outcome

    async def hang_up(self, account: Account, ring: Ring) -> None:
        """The caller is gone, and nobody else will tell.

        Raises: StoreUnavailable
        """
        await self.news(account, ring, News("completed", None, None))

    async def in_turn(self, account: Account, ring: Ring, run: Callable[..., T]) -> T:
        """What `run` makes of the database, in a turn of that call's conversation.

        Raises: StoreUnavailable
        """
        return await self._write(account, ring, run)

    async def _followed(self, account: Account, ring: Ring, number: int) -> Speech:
        speech = await self.again(account, ring, number)
        if not speech.waits:
            return speech
        if speech.turn == number:  # this is the work on that turn
            return await self._outcome(account, ring, number)
        return await asyncio.shield(self.outcome(account, ring, speech.turn).task)

    async def _outcome(self, account: Account, ring: Ring, number: int) -> Speech:
        ends_s, look_s = self.monotonic_s() + _WORKS_S, self.house.settings.jobs.poll_s
        async with self.house.bus.listen(turns.LEARNT) as woken:
            while (left_s := ends_s - self.monotonic_s()) > 0:
                woken.clear()
                with suppress(StoreUnavailable):
                    found = await self.house.store.read(turns.after, account.id, ring.sid, number)
                    if found is not None:
                        return found
                with suppress(TimeoutError):  # a wake-up may be lost; without Redis that of another process is
                    await asyncio.wait_for(woken.wait(), min(look_s, left_s))
        log.warning("call waits for nothing", call=ring.sid, turn=number)
        return replace(await self.again(account, ring, number), waits=False)

    async def _hear(self, account: Account, ring: Ring, given: Given, run: Callable[..., Speech]) -> Speech:
        try:
            return await self._in_order(account, ring, given.kind, run)
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("turn failed", account=account.id, call=ring.sid, turn=given.turn)
            return await self._in_order(account, ring, given.kind, partial(run, is_broken=True))

    async def _in_order(self, account: Account, ring: Ring, what: str, run: Callable[..., Speech]) -> Speech:
        begun_s = self.monotonic_s()

        def took_ms() -> int:
            return int((self.monotonic_s() - begun_s) * 1000)

        speech = await self._write(account, ring, partial(run, took_ms=took_ms))
        log.info("call turn done", call=ring.sid, input=what, turn=speech.turn, ends=speech.ends, ms=took_ms())
        return speech

    async def _write(self, account: Account, ring: Ring, run: Callable[..., T]) -> T:
        async with self._order(account, ring):
            return await self.house.store.write(run, now=self.house.clock.now())

    def _order(self, account: Account, ring: Ring) -> AbstractAsyncContextManager[None]:
        return self.house.order.turn(account.tenant_id, (account.id, ring.peer))
