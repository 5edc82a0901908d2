"""Requests that arrive too slowly, beside those of everybody else."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gateway.app import serving
from gateway.context import open_house
from tests.clock import FakeClock
from tests.gateway import front
from tests.servers import free_port

_WAIT_S = 1.0
_EACH = 20
_JSON = "Content-Type: application/json\r\n"

# What is sent at once, and whether the rest drips (or nothing more comes).
SLOW = [
    ("nothing at all", "", False),
    ("half a head", "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nX-A: ", True),
    ("half a body", f"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\n{_JSON}Content-Length: 5000\r\n\r\n{{", True),
    ("a chunk and no more", f"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\n{_JSON}Transfer-Encoding: chunked\r\n\r\n", False),
    ("a webhook's half", "POST /webhooks/twilio/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nBody=", True),
]  # fmt: skip


async def ended(port: int, begin: str, *, drips: bool) -> bytes:
    """What the server said until it closed the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begin.encode())
    said = asyncio.ensure_future(reader.read())
    try:
        while drips and not said.done():
            writer.write(b"a")
            await asyncio.wait([said], timeout=_WAIT_S / 4)
        return await said
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def _steadily() -> AsyncIterator[bytes]:
    for _ in range(6):
        yield b" " * 2048
        await asyncio.sleep(_WAIT_S / 4)


async def test_who_sends_too_slowly_is_let_go_and_nobody_else_notices(
    sqlite_database_url: str, tmp_path: Path, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    waits = {f"FRONTDESK_SERVER__{part}_TIMEOUT_S": str(_WAIT_S) for part in ("HEAD", "BODY")}
    env = {"FRONTDESK_LIMITS__ENABLED": "false", **waits}
    settings = front.settings(sqlite_database_url, tmp_path, port, env)
    async with open_house(settings, clock=clock) as house, serving(house), aiohttp.ClientSession() as http:
        await http.get(f"http://127.0.0.1:{port}/api/v1/auth/me")  # makes what is made when it is first asked for
        began_s = time.monotonic()
        # And one that takes longer than we wait, but comes along.
        steady = asyncio.ensure_future(http.post(f"http://127.0.0.1:{port}/api/v1/auth/login", data=_steadily()))
        slow = [ended(port, begin, drips=drips) for _, begin, drips in SLOW for _ in range(_EACH)]
        asking = asyncio.gather(*slow)
        healthy = 0
        while not asking.done():
            async with http.get(f"http://127.0.0.1:{port}/healthz") as answer:
                assert answer.status == 200
                healthy += 1
        answers = await asking
        for _, begin, _ in SLOW:  # and some give up half way
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begin.encode())
            await writer.drain()
            async with http.get(f"http://127.0.0.1:{port}/healthz"):
                writer.transport.abort()
        assert time.monotonic() - began_s < 40  # they would drip for ever
        assert healthy > 10
        async with await steady as answer:
            assert answer.status == 415
        for place, (what, begin, drips) in enumerate(SLOW):
            said = {one[:13] for one in answers[place * _EACH : (place + 1) * _EACH]}
            # Who goes on sending may lose the answer with the connection.
            allowed = [{b""}] if "\r\n\r\n" not in begin else [{b"HTTP/1.1 408 "}, {b"HTTP/1.1 408 ", b""}][: 1 + drips]
            assert said in allowed, what
        assert b'"TOO_SLOW"' in b"".join(answers)
    assert "request failed" not in capsys.readouterr().out
