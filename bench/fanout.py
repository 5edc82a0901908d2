"""A thousand people look at one conversation: `python -m bench.fanout [--clients 1000] [--rounds 60]`.

Each round somebody writes a note, and everybody gets it (`new_message`) and the conversation's new row in the list
(`conversation_updated`). The floor is bare aiohttp that sends two frames of the same size to a thousand WebSockets, and
writes nothing down. Server and clients have a core each; every frame is counted, none may be missing.
"""

import argparse
import asyncio
import base64
import json
import os
import resource
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

import uvloop
from aiohttp import web
from sqlalchemy import insert, select

from bench import load, report, server, shop
from desk import conversations
from gateway.auth.tokens import digest
from storage.base import Db, new_uid
from storage.models.accounts import accounts
from storage.models.sign_in import api_keys
from tests import servers

_PER_KEY: Final = 40  # connections with one key; the product allows fifty
_PACE_S: Final = 0.25  # between two notes, when it is the delay that is measured
_NOTE: Final = "She asks whether Tuesday at ten would do; the gate code is with the neighbours."
_TURNS: Final = 5
_COME_AT_ONCE: Final = 20
_PATIENCE_S: Final = 60.0


@dataclass(slots=True)
class Seen:
    """`waits_s`: from the word of the writer to each reader."""

    waits_s: list[float] = field(default_factory=list)
    frames: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0

    def add(self, more: "Seen") -> None:
        self.waits_s += more.waits_s
        self.frames += more.frames
        self.seconds += more.seconds
        self.cpu_s += more.cpu_s

    @property
    def rate(self) -> float:
        return self.frames / self.seconds

    @property
    def cpu_us(self) -> float:
        return self.cpu_s / self.frames * 1e6


class Line(asyncio.Protocol):
    """A WebSocket of a client that does next to nothing, so that the server is what is measured."""

    def __init__(self, hello: bytes, heard: Callable[[bytes], None]) -> None:
        self._hello = hello
        self._heard = heard
        self._rest = b""
        self._is_open = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one and does not say so
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            (
                "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
            ).encode()
        )

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        at = 0
        if not self._is_open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._rest = data
                return
            assert data.startswith(b"HTTP/1.1 101"), data[:200]
            self._is_open, at = True, end + 4
        while len(data) - at >= 2:
            size, head = data[at + 1], 2
            if size == 126:
                size, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
            elif size == 127:
                size, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
            if len(data) - at < head + size:
                break
            self._take(data[at + head : at + head + size])
            at += head + size
        self._rest = data[at:]

    def say(self, text: bytes) -> None:
        """A text frame; masked with zeros, which is a mask as well."""
        size = len(text)
        head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
        self.transport.write(head + b"\0\0\0\0" + text)

    def _take(self, text: bytes) -> None:
        if text == b"2":
            self.say(b"3")
        elif text.startswith(b"0"):
            self.say(self._hello)
        elif text.startswith(b"40"):
            self.opened.set_result(None)
        elif text.startswith(b"431"):
            assert text.startswith(b'431[{"ok":true'), text
            self.joined.set_result(None)
        else:
            self._heard(text)


class Crowd:
    """Everybody who looks on. Frames of `new_message` are timed, all of the two kinds are counted."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self._said_at = 0.0
        self._left = 0
        self._done = asyncio.Event()
        self._seen = Seen()
        self.lines: list[Line] = []

    async def come(self, port: int, hellos: list[bytes], join: bytes) -> None:
        """Some at a time: one after the other a thousand wait minutes for a busy machine.

        Raises: Trouble
        """
        waiting = iter(range(self._clients))

        async def some() -> None:
            for number in waiting:
                await self._one(port, hellos[number // _PER_KEY], join)

        try:
            async with asyncio.timeout(_PATIENCE_S + self._clients / 10):
                await asyncio.gather(*(some() for _ in range(_COME_AT_ONCE)))
        except TimeoutError:
            raise server.Trouble(f"only {len(self.lines)} of {self._clients} came in time") from None

    async def _one(self, port: int, hello: bytes, join: bytes) -> None:
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(lambda: Line(hello, self._heard), "127.0.0.1", port)
        self.lines.append(line)
        await line.opened
        line.say(join)
        await line.joined

    async def run(self, rounds: int, note: bytes, pace_s: float, cpu_s: Callable[[], float]) -> Seen:
        """One note after the other, each once everybody has the last one.

        Raises: Trouble
        """
        self._seen = seen = Seen()
        began_at, cpu_at = time.perf_counter(), cpu_s()
        for number in range(rounds):
            self._left = 2 * self._clients
            self._done.clear()
            self._said_at = time.perf_counter()
            self.lines[number % self._clients].say(note)
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await self._done.wait()
            except TimeoutError:
                gone = sum(line.transport.is_closing() for line in self.lines)
                said = f"round {number}: {self._left} of {2 * self._clients} frames did not come"
                raise server.Trouble(f"{said}; {gone} connections are gone") from None
            if pace_s:
                await asyncio.sleep(pace_s)
        seen.seconds, seen.cpu_s = time.perf_counter() - began_at, cpu_s() - cpu_at
        return seen

    def leave(self) -> None:
        for line in self.lines:
            line.transport.abort()

    def _heard(self, text: bytes) -> None:
        if text.startswith(b'42["new_message"'):
            self._seen.waits_s.append(time.perf_counter() - self._said_at)
        elif not text.startswith(b'42["conversation_updated"'):
            return
        self._seen.frames += 1
        self._left -= 1
        if not self._left:
            self._done.set()


@dataclass(frozen=True, slots=True)
class Ask:
    """What the crowd does."""

    clients: int
    rounds: int
    hellos: list[bytes]
    join: bytes
    note: bytes


async def _measure(started: list[server.Server], ask: Ask) -> list[tuple[Seen, Seen]]:
    """(with pauses, without) for each server. They take turns, since the machine's pace changes from minute to minute."""
    crowds = [Crowd(ask.clients) for _ in started]
    everything: list[tuple[Seen, Seen]] = [(Seen(), Seen()) for _ in started]
    try:
        for one, crowd in zip(started, crowds, strict=True):
            await crowd.come(one.port, ask.hellos, ask.join)
            await crowd.run(5, ask.note, 0, one.cpu_s)
        for _ in range(_TURNS):
            for one, crowd, (paced, flat) in zip(started, crowds, everything, strict=True):
                paced.add(await crowd.run(ask.rounds // _TURNS, ask.note, _PACE_S, one.cpu_s))
                flat.add(await crowd.run(ask.rounds * 2 // _TURNS, ask.note, 0, one.cpu_s))
    finally:
        for crowd in crowds:
            crowd.leave()
    return everything


def _fill(keys: list[str], made: list[str]) -> Callable[[Db, int], None]:
    def fill(db: Db, account_id: int) -> None:
        account = db.execute(select(accounts).where(accounts.c.id == account_id)).one()
        for key in keys:
            values = {"name": "Bench", "prefix": key[:8], "digest": digest(key), "created_at": account.created_at}
            scopes = ["conversations:read", "conversations:write"]
            db.execute(insert(api_keys).values(uid=new_uid(), tenant_id=account.tenant_id, scopes=scopes, **values))
        now = datetime.now(UTC)
        made.append(conversations.begin(db, account_id, peer_kind="phone", peer="+15125550147", now=now).uid)

    return fill


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.fanout", description="One conversation, a thousand readers.")
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--floor", type=int, help="serve the floor at this port")
    given = parser.parse_args()
    if given.floor:
        uvloop.run(_floor(given.floor))
        return 0
    print(report.machine())
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))
    server.pin(server.CLIENT_CORE)
    keys = [f"fd_{secrets.token_urlsafe(32)}" for _ in range(-(-given.clients // _PER_KEY))]
    hellos = [b"40" + json.dumps({"token": key}).encode() for key in keys]
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as folder:
        room, made = Path(folder), list[str]()
        url = f"sqlite:///{room}/desk.db"
        shop.make(url, fill=_fill(keys, made))
        port, floor_port = servers.free_port(), servers.free_port()
        env = server.frontdesk_env(url, room, port=port) | {"FRONTDESK_LIMITS__ENABLED": "false"}
        ours = server.start(server.frontdesk_command(), port=port, log=room / "log", env=env)
        command = [sys.executable, "-m", "bench.fanout", "--floor", str(floor_port)]
        floor = server.start(command, port=floor_port, log=room / "floor.log")
        said = {"room": f"conversation_{made[0]}"}
        join = b"421" + json.dumps(["join_room", said]).encode()
        note = b"42" + json.dumps(["send_message", {**said, "message": _NOTE, "private": True}]).encode()
        ask = Ask(given.clients, given.rounds, hellos, join, note)
        try:
            for started in (floor, ours):
                started.wait_ready()
            bare, seen = uvloop.run(_measure([floor, ours], ask))
            rows = [("bare aiohttp", *bare, floor.peak_mb()), ("Frontdesk", *seen, ours.peak_mb())]
        except server.Trouble as trouble:
            print(trouble, ours.last_words(), file=sys.stderr)
            return 1
        finally:
            floor.kill()
            ours.stop()
    print(_table(given.clients, rows))
    return 0


def _table(clients: int, rows: list[tuple[str, Seen, Seen, float]]) -> str:
    bare = rows[0][2]
    head = [f"{clients:,} clients", "deliveries/s", "of bare", "CPU µs each", "of bare", "p50 ms", "p99 ms", "peak MB"]
    lines = [
        [
            title,
            f"{flat.rate:,.0f}",
            f"{flat.rate / bare.rate:.3f}",
            f"{flat.cpu_us:.1f}",
            f"{flat.cpu_us / bare.cpu_us:.2f}",
            f"{load.percentile(paced.waits_s, 50) * 1000:.1f}",
            f"{load.percentile(paced.waits_s, 99) * 1000:.1f}",
            f"{peak_mb:.0f}",
        ]
        for title, paced, flat, peak_mb in rows
    ]
    return report.table(head, lines)


async def _floor(port: int) -> None:
    """Says hello as the product does, and for each note sends two frames of about its sizes to everybody."""
    sockets: set[web.WebSocketResponse] = set()
    frames = [
        f'42["{event}",{{"text":"{"x" * size}"}}]'
        for event, size in (("new_message", 460), ("conversation_updated", 900))
    ]

    async def socket(request: web.Request) -> web.WebSocketResponse:
        line = web.WebSocketResponse(compress=False)
        await line.prepare(request)
        await line.send_str("0{}")
        sockets.add(line)
        async for said in line:
            if said.data.startswith("40"):
                await line.send_str("40{}")
            elif said.data.startswith("421"):
                await line.send_str('431[{"ok":true}]')
            else:
                for frame in frames:
                    for one in sockets:
                        await one.send_str(frame)
        sockets.discard(line)
        return line

    async def ready(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/healthz", ready)
    app.router.add_get("/socket.io/", socket)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
