"""Reads and writes over REST beside bare aiohttp answering as many bytes: `python -m bench.rest [--seconds 3]`.

One API key, sixteen connections, SQLite; a thousand customers, replies and conversations, with twenty messages each.
Every answer is checked; the limits on how often one may call are off.
"""

import argparse
import asyncio
import itertools
import json
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvloop
from aiohttp import web
from sqlalchemy import insert, select

from bench import load, report, server, shop
from gateway.auth.tokens import digest
from storage.base import Db, new_uid
from storage.models.accounts import accounts
from storage.models.conversations import conversations, messages
from storage.models.customers import customers
from storage.models.inbox import canned_replies
from storage.models.sign_in import api_keys
from tests import servers

_AT_ONCE: Final = 16
_WARM_S: Final = 1.0
_ROWS: Final = 1_000
_PARKING: Final = "You can park behind the house."
_MESSAGES: Final = 20  # in each conversation
_SCOPES: Final = [
    f"{noun}:{what}" for noun in ("canned_replies", "customers", "conversations") for what in ("read", "write")
]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of request. `path` is the route's, `make` gives the next request, `status` is the right answer's."""

    title: str
    method: str
    path: str
    make: Callable[[], bytes]

    @property
    def status(self) -> int:
        return 201 if self.method == "POST" else 200


@dataclass(slots=True)
class Seen:
    waits_s: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu_s: float = 0.0
    wrong: bytes = b""

    @property
    def rate(self) -> float:
        return len(self.waits_s) / self.seconds

    @property
    def cpu_us(self) -> float:
        return self.cpu_s / len(self.waits_s) * 1e6


@dataclass(frozen=True, slots=True)
class There:
    """What the business has, by public id."""

    replies: list[str] = field(default_factory=lambda: [new_uid() for _ in range(_ROWS)])
    people: list[str] = field(default_factory=lambda: [new_uid() for _ in range(_ROWS)])
    talks: list[str] = field(default_factory=lambda: [new_uid() for _ in range(_ROWS)])


def _fill(key: str, there: There) -> Callable[[Db, int], None]:
    def fill(db: Db, account_id: int) -> None:
        account = db.execute(select(accounts).where(accounts.c.id == account_id)).one()
        at = account.created_at
        ours = {"tenant_id": account.tenant_id, "created_at": at}
        values = {"name": "Bench", "prefix": key[:8], "digest": digest(key), "scopes": _SCOPES}
        db.execute(insert(api_keys).values(uid=new_uid(), **ours, **values))
        for number, (reply, person, talk) in enumerate(zip(there.replies, there.people, there.talks, strict=True)):
            reply_text = {"shortcut": f"reply-{number}", "title": f"Reply {number}", "text": _PARKING}
            db.execute(insert(canned_replies).values(uid=reply, updated_at=at, **ours, **reply_text))
            phone = f"+1512555{number:04}"
            known = {"name": f"Customer {number}", "phone": phone, "attributes": {}, "tags": []}
            made = insert(customers).values(uid=person, updated_at=at, **ours, **known).returning(customers.c.id)
            where = {"business_id": account.business_id, "account_id": account_id}
            peer = {"channel": "sms", "peer_kind": "phone", "peer": phone, "owner_since": at}
            peer["customer_id"] = db.execute(made).scalar_one()
            begun = insert(conversations).values(uid=talk, **ours, **where, **peer).returning(conversations.c.id)
            said = {"account_id": account_id, "conversation_id": db.execute(begun).scalar_one(), "text": _PARKING}
            lines = [
                {"uid": new_uid(), "direction": "in", "author": "customer", "status": "received", **ours, **said}
                for _ in range(_MESSAGES)
            ]
            db.execute(insert(messages), lines)

    return fill


def kinds(key: str, there: There, chance: random.Random) -> Iterator[Kind]:
    """What is asked of the product, and of the floor with the same words."""
    numbers = itertools.count()
    head = f"HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"

    def get(title: str, path: str, found: list[str] | None = None, query: Callable[[], str] = str) -> Kind:
        def make() -> bytes:
            full = path.replace("{id}", chance.choice(found)) if found else path
            return f"GET /api/v1{full}{query()} {head}\r\n".encode()

        return Kind(title, "GET", path, make)

    def post(title: str, path: str, body: Callable[[int], object], found: list[str] | None = None) -> Kind:
        def make() -> bytes:
            full = path.replace("{id}", chance.choice(found)) if found else path
            sent = json.dumps(body(next(numbers)))
            kind = f"Content-Type: application/json\r\nContent-Length: {len(sent)}"
            return f"POST /api/v1{full} {head}{kind}\r\n\r\n{sent}".encode()

        return Kind(title, "POST", path, make)

    def person(number: int) -> object:
        return {"name": f"New {number}", "phone": f"+1737{5550000 + number}", "email": f"n{number}@mail.example"}

    yield get("one canned reply", "/canned-replies/{id}", there.replies)
    yield get("20 canned replies", "/canned-replies", query=lambda: "?limit=20")
    yield get("one customer", "/customers/{id}", there.people)
    yield get("20 of 1,000 customers", "/customers", query=lambda: "?limit=20")
    yield get("a customer by name", "/customers", query=lambda: f"?search=Customer+{chance.randrange(_ROWS)}")
    yield get("20 of 1,000 conversations", "/conversations", query=lambda: "?limit=20")
    yield get("20 messages of a conversation", "/conversations/{id}/messages", there.talks, lambda: "?limit=20")
    yield post("add a canned reply", "/canned-replies", lambda n: {"shortcut": f"new-{n}", "text": _PARKING})
    yield post("add a customer", "/customers", person)
    note = {"text": _PARKING, "private": True}
    yield post("add a note to a conversation", "/conversations/{id}/messages", lambda _: note, there.talks)


async def _closed(port: int, kind: Kind, seconds: float, cpu_s: Callable[[], float]) -> Seen:
    loop = asyncio.get_running_loop()
    lines = [(await loop.create_connection(load.Line, "127.0.0.1", port))[1] for _ in range(_AT_ONCE)]
    seen = Seen()
    begins_at = time.perf_counter() + _WARM_S
    ends_at = begins_at + seconds
    left, done = len(lines), asyncio.Event()
    cpu_at = 0.0

    def go_on(line: load.Line) -> None:
        nonlocal left
        if time.perf_counter() >= ends_at or seen.wrong:
            left -= 1
            if not left:
                done.set()
            return
        asked_at = time.perf_counter()

        def answered(status: int, body: bytes) -> None:
            if status != kind.status:
                seen.wrong = b"%d %s" % (status, body[:500])
            elif asked_at >= begins_at:
                seen.waits_s.append(time.perf_counter() - asked_at)
            go_on(line)

        line.ask(kind.make(), answered)

    def begin() -> None:
        nonlocal cpu_at
        cpu_at = cpu_s()

    loop.call_later(_WARM_S, begin)
    for line in lines:
        go_on(line)
    await done.wait()
    seen.seconds, seen.cpu_s = time.perf_counter() - begins_at, cpu_s() - cpu_at
    for line in lines:
        line.close()
    return seen


async def _once(port: int, kind: Kind) -> int:
    """How many bytes the answer has."""
    _, line = await asyncio.get_running_loop().create_connection(load.Line, "127.0.0.1", port)
    answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
    line.ask(kind.make(), lambda status, body: answer.set_result((status, body)))
    status, body = await answer
    line.close()
    if status != kind.status:
        raise server.Trouble(f"{kind.title}: {status} {body[:500]!r}")
    return len(body)


def _run(started: server.Server, kind: Kind, seconds: float) -> Seen:
    seen = uvloop.run(_closed(started.port, kind, seconds, started.cpu_s))
    if seen.wrong:
        raise server.Trouble(f"{kind.title}: {seen.wrong.decode(errors='replace')}; {started.last_words()}")
    return seen


def _beside(ours: server.Server, wanted: list[Kind], seconds: float, room: Path) -> Iterator[tuple[Kind, Seen, Seen]]:
    """Each kind with what the floor and the product did."""
    sizes = [[kind.method, kind.path, kind.status, uvloop.run(_once(ours.port, kind))] for kind in wanted]
    port = servers.free_port()
    command = [sys.executable, "-m", "bench.rest", "--floor", str(port), "--sizes", json.dumps(sizes)]
    floor = server.start(command, port=port, log=room / "floor.log")
    try:
        floor.wait_ready()
        for kind in wanted:
            yield kind, _run(floor, kind, seconds), _run(ours, kind, seconds)
    finally:
        floor.kill()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.rest", description="REST beside bare aiohttp.")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--floor", type=int, help="serve the floor at this port")
    parser.add_argument("--sizes", type=json.loads, help="what the floor answers: method, path, status, bytes")
    given = parser.parse_args()
    if given.floor:
        uvloop.run(_floor(given.floor, given.sizes))
        return 0
    print(report.machine())
    server.pin(server.CLIENT_CORE)
    key, there = f"fd_{secrets.token_urlsafe(32)}", There()
    rows = []
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as folder:
        room = Path(folder)
        url = f"sqlite:///{room}/desk.db"
        shop.make(url, fill=_fill(key, there))
        port = servers.free_port()
        env = server.frontdesk_env(url, room, port=port) | {"FRONTDESK_LIMITS__ENABLED": "false"}
        ours = server.start(server.frontdesk_command(), port=port, log=room / "log", env=env)
        try:
            ours.wait_ready()
            for kind, bare, seen in _beside(ours, [*kinds(key, there, random.Random(7))], given.seconds, room):
                times = [f"{load.percentile(seen.waits_s, share) * 1000:.1f}" for share in (50, 99)]
                rows.append([kind.title, f"{bare.rate:,.0f}", f"{seen.rate:,.0f}", f"{seen.rate / bare.rate:.3f}"])
                rows[-1] += [f"{bare.cpu_us:.0f}", f"{seen.cpu_us:,.0f}", *times]
                print(f"{kind.title}: done", file=sys.stderr, flush=True)
        except server.Trouble as trouble:
            print(trouble, file=sys.stderr)
            return 1
        finally:
            ours.stop()
    head = ["16 at once", "bare/s", "ours/s", "ratio", "bare CPU µs", "ours CPU µs", "p50 ms", "p99 ms"]
    print(report.table(head, rows))
    return 0


async def _floor(port: int, sizes: list[tuple[str, str, int, int]]) -> None:
    """Constant answers of the same size."""

    def answer(size: int, status: int) -> Callable[[web.Request], Awaitable[web.Response]]:
        body = b"{" + b" " * max(size - 2, 0) + b"}"

        async def handle(request: web.Request) -> web.Response:
            await request.read()
            return web.Response(status=status, body=body, content_type="application/json")

        return handle

    async def ready(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/healthz", ready)
    seen = set()
    for method, path, status, size in sizes:
        if (method, path) not in seen:  # the same with another query answers as many bytes as the first
            app.router.add_route(method, f"/api/v1{path}", answer(size, status))
            seen.add((method, path))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
