"""Clients that ask for too much (promises R3)."""

import asyncio
import io
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psutil
import pytest

from storage.base import new_uid
from tests.clock import FakeClock
from tests.gateway.inbox import live
from tests.gateway.inbox.live import Desk, connected, conversation, until
from tests.gateway.rest import api as clients


@pytest.fixture
def database_url(demo_sqlite_url: str) -> str:
    """The database has no part in this, so one engine is enough."""
    return demo_sqlite_url


async def test_ten_thousand_joins_end_the_connection(desk: Desk) -> None:
    agent = await clients.person(desk, "agent")
    async with connected(agent) as flood, connected(agent) as normal:
        answers: list[Any] = []
        for _ in range(10_000):
            if flood.ended.is_set():
                break
            try:
                await flood.socket.emit("join_room", {"room": f"conversation_{new_uid()}"}, callback=answers.append)
            except Exception:  # noqa: BLE001  gone in the middle of a word
                break
        await asyncio.wait_for(flood.ended.wait(), 10)
        await asyncio.sleep(0)
        codes = [one["error"]["code"] for one in answers]
        assert 90 <= codes.count("not_found") <= 200
        assert codes.count("rate_limited") <= 200
        assert (await normal.say("presence"))["ok"] is True
        await until(lambda: desk.inbox.connected == 1)


async def test_nobody_is_in_more_than_two_hundred_rooms(desk: Desk) -> None:
    agent = await clients.person(desk, "agent")
    uid = await conversation(desk)
    async with connected(agent) as one:
        await one.say("presence")
        (connection,) = desk.inbox.connections.values()
        connection.conversations |= {new_uid(): -number for number in range(1, 201)}
        answer = await one.say("join_room", {"room": f"conversation_{uid}"})
        assert answer["error"]["code"] == "too_many_rooms"
        connection.conversations.clear()


async def test_a_message_of_two_megabytes_ends_the_connection(desk: Desk) -> None:
    agent = await clients.person(desk, "agent")
    room = f"conversation_{await conversation(desk)}"
    said = {"room": room, "message": "a" * 2_000_000}
    async with connected(agent) as big:
        await big.socket.emit("send_message", said)
        await asyncio.wait_for(big.ended.wait(), 5)
    address = f"{desk.url}/socket.io/?EIO=4&transport=polling"
    async with desk.http.get(address) as answer:
        address += f"&sid={orjson.loads((await answer.read())[1:])['sid']}"
    for status, body in (
        (200, b"40" + orjson.dumps({"token": agent.token})),
        (400, b"42" + orjson.dumps(["send_message", said])),
        (400, b"42" + orjson.dumps(["presence"])),
    ):
        async with desk.http.post(address, data=io.BytesIO(body)) as answer:
            assert answer.status == status
    await until(lambda: desk.inbox.connected == 0)
    assert await desk.one("SELECT count(*) FROM messages WHERE author = 'staff'") == 0


async def test_garbage_ends_the_connection_and_binary_is_answered(desk: Desk) -> None:
    agent = await clients.person(desk, "agent")
    address = f"{desk.url}/socket.io/?EIO=4&transport=websocket"
    hello = "40" + orjson.dumps({"token": agent.token}).decode()
    for garbage in (
        "",
        "x",
        "9",
        "4",
        "4x",
        "49",
        "42{",
        "42[",
        "42" + "[" * 100_000,
        "40/admin,{}" + "4" * 10,
        "421" + "1" * 200,
    ):
        async with desk.http.ws_connect(address) as line:
            assert (await line.receive_str()).startswith("0")
            await line.send_str(hello)
            while not (said := await line.receive_str()).startswith("40"):
                assert said.startswith("42")  # who is here may be told before
            await line.send_str(garbage)
            async for told in line:
                if told.data.startswith(("43", "44")):  # an answer is as good as the end
                    break
    async with desk.http.ws_connect(address) as line:
        await line.receive_str()
        await line.send_str(hello)
        await line.receive_str()
        # It says that nine thousand million attachments are to come.
        await line.send_str('459999999999-7["join_room",{"_placeholder":true,"num":0}]')
        for _ in range(20):
            await line.send_bytes(b"\x00" * 1000)
        while not (answer := await asyncio.wait_for(line.receive_str(), 5)).startswith("437"):
            pass
        assert orjson.loads(answer[3:])[0]["error"]["code"] == "invalid"


async def test_who_never_reads_is_let_go_and_memory_stays_bounded(desk: Desk) -> None:
    agent = await clients.person(desk, "agent")
    address = f"{desk.url}/socket.io/?EIO=4&transport=websocket"
    async with connected(agent) as reads:
        await reads.say("presence")
        connector = aiohttp.TCPConnector()
        async with aiohttp.ClientSession(connector=connector, read_bufsize=1024) as http:
            line = await http.ws_connect(address)
            await line.receive_str()
            await line.send_str("40" + orjson.dumps({"token": agent.token}).decode())
            await until(lambda: desk.inbox.connected == 2)
            assert line._conn is not None  # the only way not to read from a socket that aiohttp watches
            assert line._conn.transport is not None
            line._conn.transport.pause_reading()
            before = psutil.Process().memory_info().rss
            room = f"t{agent.tenant_id}:inbox"
            for number in range(20_000):
                desk.inbox.sockets.broadcast("presence", {"number": number, "padding": "x" * 2_000}, room)
                if number % 50 == 0:
                    await asyncio.sleep(0)
                if desk.inbox.connected == 1:
                    break
            await until(lambda: desk.inbox.connected == 1)
            assert psutil.Process().memory_info().rss - before < 40_000_000
            line._conn.transport.abort()
        assert (await reads.say("presence"))["ok"] is True


async def test_everything_arrives_once_and_in_order_however_it_was_sent(desk: Desk) -> None:
    """Small frames go out at once, those for somebody who is slow wait in a queue, answers and pings always do."""
    agent = await clients.person(desk, "agent")
    room, padding = f"t{agent.tenant_id}:inbox", "x" * 500
    async with connected(agent) as one, connected(agent, transports=["polling", "websocket"]) as upgraded:
        for number in range(1_500):
            desk.inbox.sockets.broadcast("number", {"number": number, "padding": padding}, room)
            if number % 100 == 0:
                answer = asyncio.create_task(one.say("presence"))
                await asyncio.sleep(0.01)
                assert (await answer)["ok"] is True
        for live_one in (one, upgraded):
            await live_one.hear("number", lambda n: n["number"] == 1_499)
            assert [n["number"] for n in live_one.of("number")] == [*range(1_500)]
        desk.inbox.sockets.broadcast("long", {"text": "y" * 70_000}, room)
        assert (await one.hear("long"))["text"] == "y" * 70_000


async def test_who_says_nothing_is_put_out(desk: Desk) -> None:
    address = f"{desk.url}/socket.io/?EIO=4&transport=websocket"
    async with desk.http.ws_connect(address) as line:
        assert (await line.receive_str()).startswith("0")
        ended = await asyncio.wait_for(line.receive(), 5)
        assert ended.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    assert desk.inbox.sockets.engines == 0


async def test_nothing_is_compressed(desk: Desk) -> None:
    async with desk.http.ws_connect(f"{desk.url}/socket.io/?EIO=4&transport=websocket", compress=15) as line:
        assert line.compress == 0


async def test_connecting_has_a_limit_by_address(demo_sqlite_url: str, tmp_path: Path, clock: FakeClock) -> None:
    env = {"FRONTDESK_LIMITS__ENABLED": "true", "FRONTDESK_LIMITS__SOCKETS": "3/minute"}
    async with live.opened(demo_sqlite_url, tmp_path, clock, env) as desk:
        address = f"{desk.url}/socket.io/?EIO=4&transport=polling"
        statuses, retry = [], None
        for _ in range(4):
            async with desk.http.get(address) as answer:
                statuses.append(answer.status)
                retry = answer.headers.get("Retry-After")
        assert statuses == [200, 200, 200, 429]
        assert 1 <= int(retry or 0) <= 60
