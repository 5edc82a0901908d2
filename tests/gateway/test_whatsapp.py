"""WhatsApp through Twilio from end to end: a phone, the provider's own SDK, and what people see of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gateway import demo_business as juniper
from simulators.twilio import Account, Content, Faults, Number, Phone, TwilioSimulator
from tests.clock import FakeClock
from tests.conftest import ENGINES
from tests.gateway import front
from tests.gateway.front import MESSAGES, SID, STATUS, TOKEN, Front
from tests.gateway.inbox.live import connected, until
from tests.gateway.rest.api import Client, person

OURS = f"whatsapp:{juniper.WHATSAPP_NUMBER}"
DANA = "whatsapp:+15125550177"


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a database of the test's own that holds the demo business."""
    return str(request.getfixturevalue(f"demo_{request.param}_url"))


@asynccontextmanager
async def opened(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[tuple[Front, TwilioSimulator, Phone]]:
    """A front desk with a WhatsApp number, and somebody who uses it."""
    clock.set(front.NOON)
    async with TwilioSimulator(accounts=[Account(sid=SID, auth_token=TOKEN)], clock=clock.now) as network:
        env = {"FRONTDESK_TWILIO__API_BASE": network.url}
        async with front.opened(database_url, tmp_path, clock, env, seeded=False) as desk:
            network.add_number(
                Number(
                    number=OURS, account_sid=SID, webhook_url=desk.url + MESSAGES, status_callback_url=desk.url + STATUS
                )
            )
            dana = network.phone(DANA)
            dana.name = "Dana"
            yield desk, network, dana


async def test_a_visit_is_booked_by_tapping_alone(database_url: str, tmp_path: Path, clock: FakeClock) -> None:
    async with opened(database_url, tmp_path, clock) as (desk, network, dana):
        await dana.text(OURS, "book")
        shown = []
        for title in ("Haircut", "Tomorrow", "9:30 AM", "Yes"):
            await desk.work()
            await network.settled()
            said = dana.inbox[-1].shown
            shown.append((len(said.rows), len(said.buttons), said.menu))
            await dana.tap(title)
        assert shown == [(6, 0, "Choose"), (0, 3, ""), (6, 0, "Choose"), (0, 2, "")]
        await desk.work()
        await network.settled()
        assert len(dana.inbox) == 5
        assert dana.inbox[-1].body.startswith("Booked: ")
        assert [title for title, _ in dana.inbox[-1].shown.links] == ["Add to calendar"]
        assert await desk.one("SELECT local_start FROM appointments WHERE source = 'bot'") == "2026-03-03T09:30"
        assert await desk.rows("SELECT name, profile_name FROM customers WHERE phone = '+15125550177'") == [
            (None, "Dana")
        ]
        assert len(network.contents) == 5  # one for each shape, whatever it says
        await network.settled()
        await dana.read()
        assert await desk.rows("SELECT DISTINCT status FROM messages WHERE direction = 'out'") == [("read",)]
        assert network.alerts == []


async def test_the_same_message_twice_is_answered_once_by_taps_and_by_text(
    demo_sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with opened(demo_sqlite_url, tmp_path, clock) as (desk, network, dana):
        network.faults = Faults(duplicate=2, copies=3)
        asked = await dana.text(OURS, "book")
        again = await dana.text(OURS, "book", sid=asked.message.sid)
        told = await dana.text(OURS, "what are your hours?")
        await desk.work()
        await network.settled()
        assert (len(asked.posts), again.texts, asked.texts, len(told.texts)) == (4, [], [], 0)
        assert len(dana.inbox) == 2
        assert await desk.one("SELECT count(*) FROM messages") == 4


async def test_whoever_hides_their_number_goes_on_where_a_person_has_the_word(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with opened(database_url, tmp_path, clock) as (desk, network, dana):
        hidden = network.phone("whatsapp:US.1234567890")  # the same phone, as Twilio tells of it then
        await dana.text(OURS, "hi", extra={"ExternalUserId": "US.1234567890"})
        api = await person(desk)
        path = f"/conversations/{(await _conversation(api))['id']}/messages"

        async def says(text: str) -> None:
            await api.post(path, {"text": text})
            await desk.work()
            await network.settled()

        await says("I'll see to it.")
        assert (await hidden.text(OURS, "so?")).replies == []
        await says("Come at nine.")
        assert (await dana.text(OURS, "fine", extra={"ExternalUserId": "US.1234567890"})).replies == []
        await says("See you.")
        assert [one.body for one in dana.inbox[1:]] == ["I'll see to it.", "See you."]
        assert [one.body for one in hidden.inbox] == ["Come at nine."]
        assert (await _conversation(api))["owner"] == "staff"
        await hidden.text(OURS, "STOP")
        stopped = len(dana.inbox)
        await dana.text(OURS, "hello?")
        assert len(dana.inbox) == stopped
        assert await desk.rows("SELECT DISTINCT state FROM consents") == [("out",)]
        customer = (await _conversation(api))["customer"]["id"]
        told = (await api.get(f"/customers/{customer}/consents"))["history"]
        assert [(one["kind"], one["source"]) for one in told] == [("whatsapp", "keyword"), ("bsuid", "keyword")]
        for one in told:  # both have the message as their proof
            assert (await api.get(f"/messages/{one['message_id']}"))["text"] == "STOP"


async def _conversation(api: Client) -> dict[str, Any]:
    (found,) = (await api.get("/conversations"))["items"]
    return dict(found)


def _approved(network: TwilioSimulator, name: str, body: str, language: str = "en") -> Content:
    """A template as somebody made it in Twilio's console and WhatsApp approved it."""
    content = Content(
        sid="HX" + f"{len(network.contents):032x}",
        account_sid=SID,
        friendly_name=name,
        language=language,
        variables={"1": "something"},
        types={"twilio/text": {"body": body}},
        created_at=network.clock(),
        is_approved=True,
    )
    network.contents[content.sid] = content
    return content


async def test_what_a_person_says_too_late_waits_until_the_customer_writes_and_a_template_goes_at_once(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with opened(database_url, tmp_path, clock) as (desk, network, dana):
        await dana.text(OURS, "what are your hours?")
        await desk.pass_time(timedelta(hours=23), step=timedelta(hours=12))
        api = await person(desk)
        path = f"/conversations/{(await _conversation(api))['id']}/messages"
        assert (await api.post(path, {"text": "In time."}))["status"] == "queued"
        await desk.work()
        await network.settled()
        assert dana.inbox.pop().body == "In time."
        await desk.pass_time(timedelta(hours=1), step=timedelta(hours=1))
        waiting = [await api.post(path, {"text": text, "client_id": text}) for text in ("One.", "Two.", "Three.")]
        assert {(one["status"], one["error"]["code"]) for one in waiting} == {("parked", "window_closed")}
        assert "24 hours" in waiting[0]["error"]["reason"]
        assert (await api.post(path, {"text": "One.", "client_id": "One."}))["id"] == waiting[0]["id"]
        assert (await _conversation(api))["last_message"]["text"] == "In time."
        await api.delete(f"/messages/{waiting[1]['id']}")
        _approved(network, "back_again", "Hello {{1}}, we have news for you.")
        _approved(network, "back_again", "Hola {{1}}, tenemos noticias.", "es")
        later = {"name": "back_again", "language": "es_MX", "variables": {"1": "Dana\nLopez"}}
        told = await api.post(path, {"text": "Hola Dana, tenemos noticias.", "template": later})
        await api.post(path, {"text": "x", "template": {**later, "name": "nobody_made_this"}})
        await desk.work()
        await network.settled()
        assert [text.body for text in dana.inbox[1:]] == ["Hola Dana Lopez, tenemos noticias."]
        assert (await api.get(f"/messages/{told['id']}"))["status"] == "delivered"
        assert await desk.rows("SELECT error_text FROM messages WHERE status = 'failed'") == [
            ("Twilio has no such template.",)
        ]
        exchange = await dana.text(OURS, "Yes?")
        assert exchange.texts == []  # a person has the word
        await desk.work()
        await network.settled()
        assert [text.body for text in dana.inbox[2:]] == ["One.", "Three."]
        shown = [(one["text"], one["status"]) for one in (await api.get(path))["items"]]
        assert shown[-3:] == [("Yes?", "received"), ("One.", "delivered"), ("Three.", "delivered")]
        assert ("Two.", "canceled") in shown
        assert await desk.one("SELECT count(*) FROM outbox WHERE state = 'parked'") == 0


async def test_a_visiting_card_is_fetched_as_a_file_by_whoever_has_its_link(
    demo_sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with opened(demo_sqlite_url, tmp_path, clock) as (desk, network, dana):
        await dana.text(OURS, "what are your hours?")
        api = await person(desk)
        path = f"/conversations/{(await _conversation(api))['id']}/messages"
        card = {"name": "Zoë; Bell, Sons", "phones": ["+1 512 555 0111", "+15125550112"], "emails": ["zoe@a.example"]}
        await api.post(path, {"text": "Call her:", "contact": card})
        await desk.work()
        await network.settled()
        assert [one.body for one in dana.inbox[-2:]] == ["", "Call her:"]
        file, [link] = "", dana.inbox[-2].media_urls
        for method in ("HEAD", "GET"):
            async with desk.http.request(method, link) as answer:
                assert (answer.status, answer.content_type, answer.charset) == (200, "text/vcard", None)
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                file = await answer.text("utf-8")
        assert file.split("\r\n") == [
            *("BEGIN:VCARD", "VERSION:3.0", "N:;Zoë\\; Bell\\, Sons;;;", "FN:Zoë\\; Bell\\, Sons"),
            *("TEL;TYPE=CELL:+1 512 555 0111", "TEL;TYPE=CELL:+15125550112", "EMAIL;TYPE=INTERNET:zoe@a.example"),
            *("END:VCARD", ""),
        ]
        forged = link.replace(".c.", ".f.")
        async with desk.http.get(forged) as answer:
            assert answer.status == 404


async def test_what_waited_too_long_is_not_said_any_more(
    demo_sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with opened(demo_sqlite_url, tmp_path, clock) as (desk, _network, dana):
        await dana.text(OURS, "hi")
        await desk.pass_time(timedelta(hours=25), step=timedelta(hours=25))
        api = await person(desk)
        path = f"/conversations/{(await _conversation(api))['id']}/messages"
        said = await api.post(path, {"text": "Your part is here."})
        await desk.pass_time(timedelta(days=7, hours=1), step=timedelta(days=7, hours=1))
        api = await person(desk)
        found = await api.get(f"/messages/{said['id']}")
        assert (found["status"], "in time" in found["error"]["reason"]) == ("refused", True)
        assert dana.inbox == []
        await api.post(path, {"text": "Are you there?", "force": True})
        await dana.text(OURS, "STOP")
        await dana.text(OURS, "hello?")
        await desk.work()
        assert [(text.body[:41], len(text.body) > 41) for text in dana.inbox] == [
            ("Juniper Barber & Repair: you will get no ", True)
        ]


async def test_a_reminder_comes_as_a_template_or_by_text_or_people_see_that_it_did_not(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with opened(database_url, tmp_path, clock) as (desk, network, dana):
        await dana.text(OURS, "haircut with Maya on thursday at 3pm")
        await desk.work()
        await dana.tap("Yes")
        await desk.work()
        await network.settled()
        dana.inbox.clear()
        sms = Number(number=front.OURS, account_sid=SID, webhook_url=desk.url + MESSAGES)
        network.add_number(sms)
        by_text = network.phone(DANA.removeprefix("whatsapp:"))
        await desk.pass_time(timedelta(days=2, hours=3, minutes=15), step=timedelta(hours=13))
        await network.settled()
        assert ["Thursday, March 5" in one.body for one in by_text.inbox] == [True]
        await by_text.text(front.OURS, "STOP")
        await desk.pass_time(timedelta(hours=22), step=timedelta(hours=11))  # the one two hours before
        refused = await desk.rows("SELECT text, error_code FROM messages WHERE status = 'refused'")
        assert [("Thursday, March 5" in text, code) for text, code in refused] == [(True, "window_closed")]
        api = await person(desk)
        number = (await api.get("/whatsapp"))["items"][0]
        _approved(network, "news", "News from Juniper: {{1}} Please answer here.")
        template = {"name": "news", "language": "en", "variable": "1"}
        changed = await api.patch(f"/channels/{number['id']}", {"window_template": template})
        assert changed["window_template"] == template
        desk.house.accounts.forget()
        (visit,) = await desk.rows("SELECT uid FROM appointments WHERE source = 'bot'")
        await api.patch(f"/appointments/{UUID(str(visit[0]))}", {"starts_at": "2026-03-09T21:00:00Z"})
        await desk.pass_time(timedelta(days=3, hours=2), step=timedelta(hours=37))
        await network.settled()
        (reminded,) = dana.inbox
        assert reminded.body.startswith("News from Juniper: ")
        assert reminded.body.endswith(" Please answer here.")
        assert "\n" not in reminded.body
        await dana.text(OURS, "1")
        assert await desk.one("SELECT status FROM appointments WHERE source = 'bot'") == "confirmed"


async def test_where_the_providers_clock_is_ahead_the_reply_waits_too(
    demo_sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with opened(demo_sqlite_url, tmp_path, clock) as (desk, network, dana):
        exchange = await dana.text(OURS, "what are your hours?")
        dana.inbox.clear()
        api = await person(desk)
        path = f"/conversations/{(await _conversation(api))['id']}/messages"
        network.heard_at[OURS, DANA] = clock.now() - timedelta(days=2)
        said = await api.post(path, {"text": "A word more."})
        await desk.work()
        await network.settled()
        found = await api.get(f"/messages/{said['id']}")
        assert (found["status"], found["error"]["code"], dana.inbox) == ("parked", "63016", [])
        await dana.text(OURS, "thanks")
        await desk.work()
        await network.settled()
        assert [text.body for text in dana.inbox] == ["A word more."]
        assert exchange.texts


async def test_what_is_said_in_a_row_arrives_in_a_row_also_when_the_first_is_tried_again(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with opened(database_url, tmp_path, clock) as (desk, network, dana):
        api = await person(desk)
        await dana.text(OURS, "hi")
        await desk.work()
        path = f"/conversations/{(await _conversation(api))['id']}/messages"
        for number in range(6):
            await api.post(path, {"text": f"{number}."})
        dana.inbox.clear()
        network.faults = Faults(rest_500=1)
        await desk.work()
        await desk.pass_time(timedelta(seconds=10), step=timedelta(seconds=2))
        await network.settled()
        assert [text.body for text in dana.inbox] == ["0.", "1.", "2.", "3.", "4.", "5."]


async def test_who_writes_is_seen_to_write_and_what_was_written_is_read(
    demo_sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with opened(demo_sqlite_url, tmp_path, clock) as (desk, network, dana):
        asked = await dana.text(OURS, "Can you mend my fridge?")
        await desk.work()
        await network.settled()
        assert (dana.typing_since, dana.ticked) == (None, [])
        api = await person(desk, "agent")
        room = f"conversation_{(await _conversation(api))['id']}"
        async with connected(api) as live, connected(await person(desk, "agent")) as colleague:
            for one in (live, colleague):
                await one.say("join_room", {"room": room})
            # What is a note is seen by colleagues alone.
            await live.say("typing", {"room": room, "typing": True, "private": True})
            await colleague.hear("typing", lambda t: t["typing"] and t["private"])
            await network.settled()
            assert (dana.typing_since, dana.ticked) == (None, [])
            for _ in range(3):
                await live.say("typing", {"room": room, "typing": True})
            await until(lambda: dana.typing_since is not None)
            assert dana.ticked == [asked.message.sid]
            await colleague.hear("typing", lambda t: t["typing"] and not t["private"])
            await live.say("send_message", {"room": room, "message": "Yes, we do."})
        await desk.work()
        await network.settled()
        assert (dana.inbox[-1].body, dana.typing_since) == ("Yes, we do.", None)


async def test_somebody_without_a_number_is_known_by_their_id_and_answered_there(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with opened(database_url, tmp_path, clock) as (desk, network, dana):
        await dana.text(OURS, "hi", extra={"ExternalUserId": "US.77"})
        hidden = network.phone("whatsapp:US.77")
        await hidden.text(OURS, "what are your hours?")
        stranger = network.phone("whatsapp:US.88")
        await stranger.text(OURS, "hi", extra={"ExternalUserId": "US.88", "WaId": "15125550188"})
        shown = network.phone("whatsapp:+15125550188")
        await shown.text(OURS, "hi")
        await desk.work()
        await network.settled()
        assert [len(phone.inbox) for phone in (dana, hidden, stranger, shown)] == [
            0,
            2,
            0,
            2,
        ]  # from where they wrote last
        by_peer = dict(await desk.rows("SELECT peer, customer_id FROM conversations"))
        assert [*by_peer] == ["US.77", "+15125550188"]
        assert len(set(by_peer.values())) == 2
