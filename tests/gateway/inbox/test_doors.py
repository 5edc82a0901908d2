"""Who gets into the live inbox, and who is put out again."""

import asyncio
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
import socketio
from sqlalchemy import insert, select, update

from desk import sign_in
from gateway.auth.schemes import COOKIE
from gateway.auth.tokens import digest
from storage.base import Db, new_uid
from storage.models.sign_in import sessions
from storage.models.tenants import users
from tests.gateway.inbox.live import Desk, Live, connected, until
from tests.gateway.rest import api as clients


async def _refused(desk: Desk, **how: Any) -> Any:
    live, said = Live(), list[Any]()
    live.socket.on("connect_error", said.append)
    how = {"transports": ["websocket"], **how}
    with pytest.raises(socketio.exceptions.ConnectionError):
        await live.socket.connect(desk.url, **how)
    await live.socket.disconnect()
    return said[0]


async def session_of(desk: Desk, who: clients.Client) -> str:
    wanted = select(sessions.c.uid).where(sessions.c.user_id == who.user_id)
    return await desk.house.store.read(lambda db: str(db.execute(wanted).scalar_one()))


async def test_nobody_gets_in_without_a_good_token(desk: Desk) -> None:
    agent = await clients.person(desk, "agent")
    expired = desk.house.doorman.tokens.access(
        subject=agent.uid,
        tenant=new_uid(),
        kind="user",
        session=new_uid(),
        lasts=timedelta(minutes=5),
        now=desk.clock.now() - timedelta(hours=1),
    )
    for auth in (None, {}, {"token": ""}, {"token": "nonsense"}, {"token": expired}, {"token": 7}, ["token"]):
        refused = await _refused(desk, auth=auth)
        assert refused["message"].startswith("Sign in first"), auth
        assert refused["data"] == {"code": "unauthorized"}
    # What is shown first decides, also when something good stands behind it.
    good = {"Authorization": f"Bearer {agent.token}"}
    assert (await _refused(desk, auth={"token": "nonsense"}, headers=good))["data"]["code"] == "unauthorized"
    assert desk.inbox.connected == 0


async def test_a_token_in_the_address_and_a_foreign_page_are_turned_away(desk: Desk) -> None:
    agent = await clients.person(desk, "agent")
    address = f"{desk.url}/socket.io/?EIO=4&transport=polling"
    for more, headers, status in (
        (f"&token={agent.token}", {}, 400),
        ("&j=0", {}, 400),
        ("", {"Origin": "https://evil.example"}, 403),
        ("", {"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"}, 403),
        ("", {"Origin": "null"}, 403),
        ("", {"Origin": desk.url}, 200),
        ("", {}, 200),
    ):
        async with desk.http.get(address + more, headers=headers) as answer:
            assert answer.status == status, (more, headers)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await desk.http.ws_connect(
            f"{desk.url}/socket.io/?EIO=4&transport=websocket", headers={"Origin": "https://evil.example"}
        )


async def test_a_token_a_header_and_a_cookie_all_open(desk: Desk) -> None:
    agent = await clients.person(desk, "agent")
    program = await clients.program(desk, "conversations:read")
    value, now = "a-session-cookie-of-the-tests", desk.clock.now()

    def make(db: Db) -> None:
        moments = {"created_at": now, "last_used_at": now, "expires_at": now + timedelta(days=1)}
        ours = {"uid": new_uid(), "tenant_id": agent.tenant_id, "user_id": agent.user_id, "kind": "cookie"}
        db.execute(insert(sessions).values(**ours, digest=digest(value), **moments))

    await desk.house.store.write(make)
    for auth, headers in (
        ({"token": agent.token}, {}),
        ({"token": program.token}, {}),
        (None, {"Authorization": f"Bearer {agent.token}"}),
        (None, {"Cookie": f"{COOKIE}={value}", "Origin": desk.url}),
    ):
        for transports in (["websocket"], ["polling"]):
            live = Live()
            await live.socket.connect(desk.url, auth=auth, headers=dict(headers), transports=transports)
            assert (await live.say("presence"))["ok"] is True
            await live.socket.disconnect()


async def test_whoever_loses_the_right_to_be_here_is_signed_out(desk: Desk) -> None:
    agents = [await clients.person(desk, "agent") for _ in range(3)]
    admin, stays = await clients.person(desk), await clients.person(desk, "agent")
    made = await admin.post("/api-keys", {"name": "Wall", "scopes": ["conversations:read"]})
    program = clients.Client(desk, made["key"])
    short = desk.house.doorman.tokens.access(
        subject=agents[2].uid,
        tenant=new_uid(),
        kind="user",
        session=await session_of(desk, agents[2]),
        lasts=timedelta(minutes=5),
        now=desk.clock.now(),
    )

    def revoke(db: Db) -> None:
        now = desk.clock.now()
        db.execute(update(sessions).where(sessions.c.user_id == agents[0].user_id).values(revoked_at=now))
        db.execute(
            update(users).where(users.c.id == agents[1].user_id).values(tokens_valid_from=now + timedelta(seconds=1))
        )
        sign_in.forget(db)

    async with (
        connected(agents[0]) as revoked,
        connected(agents[1]) as new_password,
        connected(program) as key,
        connected(short, desk.url) as expires,
        connected(stays) as remains,
    ):
        await desk.house.store.write(revoke)
        await admin.delete(f"/api-keys/{made['id']}")
        for live in (revoked, new_password, key):
            assert (await live.hear("signed_out"))["reason"] == "revoked"
            await asyncio.wait_for(live.ended.wait(), 5)
        assert not expires.ended.is_set()
        desk.clock.advance(timedelta(minutes=5))
        assert (await expires.hear("signed_out"))["reason"] == "expired"
        await asyncio.wait_for(expires.ended.wait(), 5)
        assert (await remains.say("presence"))["ok"] is True
        await until(lambda: desk.inbox.connected == 1)
