"""ConversationRelay: what goes over the socket, and what the caller hears of it."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest
from aiohttp import web
from twilio.request_validator import RequestValidator

from simulators.clock import HandClock
from simulators.twilio import Account, Call, Number, TwilioSimulator
from tests.simulators.bot import ACCOUNT, ANNA, NUMBER, TOKEN, Bot
from tests.simulators.socket_bot import PUBLIC, Json, SocketBot

RELAY = "wss://bot.example.com/relay"


async def _receptionist(socket: web.WebSocketResponse, message: Json) -> None:
    """Answers what is said; certain words make it do certain things."""

    async def say(*tokens: str, **more: object) -> None:
        for token in tokens[:-1]:
            await socket.send_json({"type": "text", "token": token, "last": False, **more})
        await socket.send_json({"type": "text", "token": tokens[-1], "last": True, **more})

    said = message.get("voicePrompt", "").lower() if message.get("last", True) else ""
    if message["type"] == "dtmf":
        await say(f"You pressed {message['digit']}.")
    elif "tuesday" in said:
        await say("We have ", "three o'clock ", "or half past four.")
    elif "quietly" in said:
        await say("Please listen ", "to the end of this.", interruptible=False)
    elif "jam" in said:
        await say("Let me look ", "that up for you.", preemptible=True)
        await say("Here it is.")
    elif "person" in said:
        await socket.send_json({"type": "end", "handoffData": '{"reason":"person"}'})
    elif "drop" in said:
        await socket.close()
    elif "nonsense" in said:
        for _ in range(10):
            await socket.send_json({"type": "shout", "token": "no"})
    elif "bye" in said:
        await say("Bye to you.")
    elif "spanish" in said:
        await socket.send_json({"type": "language", "ttsLanguage": "es-US", "transcriptionLanguage": "es-US"})
        await say("Hola.")


@pytest.fixture
async def far() -> AsyncIterator[SocketBot]:
    async with SocketBot(_receptionist) as running:
        yield running


@pytest.fixture
async def sim(bot: Bot, far: SocketBot, hand_clock: HandClock) -> AsyncIterator[TwilioSimulator]:
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


async def _call(bot: Bot, sim: TwilioSimulator, attributes: str = "", *, greeting: str = "Hello!") -> Call:
    bot.answers |= {
        "/voice": '<Response><Connect action="/ended">'
        f'<ConversationRelay url="{RELAY}" welcomeGreeting="{greeting}" {attributes}>'
        '<Language code="es-US"/><Parameter name="tenant" value="lakeside"/></ConversationRelay></Connect></Response>',
        "/ended": "<Response><Say>That was it.</Say></Response>",
    }
    call = await sim.call(ANNA, NUMBER)
    if greeting:
        await call.hears(greeting)
    return call


async def test_a_caller_talks_and_is_handed_over(bot: Bot, far: SocketBot, sim: TwilioSimulator) -> None:
    call = await _call(bot, sim, 'dtmfDetection="true" events="speaker-events tokens-played" partialPrompts="true"')
    await call.say("A haircut on Tuesday, please.")
    await call.hears("We have three o'clock or half past four.")
    await call.press("2")
    await call.hears("You pressed 2.")
    await call.say("In Spanish, please.")
    await call.hears("Hola.")
    await call.say("A person, please.")
    await call.hears("That was it.")
    assert await call.ends() == "completed"
    (upgrade,) = far.upgrades
    assert RequestValidator(TOKEN).validate(RELAY, {}, upgrade["x-twilio-signature"])
    assert far.seen[0] == {
        "type": "setup",
        "sessionId": call.relay.sid if call.relay else "",
        "accountSid": ACCOUNT,
        "parentCallSid": "",
        "callSid": call.sid,
        "from": ANNA,
        "to": NUMBER,
        "forwardedFrom": "",
        "callType": "PSTN",
        "callerName": "",
        "direction": "inbound",
        "callStatus": "RINGING",
        "customParameters": {"tenant": "lakeside"},
    }
    prompts = [(one["voicePrompt"], one["lang"], one["last"]) for one in far.of("prompt")]
    assert prompts == [
        ("A haircut", "en-US", False),
        ("A haircut on Tuesday, please.", "en-US", True),
        ("In", "en-US", False),
        ("In Spanish, please.", "en-US", True),
        ("A", "es-US", False),
        ("A person, please.", "es-US", True),
    ]
    played = [one["value"] for one in far.of("info") if one["name"] == "tokensPlayed"]
    assert "".join(played).startswith("Hello!We have three o'clock or half past four.You pressed 2.")
    (ended,) = bot.at("/ended")
    assert (ended.form["SessionStatus"], ended.form["HandoffData"]) == ("ended", '{"reason":"person"}')
    assert (ended.form["SessionId"], ended.form["CallStatus"]) == (far.seen[0]["sessionId"], "in-progress")
    assert not sim.alerts


async def test_an_interruption_tells_what_was_heard(bot: Bot, far: SocketBot, sim: TwilioSimulator) -> None:
    call = await _call(bot, sim, 'ignoreBackchannel="true"')
    await call.say("Tuesday?")
    await call.interrupt(after="We", say="Mm-hm.")
    await call.interrupt(after="three", say="Quietly, please.")
    (interrupt,) = far.of("interrupt")
    heard = "We have three"
    assert interrupt == {
        "type": "interrupt",
        "utteranceUntilInterrupt": heard,
        "durationUntilInterruptMs": round(len(f"{heard} ") / 15 * 1000),
    }
    # What must not be interrupted is not, and nothing that was said into it is reported.
    await call.interrupt(after="Please listen", say="Tuesday?")
    await call.hears("to the end of this.")
    assert len(far.of("interrupt")) == 1
    assert [one["voicePrompt"] for one in far.of("prompt")] == ["Tuesday?", "Quietly, please."]
    await call.say("Jam.")
    await call.hears("Here it is.")
    assert "that up for you" not in call.heard
    assert next(line.text.strip() for line in call.transcript if line.is_cut) == heard
    await call.hang_up()
    (ended,) = bot.at("/ended")
    assert (ended.form["SessionStatus"], ended.form["CallStatus"]) == ("completed", "completed")


@pytest.mark.parametrize(
    ("setting", "does", "reported", "is_cut"),
    [
        ('interruptible="any"', "speech", True, True),
        ('interruptible="dtmf"', "speech", False, False),
        ('interruptible="none" reportInputDuringAgentSpeech="speech"', "speech", True, False),
        ('dtmfDetection="true" interruptible="dtmf"', "dtmf", True, True),
        ('dtmfDetection="true" interruptible="speech"', "dtmf", False, False),
        ('dtmfDetection="true" interruptible="none" reportInputDuringAgentSpeech="any"', "dtmf", True, False),
        ('interruptible="any"', "dtmf", False, True),
    ],
)
async def test_who_may_interrupt_and_who_is_reported(
    bot: Bot, far: SocketBot, sim: TwilioSimulator, setting: str, does: str, reported: bool, is_cut: bool
) -> None:
    call = await _call(bot, sim, setting)
    await call.say("Tuesday")
    await call.hears("We")
    before = len(far.seen)
    if does == "speech":
        await call.interrupt(after="have", say="Stop.")
    else:
        await call.hears("have")
        await call.press("1")
    if not is_cut:
        await call.hears("half past four.")
    await call.say("Bye.")
    await call.hears("Bye to you.")
    kinds = [one["type"] for one in far.seen[before:] if one.get("voicePrompt") != "Bye."]
    assert kinds == ["interrupt"] * is_cut + ["prompt" if does == "speech" else "dtmf"] * reported
    await call.hang_up()


async def test_a_lost_socket_fails_the_session_or_is_opened_again(
    bot: Bot, far: SocketBot, sim: TwilioSimulator
) -> None:
    call = await _call(bot, sim)
    await call.say("drop")
    await call.hears("That was it.")
    assert bot.at("/ended")[0].form["ErrorCode"] == "64105"
    await call.ends()
    call = await _call(bot, sim, 'applicationReconnect="true"')
    await call.say("drop")
    await call.silence(0.1)
    await call.say("Tuesday")
    await call.hears("half past four")
    await call.hang_up()
    setups = far.of("setup")
    assert len(setups) == 3
    assert setups[1]["sessionId"] == setups[2]["sessionId"] != setups[0]["sessionId"]
    far.refuses = 403
    call = await _call(bot, sim, greeting="")
    await call.hears("That was it.")
    assert (bot.at("/ended")[-1].form["SessionStatus"], bot.at("/ended")[-1].form["ErrorCode"]) == ("failed", "64102")


async def test_a_caller_on_hold_does_not_hurry_another_who_is_being_answered(
    bot: Bot, far: SocketBot, sim: TwilioSimulator
) -> None:
    async def slowly(socket: web.WebSocketResponse, message: Json) -> None:
        if message["type"] == "prompt":
            await asyncio.sleep(0.02)  # real: an application that has to think
        await _receptionist(socket, message)

    far.script = slowly
    call = await _call(bot, sim)
    bot.answers["/voice"] = "<Response><Enqueue>help</Enqueue></Response>"
    held = await sim.call("+15551230009", NUMBER)
    began_at = sim.clock()
    await call.say("Tuesday")
    await call.hears("half past four.")
    assert (sim.clock() - began_at).total_seconds() < 5
    await call.hang_up()
    await held.hang_up()


async def test_what_the_relay_does_not_understand_is_an_error_and_ten_times_the_end(
    bot: Bot, far: SocketBot, sim: TwilioSimulator
) -> None:
    call = await _call(bot, sim)
    await call.say("nonsense")
    await call.hears("That was it.")
    assert [one["description"] for one in far.of("error")] == ["Invalid message received: unknown type 'shout'"] * len(
        far.of("error")
    )
    assert [alert.code for alert in sim.alerts] == [64107] * 10 + [64105]
    await call.ends()
    bad = await _call(bot, sim, 'ttsProvider="Google" voice="UgBBYS2sOqTuMpoF3BR0"', greeting="")
    await bad.hears("That was it.")
    assert sim.alerts[-1].code == 64101
