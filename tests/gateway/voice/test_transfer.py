"""A live call is passed on to a person: every way it can end, who heard what, and what is kept of it."""

import asyncio
from dataclasses import dataclass

import pytest

from simulators.twilio import Call, Callee, TwilioSimulator
from tests.gateway.front import OURS, Front
from tests.gateway.inbox.live import connected
from tests.gateway.rest import api as clients
from tests.gateway.rest.api import Client

MARIA = "+15125550177"
ANA, BEN = "+15125550181", "+15125550182"


@dataclass
class Team:
    """Two who take calls, in this order."""

    ana: Client
    ben: Client

    async def call(self) -> dict[str, object]:
        (listed,) = (await self.ana.get("/calls"))["items"]
        found: dict[str, object] = await self.ana.get(f"/calls/{listed['id']}")
        return found


@pytest.fixture
async def team(desk: Front) -> Team:
    admin = await clients.person(desk, "admin")
    business = (await admin.get("/businesses"))["items"][0]["id"]
    people = []
    for place, (name, phone) in enumerate((("Ana Silva", ANA), ("Ben Okoro", BEN))):
        person = await clients.person(desk, "agent", name=name)
        member = {"name": name, "user_id": person.uid, "phone": phone, "takes_calls": True, "position": place}
        await admin.post(f"/businesses/{business}/staff", {**member, "skills": ["telephone"]})
        people.append(person)
    return Team(*people)


async def _ask(network: TwilioSimulator) -> Call:
    """A caller who books, and then wants a person."""
    call = await network.call(MARIA, OURS)
    await call.hears("two for Move a visit")
    await call.say("a haircut tomorrow at three p m")
    await call.hears("Shall I book it?")
    await call.press("0")
    await call.hears("put you through to a person")
    await call.hears("You are next")
    return call


@pytest.mark.parametrize("mode", ["relay", "gather", "stream"], indirect=True)
async def test_whoever_presses_one_gets_the_call_and_the_bot_comes_back_after(
    desk: Front, network: TwilioSimulator, team: Team, mode: str, request: pytest.FixtureRequest
) -> None:
    caller = await _ask(network)
    if mode == "stream":  # in the line they hear who spoke to them before
        spoken = {one.text for one in request.getfixturevalue("speech").spoken}
        assert {"You are next.", "Press one to be called back.", "Press two to leave a message."} <= spoken
    await desk.work()
    ana = await network.rings(ANA)
    whisper = await ana.hears("Press one to take the call, or two to decline")
    assert "Maria" in whisper or "five one two" in whisper
    assert "Haircut" in whisper
    # The key for a person tells nothing; what they had said before it does.
    assert "Last message: a haircut tomorrow at three p m" in whisper
    assert await desk.one("select owner from conversations where channel = 'voice'") == "queue"
    await caller.say("I am only humming along")  # nobody listens on hold
    await ana.press("1")
    await ana.hears("Here they are")
    await asyncio.sleep(0)
    await ana.say("Hello, this is Ana")
    await caller.hears("Hello, this is Ana")
    await caller.say("hi, I wanted to talk to somebody")
    await ana.hears("I wanted to talk to somebody")
    told = await team.call()
    assert (told["status"], told["outcome"]) == ("transferred", None)
    assert await desk.rows("select owner from conversations where channel = 'voice'") == [("staff",)]
    await ana.hang_up()
    await caller.hears("You're back with me")
    await caller.hears("Haircut on Tuesday, March third")
    await caller.hears("Shall I book it?")
    await caller.say("yes")
    await caller.hears("Booked")
    await caller.hang_up()
    await network.settled()
    told = await team.call()
    assert (told["status"], told["outcome"]) == ("completed", "booked")
    assert "humming" not in str(told["transcript"])
    assert not [alert for alert in network.alerts if alert.code != 64105]


async def _waits(
    network: TwilioSimulator, number: str, menu: str = "two for Move a visit", told: str = "put you through to a person"
) -> Call:
    """A caller who wants a person at once."""
    call = await network.call(number, OURS)
    await call.hears(menu)
    await call.press("0")
    await call.hears(told)
    return call


@pytest.mark.parametrize("mode", ["gather"], indirect=True)
async def test_the_team_is_spoken_to_in_its_language(
    desk: Front, network: TwilioSimulator, team: Team, mode: str
) -> None:
    admin = await clients.person(desk, "admin")
    (business,) = (await admin.get("/businesses"))["items"]
    await admin.patch(f"/businesses/{business['id']}", {"languages": ["de", "en"]})
    # One who declines, and the next who is there until the caller has hung up.
    caller = await _waits(network, MARIA, "zwei für", "ich verbinde Sie")
    await desk.work()
    ana = await network.rings(ANA)
    await ana.hears("Drücken Sie eins")
    await ana.press("2")
    await ana.hears("Alles klar")
    await ana.ends()
    await desk.work()
    ben = await network.rings(BEN)
    await ben.press("1")
    await ben.hears("Ich verbinde")
    await caller.hang_up()
    await ben.hears("Das Gespräch ist beendet")
    await network.settled()


async def _passes(desk: Front, network: TwilioSimulator, seconds: float) -> None:
    """So much time on the line, in which we do what is due."""
    for _ in range(int(seconds / 5)):
        await network.time.pass_by(5)
        await desk.work()


async def _kept(team: Team, caller: str = "") -> tuple[str, list[tuple[str, str]]]:
    """How the wait of that caller ended, or the latest one, and how each phone came off."""
    listed = (await team.ana.get("/calls?sort=-start_time"))["items"]
    listed = [one for one in listed if caller in (one["phone"], "")]
    (transfer,) = (await team.ana.get(f"/calls/{listed[0]['id']}"))["transfers"]
    return transfer["ending"], [(one["person"]["name"].split()[0], one["outcome"]) for one in transfer["phones"]]


async def _call_backs(desk: Front) -> int:
    count: int = await desk.one("select count(*) from service_requests where title like 'Call back %'")
    return count


@pytest.mark.parametrize("mode", ["gather"], indirect=True)
async def test_every_way_in_which_nobody_takes_a_call_ends_well(
    desk: Front, network: TwilioSimulator, team: Team, mode: str
) -> None:
    # Both decline: the caller can leave a message.
    caller = await _waits(network, "+15125550161")
    await desk.work()
    for phone in (ANA, BEN):
        person = await network.rings(phone)
        await person.press("2")
        await person.ends()
        await desk.work()
    await caller.hears("nobody is free just now. Please leave a message")
    await caller.hang_up()
    assert await _kept(team) == ("nobody", [("Ana", "declined"), ("Ben", "declined")])
    assert await _call_backs(desk) == 1

    # One phone rings in vain, the other is engaged.
    network.callees |= {ANA: Callee(how="no-answer"), BEN: Callee(how="busy")}
    caller = await _waits(network, "+15125550162")
    await desk.work()
    await _passes(desk, network, 40)
    await caller.hears("nobody is free just now. Please leave a message")
    await caller.hang_up()
    assert await _kept(team) == ("nobody", [("Ana", "no_answer"), ("Ben", "busy")])

    # A machine presses no key, so the next phone rings; who takes it there has it, and the caller hangs up first.
    network.callees |= {ANA: Callee(how="machine"), BEN: Callee()}
    caller = await _waits(network, "+15125550163")
    await desk.work()
    await _passes(desk, network, 30)
    ben = await network.rings(BEN)
    await ben.hears("Press one to take the call")
    await ben.press("1")
    await ben.hears("Here they are")
    await caller.hang_up()
    await ben.ends()
    await network.settled()
    assert await _kept(team) == ("done", [("Ana", "no_key"), ("Ben", "taken")])

    # The caller hangs up while a phone rings: whoever picks it up in that moment hears so.
    network.callees |= {ANA: Callee(after_s=15)}
    caller = await _waits(network, "+15125550164")
    await desk.work()
    await caller.hang_up()
    await _passes(desk, network, 30)
    assert await _kept(team) == ("hung_up", [("Ana", "cancelled")])
    assert [one.heard for one in network.calls.values() if one.to == ANA][-1].strip() in (
        "",
        "The caller does not wait any more. Goodbye!",
    )

    # The caller would rather be called back.
    before = await _call_backs(desk)
    caller = await _waits(network, "+15125550165")
    await caller.hears("Press one to be called back")
    await caller.press("1")
    await caller.hears("someone from the team will call you back")
    await caller.ends()
    assert (await _kept(team))[0] == "call_back"
    assert await _call_backs(desk) == before + 1
    await network.settled()


@pytest.mark.parametrize("mode", ["relay"], indirect=True)
async def test_people_take_promise_and_return_calls_from_their_screens(
    desk: Front, network: TwilioSimulator, team: Team, mode: str
) -> None:
    network.callees |= {ANA: Callee(after_s=15)}
    async with connected(team.ana) as inbox:
        caller = await _ask(network)
        call_id = (await team.call())["id"]
        await desk.work()
        begun = await inbox.hear("call_state", lambda state: state["state"] == "bot")
        assert (begun["call_id"], begun["since"]) == (call_id, begun["started_at"])
        told = await inbox.hear("call_state", lambda state: state["phones"])
        assert (told["call_id"], told["state"], told["place"]) == (call_id, "waiting", 1)
        assert told["phones"][0]["person"]["name"] == "Ana Silva"
    for path in ("return", "take"):
        await team.ana.post(f"/calls/{call_id}/{path}", {}, status=409 if path == "return" else 200)
    taken = await team.ben.post(f"/calls/{call_id}/take", {}, status=200)
    assert [one["person"]["name"] for one in taken["transfers"][0]["phones"]] == ["Ana Silva", "Ben Okoro"]
    await desk.work()
    ben = await network.rings(BEN)
    await ben.press("1")
    await ben.hears("Here they are")
    assert (await team.call())["status"] == "transferred"
    await desk.work()  # Ana's phone stops
    for path in ("take", "call-back"):
        await team.ana.post(f"/calls/{call_id}/{path}", {}, status=409)
    back = await team.ben.post(f"/calls/{call_id}/return", {}, status=200)
    assert back["transfers"][0]["ending"] == "returned"
    await desk.work()
    await caller.hears("You're back with me")
    await caller.hears("Haircut on Tuesday, March third")
    await caller.hears("Shall I book it?")
    await caller.press("0")
    await caller.hears("put you through to a person")
    told = await team.ana.post(f"/calls/{call_id}/call-back", {"words": "Ana rings you at five. Bye!"}, status=200)
    assert [one["ending"] for one in told["transfers"]] == ["returned", "call_back"]
    async with connected(team.ana) as inbox:
        await desk.work()
        await caller.hears("Ana rings you at five")
        await caller.ends()
        await network.settled()
        over = await inbox.hear("call_state", lambda state: state["state"] == "over")
        assert (over["call_id"], over["ending"], over["outcome"]) == (call_id, "call_back", "transferred")
    assert await desk.rows(
        "select r.title, u.full_name from service_requests r join staff s on s.id = r.staff_id"
        " join users u on u.id = s.user_id"
    ) == [(f"Call back {MARIA}", "Ana Silva")]
    assert await desk.rows("select owner from conversations where channel = 'voice'") == [("staff",)]


async def _booking(network: TwilioSimulator, team: Team, number: str, at: str = "three p m") -> tuple[Call, str]:
    """A caller whom the bot has asked whether it shall book, and the id of the call. The time stays theirs for a while."""
    caller = await network.call(number, OURS)
    await caller.hears("two for Move a visit")
    await caller.say(f"a haircut tomorrow at {at}")
    await caller.hears("Shall I book it?")
    return caller, (await team.ana.get("/calls?sort=-start_time"))["items"][0]["id"]


@pytest.mark.parametrize("mode", ["relay", "gather", "stream"], indirect=True)
async def test_people_take_calls_from_the_bot(desk: Front, network: TwilioSimulator, team: Team, mode: str) -> None:
    booked = "select count(*) from appointments"
    before = await desk.one(booked)
    caller, call_id = await _booking(network, team, MARIA)
    # Of two at once one has the caller, and the other hears who. Asked twice it is one phone that rings.
    path = f"/calls/{call_id}/take"
    first, second = await asyncio.gather(team.ana.call("POST", path, {}), team.ben.call("POST", path, {}))
    assert sorted((first.status, second.status)) == [200, 409]
    taker, phone, late = (team.ana, ANA, second) if first.status == 200 else (team.ben, BEN, first)
    assert late.json["collision"]["assignee"]["id"] == taker.uid
    await taker.post(path, {}, status=200)
    await desk.work()
    await caller.hears("put you through to a person")
    await caller.hears("You are next")
    person = await network.rings(phone)
    assert "Last message: a haircut tomorrow at three p m" in await person.hears("or two to decline")
    # They decline: nobody else is rung, and the bot goes on where it was.
    await person.press("2")
    await person.ends()
    await desk.work()
    await caller.hears("nobody is free just now")
    await caller.hears("Shall I book it")
    # What is said just as somebody takes the call is kept, and answered by nobody else.
    await taker.post(path, {}, status=200)
    await caller.say("yes")
    await caller.hears("You are next")
    await desk.work()
    assert await desk.one(booked) == before
    assert await desk.one("select text from messages where direction = 'in' order by id desc limit 1") == "yes"
    person = await network.rings(phone)
    await person.press("1")
    await person.hears("Here they are")
    await person.say("Hello, this is the team")
    await caller.hears("this is the team")
    await person.hang_up()
    await caller.hears("You're back with me")
    await caller.hears("Shall I book it")
    await caller.say("yes")
    await caller.hears("Booked")
    await caller.hang_up()
    await network.settled()
    told = await team.ana.get(f"/calls/{call_id}")
    assert (told["outcome"], [one["ending"] for one in told["transfers"]]) == ("booked", ["nobody", "done"])
    assert [[one["outcome"] for one in each["phones"]] for each in told["transfers"]] == [["declined"], ["taken"]]
    assert await desk.one(booked) == before + 1
    assert await _call_backs(desk) == 0

    if mode == "stream":
        return  # what follows is no other by sound, and takes long there
    # They are called back: they hear so at once, and it is one task, however often it is asked for.
    caller, call_id = await _booking(network, team, "+15125550161")
    path = f"/calls/{call_id}/call-back"
    await team.ana.post(path, {}, status=200)
    for one in (team.ana, team.ben):
        for path in ("call-back", "take"):
            await one.post(f"/calls/{call_id}/{path}", {}, status=409)
    await desk.work()
    await caller.hears("Ana Silva will call you back")
    assert await caller.ends() == "completed"
    await network.settled()
    told = await team.ana.get(f"/calls/{call_id}")
    assert (told["outcome"], [one["ending"] for one in told["transfers"]]) == ("handed_off", ["call_back"])
    assert await _call_backs(desk) == 1
    assert await desk.one(booked) == before + 1

    # They hang up as somebody takes the call: no phone rings, and they are called back.
    caller, call_id = await _booking(network, team, "+15125550162", at="ten a m")
    await team.ben.post(f"/calls/{call_id}/take", {}, status=200)
    await caller.hang_up()
    await network.settled()
    await desk.work()
    assert await _kept(team, "+15125550162") == ("hung_up", [("Ben", "cancelled")])
    assert await _call_backs(desk) == 2
    await team.ben.post(f"/calls/{call_id}/take", {}, status=409)


@pytest.mark.parametrize("mode", ["relay", "gather", "stream"], indirect=True)
async def test_a_caller_hears_what_people_write(desk: Front, network: TwilioSimulator, team: Team, mode: str) -> None:
    last = "select text from messages where direction = 'in' order by id desc limit 1"
    caller, call_id = await _booking(network, team, MARIA)
    told = await team.ana.get(f"/calls/{call_id}")
    conversation = f"/conversations/{told['conversation_id']}"
    path = f"{conversation}/messages"
    written = await team.ana.post(path, {"text": "This is Ana. Which colour would you like?", "client_id": "a"})
    assert written["status"] == "accepted"
    assert (await team.ana.post(path, {"text": "Again", "client_id": "a"}))["id"] == written["id"]
    await team.ben.post(path, {"text": "I am Ben"}, status=409)
    await caller.hears("From the team: This is Ana. Which colour would you like?")
    # The bot asks nothing and books nothing; what they say is for Ana.
    await caller.say("yes the red one")
    await caller.hears("I've passed that on")
    assert await desk.one(last) == "yes the red one"
    if mode != "relay":  # there silence is told by the clock
        await caller.silence()
        await caller.hears("Somebody from the team is writing to you")
    for text in ("Red it is.", "See you tomorrow."):
        await team.ana.post(path, {"text": text})
    await caller.hears("Red it is.")
    await caller.hears("See you tomorrow.")
    # The bot has the word again: it asks what it had asked, aloud.
    await team.ana.post(f"{conversation}/hand-to-bot", {}, status=200)
    await desk.work()
    await caller.hears("You're back with me")
    await caller.hears("Shall I book it")
    # What is written into its sentence is no interruption of the caller's.
    await team.ana.post(path, {"text": "One more thing."})
    await caller.hears("One more thing.")
    assert (await team.ana.get(f"/calls/{call_id}"))["interruptions"] == told["interruptions"]
    await team.ana.post(f"/calls/{call_id}/call-back", {"words": "Ana rings you at five. Bye!"}, status=200)
    await desk.work()
    await caller.hears("Ana rings you at five")
    await caller.ends()
    await network.settled()
    assert await _call_backs(desk) == 1
    assert await desk.one("select count(*) from outbox") == 0

    # What they do not stay to hear goes to them as a text message.
    caller, call_id = await _booking(network, team, "+15125550161")
    path = f"/conversations/{(await team.ana.get(f'/calls/{call_id}'))['conversation_id']}/messages"
    written = await team.ana.post(
        path, {"text": "One more thing: please bring the old one along, if you still have it."}
    )
    await caller.hang_up()
    await network.settled()
    assert await desk.rows("select m.text from outbox o join messages m on m.id = o.message_id") == [(written["text"],)]


@pytest.mark.parametrize("mode", ["gather"], indirect=True)
@pytest.mark.parametrize("env", [{"FRONTDESK_VOICE__RING": "at_once"}])
async def test_of_two_whose_phones_ring_together_one_gets_the_call(
    desk: Front, network: TwilioSimulator, team: Team, mode: str, env: dict[str, str]
) -> None:
    caller = await _waits(network, MARIA)
    await desk.work()
    ana, ben = await network.rings(ANA), await network.rings(BEN)
    async with connected(team.ana) as inbox:
        second = await _waits(network, "+15125550178")
        behind = await inbox.hear("call_state", lambda state: state["place"] == 2)
        await asyncio.gather(ana.press("1"), ben.press("1"))
        await ana.network.time.until(lambda: "Here they are" in ana.heard + ben.heard, timeout_s=5, within_s=30)
        # Whoever is behind moves up, and people see it.
        await inbox.hear("call_state", lambda state: (state["call_id"], state["place"]) == (behind["call_id"], 1))
    late = ben if "Here they are" in ana.heard else ana
    await late.hears("Somebody else has taken the call")
    await second.hang_up()
    await caller.hang_up()
    await network.settled()
    assert sorted(outcome for _, outcome in (await _kept(team, MARIA))[1]) == ["late", "taken"]
