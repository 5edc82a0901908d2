"""What happens by itself: reminders, nudges, offers, and messages that go out over the provider's API.

The provider is the simulated phone network, spoken to by the provider's own SDK.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from desk import conversations
from gateway.jobs.pressure import Pressure
from gateway.pipeline import outbox
from gateway.pipeline.outbox import RETRY_AFTER
from simulators.receiver import Receiver
from simulators.twilio import Account, Faults, Number, TwilioSimulator
from simulators.twilio.phone import Phone
from storage import queue
from storage.queue import Job
from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.front import MESSAGES, OURS, SID, STATUS, TOKEN, Front
from tests.gateway.rest.api import person, program

PHONE = "+15125550177"


@asynccontextmanager
async def networked(
    database_url: str, tmp_path: Path, clock: FakeClock, **more: str
) -> AsyncIterator[tuple[Front, TwilioSimulator]]:
    """A front desk whose messages reach phones."""
    clock.set(front.NOON)
    async with TwilioSimulator(accounts=[Account(sid=SID, auth_token=TOKEN)], clock=clock.now) as network:
        env = {"FRONTDESK_TWILIO__API_BASE": network.url, **more}
        async with front.opened(database_url, tmp_path, clock, env) as desk:
            network.add_number(
                Number(
                    number=OURS, account_sid=SID, webhook_url=desk.url + MESSAGES, status_callback_url=desk.url + STATUS
                )
            )
            yield desk, network


async def test_a_reminder_waits_for_a_paused_channel_and_is_shown_as_refused_when_it_is_too_late(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with networked(database_url, tmp_path, clock) as (desk, network):
        phone, api = network.phone(PHONE), await program(desk, "channels:read", "channels:write")
        channel = next(one["id"] for one in (await api.get("/channels"))["items"] if one["address"] == OURS)
        await phone.text(OURS, "haircut with Maya on thursday at 3pm")
        await phone.text(OURS, "yes")
        phone.inbox.clear()
        await api.patch(f"/channels/{channel}", {"is_active": False})
        await desk.pass_time(timedelta(days=2, hours=8), step=timedelta(hours=4))  # past Wednesday, 3 p.m.
        await network.settled()
        assert phone.inbox == []
        await api.patch(f"/channels/{channel}", {"is_active": True})
        await desk.pass_time(timedelta(minutes=1))
        await network.settled()
        assert ["Thursday, March 5" in one.body for one in phone.inbox] == [True]
        await api.patch(f"/channels/{channel}", {"is_active": False})
        await desk.pass_time(timedelta(hours=22), step=timedelta(hours=1))  # past the visit
        await network.settled()
        (refused,) = await desk.rows("SELECT error_code, text FROM messages WHERE status = 'refused'")
        assert (len(phone.inbox), refused[0]) == (1, "channel_paused")
        assert "March 5" in refused[1]
        await api.patch(f"/channels/{channel}", {"is_active": True})
        await desk.pass_time(timedelta(hours=1))
        await network.settled()
        assert len(phone.inbox) == 1


async def test_reminders_come_when_they_should_and_an_answer_changes_that_visit(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with networked(database_url, tmp_path, clock) as (desk, network):
        phone = network.phone(PHONE)
        await phone.text(OURS, "haircut with Maya on thursday at 3pm")
        await phone.text(OURS, "yes")
        phone.inbox.clear()
        await _booked_by_web_chat(desk)
        await desk.pass_time(timedelta(days=2, hours=2))  # Wednesday, 2 p.m.
        assert phone.inbox == []
        await desk.pass_time(timedelta(hours=1, minutes=15))
        await network.settled()
        assert len(phone.inbox) == 1
        assert "Thursday, March 5" in phone.inbox[0].body
        await phone.text(OURS, "1")
        assert await desk.one("SELECT status FROM appointments WHERE source = 'bot'") == "confirmed"
        await desk.pass_time(timedelta(hours=22))
        await network.settled()
        assert await desk.one("SELECT count(*) FROM outbox WHERE state = 'sent'") == 2
        assert await desk.one("SELECT count(*) FROM messages WHERE status = 'delivered'") != 0


async def test_a_visit_that_was_called_off_is_not_reminded_of(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with networked(database_url, tmp_path, clock) as (desk, network):
        phone = network.phone(PHONE)
        for line in ("haircut with Maya on thursday at 3pm", "yes", "I need to call off my appointment", "yes"):
            await phone.text(OURS, line)
        assert await desk.one("SELECT status FROM appointments WHERE source = 'bot'") == "cancelled"
        phone.inbox.clear()
        await desk.pass_time(timedelta(days=4), step=timedelta(hours=1))
        assert [text.body for text in phone.inbox if "March 5" in text.body] == []


async def test_a_moved_visit_is_reminded_of_at_its_new_time(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with networked(database_url, tmp_path, clock) as (desk, network):
        phone = network.phone(PHONE)
        for line in (
            "haircut with Maya on thursday at 3pm",
            "yes",
            "can I move my appointment to friday at 4pm?",
            "yes",
        ):
            await phone.text(OURS, line)
        assert await desk.one("SELECT local_start FROM appointments WHERE source = 'bot'") == "2026-03-06T16:00"
        phone.inbox.clear()
        await desk.pass_time(timedelta(days=3, hours=2))  # Thursday, 2 p.m.: the old reminders would have come
        assert phone.inbox == []
        await desk.pass_time(timedelta(hours=3))
        await network.settled()
        assert ["Friday, March 6" in text.body for text in phone.inbox] == [True]


FAULTS = {
    "an error": (Faults(rest_500=1), 1),
    "too many requests": (Faults(rest_429=1), 1),
    "a connection cut after it was taken": (Faults(accept_but_reset=1), 1),
    "an answer that is no JSON": (Faults(broken_json=1), 1),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_reminder_arrives_once_whatever_goes_wrong_on_the_way(
    sqlite_database_url: str, tmp_path: Path, clock: FakeClock, fault: str
) -> None:
    async with networked(sqlite_database_url, tmp_path, clock) as (desk, network):
        phone = network.phone(PHONE)
        await phone.text(OURS, "haircut with Maya on thursday at 3pm")
        await phone.text(OURS, "yes")
        phone.inbox.clear()
        network.faults, times = FAULTS[fault]
        await desk.pass_time(timedelta(days=2, hours=3, minutes=15))
        network.faults = Faults()
        await desk.pass_time(timedelta(hours=2), step=timedelta(minutes=5))
        await network.settled()
        assert len(phone.inbox) == times


@pytest.mark.parametrize("trouble", ["rest_500", "rest_429"])
async def test_an_outage_is_waited_out_by_the_schedule_and_then_people_and_programs_are_told(
    database_url: str, tmp_path: Path, clock: FakeClock, trouble: str
) -> None:
    allowed = {"FRONTDESK_WEBHOOKS__ALLOW_PRIVATE": "true"}
    async with Receiver(clock=clock.now) as receiver, networked(database_url, tmp_path, clock, **allowed) as both:
        desk, network = both
        api = await person(desk, "admin")
        made = await api.post("/webhooks", {"url": f"{receiver.url}/hooks", "event_types": ["message.failed"]})
        receiver.secrets["/hooks"] = made["secret"]
        await network.phone(PHONE).text(OURS, "hi")
        (talk,) = (await api.get("/conversations"))["items"]
        network.faults = Faults(**{trouble: True})
        said = await api.post(f"/conversations/{talk['id']}/messages", {"text": "Are you there?"})
        tries = "SELECT attempts FROM outbox o JOIN messages m ON m.id = o.message_id WHERE m.text = 'Are you there?'"
        await desk.work()
        waits = RETRY_AFTER if trouble != "rest_429" else [timedelta(seconds=1)] * len(RETRY_AFTER)  # as we are told
        for number, wait in enumerate(waits, 1):
            clock.advance(wait - timedelta(milliseconds=10))
            await desk.work()
            assert await desk.one(tries) == number
            clock.advance(timedelta(milliseconds=10))
            await desk.work()
            assert await desk.one(tries) == number + 1
        api = await person(desk, "admin")
        given_up = await api.get(f"/messages/{said['id']}")
        assert (given_up["status"], bool(given_up["error"]["reason"])) == ("failed", True)
        (told,) = receiver.received
        assert told.told["data"].items() >= {"message_id": said["id"], "status": "failed"}.items()
        await desk.pass_time(timedelta(days=2), step=timedelta(hours=12))
        assert await desk.one(tries) == len(RETRY_AFTER) + 1
        network.faults = Faults()
        api = await person(desk, "admin")
        assert len(network.phone(PHONE).inbox) == 1
        await api.call("POST", f"/messages/{said['id']}/retry")
        await desk.work()
        await network.settled()
        assert [text.body for text in network.phone(PHONE).inbox[1:]] == ["Are you there?"]
        assert (await api.get(f"/messages/{said['id']}"))["status"] == "delivered"


async def test_a_reminder_that_is_on_its_way_waits_for_its_channel_and_is_not_sent_once_the_visit_has_changed(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with networked(database_url, tmp_path, clock) as (desk, network):
        api = await program(desk, "channels:read", "channels:write")
        channel = next(one["id"] for one in (await api.get("/channels"))["items"] if one["address"] == OURS)
        phones = [network.phone(f"+1512555017{number}") for number in (7, 8)]
        for phone, time in zip(phones, ("3pm", "4pm"), strict=True):
            await phone.text(OURS, f"haircut with Maya on thursday at {time}")
            await phone.text(OURS, "yes")
            phone.inbox.clear()
        written = "SELECT status, error_code FROM messages WHERE \"use\" = 'reminder' ORDER BY id"
        network.faults = Faults(rest_429=2)
        await desk.pass_time(timedelta(days=2, hours=4, minutes=10), step=timedelta(hours=4, minutes=10))
        assert await desk.rows(written) == [("queued", None)] * 2  # to be tried again
        network.faults = Faults()
        await api.patch(f"/channels/{channel}", {"is_active": False})
        await desk.pass_time(timedelta(hours=2), step=timedelta(hours=1))
        await network.settled()
        assert await desk.rows(written) == [("held", "channel_paused")] * 2
        assert [phone.inbox for phone in phones] == [[], []]
        await desk.change("UPDATE appointments SET status = 'cancelled' WHERE id = (SELECT max(id) FROM appointments)")
        await api.patch(f"/channels/{channel}", {"is_active": True})
        await desk.pass_time(timedelta(minutes=1))
        await network.settled()
        assert ["March 5" in one.body for one in phones[0].inbox] == [True]
        assert phones[1].inbox == []
        assert set(await desk.rows(written)) == {("delivered", None), ("refused", "visit_changed")}


async def test_a_provider_that_says_nothing_is_asked_a_few_times_and_then_people_are_told(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with networked(database_url, tmp_path, clock) as (desk, network):
        api = await person(desk)
        phones = {name: network.phone(f"+1512555017{number}") for number, name in enumerate(("told", "lost", "gone"))}
        phones["lost"].fails_with = 30005
        talks: dict[str, str] = {}
        for name, phone in phones.items():
            await phone.text(OURS, f"hi, it is {name}")
            (found,) = (await api.get(f"/conversations?search={name}"))["items"]
            talks[name] = found["id"]
        await network.settled()
        network.faults = Faults(never_status=True)
        said = {
            name: await api.post(f"/conversations/{talk}/messages", {"text": f"Now, {name}?"})
            for name, talk in talks.items()
        }
        await desk.work()
        await network.settled()

        async def seen() -> dict[str, tuple[str, str]]:
            found = {name: await api.get(f"/messages/{one['id']}") for name, one in said.items()}
            return {name: (one["status"], (one["error"] or {}).get("code", "")) for name, one in found.items()}

        del network.messages[await _sid(desk, "Now, gone?")]  # somebody deleted it in Twilio's console
        await desk.pass_time(timedelta(minutes=29), step=timedelta(minutes=29))
        assert {status for status, _ in (await seen()).values()} == {"queued"}
        await desk.pass_time(timedelta(minutes=1))
        assert await seen() == {"told": ("delivered", ""), "lost": ("undelivered", "30005"), "gone": ("queued", "")}
        await desk.pass_time(timedelta(hours=24), step=timedelta(hours=1))
        api = await person(desk)
        path = f"/customers/{(await api.get('/customers?search=5125550171'))['items'][0]['id']}"
        known_by = (await api.get(path))["identities"]
        (number,) = (one for one in known_by if one["kind"] == "phone")
        assert number["unreachable_for"] == "no_such_number"
        (channel,) = (await api.get("/channels?kind=sms"))["items"]
        preview = {"channel_id": channel["id"], "text": "x", "audience": {"last_seen_after": "2026-03-02T00:00:00Z"}}
        assert (await api.post("/broadcasts/preview", preview, status=200))["skipped"] == {"no_such_number": 1}
        known = {"kind": number["kind"], "value": number["value"]}
        corrected = await api.post(f"{path}/reachable", known, status=200)
        assert corrected["identities"] == [{**one, "unreachable_for": None} for one in known_by]
        await api.post(f"{path}/reachable", {**known, "value": "+15125550199"}, status=404)
        assert (await api.post("/broadcasts/preview", preview, status=200))["skipped"] == {}
        assert (await seen())["gone"] == ("queued", "no_news")
        asked = "SELECT count(*) FROM channel_log c JOIN messages m ON m.id = c.message_id WHERE c.status = 'failed'"
        assert await desk.one(f"{asked} AND m.text = 'Now, gone?'") == 3
        assert await desk.one("SELECT count(*) FROM outbox WHERE ask_at IS NOT NULL") == 0
        await desk.post(
            {
                "MessageSid": await _sid(desk, "Now, gone?"),
                "MessageStatus": "delivered",
                "From": OURS,
                "AccountSid": SID,
            },
            path=STATUS,
        )
        assert (await seen())["gone"] == ("delivered", "")  # late, and true all the same


async def _sid(desk: Front, text: str) -> str:
    return str(await desk.one("SELECT provider_id FROM messages WHERE text = :text", text=text))


async def test_whoever_writes_to_another_number_of_the_pool_is_answered_from_that_number(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    pool, second, third = "MG" + "7" * 32, "+15125550131", "+15125550132"
    async with networked(database_url, tmp_path, clock) as (desk, network):
        api, phone = await person(desk), network.phone(PHONE)
        shop = next(one for one in (await api.get("/channels"))["items"] if one["address"] == OURS)
        await api.patch(f"/channels/{shop['id']}", {"sender_pool": pool})
        await api.post("/channels", {"kind": "sms", "address": "JUNIPER", "sender_pool": pool})
        ours = replace(network.numbers[OURS], messaging_service_sid=pool)
        for number in (OURS, second, third):
            network.add_number(replace(ours, number=number))
        exchange = await phone.text(second, "what are your hours?")
        (talk,) = (await api.get("/conversations"))["items"]
        assert (talk["channel_id"], len(exchange.texts)) == (shop["id"], 1)
        path = f"/conversations/{talk['id']}/messages"

        async def said(text: str) -> str:
            network.usual_number.clear()  # as if sticky senders were off
            await api.post(path, {"text": text})
            await desk.work()
            return phone.inbox[-1].sender

        assert await said("So?") == second
        await phone.text(third, "hello?")
        assert await said("And now?") == third
        del network.numbers[third]  # which is sold meanwhile
        assert await said("And now?") == OURS
        await network.settled()
        assert await desk.rows("SELECT DISTINCT status FROM messages WHERE direction = 'out'") == [("delivered",)]
        assert (await desk.text(PHONE, "hi", To=second, MessagingServiceSid="MG" + "8" * 32)).texts == ()


# What Twilio says of a text that it had taken, after which wait it is sent again, and how often it arrives in the end.
UNDELIVERED = {
    30003: (timedelta(hours=1), 1),
    30001: (timedelta(minutes=1), 1),
    30008: (None, 0),  # may still arrive by itself
    30005: (None, 0),
}


async def test_what_did_not_arrive_is_sent_again_where_that_cannot_make_it_arrive_twice(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with networked(database_url, tmp_path, clock) as (desk, network):
        kept = "SELECT status, error_code FROM messages WHERE text = :text"
        for code, (wait, times) in UNDELIVERED.items():
            api = await person(desk)
            phone = network.phone(f"+1512555{code % 10000:04}")
            await phone.text(OURS, f"hi, {code}")
            await network.settled()
            phone.inbox.clear()
            (talk,) = (await api.get(f"/conversations?search={code}"))["items"]
            network.faults, said = Faults(undelivered=1, undelivered_code=code, status_duplicate=1), f"Hello {code}"
            await api.post(f"/conversations/{talk['id']}/messages", {"text": said})
            await desk.work()
            await network.settled()
            state = ("held" if wait else "undelivered", str(code))
            assert await desk.rows(kept, text=said) == [state]
            if wait is not None:
                first = await desk.one("SELECT part_ids FROM outbox ORDER BY message_id DESC LIMIT 1")
                clock.advance(wait - timedelta(seconds=1))
                await desk.work()
                assert phone.inbox == []
                clock.advance(timedelta(seconds=1))
                await desk.work()
                await network.settled()
                # News of the first try changes nothing any more.
                (sid,) = first if isinstance(first, list) else json.loads(first)
                uid = await desk.one("SELECT uid FROM messages WHERE text = :text", text=said)
                late = {"MessageSid": sid, "MessageStatus": "undelivered", "ErrorCode": str(code)}
                for path in (STATUS, f"{STATUS}?ref={uid}"):
                    await desk.post({**late, "From": OURS, "AccountSid": SID}, path=path)
                assert await desk.rows(kept, text=said) == [("delivered", None)]
            await desk.pass_time(timedelta(hours=30), step=timedelta(hours=10))
            assert [one.body for one in phone.inbox] == [said] * times


async def test_a_phone_that_stays_off_is_tried_a_few_times_and_one_that_has_got_it_is_not(
    demo_sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with networked(demo_sqlite_url, tmp_path, clock) as (desk, network):
        phone = network.phone(PHONE)

        async def answer_to(text: str, fails_with: int | None) -> tuple[str, str]:
            phone.fails_with = fails_with
            (reply,) = (await phone.text(OURS, text)).replies  # in the webhook's answer
            await network.settled()
            return reply.body, reply.sid

        async def hours(count: int) -> None:
            for _ in range(count):
                await desk.pass_time(timedelta(hours=1), step=timedelta(hours=1))
                await network.settled()

        async def state(said: str) -> tuple[str, int]:
            status = await desk.one("SELECT status FROM messages WHERE text = :said", said=said)
            return status, sum(one.body == said for one in network.messages.values())

        off, _ = await answer_to("what are your hours?", 30003)
        assert await state(off) == ("held", 1)
        await hours(5)
        assert await state(off) == ("undelivered", outbox.MOST_UNDELIVERED)
        late, sid = await answer_to("where are you?", 30003)
        assert await state(late) == ("held", 1)
        uid = await desk.one("SELECT uid FROM messages WHERE text = :said", said=late)
        told = {"MessageSid": sid, "MessageStatus": "delivered", "From": OURS, "AccountSid": SID}
        await desk.post(told, path=f"{STATUS}?ref={uid}")  # it has arrived after all
        await hours(2)
        assert await state(late) == ("delivered", 1)
        old, _ = await answer_to("how much is a haircut?", 30003)
        clock.advance(timedelta(seconds=1))
        await answer_to("are you open on sunday?", None)  # they have gone on talking
        await hours(2)
        assert await state(old) == ("undelivered", 1)
        uid = await desk.one("SELECT uid FROM messages WHERE text = :said", said=old)
        api = await person(desk)
        await api.post(f"/messages/{UUID(str(uid))}/retry", status=200)  # which a person may do all the same
        await desk.work()
        await network.settled()
        assert await state(old) == ("delivered", 2)


async def test_who_opted_out_at_the_provider_is_known_here_afterwards(
    sqlite_database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with networked(sqlite_database_url, tmp_path, clock) as (desk, network):
        phone = network.phone(PHONE)
        await phone.text(OURS, "haircut with Maya on thursday at 3pm")
        await phone.text(OURS, "yes")
        await phone.text(OURS, "STOP")
        await desk.change("DELETE FROM consents")  # as if their word had come by another way
        await desk.pass_time(timedelta(days=2, hours=4))
        assert await desk.one("SELECT state FROM consents") == "out"
        assert await desk.one("SELECT error_code FROM messages WHERE status = 'failed'") == "21610"


async def _booked_by_web_chat(desk: Front) -> None:
    """As if the visit had been booked on a page that is closed by now: what follows comes by text all the same."""
    api = await person(desk)
    await api.post("/channels", {"kind": "web", "address": "closed-page"})
    account = await desk.one("SELECT id FROM accounts WHERE address = 'closed-page'")
    began = await desk.house.store.write(
        conversations.begin, account, peer_kind="web", peer="visitor", now=desk.clock.now()
    )
    theirs = "(SELECT customer_id FROM appointments WHERE source = 'bot')"
    await desk.change(f"UPDATE conversations SET customer_id = {theirs} WHERE id = :id", id=began.id)
    await desk.change("UPDATE appointments SET conversation_id = :id WHERE source = 'bot'", id=began.id)


async def test_a_question_that_is_not_answered_ends_quietly(desk: Front) -> None:
    await desk.says(PHONE, "book", "haircut")
    await desk.pass_time(timedelta(days=3), step=timedelta(hours=2))
    assert await desk.one("SELECT status FROM conversations") == "closed"
    assert await desk.one("SELECT count(*) FROM claims WHERE expires_at IS NOT NULL") == 0
    again = await desk.text(PHONE, "hi")
    assert "Juniper" in again.text


async def two_wait_for_one_time(desk: Front, network: TwilioSimulator) -> list[Phone]:
    """Whose visit it was, and two who wait for it; it has been called off, and the first of them has the offer."""
    await desk.change("UPDATE staff SET is_active = false WHERE name <> 'Maya'")
    await desk.change("UPDATE businesses SET revision = revision + 1")
    await desk.change(  # Maya has one hour on Saturday, for one haircut
        "DELETE FROM staff_hours WHERE weekday = 5 AND staff_id = (SELECT id FROM staff WHERE name = 'Maya')"
    )
    await desk.change(
        "INSERT INTO staff_hours (staff_id, weekday, opens_minute, closes_minute)"
        " SELECT id, 5, 600, 630 FROM staff WHERE name = 'Maya'"
    )
    first, second, third = phones = [network.phone(f"+1512555018{n}") for n in range(3)]
    for line in ("haircut on saturday at 10am", "yes"):
        await first.text(OURS, line)
    for waiting in (second, third):
        await waiting.text(OURS, "haircut on saturday at 10am")
        await waiting.text(OURS, "put me on the waiting list")
    assert await desk.one("SELECT count(*) FROM waitlist WHERE status = 'waiting'") == 2
    for line in ("call off my appointment", "yes"):
        await first.text(OURS, line)
    second.inbox.clear()
    third.inbox.clear()
    await desk.work()
    await network.settled()
    return phones


async def test_a_freed_time_is_offered_to_who_waits_and_goes_on_to_the_next(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with networked(database_url, tmp_path, clock) as (desk, network):
        _, second, third = await two_wait_for_one_time(desk, network)
        assert [len(phone.inbox) for phone in (second, third)] == [1, 0]
        assert "Saturday, March 7" in second.inbox[0].body
        await desk.pass_time(timedelta(minutes=12), step=timedelta(minutes=3))
        await network.settled()
        assert len(third.inbox) == 1
        await third.text(OURS, "yes")
        ((name,),) = await desk.rows(
            "SELECT c.phone FROM appointments a JOIN customers c ON c.id = a.customer_id"
            " WHERE a.source = 'bot' AND a.status = 'scheduled'"
        )
        assert name == third.number


async def test_no_to_an_offer_sends_it_on_at_once(database_url: str, tmp_path: Path, clock: FakeClock) -> None:
    async with networked(database_url, tmp_path, clock) as (desk, network):
        _, second, third = await two_wait_for_one_time(desk, network)
        await second.text(OURS, "no")
        assert second.inbox[-1].body.startswith("All right, it goes to the next. You're still on the list")
        await desk.work()
        await network.settled()
        assert "Saturday, March 7" in third.inbox[-1].body
        waiting = await desk.rows("SELECT status FROM waitlist ORDER BY id")
        assert waiting == [("waiting",), ("offered",)]
        await second.text(OURS, "take me off the list")
        assert second.inbox[-1].body.startswith("All right, you're off the list.")
        assert await desk.one("SELECT status FROM waitlist ORDER BY id LIMIT 1") == "left"


async def test_of_two_who_say_yes_in_the_same_moment_one_has_it(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with networked(database_url, tmp_path, clock) as (desk, network):
        _, second, third = await two_wait_for_one_time(desk, network)
        await desk.pass_time(timedelta(minutes=12), step=timedelta(minutes=3))
        await network.settled()
        await asyncio.gather(second.text(OURS, "yes"), third.text(OURS, "yes"), second.text(OURS, "yes"))
        assert await desk.one("SELECT count(*) FROM appointments WHERE source = 'bot' AND status = 'scheduled'") == 1
        assert third.inbox[-1].body.startswith("Booked")
        late, kept = second.inbox[-2:]
        assert late.body.startswith(
            "Sorry, that time went to somebody else in the meantime.\nYou're still on the list."
        )
        assert kept.body == "Good, I'll write as soon as another time opens up."
        assert await desk.rows("SELECT status FROM waitlist ORDER BY id") == [("waiting",), ("booked",)]


def test_who_gives_way_halves_when_late_and_grows_one_by_one() -> None:
    pressure = Pressure()
    for _ in range(2):
        pressure.felt(1.0, 0.0)
    rooms = [pressure.room]
    for late_s in (0.0, 0.5, 0.03, 0.001, 0.0, 1.0, 1.0, 1.0, 1.0, *[0.0] * 70):
        pressure.felt(0.025 + late_s, 0.0)
        rooms.append(pressure.room)
    assert rooms == [16, 17, 8, 4, 5, 6, 3, 1, 1, 1, *range(2, 65), *[64] * 7]


def test_while_somebody_waits_what_was_used_of_their_part_of_the_processor_is_paid_back_in_rest() -> None:
    is_waited_for = True
    pressure = Pressure(lambda: is_waited_for)
    assert (pressure.room, pressure.rest_s) == (3, 0.0)
    pressure.felt(0.1, 0.1)
    assert pressure.rest_s == pytest.approx(0.025 / 0.75)
    pressure.felt(pressure.rest_s, 0.0)
    assert pressure.rest_s == pytest.approx(0.0)
    for _ in range(40):
        pressure.felt(0.025, 0.05)
    assert pressure.rest_s == pytest.approx(0.25 / 0.75)
    is_waited_for = False
    pressure.felt(0.025, 0.05)
    assert pressure.rest_s == 0.0


async def test_who_was_so_slow_that_another_process_sends_it_does_not_send_it_too(
    postgresql_database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    rates = {"FRONTDESK_SENDING__RATES": "sms:us=1"}
    async with networked(postgresql_database_url, tmp_path, clock, **rates) as (desk, network):
        await desk.work()
        phone, api = network.phone(PHONE), await person(desk)
        await phone.text(OURS, "hello")
        [talk] = (await api.get("/conversations"))["items"]
        await api.post(f"/conversations/{talk['id']}/messages", {"text": "Are you there? " * 25})

        async def begin(job: Job) -> outbox.Letter | None:
            return await desk.house.store.write(outbox.begin, job, desk.house.adapters, now=clock.now())

        async def claim(name: str) -> list[Job]:
            kinds, lease_for = frozenset([outbox.KIND]), timedelta(seconds=5)
            return await desk.house.store.write(
                queue.claim, now=clock.now(), lease=name, lease_for=lease_for, limit=1, kinds=kinds
            )

        [slow] = await claim("slow")
        clock.advance(timedelta(seconds=6))
        [quick] = await claim("quick")
        clock.advance(timedelta(seconds=4))
        tokens = "SELECT tokens FROM lanes WHERE rate_per_s = 1"
        left = await desk.one(tokens)
        assert await begin(quick) is not None
        assert left - await desk.one(tokens) == 2  # the provider counts its three parts, and one was taken with the job
        with pytest.raises(queue.LeaseLost):
            await begin(slow)
        clock.advance(timedelta(seconds=30))  # it is on its way: whatever the lease was, nobody takes it meanwhile
        assert await claim("third") == []
