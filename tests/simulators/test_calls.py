"""Somebody calls: the webhooks that go out, the TwiML that is run, and what the caller hears and does."""

from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from twilio.request_validator import RequestValidator

from simulators import tones
from simulators.clock import HandClock
from simulators.twilio import Account, Callee, CallOver, Faults, Number, TwilioSimulator
from tests.simulators.bot import ACCOUNT, ANNA, BEN, NUMBER, TOKEN, Bot, Seen


@pytest.fixture
async def sim(bot: Bot, hand_clock: HandClock) -> AsyncIterator[TwilioSimulator]:
    """One number whose calls go to /voice, troubles to /fallback and states to /status."""
    async with TwilioSimulator(
        accounts=[Account(sid=ACCOUNT, auth_token=TOKEN)],
        numbers=[
            Number(
                number=NUMBER,
                account_sid=ACCOUNT,
                voice_url=f"{bot.url}/voice",
                voice_fallback_url=f"{bot.url}/fallback",
                voice_status_callback_url=f"{bot.url}/status",
                voice_status_events=("initiated", "ringing", "answered", "completed"),
            )
        ],
        clock=hand_clock,
        sleep=hand_clock.sleep,
        advance=hand_clock.advance,
        rng=Random(1),
    ) as running:
        yield running
        await running.settled()


def _does(*verbs: str) -> str:
    return f"<Response>{''.join(verbs)}</Response>"


def _menu(attributes: str = "", *, then: str = "") -> str:
    gather = (
        f'<Gather input="dtmf speech" action="/turn" speechTimeout="1" {attributes}><Say>Which day suits you?</Say>'
    )
    return _does("<Say>Hello, Lakeside Hair.</Say>", gather, "</Gather>", then)


async def test_a_call_is_signed_and_complete_and_its_states_are_reported(bot: Bot, sim: TwilioSimulator) -> None:
    bot.answers |= {"/voice": _menu(), "/turn": _does("<Say>Tuesday it is.</Say>", "<Hangup/>")}
    sim.phone(ANNA).city = "AUSTIN"
    call = await sim.call(ANNA, NUMBER, CallerName="ANNA")
    assert await call.hears("hello, lakeside") == "Hello, Lakeside"
    await call.hears("Which day")
    await call.say("Tuesday, please.")
    await call.hears("Tuesday it is")
    assert await call.ends() == "completed"
    await sim.settled()
    (first,) = bot.at("/voice")
    assert RequestValidator(TOKEN).validate(bot.url + first.path, first.form, first.signature)
    place = {"City": "", "State": "", "Zip": "", "Country": "US"}
    assert first.form == {
        "CallSid": call.sid,
        "AccountSid": ACCOUNT,
        "From": ANNA,
        "To": NUMBER,
        "Caller": ANNA,
        "Called": NUMBER,
        "CallStatus": "ringing",
        "Direction": "inbound",
        "ApiVersion": "2010-04-01",
        "CallerName": "ANNA",
        **{f"{who}{key}": value for who in ("To", "Called") for key, value in place.items()},
        **{f"{who}{key}": value for who in ("From", "Caller") for key, value in (place | {"City": "AUSTIN"}).items()},
    }
    (turn,) = bot.at("/turn")
    assert (turn.form["SpeechResult"], turn.form["Confidence"]) == ("Tuesday, please.", "0.9")
    states = [(seen.form["CallStatus"], seen.form["SequenceNumber"]) for seen in bot.at("/status")]
    assert states == [("initiated", "0"), ("ringing", "1"), ("in-progress", "2"), ("completed", "3")]
    assert bot.at("/status")[-1].form["CallDuration"] == str(call.duration_s)
    assert [(line.who, line.text) for line in call.transcript] == [
        ("bot", "Hello, Lakeside Hair."),
        ("bot", "Which day suits you?"),
        ("caller", "Tuesday, please."),
        ("bot", "Tuesday it is."),
    ]
    assert not sim.alerts
    with pytest.raises(CallOver):
        await call.say("Hello?")


@pytest.mark.parametrize(
    ("attributes", "does", "expected"),
    [
        ("", ("say", "Tuesday"), {"SpeechResult": "Tuesday", "Confidence": "0.9"}),
        ("", ("press", "12#"), {"Digits": "12", "FinishedOnKey": "#"}),
        ('numDigits="1"', ("press", "2"), {"Digits": "2", "FinishedOnKey": ""}),
        ('finishOnKey=""', ("press", "1#"), {"Digits": "1#", "FinishedOnKey": ""}),
        ('actionOnEmptyResult="true"', ("silence", None), {"Digits": "", "SpeechResult": ""}),
        ("", ("silence", None), None),
        ('timeout="3"', ("silence", 2.5), None),
    ],
)
async def test_gather_takes_what_comes(
    bot: Bot,
    sim: TwilioSimulator,
    attributes: str,
    does: tuple[str, str | float | None],
    expected: dict[str, str] | None,
) -> None:
    bot.answers |= {"/voice": _menu(attributes, then="<Say>I heard nothing.</Say>"), "/turn": _does("<Say>Done.</Say>")}
    call = await sim.call(ANNA, NUMBER)
    await call.hears("suits you?")
    verb, argument = does
    await getattr(call, verb)(argument)
    await call.hears("Done." if expected else "I heard nothing.")
    keys = ("Digits", "FinishedOnKey", "SpeechResult", "Confidence")
    assert [{key: seen.form[key] for key in keys if key in seen.form} for seen in bot.at("/turn")] == (
        [expected] if expected else []
    )
    await call.hang_up()


async def test_a_caller_cuts_a_prompt_off_unless_it_may_not(bot: Bot, sim: TwilioSimulator) -> None:
    bot.answers |= {"/voice": _menu('bargeIn="true"'), "/turn": _menu('bargeIn="false"')}
    call = await sim.call(ANNA, NUMBER)
    await call.interrupt(after="Which", say="Tuesday")
    await call.hears("Hello")
    cut = [line for line in call.transcript if line.is_cut]
    assert [line.text for line in cut] == ["Which "]
    await call.interrupt(after="Which", say="Friday")
    await call.hears("day suits you?")
    assert [seen.form["SpeechResult"] for seen in bot.at("/turn")] == ["Tuesday"]
    await call.hang_up()
    await sim.settled()
    assert bot.at("/status")[-1].form["CallStatus"] == "completed"


async def test_partial_results_are_told_on_the_way(bot: Bot, sim: TwilioSimulator) -> None:
    bot.answers |= {"/voice": _menu('partialResultCallback="/partly"'), "/turn": _does("<Say>Done.</Say>")}
    call = await sim.call(ANNA, NUMBER)
    await call.say("next Tuesday")
    await call.hears("Done.")
    await call.ends()
    await sim.settled()
    told = [(seen.form["SequenceNumber"], seen.form["StableSpeechResult"]) for seen in bot.at("/partly")]
    assert told == [("0", "next"), ("1", "next Tuesday")]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (500, 11200),
        (204, 11770),
        (web.Response(text="hello"), 12300),
        ("<Response><Say>", 12100),
        ("<Answer/>", 12102),
        (_does('<Gather input="speech" speechTimeout="auto"/>'), 13335),
        (_does('<Connect><ConversationRelay url="http://x.example/"/></Connect>'), 64101),
        (_does('<Connect><Stream url="wss://x.example/?a=1"/></Connect>'), 31923),
    ],
)
async def test_the_fallback_is_asked_when_the_webhook_fails(
    bot: Bot, sim: TwilioSimulator, answer: str | int | web.Response, code: int
) -> None:
    bot.answers |= {"/voice": answer, "/fallback": _does("<Say>Please call later.</Say>")}
    call = await sim.call(ANNA, NUMBER)
    await call.hears("Please call later.")
    assert [alert.code for alert in sim.alerts] == [code]
    (seen,) = bot.at("/fallback")
    assert (seen.form["ErrorCode"], seen.form["ErrorUrl"]) == (str(code), f"{bot.url}/voice")
    await call.ends()


async def test_without_a_fallback_the_caller_hears_of_an_error(bot: Bot, sim: TwilioSimulator) -> None:
    sim.add_number(replace(sim.numbers[NUMBER], voice_fallback_url=None))
    bot.answers["/voice"] = 500
    call = await sim.call("anonymous", NUMBER)
    await call.hears("application error has occurred")
    assert await call.ends() == "completed"


@pytest.mark.parametrize(
    ("verb", "code"),
    [
        ("<Sing>la</Sing>", 12200),
        ('<Say mood="good">Hi</Say>', 12200),
        ('<Say loop="often">Hi</Say>', 13510),
        ("<Say></Say>", 13520),
        ("<Say><b>Hi</b></Say>", 13520),
        ('<Pause length="1.5"/>', 13610),
        ('<Play digits="abc"/>', 13410),
        ('<Gather timeout="auto"/>', 13310),
        ("<Gather><Hangup/></Gather>", 13320),
        ('<Gather speechModel="best"/>', 13334),
        ('<Dial timeout="0">+15551230002</Dial>', 13210),
        ('<Dial><Number url="ftp://x">+15551230002</Number></Dial>', 13221),
        ('<Record maxLength="long"/>', 13710),
        ('<Redirect mood="good">/end</Redirect>', 12200),
        ("<Leave/>", 12200),
        ("<Say>Hi</Say> there", 12200),
    ],
)
async def test_what_twilio_does_not_know_is_an_alert(bot: Bot, sim: TwilioSimulator, verb: str, code: int) -> None:
    sim.callees[BEN] = Callee(how="busy")
    bot.answers |= {"/voice": _does(verb), "/end": _does()}
    call = await sim.call(ANNA, NUMBER)
    await call.ends()
    assert code in [alert.code for alert in sim.alerts]
    assert all(alert.call_sid == call.sid for alert in sim.alerts)


async def test_pauses_keys_audio_and_redirects_are_played(bot: Bot, sim: TwilioSimulator) -> None:
    sound = tones.encode("Guten Tag!")
    bot.answers |= {
        "/voice": _does("<Play>/a.ulaw</Play>", '<Pause length="600"/>', "<Redirect>next?x=1&amp;y=2</Redirect>"),
        "/next": _does("<Play>/a.wav</Play>", "<Play>/a.mp3</Play>", "<Play>/no.wav</Play>", '<Play digits="w1"/>'),
        "/a.ulaw": web.Response(body=sound, content_type="audio/basic"),
        "/a.wav": lambda _: web.Response(body=tones.to_wav(sound), content_type="audio/wav"),
        "/a.mp3": web.Response(body=b"\0" * 8000, content_type="audio/mpeg"),
    }
    call = await sim.call(ANNA, NUMBER)
    await call.hears("Guten Tag!")
    await call.hears("Guten Tag!", within_s=700)
    await call.ends()
    assert [line.text for line in call.transcript] == ["Guten Tag!", "Guten Tag!", f"[{bot.url}/a.mp3]"]
    assert bot.at("/next")[0].path == "/next?x=1&y=2"
    assert [alert.code for alert in sim.alerts] == [11200]
    assert 602 < call.duration_s < 606


@pytest.mark.parametrize(("reason", "status"), [("busy", "busy"), ("rejected", "no-answer")])
async def test_a_rejected_call_is_never_answered(bot: Bot, sim: TwilioSimulator, reason: str, status: str) -> None:
    bot.answers["/voice"] = _does(f'<Reject reason="{reason}"/>')
    call = await sim.call(ANNA, NUMBER)
    assert (await call.ends(), call.answered_at, call.duration_s) == (status, None, 0)
    await sim.settled()
    assert [seen.form["CallStatus"] for seen in bot.at("/status")] == ["initiated", "ringing", status]


async def test_status_callbacks_come_twice_and_out_of_order_on_request(bot: Bot, sim: TwilioSimulator) -> None:
    sim.faults = Faults(status_duplicate=1, status_out_of_order=1)
    bot.answers["/voice"] = _does("<Say>Hi.</Say>")
    await (await sim.call(ANNA, NUMBER)).ends()
    await sim.settled()
    assert [seen.form["SequenceNumber"] for seen in bot.at("/status")] == ["1", "1", "0", "2", "3"]


async def test_a_webhook_comes_twice_on_request_and_only_one_answer_counts(bot: Bot, sim: TwilioSimulator) -> None:
    sim.faults = Faults(duplicate=1)
    bot.answers["/voice"] = _does("<Say>Hi.</Say>")
    call = await sim.call(ANNA, NUMBER)
    await call.ends()
    first, second = bot.at("/voice")
    assert first.form == second.form
    assert [line.text for line in call.transcript] == ["Hi."]


async def test_a_message_is_recorded_and_reported(bot: Bot, sim: TwilioSimulator) -> None:
    record = (
        '<Record action="/kept" timeout="3" maxLength="60" finishOnKey="#" transcribe="true" transcribeCallback="/text"'
        ' recordingStatusCallback="/recording" recordingStatusCallbackEvent="in-progress completed"/>'
    )
    bot.answers |= {"/voice": _does(record, "<Say>Nothing there.</Say>"), "/kept": _does("<Say>Thank you.</Say>")}
    call = await sim.call(ANNA, NUMBER)
    await call.hears("[beep]")
    await call.say("Please call me back.")
    await call.press("#")
    await call.hears("Thank you.")
    await call.ends()
    await sim.settled()
    (kept,), (text,) = bot.at("/kept"), bot.at("/text")
    assert (kept.form["Digits"], kept.form["RecordingDuration"]) == ("#", "1")
    assert text.form["TranscriptionText"] == "Please call me back."
    assert [seen.form["RecordingStatus"] for seen in bot.at("/recording")] == ["in-progress", "completed"]
    silent = await sim.call(BEN, NUMBER)
    await silent.hears("Nothing there.")
    gone = await sim.call(BEN, NUMBER)
    await gone.say("Never mind.")
    await gone.hang_up()
    assert bot.at("/kept")[-1].form["Digits"] == "hangup"
    assert bot.at("/kept")[-1].form["CallStatus"] == "completed"


def _dial(noun: str, attributes: str = "") -> str:
    return _does("<Say>One moment.</Say>", f'<Dial timeout="20" action="/dialled" {attributes}>{noun}</Dial>')


@pytest.mark.parametrize(
    ("callee", "status"),
    [
        (Callee(how="busy"), "busy"),
        (Callee(how="no-answer"), "no-answer"),
        (Callee(after_s=25), "no-answer"),
        (Callee(how="failed"), "failed"),
    ],
)
async def test_who_cannot_be_reached_leads_to_the_action(
    bot: Bot, sim: TwilioSimulator, callee: Callee, status: str
) -> None:
    sim.callees[BEN] = callee
    bot.answers |= {"/voice": _dial(BEN), "/dialled": _does("<Say>Nobody is there.</Say>")}
    call = await sim.call(ANNA, NUMBER)
    await call.hears("Nobody is there.")
    (seen,) = bot.at("/dialled")
    assert (seen.form["DialCallStatus"], seen.form["DialBridged"]) == (status, "false")
    await call.ends()


async def test_a_person_hears_the_whisper_accepts_and_talks(bot: Bot, sim: TwilioSimulator) -> None:
    events = 'statusCallback="/leg" statusCallbackEvent="initiated ringing answered completed"'
    noun = f'<Number url="/whisper" {events}>{BEN}</Number>'
    bot.answers |= {
        "/voice": _dial(noun, 'record="record-from-answer" recordingStatusCallback="/recording"'),
        "/whisper": _does(
            '<Gather numDigits="1" action="/accept"><Say>Anna calls. Press 1.</Say></Gather>', "<Hangup/>"
        ),
        "/accept": _does(),
        "/dialled": _does("<Say>Good bye.</Say>"),
    }
    call = await sim.call(ANNA, NUMBER)
    ben = await sim.rings(BEN)
    await ben.hears("Press 1")
    await ben.press("1")
    await ben.say("Ben here.")
    await call.hears("Ben here.")
    await call.say("Hello Ben.")
    await ben.hears("Hello Ben.")
    await ben.hang_up()
    await call.hears("Good bye.")
    await call.ends()
    await sim.settled()
    (seen,) = bot.at("/dialled")
    assert (seen.form["DialCallStatus"], seen.form["DialCallSid"], seen.form["DialBridged"]) == (
        "completed",
        ben.sid,
        "true",
    )
    assert bot.at("/whisper")[0].form["ParentCallSid"] == call.sid
    assert [seen.form["CallStatus"] for seen in bot.at("/leg")] == ["initiated", "ringing", "in-progress", "completed"]
    assert bot.at("/recording")[0].form["RecordingSource"] == "DialVerb"
    # Who presses nothing refuses; who hangs up first takes everybody along.
    again = await sim.call(ANNA, NUMBER)
    await again.hears("Good bye.")
    assert bot.at("/dialled")[-1].form["DialBridged"] == "false"
    third = await sim.call(ANNA, NUMBER)
    await third.hears("One moment.")
    await third.hang_up()
    assert bot.at("/dialled")[-1].form["DialCallStatus"] == "canceled"


async def test_a_caller_waits_in_a_queue_until_somebody_takes_or_sends_them_on(
    bot: Bot, sim: TwilioSimulator, hand_clock: HandClock
) -> None:
    leaving: list[str] = []

    def hold(seen: Seen) -> web.Response:
        verbs = "<Leave/>" if leaving else f"<Say>You are number {seen.form['QueuePosition']}.</Say>"
        return web.Response(text=_does(verbs, '<Pause length="10"/>'), content_type="text/xml")

    def first(seen: Seen) -> web.Response:
        text = (
            _does("<Dial><Queue>help</Queue></Dial>")
            if seen.form["From"] == BEN
            else _does('<Enqueue waitUrl="/hold" action="/after">help</Enqueue>')
        )
        return web.Response(text=text, content_type="text/xml")

    bot.answers |= {"/voice": first, "/hold": hold, "/after": _does("<Say>Bye.</Say>")}
    call = await sim.call(ANNA, NUMBER)
    await call.hears("You are number 1.")
    await call.hears("You are number 1.")
    agent = await sim.call(BEN, NUMBER)
    await agent.say("How can I help?")
    await call.hears("How can I help?")
    await agent.hang_up()
    await call.hears("Bye.")
    assert bot.at("/after")[-1].form["QueueResult"] == "bridged"
    other = await sim.call(ANNA, NUMBER)
    await other.hears("You are number 1.")
    leaving.append("now")
    await other.hears("Bye.")
    assert bot.at("/after")[-1].form["QueueResult"] == "leave"
    leaving.clear()
    third = await sim.call(ANNA, NUMBER)
    await third.hears("number 1")
    await third.hang_up()
    assert bot.at("/after")[-1].form["QueueResult"] == "hangup"


async def test_a_caller_waits_in_a_room_until_somebody_comes(bot: Bot, sim: TwilioSimulator) -> None:
    def first(seen: Seen) -> web.Response:
        host = 'startConferenceOnEnter="false" endConferenceOnExit="true" waitUrl="/hold" statusCallback="/room"'
        host += ' statusCallbackEvent="start end join leave"'
        attributes = host if seen.form["From"] == ANNA else 'statusCallback="/never"'
        room = f'<Dial action="/left"><Conference {attributes}>c_81</Conference></Dial>'
        return web.Response(text=_does(room), content_type="text/xml")

    bot.answers |= {
        "/voice": first,
        "/hold": _does("<Say>Please hold.</Say>", '<Pause length="5"/>'),
        "/left": _does("<Say>Good bye.</Say>"),
    }
    call = await sim.call(ANNA, NUMBER)
    await call.hears("Please hold.")
    await call.hears("Please hold.")
    agent = await sim.call(BEN, NUMBER)
    await agent.say("Ben here.")
    await call.hears("Ben here.")
    await call.say("Hello Ben.")
    await agent.hears("Hello Ben.")
    await call.hang_up()
    await agent.hears("Good bye.")
    await agent.ends()
    await sim.settled()
    told = [(seen.form["StatusCallbackEvent"], seen.form["SequenceNumber"]) for seen in bot.at("/room")]
    names = ["participant-join"] * 2 + ["conference-start", "participant-leave", "conference-end", "participant-leave"]
    assert sorted(told, key=lambda one: one[1]) == [(name, str(place)) for place, name in enumerate(names)]
    assert not bot.at("/never")
    assert [seen.form["DialCallStatus"] for seen in bot.at("/left")] == ["answered", "answered"]


async def test_somebody_calls_by_curl(bot: Bot, sim: TwilioSimulator) -> None:
    bot.answers |= {"/voice": _menu(), "/turn": _menu()}
    async with aiohttp.ClientSession(sim.url) as curl:

        async def post(path: str, status: int, **data: object) -> dict[str, Any]:
            async with curl.post(path, json=data) as answer:
                told: dict[str, Any] = await answer.json()
                assert answer.status == status, told
                return told

        called = await post(f"/_sim/phones/{ANNA}/calls", 201, to=NUMBER)
        path = f"/_sim/calls/{called['sid']}"
        assert [line["text"] for line in called["transcript"]] == ["Hello, Lakeside Hair.", "Which day suits you?"]
        said = await post(path, 200, say="Tuesday")
        assert [line["text"] for line in said["transcript"][2:]] == [
            "Tuesday",
            "Hello, Lakeside Hair.",
            "Which day suits you?",
        ]
        assert (await post(path, 200, press="1"))["transcript"][5]["text"] == "1"
        await post(path, 400, shout="hello")
        await post(path, 400, wav="UklGRg==")  # there is no stream that could carry it
        async with curl.get(f"{path}/sound") as answer:
            assert answer.status == 404
        assert (await post(path, 200, hang_up=True))["status"] == "completed"
        await post(path, 409, say="hello?")
        async with curl.get(path) as answer:
            assert (await answer.json())["status"] == "completed"
        async with curl.get(f"/_sim/phones/{ANNA}/calls") as answer:
            assert [call["sid"] for call in (await answer.json())["calls"]] == [called["sid"]]
        await post(f"/_sim/phones/{ANNA}/calls", 404, to="+15125550199")
        await post("/_sim/calls/CA1", 404, say="hello?")
