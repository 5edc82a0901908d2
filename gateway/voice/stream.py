"""A call by Media Streams: the caller's sound comes to us and ours goes to them, so that hearing, speaking, and telling when
somebody has finished or breaks in are ours.

The time of such a call is its sound: frames of 20 ms come in all the time, also in silence, and each lets as much go out.
So no call has a timer, nothing is sent further ahead than `_LEAD`, and a test may play a minute in a moment.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, NamedTuple

import structlog
from aiohttp import WSMsgType, web

from bots import language as languages
from channels.errors import BadRequest, SendError
from channels.voice import audio, hearing, stream
from channels.voice.adapter import VoiceAdapter
from channels.voice.codec import Given, Ring
from channels.voice.endpoint import Endpoint, Event
from channels.voice.listen import Listen
from channels.voice.socket import Key
from channels.voice.speech.base import Hearing, Listener, SpeechError
from channels.voice.speech.cache import CachedSpeaker
from channels.voice.stream import Mark, Sound, Start, Stop
from channels.voice.utterance import Utterance
from channels.voice.vad import Vad
from desk import calls
from gateway.accounts import Account
from gateway.hooks.routes import NOT_TAKEN, turned_away
from gateway.voice.door import EXCHANGE, PATH
from gateway.voice.exchange import Exchange
from gateway.voice.relay import account_of, signed_by
from gateway.voice.speech import Speech
from gateway.voice.talk import FAR_S, Talk
from gateway.voice.turns import Between, Reach, topic
from storage.store import StoreUnavailable

log = structlog.get_logger()

_START_S: Final = 10.0  # in which a new connection must say what it is about
_DEAD_S: Final = 10.0  # without a frame
_ASKED_S: Final = 3.0  # that Twilio may take to move a call
_MOST_BYTES: Final = 64 * 1024  # of one message
_MOST_MALFORMED: Final = 10
# All in frames:
# In frames:
_LEAD: Final = 18  # sent and not yet played, at most
_PIECE: Final = 6  # sent at once, where so much is made; each costs as much as one frame
_MARKED: Final = 12  # from one mark to the next: about a word
_BEFORE: Final = 15  # of what was heard before somebody surely spoke
_MOST_UNHEARD: Final = 1500  # that wait for the recogniser
_BREAKS_IN_MS: Final = 160  # of speech, unless it may be a noise of listening
_HOLDS_MS: Final = 600  # then it is more than that
_PER_S: Final = round(1 / audio.FRAME_S)


def add_routes(app: web.Application) -> None:
    """Mount the socket, with and without a trailing slash, versioned and bare."""
    for prefix in ("/api/v1/webhooks", "/webhooks"):
        for end in ("", "/"):
            app.router.add_get(f"{prefix}/twilio/voice/stream/{{account}}{end}", connect, allow_head=False)


async def connect(request: web.Request) -> web.StreamResponse:
    """Twilio connects for a call; anybody else is refused before anything is upgraded."""
    exchange = request.app[EXCHANGE]
    try:
        secret = await signed_by(request, request.match_info["account"])
    except NOT_TAKEN as why:
        return turned_away(request, why)
    socket = web.WebSocketResponse(max_msg_size=_MOST_BYTES, compress=False)
    await socket.prepare(request)
    exchange.sockets.add(socket)
    start = await _first(socket)
    try:
        account = await account_of(exchange, start.ring, start.account, secret) if start is not None else None
        if start is None or account is None:
            await socket.close(code=1008, message=b"not a call of ours")
            return socket
        services = await exchange.services(account, start.ring.sid)
        if services is not None and len(exchange.streams) < exchange.house.settings.voice.streams_max:
            port = StreamPort(
                exchange=exchange,
                account=account,
                ring=start.ring,
                start=start,
                socket=socket,
                speaker=services.speaker,
                listener=services.listener,
                vad=exchange.vad(),
            )
            exchange.streams[start.sid] = port
            try:
                await port.run()
            finally:
                del exchange.streams[start.sid]
                await port.leave()
        else:
            await _move_on(exchange, account, start.ring)
    except StoreUnavailable:
        log.warning("call left to its fallback", reason="store unavailable")
    await socket.close()
    return socket


async def _move_on(exchange: Exchange, account: Account, ring: Ring) -> None:
    """Have Twilio ask at once how the call goes on. When it can't be told, it does so after the words that bridge a process
    which died (`channels.voice.stream.connect`).
    """
    adapter = exchange.house.adapter(account)
    assert isinstance(adapter, VoiceAdapter)  # noqa: S101  of "voice"
    try:
        async with asyncio.timeout(_ASKED_S):
            url = f"{exchange.house.settings.server.public_url}{PATH}/streamed"
            await adapter.calls.move(account.keys, ring.sid, url)
    except (SendError, TimeoutError) as trouble:
        log.warning("stream not moved on", call=ring.sid, why=type(trouble).__name__)


async def _first(socket: web.WebSocketResponse) -> Start | None:
    """What the stream is about; it is told second."""
    with suppress(TimeoutError, BadRequest):
        async with asyncio.timeout(_START_S):
            for _ in range(2):
                frame = await socket.receive()
                message = stream.read(frame.data) if frame.type is WSMsgType.TEXT else None
                if isinstance(message, Start):
                    return message
    return None


class _Question(NamedTuple):
    spec: Listen
    language: str


class _Words(NamedTuple):
    """What was said, the silence after it, when that was over by the clock of the exchange, and to which question."""

    text: str
    pause_ms: int
    finished_s: float
    turn: int


class _Paused:
    """The caller has paused, and may have finished."""


class _Finished(NamedTuple):
    """The caller has, after so much silence and at that time; `turn` was open when they began."""

    pause_ms: int
    at_s: float
    turn: int


class _Due(NamedTuple):
    """The caller has been silent for too long."""


class _Told(NamedTuple):
    """People may have put something in."""


_Event = Speech | _Words | Key | _Due | _Told


@dataclass(kw_only=True)
class StreamPort(Talk):
    """One stream. What comes is read at once, and what it means is worked on strictly one after the other."""

    mode: calls.Mode = "stream"
    start: Start
    socket: web.WebSocketResponse
    speaker: CachedSpeaker
    listener: Listener
    vad: Vad
    _endpoint: Endpoint = field(default_factory=lambda: Endpoint(Listen().pause_ms))
    _frames: int = 0  # that came in: the time
    _until: int = 0  # the frame up to which there is something to play
    _rest: bytes = b""  # of a frame that has not come in whole
    _recent: deque[bytes] = field(default_factory=lambda: deque(maxlen=_BEFORE))
    _numbers: int = 0
    _answer: Utterance | None = None  # what says the open question
    _is_cut: bool = False  # somebody broke into it, and what they said is not known yet
    _unsent: deque[Utterance] = field(default_factory=deque)
    _unheard: dict[int, Utterance] = field(default_factory=dict)
    _makers: dict[int, "asyncio.Task[None]"] = field(default_factory=dict)
    _more: asyncio.Event = field(default_factory=asyncio.Event)  # there may be something to send
    _quiet: asyncio.Event = field(default_factory=asyncio.Event)  # nothing of ours is to be heard
    _events: "asyncio.Queue[_Event]" = field(default_factory=asyncio.Queue)
    _ears: "asyncio.Queue[_Question | bytes | _Paused | _Finished]" = field(default_factory=asyncio.Queue)
    _pause: list[bytes] | None = None  # its sound, while there is one: of use if they go on
    _spoken_to: int = 0  # the question that was open when the caller began to speak
    _keyed: int = 0  # the question that follows on an answer by key
    _next: _Question | None = None  # to be listened for once they have finished
    _hearing: Hearing | None = None
    _works: int = 0
    _alarm: "tuple[int, asyncio.Future[None]] | None" = None  # the frame at which somebody wants to be woken
    _sounded: int = 0  # the frame in which the open words began to go out

    async def run(self) -> None:
        """Talk until the call or the connection ends."""
        with self._working():
            speech, _ = await self.exchange.resume(self.account, self.ring, self.start.turn, self.mode)
        self._events.put_nowait(speech)
        tasks = [self._task("answers", self._answers), self._task("speaks", self._speaks)]
        tasks += [self._task("hears", self._hears), self._task("watches", self._watches)]
        tasks += [self._task("is told", self._is_told)]
        try:
            await self._reads()
        finally:
            tasks += self._makers.values()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def is_at_work(self) -> bool:
        """Whether something is being made or worked out that does not wait for the caller."""
        has_events = not self._events.empty() and not self.is_waiting
        return self._works > 0 or has_events or not self._ears.empty()

    @property
    def is_talking(self) -> bool:
        """Whether something of ours is to be heard."""
        return bool(self._unheard)

    def now_s(self) -> float:
        return self._frames * audio.FRAME_S

    # VoicePort.

    async def say(self, text: str) -> None:
        self.text, self.is_settled, self._is_cut, self.due_s = text, False, False, FAR_S
        self._answer = self._utter(text)

    async def fill(self, text: str) -> None:
        if not self.is_talking:
            self._utter(text)

    async def listen(self, spec: Listen, turn: int) -> None:
        await super().listen(spec, turn)
        question = _Question(spec, self.language)
        if self._endpoint.is_speaking:
            self._next = question
        else:
            self._endpoint.pause_ms = spec.pause_ms
            self._ears.put_nowait(question)

    async def hush(self) -> Reach:
        if self.is_talking:
            await self._stop()
        return self.reach()

    async def transfer(self, target: str) -> None:
        """Let go when everything has been heard; where the caller goes from here is said by the action."""
        await self.end()

    async def end(self, then: str = "") -> None:
        self.is_over = True
        with suppress(TimeoutError):
            async with asyncio.timeout(_lasts_s(self.text) + _DEAD_S):
                await self._quiet.wait()
        with self._working():
            await self.settle(self.reach().words)
        await self._let_go()

    def reach(self) -> Reach:
        return Reach(None if self._answer is None or self._answer.is_heard else self._answer.heard)

    async def leave(self) -> None:
        """Whoever hangs up has heard what was played to its end; of what was not they may still hear all, in another way."""
        if self._answer is not None and self._answer.is_heard:
            with suppress(StoreUnavailable):
                await self.settle(None)
        await super().leave()

    async def ends_within(self, work: "asyncio.Task[Speech]", seconds: float) -> bool:
        """By the sound, like all time of such a call."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._alarm = self._frames + round(seconds / audio.FRAME_S), woken
        try:
            either: tuple[asyncio.Future[Any], ...] = (work, woken)
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._alarm = None
            woken.cancel()
        return work.done()

    async def answered(self, given: Given) -> Speech:
        with self._working():
            speech = await super().answered(given)
        if given.kind == "digits":
            self._keyed = speech.turn
        return speech

    async def put_in(self) -> Between | None:
        with self._working():
            return await super().put_in()

    # What comes in.

    async def _reads(self) -> None:
        malformed = 0
        while True:
            frame = await self.socket.receive()
            if frame.type is not WSMsgType.TEXT:
                return
            try:
                message = stream.read(frame.data)
            except BadRequest as bad:
                malformed += 1
                if malformed == 1:
                    log.warning("stream message refused", call=self.ring.sid, field=bad.field, problem=bad.problem)
                if malformed > _MOST_MALFORMED:
                    return
                continue
            match message:
                case Sound(sound):
                    await self._takes(sound)
                case Mark(name):
                    self._reached(name)
                case Key():
                    self._events.put_nowait(message)
                case Stop():
                    return
                case _:
                    pass

    async def _watches(self) -> None:
        """Give up a line over which nothing comes. One look in a while costs less than a time-out for each frame."""
        seen = -1
        while seen != self._frames:
            seen = self._frames
            await asyncio.sleep(_DEAD_S)
        log.warning("stream fell silent", call=self.ring.sid)
        await self._let_go()

    async def _takes(self, sound: bytes) -> None:
        self._rest += sound
        while len(self._rest) >= audio.FRAME:
            frame, self._rest = self._rest[: audio.FRAME], self._rest[audio.FRAME :]
            await self._frame(frame)

    async def _frame(self, frame: bytes) -> None:
        """20 ms of the caller."""
        self._frames += 1
        if self._alarm is not None and self._frames >= self._alarm[0] and not self._alarm[1].done():
            self._alarm[1].set_result(None)
        if self._unsent and self._has_room:
            self._more.set()
        if self.is_over:
            return
        event = self._endpoint.take(self.vad.is_speech(frame), self.vad.late)
        self._recent.append(frame)
        self._overhears(frame, event)
        if self.is_talking and self._breaks_in():
            await self._stop()
        if event == "finished":
            finished = _Finished(self._endpoint.quiet_ms, self.exchange.monotonic_s(), self._spoken_to)
            self._ears.put_nowait(finished)
            if self._next is not None:
                self._endpoint.pause_ms = self._next.spec.pause_ms
                self._ears.put_nowait(self._next)
                self._next = None
        is_idle = not (self.is_talking or self._endpoint.is_speaking or self.is_at_work or self.is_waiting)
        if is_idle and self.now_s() >= self.due_s:
            self.due_s = FAR_S
            self._events.put_nowait(_Due())

    def _overhears(self, frame: bytes, event: Event | None) -> None:
        """Have it recognised, if it is of what they say."""
        if event == "began":
            self._spoken_to = self.turn
            for one in self._recent:
                self._ears.put_nowait(one)
        elif event == "resumed":
            for one in (*(self._pause or ()), frame):
                self._ears.put_nowait(one)
        elif self._pause is not None:
            self._pause.append(frame)
        elif (self._endpoint.is_speaking or event == "finished") and self._ears.qsize() < _MOST_UNHEARD:
            self._ears.put_nowait(frame)
        if event == "paused":
            self._pause = []
            self._ears.put_nowait(_Paused())
        elif event is not None:
            self._pause = None

    def _breaks_in(self) -> bool:
        """Whether the caller speaks, and it is more than a noise of listening."""
        if not self._endpoint.is_speaking or self._endpoint.spoken_ms < _BREAKS_IN_MS:
            return False
        partial = self._hearing.partial if self._hearing is not None else ""
        return self._endpoint.spoken_ms >= _HOLDS_MS or not hearing.may_be_backchannel(self._meant(partial), self.spec)

    def _meant(self, text: str) -> str:
        return languages.load(self.language or languages.DEFAULT).english(text)

    async def _stop(self) -> None:
        """Be quiet at once. Marks of what is cleared come back too, so nothing of it is known by its number any more."""
        if self._answer is not None and self._answer.number in self._unheard:
            self._is_cut = True
        self._unsent.clear()
        self._unheard.clear()
        for task in self._makers.values():
            task.cancel()
        self._makers.clear()
        self._until = self._frames
        self._quiet.set()
        await self.socket.send_str(stream.clear(self.start.sid))

    def _reached(self, name: str) -> None:
        """A mark came back."""
        number, _, place = name.partition(":")
        if not (number.isascii() and number.isdecimal() and place.isascii() and place.isdecimal()):
            return
        one = self._unheard.get(int(number))
        if one is None:
            return
        one.played = max(one.played, min(int(place), one.sent))
        if one is self._answer and self.timing.sound_ms is not None and self.timing.way_ms is None:
            # By the sound: it is played as fast as it comes in, so what is not of the mark's own place is the way.
            way_s = (self._frames - self._sounded) * audio.FRAME_S - one.played / audio.RATE
            self.timing = replace(self.timing, way_ms=max(0, round(way_s * 1000)))
        if one.is_heard:
            del self._unheard[one.number]
            if one is self._answer:
                self.due_s = self.now_s() + self.exchange.house.settings.voice.silence_s
            if not self._unheard:
                self._quiet.set()
                if self.is_told:
                    self._events.put_nowait(_Told())

    # What is meant by it.

    async def _answers(self) -> None:
        """Work on what happened, in its order."""
        while not self.is_over:
            event = await self._events.get()
            match event:
                case Speech():
                    await self.play(event)
                case _Words():
                    await self._words(event)
                case Key(digit):
                    if self.is_talking:
                        await self._stop()
                    self._is_cut = False
                    await self.key(digit)
                case _Due():
                    await self.come_due()
                case _Told():
                    self.is_told = True
            if self.may_come_between and not self._endpoint.is_speaking:
                await self.comes_between()

    async def _is_told(self) -> None:
        async with self.exchange.house.bus.listen(topic(self.account.id, self.ring.sid)) as woken:
            while True:
                await woken.wait()
                woken.clear()
                self._events.put_nowait(_Told())

    async def _words(self, words: _Words) -> None:
        """The caller has said something, or made a noise, or has spoken to a question that a key has answered meanwhile."""
        # Who goes on after their own words, or speaks at last, means what they say; who pressed a key has answered with that.
        text = words.text if words.turn >= self._keyed else ""
        was_into_ours = self.is_talking or self._is_cut
        if was_into_ours and hearing.is_backchannel(self._meant(text), self.spec):
            if self._is_cut and self._answer is not None:
                self._is_cut = False
                self._answer = self._utter(self._answer.unheard, before=self._answer.heard)
            return
        if self.is_talking:
            await self._stop()
        self._is_cut = False
        if text:
            recognition_ms = self._since_ms(words.finished_s)
            await self.give(Given(self.turn, "speech", text, words.pause_ms, recognition_ms))
        else:
            self.due_s = self.now_s() + self.exchange.house.settings.voice.silence_s

    async def _hears(self) -> None:
        """Listen for one question after the other."""
        question = await self._ears.get()
        while True:
            if not isinstance(question, _Question):
                question = await self._ears.get()
                continue
            async with self.listener.listen(question.spec, question.language) as self._hearing:
                while not isinstance(question := await self._ears.get(), _Question):
                    with self._working():
                        match question:
                            case bytes():
                                await self._hearing.feed(question)
                            case _Paused():
                                await self._hearing.pause()
                            case _Finished():
                                words = await self._hearing.finish()
                                self._events.put_nowait(_Words(" ".join(words.split()), *question))

    # What goes out.

    def _utter(self, text: str, *, before: str = "") -> Utterance:
        """Have it made and sent, after what is being said."""
        self._numbers += 1
        one = Utterance(self._numbers, text, before=before)
        self._unsent.append(one)
        self._unheard[one.number] = one
        self._quiet.clear()
        task = self._task("makes", partial(self._makes, one, self.language))
        self._makers[one.number] = task
        task.add_done_callback(lambda _done: self._makers.pop(one.number, None))
        return one

    async def _makes(self, one: Utterance, language: str) -> None:
        """Its sound, sentence by sentence, each when little of those before is left to send."""
        for place, sentence in enumerate(one.sentences):
            source = None if place else partial(self._comes_from, one)
            with self._working():
                async for piece in self.speaker.say(sentence, language, source=source):
                    one.add(piece)
                    self._more.set()
                one.end_sentence()
            while not one.is_running_out:
                await one.taken.wait()
                one.taken.clear()
        one.is_made = True
        self._more.set()

    def _comes_from(self, one: Utterance, source: calls.Source) -> None:
        if one is self._answer and self.timing.source is None:
            self.timing = replace(self.timing, source=source)

    @property
    def _has_room(self) -> bool:
        return self._until - self._frames <= _LEAD - _PIECE

    async def _speaks(self) -> None:
        """Send what is made, never further ahead than `_LEAD`."""
        while True:
            await self._more.wait()
            self._more.clear()
            while self._unsent and self._has_room:
                one = self._unsent[0]
                to_mark = _MARKED - one.sent // audio.FRAME % _MARKED
                if (frames := one.take(min(_PIECE, to_mark))) is None:
                    if not one.is_sent:
                        break  # more is being made
                    self._unsent.popleft()
                    await self.socket.send_str(stream.mark(self.start.sid, f"{one.number}:{one.sent}"))
                    continue
                if one is self._answer and self.timing.sound_ms is None:
                    self.sounds()
                    self._sounded = max(self._until, self._frames)
                self._until = max(self._until, self._frames) + len(frames) // audio.FRAME
                await self.socket.send_str(stream.media(self.start.sid, frames))
                if one.sent % (_MARKED * audio.FRAME) == 0 and one.number in self._unheard:
                    await self.socket.send_str(stream.mark(self.start.sid, f"{one.number}:{one.sent}"))

    # Tasks.

    @contextmanager
    def _working(self) -> Iterator[None]:
        self._works += 1
        try:
            yield
        finally:
            self._works -= 1

    def _task(self, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> "asyncio.Task[None]":
        return asyncio.create_task(self._guarded(what, work), name=f"call {what}")

    async def _guarded(self, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """If it fails the stream is over, and Twilio asks how the call goes on."""
        try:
            await work()
        except SpeechError as trouble:
            log.warning("speech failed", call=self.ring.sid, what=what, why=str(trouble), lasting=trouble.is_lasting)
        except (ConnectionError, StoreUnavailable) as trouble:
            log.warning("stream given up", call=self.ring.sid, what=what, why=type(trouble).__name__)
        except Exception:
            log.exception("stream failed", call=self.ring.sid, what=what)
        else:
            return
        await self._let_go()

    async def _let_go(self) -> None:
        """The stream is over and the call is not, unless they have hung up."""
        with self._working():
            if not self.socket.closed:
                await _move_on(self.exchange, self.account, self.ring)
            await self.socket.close()


def _lasts_s(text: str) -> float:
    return len(text) / Utterance.LETTERS_PER_S
