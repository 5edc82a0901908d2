"""<Stream> inside of <Connect>: raw sound both ways over a WebSocket, in frames of 20 ms."""

import asyncio
import base64
import binascii
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from urllib.parse import urljoin, urlsplit

import aiohttp

from simulators import tones
from simulators.twilio import signing
from simulators.twilio.voice_call import Call
from simulators.twilio.voice_model import Input, Presses, Starts
from simulators.twilio.voice_twiml import Document, Verb

FRAME = 160  # samples
FRAME_S = FRAME / tones.RATE
_LONGEST_BACKLOG_S = 600  # what Twilio would buffer at most is not published; far more than anybody means to send

_BREATH, _PAUSE = 10, 25  # frames of silence after which the caller may speak, and after which a message is over
_REST = tones.RATE // 10  # samples of silence that are the end of a sentence, and so a space

_FIELDS: dict[str, tuple[str, ...]] = {"media": ("payload",), "mark": ("name",), "clear": ()}


@dataclass(slots=True)
class _Mark:
    name: str


async def stream(call: Call, verb: Verb, document: Document) -> dict[str, str]:
    """Run a stream to its end; the parameters of the action.

    Raises:
        Stopped: the REST API has sent the call elsewhere, or the caller has hung up.
    """
    await Stream(call, verb, document).run()
    return {}


class Stream:
    """One stream. It is `call.stream` while it runs and afterwards.

    `played` is every sample that the phone has played since the stream began, silence (0xFF) included, so that its
    length is the time. `gaps` are the silences of less than half a second between two sounds, in frames: either a pause
    that was meant, or the application sent the next part too late.
    """

    def __init__(self, call: Call, verb: Verb, document: Document) -> None:
        self.sid = "MZ" + call.network.new_id()
        self.played = bytearray()
        self.marks: list[tuple[str, bool]] = []  # echoed: its name, and whether it was really reached
        self.clears: list[int] = []  # at how many samples played
        self.dropped = 0  # samples that were cleared
        self.gaps: list[int] = []
        self.received: list[object] = []
        self._call, self._verb, self._document = call, verb, document
        self._queue: deque[bytes | _Mark] = deque()
        self._speech: deque[bytes] = deque()  # the caller's, frame by frame
        self._keys: deque[str] = deque()
        self._number = 0
        self._chunk = 0
        self._is_told = False
        self._undecoded = bytearray()
        self._passed = 0  # samples without a letter, since the last one
        self._line: int | None = None
        self._quiet = 0  # frames of silence since the last sound
        call.stream = self

    async def run(self) -> None:
        call, url = self._call, self._verb.get("url")
        token = call.network.accounts[call.account_sid].auth_token
        key = f"not {token}" if call.network.dice.strikes("bad_signature") else token
        try:
            with call.network.time.owing():
                socket = await call.network.session().ws_connect(
                    call.network.reached(url),
                    headers={"x-twilio-signature": signing.signature(key, url), "Host": urlsplit(url).netloc},
                    timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            call.warn(31920, f"no WebSocket: {type(error).__name__}", url)
            self._tell("stream-error", error="31920")
            return
        self._tell("stream-started")
        await self._start(socket)
        call.listener = self._take
        call.listening = self._verb.attributes
        closed = asyncio.Event()
        reader = asyncio.create_task(self._reads(socket))
        reader.add_done_callback(lambda _: closed.set())
        try:
            began_at = call.network.clock()
            while not closed.is_set():
                await self._frame(socket)
                if self._line is not None and self._quiet:  # the rest of what it says may be on its way
                    await call.network.time.spare(FRAME_S)
                # By the clock and not by 20 ms pauses: those would add up to less than 50 frames a second.
                due = began_at + timedelta(seconds=self._chunk * FRAME_S)
                await call.network.time.sleep(max((due - call.network.clock()).total_seconds(), 0))
                call.check()
        except ConnectionResetError:
            pass  # closed by the application between two frames
        finally:
            call.listener, call.listening, call.is_speaking = None, {}, False
            self._end_line(is_cut=False)
            await self._stop(socket)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            await socket.close()
            self._tell("stream-stopped")

    async def _start(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        call = self._call
        await socket.send_json({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        parameters = {one.get("name"): one.get("value") for one in self._verb.inside if one.name == "Parameter"}
        start = {
            "accountSid": call.account_sid,
            "streamSid": self.sid,
            "callSid": call.sid,
            "tracks": ["inbound"],
            "customParameters": parameters,
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": tones.RATE, "channels": 1},
        }
        await self._send(socket, "start", {"start": start})

    async def _stop(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        stop = {"accountSid": self._call.account_sid, "callSid": self._call.sid}
        if not socket.closed:
            try:
                await self._send(socket, "stop", {"stop": stop})
            except ConnectionResetError:
                return

    async def _send(self, socket: aiohttp.ClientWebSocketResponse, event: str, more: dict[str, object]) -> None:
        self._number += 1
        await socket.send_json({"event": event, "sequenceNumber": str(self._number), "streamSid": self.sid, **more})

    # From the phone to the application.

    async def _frame(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """20 ms: one frame from the phone, and one into it."""
        while self._keys:
            dtmf = {"track": "inbound_track", "digit": self._keys.popleft()}
            await self._send(socket, "dtmf", {"dtmf": dtmf})
        self._chunk += 1
        sound = self._speech.popleft() if self._speech else tones.SILENCE * FRAME
        media = {
            "track": "inbound",
            "chunk": str(self._chunk),
            "timestamp": str(round((self._chunk - 1) * FRAME_S * 1000)),
            "payload": base64.b64encode(sound).decode(),
        }
        await self._send(socket, "media", {"media": media})
        await self._play(socket)

    def _take(self, what: Input) -> None:
        if isinstance(what, Starts):
            self.hear(tones.encode(what.text))
        elif isinstance(what, Presses):
            self._keys.append(what.key)

    def hear(self, sound: bytes) -> None:
        """The caller makes this sound (mu-law), after what they have not yet got out."""
        for at in range(0, len(sound), FRAME):
            self._speech.append(sound[at : at + FRAME].ljust(FRAME, tones.SILENCE))

    # From the application to the phone.

    async def _play(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """The next 20 ms of what is buffered; silence where there is nothing."""
        frame = bytearray()
        while self._queue and len(frame) < FRAME:
            first = self._queue.popleft()
            if isinstance(first, _Mark):
                await self._echo(socket, first, is_reached=True)
                continue
            missing = FRAME - len(frame)
            frame += first[:missing]
            if len(first) > missing:
                self._queue.appendleft(first[missing:])
        while self._queue and isinstance(mark := self._queue[0], _Mark):
            self._queue.popleft()
            await self._echo(socket, mark, is_reached=True)
        if not frame:
            self._quiet += 1
        else:
            if self._quiet and self._line is not None:
                self.gaps.append(self._quiet)
            self._quiet = 0
        self.played += frame.ljust(FRAME, tones.SILENCE)
        self._understand(bytes(frame))

    def _understand(self, frame: bytes) -> None:
        """What the caller makes of the sound: letter by letter, a line of the transcript for each message."""
        call = self._call
        was_speaking = call.is_speaking
        call.is_speaking = bool(self._queue) or (self._line is not None and self._quiet <= _BREATH)
        if frame and self._line is None:
            self._line = call.begin_line()
        self._undecoded += frame
        if self._line is not None and len(self._undecoded) >= tones.LETTER:
            text, rest = tones.decode_part(bytes(self._undecoded))
            self._passed += len(self._undecoded) - len(rest) - len(text) * tones.LETTER
            self._undecoded = bytearray(rest)
            if text:
                said = call.transcript[self._line].text
                if said and self._passed >= _REST and " " not in (said[-1], text[0]):
                    text = f" {text}"
                self._passed = 0
                call.hear(text, self._line)
        if self._quiet > _PAUSE:
            self._end_line(is_cut=False)
        if was_speaking and not call.is_speaking:
            call.network.time.touch()

    def _end_line(self, *, is_cut: bool) -> None:
        if self._line is not None and is_cut:
            self._call.cut_line(self._line)
        self._line = None
        self._undecoded.clear()
        self._passed = 0

    async def _echo(self, socket: aiohttp.ClientWebSocketResponse, mark: _Mark, *, is_reached: bool) -> None:
        self.marks.append((mark.name, is_reached))
        await self._send(socket, "mark", {"mark": {"name": mark.name}})

    async def _reads(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                self._complain(31950, "a binary frame")
                continue
            try:
                message: object = json.loads(frame.data)
            except ValueError:
                self._complain(31950, "no JSON")
                continue
            self.received.append(message)
            if (fault := _fault(message, self.sid)) is not None:
                self._complain(31951, fault)
            elif isinstance(message, dict):
                await self._obey(message, socket)

    async def _obey(self, message: dict[str, object], socket: aiohttp.ClientWebSocketResponse) -> None:
        event = message["event"]
        inner = message.get(str(event))
        if event == "media" and isinstance(inner, dict):
            sound = base64.b64decode(inner["payload"])
            if sound[:4] == b"RIFF":
                self._complain(31951, "a WAV header is heard as a click")
            if sum(len(part) for part in self._sounds()) > _LONGEST_BACKLOG_S * tones.RATE:
                self._call.warn(31931, "too much is buffered", self._verb.get("url"))
                return
            self._queue.append(sound)
            self._call.is_speaking = True
        elif event == "mark" and isinstance(inner, dict):
            mark = _Mark(inner["name"])
            if self._queue:
                self._queue.append(mark)
            else:
                await self._echo(socket, mark, is_reached=True)
        else:
            self.clears.append(len(self.played))
            waiting, self._queue = self._queue, deque()
            self.dropped += sum(len(part) for part in waiting if isinstance(part, bytes))
            if waiting:
                self._end_line(is_cut=True)
            for part in waiting:
                if isinstance(part, _Mark):
                    await self._echo(socket, part, is_reached=False)
            self._call.is_speaking = False
        self._call.network.time.touch()

    def _sounds(self) -> Iterable[bytes]:
        return (part for part in self._queue if isinstance(part, bytes))

    def _complain(self, code: int, text: str) -> None:
        """Once for each stream, as Twilio does; the message is dropped."""
        if not self._is_told:
            self._is_told = True
            self._call.warn(code, text, self._verb.get("url"))

    def _tell(self, event: str, *, error: str = "") -> None:
        if url := self._verb.get("statusCallback"):
            extra = {
                "StreamSid": self.sid,
                "StreamName": self._verb.get("name"),
                "StreamEvent": event,
                "Timestamp": format_datetime(self._call.network.clock()),
                **({"StreamError": error} if error else {}),
            }
            self._call.tell_later(
                urljoin(self._document.url, url), self._verb.get("statusCallbackMethod", "POST"), **extra
            )


def _fault(message: object, stream_sid: str) -> str | None:
    """What is wrong with a message, or None."""
    if not isinstance(message, dict):
        return "no JSON object"
    event = message.get("event")
    if not isinstance(event, str) or event not in _FIELDS:
        return f"unknown event {event!r}"
    if message.get("streamSid") != stream_sid:
        return f"{event} with a wrong streamSid"
    expected = {"event", "streamSid", *([event] if _FIELDS[event] else [])}
    if message.keys() != expected:
        return f"{event} has other fields than {', '.join(sorted(expected))}"
    for name in _FIELDS[event]:
        inner = message[event]
        if not isinstance(inner, dict) or inner.keys() != {name} or not isinstance(inner[name], str):
            return f"{event} needs {name}, and nothing else"
    if event == "media":
        try:
            base64.b64decode(message["media"]["payload"], validate=True)
        except binascii.Error:
            return "media.payload is no base64"
    return None
