"""The doors for telephone calls: Twilio's voice webhooks in, TwiML out."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import quote, urlencode

import structlog
from aiohttp import web

from channels.base import Answer, Request
from channels.errors import BadRequest
from channels.voice import codec, relay, stream
from channels.voice import hold as lines
from channels.voice.codec import Ring
from channels.voice.listen import Listen
from channels.voice.speech.voices import Voices
from desk import businesses, calls
from gateway.accounts import Account
from gateway.hooks.routes import NOT_TAKEN, RECEIVER, public_urls, turned_away
from gateway.pipeline.receive import Forged
from gateway.settings import VoiceCalls
from gateway.voice.exchange import Exchange
from gateway.voice.port import play
from gateway.voice.services import File
from gateway.voice.speech import Speech, phrase
from storage.store import StoreUnavailable

EXCHANGE = web.AppKey("exchange", Exchange)
PATH = "/api/v1/webhooks/twilio/voice"

log = structlog.get_logger()

# The account may not use ConversationRelay, or our TwiML does not suit it: it would break again.
_HOPELESS = ("64101", "64110")
_SOUND: Final = re.compile(r"(kept|made)\.([0-9]{1,6})")
_MESSAGE_SILENCE_S = 5.0  # after which a message is over
_STORE_S: Final = 2.0  # that a database which may be the trouble has for what can be done without
_FILLERS: Final = ("voice_moment", "voice_still", "voice_slow")  # for whoever waits, one after the other
_MOST_WAITS: Final = 9  # fillers, the three above among them: more than a minute


@dataclass(frozen=True, slots=True)
class Call:
    """A verified webhook of a call to one of our numbers."""

    exchange: Exchange
    account: Account
    ring: Ring
    request: Request

    @property
    def account_sid(self) -> str:
        """Twilio's account, which has proved that it calls."""
        return self.exchange.house.adapter(self.account).claimed_account(self.request)

    @property
    def base(self) -> str:
        """Where our doors are, as Twilio sees them."""
        return self.exchange.house.settings.server.public_url + PATH


def add_routes(app: web.Application, exchange: Exchange) -> None:
    """Mount them, with and without a trailing slash, versioned and bare."""
    app[EXCHANGE] = exchange
    doors = {
        "": begin,
        "/gather": gather,
        "/action": action,
        "/streamed": streamed,
        "/status": status,
        "/fallback": fallback,
    }
    for prefix in ("/api/v1/webhooks", "/webhooks"):
        for name, handler in doors.items():
            for method in ("POST", "GET"):
                app.router.add_route(method, f"{prefix}/twilio/voice{name}", opened(handler))
                app.router.add_route(method, f"{prefix}/twilio/voice{name}/", opened(handler))

    async def stop(_: web.Application) -> None:
        await exchange.let_go()

    # Before the server waits for what is being answered: a socket is for as long as the call lasts.
    app.on_shutdown.append(stop)


async def begin(call: Call) -> Answer:
    """Somebody calls."""
    return await start(call, await mode_of(call))


async def mode_of(call: Call) -> calls.Mode:
    """How a call that begins to be talked in is listened to."""
    mode = call.exchange.house.settings.voice.mode
    return "gather" if mode == "stream" and not await call.exchange.can_stream(call.account, call.ring.sid) else mode


async def start(call: Call, mode: calls.Mode) -> Answer:
    """The first words, and what comes after them."""
    speech = await call.exchange.begin(call.account, call.ring, mode)
    answer = await speak(call, speech, mode)
    if not speech.is_recorded:
        return answer
    # In the document, so that it begins when the notice has been heard to its end, in every mode and only once.
    notice, language = phrase(speech.language, "voice_recorded"), codec.locale(speech.language)
    is_ours = any(verb in answer.body for verb in (b"<Play>", b"<Stream "))  # the voice of what follows
    (file,) = await sounds(call, speech.language, notice if is_ours else "")
    return codec.recording(answer, notice, language=language, report=f"{call.base}/recording", file=file)


async def sounds(call: Call, language: str, *texts: str) -> Sequence[str]:
    """Where each of these texts is as sound, where calls are in a voice of ours; empty if it is no text, or Twilio's voice is to
    say it: all of them, if one cannot be had in time.
    """
    house = call.exchange.house
    if house.settings.voice.mode == "relay" or not any(texts):
        return [""] * len(texts)
    making = [house.speech.file(call.account, call.ring.sid, text, language) for text in texts]
    found: list[File | None] = [None] * len(texts)
    with suppress(StoreUnavailable, TimeoutError):  # it may be why they are told to wait
        async with asyncio.timeout(house.settings.voice.play_budget_s + _STORE_S):
            found = await asyncio.gather(*making)
    if any(text and file is None for text, file in zip(texts, found, strict=True)):
        return [""] * len(texts)
    return ["" if file is None else file.url for file in found]


async def goodbye(call: Call, text: str, language: str) -> Answer:
    """Say it, in the voice of the call, and hang up."""
    (file,) = await sounds(call, language, text)
    return codec.goodbye(text, language=codec.locale(language), file=file)


async def gather(call: Call) -> Answer:
    """What they said or pressed, or that they said nothing. While we are at work they hear so, and ask again: the apology is
    not the end of it, since what they have said may still be done.
    """
    given, settings = codec.given(call.request), call.exchange.house.settings.voice
    language, told = told_language(call), call.request.query.get("waited", "")
    if told:
        waited = min(int(told), _MOST_WAITS) if re.fullmatch("[0-9]{1,2}", told) else _MOST_WAITS
        work = call.exchange.followed(call.account, call.ring, given.turn)
    else:
        waited = 0
        work = call.exchange.hear(call.account, call.ring, given, "gather", _timing(call.request))
    left_s = longest_s = call.exchange.longest_wait_s
    if waited < len(_FILLERS):
        due_s = (settings.moment_s, settings.still_s, settings.slow_s)[waited]
        left_s = max(0.0, due_s - (call.exchange.monotonic_s() - work.begun_s))
    done, _ = await asyncio.wait({work.task}, timeout=min(left_s, longest_s))
    if done:
        return await _ask(call, work.task.result())
    if waited == _MOST_WAITS:
        work.task.cancel()  # what has not begun is not to be done behind their back
        return await _give_up(call, language)
    if left_s > longest_s:
        return codec.wait("", again=_waits(call, given.turn, waited, language), language=codec.locale(language))
    said = phrase(language, _FILLERS[waited] if waited < len(_FILLERS) else "voice_still")
    url = _waits(call, given.turn, waited + 1, language)
    (file,) = await sounds(call, language, said)
    return codec.wait(said, again=url, language=codec.locale(language), file=file)


async def _give_up(call: Call, language: str) -> Answer:
    """Nobody knows what came of it, so it is for a person to tell: the message makes a task of it."""
    log.warning("call given up", call=call.ring.sid)
    if call.exchange.house.settings.voice.voicemail:
        return await take_message(call, phrase(language, "voice_unsure"), language=language)
    return await goodbye(call, phrase(language, "voice_slow"), language)


def _waits(call: Call, turn: int, waited: int, language: str) -> str:
    """Where a caller is sent who waits for what comes of that turn, and has heard so many words for it."""
    return f"{call.base}/gather?turn={turn}&waited={waited}{_spoken_in(language)}"


def _spoken_in(language: str, mark: str = "&") -> str:
    """What an address carries of the language of what was said, so that what follows is said in that one."""
    return "" if language[:2] == "en" else f"{mark}{urlencode({_LANGUAGE: language})}"


def told_language(call: Call) -> str:
    """What the address says of it (`_spoken_in`)."""
    return call.request.query.get(_LANGUAGE, "en")


_LANGUAGE: Final = "language"


async def status(call: Call) -> Answer:
    """How a call went."""
    await call.exchange.news(call.account, call.ring, codec.news(call.request))
    return Answer()


async def fallback(call: Call) -> Answer:
    """What a caller hears when our other doors did not answer. It needs nothing of ours: no bot, and no database but for the
    language, without which it is English.
    """
    language = "en"
    with suppress(StoreUnavailable, TimeoutError):
        async with asyncio.timeout(_STORE_S):
            language = await call.exchange.language(call.account, call.ring)
    return sorry(call.base, call.exchange.house.settings.voice, language=language)


def sorry(base: str, settings: VoiceCalls, *, language: str = "en", left: str = "") -> Answer:
    """The same as a document, which may lie anywhere; `left` is then where the document behind it lies."""
    text = phrase(language, "voice_sorry")
    if not settings.voicemail:
        return codec.goodbye(f"{text} {phrase(language, 'voice_try_again')}", language=codec.locale(language))
    return voicemail(base, settings, text, language=language, left=left)


async def take_message(call: Call, text: str = "", *, language: str) -> Answer:
    """Say it and take a message, in that language and the voice of the call. Twilio writes it down unless we have it done
    (`gateway.jobs.recordings.transcribe`).
    """
    house = call.exchange.house
    files = await sounds(call, language, *_asking(text, language))
    is_ours = house.settings.voice.transcribe and await house.speech.can_transcribe(call.account)
    return voicemail(call.base, house.settings.voice, text, language=language, files=files, is_theirs=not is_ours)


def voicemail(
    base: str,
    settings: VoiceCalls,
    text: str = "",
    *,
    language: str,
    left: str = "",
    files: Sequence[str] = ("", ""),
    is_theirs: bool = True,
) -> Answer:
    """The TwiML of it. `files` are what is said as sound; `is_theirs` that Twilio may write down what is left."""
    asked, nothing_heard = _asking(text, language)
    return codec.voicemail(
        asked,
        nothing_heard,
        files=files,
        language=codec.locale(language),
        action=left or f"{base}/voicemail/left{_spoken_in(language, '?')}",
        method="GET" if left else "POST",  # who serves a file may not know POST
        report=f"{base}/voicemail/recorded",
        transcript=f"{base}/voicemail/recorded" if settings.transcribe and is_theirs else "",
        most_s=settings.voicemail_s,
        silence_s=_MESSAGE_SILENCE_S,
    )


def _asking(text: str, language: str) -> tuple[str, str]:
    """What is said before the tone, and after it to whoever said nothing."""
    return f"{text} {phrase(language, 'voice_leave')}".strip(), phrase(language, "voice_not_left")


async def action(call: Call) -> Answer:
    """A session of ConversationRelay is over: we ended it, the caller hung up, or the line broke and we go on."""
    fields = dict(call.request.form)
    if fields.get("SessionStatus") == "ended":
        if relay.reason(fields.get("HandoffData", "")) == "voicemail":
            return await take_message(call, language=await call.exchange.language(call.account, call.ring))
        waits = await call.exchange.waits(call.account, call.ring)
        return codec.hang_up() if waits is None else put_in_line(call, replace(waits, text=""))
    if fields.get("SessionStatus") != "failed" or call.ring.status in codec.ENDED:
        # Whether Twilio tells so of a call that it has just moved, since somebody took it, is not confirmed.
        if call.ring.status not in codec.ENDED and await call.exchange.waits(call.account, call.ring) is not None:
            return codec.nothing()
        await call.exchange.hang_up(call.account, call.ring)
        return codec.nothing()
    is_hopeless = fields.get("ErrorCode") in _HOPELESS
    speech, mode = await call.exchange.go_on(call.account, call.ring, is_hopeless=is_hopeless)
    log.warning("line broke", call=call.ring.sid, code=fields.get("ErrorCode", "")[:10], goes_on=mode)
    return await speak(call, speech, mode)


async def streamed(call: Call) -> Answer:
    """The sound of a call goes through us no more: we sent it here, or the socket broke and it goes on in a simpler way."""
    if call.ring.status in codec.ENDED:
        await call.exchange.hang_up(call.account, call.ring)
        return codec.nothing()
    speech, is_heard = await call.exchange.after_stream(call.account, call.ring)
    if not is_heard:
        log.warning("line broke", call=call.ring.sid, goes_on="gather")
        return await _ask(call, speech)
    if speech.transfer:
        return put_in_line(call, replace(speech, text=""))
    return await take_message(call, language=speech.language) if speech.then else codec.hang_up()


def put_in_line(call: Call, speech: Speech) -> Answer:
    """Say it and let the caller wait for a person."""
    return in_line(call.base, speech.transfer, speech.text, codec.locale(speech.language))


def in_line(base: str, wait: str, text: str, language: str, file: str = "") -> Answer:
    """Say it and let them wait in that line (`gateway.voice.transfer`)."""
    hold, over = f"{base}/hold?wait={wait}&n=0", f"{base}/hold/over?wait={wait}"
    return lines.enqueue(text, wait, wait=hold, action=over, language=language, file=file)


async def speak(call: Call, speech: Speech, mode: calls.Mode) -> Answer:
    """Say it in that mode, and whatever comes after it."""
    if mode == "stream" and speech.listen is not None:
        return _stream(call, speech)
    return await _relay(call, speech) if mode == "relay" else await _ask(call, speech)


async def _ask(call: Call, speech: Speech) -> Answer:
    """Say it and listen, pass the caller on, or hang up."""
    silence_s = call.exchange.house.settings.voice.silence_s
    if speech.then:
        return await take_message(call, speech.text, language=speech.language)
    begun_s = call.exchange.monotonic_s()
    file = await call.exchange.house.speech.file(call.account, call.ring.sid, speech.text, speech.language)
    if speech.waits:
        heard = 1 if speech.text else 0  # what the bot has said is the first word for who waits
        url, language = _waits(call, speech.turn, heard, speech.language), codec.locale(speech.language)
        return codec.wait(speech.text, again=url, language=language, file="" if file is None else file.url)
    port = GatherPort(call.base, codec.locale(speech.language), silence_s)
    if file is not None:
        port.file, port.sound = file.url, f"{file.source}.{round((call.exchange.monotonic_s() - begun_s) * 1000)}"
    await play(port, speech)
    return port.answer


def _timing(request: Request) -> calls.Timing | None:
    """How long the sound took of what they answer; it stands in the address of the answer, since the next request is when
    something is written of the call, in whichever process.
    """
    found = _SOUND.fullmatch(request.query.get("sound", ""))
    if found is None:
        return None
    return calls.Timing(sound_ms=int(found[2]), source="kept" if found[1] == "kept" else "made")


def _stream(call: Call, speech: Speech) -> Answer:
    """Open the socket; the first words are said over it."""
    socket = f"wss://{call.base.partition('://')[2]}/stream/{quote(call.account_sid, safe='')}"
    return stream.connect(
        call.ring,
        url=socket,
        broken=f"{call.base}/streamed",
        words=phrase(speech.language, "voice_moment"),
        language=codec.locale(speech.language),
        turn=speech.turn,
    )


async def _relay(call: Call, speech: Speech) -> Answer:
    """Say it and open the socket, or say it and hang up."""
    language, settings = codec.locale(speech.language), call.exchange.house.settings.voice
    if speech.then:
        return await take_message(call, speech.text, language=speech.language)
    if speech.transfer:
        return put_in_line(call, speech)
    if speech.listen is None:
        return codec.goodbye(speech.text, language=language)
    own = await call.exchange.house.speech.voices_at_twilio(call.account)
    business = await call.exchange.house.store.read(businesses.load, call.account.business_id)
    socket = f"wss://{call.base.partition('://')[2]}/relay?{urlencode({'account': call.account_sid})}"
    return relay.connect(
        speech.text,
        speech.listen,
        url=socket,
        action=f"{call.base}/action",
        turn=speech.turn,
        tongues=[
            _tongue(code, own, settings, is_first=not place)
            for place, code in enumerate(dict.fromkeys(map(codec.locale, (speech.language, *business.languages))))
        ],
        names=[*(one.name for one in business.services), *(one.name for one in business.staff)],
    )


def _tongue(code: str, own: Voices | None, settings: VoiceCalls, *, is_first: bool) -> relay.Tongue:
    """Who speaks that language: the bot's own voice, else that of the settings. Those of ElevenLabs speak every language; those
    of the others speak one, and one that does not suit its language ends the call, so only the `first` is spoken in it.
    """
    if own is not None and (voice := own.of(code).voice_id):
        return relay.Tongue(code, "ElevenLabs", voice)
    is_for_all = is_first or settings.provider == "ElevenLabs"
    return relay.Tongue(code, settings.provider, settings.voice if is_for_all else "")


@dataclass
class GatherPort:
    """Collects what is said and listened for into the answer to the webhook; Twilio does the rest."""

    base: str
    language: str
    silence_s: float
    file: str = ""  # what is said, as sound
    sound: str = ""  # where that came from, and how long it took
    answer: Answer = field(default_factory=codec.nothing)
    _text: str = ""

    async def say(self, text: str) -> None:
        self._text = f"{self._text} {text}".strip()

    async def listen(self, spec: Listen, turn: int) -> None:
        action = f"{self.base}/gather?turn={turn}{f'&sound={self.sound}' if self.sound else ''}"
        action += _spoken_in(self.language)
        self.answer = codec.gather(
            self._text, spec, action=action, language=self.language, silence_s=self.silence_s, file=self.file
        )

    async def transfer(self, target: str) -> None:
        self.answer = in_line(self.base, target, self._text, self.language, self.file)

    async def end(self, then: str = "") -> None:
        self.answer = codec.goodbye(self._text, language=self.language, file=self.file)


def opened(handler: Callable[[Call], Awaitable[Answer]]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler behind the check of the signature."""

    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            incoming = Request.read(request.method, request.raw_path, request.headers, await request.read())
            try:
                call = await verified(request, incoming)
            except (Forged, BadRequest) as refusal:
                voice = request.app[EXCHANGE].house.adapters["twilio", "voice"]
                await request.app[RECEIVER].refused(voice, incoming, refusal)
                raise
            answer = codec.reject() if call is None else await handler(call)
        except NOT_TAKEN as why:
            if handler is not fallback or not isinstance(why, StoreUnavailable):
                return turned_away(request, why)
            # Nothing can be asked, not even who may call. This tells nothing and does nothing, so it goes to anybody.
            server = request.app[EXCHANGE].house.settings
            answer = sorry(server.server.public_url + PATH, server.voice)
        return web.Response(
            status=answer.status,
            body=answer.body,
            headers={"Content-Type": answer.content_type} if answer.body else None,
        )

    return answered


async def verified(request: web.Request, incoming: Request) -> Call | None:
    """The call that a request is about; None when the number is not connected.

    Raises: Forged, BadRequest, StoreUnavailable
    """
    exchange, receiver = request.app[EXCHANGE], request.app[RECEIVER]
    house = exchange.house
    adapter = house.adapters["twilio", "voice"]
    claimed = adapter.claimed_account(incoming)
    secret = await receiver.signed_by(adapter, claimed, incoming, public_urls(request))
    ring = codec.ring(incoming)
    account = await house.accounts.by_address("twilio", "voice", ring.called)
    if account is None:
        log.warning("call to a number that is not connected", call=ring.sid)
        return None
    if not account.is_opened_by(claimed, secret):
        log.warning("webhook refused", provider="twilio", account=account.id, reason="account of another")
        raise Forged("other_account")
    return Call(exchange, account, ring, incoming)
