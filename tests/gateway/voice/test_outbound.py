"""We call customers: a reminder by telephone, to people, machines and phones that nobody picks up."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from simulators.clock import HandClock
from simulators.twilio import Call, Callee, Faults, TwilioSimulator
from tests.clock import FakeClock
from tests.gateway.front import OURS, Front
from tests.gateway.inbox.live import connected
from tests.gateway.rest import api as clients
from tests.gateway.rest.api import Client
from tests.gateway.voice.caller import VOICE, Caller

MARIA = "+15125550177"
TEXT = "A reminder from Juniper"
TEN = datetime(2026, 3, 3, 16, tzinfo=UTC)  # five hours before the visit, ten o'clock in Austin
HOURS_BEFORE = {"rules": [{"name": "5 hours before", "minutes_before": 300, "channel": "call"}]}


async def _visit(desk: Front, number: str, rules: object = HOURS_BEFORE) -> Client:
    """A business that reminds by telephone, and somebody who books by text for three o'clock of the next day."""
    admin = await clients.person(desk, "admin")
    business = (await admin.get("/businesses"))["items"][0]["id"]
    await admin.put(f"/businesses/{business}/reminder-rules", rules)
    _, booked, _ = await desk.says(number, "book a haircut tomorrow at 3pm", "yes", "Maria Lopez")
    assert "Booked" in booked
    return admin


async def _due(desk: Front, network: TwilioSimulator, clock: FakeClock, number: str) -> Call:
    """The time of the reminder: the phone rings, and is picked up."""
    clock.set(TEN)
    await desk.work()
    return await network.rings(number)


async def _told(admin: Client) -> dict[str, object]:
    (one,) = (await admin.get("/calls?direction=outbound"))["items"]
    return {name: one[name] for name in ("type", "status", "outcome", "answered_by", "attempts")}


async def _texts(desk: Front, network: TwilioSimulator, number: str) -> int:
    await network.settled()  # that the call is over is told after it
    await desk.work()
    await network.settled()
    return sum(TEXT in text.body for text in network.phone(number).inbox)


@pytest.mark.parametrize("mode", ["relay", "gather", "stream"], indirect=True)
async def test_a_person_is_reminded_and_confirms_moves_or_calls_off_as_by_text(
    desk: Front, network: TwilioSimulator, clock: FakeClock, mode: str
) -> None:
    admin = await _visit(desk, MARIA)
    call = await _due(desk, network, clock, MARIA)
    assert (call.sender, call.direction) == (OURS, "outbound-api")
    await call.hears("Hello, this is Juniper")
    await call.hears("A reminder from Juniper")
    await call.hears("one for I'll be there")
    assert (await _told(admin))["outcome"] is None
    await call.press("1")
    await call.hears("see you")
    await call.say("no thanks")
    await call.ends()
    await network.settled()
    assert await _told(admin) == {
        "type": "reminder", "status": "completed", "outcome": "confirmed", "answered_by": "human", "attempts": 1,
    }  # fmt: skip
    assert await desk.one("select status from appointments where source = 'bot'") == "confirmed"
    assert await _texts(desk, network, MARIA) == 0
    (listed,) = (await admin.get("/calls"))["items"]
    turns = (await admin.get(f"/calls/{listed['id']}"))["turns"]
    assert [one["said"] for one in turns[1:]] == ["I'll be there", "no thanks"]
    assert not [alert for alert in network.alerts if alert.code != 64105]


@pytest.mark.parametrize("mode", ["gather"], indirect=True)
async def test_a_machine_is_left_the_day_and_time_alone_and_the_rest_comes_as_a_text(
    desk: Front, network: TwilioSimulator, clock: FakeClock, mode: str
) -> None:
    admin = await _visit(desk, MARIA)
    network.callees[MARIA] = Callee(how="machine")
    call = await _due(desk, network, clock, MARIA)
    await call.ends()
    assert call.left is not None
    assert "a reminder of your visit on Tuesday, March third at three p m" in call.left
    assert "Haircut" not in call.left
    assert "Maria" not in call.left
    assert await _texts(desk, network, MARIA) == 1
    kept = await _told(admin)
    assert (kept["status"], kept["outcome"], kept["answered_by"]) == ("completed", "message_left", "machine_end_beep")
    assert await desk.one("select count(*) from messages where text like '%call us back at this number%'") == 1
    # What comes late, or twice, and in another order, changes nothing.
    before = await desk.rows("select * from calls, outbound_calls, outbound_attempts")
    uid = await desk.one("select uid from outbound_attempts")
    uid = uid if "-" in str(uid) else f"{uid[:8]}-{uid[8:12]}-{uid[12:16]}-{uid[16:20]}-{uid[20:]}"
    late = Caller(desk, sid=call.sid)
    ours = {"From": OURS, "To": MARIA, "Direction": "outbound-api"}
    for path, more in (
        ("/detected", {"AnsweredBy": "human"}),
        ("/status", {"CallStatus": "no-answer", "CallDuration": "0"}),
        ("/status", {"CallStatus": "ringing"}),
        ("", {}),
        ("/next", {"AnsweredBy": "human"}),
    ):
        answer = await late.post(f"{VOICE}/out{path}?attempt={uid}", **ours, **more)
        assert answer.status == 200
        assert b"Say" not in answer.body
    assert await desk.rows("select * from calls, outbound_calls, outbound_attempts") == before
    assert (await late.post(f"{VOICE}/out?attempt=1", **ours)).status == 400
    assert await _texts(desk, network, MARIA) == 1


@pytest.mark.parametrize("mode", ["gather"], indirect=True)
async def test_who_cannot_be_reached_is_tried_again_by_the_table_and_then_written_to(
    desk: Front, network: TwilioSimulator, clock: FakeClock, mode: str
) -> None:
    admin = await _visit(desk, MARIA)
    clock.set(TEN)
    busy, turns_away, rings_on = (Callee(how="busy"), Callee(how="refused"), Callee(how="no-answer"))
    for phone, minutes in ((busy, 5), (rings_on, 30), (turns_away, None)):  # by what happened, each for itself
        network.callees[MARIA] = phone
        await desk.work()
        await _over(desk, network)
        assert (await _texts(desk, network, MARIA)) == (minutes is None)
        if minutes is not None:
            assert (await _told(admin))["outcome"] is None
            clock.advance(timedelta(minutes=minutes, seconds=-1))
            await desk.work()
            assert sum(one.to == MARIA for one in network.calls.values()) == (await _told(admin))["attempts"]
            clock.advance(timedelta(seconds=1))
    assert await _told(admin) == {
        "type": "reminder", "status": "missed", "outcome": "busy", "answered_by": None, "attempts": 3,
    }  # fmt: skip
    clock.advance(timedelta(hours=3))
    assert await _texts(desk, network, MARIA) == 1
    assert sum(one.to == MARIA for one in network.calls.values()) == 3


async def _over(desk: Front, network: TwilioSimulator) -> None:
    """Stay until no phone rings."""
    calls = list(network.calls.values())
    assert await network.time.until(lambda: all(one.over.is_set() for one in calls), timeout_s=5, within_s=300)
    await network.settled()


EARLY = {"rules": [{"name": "early", "days_before": 0, "at": "07:00", "channel": "call"}]}
NIGHT = {"rules": [{"name": "at night", "days_before": 1, "at": "22:30", "channel": "call"}]}


@pytest.mark.parametrize("mode", ["gather"], indirect=True)
@pytest.mark.parametrize("rules", [EARLY, NIGHT], ids=["early", "at night"])
async def test_no_phone_rings_at_night(
    desk: Front, network: TwilioSimulator, clock: FakeClock, mode: str, rules: object
) -> None:
    await _visit(desk, MARIA, rules)
    clock.set(TEN - timedelta(hours=2, seconds=1))  # a second before eight
    await desk.work()
    assert not network.calls
    assert await _texts(desk, network, MARIA) == 0
    clock.advance(timedelta(seconds=1))
    await desk.work()
    assert MARIA in [one.to for one in network.calls.values()]
    await desk.says(MARIA, "cancel my visit", "yes")


@pytest.mark.parametrize("mode", ["gather"], indirect=True)
async def test_who_wants_no_calls_gets_none_and_people_see_why(
    desk: Front, network: TwilioSimulator, clock: FakeClock, mode: str
) -> None:
    admin = await _visit(desk, MARIA)
    await Caller(desk, number=MARIA).ring()
    customer = (await admin.get("/customers?search=Maria"))["items"][0]["id"]
    lines = (await admin.get("/channels"))["items"]
    voice = next(one["id"] for one in lines if one["kind"] == "voice")
    no = {"channel_id": voice, "purpose": "reminder", "state": "out", "note": "no calls please"}
    await admin.post(f"/customers/{customer}/consents", no)
    clock.set(TEN)
    assert await _texts(desk, network, MARIA) == 1
    assert not network.calls
    kept = await _told(admin)
    assert (kept["status"], kept["outcome"], kept["attempts"]) == ("missed", "refused", 0)
    refused = await desk.rows("select status, error_code, text from messages where status = 'refused'")
    assert [(status, code) for status, code, _ in refused] == [("refused", "opted_out_reminder")]


@pytest.mark.parametrize("mode", ["gather"], indirect=True)
async def test_a_process_that_dies_while_it_dials_dials_nobody_twice(
    desk: Front, network: TwilioSimulator, clock: FakeClock, mode: str
) -> None:
    admin = await _visit(desk, MARIA)
    clock.set(TEN)
    assert isinstance(network.clock, HandClock)
    await network.clock.advance((TEN - network.clock()).total_seconds())
    network.callees[MARIA] = Callee(after_s=15)
    network.faults = Faults(accept_but_reset=1.0)  # Twilio calls, and we never hear so
    await desk.work()
    network.faults = Faults()
    clock.advance(timedelta(seconds=10))
    await desk.work()
    call = await network.rings(MARIA)
    await call.hears("A reminder from Juniper")
    assert sum(one.to == MARIA for one in network.calls.values()) == 1
    await call.hang_up()
    await network.settled()
    kept = await _told(admin)
    assert (kept["status"], kept["outcome"], kept["attempts"]) == ("completed", "none", 1)
    assert await _texts(desk, network, MARIA) == 0


ANA = "+15125550181"


@dataclass
class Team:
    """Ana, who calls back, and a customer who has called and has a task open."""

    ana: Client
    customer: str
    task: str

    async def call_back(self, *, status: int = 201, **body: str) -> str:
        made = await self.ana.post("/calls", body or {"service_request_id": self.task}, status=status)
        return str(made.get("id", ""))

    async def kept(self, call_id: str) -> tuple[str, str, list[tuple[str, str]]]:
        one = await self.ana.get(f"/calls/{call_id}")
        assert (one["type"], one["direction"]) == ("call_back", "outbound")
        return one["status"], one["outcome"], [(each["party"], each["outcome"]) for each in one["dialled"]]

    async def is_done(self) -> bool:
        return bool((await self.ana.get(f"/service-requests/{self.task}"))["status"] == "completed")


@pytest.fixture
async def team(desk: Front) -> Team:
    admin = await clients.person(desk, "admin")
    business = (await admin.get("/businesses"))["items"][0]["id"]
    ana = await clients.person(desk, "agent", name="Ana Silva")
    await admin.post(f"/businesses/{business}/staff", {"name": "Ana Silva", "user_id": ana.uid, "phone": ANA})
    await Caller(desk, number=MARIA).ring()
    call = (await admin.get("/calls"))["items"][0]
    whose = {"customer_id": call["customer_id"], "business_id": business, "title": f"Call back {MARIA}"}
    return Team(ana, call["customer_id"], (await admin.post("/service-requests", whose))["id"])


@pytest.mark.parametrize("mode", ["gather"], indirect=True)
async def test_a_call_back_rings_the_team_first_and_ends_in_a_stated_way(
    desk: Front, network: TwilioSimulator, team: Team, mode: str
) -> None:
    # Nobody of the team takes it: the customer's phone does not ring.
    for how, key, outcome in (("person", "2", "declined"), ("machine", "", "no_key"), ("no-answer", "", "no_answer")):
        network.callees[ANA] = Callee(how=how)  # type: ignore[arg-type]
        call_id = await team.call_back()
        await team.call_back(status=409)
        await desk.work()
        if key:
            mine = await network.rings(ANA)
            await mine.hears("Press one to call them now")
            await mine.press(key)
        await _over(desk, network)
        assert await team.kept(call_id) == ("missed", "not_taken", [("staff", outcome)])
    assert not [one for one in network.calls.values() if one.to == MARIA]
    del network.callees[ANA]

    # The customer is not reached, which the team hears; the task stays.
    left = "A machine has answered"
    for phone, outcome, ending, told in (
        (Callee(how="busy"), "busy", "busy", "They could not be reached"),
        (Callee(how="no-answer"), "no_answer", "no_answer", "They could not be reached"),
        (Callee(how="failed"), "failed", "failed", "They could not be reached"),
        (Callee(how="machine"), "machine", "message_left", left),
        (Callee(how="machine", detected="fax"), "machine", "machine", "They could not be reached"),
    ):
        network.callees[MARIA] = phone
        call_id = await team.call_back()
        await desk.work()
        mine = await network.rings(ANA)
        await mine.press("1")
        await mine.hears(told)
        assert "mailbox" not in mine.heard  # of a machine they hear nothing
        await _over(desk, network)
        status = "completed" if ending == "message_left" else "missed"
        assert await team.kept(call_id) == (status, ending, [("staff", "taken"), ("customer", outcome)])
        theirs = [one for one in network.calls.values() if one.to == MARIA][-1]
        assert ("We have tried to reach you" in (theirs.left or "")) == (ending == "message_left")
    assert await desk.one("select count(*) from messages where text like '%We have tried to reach you%'") == 1

    # Either of them hangs up before they are joined.
    network.callees[MARIA] = Callee(detected="-")
    for gone, outcome in ((ANA, "cancelled"), (MARIA, "hung_up")):
        call_id = await team.call_back()
        await desk.work()
        mine = await network.rings(ANA)
        await mine.press("1")
        theirs = await network.rings(MARIA)
        await theirs.hears("Hello, this is Juniper")
        await theirs.hears("One moment")
        await theirs.silence(3)
        await (mine if gone == ANA else theirs).hang_up()
        await _over(desk, network)
        assert await team.kept(call_id) == ("missed", outcome, [("staff", "taken"), ("customer", outcome)])
    network.callees[MARIA] = Callee(after_s=15)
    call_id = await team.call_back()
    await desk.work()
    mine = await network.rings(ANA)
    await mine.press("1")
    await mine.hears("One moment")
    await mine.silence(3)
    await mine.hang_up()
    await _over(desk, network)
    assert await team.kept(call_id) == ("missed", "cancelled", [("staff", "taken"), ("customer", "cancelled")])
    assert not await team.is_done()

    # They talk: the customer sees the business's number, and the task is done. Of who picked up nothing is told at all.
    network.callees[MARIA] = Callee(detected="-")
    async with connected(team.ana) as inbox:
        call_id = await team.call_back()
        await desk.work()
        mine = await network.rings(ANA)
        await mine.press("1")
        theirs = await network.rings(MARIA)
        assert theirs.sender == OURS
        await mine.say("Hello, this is Ana")
        await theirs.hears("Hello, this is Ana")
        told = await inbox.hear("call_state", lambda state: state["state"] == "talking")
        assert (told["call_id"], told["direction"], told["person"]["name"]) == (call_id, "outbound", "Ana Silva")
        uid = next(post.url.partition("attempt=")[2] for post in theirs.posts if "/out?" in post.url)
        late, ours = Caller(desk, sid=theirs.sid), {"From": OURS, "To": MARIA, "Direction": "outbound-dial"}
        for _ in range(2):  # too late, and twice: who talks goes on talking
            await late.post(f"{VOICE}/out/detected?attempt={uid}", **ours, AnsweredBy="machine_end_beep")
    await theirs.hang_up()
    await mine.hears("The call is over")
    await _over(desk, network)
    assert await team.kept(call_id) == ("completed", "connected", [("staff", "taken"), ("customer", "person")])
    assert await team.is_done()
    assert not network.alerts


@pytest.mark.parametrize("mode", ["gather"], indirect=True)
async def test_who_may_not_be_called_back_is_not_and_the_team_hears_why(
    desk: Front, network: TwilioSimulator, team: Team, mode: str
) -> None:
    ben = await clients.person(desk, "agent", name="Ben Okoro")
    assert "telephone number of yours" in str(await ben.post("/calls", {"customer_id": team.customer}, status=422))
    assert "whom to call" in str(await ben.post("/calls", {}, status=422))
    await desk.text(MARIA, "STOP")
    refused = await team.ana.post("/calls", {"customer_id": team.customer}, status=409)
    assert "no more messages" in str(refused)
    await desk.work()
    assert not network.calls
