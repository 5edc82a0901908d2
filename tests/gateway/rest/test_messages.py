"""What people write from the inbox: at once, later, again, and by whom."""

import asyncio
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from storage.models.conversations import messages
from tests.gateway.front import Front
from tests.gateway.rest.api import Client, person, program, stranger
from tests.gateway.rest.inbox import KIM, channel_id, queued, texts, wrote


async def test_a_colleague_who_has_it_is_not_talked_over_unawares(desk: Front, api: Client) -> None:
    robin, ann = await person(desk, "agent"), await person(desk, "agent", name="Ann Bell")
    path = f"/conversations/{(await queued(api))['id']}/messages"
    await robin.post(path, {"text": "Hello."})
    refused = await ann.post(path, {"text": "Hello!"}, status=409)
    assert refused["error_code"] == "COLLISION"
    assert refused["collision"]["assignee"] == {"id": robin.uid, "full_name": "Robin Reyes"}
    assert (await ann.post(path, {"text": "He is new.", "private": True}))["status"] == "noted"
    version = refused["collision"]["owner_version"]
    forced = {"text": "Hello!", "force": True, "expected_version": version}
    await ann.post(path, forced)
    assert (await ann.get("/conversations?assignee=me"))["total"] == 1
    late = await robin.post(path, {**forced, "text": "Me again."}, status=409)
    assert late["error_code"] == "STALE"
    till = await program(desk, "conversations:read", "conversations:write")
    assert (await till.post(path, {"text": "Your bill."}, status=409))["error_code"] == "COLLISION"
    assert [text for text, _ in await texts(desk)] == ["Hello.", "Hello!"]


async def test_a_double_tap_says_it_once(desk: Front, api: Client) -> None:
    path = f"/conversations/{(await queued(api))['id']}/messages"
    body = {"text": "Hello.", "client_id": "tap-1"}
    said = await asyncio.gather(*(api.post(path, body) for _ in range(8)))
    assert len({one["id"] for one in said}) == 1
    note = {"text": "Hm.", "private": True, "client_id": "tap-2"}
    assert await api.post(path, note) == await api.post(path, note)
    assert await texts(desk) == [("Hello.", "ready")]


async def test_a_long_text_goes_out_in_pieces_and_files_by_their_addresses(desk: Front, api: Client) -> None:
    path = f"/conversations/{(await queued(api))['id']}/messages"
    long = " ".join(["scissors"] * 300)
    first = await api.post(path, {"text": long})
    assert len(first["text"]) <= 1600
    assert " ".join([text for text, _ in await texts(desk)]) == long
    said = await api.post(path, {"text": "Look:", "media": ["https://example.com/cut.jpg?size=2"]})
    (file,) = said["media"]
    assert {name: value for name, value in file.items() if value} == {
        "status": "ready",
        "kind": "image",
        "url": "https://example.com/cut.jpg?size=2",
        "content_type": "image/jpeg",
        "name": "cut.jpg",
    }
    for bad in (
        "http://example.com/a.png",
        "https://127.0.0.1/a.png",
        "https://me@example.com/a",
        "https://host/a",
        "x",
    ):
        assert (await api.post(path, {"media": [bad]}, status=422))["detail"][0]["loc"] == ["body", "media", "0"]
    await api.post(path, {"text": " \n"}, status=422)


async def test_what_may_not_be_sent_is_kept_with_the_reason_and_can_be_tried_again(desk: Front, api: Client) -> None:
    path = f"/conversations/{(await queued(api))['id']}"
    await desk.text(KIM, "STOP")
    said = await api.post(f"{path}/messages", {"text": "Hello."})
    assert (said["status"], said["error"]["code"]) == ("refused", "opted_out")
    assert (await api.get(path))["owner"] == "queue"  # nothing was said, so nobody took over
    retry = f"/messages/{said['id']}/retry"
    assert (await api.post(retry, status=200))["status"] == "refused"
    await desk.text(KIM, "START")
    again = await api.post(retry, status=200)
    assert (again["status"], again["error"]) == ("queued", None)
    assert (await api.post(retry, status=409))["error_code"] == "WRONG_STATE"
    assert await texts(desk) == [("Hello.", "ready")]

    def fail(db: object) -> None:
        db.execute(update(messages).values(status="failed", error_code="30003").where(messages.c.text == "Hello."))  # type: ignore[attr-defined]

    await desk.house.store.write(fail)
    assert (await api.get(f"/messages/{said['id']}"))["error"] == {"code": "30003", "reason": ""}
    assert (await api.post(retry, status=200))["status"] == "queued"


async def test_a_message_for_later_is_moved_or_kept_back_until_its_time(desk: Front, api: Client) -> None:
    conversation = await wrote(api, KIM, "When are you open?")
    path = f"/conversations/{conversation['id']}"
    said = await api.post(f"{path}/messages", {"text": "Come by!", "send_at": "2026-03-02T20:00:00Z"})
    assert (said["status"], said["scheduled_for"]) == ("scheduled", "2026-03-02T20:00:00Z")
    found = await api.get(path)
    assert (found["owner"], found["last_message"]["id"]) == ("bot", conversation["last_message"]["id"])
    message = f"/messages/{said['id']}"
    await api.patch(message, {"send_at": "2026-03-01T16:00:00Z"}, status=422)
    moved = await api.patch(message, {"send_at": "2026-03-02T21:00:00Z"})
    assert moved["scheduled_for"] == "2026-03-02T21:00:00Z"
    other = await api.post(f"{path}/messages", {"text": "No.", "send_at": "2026-03-02T20:00:00Z"})
    await api.delete(f"/messages/{other['id']}")
    assert (await api.get(f"/messages/{other['id']}"))["status"] == "canceled"
    await api.delete(f"/messages/{other['id']}", status=409)
    desk.clock.advance(timedelta(hours=2, minutes=30))
    await desk.work()
    assert (await api.get(message))["status"] == "scheduled"
    desk.clock.advance(timedelta(minutes=30))
    await desk.work()
    assert (await api.get(message))["status"] == "queued"  # there is no provider here that takes it
    assert (await api.get(path))["last_message"]["text"] == "Come by!"
    await api.patch(message, {"send_at": "2026-03-04T16:00:00Z"}, status=409)
    await api.post(f"{path}/messages", {"text": "x", "send_at": "2027-12-01T00:00:00Z"}, status=422)


async def test_a_customer_is_written_to_first(desk: Front, api: Client) -> None:
    sms, web = await channel_id(api), await channel_id(api, "web")
    customer = await api.post("/customers", {"name": "Noor", "phone": "512-555-0177"})
    body = {"customer_id": customer["id"], "channel_id": sms, "text": "Hello Noor."}
    made = await api.post("/conversations", body)
    assert (made["owner"], made["assignee"]["id"], made["address"]) == ("staff", api.uid, "+15125550177")
    assert (await api.post("/conversations", {**body, "text": "Are you there?"}))["id"] == made["id"]
    assert (await desk.text("+15125550177", "Yes!")).texts == ()
    lines = (await api.get(f"/conversations/{made['id']}/messages"))["items"]
    assert [one["text"] for one in lines] == ["Hello Noor.", "Are you there?", "Yes!"]
    refused = await api.post("/conversations", {**body, "channel_id": web}, status=422)
    assert refused["detail"][0]["loc"] == ["body", "channel_id"]
    await (await person(desk, "agent")).post("/conversations", body, status=409)


async def test_viewers_do_not_write_and_what_is_another_tenants_is_not_there(desk: Front, api: Client) -> None:
    path = f"/conversations/{(await queued(api))['id']}"
    viewer, other, gone = await person(desk, "viewer"), await stranger(desk), await person(desk, "agent")
    await viewer.get(path)
    for how, where, body in (
        ("POST", "/messages", {"text": "x"}),
        ("POST", "/close", {}),
        ("PUT", "/assign", {"agent_id": viewer.uid}),
        ("PATCH", "", {"priority": "low"}),
    ):
        assert (await viewer.call(how, path + where, body)).status == 403
        assert (await other.call(how, path + where, body)).status == 404
    await desk.change("UPDATE users SET is_active = false WHERE id = :id", id=gone.user_id)
    for uid, status in ((other.uid, 404), (gone.uid, 404), (viewer.uid, 422)):
        named: list[tuple[str, str, Any]] = [
            ("PUT", f"{path}/assign", {"agent_id": uid}),
            ("PUT", f"{path}/participants/{uid}", {}),
            ("POST", "/teams", {"name": "T", "member_ids": [uid]}),
        ]
        for how, where, given in named:
            assert (await api.call(how, where, given)).status == status, (uid, where)
    assert (await api.get(path))["owner"] == "queue"
