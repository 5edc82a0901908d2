"""Media Streams: the frames both ways, marks, clear, and what the caller heard by the samples."""

import base64
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from aiohttp import web
from twilio.request_validator import RequestValidator

from simulators import tones
from simulators.clock import HandClock
from simulators.twilio import Account, Number, TwilioSimulator
from tests.simulators.bot import ACCOUNT, ANNA, NUMBER, TOKEN, Bot
from tests.simulators.socket_bot import PUBLIC, Json, SocketBot

MEDIA = "wss://bot.example.com/media"


class _Bot:
    """Greets, answers when somebody has spoken, and stops speaking as soon as somebody speaks."""

    def __init__(self) -> None:
        self.sid = ""
        self.heard = b""
        self.extra: list[object] = []

    async def __call__(self, socket: web.WebSocketResponse, message: Json) -> None:
        match message["event"]:
            case "start":
                self.sid = message["streamSid"]
                await self.say(socket, "Hello, Lakeside Hair.", "How can I help?")
            case "media":
                await self._listen(socket, base64.b64decode(message["media"]["payload"]))
            case "dtmf":
                if message["dtmf"]["digit"] == "9":
                    await socket.close()
                elif message["dtmf"]["digit"] == "0":
                    await socket.send_bytes(b"\0")
                    await socket.send_json({"event": "mark", "streamSid": "MZ0", "mark": {"name": "x"}})
                await self.say(socket, f"You pressed {message['dtmf']['digit']}.") if not socket.closed else None

    async def _listen(self, socket: web.WebSocketResponse, sound: bytes) -> None:
        is_speech = sound != tones.SILENCE * 160
        if is_speech and not self.heard:
            await socket.send_json({"event": "clear", "streamSid": self.sid})
        if is_speech:
            self.heard += sound
        elif self.heard:
            text, self.heard = tones.decode(self.heard), b""
            await self.say(socket, f"You said: {text}", "Right?")

    async def say(self, socket: web.WebSocketResponse, *sentences: str) -> None:
        for sentence in sentences:
            sound = base64.b64encode(tones.encode(sentence + " ")).decode()
            await self.send(socket, "media", media={"payload": sound})
            await self.send(socket, "mark", mark={"name": sentence})

    async def send(self, socket: web.WebSocketResponse, event: str, **more: Any) -> None:
        await socket.send_json({"event": event, "streamSid": self.sid, **more})


@pytest.fixture
async def far() -> AsyncIterator[SocketBot]:
    async with SocketBot(_Bot()) as running:
        yield running


@pytest.fixture
async def sim(bot: Bot, far: SocketBot, hand_clock: HandClock) -> AsyncIterator[TwilioSimulator]:
    bot.answers |= {
        "/voice": f'<Response><Connect action="/ended"><Stream url="{MEDIA}" statusCallback="/stream">'
        '<Parameter name="tenant" value="lakeside"/></Stream></Connect></Response>',
        "/ended": "<Response><Say>That was it.</Say></Response>",
    }
    async with TwilioSimulator(
        accounts=[Account(sid=ACCOUNT, auth_token=TOKEN)],
        numbers=[Number(number=NUMBER, account_sid=ACCOUNT, voice_url=f"{bot.url}/voice")],
        reach={PUBLIC: far.url},
        clock=hand_clock,
        sleep=hand_clock.sleep,
        advance=hand_clock.advance,
        rng=Random(1),
    ) as running:
        yield running
        await running.settled()


async def test_a_caller_speaks_and_is_answered_by_sound_alone(bot: Bot, far: SocketBot, sim: TwilioSimulator) -> None:
    call = await sim.call(ANNA, NUMBER)
    await call.hears("How can I help?")
    await call.say("A haircut, please.")
    await call.hears("You said: A haircut, please. Right?")
    await call.press("2")
    await call.hears("You pressed 2.")
    await call.press("9")
    await call.hears("That was it.")
    await call.ends()
    await sim.settled()
    (upgrade,) = far.upgrades
    assert RequestValidator(TOKEN).validate(MEDIA, {}, upgrade["x-twilio-signature"])
    stream = call.stream
    assert stream is not None
    connected, start, first, *_ = far.seen
    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert start == {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": stream.sid,
        "start": {
            "accountSid": ACCOUNT,
            "streamSid": stream.sid,
            "callSid": call.sid,
            "tracks": ["inbound"],
            "customParameters": {"tenant": "lakeside"},
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        },
    }
    assert (first["sequenceNumber"], first["media"]["chunk"], first["media"]["timestamp"]) == ("2", "1", "0")
    media = far.of("media")
    assert [int(one["media"]["timestamp"]) for one in media] == [20 * place for place in range(len(media))]
    assert {len(base64.b64decode(one["media"]["payload"])) for one in media} == {160}
    numbers = [int(one["sequenceNumber"]) for one in far.seen[1:]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(stream.played) // 160 - len(media) in (0, 1)  # the one that met the closed socket
    assert tones.decode(bytes(stream.played)).startswith("Hello, Lakeside Hair. How can I help?")
    assert [seen.form["StreamEvent"] for seen in bot.at("/stream")] == ["stream-started", "stream-stopped"]
    assert not sim.alerts


async def test_who_speaks_into_it_stops_the_sound_and_gets_the_marks_back(far: SocketBot, sim: TwilioSimulator) -> None:
    call = await sim.call(ANNA, NUMBER)
    await call.interrupt(after="Lakeside Hair. How", say="Tuesday!")
    await call.hears("You said: Tuesday! Right?")
    stream = call.stream
    assert stream is not None
    assert stream.marks[:2] == [("Hello, Lakeside Hair.", True), ("How can I help?", False)]
    (cleared_at, *_) = stream.clears
    begun = len(tones.encode("Hello, Lakeside Hair. How"))
    assert begun <= cleared_at <= begun + 0.25 * 8000
    assert stream.dropped > 0
    # Nothing of the old message after that: the next sound is the next message's first.
    assert tones.decode(bytes(stream.played[cleared_at:])) == "You said: Tuesday! Right?"
    assert "help" not in call.heard
    assert call.transcript[0].is_cut
    await call.hang_up()
    assert [one["event"] for one in far.seen][-1] == "stop"


async def test_what_is_no_message_is_reported_once(sim: TwilioSimulator) -> None:
    call = await sim.call(ANNA, NUMBER)
    await call.hears("help?")
    await call.press("0")
    await call.hears("You pressed 0.")
    await call.hang_up()
    assert [alert.code for alert in sim.alerts] == [31950]


async def test_a_refused_socket_leads_to_the_action(bot: Bot, far: SocketBot, sim: TwilioSimulator) -> None:
    far.refuses = 403
    call = await sim.call(ANNA, NUMBER)
    await call.hears("That was it.")
    await call.ends()
    await sim.settled()
    assert [alert.code for alert in sim.alerts] == [31920]
    assert bot.at("/stream")[0].form["StreamEvent"] == "stream-error"
