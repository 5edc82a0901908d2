"""<ConversationRelay>: Twilio hears and speaks, the application exchanges text over a WebSocket."""

import asyncio
import json
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from simulators.twilio import signing
from simulators.twilio.voice_call import Call, Stopped
from simulators.twilio.voice_model import LETTERS_A_SECOND, Input, Presses, Says, Starts
from simulators.twilio.voice_twiml import Verb

Listen = Callable[[Call, str], Awaitable[tuple[str, float] | None]]

_MOST_MALFORMED, _MOST_RECONNECTS, _MOST_BUFFERED = 10, 3, 500
_BACKCHANNEL = re.compile(r"(uh[- ]?huh|m+[- ]?h?m+|okay|ok|yeah|right|i see)[.!,]?", re.IGNORECASE)
_FIELDS: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "text": {
        "token": (str,),
        "last": (bool,),
        "lang": (str,),
        "interruptible": (bool, str),
        "preemptible": (bool,),
    },
    "play": {"source": (str,), "loop": (int,), "interruptible": (bool, str), "preemptible": (bool,)},
    "sendDigits": {"digits": (str,)},
    "language": {"ttsLanguage": (str,), "transcriptionLanguage": (str,)},
    "end": {"handoffData": (str,)},
}
_REQUIRED = {"text": "token", "play": "source", "sendDigits": "digits"}


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    turn: int
    seconds: float
    interruptible: str
    is_preemptible: bool


async def relay(call: Call, verb: Verb, listen: Listen) -> dict[str, str]:
    """Run a session to its end; the parameters of the action.

    Raises:
        Stopped: the REST API has sent the call elsewhere. (After a hang-up there is a result all the same.)
    """
    session = Relay(call, verb, listen)
    started_at = call.network.clock()
    result = await session.run()
    duration_s = round((call.network.clock() - started_at).total_seconds())
    return {"SessionId": session.sid, "SessionDuration": str(duration_s), **result}


class Relay:
    """One session. It is `call.relay` while it runs and afterwards, with everything that went over the socket."""

    def __init__(self, call: Call, verb: Verb, listen: Listen) -> None:
        self.sid = "VX" + call.network.new_id()
        self.sent: list[dict[str, object]] = []  # to the application
        self.received: list[object] = []  # from it
        self.verb = verb
        self.tts_language = verb.get("ttsLanguage") or verb.get("language", "en-US")
        self.spoken_language = verb.get("transcriptionLanguage") or verb.get("language", "en-US")
        self.digits_played = ""
        self.connections = 0
        self._call, self._listen = call, listen
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._queue: deque[_Word] = deque()
        self._turn = 0  # a turn is what is between two `last`
        self._is_open = False
        self._is_sounding = False  # as the application was told
        self._news = asyncio.Event()
        self._cut = asyncio.Event()
        self._now: _Word | None = None
        self._heard = ""  # of the turn that is being spoken
        self._turn_began = call.network.clock()
        self._place: int | None = None
        self._spoken_turn = -1
        self._malformed = 0
        self._ending: dict[str, str] | None = None
        self._outbox: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self._began_during_speech = False
        call.relay = self

    async def run(self) -> dict[str, str]:
        call = self._call
        if (fault := _mismatch(self.verb)) is not None:
            call.warn(64101, fault, self.verb.get("url"))
            return _failed(64101, fault)
        if greeting := self.verb.get("welcomeGreeting"):
            self._say(greeting, self.verb.get("welcomeGreetingInterruptible", "any"), is_preemptible=False)
            self._turn += 1
        call.listening = self.verb.attributes
        speaker = asyncio.create_task(self._speaks())
        try:
            return await self._sessions()
        except Stopped:
            if call.moved is not None:
                raise
            return {"SessionStatus": "completed"}
        finally:
            call.listener, call.listening, call.is_speaking = None, {}, False
            speaker.cancel()
            await asyncio.gather(speaker, return_exceptions=True)
            if self._socket is not None:
                await self._socket.close()

    async def _sessions(self) -> dict[str, str]:
        """Connect, again and again if the TwiML says so."""
        call, url = self._call, self.verb.get("url")
        for _ in range(_MOST_RECONNECTS + 1):
            call.check()
            socket = await self._connect(url)
            if socket is None:
                if self.connections and self.verb.is_on("applicationReconnect"):
                    await call.lasts(1)
                    continue
                break
            self._socket = socket
            self.connections += 1
            await self._converse(socket)
            if self._ending is not None:
                return self._ending
            call.warn(64105, f"the WebSocket ended ({socket.close_code})", url)
            if not self.verb.is_on("applicationReconnect"):
                break
        if not self.connections:
            return _failed(64102, "cannot connect to the WebSocket")
        return _failed(64105, "the WebSocket ended")

    async def _connect(self, url: str) -> aiohttp.ClientWebSocketResponse | None:
        network = self._call.network
        token = network.accounts[self._call.account_sid].auth_token
        key = f"not {token}" if network.dice.strikes("bad_signature") else token
        signed = signing.with_port(url) if network.dice.strikes("sign_with_port") else url
        try:
            with network.time.owing():
                return await network.session().ws_connect(
                    network.reached(url),
                    headers={"x-twilio-signature": signing.signature(key, signed), "Host": urlsplit(url).netloc},
                    timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            self._call.warn(64102, f"no WebSocket: {type(error).__name__}", url)
            return None

    async def _converse(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        call = self._call
        await socket.send_json(self._setup())
        call.listener = self._take
        call.network.time.touch()
        reader = asyncio.create_task(self._reads(socket))
        writer = asyncio.create_task(self._writes(socket))
        closed = asyncio.Event()
        reader.add_done_callback(lambda _: closed.set())
        try:
            await call.event(closed)
        except Stopped:
            if not self._outbox.empty():
                await asyncio.sleep(0)  # what was said before still goes out
            raise
        finally:
            reader.cancel()
            writer.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    def _setup(self) -> dict[str, object]:
        call = self._call
        parameters = {one.get("name"): one.get("value") for one in self.verb.inside if one.name == "Parameter"}
        message: dict[str, object] = {
            "type": "setup",
            "sessionId": self.sid,
            "accountSid": call.account_sid,
            "parentCallSid": call.parent.sid if call.parent else "",
            "callSid": call.sid,
            "from": call.sender,
            "to": call.to,
            "forwardedFrom": call.extra.get("ForwardedFrom", ""),
            "callType": "PSTN",
            "callerName": call.extra.get("CallerName", ""),
            "direction": call.direction,
            "callStatus": "RINGING",
            "customParameters": parameters,
        }
        self.sent.append(message)
        return message

    # From the caller to the application.

    def _take(self, what: Input) -> None:
        speaking = self._now is not None or bool(self._queue) or self._is_open
        stopper = self._now.interruptible if self._now else self.verb.get("interruptible", "any")
        report = self.verb.get("reportInputDuringAgentSpeech", "none")
        if isinstance(what, Presses):
            is_stopped = speaking and _may("dtmf", stopper)
            if self.verb.is_on("dtmfDetection") and (not speaking or is_stopped or _may("dtmf", report)):
                if is_stopped:
                    self._interrupt()
                self._send({"type": "dtmf", "digit": what.key})
            elif is_stopped:
                self._interrupt()
        elif self.verb.is_on("ignoreBackchannel") and speaking and _BACKCHANNEL.fullmatch(what.text.strip()):
            return
        elif isinstance(what, Starts):
            self._inform("clientSpeaking", "on")
            self._began_during_speech = speaking and not _may("speech", stopper)
            if speaking and _may("speech", stopper):
                self._interrupt()
        elif isinstance(what, Says):
            self._inform("clientSpeaking", "off")
            if what.text and (not self._began_during_speech or _may("speech", report)):
                words = what.text.split()
                if self.verb.is_on("partialPrompts") and len(words) > 1:
                    self._prompt(" ".join(words[: len(words) // 2]), is_last=False)
                self._prompt(what.text, is_last=True)

    def _prompt(self, text: str, *, is_last: bool) -> None:
        self._send({"type": "prompt", "voicePrompt": text, "lang": self.spoken_language, "last": is_last})

    def _interrupt(self) -> None:
        """Stop speaking, and tell what was heard of the turn."""
        heard_ms = round((self._call.network.clock() - self._turn_began).total_seconds() * 1000)
        if self._place is not None and self._heard:
            self._call.cut_line(self._place)
        heard = self._heard if self._now is not None else ""
        self._queue.clear()
        self._cut.set()
        self._heard = ""
        self._place = None
        self._spoken_turn = -1
        self._is_open = False
        self._turn += 1
        self._send(
            {
                "type": "interrupt",
                "utteranceUntilInterrupt": heard.strip(),
                "durationUntilInterruptMs": heard_ms if heard else 0,
            }
        )

    def _send(self, message: dict[str, object]) -> None:
        """In order, and kept while there is no socket."""
        if self._outbox.qsize() < _MOST_BUFFERED:
            self._outbox.put_nowait(message)

    def _inform(self, name: str, value: str) -> None:
        events = self.verb.get("events").split()
        if ("tokens-played" if name == "tokensPlayed" else "speaker-events") in events:
            self._send({"type": "info", "name": name, "value": value})

    async def _writes(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            message = await self._outbox.get()
            self.sent.append(message)
            await socket.send_json(message)

    # From the application to the caller.

    async def _reads(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            message: object = None
            if frame.type is aiohttp.WSMsgType.TEXT:
                try:
                    message = json.loads(frame.data)
                except ValueError:
                    message = frame.data
            self.received.append(message)
            fault = _fault(message, takes_config=self._call.network.relay_takes_config)
            if fault is None and isinstance(message, dict):
                self._malformed = 0
                await self._obey(message)
                if self._ending is not None:
                    return
                continue
            self._malformed += 1
            self._call.warn(64107, fault or "", self.verb.get("url"))
            if self._malformed >= _MOST_MALFORMED:
                await socket.close(code=1007, message=b"Too many consecutive malformed messages")
                return
            self._send({"type": "error", "description": f"Invalid message received: {fault}"})

    async def _obey(self, message: dict[str, object]) -> None:
        stops = str(message.get("interruptible", self.verb.get("interruptible", "any"))).lower()
        preemptible = bool(message.get("preemptible", self.verb.is_on("preemptible")))
        kind = message["type"]
        if kind == "text":
            self._preempt()
            self._say(str(message["token"]), stops, is_preemptible=preemptible)
            self._is_open = not message.get("last", False)
            if not self._is_open:
                self._turn += 1
            self._news.set()
        elif kind == "play":
            self._preempt()
            heard = await self._listen(self._call, str(message["source"]))
            if heard is not None:
                text, seconds = heard
                for _ in range(_count(message.get("loop", 1))):
                    self._queue.append(_Word(text, self._turn, seconds, stops, preemptible))
                self._turn += 1
            self._news.set()
        elif kind == "sendDigits":
            self.digits_played += str(message["digits"])
        elif kind == "language":
            self.tts_language = str(message.get("ttsLanguage", self.tts_language))
            self.spoken_language = str(message.get("transcriptionLanguage", self.spoken_language))
        elif kind == "end":
            self._ending = {"SessionStatus": "ended"}
            if "handoffData" in message:
                self._ending["HandoffData"] = str(message["handoffData"])
        else:
            self._send({"type": "configUpdated"})
        self._call.is_speaking = self._now is not None or bool(self._queue) or self._is_open
        self._call.network.time.touch()

    def _preempt(self) -> None:
        """A new turn cuts off one that allows it."""
        if self._is_open:
            return
        if self._now is not None and self._now.is_preemptible:
            self._cut.set()
            if self._place is not None:
                self._call.cut_line(self._place)
        while self._queue and self._queue[0].is_preemptible:
            self._queue.popleft()

    def _say(self, token: str, stops: str, *, is_preemptible: bool) -> None:
        # Word by word, spaces kept: a stream that was trimmed is heard as one long word.
        for word in re.findall(r"\s*\S+\s*|\s+", token):
            self._queue.append(_Word(word, self._turn, len(word) / LETTERS_A_SECOND, stops, is_preemptible))
        self._news.set()

    async def _speaks(self) -> None:
        """Let the caller hear what is queued."""
        call = self._call
        while True:
            while not self._queue:
                if call.is_speaking and not self._is_open:
                    call.is_speaking = self._is_sounding = False
                    self._inform("agentSpeaking", "off")
                    call.network.time.touch()
                self._news.clear()
                await self._news.wait()
            word = self._queue.popleft()
            if not self._is_sounding:
                self._inform("agentSpeaking", "on")
            call.is_speaking = self._is_sounding = True
            self._cut.clear()
            if word.turn != self._spoken_turn or self._place is None:
                self._spoken_turn, self._place, self._heard = word.turn, call.begin_line(), ""
                self._turn_began = call.network.clock()
            place = self._place
            self._now = word
            try:
                is_whole = await call.lasts(word.seconds, self._cut)
            except Stopped:
                call.cut_line(place)
                return
            finally:
                self._now = None
            if is_whole:
                self._heard += word.text
                call.hear(word.text, place)
                self._inform("tokensPlayed", word.text)


def _may(what: str, setting: str) -> bool:
    return setting.lower() in (what, "any", "true")


def _count(loop: object) -> int:
    return (loop or 1000) if isinstance(loop, int) else 1


def _failed(code: int, text: str) -> dict[str, str]:
    return {"SessionStatus": "failed", "ErrorCode": str(code), "ErrorMessage": text}


def _fault(message: object, *, takes_config: bool) -> str | None:
    """What is wrong with a message, or None."""
    if not isinstance(message, dict):
        return "no JSON object"
    kind = message.get("type")
    if takes_config and kind in ("config", "hints"):
        return None
    if not isinstance(kind, str) or kind not in _FIELDS:
        return f"unknown type {kind!r}"
    if (required := _REQUIRED.get(kind)) is not None and required not in message:
        return f"{kind} without {required}"
    for name, value in message.items():
        if name == "type":
            continue
        types = _FIELDS[kind].get(name)
        if types is None and not (takes_config and kind == "language"):
            return f"{kind} has no field {name}"
        if types is not None and (not isinstance(value, types) or (isinstance(value, bool) and bool not in types)):
            return f"{kind}.{name} cannot be {type(value).__name__}"
    if kind == "sendDigits" and not re.fullmatch(r"[0-9w#*]+", message["digits"]):
        return "sendDigits.digits has other keys than 0-9, w, # and *"
    if kind == "play" and not re.match(r"https?://", message["source"]):
        return "play.source is no address"
    return None


def _mismatch(verb: Verb) -> str | None:
    """A voice that does not belong to its provider."""
    for one in (verb, *(inside for inside in verb.inside if inside.name == "Language")):
        provider, voice = one.get("ttsProvider", "ElevenLabs").lower(), one.get("voice")
        is_google = re.match(r"[a-z]{2,3}-[A-Z]{2}-", voice) is not None
        is_eleven = re.fullmatch(r"[A-Za-z0-9]{20}(-[\d._]+)?", voice) is not None
        if voice and (
            (provider == "elevenlabs" and not is_eleven)
            or (provider == "google" and not is_google)
            or (provider == "amazon" and (is_google or is_eleven))
        ):
            return f"the voice {voice} is none of {provider}'s"
    return None
