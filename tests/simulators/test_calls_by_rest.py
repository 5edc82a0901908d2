"""The application makes and steers calls by REST, through the vendor's real SDK."""

from collections.abc import AsyncIterator
from random import Random

import aiohttp
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from simulators import tones
from simulators.clock import HandClock
from simulators.twilio import Account, Callee, Faults, Number, TwilioSimulator
from tests.simulators.bot import ACCOUNT, ANNA, BEN, NUMBER, TOKEN, Bot

_ALL = ["initiated", "ringing", "answered", "completed"]
_HELLO = "<Response><Say>Hello Anna, this is Lakeside Hair.</Say></Response>"
_ASK = (
    '<Response><Gather input="speech" action="/turn" timeout="30"><Say>Hello. Who is there?</Say></Gather></Response>'
)


@pytest.fixture
async def sim(bot: Bot, hand_clock: HandClock) -> AsyncIterator[TwilioSimulator]:
    async with TwilioSimulator(
        accounts=[Account(sid=ACCOUNT, auth_token=TOKEN, prefixes=("+1",))],
        numbers=[Number(number=NUMBER, account_sid=ACCOUNT, voice_url=f"{bot.url}/voice")],
        clock=hand_clock,
        sleep=hand_clock.sleep,
        advance=hand_clock.advance,
        rng=Random(1),
    ) as running:
        yield running
        await running.settled()


@pytest.fixture
async def twilio(sim: TwilioSimulator) -> AsyncIterator[Client]:
    async with AsyncTwilioHttpClient() as http:
        client = Client(ACCOUNT, TOKEN, http_client=http)
        client.api.base_url = sim.url
        yield client


async def test_a_call_is_made_answered_and_told_of(bot: Bot, sim: TwilioSimulator, twilio: Client) -> None:
    bot.answers["/hello"] = _HELLO
    made = await twilio.calls.create_async(
        to=ANNA, from_=NUMBER, url=f"{bot.url}/hello", status_callback=f"{bot.url}/status", status_callback_event=_ALL
    )
    assert (made.status, made.direction, made.date_created) == ("queued", "outbound-api", sim.clock())
    anna = await sim.rings(ANNA)
    await anna.hears("this is Lakeside Hair.")
    assert await anna.ends() == "completed"
    await sim.settled()
    (seen,) = bot.at("/hello")
    assert (seen.form["CallStatus"], seen.form["From"], seen.form["To"]) == ("in-progress", NUMBER, ANNA)
    assert [one.form["CallStatus"] for one in bot.at("/status")] == ["initiated", "ringing", "in-progress", "completed"]
    fetched = await twilio.calls(made.sid).fetch_async()
    assert (fetched.status, fetched.duration) == ("completed", str(anna.duration_s))
    assert [one.sid for one in await twilio.calls.list_async(to=ANNA)] == [made.sid]


@pytest.mark.parametrize("how", ["busy", "no-answer", "failed"])
async def test_who_is_not_reached_runs_nothing(bot: Bot, sim: TwilioSimulator, twilio: Client, how: str) -> None:
    sim.callees[ANNA] = Callee(how=how)  # type: ignore[arg-type]
    made = await twilio.calls.create_async(
        to=ANNA, from_=NUMBER, url=f"{bot.url}/hello", status_callback=f"{bot.url}/status", timeout=20
    )
    assert await sim.calls[made.sid].ends() == how
    await sim.settled()
    assert [one.form["CallStatus"] for one in bot.at("/status")] == [how]
    assert not bot.at("/hello")


async def test_a_machine_is_detected_in_time_or_afterwards(bot: Bot, sim: TwilioSimulator, twilio: Client) -> None:
    sim.callees[BEN] = Callee(how="machine")
    bot.answers["/hello"] = _HELLO
    order = {"from_": NUMBER, "url": f"{bot.url}/hello", "machine_detection": "DetectMessageEnd"}
    await twilio.calls.create_async(to=ANNA, **order)
    await (await sim.rings(ANNA)).ends()
    await twilio.calls.create_async(to=BEN, **order)
    ben = await sim.rings(BEN)
    await ben.ends()
    assert [one.form["AnsweredBy"] for one in bot.at("/hello")] == ["human", "machine_end_beep"]
    greeting, message = ben.transcript
    assert message.at >= greeting.at
    assert (message.at - greeting.at).total_seconds() >= len(greeting.text) / 15 - 0.001
    await twilio.calls.create_async(
        to=BEN,
        from_=NUMBER,
        twiml=_ASK,
        machine_detection="Enable",
        async_amd=True,
        async_amd_status_callback=f"{bot.url}/amd",
    )
    ben = await sim.rings(BEN)
    await ben.silence(4)
    await sim.settled()
    assert bot.at("/amd")[0].form["AnsweredBy"] == "machine_start"
    await ben.hang_up()


async def test_a_live_call_is_sent_elsewhere_recorded_and_ended(bot: Bot, sim: TwilioSimulator, twilio: Client) -> None:
    bot.answers |= {
        "/voice": '<Response><Say>Hello.</Say><Enqueue waitUrl="/hold">x</Enqueue></Response>',
        "/hold": '<Response><Say>Please hold.</Say><Pause length="60"/></Response>',
        "/turn": "<Response><Say>Thank you.</Say><Pause length='60'/></Response>",
    }
    call = await sim.call(ANNA, NUMBER)
    await call.hears("Please hold.")
    recording = await twilio.calls(call.sid).recordings.create_async(
        recording_status_callback=f"{bot.url}/recording", recording_status_callback_event=["completed"]
    )
    assert recording.status == "in-progress"
    await twilio.calls(call.sid).update_async(twiml=_ASK.replace("/turn", f"{bot.url}/turn"))
    await call.hears("Who is there?")
    await call.say("It's Anna.")
    await call.hears("Thank you.")
    await twilio.calls(call.sid).update_async(status="completed")
    assert await call.ends() == "completed"
    await sim.settled()
    (seen,) = bot.at("/recording")
    assert (seen.form["RecordingStatus"], seen.form["CallStatus"]) == ("completed", "completed")
    fetched = await twilio.recordings(recording.sid).fetch_async()
    assert (fetched.status, fetched.call_sid) == ("completed", call.sid)
    url, owner = seen.form["RecordingUrl"] + ".wav", {"Authorization": aiohttp.encode_basic_auth(ACCOUNT, TOKEN)}
    async with aiohttp.ClientSession() as session:
        async with session.get(url, headers=owner) as answer:
            assert tones.decode(tones.from_wav(await answer.read())) == "Hello. Who is there? It's Anna. Thank you. "
        async with session.get(url) as answer:
            assert answer.status == 401
    assert await twilio.recordings(recording.sid).delete_async()
    with pytest.raises(TwilioRestException) as gone:
        await twilio.recordings(recording.sid).fetch_async()
    assert gone.value.code == 20404
    with pytest.raises(TwilioRestException) as late:
        await twilio.calls(call.sid).update_async(status="completed")
    assert late.value.code == 21220


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"to": "Anna"}, 21211),
        ({"to": "+49301234567"}, 21215),
        ({"from_": BEN}, 21210),
        ({"url": ""}, 21205),
        ({"url": "ftp://x.example"}, 21205),
        ({"timeout": 601}, 21216),
        ({"machine_detection": "Maybe"}, 21234),
        ({"machine_detection": "Enable", "send_digits": "1"}, 21234),
    ],
)
async def test_calls_that_twilio_does_not_make(
    sim: TwilioSimulator, twilio: Client, change: dict[str, object], code: int
) -> None:
    with pytest.raises(TwilioRestException) as refused:
        await twilio.calls.create_async(**{"to": ANNA, "from_": NUMBER, "url": "https://x.example/", **change})
    assert (refused.value.status, refused.value.code) == (400, code)
    assert not sim.calls


async def test_a_ringing_call_is_cancelled_and_faults_strike(bot: Bot, sim: TwilioSimulator, twilio: Client) -> None:
    sim.faults = Faults(rest_429=1)
    with pytest.raises(TwilioRestException) as busy:
        await twilio.calls.create_async(to=ANNA, from_=NUMBER, twiml=_HELLO)
    assert (busy.value.status, busy.value.code) == (429, 20429)
    made = await twilio.calls.create_async(to=ANNA, from_=NUMBER, twiml=_HELLO)
    call = sim.calls[made.sid]
    await call.silence(1)
    assert (await twilio.calls(made.sid).fetch_async()).status == "ringing"
    await twilio.calls(made.sid).update_async(status="canceled")
    assert await call.ends() == "canceled"
    with pytest.raises(TwilioRestException) as unknown:
        await twilio.calls("CA" + "0" * 32).update_async(status="completed")
    assert unknown.value.code == 20404
