"""A call by ConversationRelay: Twilio hears and speaks, and we exchange text over a socket.

The messages of a call are handled strictly one after the other; what comes while an answer is worked on waits in the socket.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiohttp import WSMsgType, web

from channels.base import AccountKeys, Request
from channels.errors import BadRequest
from channels.voice import codec, relay
from channels.voice.codec import Given, Ring
from channels.voice.relay import Interrupt, Played, Prompt, Setup, Speaking
from channels.voice.socket import Key
from desk import calls
from gateway.accounts import Account
from gateway.hooks.routes import NOT_TAKEN, RECEIVER, public_urls, turned_away
from gateway.pipeline.receive import Forged
from gateway.voice.door import EXCHANGE
from gateway.voice.exchange import Exchange
from gateway.voice.speech import Speech
from gateway.voice.talk import FAR_S, Talk
from gateway.voice.turns import Reach, topic
from storage.store import StoreUnavailable

log = structlog.get_logger()

_SETUP_S: Final = 10.0  # in which a new connection must say what it is about
_REPLAY_S: Final = 1.0  # after a reconnect, in which Twilio says again what it had kept
_MOST_BYTES: Final = 64 * 1024  # of one message
_MOST_MALFORMED: Final = 10


def add_routes(app: web.Application) -> None:
    """Mount the socket, with and without a trailing slash, versioned and bare."""
    for prefix in ("/api/v1/webhooks", "/webhooks"):
        for path in (f"{prefix}/twilio/voice/relay", f"{prefix}/twilio/voice/relay/"):
            app.router.add_get(path, connect, allow_head=False)


async def connect(request: web.Request) -> web.StreamResponse:
    """Twilio connects for a call; anybody else is refused before anything is upgraded."""
    exchange = request.app[EXCHANGE]
    try:
        secret = await signed_by(request, request.query.get("account", ""))
    except NOT_TAKEN as why:
        return turned_away(request, why)
    socket = web.WebSocketResponse(heartbeat=30.0, max_msg_size=_MOST_BYTES, compress=False)
    await socket.prepare(request)
    exchange.sockets.add(socket)
    try:
        setup = await _first(socket)
        account = await account_of(exchange, setup.ring, setup.account, secret) if setup is not None else None
        if setup is None or account is None:
            await socket.close(code=1008, message=b"not a call of ours")
            return socket
        port = RelayPort(exchange=exchange, account=account, ring=setup.ring, setup=setup, socket=socket)
        await port.run()
    except StoreUnavailable:
        log.warning("call left to its fallback", reason="store unavailable")
    if not socket.closed:
        await socket.close()
    return socket


@dataclass(kw_only=True)
class RelayPort(Talk):
    """One connection of a call. `played` is how much of the open words was heard by Twilio's account."""

    mode: calls.Mode = "relay"
    setup: Setup
    socket: web.WebSocketResponse
    monotonic_s: Callable[[], float] = time.monotonic
    played: str = ""
    tells: bool = False  # Twilio tells what was played
    has_begun: bool = False  # Twilio told that it began to say the open words
    has_ended: bool = False  # and that it came to their end
    is_cut: bool = False  # the caller broke into them, and it is not known where
    said_at_s: float = 0.0
    earlier: str = ""  # what was said before them
    fillers: list[str] = field(default_factory=list)  # said between that and them
    waits: list[str] = field(default_factory=list)  # fillers said since them
    replay: list[str] = field(default_factory=list)
    replay_until_s: float = 0.0
    due_s: float = 0.0
    malformed: int = 0
    until_s: float = 0.0  # what we have said lasts so long, by its length, unless it is known to be over
    is_speaking: bool = False  # the caller
    patience: asyncio.Timeout | None = None  # of who waits for the next message
    session_language: str = ""  # in which Twilio speaks and listens; empty: not known, after a reconnect

    def now_s(self) -> float:
        return self.monotonic_s()

    async def run(self) -> None:
        """Talk until the call or the connection ends."""
        async with self.exchange.house.bus.listen(topic(self.account.id, self.ring.sid)) as woken:
            told = asyncio.create_task(self._is_told(woken), name="call told")
            try:
                await self._talks()
            finally:
                told.cancel()
                await self.leave()

    async def _is_told(self, woken: asyncio.Event) -> None:
        """Wake whoever waits for the caller, when people put something in."""
        while True:
            await woken.wait()
            woken.clear()
            self.is_told = True
            if self.patience is not None and not self.patience.expired():
                self.patience.reschedule(asyncio.get_running_loop().time())

    async def _talks(self) -> None:
        speech, given = await self.exchange.resume(self.account, self.ring, self.setup.turn, self.mode)
        self.replay, self.replay_until_s = given, self.monotonic_s() + _REPLAY_S
        if speech.turn == self.setup.turn:
            self.session_language = speech.language
        if speech.turn > self.setup.turn:
            await self.play(speech)  # said before the connection broke, or never
        elif speech.listen is None:
            self.text = speech.text
            await (self.transfer(speech.transfer) if speech.transfer else self.end(speech.then))
        else:  # Twilio is saying it just now
            self.text, self.language = speech.text, speech.language
            await self.listen(speech.listen, speech.turn)
            self._expect()
            await self.wait_on(speech)
        while not self.is_over:
            if self.may_come_between and not self.is_speaking:
                await self.comes_between()
                continue
            try:
                message = await self._next(max(0.0, self.due_s - self.monotonic_s()))
            except TimeoutError:
                if not self.is_told or self.monotonic_s() >= self.due_s:
                    await self.come_due()
                continue
            if message is None:
                return
            await self._handle(message)

    async def play(self, speech: Speech) -> None:
        """See `Talk`. Where the bot goes on in another language, Twilio is told before its words."""
        if speech.language != self.session_language:
            is_known = bool(self.session_language)
            self.session_language = speech.language
            if is_known:
                await self.socket.send_str(relay.turn_to(codec.locale(speech.language)))
        await super().play(speech)

    # VoicePort.

    async def say(self, text: str) -> None:
        self.earlier, self.fillers, self.waits = self.text, self.waits, []
        self.text, self.played, self.is_settled, self.has_begun = text, "", False, False
        self.has_ended = self.is_cut = False
        if text:
            await self.socket.send_str(relay.say(text))
        self._expect()

    async def fill(self, text: str) -> None:
        self.waits.append(text)
        await self.socket.send_str(relay.say(text, is_filler=True))

    @property
    def is_talking(self) -> bool:
        return not (self.is_settled or self.has_ended)

    async def hush(self) -> Reach | None:
        """Nothing that we could send does that: what is said next comes after what is being said."""
        return Reach(None) if self._is_heard() else None

    async def transfer(self, target: str) -> None:
        """Let go when everything has been heard; where the caller goes from here is said by the action."""
        await self._finish("transfer")

    async def end(self, then: str = "") -> None:
        await self._finish(then or "done")

    async def _finish(self, reason: str) -> None:
        """Wait until the last words have been heard, or would have been, and let go."""
        self.is_over = True
        until_s = max(self.until_s, self.monotonic_s() + _lasts_s(self.text)) + 1.0
        while (left_s := until_s - self.monotonic_s()) > 0 and not self._is_heard():
            try:
                message = await self._next(left_s)
            except TimeoutError:
                continue
            if message is None:
                return
            match message:
                case Played():
                    self._plays(message)
                case Interrupt(heard) if heard and relay.is_beginning(self.text, heard):
                    break
                case Speaking(who="agent", is_on=False) if not self.tells:  # else it may be of what was said before
                    break
                case _:
                    pass
        await self.socket.send_str(relay.end(reason))

    # What comes.

    async def _handle(self, message: relay.Message) -> None:
        settings = self.exchange.house.settings.voice
        match message:
            case Played():
                self._plays(message)
                if self._is_heard():
                    await self.settle(None)
                    self._falls_silent()
            case Speaking(who="agent", is_on=True):
                self.has_begun = True
                self.sounds()
            case Speaking(who="agent"):  # an end without its beginning may be that of what was said before
                if self.text and (self.has_begun or not self.tells or self._is_heard()):
                    if not self.spec.is_consent:
                        await self.settle(None)
                    elif not self.fillers or self._can_be_over():  # else it may be the end of those
                        self.has_ended = True  # unless it turns out that the caller broke in
                    self._falls_silent()
            case Speaking(who="client"):
                self.is_speaking = message.is_on
                self.due_s = self.monotonic_s() + (FAR_S if message.is_on else settings.silence_s)
            case Interrupt():
                self._falls_silent()
                heard = relay.heard_of(self.text, message.heard, self.fillers)
                if heard is None:
                    self.is_cut = self.is_cut or not relay.is_beginning(self.earlier, message.heard)
                elif not relay.has_heard_all(self.text, heard):
                    await self.settle(heard)
            case Key(digit):
                await self.key(digit)
            case Prompt(text) if text:
                self.is_speaking = False
                await self.give(Given(self.turn, "speech", text))
            case relay.Refused():
                log.warning("relay refused a message", call=self.ring.sid)
            case _:
                pass

    async def give(self, given: Given) -> None:
        if given.kind == "silence" or not self._was_handled(given.text):
            self.until_s = 0.0
            await super().give(given)

    def reach(self) -> Reach | None:
        if self._is_heard():
            return Reach(None)
        if not self.spec.is_consent:
            return None if self.tells else Reach(None)  # nobody broke in
        is_whole = self.has_ended or (not self.tells and self._can_be_over())
        # Else it was still being read out: no consent to that.
        return Reach(None) if is_whole and not self.is_cut else Reach(self.played)

    async def _next(self, timeout_s: float) -> relay.Message | None:
        """The next message that we act on; None when the connection is over, or makes no sense too often.

        Raises: TimeoutError
        """
        try:
            async with asyncio.timeout(timeout_s) as self.patience:
                while self.malformed <= _MOST_MALFORMED:
                    frame = await self.socket.receive()
                    if frame.type is not WSMsgType.TEXT:
                        return None
                    try:
                        message = relay.read(frame.data)
                    except BadRequest as bad:
                        self.malformed += 1
                        if self.malformed == 1:
                            log.warning(
                                "relay message refused", call=self.ring.sid, field=bad.field, problem=bad.problem
                            )
                        continue
                    if message is not None:
                        return message
            return None
        finally:
            self.patience = None

    def _was_handled(self, text: str) -> bool:
        """Whether Twilio says again, after a reconnect, what had been answered before it."""
        if not self.replay or self.monotonic_s() > self.replay_until_s or text not in self.replay:
            self.replay = []
            return False
        del self.replay[: self.replay.index(text) + 1]
        return True

    def _plays(self, message: Played) -> None:
        self.tells = True
        # Whether Twilio tells each piece or all so far is not confirmed.
        for heard in (message.text, self.played + message.text):
            if len(heard) > len(self.played) and relay.is_beginning(self.text, heard):
                self.played = heard
                self.sounds()

    def _is_heard(self) -> bool:
        return bool(self.text) and relay.has_heard_all(self.text, self.played)

    def _can_be_over(self) -> bool:
        """Whether the open words can have been said to their end by now."""
        return self.monotonic_s() >= self.said_at_s + len(self.text) / relay.MOST_LETTERS_PER_S

    def _falls_silent(self) -> None:
        """Nothing of ours is being said."""
        self.until_s, self.due_s = 0.0, self.monotonic_s() + self.exchange.house.settings.voice.silence_s

    def _expect(self) -> None:
        """Silence begins when we have finished, also with what was being said before."""
        self.said_at_s = max(self.monotonic_s(), self.until_s)
        self.until_s = self.said_at_s + _lasts_s(self.text)
        self.due_s = self.until_s + self.exchange.house.settings.voice.silence_s


def _lasts_s(text: str) -> float:
    return len(text) / relay.LETTERS_PER_S


async def _first(socket: web.WebSocketResponse) -> Setup | None:
    try:
        frame = await socket.receive(timeout=_SETUP_S)
        message = relay.read(frame.data) if frame.type is WSMsgType.TEXT else None
    except (TimeoutError, BadRequest):
        return None
    return message if isinstance(message, Setup) else None


async def signed_by(request: web.Request, claimed: str) -> str:
    """The secret of the claimed account that has signed the upgrade; who is refused is in the channel log. Whether Twilio
    signs the query is not confirmed, so both ways count.

    Raises: Forged, BadRequest, StoreUnavailable
    """
    incoming = Request.read("GET", request.raw_path, request.headers)
    bare = Request("GET", request.raw_path.partition("?")[0], incoming.headers)
    house = request.app[EXCHANGE].house
    adapter = house.adapters["twilio", "voice"]
    for secret in await house.accounts.secrets("twilio", claimed):
        for url in public_urls(request):
            host = url.partition("://")[2]
            for scheme in ("wss", "ws"):
                keys = AccountKeys(claimed, secrets=(secret,), public_url=f"{scheme}://{host}")
                if adapter.verify(incoming, keys) or adapter.verify(bare, keys):
                    return secret
    log.warning("socket refused", provider="twilio", account_claimed=claimed[:40], reason="signature")
    forged = Forged()
    await request.app[RECEIVER].refused(adapter, incoming, forged, claimed=claimed)
    raise forged


async def account_of(exchange: Exchange, ring: Ring, claimed: str, secret: str) -> Account | None:
    """Whose number was called; None when that is not for the claimed account and its secret to say.

    Raises: StoreUnavailable
    """
    account = await exchange.house.accounts.by_address("twilio", "voice", ring.called)
    if account is None or not account.is_opened_by(claimed, secret):
        log.warning("socket refused", call=ring.sid, reason="account of another")
        return None
    return account
