"""Broadcasts over REST: whom they reach, what those read, and what becomes of each message."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from desk import broadcasts
from gateway.jobs import broadcasts as jobs
from storage import queue
from storage.queue import Job
from tests.clock import FakeClock
from tests.gateway.front import OURS, Front
from tests.gateway.rest import field
from tests.gateway.rest.api import Client, person, stranger
from tests.gateway.test_jobs import networked

NOBODY = "01936f5e-5a2c-7e9a-8f4e-0d5a9b1c2d3e"
TEXT = 'Hi {{ customer.first_name | default: "there" }}, {{business.name}} is open.'


async def channel_of(api: Client) -> str:
    return str(UUID(str(await api.front.one("SELECT uid FROM accounts WHERE channel = 'sms'"))))


async def people(api: Client) -> dict[str, Any]:
    """Five customers with one tag: two can be reached, one refused offers, one refused everything, one has no number."""
    await api.post("/attributes", {"key": "visits", "label": "Visits", "kind": "number"})
    made = {}
    known: dict[str, dict[str, Any]] = {
        "Ann Lee": {"phone": "+15125550181", "attributes": {"visits": 3}, "tags": ["club", "vip"]},
        "": {"phone": "+15125550182", "attributes": {"visits": 9}},
        "Bo": {"phone": "+15125550183"},
        "Cy": {"phone": "+15125550184"},
        "Di": {"email": "di@mail.example"},
    }
    for name, more in known.items():
        made[name] = await api.post("/customers", {"name": name or None, "tags": ["club"], **more})
    channel = await channel_of(api)
    out = {"channel_id": channel, "purpose": "marketing", "state": "out"}
    await api.post(f"/customers/{made['Bo']['id']}/consents", out)
    await api.front.text("+15125550184", "STOP")
    return made


async def drafted(api: Client, **more: Any) -> Any:
    body = {"name": "Spring", "channel_id": await channel_of(api), "text": TEXT, "audience": {"tags_any": ["club"]}}
    return await api.post("/broadcasts", {**body, **more})


async def test_a_draft_is_kept_and_tells_whom_it_would_reach(api: Client) -> None:
    made = await people(api)
    draft = await drafted(api)
    path = f"/broadcasts/{draft['id']}"
    assert (draft["status"], draft["audience"], draft["started_at"]) == ("draft", {"tags_any": ["club"]}, None)
    assert await api.get(path) == await api.put(path, draft) == draft
    assert (await api.get("/broadcasts?search=spring&status=draft"))["items"] == [draft]
    seen = await api.post(f"{path}/preview", status=200)
    assert seen == {
        "total": 5,
        "reachable": 2,
        "opted_out": 2,
        "no_address": 1,
        "samples": [
            {"customer_id": made["Ann Lee"]["id"], "text": "Hi Ann, Juniper Barber & Repair is open."},
            {"customer_id": made[""]["id"], "text": "Hi there, Juniper Barber & Repair is open."},
        ],
        "longest": {"encoding": "gsm7", "units": 42, "parts": 1, "guilty": []},
        "parts": 2,
        "skipped": {"opted_out": 2, "no_address": 1},
        "missing": {},
        "held": 0,
        "held_until": None,
        "cost": None,
        "currency": None,
    }
    long = {**draft, "text": "ż" * 71 + "{{ customer.attributes.visits }}"}
    found = await api.post("/broadcasts/preview", {k: long[k] for k in ("channel_id", "text", "audience")}, status=200)
    assert found["longest"] == {"encoding": "ucs2", "units": 72, "parts": 2, "guilty": ["ż"]}
    await api.delete(path)
    await api.get(path, status=404)


async def test_a_preview_foresees_who_has_had_enough_and_who_is_asleep(api: Client) -> None:
    front = api.front
    await people(api)
    settings = await api.get("/sending/settings")
    await api.put("/sending/settings", {**settings, "marketing": {"messages": 1, "days": 7}})
    draft = await drafted(api, audience={"tags_any": ["vip"]})
    await api.post(f"/broadcasts/{draft['id']}/send", status=202)
    await front.work()
    await api.post("/customers", {"phone": "+4930123456", "tags": ["club"]})
    front.clock.advance(timedelta(hours=6))  # 18:00 in Austin, one in the morning in Berlin
    seen = await api.post(f"/broadcasts/{(await drafted(api))['id']}/preview", status=200)
    assert seen["skipped"] == {"too_often": 1, "opted_out": 2, "no_address": 1}
    assert (seen["reachable"], seen["held"], seen["held_until"]) == (2, 1, "2026-03-03T07:00:00Z")


async def test_audiences_are_what_they_say(api: Client) -> None:
    made = await people(api)
    channel, ids = await channel_of(api), await field.ids(api)
    await api.front.text("+15125550181", "hello")
    for name, status in (("Ann Lee", "completed"), ("Bo", "no_show")):
        visit = {"service_id": ids["haircut"], "starts_at": "2026-02-06T16:00:00Z", "status": status}
        await api.post("/appointments", {"customer_id": made[name]["id"], **visit})
    club = {"tags_any": ["club"]}
    audiences: list[tuple[dict[str, Any], int]] = [
        ({"tags_any": ["vip", "nobody"]}, 1),
        ({"tags_all": ["club", "vip"]}, 1),
        ({**club, "attributes": [{"key": "visits", "op": "gt", "value": 3}]}, 1),
        ({**club, "attributes": [{"key": "visits", "op": "lt", "value": 9.5}]}, 2),
        ({**club, "attributes": [{"key": "visits", "value": 3}]}, 1),
        ({**club, "last_seen_after": "2026-03-02T17:59:00Z"}, 2),
        ({**club, "attributes": [{"key": "visits", "op": "ne", "value": 3}]}, 4),
        ({**club, "attributes": [{"key": "visits", "op": "set"}]}, 2),
        ({**club, "attributes": [{"key": "visits", "op": "unset"}]}, 3),
        ({**club, "tags_none": ["vip", "nobody"]}, 4),
        ({**club, "last_seen_before": "2026-03-02T17:59:00Z"}, 3),  # who never wrote was not seen since
        ({**club, "last_visit_before": "2026-03-01T00:00:00Z"}, 1),
        ({**club, "last_visit_after": "2026-03-01T00:00:00Z"}, 0),
        ({**club, "has_no_show": True}, 1),
        ({**club, "has_no_show": False}, 4),
        ({**club, "has_upcoming_appointment": True}, 0),
        ({**club, "has_upcoming_appointment": False}, 5),
        ({**club, "statuses": ["inactive"]}, 0),
        ({**club, "languages": ["fr"]}, 0),
    ]
    for audience, total in audiences:
        body = {"channel_id": channel, "text": "x", "audience": audience}
        assert (await api.post("/broadcasts/preview", body, status=200))["total"] == total, audience
    wrong: list[dict[str, Any]] = [
        {"attributes": [{"key": "shoe", "value": 9}]},
        {"attributes": [{"key": "visits", "value": "many"}]},
        {"attributes": [{"key": "visits"}]},
        {"attributes": [{"key": "visits", "op": "contains", "value": "3"}]},
        {"everybody": True},
    ]
    for audience in wrong:
        await api.post("/broadcasts/preview", {"channel_id": channel, "text": "x", "audience": audience}, status=422)


async def test_a_text_has_only_blanks_that_are_known(api: Client) -> None:
    for text in (
        "{{ customer.password }}",
        "{{ customer.attributes.shoe }}",
        "{{ customer.__class__ }}",
        "{{ 7 * 7 }}",
        "{{ customer.name",
        "customer.name }}",
        "{{ customer.name | upper }}",
        "{% if 1 %}",
    ):
        body = {"channel_id": await channel_of(api), "text": text}
        answer = await api.call("POST", "/broadcasts/preview", body)
        assert answer.status == (200 if "%" in text else 422), text
    # What a customer is called is never a template.
    await api.post("/customers", {"name": "{{ business.phone }}", "phone": "+15125550188", "tags": ["odd"]})
    audience = {"tags_all": ["odd"]}
    odd = {"channel_id": await channel_of(api), "text": "{{ customer.name }}", "audience": audience}
    found = await api.post("/broadcasts/preview", odd, status=200)
    assert [one["text"] for one in found["samples"]] == ["{{ business.phone }}"]


async def test_nobody_gets_a_text_with_a_hole_in_it(api: Client) -> None:
    front, made = api.front, await people(api)
    await api.post("/customers", {"phone": "+15125550185", "tags": ["club"]})
    ann, nameless = made["Ann Lee"]["id"], made[""]["id"]
    visits, name = "{{ customer.attributes.visits }}", "customer.first_name"
    for text, missing in (
        (f"Hi {{{{ {name} }}}}, {visits} visits, {{{{ {name} }}}}!", {name: 2, "customer.attributes.visits": 1}),
        (f'Hi {{{{ {name} | default: "" }}}}, {visits}', {"customer.attributes.visits": 1}),
    ):
        draft = await drafted(api, text=text)
        path = f"/broadcasts/{draft['id']}"
        seen = await api.post(f"{path}/preview", status=200)
        most = max(missing.values())
        assert seen["missing"] == missing
        assert seen["skipped"] == {"opted_out": 2, "no_address": 1, "missing_value": most}
        assert (seen["total"], seen["reachable"], len(seen["samples"])) == (6, 3 - most, 3 - most)
        await api.post(f"{path}/send", status=202)
        await front.work()
        assert (await api.get(path))["counts"]["skipped"] == 3 + most
        found = (await api.get(f"{path}/recipients?skipped=true"))["items"]
        lacking = [(one["customer_id"], one["missing"]) for one in found if one["skipped_for"] == "missing_value"]
        assert len(lacking) == most
        assert (nameless, [name]) in lacking or most == 1
        assert lacking[-1][1] == [*missing]
        (first, *_) = (await api.get(f"{path}/recipients"))["items"]
        assert (first["customer_id"], first["skipped_for"], first["missing"]) == (ann, None, [])
    said = await front.rows("SELECT text FROM messages WHERE author = 'system' AND use = 'marketing' ORDER BY id")
    assert [text for (text,) in said] == ["Hi Ann, 3 visits, Ann!", "Hi Ann, 3", "Hi , 9"]


async def test_it_is_sent_once_and_counted(api: Client) -> None:
    front, made = api.front, await people(api)
    draft = await drafted(api)
    path = f"/broadcasts/{draft['id']}"
    started = await api.post(f"{path}/send", status=202)
    assert (started["status"], started["counts"]["queued"]) == ("sending", 0)
    await api.post(f"{path}/send", status=409)
    await api.patch(path, {"text": "other"}, status=409)
    await api.delete(path, status=409)
    job = await _claimed(front)
    await front.house.store.write(lambda db: queue.release(db, job.lease))
    await front.work()
    done = await api.get(path)
    assert (done["status"], done["counts"]["skipped"], done["counts"]["queued"]) == ("sending", 3, 2)
    assert sum(done["counts"].values()) == 5
    texts = await front.rows("SELECT text FROM messages WHERE author = 'system' ORDER BY id")
    assert texts == [(f"Hi {name}, Juniper Barber & Repair is open.",) for name in ("Ann", "there")]
    found = (await api.get(f"{path}/recipients"))["items"]
    assert [(one["customer_id"], one["skipped_for"]) for one in found] == [
        (made["Ann Lee"]["id"], None),
        (made[""]["id"], None),
        (made["Bo"]["id"], "opted_out"),
        (made["Cy"]["id"], "opted_out"),
        (made["Di"]["id"], "no_address"),
    ]
    assert (await api.get(f"{path}/recipients?skipped=true"))["total"] == 3
    await front.change("UPDATE messages SET status = 'delivered' WHERE author = 'system'")
    front.clock.advance(timedelta(seconds=3))
    await front.work()
    done = await api.get(path)
    assert done["counts"] == {
        "queued": 0, "held": 0, "sent": 0, "delivered": 2, "read": 0, "failed": 0, "skipped": 3,
    }  # fmt: skip
    assert (done["status"], done["finished_at"]) == ("sent", "2026-03-02T18:00:03Z")
    await api.delete(path)


async def _taken(front: Front) -> Job:
    (job,) = await front.house.store.write(
        queue.claim, now=front.clock.now(), lease="me", lease_for=timedelta(minutes=1), limit=1,
        kinds=frozenset({jobs.KIND}))  # fmt: skip
    return job


async def _claimed(front: Front) -> Job:
    """The job, in the hands of a process that dies after the first five."""
    job = await _taken(front)
    plan = await front.house.store.read(broadcasts.plan, int(str(job.payload["broadcast_id"])), now=front.clock.now())
    assert plan is not None
    more = await front.house.store.read(broadcasts.next_ones, plan, limit=5, now=front.clock.now())
    assert more is not None
    after, found = more
    for one in found:
        assert await front.house.store.write(jobs.say_next, front.house, job, plan, [one], after=after)
        after = one.customer.id
    return job


async def standings(api: Client) -> list[tuple[Any, ...]]:
    """Whom, status and time of the messages, in order."""
    return await api.front.rows(
        "SELECT c.peer, m.status, m.error_code FROM messages m JOIN conversations c ON c.id = m.conversation_id "
        "WHERE m.author = 'system' ORDER BY m.id"
    )


async def arrived(front: Front) -> None:
    """The provider took whatever is on its way; in these tests nobody answers there."""
    on_its_way = "FROM messages WHERE status = 'queued'"
    await front.change(f"DELETE FROM jobs WHERE dedupe IN (SELECT 'send:' || id {on_its_way})")
    await front.change(f"UPDATE outbox SET state = 'sent' WHERE message_id IN (SELECT id {on_its_way})")
    await front.change("UPDATE messages SET status = 'sent' WHERE status = 'queued'")


async def test_it_begins_at_its_time_pauses_and_goes_on_where_it_stood(api: Client) -> None:
    front, _ = api.front, await people(api)
    draft = await drafted(api)
    path = f"/broadcasts/{draft['id']}"
    wrong = ({"send_at": "2020-01-01T00:00:00Z"}, {"local_at": "2026-02-30T10:00"}, {"local_at": "tomorrow"})
    for body in (*wrong, {"send_at": "2026-03-02T20:00:00Z", "local_at": "2026-03-02T20:00"}):
        await api.post(f"{path}/send", body, status=422)
    await api.post(f"{path}/pause", status=409)
    await api.post(f"{path}/resume", status=409)
    later = await api.post(f"{path}/send", {"send_at": "2026-03-02T20:00:00Z"}, status=202)
    assert (later["status"], later["scheduled_at"], later["started_at"]) == ("scheduled", "2026-03-02T20:00:00Z", None)
    await front.work()
    assert await standings(api) == []
    assert (await api.post(f"{path}/pause", status=200))["status"] == "paused"
    front.clock.advance(timedelta(hours=2))
    await front.work()
    assert await standings(api) == []
    assert (await api.post(f"{path}/resume", status=200))["status"] == "sending"
    job = await _claimed(front)
    await front.house.store.write(lambda db: queue.release(db, job.lease))
    await api.post(f"{path}/pause", status=200)
    await front.work()
    assert await standings(api) == [
        ("+15125550181", "held", "broadcast_paused"),
        ("+15125550182", "held", "broadcast_paused"),
    ]
    await api.post(f"{path}/resume", status=200)
    await front.work()
    assert [one[2] for one in await standings(api)] == [None, None]
    assert (await api.get(path))["status"] == "sending"
    assert (await api.get(f"{path}/recipients"))["total"] == 5
    assert (await api.post(f"{path}/cancel", status=200))["counts"]["skipped"] == 5
    assert {one[1] for one in await standings(api)} == {"canceled"}


@dataclass
class _Meddled:
    """A store, with somebody who pauses and resumes the broadcast around one look."""

    store: Any
    look: Any
    api: Client
    path: str

    async def read(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        if fn is not self.look:
            return await self.store.read(fn, *args, **kwargs)
        await self.api.post(f"{self.path}/pause", status=200)
        found = await self.store.read(fn, *args, **kwargs)
        await self.api.post(f"{self.path}/resume", status=200)
        return found

    async def write(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        return await self.store.write(fn, *args, **kwargs)


async def test_a_pause_of_a_moment_while_it_is_worked_on_leaves_nobody_out(api: Client) -> None:
    front, _ = api.front, await people(api)
    draft = await drafted(api)
    path = f"/broadcasts/{draft['id']}"
    await api.post(f"{path}/send", status=202)
    meddled: Any = _Meddled(front.house.store, broadcasts.next_ones, api, path)
    house = replace(front.house, store=meddled)
    await jobs.write(house, await _taken(front))
    assert (await api.get(path))["status"] == "sending"
    await front.work()
    assert (await api.get(f"{path}/recipients"))["total"] == 5


async def test_everybody_gets_it_at_one_time_by_their_own_clock(api: Client) -> None:
    front = api.front
    for number in ("+15125550181", "+12125550182", "+4930123456"):
        await api.post("/customers", {"phone": number, "tags": ["club"]})
    draft = await drafted(api)
    path = f"/broadcasts/{draft['id']}"
    begun = await api.post(f"{path}/send", {"local_at": "2026-03-02T14:00"}, status=202)
    assert (begun["status"], begun["local_at"]) == ("sending", "2026-03-02T14:00")
    await front.work()  # it is noon in Austin, 13:00 in New York, 19:00 in Berlin
    waits = ("held", "local_time")
    assert [one[1:] == waits for one in await standings(api)] == [True, True, False]
    front.clock.advance(timedelta(hours=1))
    await front.work()
    assert [one[1:] == waits for one in await standings(api)] == [True, False, False]
    front.clock.advance(timedelta(hours=1))
    await front.work()
    assert [one[1:] == waits for one in await standings(api)] == [False, False, False]


async def test_it_is_being_sent_until_the_last_message_has_left(api: Client) -> None:
    front, made = api.front, await people(api)
    path = f"/broadcasts/{(await drafted(api))['id']}"
    front.clock.advance(timedelta(hours=9))  # nine in the evening
    await api.post(f"{path}/send", status=202)
    seen = []
    for hours in (0, 9, 3):
        front.clock.advance(timedelta(hours=hours))
        await front.work()
        found = await api.get(path)
        seen.append((found["status"], found["counts"]["held"], found["counts"]["queued"], found["held_until"]))
        waiting = [one["held_until"] for one in (await api.get(f"{path}/recipients"))["items"] if one["held_until"]]
        assert (len(waiting), max(waiting, default=None)) == (found["counts"]["held"], found["held_until"])
        assert (await api.get(f"/broadcasts?status={found['status']}"))["total"] == 1
        if found["status"] == "sending":
            await api.delete(path, status=409)
        if hours == 0:
            paused = await api.post(f"{path}/pause", status=200)
            assert (paused["status"], paused["counts"]["held"], paused["held_until"]) == ("paused", 2, None)
            await api.post(f"{path}/resume", status=200)
            await api.post(f"/customers/{made['']['id']}/erase", status=204)
    morning = "2026-03-03T14:00:00Z"
    assert seen == [("sending", 2, 0, morning), ("sending", 1, 0, morning), ("sending", 0, 1, None)]
    await arrived(front)
    front.clock.advance(timedelta(seconds=3))
    await front.work()
    assert (await api.get(path))["status"] == "sent"
    for ended in ("pause", "cancel"):
        await api.post(f"{path}/{ended}", status=409)


async def test_answers_go_where_the_broadcast_says_once(api: Client) -> None:
    front, _ = api.front, await people(api)
    scenario = {"to": "scenario", "scenario": "book"}
    await drafted_wrongly(api)
    for replies, owner in (({"to": "inbox"}, "queue"), (scenario, "bot"), ({"to": "bot"}, "bot")):
        await front.change("UPDATE conversations SET owner = 'bot', flow = NULL")
        draft = await drafted(api, replies=replies)
        assert draft["replies"] == {"scenario": None, **replies}
        await api.post(f"/broadcasts/{draft['id']}/send", status=202)
        await front.work()
        await arrived(front)
        said = await front.text("+15125550181", "Sounds lovely")
        assert await front.one("SELECT owner FROM conversations WHERE peer = '+15125550181'") == owner
        if replies == scenario:
            assert "haircut" in said.text.lower(), said.text
        if owner == "queue":
            why = await front.one("SELECT reason FROM owner_changes ORDER BY id DESC LIMIT 1")
            assert (said.texts, why) == ((), "broadcast_reply")
        waiting = "SELECT count(*) FROM conversations WHERE broadcast_id IS NOT NULL AND peer = '+15125550181'"
        assert await front.one(waiting) == 0


SPRING = """
spec: 1
id: spring
start: ask
slots: {wants: {type: yes_no}}
states:
  ask: {say: ask, collect: wants, outcomes: {filled: decide, exhausted: none}}
  decide: {branch: [{slot: wants, equals: true, then: which}], else: none}
  which: {branch: [{fact: broadcast, equals: Spring, then: wanted}], else: none}
  wanted: {say: wanted, end: completed}
  none: {say: none, end: completed}
words:
  en: {ask: Would you like the offer?, wanted: "The offer {broadcast} is yours.", none: "Another time, then."}
tests:
  - {name: wanted, facts: {broadcast: Spring}, turns: [{user: start, state: ask}, {user: "yes", state: wanted}]}
"""


async def with_spring(api: Client) -> dict[str, str]:
    """The scenario above, published; and what sends answers there."""
    bots = (await api.get("/bots"))["items"]
    made = await api.post(f"/bots/{bots[0]['id']}/scenarios", {"source": SPRING})
    await api.post(f"/bots/{bots[0]['id']}/scenarios/{made['id']}/publish", status=200)
    return {"to": "scenario", "scenario": "spring"}


async def test_the_scenario_that_an_answer_begins_knows_the_broadcast_and_what_was_said(api: Client) -> None:
    front, _ = api.front, await people(api)
    replies = await with_spring(api)
    for name, words, heard in (
        ("Spring", "Yes please!", "The offer Spring is yours."),
        ("Spring", "Who is this?", "Would you like the offer?"),
        ("Summer", "yes", "Another time, then."),
        ("Spring", "no thanks", "Another time, then."),
    ):
        await front.change("UPDATE conversations SET flow = NULL")
        draft = await drafted(api, name=name, replies=replies, text="20 % off. Would you like that?")
        await api.post(f"/broadcasts/{draft['id']}/send", status=202)
        await front.work()
        await arrived(front)
        assert (await front.text("+15125550181", words)).text == heard, words


@pytest.mark.parametrize(
    ("words", "heard"),
    [
        ("no thanks", "Just write if you need anything."),
        ("No, thank you!", "Just write if you need anything."),
        ("not interested", "Just write if you need anything."),
        ("no, saturday at 10", "What would you like to book?"),
        ("sure", "What would you like to book?"),
    ],
)
async def test_whoever_says_no_to_a_broadcast_is_not_asked_on(api: Client, words: str, heard: str) -> None:
    front, _ = api.front, await people(api)
    draft = await drafted(api, replies={"to": "scenario", "scenario": "book"})
    await api.post(f"/broadcasts/{draft['id']}/send", status=202)
    await front.work()
    await arrived(front)
    assert heard in (await front.text("+15125550181", words)).text


async def test_who_ends_offers_has_answered_the_broadcast_by_that(api: Client) -> None:
    front, _ = api.front, await people(api)
    draft = await drafted(api, replies=await with_spring(api))
    await api.post(f"/broadcasts/{draft['id']}/send", status=202)
    await front.work()
    await arrived(front)
    assert (await front.text("+15125550182", "Ayuda")).texts != ()  # a question about us is no answer yet
    assert (await front.text("+15125550182", "yes")).text == "The offer Spring is yours."
    assert "no more offers" in (await front.text("+15125550181", "no more offers")).text
    assert "Spring" not in (await front.text("+15125550181", "yes")).text


async def test_what_comes_more_than_a_week_later_is_no_answer_to_a_broadcast(api: Client) -> None:
    front, _ = api.front, await people(api)
    replies = await with_spring(api)
    heard = []
    for late, to in ((0, {"to": "inbox"}), (0, replies), (1, {"to": "inbox"}), (1, replies)):
        api = await person(front)  # people are signed out long before
        await front.change("UPDATE conversations SET owner = 'bot', flow = NULL")
        draft = await drafted(api, replies=to)
        await api.post(f"/broadcasts/{draft['id']}/send", status=202)
        await front.work()
        await arrived(front)
        front.clock.advance(timedelta(days=7, seconds=late))
        said = await front.text("+15125550181", "yes")
        owner = await front.one("SELECT owner FROM conversations WHERE peer = '+15125550181'")
        heard.append((owner, said.text == "The offer Spring is yours."))
    assert heard == [("queue", False), ("bot", True), ("bot", False), ("bot", False)]


async def test_an_answer_to_something_else_is_none_to_the_broadcast(api: Client) -> None:
    front, _ = api.front, await people(api)
    peer, owner = "+15125550181", "SELECT owner FROM conversations WHERE peer = '+15125550181'"
    draft = await drafted(api, replies={"to": "inbox"})
    await front.text(peer, "haircut with Maya on thursday")
    await api.post(f"/broadcasts/{draft['id']}/send", status=202)
    await front.work()
    await arrived(front)
    await front.text(peer, "3pm")
    booked = await front.text(peer, "yes")
    assert (await front.one(owner), "3:00" in booked.text) == ("bot", True), booked.text
    again = await drafted(api, replies={"to": "inbox"})
    await api.post(f"/broadcasts/{again['id']}/send", status=202)
    await front.work()
    await arrived(front)
    front.clock.set(datetime(2026, 3, 4, 21, 30, tzinfo=UTC))  # past the reminder, a day before
    await front.work()
    await front.text(peer, "1")
    assert await front.one(owner) == "bot"
    assert await front.one("SELECT status FROM appointments WHERE source = 'bot'") == "confirmed"


async def drafted_wrongly(api: Client) -> None:
    body = {"name": "x", "channel_id": await channel_of(api), "text": "x"}
    unknown = {"to": "scenario", "scenario": "nothing_of_the_kind"}
    for replies in ({"to": "scenario"}, {"to": "inbox", "scenario": "book"}, {"to": "nobody"}, unknown):
        await api.post("/broadcasts", {**body, "replies": replies}, status=422)


async def test_nothing_goes_out_after_stop_cancel_or_erasure(api: Client) -> None:
    front, made = api.front, await people(api)
    first, second = await drafted(api), await drafted(api)
    for draft in (first, second):
        await api.post(f"/broadcasts/{draft['id']}/send", status=202)
        await _claimed(front)
    await front.text("+15125550181", "STOP")
    await api.post(f"/customers/{made['']['id']}/erase", status=204)
    stopped = await api.post(f"/broadcasts/{second['id']}/cancel", status=200)
    assert (stopped["status"], stopped["counts"]["skipped"]) == ("cancelled", 5)
    await front.work()
    assert await front.rows("SELECT DISTINCT status FROM messages WHERE author = 'system' ORDER BY 1") == [
        ("canceled",),
        ("refused",),
    ]
    assert (await api.get(f"/broadcasts/{first['id']}"))["counts"]["skipped"] == 5
    await api.post(f"/broadcasts/{second['id']}/cancel", status=409)
    # STOP outlives erasure, until START.
    await api.post(f"/customers/{made['Cy']['id']}/erase", status=204)
    await api.post("/customers", {"phone": "+15125550184", "tags": ["back"]})
    path = f"/broadcasts/{(await drafted(api, audience={'tags_any': ['back']}))['id']}"
    assert (await api.post(f"{path}/preview", status=200))["skipped"] == {"opted_out": 1}
    await api.post(f"{path}/send", status=202)
    await front.work()
    assert (await standings(api))[-1] == ("+15125550184", "refused", "opted_out")
    (talk,) = (await api.get("/conversations?search=5125550184"))["items"]
    said = []
    for words in ("Hello?", "Hello!"):  # whoever writes by themselves is answered
        said.append((await api.post(f"/conversations/{talk['id']}/messages", {"text": words}))["id"])
        await front.work()
        await front.text("+15125550184", "hello")
    assert [(await api.get(f"/messages/{one}"))["status"] == "refused" for one in said] == [True, False]
    assert (await api.post(f"{path}/preview", status=200))["skipped"] == {"opted_out": 1}
    await front.text("+15125550184", "START")
    assert (await api.post(f"{path}/preview", status=200))["reachable"] == 1


async def test_a_channel_that_is_paused_pauses_it_and_resumed_it_leaves_nobody_out(api: Client) -> None:
    front, _ = api.front, await people(api)
    draft = await drafted(
        api, text='{{ customer.first_name | default: "" }} {{ customer.attributes.visits | default: "" }}'
    )
    path, channel = f"/broadcasts/{draft['id']}", f"/channels/{draft['channel_id']}"
    await api.post(f"{path}/send", status=202)
    job = await _taken(front)
    plan = await front.house.store.read(broadcasts.plan, int(str(job.payload["broadcast_id"])), now=front.clock.now())
    assert plan is not None
    found = await front.house.store.read(broadcasts.next_ones, plan, limit=1, now=front.clock.now())
    assert found is not None
    await front.house.store.write(jobs.say_next, front.house, job, plan, found[1], after=found[0])
    await front.house.store.write(lambda db: queue.release(db, job.lease))
    await api.patch(channel, {"is_active": False})
    await front.work()
    paused = await api.get(path)
    assert (paused["status"], paused["counts"]["held"]) == ("paused", 1)
    assert paused["paused_for"] == {"code": "channel_paused", "reason": "Its channel was switched off."}
    assert [one[1:] for one in await standings(api)] == [("held", "broadcast_paused")]
    await api.post(f"{path}/resume", status=409)
    await api.patch(channel, {"is_active": True})
    (visits,) = (await api.get("/attributes"))["items"]
    await api.delete(f"/attributes/{visits['id']}")
    assert (await api.post(f"{path}/resume", status=200))["paused_for"] is None
    await front.work()
    assert (await api.get(path))["paused_for"]["code"] == "invalid"
    await api.post("/attributes", {"key": "visits", "label": "Visits", "kind": "number"})
    await api.post(f"{path}/resume", status=200)
    await front.work()
    assert [(one[0], one[1] == "held") for one in await standings(api)] == [
        ("+15125550181", False),
        ("+15125550182", False),
    ]
    assert (await api.get(f"{path}/recipients"))["total"] == 5


async def test_who_talks_with_a_person_is_left_in_peace(api: Client) -> None:
    front = api.front
    await people(api)
    await front.text("+15125550181", "I want to talk to a person")
    await front.change("UPDATE conversations SET owner = 'queue' WHERE peer = '+15125550181'")
    draft = await drafted(api)
    await api.post(f"/broadcasts/{draft['id']}/send", status=202)
    await front.work()
    found = (await api.get(f"/broadcasts/{draft['id']}/recipients"))["items"]
    assert found[0]["skipped_for"] == "person_talking"


async def test_another_tenants_things_are_nobodys(api: Client, desk: Front) -> None:
    draft = await drafted(api)
    other = await stranger(desk)
    body = {"name": "x", "channel_id": draft["channel_id"], "text": "x"}
    await other.post("/broadcasts", body, status=404)
    await other.post("/broadcasts/preview", {"channel_id": draft["channel_id"], "text": "x"}, status=404)
    path = f"/broadcasts/{draft['id']}"
    for method, where, sent in (
        ("GET", path, None),
        ("PUT", path, body),
        ("PATCH", path, {}),
        ("DELETE", path, None),
        ("POST", f"{path}/preview", {}),
        ("POST", f"{path}/send", {}),
        ("POST", f"{path}/cancel", {}),
        ("POST", f"{path}/pause", {}),
        ("POST", f"{path}/resume", {}),
        ("GET", f"{path}/recipients", None),
    ):
        assert (await other.call(method, where, sent)).status == 404, (method, where)
    await api.post("/broadcasts", {**body, "channel_id": NOBODY}, status=404)


async def test_what_messages_have_cost_is_asked_an_hour_later_and_stands_beside_the_estimate(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    prices = {"FRONTDESK_SENDING__PRICES": "sms:US=0.0083"}
    async with networked(database_url, tmp_path, clock, **prices) as (desk, network):
        phones = [network.phone(f"+1512555017{number}") for number in range(3)]
        for phone in phones:
            await phone.text(OURS, "hi")  # answered in the webhook's answer
        await network.settled()
        api = await person(desk)
        (channel,) = (await api.get("/channels?kind=sms"))["items"]
        for one in (await api.get("/customers?search=512555017"))["items"]:
            await api.patch(f"/customers/{one['id']}", {"tags": ["club"]})
        words = {
            "name": "Open",
            "channel_id": channel["id"],
            "text": "We are open. " * 20,
            "audience": {"tags_any": ["club"]},
        }
        draft = await api.post("/broadcasts", words)
        await api.post(f"/broadcasts/{draft['id']}/send", {}, status=202)
        await desk.pass_time(timedelta(minutes=5))
        await network.settled()
        spent = (await api.get(f"/broadcasts/{draft['id']}"))["spent"]
        assert spent == {"estimate": 0.0498, "currency": "USD", "told": [], "billed": {}, "free": 0}
        await desk.pass_time(timedelta(hours=3), step=timedelta(minutes=30))
        api = await person(desk)
        spent = (await api.get(f"/broadcasts/{draft['id']}"))["spent"]
        assert spent["told"] == [{"currency": "USD", "amount": 0.0474, "messages": 3}]
        (listed,) = (await api.get("/broadcasts"))["items"]
        assert listed["spent"] == spent
        (talk, *_) = (await api.get("/conversations"))["items"]
        said = (await api.get(f"/conversations/{talk['id']}/messages"))["items"]
        told = {"currency": "USD", "billable": None, "category": None}
        assert [one["cost"] for one in said] == [None, {"price": 0.0079, **told}, {"price": 0.0158, **told}]


async def test_what_the_provider_refuses_is_counted_once_and_known_the_next_time(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with networked(database_url, tmp_path, clock) as (desk, network):
        api = await person(desk, "admin")
        well, left, wired = "+15125550191", "+15125550192", "+15125550193"
        for phone in (well, left, wired):
            await api.post("/customers", {"phone": phone, "tags": ["club"]})
        network.opted_out.add((OURS, left))  # they said STOP there, and nobody told us
        network.phone(wired).is_landline = True
        counts = []
        for text in ("Open on Sunday.", "Closed on Monday."):
            draft = await drafted(api, text=text)
            await api.post(f"/broadcasts/{draft['id']}/send", status=202)
            await desk.pass_time(timedelta(hours=1))
            await network.settled()
            await desk.pass_time(timedelta(days=1))
            api = await person(desk, "admin")
            done = await api.get(f"/broadcasts/{draft['id']}")
            counts.append({name: count for name, count in done["counts"].items() if count})
            assert done["status"] == "sent"
        assert [one.body for one in network.phone(well).inbox] == ["Open on Sunday.", "Closed on Monday."]
        assert counts[0] == {"delivered": 1, "failed": 2}
        assert counts[1] == {"delivered": 1, "skipped": 2}
        tries = "SELECT c.peer, o.attempts, m.error_code FROM outbox o JOIN messages m ON m.id = o.message_id "
        tries += "JOIN conversations c ON c.id = m.conversation_id ORDER BY m.id"
        assert (await desk.rows(tries))[:3] == [(well, 1, None), (left, 1, "21610"), (wired, 1, "21614")]
