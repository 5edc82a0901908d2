"""Messages that callers leave: by whichever door, twice, shuffled, and while nobody of ours is there."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from pydantic import SecretStr

from gateway.cli import fallback
from simulators.elevenlabs import ElevenLabsSimulator
from simulators.elevenlabs import Faults as SpeechFaults
from simulators.twilio import Faults, TwilioSimulator
from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.front import OURS, Front
from tests.gateway.rest import api as clients
from tests.gateway.rest.api import Client
from tests.gateway.voice.caller import VOICE, Caller

MARIA = "+15125550177"
WORDS = "Please call me about my boiler."


@pytest.fixture(params=["gather"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def _thread(api: Client, call: Any) -> list[Any]:
    return list((await api.get(f"/conversations/{call['conversation_id']}/messages?limit=100"))["items"])


async def messages(desk: Front, api: Client) -> list[Any]:
    """What customers have said in calls, as the inbox shows it."""
    found = []
    for talk in (await api.get("/conversations?channel=voice"))["items"]:
        found += (await api.get(f"/conversations/{talk['id']}/messages?limit=100"))["items"]
    return [one for one in found if one["direction"] == "in" and one["media"]]


@pytest.mark.parametrize("faults", [Faults(), Faults(duplicate=1.0)])
async def test_a_message_comes_with_sound_and_words_and_one_task(
    desk: Front, network: TwilioSimulator, faults: Faults
) -> None:
    """However often we are told."""
    call = await network.call(MARIA, OURS)
    await call.hears("two for Move a visit")
    network.dice.faults = faults
    await call.say("Can I leave a message?")
    await call.hears("after the tone")
    await call.say(WORDS)
    await call.press("#")
    await call.hears("We have your message")
    assert await call.ends() == "completed"
    await network.settled()
    await desk.work()
    api = await clients.person(desk, "admin")
    (message,) = await messages(desk, api)
    assert message["text"].endswith(f": {WORDS}")
    (sound,) = message["media"]
    assert (sound["status"], sound["kind"], sound["content_type"]) == ("ready", "audio", "audio/x-wav")
    async with desk.http.get(sound["url"]) as answer:
        assert answer.status == 200
        assert (await answer.read())[:4] == b"RIFF"
    (listed,) = (await api.get("/calls"))["items"]
    assert (listed["type"], listed["status"], listed["outcome"]) == ("voicemail", "completed", "voicemail")
    (task,) = (await api.get("/service-requests"))["items"]
    assert task["title"] == f"Call back {MARIA}"
    assert task["description"] == message["text"]
    # Who calls again may book, and leaves another message for the same task.
    again = await network.call(MARIA, OURS)
    await again.hears("two for Move a visit")
    await again.say("voicemail please")
    await again.hears("after the tone")
    await again.say("It is me again.")
    await again.hang_up()
    await network.settled()
    await desk.work()
    assert len(await messages(desk, api)) == 2
    assert len((await api.get("/service-requests"))["items"]) == 1
    # It is kept for so long, here and there.
    assert len(network.recordings) == 2
    await desk.pass_time(timedelta(days=31), step=timedelta(days=31))
    await desk.work()
    assert not network.recordings
    api = await clients.person(desk, "admin")
    assert [one["media"][0]["status"] for one in await messages(desk, api)] == ["unavailable"] * 2
    async with desk.http.get(sound["url"]) as answer:
        assert answer.status in (403, 404)


LEAVE, LEFT = "Bitte sprechen Sie nach dem Ton", "Vielen Dank. Wir haben Ihre Nachricht"


async def test_a_message_is_asked_for_in_the_language_of_the_call(desk: Front, clock: FakeClock) -> None:
    """By every door that asks for one; and thanked for in the same."""
    api = await clients.person(desk, "admin")
    (bot,), (business,) = [(await api.get(path))["items"] for path in ("/bots", "/businesses")]
    await api.patch(f"/businesses/{business['id']}", {"languages": ["de"]})
    await api.patch(f"/bots/{bot['id']}", {"settings": {"closed_calls": "voicemail"}})
    clock.set(front.NOON + timedelta(hours=11))
    for path, said in (("", "Wir haben gerade geschlossen"), ("/voicemail", ""), ("/fallback", "Leider können wir")):
        caller = Caller(desk)
        await caller.post(VOICE + path)
        assert said in caller.heard[-1]
        assert LEAVE in caller.heard[-1]
        spoken_in = {one.attrib["language"] for one in caller.twiml.iter("Say")}
        (record,) = caller.twiml.iter("Record")
        action = urlsplit(record.attrib["action"])
        await caller.post(f"{action.path}?{action.query}")
        assert LEFT in caller.heard[-1]
        assert {*spoken_in, *(one.attrib["language"] for one in caller.twiml.iter("Say"))} == {"de-DE"}


async def test_with_a_key_a_message_is_written_down_by_scribe(
    desk: Front, network: TwilioSimulator, speech: ElevenLabsSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twilio is not asked for its words; what fails is tried again, and the seconds are counted."""
    for name, value in (("api_key", SecretStr("the key")), ("api_base", speech.url)):
        monkeypatch.setitem(desk.house.settings.elevenlabs.__dict__, name, value)  # not for those after it
    call = await network.call(MARIA, OURS)
    await call.hears("two for Move a visit")
    await call.say("Can I leave a message?")
    await call.hears("after the tone")
    await call.say(WORDS)
    await call.hang_up()
    await network.settled()
    speech.faults = SpeechFaults(scribe_error=1)
    await desk.work()
    api = await clients.person(desk, "admin")
    assert (await messages(desk, api))[0]["text"].endswith("There is no transcript.")
    await desk.pass_time(timedelta(seconds=6), step=timedelta(seconds=6))
    (message,) = await messages(desk, api)
    assert message["text"].endswith(f": {WORDS}")
    assert speech.heard == [WORDS]
    await desk.house.speech.write_down()
    lasts_s = float(await desk.one("select duration_s from recordings"))
    assert await desk.rows("select amount from speech_usage where kind = 'heard'") == [(lasts_s,)]


async def test_a_call_while_the_business_is_closed_gets_what_the_bot_is_told(
    desk: Front, network: TwilioSimulator, clock: FakeClock
) -> None:
    api = await clients.person(desk, "admin")
    (bot,) = (await api.get("/bots"))["items"]
    for told, hour, heard in (
        ("voicemail", 12, "What can I do for you?"),
        ("voicemail", 23, "We are closed just now. Please leave a message after the tone"),
        ("bot", 23, "What can I do for you?"),
    ):
        await api.patch(f"/bots/{bot['id']}", {"settings": {"closed_calls": told}})
        clock.set(front.NOON + timedelta(hours=hour - 12))
        call = await network.call(MARIA, OURS)
        await call.hears(heard)
        await call.hang_up()
    await network.settled()
    await api.patch(f"/bots/{bot['id']}", {"settings": {"closed_calls": "nobody"}}, status=422)


async def test_who_is_erased_leaves_no_sound_anywhere(desk: Front, network: TwilioSimulator) -> None:
    api = await clients.person(desk, "admin")
    (bot,) = (await api.get("/bots"))["items"]
    await api.patch(f"/bots/{bot['id']}", {"settings": {"records_calls": True}})
    call = await network.call(MARIA, OURS)
    await call.say("leave a message")
    await call.hears("after the tone")
    await call.say(WORDS)
    await call.hang_up()
    await network.settled()
    await desk.work()
    (call_,) = (await api.get("/calls"))["items"]
    assert sorted(one["kind"] for one in call_["recordings"]) == ["call", "voicemail"]
    # What was left for us may be heard by all who read; the call itself is a permission of its own, by whichever way.
    for role, may in (("agent", True), ("viewer", False)):
        theirs = await clients.person(desk, role)
        told = (await theirs.get("/calls"))["items"][0]
        assert {one["kind"]: one["url"] is not None for one in told["recordings"]} == {"voicemail": True, "call": may}
        thread = (await theirs.get(f"/conversations/{told['conversation_id']}/messages"))["items"]
        files = [file for one in thread for file in one["media"]]
        assert sorted(file["url"] is not None for file in files) == [may, True]
        assert [(await theirs.get(f"/media/{file['id']}"))["url"] is not None for file in files].count(True) == 1 + may
    # So with all that we hold of them: who hands it out for them gets it whole with that permission, and else is told.
    for scopes, may in ((("customers:write", "recordings:read"), True), (("customers:write",), False)):
        program = await clients.program(desk, *scopes)
        records = (await program.get(f"/customers/{call_['customer_id']}/export"))["records"]
        files = [(one["is_recording"], one["url"] is not None, one["is_withheld"]) for one in records["files"]]
        assert sorted(files) == [(False, True, False), (True, may, not may)]
        sid = await desk.one("select sid from recordings where kind = 'call'")
        assert (f"/Recordings/{sid}" in str(records["messages"])) == may
    assert len(network.recordings) == 2
    sounds = [*network.recordings.values()]
    assert (await api.call("DELETE", f"/customers/{call_['customer_id']}")).status == 204
    await desk.work()
    assert not network.recordings
    # Nor does what we are told of afterwards, in whichever order.
    left = "select count(*), sum(length(text)), (select count(*) from service_requests) from messages"
    before = await desk.rows(left), await desk.rows("select status, unread_count from conversations")
    network.recordings = {sid: replace(sounds[0], sid=sid) for sid in ("RE" + "7" * 32, "RE" + "8" * 32)}
    caller = Caller(desk, sid=sounds[0].call_sid)
    for path, sid in zip(("voicemail/recorded", "recording"), network.recordings, strict=True):
        for more in ({"TranscriptionText": WORDS}, {"RecordingStatus": "completed", "RecordingDuration": "7"}):
            form = caller.form(RecordingSid=sid, RecordingUrl=f"{network.url}/x", **more)
            assert (await desk.post(form, path=f"{VOICE}/{path}")).status == 200
    await desk.work()
    assert not network.recordings
    assert (await desk.rows(left), await desk.rows("select status, unread_count from conversations")) == before
    assert await desk.one("select count(*) from files") == 0
    assert await desk.one("select count(*) from recordings where transcript is not null") == 0


@pytest.mark.parametrize("env", [{"FRONTDESK_VOICE__LOOK_MIN": "60"}])
async def test_what_was_left_while_nothing_of_ours_ran_is_found(
    desk: Front, network: TwilioSimulator, tmp_path: Path
) -> None:
    """Twilio has the document from elsewhere, and nobody hears of the recording until we ask."""
    (page := tmp_path / "config.yaml").write_text("server:\n  public_url: http://localhost:9\n")
    fallback.write(page, tmp_path / "page", "de")
    assert "Leider" in (tmp_path / "page" / "voicemail.xml").read_text()
    fallback.write(page, tmp_path / "page")
    await desk.work()  # as at a start: nothing is there yet
    with front.listening() as (door, port):
        app = web.Application()

        async def document(request: web.Request) -> web.Response:
            return web.Response(body=(tmp_path / "page" / request.path[1:]).read_bytes(), content_type="text/xml")

        app.router.add_route("*", "/{name}", document)
        async with front.served(app, door):
            network.numbers[OURS] = replace(
                network.numbers[OURS],
                voice_url="http://localhost:9/voice",
                voice_fallback_url=f"http://localhost:{port}/voicemail.xml",
                voice_status_callback_url="http://localhost:9/status",
            )
            call = await network.call(MARIA, OURS)
            await call.hears("Sorry, we can't take your call just now. Please leave a message after the tone")
            await call.say(WORDS)
            await call.press("#")
            await call.hears("We have your message")
            assert await call.ends() == "completed"
            await network.settled()
    assert await desk.one("select count(*) from calls") == 0
    await desk.pass_time(timedelta(hours=2), step=timedelta(hours=1))
    api = await clients.person(desk, "admin")
    (message,) = await messages(desk, api)
    assert (message["text"], message["media"][0]["status"]) == ("Voicemail, 0:02. There is no transcript.", "ready")
    assert [task["title"] for task in (await api.get("/service-requests"))["items"]] == [f"Call back {MARIA}"]
    ((kind, status, mode),) = await desk.rows("select kind, status, mode from calls")
    assert (kind, status, mode) == ("voicemail", "missed", "none")


async def test_what_the_doors_answer(desk: Front) -> None:
    """The fallback needs nothing; a forged callback is refused; odd ones leave nothing behind."""
    caller = Caller(desk)
    await caller.post(f"{VOICE}/fallback", ErrorCode="11200")
    assert "Please leave a message" in caller.heard[-1]
    record = caller.twiml.find("Record")
    assert record is not None
    assert record.attrib["recordingStatusCallback"].endswith(f"{VOICE}/voicemail/recorded")
    done = {"RecordingSid": "RE" + "1" * 32, "RecordingStatus": "completed", "RecordingDuration": "7"}
    path = f"{VOICE}/voicemail/recorded"
    assert (await desk.post({**caller.form(), **done}, path=path, signature="forged")).status == 403
    assert (await desk.post({**caller.form(), **done, "RecordingSid": "no"}, path=path)).status == 400
    assert (await desk.post({**caller.form(), **done, "RecordingStatus": "absent"}, path=path)).status == 200
    assert await desk.one("select count(*) from recordings") == 0
    # Nobody of ours knew the call, and its words come before it.
    words = {"TranscriptionText": WORDS, "TranscriptionStatus": "completed", "RecordingSid": done["RecordingSid"]}
    assert (await desk.post({**caller.form(), **words}, path=path)).status == 200
    for _ in range(2):
        assert (await desk.post({**caller.form(), **done}, path=path)).status == 200
    ((text, kind, status, task),) = await desk.rows(
        "select m.text, c.kind, c.status, s.title from recordings r join messages m on m.id = r.message_id"
        " join calls c on c.id = r.call_id join service_requests s on s.conversation_id = c.conversation_id"
    )
    assert (text, kind, status) == (f"Voicemail, 0:07: {WORDS}", "voicemail", "missed")
    assert task == f"Call back {caller.number}"


@pytest.mark.parametrize("env", [{"FRONTDESK_VOICE__SILENCE": "voicemail"}])
async def test_the_ladder_of_silence_may_end_with_a_message(desk: Front, network: TwilioSimulator) -> None:
    call = await network.call(MARIA, OURS)
    await call.hears("two for Move a visit")
    await call.silence()
    await call.hears("I can't hear anything. Please leave a message")
    await call.hears("I didn't hear a message")  # nothing is kept of a robot's silence
    assert await call.ends() == "completed"
    await network.settled()
    assert await desk.one("select count(*) from recordings") == 0
    # Who has left none is written to, and who has is not, whatever we are told first.
    done = {"RecordingStatus": "completed", "RecordingDuration": "7"}
    for number, told in enumerate((["status"], ["status", "recorded"], ["recorded", "status"], ["recorded"])):
        caller = Caller(desk, number=f"+1512555019{number}")
        await caller.ring()
        await caller.say("")
        for news in told:
            if news == "status":
                await caller.hang_up()
            else:
                form = caller.form(RecordingSid="RE" + f"{number}" * 32, **done)
                assert (await desk.post(form, path=f"{VOICE}/voicemail/recorded")).status == 200
    texts = "select count(*) from messages where dedupe like 'missed:%'"
    assert await desk.one(texts) == 0
    await desk.pass_time(timedelta(minutes=3), step=timedelta(minutes=3))
    assert await desk.one(texts) == 2  # the first two who called


async def test_a_missed_call_goes_on_by_text(desk: Front, network: TwilioSimulator) -> None:
    """Once for each caller in a while, and not for who said something, said STOP, or is nobody."""
    texts = (
        "select m.text from messages m join conversations c on c.id = m.conversation_id where m.dedupe like 'missed:%'"
    )
    network.numbers[OURS] = replace(network.numbers[OURS], webhook_url=f"{desk.url}{front.MESSAGES}")
    for _ in range(2):
        call = await network.call(MARIA, OURS)
        await call.hears("two for Move a visit")
        await call.hang_up()
    await network.settled()
    await desk.work()
    phone = network.phone(MARIA)
    assert len(await desk.rows(texts)) == 1
    (sorry,) = [one.body for one in phone.inbox]
    assert sorry.startswith("Sorry we missed your call to Juniper")
    await phone.text(OURS, "a haircut tomorrow at 3 pm")
    assert "Shall I book it?" in phone.inbox[-1].body
    assert await desk.rows("select channel from conversations where peer = :peer order by channel", peer=MARIA) == [
        ("sms",),
        ("voice",),
    ]
    # Nobody of ours heard of these: busy, and nobody called.
    for number, missed in (("+15125550178", 1), ("anonymous", 0)):
        caller = Caller(desk, number=number)
        assert (await caller.hang_up(CallStatus="busy", CallDuration="0")).status == 200
        assert (await caller.hang_up(CallStatus="busy", CallDuration="0")).status == 200
        known = await desk.rows("select status, kind, mode from calls where sid = :sid", sid=caller.sid)
        assert known == [("missed", "inbound", "none")]
        assert len(await desk.rows(texts)) == 1 + missed if number != "anonymous" else 2
    await desk.text("+15125550179", "STOP")
    talker, stopped = Caller(desk, number="+15125550180"), Caller(desk, number="+15125550179")
    for one in (talker, stopped):
        await one.ring()
    await talker.say("what are your opening hours")
    for one in (talker, stopped):
        await one.hang_up()
    assert len(await desk.rows(texts)) == 2
    # A day later the same caller is somebody who was missed again.
    await desk.pass_time(timedelta(hours=13), step=timedelta(hours=13))
    late = Caller(desk)
    await late.ring()
    await late.hang_up()
    assert len(await desk.rows(texts)) == 3


async def test_a_call_is_recorded_once_its_caller_was_told(
    desk: Front, network: TwilioSimulator, clock: FakeClock
) -> None:
    """Off by default; on by the bot; what was said before the notice had ended is not in it."""
    api = await clients.person(desk, "admin")
    (bot,) = (await api.get("/bots"))["items"]
    for is_on in (False, True):
        await api.patch(f"/bots/{bot['id']}", {"settings": {"records_calls": is_on}})
        call = await network.call(MARIA, OURS)
        heard = await call.hears("two for Move a visit")
        assert ("This call is recorded." in heard) == is_on
        await call.say("what are your opening hours")
        await call.hears("Monday, Tuesday and Thursday nine to six")
        await call.hang_up()
        await network.settled()
        assert len(network.recordings) == is_on
    (kept,) = network.recordings.values()
    assert "This call is recorded" not in kept.text
    assert "What can I do for you?" in kept.text
    assert "opening hours" in kept.text
    await desk.work()
    newest, before = (await api.get("/calls"))["items"]
    assert (before["recording"], before["recordings"]) == (None, [])
    (recording,) = newest["recordings"]
    assert (recording["kind"], recording["status"], recording["url"]) == ("call", "done", newest["recording"])
    link = newest["recording"]
    async with desk.http.get(link) as answer:
        assert (answer.status, (await answer.read())[:4]) == (200, b"RIFF")
    altered = f"{link[:-1]}{'0' if link[-1] != '0' else '1'}"
    async with desk.http.get(altered) as answer:
        assert answer.status == 404
    stranger = await clients.stranger(desk)
    (file,) = [one["id"] for line in await _thread(api, newest) for one in line["media"]]
    for path in (f"/calls/{newest['id']}", f"/media/{file}"):
        await stranger.get(path, status=404)
    (note,) = [one for one in await _thread(api, newest) if one["media"]]
    assert note["text"].startswith("The call was recorded, ")
    # Told twice it is one; and gone with its time, here and at Twilio.
    again = {"RecordingSid": kept.sid, "RecordingStatus": "completed", "RecordingUrl": "https://api.twilio.com/x"}
    caller = Caller(desk, sid=kept.call_sid)
    assert (await desk.post(caller.form(**again), path=f"{VOICE}/recording")).status == 200
    assert await desk.one("select count(*) from recordings") == 1
    network.faults = Faults(rest_500=1)  # and once more where Twilio did not do it
    await desk.pass_time(timedelta(days=31), step=timedelta(days=31))
    async with desk.http.get(link) as answer:
        assert answer.status == 403
    assert network.recordings
    clock.advance(timedelta(seconds=5))
    await desk.work()
    assert not network.recordings
    api = await clients.person(desk, "admin")
    gone = (await api.get(f"/calls/{newest['id']}"))["recordings"][0]
    assert (gone["status"], gone["url"]) == ("deleted", None)


@pytest.mark.parametrize("env", [{"FRONTDESK_VOICE__LOOK_MIN": "60", "FRONTDESK_WEBHOOKS__ALLOW_PRIVATE": "true"}])
async def test_a_call_is_told_of_and_has_a_price_and_an_end(desk: Front, network: TwilioSimulator) -> None:
    """Also when the news of its end was lost."""
    api = await clients.person(desk, "admin")
    hook = {"url": "http://localhost:9/calls", "event_types": ["call.started", "call.ended"]}
    await api.post("/webhooks", hook)
    for is_lost in (False, True):
        network.faults = Faults(never_status=is_lost)
        call = await network.call(MARIA, OURS)
        await call.say("what are your opening hours")
        await call.hears("Monday, Tuesday and Thursday")
        await call.hang_up()
        await network.settled()
        await desk.pass_time(timedelta(minutes=15))
    told = await desk.rows("select event from webhook_deliveries order by id")
    assert [event for (event,) in told] == ["call.started", "call.ended", "call.started"]
    await desk.pass_time(timedelta(hours=4), step=timedelta(hours=1))
    api = await clients.person(desk, "admin")
    both = (await api.get("/calls?type=inbound&outcome=none&sort=-cost"))["items"]
    assert [(one["status"], one["cost"], one["currency"]) for one in both] == [("completed", 0.0085, "USD")] * 2
    later = (await api.get("/calls?since=2026-03-02T18:10:00Z&phone=%2B15125550177"))["items"]
    assert len(later) == 1
    assert len((await api.get("/calls?until=2026-03-02T18:10:00Z"))["items"]) == 1
    assert (await api.get("/calls?type=voicemail"))["items"] == []
