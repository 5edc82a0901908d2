"""Rooms of the live inbox: who may enter, who is there, who types."""

import asyncio
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select, update

from desk import conversations, sign_in
from storage.base import Db, new_uid
from storage.models.inbox import team_members, teams
from storage.models.tenants import users
from tests.gateway.inbox.live import ANNA, Desk, connected, conversation, until
from tests.gateway.rest import api as clients


async def test_colleagues_see_each_other_come_type_and_go(desk: Desk) -> None:
    robin = await clients.person(desk, "agent", name="Robin Reyes")
    kim = await clients.person(desk, "agent", name="Kim Lee")
    room = f"conversation_{await conversation(desk)}"
    me, her = {"id": robin.uid, "name": "Robin Reyes"}, {"id": kim.uid, "name": "Kim Lee"}
    async with connected(robin) as one, connected(robin) as tab:
        assert await one.say("join_room", {"room": room}) == {"ok": True, "room": room, "viewers": [me], "typing": []}
        await tab.say("join_room", {"room": room})
        async with connected(kim) as two:
            assert (await one.hear("presence", lambda p: p.get("user") == her))["status"] == "online"
            joined = await two.say("join_room", {"room": room})
            assert joined["viewers"] == [her, me]  # two tabs are one person
            await one.hear("presence", lambda p: p.get("viewers") == [her, me])

            assert await two.say("typing", {"room": room, "typing": True}) == {"ok": True, "room": room, "typing": True}
            assert await one.hear("typing") == {"room": room, "user": her, "typing": True, "private": False}
            await one.hear("typing", lambda t: not t["typing"])  # nobody said so: it ends by itself
            assert two.of("typing") == []

            assert (await two.say("presence", {"status": "away"}))["status"] == "away"
            await one.hear("presence", lambda p: p.get("user") == her and p["status"] == "away")
            await two.say("presence", {"status": "online"})

            await two.say("typing", {"room": room, "typing": True})
            await until(lambda: len(one.of("typing")) == 3)
            joined = await tab.say("join_room", {"room": room})
            assert joined["typing"] == [her]
        await one.hear("presence", lambda p: p.get("user") == her and p["status"] == "offline")
        await until(lambda: [one["viewers"] for one in one.of("presence") if "viewers" in one][-1] == [me])
        assert one.of("typing")[-1] == {"room": room, "user": her, "typing": False, "private": False}
        await tab.say("leave_room", {"room": room})
        people = (await one.say("presence"))["people"]
        assert [person["name"] for person in people] == ["Robin Reyes"]
    await until(lambda: desk.inbox.connected == 0)


async def test_a_page_that_is_loaded_anew_does_not_flicker(desk: Desk) -> None:
    robin, kim = await clients.person(desk, "agent", name="Robin"), await clients.person(desk, "agent", name="Kim")
    async with connected(kim) as looks_on:
        async with connected(robin):
            await looks_on.hear("presence", lambda p: p["user"]["name"] == "Robin")
        async with connected(robin):
            await asyncio.sleep(0.3)
            statuses = [one["status"] for one in looks_on.of("presence") if one["user"]["name"] == "Robin"]
            assert statuses == ["online"]


async def test_what_cannot_be_done_is_answered(desk: Desk) -> None:
    agent = await clients.person(desk, "agent")
    viewer = await clients.person(desk, "viewer")
    technician = await clients.person(desk, "technician")
    program = await clients.program(desk, "customers:read")
    uid = await conversation(desk)
    room, nowhere = f"conversation_{uid}", f"conversation_{new_uid()}"
    async with connected(agent) as live:
        for event, said, code in (
            ("join_room", {"room": "conversation_123"}, "invalid"),
            ("join_room", {"room": nowhere}, "not_found"),
            ("join_room", {"room": f"team_{new_uid()}"}, "not_found"),
            ("join_room", {"room": f"user_{viewer.uid}"}, "not_found"),
            ("join_room", {"room": f"t{agent.tenant_id}:inbox"}, "invalid"),
            ("join_room", {"room": room, "as": "admin"}, "invalid"),
            ("join_room", {"room": ["x"]}, "invalid"),
            ("join_room", {}, "invalid"),
            ("join_room", "conversation", "invalid"),
            ("join_room", [1, 2], "invalid"),
            ("join_room", {"room": room, "photo": b"\x00"}, "invalid"),
            ("typing", {"room": room, "typing": True}, "not_joined"),
            ("typing", {"room": room, "typing": "yes"}, "invalid"),
            ("presence", {"status": "offline"}, "invalid"),
            ("send_message", {"room": nowhere, "message": "Hello"}, "not_found"),
            ("send_message", {"room": room, "message": ""}, "invalid"),
            ("send_message", {"room": room, "message": "a" * 20_001}, "invalid"),
            ("send_message", {"room": room, "message": "\ud800"}, "invalid"),
            ("connect", {}, "unknown_event"),
            ("disconnect", {}, "unknown_event"),
            ("make_me_admin", {}, "unknown_event"),
        ):
            answer = await live.say(event, said)
            assert answer["ok"] is False, (event, said)
            assert answer["error"]["code"] == code, (event, said, answer)
        assert (await live.say("join_room", {"room": f"user_{agent.uid}"}))["ok"] is True
        assert (await live.say("join_room", {"room": room.upper().replace("CONVERSATION", "conversation")}))[
            "room"
        ] == room
    for who, event, said in (
        (viewer, "send_message", {"room": room, "message": "Hello"}),
        (viewer, "typing", {"room": room, "typing": True}),
        (technician, "join_room", {"room": room}),
        (program, "join_room", {"room": room}),
        (program, "presence", {"status": "away"}),
    ):
        async with connected(who) as live:
            answer = await live.say(event, said)
            assert answer["error"]["code"] in ("forbidden", "not_allowed"), (event, answer)


async def test_another_tenant_sees_nothing_and_cannot_tell_what_is_there(desk: Desk) -> None:
    agent, sam = await clients.person(desk, "agent"), await clients.stranger(desk)
    uid = await conversation(desk)
    room = f"conversation_{uid}"

    def make_team(db: Db) -> str:
        values = {"uid": new_uid(), "tenant_id": agent.tenant_id, "name": "Lawns", "created_at": desk.clock.now()}
        made = db.execute(insert(teams).values(**values).returning(teams.c.id, teams.c.uid)).one()
        db.execute(insert(team_members).values(team_id=made.id, user_id=agent.user_id))
        return str(made.uid)

    team = await desk.house.store.write(make_team)
    async with connected(agent) as ours, connected(sam) as theirs:
        for said in ({"room": room}, {"room": f"team_{team}"}, {"room": f"user_{agent.uid}"}):
            kind = said["room"].partition("_")[0]
            nothing = await theirs.say("join_room", {"room": f"{kind}_{new_uid()}"})
            assert await theirs.say("join_room", said) == nothing, said
            assert (await ours.say("join_room", said))["ok"] is True
        assert (await theirs.say("send_message", {"room": room, "message": "Hi"}))["error"]["code"] == "not_found"
        await ours.say("typing", {"room": room, "typing": True})
        await ours.say("send_message", {"room": room, "message": "Good morning"})
        await desk.text(ANNA, "Anybody there?")
        await ours.hear("new_message", lambda m: m["text"] == "Anybody there?")
        await ours.hear("conversation_updated")
        people = (await theirs.say("presence"))["people"]
        assert [one["id"] for one in people] == [sam.uid]
        assert {event for event, _ in theirs.heard} <= {"presence"}
        assert {data["user"]["id"] for _, data in theirs.heard} <= {sam.uid}


async def test_a_lesser_role_and_a_lost_team_leave_the_rooms(desk: Desk) -> None:
    agent, keeps = await clients.person(desk, "agent"), await clients.person(desk, "agent")
    admin, uid = await clients.person(desk), await conversation(desk)
    room = f"conversation_{uid}"
    lawns = await admin.post("/teams", {"name": "Lawns", "member_ids": [agent.uid, keeps.uid]})
    team = f"team_{lawns['id']}"

    def demote(db: Db) -> None:
        db.execute(update(users).where(users.c.id == agent.user_id).values(role="technician"))
        sign_in.forget(db)

    async with connected(agent) as live, connected(keeps) as witness:
        for one in (live, witness):
            assert (await one.say("join_room", {"room": room}))["ok"] is True
            assert (await one.say("join_room", {"room": team}))["ok"] is True
        await admin.patch(f"/teams/{lawns['id']}", {"member_ids": [keeps.uid]})
        await until(lambda: sum(len(one.teams) for one in desk.inbox.connections.values()) == 1)
        await admin.put(f"/conversations/{uid}/assign", {"agent_id": None, "team_id": lawns["id"]})
        assert (await witness.hear("notification"))["kind"] == "queue"
        await live.hear("conversation_updated", lambda c: c["team"] is not None)  # what everybody hears came later
        assert live.of("notification") == []
        assert (await live.say("join_room", {"room": team}))["error"]["code"] == "not_found"

        await desk.house.store.write(demote)
        await witness.hear("presence", lambda p: [one["id"] for one in p.get("viewers", ())] == [keeps.uid])
        live.heard.clear()
        await desk.text(ANNA, "A secret")
        await witness.hear("new_message", lambda m: m["text"] == "A secret")
        assert live.of("new_message") == live.of("conversation_updated") == []
        assert (await live.say("join_room", {"room": room}))["error"]["code"] == "forbidden"


async def test_assignments_reach_everybody_and_their_person(desk: Desk) -> None:
    robin, kim = await clients.person(desk, "agent"), await clients.person(desk, "agent", name="Kim Lee")
    uid = await conversation(desk)
    conversation_id = await desk.one("SELECT id FROM conversations WHERE peer = :p", p=ANNA)

    def give(db: Db) -> Any:
        clock = desk.clock.now()
        return conversations.take_over(
            db, robin_actor, conversation_id, user_id=kim.user_id or 0, reason="assigned", now=clock
        )

    async with connected(robin) as one, connected(kim) as two:
        robin_actor = next(iter(desk.inbox.connections.values())).actor
        await desk.house.store.write(give)
        told = {"conversation_id": uid, "owner": "staff", "assignee": {"id": kim.uid, "name": "Kim Lee"}}
        assert await one.hear("conversation_assigned") == told
        assert (await two.hear("notification"))["kind"] == "assignment"
        assert (await one.hear("conversation_updated"))["id"] == uid
        assert one.of("notification") == []
        await desk.text(ANNA, "STOP")
        row = await one.hear("conversation_updated", lambda c: c["opted_out"])
        assert row["window"] is None
        admin = await clients.person(desk)  # whom they told by telephone that they may be written to again
        said = {"channel_id": row["channel_id"], "purpose": "all", "state": "in"}
        one.heard.clear()
        await admin.post(f"/customers/{row['customer']['id']}/consents", said)
        await one.hear("conversation_updated", lambda c: not c["opted_out"])


async def test_what_waits_is_given_to_those_who_are_connected_or_were_a_minute_ago(desk: Desk) -> None:
    admin = await clients.person(desk)
    robin, kim = await clients.person(desk, "agent"), await clients.person(desk, "agent", name="Kim Lee")
    await admin.put("/inbox/settings", {"assignment": "round_robin"})
    customers = iter(range(20, 60))

    async def owner(peer: str) -> Any:
        return await desk.one("SELECT owner_user_id FROM conversations WHERE peer = :p", p=peer)

    async def given(to: clients.Client | None) -> str:
        peer = f"+151255501{next(customers)}"
        await desk.text(peer, "human")
        assert await owner(peer) == (to.user_id if to else None)
        return peer

    async def later(**span: float) -> None:
        """That much later, once it is noted who is connected."""
        desk.clock.advance(timedelta(**span))
        noted = select(users.c.seen_at).where(users.c.id == robin.user_id)
        async with asyncio.timeout(5):
            while await desk.house.store.read(lambda db: db.execute(noted).scalar_one()) != desk.clock.now():
                pass

    await given(None)  # all are "online", and nobody is there
    async with connected(robin):
        for _ in range(2):
            await given(robin)
        await later(hours=1)
        await given(robin)
        await kim.put("/inbox/availability", {"status": "online"})  # who has no connection says so
        await given(kim)
        await later(seconds=59)
        await given(robin)
        await given(kim)
        await later(seconds=30)
        await given(robin)
        await given(robin)
    await until(lambda: desk.inbox.connected == 0)
    desk.clock.advance(timedelta(seconds=59))
    await given(robin)
    desk.clock.advance(timedelta(seconds=30))
    waits = await given(None)
    async with connected(kim):
        await desk.work()
        assert await owner(waits) == kim.user_id
