"""Calls over the phone network: the same script by ConversationRelay and by `<Gather>`, and what only a socket brings."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from twilio.request_validator import RequestValidator

from channels.messages import Address
from gateway.voice.door import EXCHANGE
from simulators import tones
from simulators.twilio import Call, TwilioSimulator
from tests import canaries
from tests.gateway.front import OURS, SID, TOKEN, Front
from tests.gateway.rest import api as clients
from tests.gateway.voice.caller import VOICE, Caller

MARIA = "+15125550177"
BOOKED = "select count(*) from appointments where conversation_id is not null"
SCRIPT = (
    ("Book a visit.", "one for Haircut"),
    ("hair cut", "which day suits you"),
    ("Tomorrow.", "nine thirty a m"),
    ("at three p m", "Shall I book it?"),
    ("Yes.", "What name may I put it under?"),
    (f"Maria {canaries.SAID}", "Is there anything else?"),
    ("no thanks", "Goodbye"),
)


SPANISH = (
    ("Quiero reservar una cita.", "uno para Haircut"),
    ("hair cut", "qué día le viene bien"),
    ("Mañana.", "nueve horas y treinta"),
    ("a las tres de la tarde", "Haircut el martes, tres de marzo a las quince horas con Anna, treinta y cinco dólares"),
    ("Sí, por favor.", "A nombre de quién lo pongo"),
    ("Me llamo María López", "Puedo ayudarle en algo más"),
    ("no gracias", "Adiós"),
)


async def _play(call: Call, script: tuple[tuple[str, str], ...]) -> None:
    for said, answer in script:
        await call.say(said)
        await call.hears(answer)


# The stages of the first turn, of those with an answer in them, and of the last one, as far as each mode can know them.
_SOUND, _HEARD = {"answer_ms", "sound_ms"}, {"pause_ms", "recognition_ms", "felt_ms"}
KNOWN = {
    "relay": [{"answer_ms"}, _SOUND, _SOUND],
    "gather": [{"answer_ms"}] * 3,
    "stream": [{*_SOUND, "sound_source", "way_ms"}] + [{*_SOUND, *_HEARD, "sound_source", "way_ms"}] * 2,
}


def _known(turns: list[dict[str, Any]]) -> list[set[str]]:
    found = [{name for name, value in turn["stages"].items() if value is not None} for turn in turns]
    assert all(known == found[1] for known in found[1:])
    for turn in turns[1:]:
        stages = turn["stages"]
        if stages["felt_ms"] is not None:
            parts = ("pause_ms", "recognition_ms", "answer_ms", "sound_ms", "way_ms")
            assert stages["felt_ms"] == sum(stages[part] for part in parts)
            assert 400 <= stages["pause_ms"] <= 1500  # by the kind of the question
            assert stages["way_ms"] <= 60  # of three frames, in a network that loses no time
    return [found[0], found[1], found[-1]]


async def test_a_caller_who_turns_to_spanish_books_in_it(desk: Front, network: TwilioSimulator) -> None:
    api = await clients.person(desk)
    business = (await api.get("/businesses"))["items"][0]["id"]
    await api.patch(f"/businesses/{business}", {"languages": ["en", "es"]})
    before = await desk.one(BOOKED)
    call = await network.call(MARIA, OURS)
    await call.hears("What can I do for you?")
    await _play(call, SPANISH)
    assert await call.ends() == "completed"
    await network.settled()
    assert await desk.one(BOOKED) == before + 1
    kept = await desk.rows("select language from customers union all select language from conversations")
    assert [row for row in kept if row[0] == "es"] == [("es",), ("es",)]


@pytest.mark.parametrize("mode", ["relay", "gather", "stream"], indirect=True)
async def test_the_same_script_books_in_every_mode(desk: Front, network: TwilioSimulator, mode: str) -> None:
    before = await desk.one(BOOKED)
    call = await network.call(MARIA, OURS)
    await call.hears("two for Move a visit")
    await _play(call, SCRIPT)
    assert await call.ends() == "completed"
    await network.settled()
    assert await desk.one(BOOKED) == before + 1
    api = await clients.person(desk, "agent")
    (listed,) = (await api.get("/calls"))["items"]
    assert (listed["status"], listed["outcome"], listed["mode"]) == ("completed", "booked", mode)
    told = await api.get(f"/calls/{listed['id']}")
    assert [turn["input"] for turn in told["turns"]] == ["start"] + ["speech"] * len(SCRIPT)
    assert told["turns"][4]["heard"] == "whole"
    assert _known(told["turns"]) == KNOWN[mode]
    assert not [alert for alert in network.alerts if alert.code != 64105]


async def test_the_same_script_books_by_text(desk: Front) -> None:
    before = await desk.one(BOOKED)
    *_, last = await desk.says(MARIA, *(said for said, _ in SCRIPT))
    assert last
    assert await desk.one(BOOKED) == before + 1


async def test_yes_during_an_unfinished_read_back_books_nothing(desk: Front, network: TwilioSimulator) -> None:
    before = await desk.one(BOOKED)
    call = await network.call(MARIA, OURS)
    await call.hears("two for Move a visit")
    await call.say("a haircut tomorrow at three p m")
    await call.interrupt(after="Haircut on Tuesday", say="yes")
    await call.hears("once more to the end.")
    assert await desk.one(BOOKED) == before
    api = await clients.person(desk, "agent")
    (listed,) = (await api.get("/calls"))["items"]
    cut = (await api.get(f"/calls/{listed['id']}"))["turns"][1]
    assert (cut["heard"], cut["answer"]) == ("cut", "Haircut on Tuesday,")
    assert listed["interruptions"] == 1
    await call.hears("Shall I book it?")
    await call.say("yes")
    await call.hears("Booked")
    assert await desk.one(BOOKED) == before + 1
    await call.hang_up()


async def test_a_correction_may_break_in_and_keys_work(desk: Front, network: TwilioSimulator) -> None:
    call = await network.call(MARIA, OURS)
    await call.hears("one for Book a visit")
    await call.press("1")  # into the greeting
    await call.hears("one for Haircut")
    await call.press("1")
    await call.hears("which day")
    await call.say("tomorrow at three")
    await call.interrupt(after="Haircut on", say="no, make it four p m")
    await call.hears("four p m")
    await call.hears("Shall I book it?")
    await call.press("2")  # no
    await call.hears("What shall I change?")
    await call.press("0")
    await call.hears("call you back")
    assert await call.ends() == "completed"
    assert await desk.one("select owner from conversations where channel = 'voice'") == "queue"


async def test_what_is_recorded_begins_behind_the_notice(desk: Front, network: TwilioSimulator) -> None:
    api = await clients.person(desk, "admin")
    (bot,) = (await api.get("/bots"))["items"]
    await api.patch(f"/bots/{bot['id']}", {"settings": {"records_calls": True}})
    scenarios = {one["name"]: one for one in (await api.get(f"/bots/{bot['id']}/scenarios?limit=100"))["items"]}
    for name in ("book",):
        if name in scenarios:
            path = f"/bots/{bot['id']}/scenarios/{scenarios[name]['id']}"
            source = (await api.get(path))["source"].replace("{type: name, ", "{type: name, private: true, ")
            await api.put(path, {"source": source})
            await api.post(f"{path}/publish", status=200)
    call = await network.call(MARIA, OURS)
    assert (await call.hears("two for Move a visit")).startswith("This call is recorded.")
    (listed,) = (await api.get("/calls"))["items"]
    paths = [f"/calls/{listed['id']}/recording/{what}" for what in ("pause", "resume")]
    for path, told, become, said in (
        (paths[0], "pausing", "paused", "book a visit"),
        (paths[1], "resuming", "on", "hair cut"),
        (paths[1], "on", "on", "tomorrow"),
    ):
        assert (await api.post(path, {}, status=200))["recording_state"] == told
        await desk.work()
        assert (await api.get(f"/calls/{listed['id']}"))["recording_state"] == become
        await call.say(said)
        await call.hears("?")
    await call.say("at three p m")
    await call.hears("Shall I book it?")
    await call.say("yes")
    await call.hears("What name may I put it under?")
    assert (await api.get(f"/calls/{listed['id']}"))["recording_state"] == "pausing"
    await desk.work()
    await call.say("Maria Lopez")
    await call.hears("Is there anything else?")
    await desk.work()
    await call.say("no thanks")
    await call.ends()
    await network.settled()
    await api.post(paths[0], {}, status=409)
    (recording,) = network.recordings.values()
    assert recording.text.startswith("Hi, this is Juniper")
    assert "hair cut" in recording.text
    assert "no thanks" in recording.text
    assert "book a visit" not in recording.text
    assert "Maria" not in recording.text
    assert recording.duration_s > len(tones.encode(recording.text)) / tones.RATE + 5  # silence instead
    assert await desk.rows("select kind, status from recordings") == [("call", "done")]
    # Twilio may say of another one that it is none; late news of the first one changes nothing.
    other = Caller(desk, number="+15125550178")
    await other.post(VOICE)
    begun = other.twiml.find("Start/Recording")
    assert begun is not None
    assert begun.attrib["recordingStatusCallbackEvent"] == "completed absent"
    for sid, of, state in (("RE" + "1" * 32, other.sid, "absent"), (recording.sid, call.sid, "on")):
        news = {**other.form(), "CallSid": of, "RecordingSid": sid, "RecordingStatus": "absent"}
        assert (await desk.post(news, path=f"{VOICE}/recording")).status == 200
        assert await desk.one("select recording from calls where sid = :sid", sid=of) == state


async def test_who_would_rather_leave_a_message_may(desk: Front, network: TwilioSimulator) -> None:
    call = await network.call(MARIA, OURS)
    await call.hears("two for Move a visit")
    await call.say("can I leave a message")
    await call.hears("Of course.")
    await call.hears("Please leave a message after the tone")
    await call.say("It is about my boiler.")
    await call.press("#")
    await call.hears("We have your message")
    assert await call.ends() == "completed"
    await network.settled()
    assert await desk.rows("select kind, transcript from recordings") == [("voicemail", "It is about my boiler.")]
    assert await desk.rows("select kind, status, outcome from calls") == [("voicemail", "completed", "voicemail")]


class Socket:
    """Twilio's end of a session, by hand."""

    def __init__(self, desk: Front, caller: Caller) -> None:
        self.desk, self.caller = desk, caller
        self.ws: Any = None

    async def connect(self, *, turn: int, token: str = TOKEN, account: str = SID) -> None:
        path = f"{VOICE}/relay?account={account}"
        signed = RequestValidator(token).compute_signature(f"wss://{self.desk.url.partition('://')[2]}{path}", {})
        self.ws = await self.desk.http.ws_connect(self.desk.url + path, headers={"X-Twilio-Signature": signed})
        await self.send(
            "setup",
            sessionId="VX1",
            accountSid=SID,
            callSid=self.caller.sid,
            to=OURS,
            customParameters={"turn": str(turn)},
            **{"from": self.caller.number},
        )

    async def send(self, kind: str, **fields: object) -> None:
        await self.ws.send_str(json.dumps({"type": kind, **fields}))

    async def says(self, text: str) -> str:
        await self.send("prompt", voicePrompt=text, lang="en-US", last=True)
        return await self.hears()

    async def hears(self) -> str:
        message = json.loads(await asyncio.wait_for(self.ws.receive_str(), 5))
        return str(message.get("token", message["type"]))


async def test_a_call_goes_on_where_it_was_whatever_breaks(desk: Front) -> None:
    before = await desk.one(BOOKED)
    caller = Caller(desk)
    await caller.post(VOICE)
    assert caller.twiml.find("Connect/ConversationRelay") is not None
    first = Socket(desk, caller)
    await first.connect(turn=0)
    assert "Shall I book it?" in await first.says("a haircut tomorrow at three p m")
    first.ws._response.connection.transport.abort()  # nothing is said any more
    # Twilio connects again, with the same greeting's number, and says again what it had kept.
    second = Socket(desk, caller)
    await second.connect(turn=0)
    await second.send("prompt", voicePrompt="a haircut tomorrow at three p m", last=True)
    said = await second.hears()
    assert said.startswith("Sorry, we were cut off. Haircut on Tuesday")
    await second.send("prompt", voicePrompt="interim", last=False)
    for odd in ("{", "[]", '{"type":"new"}'):  # which changes nothing
        await second.ws.send_str(odd)
    await second.send("info", name="agentSpeaking", value="off")
    assert (await second.says("yes")).startswith("Booked")
    await desk.app.shutdown()  # we are asked to stop, and wait for nobody
    gone = await second.ws.receive()
    assert (gone.type, gone.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.GOING_AWAY)
    # The second break: a simpler mode goes on at the same question, and books nothing twice.
    ended = {"SessionId": "VX1", "SessionStatus": "failed", "ErrorCode": "64105"}
    await caller.post(f"{VOICE}/action", **ended)
    assert caller.twiml.find("Connect/ConversationRelay") is not None
    await caller.post(f"{VOICE}/action", **ended)
    assert caller.heard[-1].startswith("Sorry, we were cut off. Booked")
    assert "anything else" in (await caller.say("Maria"))[0]
    assert await desk.one(BOOKED) == before + 1
    await caller.post(f"{VOICE}/action", SessionStatus="completed", CallStatus="completed")
    assert await desk.rows("select status, outcome, mode from calls") == [("completed", "booked", "gather")]


def _speaks(value: str) -> dict[str, object]:
    return {"type": "info", "name": "agentSpeaking", "value": value}


def _breaks_into(heard: str) -> dict[str, object]:
    return {"type": "interrupt", "utteranceUntilInterrupt": heard, "durationUntilInterruptMs": 900}


# What Twilio tells of the read-back, with never a word about what was played, before a "yes".
UNHEARD: dict[str, list[dict[str, object]]] = {
    "sooner than it can be said": [],
    "broken into, as it was written": [_speaks("on"), _breaks_into("Just to be sure, once"), _speaks("off")],
    "broken into, in other signs": [_speaks("on"), _breaks_into("Haircut Tue, March 3rd"), _speaks("off")],
    "broken into, and told late": [_speaks("on"), _speaks("off"), _breaks_into("Just to be sure, once more")],
}


async def test_yes_counts_only_to_what_can_have_been_heard_whatever_twilio_tells(desk: Front) -> None:
    before = await desk.one(BOOKED)
    caller = Caller(desk)
    await caller.post(VOICE)
    socket = Socket(desk, caller)
    await socket.connect(turn=0)
    assert "Shall I book it?" in await socket.says("a haircut tomorrow at three p m")
    for what, told in UNHEARD.items():
        for message in told:
            await socket.ws.send_json(message)
        assert (await socket.says("yes")).startswith("Just to be sure, once more to the end."), what
    assert await desk.one(BOOKED) == before
    for value in ("on", "off"):
        await socket.ws.send_json(_speaks(value))
    assert (await socket.says("yes")).startswith("Booked")
    assert await desk.one(BOOKED) == before + 1
    for digit in "42":  # to a question without choices: one answer
        await socket.send("dtmf", digit=digit)
    await socket.send("dtmf", digit="#")
    assert await socket.hears()
    rows = await desk.rows(
        "select m.text from call_turns t join messages m on m.id = t.message_id where input = 'digits'"
    )
    assert rows == [("42",)]


@pytest.mark.parametrize("env", [{"FRONTDESK_VOICE__SILENCE_S": "0.2"}])
async def test_whoever_broke_into_a_read_back_is_asked_with_all_of_it_whatever_comes_between(
    desk: Front, env: dict[str, str]
) -> None:
    """The short form of a question is for those who have heard the long one."""
    caller = Caller(desk)
    await caller.post(VOICE)
    socket = Socket(desk, caller)
    await socket.connect(turn=0)
    for said in ("a haircut tomorrow at three p m", "yes", "Maria Lopez"):
        await socket.says(said)
        await socket.send("info", name="agentSpeaking", value="off")
    whole = await socket.says("call off my visit")
    assert whole == "Haircut on Tuesday, March third at three p m with Anna: shall I call it off?"
    asked = [whole]
    for after in ("", "do you take cards?", "text me that", "", ""):  # nothing, or something that is no answer
        await socket.send("interrupt", utteranceUntilInterrupt=" ".join(asked[-1].split()[:2]))
        asked.append(await (socket.says(after) if after else socket.hears()))
    assert [whole in one for one in asked] == [True] * 6
    assert "keys" in asked[-1]  # the second silence in a row
    await socket.send("info", name="agentSpeaking", value="off")
    assert whole not in await socket.hears()
    await socket.send("info", name="agentSpeaking", value="off")
    assert "called off" in await socket.says("yes")


@asynccontextmanager
async def _held_up(desk: Front, caller: Caller) -> AsyncIterator[None]:
    """No answer comes, and that is soon too long; any other may take its time on a busy machine."""
    settings, exchange = desk.house.settings.voice, desk.app[EXCHANGE]
    ((tenant_id, account_id),) = await desk.rows("select tenant_id, account_id from calls")
    async with desk.house.order.turn(tenant_id, (account_id, Address("phone", caller.number))):
        usual = {name: getattr(settings, name) for name in ("moment_s", "still_s", "slow_s")}
        for name, value in zip(usual, (0.1, 0.2, 0.3), strict=True):
            object.__setattr__(settings, name, value)
        longest_s = exchange.longest_wait_s
        object.__setattr__(exchange, "longest_wait_s", 0.15)
        yield
        object.__setattr__(exchange, "longest_wait_s", longest_s)
        for name, value in usual.items():
            object.__setattr__(settings, name, value)


@pytest.mark.parametrize("mode", ["relay", "gather"], indirect=True)
@pytest.mark.parametrize("env", [{"FRONTDESK_VOICE__SILENCE_S": "0.2"}])
async def test_who_waits_hears_so_and_who_is_silent_is_asked_again(desk: Front, mode: str, env: dict[str, str]) -> None:
    caller = Caller(desk)
    await caller.post(VOICE)
    if mode == "gather":
        async with _held_up(desk, caller):
            await caller.say("book a visit")
            assert caller.heard[-1] == "One moment."
            await caller.post(_redirect(caller))
            assert caller.heard[-1] == "I'm still looking."
            for words in ("I'm sorry, this takes longer", "I'm still looking."):
                await caller.post(_redirect(caller))
                assert caller.heard[-1].startswith(words)
        await caller.post(_redirect(caller))
        assert caller.heard[-1].startswith("What would you like to book?")
        async with _held_up(desk, caller):
            await caller.say("a haircut")
            while caller.twiml.find("Record") is None:
                await caller.post(_redirect(caller))
            assert caller.heard[-1].startswith("I'm sorry, I can't tell you yet")
        assert await desk.one("select count(*) from call_turns") == 2  # what had not begun is not done
        return
    socket = Socket(desk, caller)
    await socket.connect(turn=0)
    await socket.send("info", name="agentSpeaking", value="off")
    assert (await socket.hears()).startswith("What can I do for you?")
    async with _held_up(desk, caller):
        said = [await socket.says("book a visit"), await socket.hears(), await socket.hears()]
    assert said[:2] == ["One moment.", "I'm still looking."]
    assert said[2].startswith("I'm sorry, this takes longer")
    assert (await socket.hears()).startswith("What would you like to book?")
    for answer in ("Which service", "You can use the keys", "I still can't hear you", "I can't hear anything", "end"):
        await socket.send("info", name="agentSpeaking", value="off")
        assert (await socket.hears()).startswith(answer)
    assert await desk.rows("select silences, status, outcome from calls") == [(5, "completed", "none")]


def _redirect(caller: Caller) -> str:
    url = caller.twiml.findtext("Redirect") or ""
    return url.removeprefix(caller.desk.url)


async def test_a_socket_opens_to_twilio_alone_and_speaks_in_the_voice_of_the_bot(desk: Front) -> None:
    caller = Caller(desk)
    await caller.post(VOICE)
    usual = caller.twiml.find("Connect/ConversationRelay")
    assert usual is not None
    assert (usual.get("ttsProvider"), usual.get("voice")) == ("ElevenLabs", None)
    # What is listened for stays for the whole session, so it is not only of the first question.
    assert {"Book a visit", "Haircut", "Anna", "tomorrow"} <= set((usual.get("hints") or "").split(","))
    api = await clients.person(desk)
    business = (await api.get("/businesses"))["items"][0]["id"]
    await api.patch(f"/businesses/{business}", {"languages": ["en", "es", "de"]})
    (bot,) = (await api.get("/bots"))["items"]
    hers = "21m00Tcm4TlvDq8ikWAM"
    spanish = "AZnzlk1XvdvUeBnXmlld"
    await api.patch(
        f"/bots/{bot['id']}", {"settings": {"voices": {"*": {"voice_id": hers}, "es": {"voice_id": spanish}}}}
    )
    another = Caller(desk, number="+15125550178")
    await another.post(VOICE)
    given = another.twiml.find("Connect/ConversationRelay")
    assert given is not None
    assert (given.get("ttsProvider"), given.get("voice")) == ("ElevenLabs", hers)
    others = [(one.get("code"), one.get("ttsProvider"), one.get("voice")) for one in given.iter("Language")]
    assert others == [("es-US", "ElevenLabs", spanish), ("de-DE", "ElevenLabs", hers)]
    assert {"Haircut", "mañana"} <= set((given[0].get("hints") or "").split(","))
    (scenario, *_) = (await api.get(f"/bots/{bot['id']}/scenarios"))["items"]
    # Twilio speaks, so nothing is made beforehand.
    found = await api.get(f"/bots/{bot['id']}/scenarios/{scenario['id']}/prompts")
    assert found == {"status": "off", "sentences": 0, "ready": 0}
    await desk.work()
    for token, account in (("another", SID), ("another", "AC" + "9" * 32)):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await Socket(desk, caller).connect(turn=0, token=token, account=account)
        assert refused.value.status == 403
    # Whoever set a key wrong sees it in the log of the number; the account that nobody has is in none.
    client = await clients.person(desk)
    path = f"/channels/{(await client.get('/channels?kind=voice'))['items'][0]['id']}/log?status=refused"
    [row] = (await client.get(path))["items"]
    assert (row["code"], row["answer"]["status"], row["request"]["path"]) == ("bad_signature", 403, f"{VOICE}/relay")
    other = Socket(desk, caller)
    path = f"{VOICE}/relay"
    signed = RequestValidator(TOKEN).compute_signature(f"wss://{desk.url.partition('://')[2]}{path}", {})
    other.ws = await desk.http.ws_connect(desk.url + path, headers={"X-Twilio-Signature": signed})
    await other.send("prompt", voicePrompt="hello")  # before it said which call
    assert (await other.ws.receive()).type is aiohttp.WSMsgType.CLOSE
    assert await desk.one("select count(*) from call_turns") == 2
