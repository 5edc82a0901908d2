"""People answer customers live, and what they see is what REST shows."""

import asyncio
from datetime import datetime

from sqlalchemy import select

from desk import live as news
from desk import messages
from storage.base import Db
from storage.models.conversations import conversations
from storage.models.conversations import messages as messages_table
from tests.gateway.inbox.live import ANNA, Desk, connected, conversation
from tests.gateway.rest import api as clients


async def test_a_message_is_sent_acknowledged_and_seen_as_rest_shows_it(desk: Desk) -> None:
    robin = await clients.person(desk, "agent", name="Robin Reyes")
    kim = await clients.person(desk, "agent", name="Kim Lee")
    uid = await conversation(desk)
    room = f"conversation_{uid}"
    async with connected(robin) as one, connected(kim) as two:
        for live in (one, two):
            await live.say("join_room", {"room": room})
        sent = await one.say("send_message", {"room": room, "message": "Good morning!", "client_id": "a1"})
        assert sent["ok"] is True
        assert sent["client_id"] == "a1"
        message = sent["message"]
        assert (message["text"], message["author"]["id"], message["conversation_id"]) == (
            "Good morning!",
            robin.uid,
            uid,
        )
        assert await two.hear("new_message", lambda m: m["id"] == message["id"]) == message
        assert await robin.get(f"/messages/{message['id']}") == message
        # Sent again, because the first acknowledgement was lost: it is the same one.
        again = await one.say("send_message", {"room": room, "message": "Good morning!", "client_id": "a1"})
        assert again["message"]["id"] == message["id"]

        # What goes out over REST comes in over the socket, and the other way round.
        posted = await kim.post(f"/conversations/{uid}/messages", {"text": "Only a note", "private": True})
        assert await one.hear("new_message", lambda m: m["private"]) == posted
        await desk.text(ANNA, "Is Tuesday free?")
        heard = await one.hear("new_message", lambda m: m["direction"] == "in" and "Tuesday" in m["text"])
        assert await kim.get(f"/messages/{heard['id']}") == heard
        row = await two.hear("conversation_updated", lambda c: (c["last_message"] or {}).get("id") == heard["id"])
        assert (row["id"], row["owner"], row["assignee"]["id"]) == (uid, "staff", robin.uid)

        # The provider tells how far it has come.
        await desk.house.store.write(_delivered, message["id"], now=desk.clock.now())
        status = await two.hear("message_status", lambda s: s["status"] == "delivered")
        assert (status["room"], status["message_id"], status["error"]) == (room, message["id"], None)
    assert await desk.one("SELECT count(*) FROM messages WHERE author = 'staff' AND text = 'Good morning!'") == 1


def _delivered(db: Db, uid: str, *, now: datetime) -> None:
    message = db.execute(select(messages_table).where(messages_table.c.uid == uid)).one()
    messages.attach_provider_id(db, message.id, "SM1", "sent")
    assert messages.set_status(db, message.account_id, "SM1", "delivered", now=now) == "changed"


async def test_two_who_answer_at_once_are_warned(desk: Desk) -> None:
    robin = await clients.person(desk, "agent", name="Robin Reyes")
    kim = await clients.person(desk, "agent", name="Kim Lee")
    room = f"conversation_{await conversation(desk)}"
    async with connected(robin) as one, connected(kim) as two:
        for live in (one, two):
            await live.say("join_room", {"room": room})
        await two.say("typing", {"room": room, "typing": True})
        await one.hear("typing")
        sent = await one.say("send_message", {"room": room, "message": "Mine"})
        assert sent["collision"] == {"typing": [{"id": kim.uid, "name": "Kim Lee"}]}
        refused = await two.say("send_message", {"room": room, "message": "No, mine"})
        assert refused["ok"] is False
        assert refused["error"]["code"] == "collision"
        assert refused["error"]["collision"]["assignee"] == {"id": robin.uid, "full_name": "Robin Reyes"}
        forced = await two.say("send_message", {"room": room, "message": "Mine all the same", "force": True})
        assert forced["ok"] is True
        given = await one.hear("conversation_assigned", lambda a: a["assignee"] == {"id": kim.uid, "name": "Kim Lee"})
        assert given["owner"] == "staff"
    texts = await desk.rows("SELECT text FROM messages WHERE author = 'staff' ORDER BY id")
    assert texts == [("Mine",), ("Mine all the same",)]


async def test_whoever_is_mentioned_or_late_is_told(desk: Desk) -> None:
    robin = await clients.person(desk, "agent", name="Robin Reyes")
    kim = await clients.person(desk, "agent", name="Kim Lee")
    uid = await conversation(desk)
    await robin.post(f"/conversations/{uid}/messages", {"text": "I am on it."})
    async with connected(robin) as one, connected(kim) as two:
        said = {"room": f"conversation_{uid}", "message": "Look at this", "private": True, "mentions": [kim.uid]}
        sent = await one.say("send_message", said)
        note = await two.hear("notification")
        assert (note["kind"], note["text"]) == ("mention", "Robin Reyes mentioned you: Look at this")
        assert (note["conversation_id"], note["message_id"]) == (uid, sent["message"]["id"])
        for told, kind in (("first_warning", "sla_warning"), ("next_breached", "sla_breach")):
            await desk.house.store.write(_late, uid, robin.user_id or 0, told)
            late = await one.hear("notification", lambda n, kind=kind: bool(n["kind"] == kind))  # type: ignore[misc]
            assert late["conversation_id"] == uid
        await kim.post(f"/conversations/{uid}/read", status=200)
        assert (await two.hear("conversation_updated", lambda c: c["unread_count"] == 0))["id"] == uid
        assert [n["kind"] for n in two.of("notification")] == ["mention"]


def _late(db: Db, uid: str, user_id: int, told: str) -> None:
    row = db.execute(select(conversations).where(conversations.c.uid == uid)).one()
    news.changed(db, row.tenant_id, row.id, "sla", user_id=user_id, detail=told)


async def test_after_a_cut_nothing_is_lost_and_nothing_doubled(desk: Desk) -> None:
    robin = await clients.person(desk, "agent")
    uid = await conversation(desk)
    room = f"conversation_{uid}"
    seen: list[str] = []
    async with connected(robin) as live:
        await live.say("join_room", {"room": room})
        await desk.text(ANNA, "one")
        await live.hear("new_message", lambda m: m["text"] == "one")
        await asyncio.sleep(0.1)
        seen = [message["id"] for message in live.of("new_message")]
        (sid,) = desk.inbox.connections
        desk.inbox.sockets.cut_sid(sid)
        await asyncio.wait_for(live.ended.wait(), 5)
        for text in ("two", "three", "four"):
            await desk.text(ANNA, text)
    async with connected(robin) as live:
        await live.say("join_room", {"room": room})  # first the room, then what came before it
        await desk.text(ANNA, "five")
        caught_up = await robin.get(f"/conversations/{uid}/messages?after={seen[-1]}&limit=100")
        await live.hear("new_message", lambda m: m["text"] == "five")
        await desk.text(ANNA, "six")
        await live.hear("new_message", lambda m: m["text"] == "six")
        await asyncio.sleep(0.1)
        for message in [*caught_up["items"], *live.of("new_message")]:
            if message["id"] not in seen:
                seen.append(message["id"])
    everything = (await robin.get(f"/conversations/{uid}/messages?limit=100"))["items"]
    first = [message["id"] for message in everything].index(seen[0])
    assert seen == [message["id"] for message in everything][first:]
    assert [m["text"] for m in everything if m["direction"] == "in"] == [
        "Hello",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
    ]
