"""Calls whose sound goes through us: what was heard is told from the samples that the telephone played."""

import asyncio
import base64
import json
from contextlib import suppress
from typing import Any
from unittest.mock import ANY

import aiohttp
import pytest
from twilio.request_validator import RequestValidator

from channels.messages import Address
from gateway.voice.door import EXCHANGE
from simulators import tones
from simulators.elevenlabs import ElevenLabsSimulator
from simulators.twilio import Call, TwilioSimulator
from simulators.twilio.voice_stream import Stream
from tests.gateway.front import OURS, SID, TOKEN, Front
from tests.gateway.voice.caller import VOICE, Caller
from tests.gateway.voice.test_relay import BOOKED, MARIA


@pytest.fixture
def mode() -> str:
    return "stream"


def _played(call: Call) -> Stream:
    assert call.stream is not None
    return call.stream


def _noise(stream: Stream) -> bool:
    """Whether there is anything beside whole letters and silence after the last interruption: a header, a click."""
    sound = bytes(stream.played[max(stream.clears, default=0) :])
    said = tones.encode(tones.decode(sound))
    return sound.replace(tones.SILENCE, b"") != said.replace(tones.SILENCE, b"")


async def _turns(desk: Front) -> list[tuple[str, str]]:
    rows = await desk.rows(
        "select t.heard, m.text from call_turns t left join messages m on m.id = t.reply_id order by t.number"
    )
    return [(heard, text) for heard, text in rows]


async def test_whoever_breaks_in_hears_no_letter_more_and_consents_to_nothing(
    desk: Front, network: TwilioSimulator
) -> None:
    before = await desk.one(BOOKED)
    call = await network.call(MARIA, OURS)
    await call.hears("two for Move a visit")
    await call.say("a haircut tomorrow at three p m")
    assert "What can I do for you? You can say" in call.transcript[0].text  # sentences as people hear them
    await call.hears("Haircut on")
    began = len(_played(call).played)
    await call.interrupt(after="Tuesday", say="yes please")
    await call.hears("once more to the end.")
    stream = _played(call)
    assert len(stream.clears) == 1
    onset = next(
        at for at in range(began, stream.clears[0], 160) if "Tuesday" in tones.decode(bytes(stream.played[began:at]))
    )
    assert (stream.clears[0] - onset) / tones.RATE <= 0.25 + 0.04  # they begin within two frames
    after = tones.decode(bytes(stream.played[stream.clears[0] :]))
    assert after.startswith("Once more") or "once more" in after[:80]
    assert await desk.one(BOOKED) == before
    heard, text = (await _turns(desk))[1]
    until = tones.decode(bytes(stream.played[: stream.clears[0]]))
    until = until[until.rindex("Haircut on") :]
    assert heard == "cut"
    assert text.startswith("Haircut on")
    assert 0 <= len(until.split()) - len(text.split()) <= 1, (until, text)
    assert any(not is_reached for _, is_reached in stream.marks)
    await call.hears("Shall I book it?")
    await call.say("yes")
    await call.hears("Booked")
    assert await desk.one(BOOKED) == before + 1
    await call.hang_up()
    async with asyncio.timeout(20):
        while not await desk.one("select heard_s from calls"):
            await asyncio.sleep(0.01)  # the socket is closed behind the call
            await desk.house.speech.write_down()
    # Three answers, and no silence between them.
    assert 3 < await desk.one("select heard_s from calls") < 12
    assert await desk.one("select sum(amount) from speech_usage where kind = 'heard'") < 12


async def test_noises_of_listening_stop_nobody_and_words_do(desk: Front, network: TwilioSimulator) -> None:
    call = await network.call(MARIA, OURS)
    await call.interrupt(after="What can I do", say="mm")
    await call.hears("two for Move a visit")
    assert _played(call).clears == []
    await call.say("book a visit")
    await call.interrupt(after="What would you", say="uh-huh")
    await call.hears("one for Haircut")  # the rest of it, whether it was held or taken up again
    await call.interrupt(after="two for", say="hair cut")
    await call.hears("which day")
    assert [input_ for (input_,) in await desk.rows("select input from call_turns order by number")] == [
        "start",
        "speech",
        "speech",
    ]
    await call.hang_up()


async def test_keys_silence_and_goodbye(desk: Front, network: TwilioSimulator, speech: ElevenLabsSimulator) -> None:
    call = await network.call(MARIA, OURS)
    await call.hears("one for Book a visit")
    await call.press("1")
    await call.hears("one for Haircut")
    await call.press("1")
    await call.hears("which day")
    for said in ("which day", "keys", "person", "Goodbye"):
        await call.hears(said)
    assert await call.ends() == "completed"
    await network.settled()
    assert await desk.rows("select silences, status, mode from calls") == [(4, "completed", "stream")]
    assert not [gap for gap in _played(call).gaps if gap]  # nothing was ever sent too late
    assert not _noise(_played(call))
    # And what every call begins with is not made again.
    made = [one.text for one in speech.spoken]
    again = await network.call("+15125550178", OURS)
    await again.hears("one for")
    assert [one.text for one in speech.spoken] == made
    assert len(set(made)) == len(made)
    assert not network.alerts
    await desk.app.shutdown()  # we are asked to stop
    await again.hears("One moment.")
    await again.hears("Sorry, we were cut off.")
    assert not desk.app[EXCHANGE].streams
    await again.hang_up()


FAULTS: dict[str, dict[str, object]] = {
    "speaking": {"http_401": 99},
    "hearing": {"scribe_error": 99, "scribe_error_type": "quota_exceeded"},
}


@pytest.mark.parametrize("what", [*FAULTS, "both ends"])
async def test_whatever_fails_the_call_goes_on_in_a_simpler_way_and_books_once(
    desk: Front, network: TwilioSimulator, speech: ElevenLabsSimulator, what: str
) -> None:
    before = await desk.one(BOOKED)
    call = await network.call(MARIA, OURS)
    await call.hears("two for Move a visit")
    await call.say("a haircut tomorrow at three p m")
    await call.hears("Shall I book it?")
    for name, value in FAULTS.get(what, {}).items():
        setattr(speech.faults, name, value)
    if what == "both ends":
        (port,) = desk.app[EXCHANGE].streams.values()
        port.socket._req.transport.abort()  # type: ignore[union-attr]
    else:
        await call.say("yes")
    await call.hears("Sorry, we were cut off.")
    # Only where nobody of ours could tell Twilio to go on, it waits until somebody may be there again.
    assert ("One moment." in call.heard) == (what == "both ends")
    await call.hears("What name" if what == "speaking" else "Shall I book it?")
    if what != "speaking":
        await call.say("yes")
        await call.hears("What name")
    await call.say("Maria")
    await call.hears("anything else")
    assert await desk.one(BOOKED) == before + 1
    assert await desk.rows("select mode from calls") == [("gather",)]
    await call.hang_up()


@pytest.mark.parametrize("most", [0, 1])
async def test_one_call_too_many_is_answered_in_a_simpler_way(desk: Front, network: TwilioSimulator, most: int) -> None:
    object.__setattr__(desk.house.settings.voice, "streams_max", most)
    calls: list[Call] = []
    for number in range(most + 1):
        calls.append(await network.call(f"+1512555018{number}", OURS))
        await calls[-1].hears("two for Move a visit")
    assert [call.stream is not None for call in calls] == [True] * most + [False]
    await calls[-1].say("book a visit")
    await calls[-1].hears("one for Haircut")
    for call in calls:
        await call.hang_up()
    assert not desk.app[EXCHANGE].streams


async def test_a_stream_opens_to_twilio_alone_and_bears_what_it_does_not_know(desk: Front) -> None:
    caller = Caller(desk)
    await caller.post(VOICE)
    stream = caller.twiml.find("Connect/Stream")
    assert stream is not None
    assert "?" not in stream.attrib["url"]
    told = {one.attrib["name"]: one.attrib["value"] for one in stream}
    assert told == {"turn": "0", "to": OURS, "from": caller.number}
    for token, account in (("another", SID), ("another", "AC" + "9" * 32)):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await _connect(desk, token, account)
        assert refused.value.status == 403
    other = await _connect(desk)
    await other.send_str(json.dumps({"event": "media", "media": {"payload": ""}}))
    await other.send_str("{")
    assert (await other.receive()).type is aiohttp.WSMsgType.CLOSE
    socket = await _begun(desk, caller)
    for odd in ("{", "[]", '{"event":"new"}', '{"event":"media","media":{"payload":"%"}}', '{"event":"mark"}'):
        await socket.send_str(odd)
    heard = b""
    while len(heard) < 18 * 160:
        message = json.loads(await asyncio.wait_for(socket.receive_str(), 5))
        if message["event"] == "media":
            heard += base64.b64decode(message["media"]["payload"])
    assert tones.decode(heard) == "Hi, t"
    await socket.send_str("x" * 70_000)
    while (message := await socket.receive()).type is not aiohttp.WSMsgType.CLOSE:
        # Nothing more is sent ahead of the caller, of whom no frame has come.
        assert json.loads(message.data)["event"] == "mark"


async def test_who_waits_hears_so_once_each_and_what_comes_late_changes_nothing(desk: Front) -> None:
    # In the time of the call: each can be said before the next is due.
    for name, value in {"moment_s": 0.1, "still_s": 3.0, "slow_s": 6.0}.items():
        object.__setattr__(desk.house.settings.voice, name, value)
    caller = Caller(desk)
    await caller.post(VOICE)
    tenant_id, account_id = (await desk.rows("select tenant_id, account_id from calls"))[0]
    line = _Line(await _begun(desk, caller))
    await line.hears("What can I do for you?")
    async with desk.house.order.turn(tenant_id, (account_id, Address("phone", caller.number))):
        line.said += tones.encode("book a visit") + tones.SILENCE * tones.RATE
        for filler in ("One moment.", "I'm still looking.", "I'm sorry, this takes longer"):
            await line.hears(filler)
    await line.hears("What would you like to book?")
    heard = tones.decode(bytes(line.heard))
    for filler in ("One moment.", "I'm still looking.", "I'm sorry, this takes longer"):
        assert heard.count(filler) == 1  # and whole: never two over one another
    # All marks once more, in another order, and some that nobody set.
    for name in (*reversed(line.marks), "99:160", "1:999999", "1", ":"):
        await line.send("mark", mark={"name": name})
    await line.send("connected")
    await line.hears("one for")
    assert await _turns(desk) == [("cut", ANY), ("unknown", ANY)]
    await line.key("1")
    await line.hears("which day")
    assert [heard for heard, _ in await _turns(desk)] == ["cut", "cut", "unknown"]
    # Words that began before a key and end after it are no answer to what comes of the key.
    await line.hears("suits you")
    line.said += tones.encode("tomorrow at three in the afternoon")
    await line.feeds(40)
    await line.key("3")
    await line.hears("eleven thirty a m.")
    rows = "select t.input, m.text from call_turns t left join messages m on m.id = t.message_id order by t.number"
    assert (await desk.rows(rows))[-1] == ("digits", "Wednesday, March 4")
    await line.send("stop", stop={"accountSid": SID, "callSid": caller.sid})
    for event in ("mark", "media", "stop"):
        await line.send(event, mark={"name": line.marks[-1]}, media={"payload": ""})
    assert [heard for heard, _ in await _turns(desk)][:2] == ["cut", "cut"]


class _Line:
    """A telephone by hand: each frame that it makes lets it hear one, and what it has heard is told back by marks."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self.said = b""
        self.heard = bytearray()
        self.marks: list[str] = []

    async def hears(self, words: str) -> None:
        begin = len(self.heard)
        async with asyncio.timeout(20):
            while words not in tones.decode(bytes(self.heard[max(begin, len(self.heard) - 3 * tones.RATE) :])):
                await self.feeds(8)

    async def feeds(self, frames: int) -> None:
        for _ in range(frames):
            frame, self.said = self.said[:160].ljust(160, tones.SILENCE), self.said[160:]
            await self.send("media", media={"track": "inbound", "payload": base64.b64encode(frame).decode()})
        with suppress(TimeoutError):
            await self._takes()

    async def key(self, digit: str) -> None:
        await self.send("dtmf", dtmf={"track": "inbound_track", "digit": digit})

    async def send(self, event: str, **more: object) -> None:
        if not self._socket.closed:
            await self._socket.send_str(json.dumps({"event": event, "streamSid": "MZ1", **more}))

    async def _takes(self) -> None:
        while True:
            message = json.loads(await self._socket.receive_str(timeout=0.002))
            if message["event"] == "media":
                self.heard += base64.b64decode(message["media"]["payload"])
            elif message["event"] == "mark":
                self.marks.append(message["mark"]["name"])
                await self.send("mark", mark=message["mark"])


async def _begun(desk: Front, caller: Caller) -> Any:
    """The stream of a call that has rung."""
    told = {one.attrib["name"]: one.attrib["value"] for one in caller.twiml.iter("Parameter")}
    start = {"accountSid": SID, "streamSid": "MZ1", "callSid": caller.sid, "customParameters": told}
    socket = await _connect(desk)
    for message in ({"event": "connected"}, {"event": "start", "streamSid": "MZ1", "start": start}):
        await socket.send_str(json.dumps(message))
    return socket


async def _connect(desk: Front, token: str = TOKEN, account: str = SID) -> Any:
    path = f"{VOICE}/stream/{account}"
    signed = RequestValidator(token).compute_signature(f"wss://{desk.url.partition('://')[2]}{path}", {})
    return await desk.http.ws_connect(desk.url + path, headers={"X-Twilio-Signature": signed})
