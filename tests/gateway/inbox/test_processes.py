"""Several processes on PostgreSQL and Valkey behave as one."""

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

import aiohttp
import redis
from sqlalchemy import update

from desk import conversations, sign_in
from desk.inbox import assignment, rules
from desk.who import Actor
from gateway.context import House, open_house
from gateway.inbox.presence import Rolls, everybody
from gateway.inbox.relay import Relay
from storage.base import Db
from storage.models.sign_in import sessions
from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.inbox import live
from tests.gateway.inbox.live import ANNA, connected, until
from tests.gateway.rest import api as clients
from tests.gateway.test_cli import environment, running
from tests.servers import free_port

KEY = "Zt7-kQ2_vW9xLm4RbN8cYf1HjD6gSa3E"


@contextlib.contextmanager
def server(database_url: str, redis_url: str, folder: Path) -> "Iterator[tuple[str, subprocess.Popen[str]]]":
    """A server process of its own: its address, and the process."""
    env = environment(
        folder,
        DATABASE_URL=database_url,
        REDIS_URL=redis_url,
        TWILIO_ACCOUNT_SID=front.SID,
        TWILIO_AUTH_TOKEN=front.TOKEN,
        FRONTDESK_SECRETS__KEY=KEY,
        FRONTDESK_DEMO__ENABLED="false",
    )
    with running(env, "serve") as process:
        yield f"http://localhost:{env['PORT']}", process


async def test_two_servers_and_a_process_without_http_are_one_inbox(
    demo_postgresql_url: str, redis_url: str, tmp_path: Path
) -> None:
    env = {"REDIS_URL": redis_url, "FRONTDESK_SECRETS__KEY": KEY}
    settings = front.settings(demo_postgresql_url, tmp_path, free_port(), env)
    async with contextlib.AsyncExitStack() as stack:
        rooms = [server(demo_postgresql_url, redis_url, tmp_path) for _ in range(2)]
        for room in rooms:
            stack.push(room)
        (here, _), (there, other) = await asyncio.gather(*(asyncio.to_thread(room.__enter__) for room in rooms))
        house = await stack.enter_async_context(open_house(settings))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        await _is_one_inbox(front.Front(house, aiohttp.web.Application(), http, here, FakeClock()), there, other)


async def _is_one_inbox(desk: front.Front, there: str, other: "subprocess.Popen[str]") -> None:
    here, house = desk.url, desk.house
    robin = await clients.person(desk, "agent", name="Robin Reyes")
    kim = await clients.person(desk, "agent", name="Kim Lee")
    uid = await live.conversation(desk)
    room, her = f"conversation_{uid}", {"id": kim.uid, "name": "Kim Lee"}
    async with connected(robin, here) as one, connected(kim, there) as two:
        await one.hear("presence", lambda p: p.get("user") == her and p["status"] == "online")
        assert len((await one.say("join_room", {"room": room}))["viewers"]) == 1
        assert len((await two.say("join_room", {"room": room}))["viewers"]) == 2
        await one.hear("presence", lambda p: her in p.get("viewers", ()))
        await until(lambda: len(house.rolls.on(everybody(robin.tenant_id))) == 2)

        await two.say("typing", {"room": room, "typing": True})
        assert await one.hear("typing") == {"room": room, "user": her, "typing": True, "private": False}
        sent = await one.say("send_message", {"room": room, "message": "From here"})
        assert sent["collision"] == {"typing": [her]}
        assert await two.hear("new_message", lambda m: m["text"] == "From here") == sent["message"]
        await desk.text(ANNA, "To one of them")
        for live_one in (one, two):
            await live_one.hear("new_message", lambda m: m["text"] == "To one of them")
            assert sum(m["text"] == "To one of them" for m in live_one.of("new_message")) == 1

        # A process without HTTP tells as well: this one.
        await house.store.write(_give, robin.tenant_id, await _id(desk), kim.user_id or 0, now=house.clock.now())
        await one.hear("conversation_assigned", lambda a: a["assignee"] == her)
        assert (await two.hear("notification"))["kind"] == "assignment"

        # And gives what waits to those who are connected, wherever they are.
        await clients.person(desk, "agent", name="Not Here")
        ours = robin.tenant_id, await _id(desk)
        for user_id in (robin.user_id, kim.user_id):
            assert await house.store.write(_by_turns, *ours, now=house.clock.now()) == user_id

        # The line to Redis breaks: everybody is told to look again, and it goes on.
        with redis.Redis.from_url(house.settings.redis.url) as valkey:
            valkey.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        for live_one in (one, two):
            await live_one.hear("notification", lambda n: n["kind"] == "resync")
        await two.say("presence", {"status": "away"})
        await one.hear("presence", lambda p: p.get("user") == her and p["status"] == "away")

        # Signed out here, put out there.
        await house.store.write(_sign_out, kim.user_id or 0, now=house.clock.now())
        assert (await two.hear("signed_out"))["reason"] == "revoked"
        await one.hear("presence", lambda p: p.get("user") == her and p["status"] == "offline")
    async with connected(robin, here) as one, live.visitor(here) as tab, live.visitor(there) as far:
        await tab.say("send", {"id": "1", "text": "Hello"})
        await far.hear("resync")  # a visitor's tabs are one, wherever they are
        room = f"conversation_{await live.conversation_of(desk)}"
        await one.say("join_room", {"room": room})
        await far.say("typing", {"typing": True})
        assert (await one.hear("customer_typing"))["typing"] is True
        await one.say("typing", {"room": room, "typing": True})
        await one.say("send_message", {"room": room, "message": "To the visitor"})
        for page in (tab, far):
            assert await page.hear("typing") == {"name": "Robin Reyes", "typing": True}
            await page.hear("message", lambda m: m["text"] == "To the visitor")
    async with connected(robin, there) as two:
        other.send_signal(signal.SIGTERM)
        await asyncio.wait_for(two.ended.wait(), 5)  # and would come back by itself, to the other one
        assert other.wait(10) == 0


async def _id(desk: front.Front) -> int:
    return int(await desk.one("SELECT id FROM conversations WHERE peer = :p", p=ANNA))


def _give(db: Db, tenant_id: int, conversation_id: int, user_id: int, *, now: datetime) -> None:
    who = Actor(tenant_id, "system")
    conversations.take_over(db, who, conversation_id, user_id=user_id, reason="assigned", now=now)


def _by_turns(db: Db, tenant_id: int, conversation_id: int, *, now: datetime) -> int | None:
    who = Actor(tenant_id, "system")
    rules.save(db, who, rules.Rules(assignment="round_robin"), now=now)
    conversations.to_queue(db, who, conversation_id, reason="away", now=now)
    return assignment.entered(db, tenant_id, conversation_id, now=now)


def _sign_out(db: Db, user_id: int, *, now: datetime) -> None:
    db.execute(update(sessions).where(sessions.c.user_id == user_id).values(revoked_at=now))
    sign_in.forget(db)


async def test_whoever_was_on_a_killed_process_is_gone_after_a_while(
    sqlite_database_url: str, redis_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    time_s = 0.0
    url = sqlite_database_url
    settings = front.settings(url, tmp_path, free_port(), {"REDIS_URL": redis_url})
    async with open_house(settings, clock=clock, monotonic_s=lambda: time_s) as house:
        name = everybody(1)
        async with _rolls(house) as other:
            other.enter(name, 7)
            other.enter(name, 7)
            await until(lambda: house.rolls.on(name) == {7})
            other.leave(name, 7)
            house.rolls.enter(name, 8)
            await until(lambda: other.on(name) == {7, 8})
            # Somebody who comes later is told of everybody.
            async with _rolls(house) as late:
                await until(lambda: late.on(name) == {7, 8})
            time_s = 19.0
            house.rolls.forget_silent()
            assert house.rolls.on(name) == {7, 8}
            time_s = 60.0
            house.rolls.forget_silent()
            assert house.rolls.on(name) == {8}


@contextlib.asynccontextmanager
async def _rolls(house: House) -> AsyncIterator[Rolls]:
    """As another process would have them."""
    relay = Relay(house.bus, house.settings.redis.url)
    rolls = Rolls(relay, lambda: 0.0)
    await rolls.start()
    await relay.start()
    try:
        yield rolls
    finally:
        await rolls.stop()
        await relay.stop()
