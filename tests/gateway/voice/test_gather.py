"""A call by `<Gather>`: through the doors, from the first ring to the record of it."""

import asyncio
from datetime import timedelta
from unittest.mock import ANY

import pytest

from gateway.app import working
from simulators.twilio import TwilioSimulator
from tests.gateway import front
from tests.gateway.front import Front
from tests.gateway.rest import api as clients
from tests.gateway.voice.caller import VOICE, Caller, fields


@pytest.fixture
def mode() -> str:
    return "gather"


@pytest.fixture
def env() -> dict[str, str]:
    return {"FRONTDESK_JOBS__POLL_S": "3600"}  # nothing is found by looking: what waits for nobody is woken for


BOOKED = "select count(*) from appointments where conversation_id is not null"


async def test_a_caller_books_and_people_can_read_it(desk: Front) -> None:
    caller = Caller(desk)
    before = await desk.one(BOOKED)
    assert "two for Move a visit" in await caller.ring()
    assert caller.gather["numDigits"] == "1"
    assert "Haircut" in caller.gather["hints"] or "Book a visit" in caller.gather["hints"]
    (services,) = await caller.say("Book a visit.")
    assert "one for Haircut" in services
    said = await caller.say("hair cut", "Tomorrow.", "at three p m")
    assert "nine thirty a m" in said[1]
    assert said[2].startswith("Haircut on Tuesday, March third at three p m")
    assert "thirty-five dollars" in said[2]
    # Consent counts only to what was heard: the read-back stands before the listening, not within it.
    assert [one.tag for one in caller.twiml] == ["Say", "Gather"]
    assert len(caller.twiml[1]) == 0
    assert caller.gather["speechTimeout"] == "1"
    (booked,) = await caller.say("Yes.")
    assert booked.startswith("Booked: Haircut")
    assert caller.gather["speechTimeout"] == "1"
    await caller.say("Maria Lopez", "no")
    assert caller.is_over
    assert await desk.one(BOOKED) == before + 1
    await caller.hang_up()
    await caller.hang_up(CallDuration="65", SequenceNumber="2", CallStatus="in-progress")
    api = await clients.person(desk, "agent")
    (listed,) = (await api.get("/calls?status=completed"))["items"]
    assert {name: listed[name] for name in ("caller", "phone", "type", "status", "outcome", "duration", "mode")} == {
        "caller": "Maria Lopez",
        "phone": caller.number,
        "type": "inbound",
        "status": "completed",
        "outcome": "booked",
        "duration": "1:05",
        "mode": "gather",
    }
    call = await api.get(f"/calls/{listed['id']}")
    assert "Caller: at three p m\nBot: Haircut on Tuesday, March third" in call["transcript"]
    assert [turn["input"] for turn in call["turns"]] == ["start"] + ["speech"] * 7
    page = clients.Client(desk, api.token, prefix="/api")
    (shown,) = await page.get("/calls")
    assert shown == await page.get(f"/calls/{shown['id']}")
    assert all(isinstance(shown.pop(name), int) for name in ("id", "businessId"))
    assert shown == {
        "caller": "Maria Lopez",
        "phone": caller.number,
        "type": "inbound",
        "startTime": call["start_time"],
        "endTime": call["end_time"],
        "status": "completed",
        "duration": "1:05",
        "recording": None,
        "transcript": call["transcript"],
    }
    assert await page.get("/calls/999999", status=404) == {"message": ANY, "errors": {}}
    thread = await api.get(f"/conversations/{call['conversation_id']}/messages?limit=100")
    assert len(thread["items"]) == 15


TWICE = ["Book a visit.", "1", "2", "3", "yes"]


async def test_whatever_comes_twice_or_late_is_answered_the_same_and_books_once(desk: Front) -> None:
    caller, before = Caller(desk), await desk.one(BOOKED)
    first = await caller.post(VOICE)
    assert (await caller.post(VOICE)).body == first.body
    asked: list[tuple[str, str, bytes]] = []
    for line in TWICE:
        path = caller.action
        both = await asyncio.gather(*(desk.post(caller.form(**fields(line)), path=path) for _ in range(2)))
        assert both[0].body == both[1].body
        asked.append((path, line, both[0].body))
        await caller.post(path, **fields(line))
    for path, line, body in reversed(asked):
        assert (await desk.post(caller.form(**fields(line)), path=path)).body == body
        assert (await desk.post(caller.form(**fields("no")), path=path)).body == body
    assert await desk.one(BOOKED) == before + 1
    assert await desk.one("select count(*) from call_turns") == len(TWICE) + 1


async def test_only_twilio_gets_in_and_nothing_is_kept_of_others(desk: Front) -> None:
    caller = Caller(desk)
    for path in (VOICE, f"{VOICE}/gather?turn=0", f"{VOICE}/status", f"{VOICE}/fallback"):
        for signature in ("", "bm90IG91cnM=", None):
            token = "another" if signature is None else front.TOKEN
            answer = await desk.post(caller.form(), path=path, signature=signature, token=token)
            assert answer.status == 403
    assert await desk.one("select count(*) from calls") == 0
    assert (await caller.post(VOICE, CallSid="SM1")).status == 400
    assert (await caller.post(f"{VOICE}/gather?turn=x")).status == 400
    assert b"<Reject/>" in (await caller.post(VOICE, To="+15125559999")).body
    assert b"Hangup" in (await caller.post(f"{VOICE}/fallback")).body


async def test_silence_goes_down_the_ladder_and_is_counted(desk: Front) -> None:
    caller = Caller(desk)
    await caller.ring()
    await caller.say("book a visit")
    again, keys, person, goodbye = await caller.say("", "", "", "")
    assert again.startswith("Which service would you like?")
    assert keys.startswith("You can use the keys of your phone: one for Haircut")
    assert "Press zero for a person" in person
    assert "Goodbye" in goodbye
    assert caller.is_over
    assert await desk.rows("select silences, status, outcome from calls") == [(4, "completed", "none")]
    assert await desk.rows("select flow from conversations where channel = 'voice' and owner <> 'bot'") == []


async def test_a_caller_asks_for_a_person_and_the_team_is_told_to_call_back(desk: Front) -> None:
    caller = Caller(desk, number="anonymous")
    await caller.ring()
    (said,) = await caller.say("0")
    assert "please call again" in said  # nobody could call them back
    assert caller.is_over
    assert await desk.rows("select owner, peer_kind from conversations where channel = 'voice'") == [("queue", "call")]
    assert await desk.rows("select outcome, phone from calls") == [("handed_off", None)]
    other = Caller(desk, number="anonymous")
    assert "What can I do for you?" in await other.ring()  # another nobody, not the one in the queue
    known = Caller(desk)
    await known.ring()
    assert "call you back" in (await known.say("I want to talk to a human"))[0]
    assert "has your message" in await Caller(desk).ring()
    await desk.pass_time(timedelta(minutes=75))
    tasks = await desk.rows("select title from service_requests where title like 'Call back%'")
    assert [title for (title,) in tasks] == [f"Call back {known.number}"]


async def test_what_was_said_comes_at_once_as_a_text_message_of_the_same_conversation(
    desk: Front, network: TwilioSimulator
) -> None:
    caller = Caller(desk)
    await desk.work()  # what there is to do at a start
    async with working(desk.house):
        await caller.ring()
        await caller.say("book a haircut tomorrow at 3 pm")
        (said,) = await caller.say("Can you text me that?")
        assert said.startswith("I've sent it to your phone as a text message.")
        assert "Shall I book it" in said
        # No second passes while the clock stands still, so it was due at once, and nobody looks, so it woke whoever sends.
        await network.phone(caller.number).wait_for("Haircut on Tuesday, March 3 at 3:00 PM")
        await network.settled()
    ((text,),) = await desk.rows(
        "select m.text from messages m join outbox o on o.message_id = m.id"
        " join conversations c on c.id = m.conversation_id where c.channel = 'voice'"
    )
    assert text.startswith("Haircut on Tuesday, March 3 at 3:00 PM")
    assert await desk.one("select status from messages where provider_id like 'SM%' and text = :text", text=text) == (
        "delivered"
    )
    assert "Booked" in (await caller.say("yes"))[0]
    await desk.text(caller.number, "STOP")
    assert (await caller.say("text me that"))[0].startswith("I may not send text messages to your number")
    assert "What can I do for you?" in await Caller(desk, number="+15125550179").ring()


async def test_who_is_erased_while_they_speak_goes_on_as_somebody_new(desk: Front) -> None:
    caller, api = Caller(desk), await clients.person(desk, "admin")
    await caller.ring()
    await caller.say("book a visit")
    (before,) = (await api.get("/calls"))["items"]
    assert (await api.call("DELETE", f"/customers/{before['customer_id']}")).status == 204
    (heard,) = await caller.say("a haircut tomorrow at three p m")
    assert "Shall I book it?" in heard
    (after,) = (await api.get("/calls"))["items"]
    assert after["customer_id"] != before["customer_id"]
    assert after["conversation_id"] != before["conversation_id"]
