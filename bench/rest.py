"""Reads and writes over REST beside bare aiohttp answering as many bytes: `python -m bench.rest [--seconds 3]`.

One API key, sixteen connections, SQLite. Every answer is checked; the limits on how often one may call are off.
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
from storage.models.customers import customers
from storage.models.inbox import canned_replies
from storage.models.sign_in import api_keys
from tests import servers

_AT_ONCE: Final = 16
_WARM_S: Final = 1.0
_ROWS: Final = 1_000
_BARE: Final = {"one": 300, "page": 7_000, "add": 300}  # bytes of an answer, about as many as ours


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of request. `make` gives the next one, `status` is the right answer's."""

    title: str
    status: int
    make: Callable[[], bytes]


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


def _fill(key: str, replies: list[str]) -> Callable[[Db, int], None]:
    def fill(db: Db, account_id: int) -> None:
        account = db.execute(select(accounts).where(accounts.c.id == account_id)).one()
        ours = {"tenant_id": account.tenant_id, "created_at": account.created_at}
        scopes = ["canned_replies:read", "canned_replies:write", "customers:read"]
        values = {"name": "Bench", "prefix": key[:8], "digest": digest(key), "scopes": scopes}
        db.execute(insert(api_keys).values(uid=new_uid(), **ours, **values))
        for number, uid in enumerate(replies):
            words = {
                "shortcut": f"reply-{number}",
                "title": f"Reply {number}",
                "text": "You can park behind the house.",
            }
            db.execute(insert(canned_replies).values(uid=uid, updated_at=account.created_at, **ours, **words))
            person = {"name": f"Customer {number}", "phone": f"+1512555{number:04}", "attributes": {}, "tags": []}
            db.execute(insert(customers).values(uid=new_uid(), updated_at=account.created_at, **ours, **person))

    return fill


def kinds(key: str, replies: list[str], chance: random.Random) -> Iterator[tuple[str, Kind]]:
    """What is asked of the product, and of the floor with the same words."""
    numbers = itertools.count()

    def get(path: str) -> bytes:
        return f"GET /api/v1{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode()

    def add() -> bytes:
        body = json.dumps({"shortcut": f"new-{next(numbers)}", "text": "You can park behind the house."})
        head = f"POST /api/v1/canned-replies HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    yield "one", Kind("read one", 200, lambda: get(f"/canned-replies/{chance.choice(replies)}"))
    yield "page", Kind("read a page of twenty", 200, lambda: get("/canned-replies?limit=20"))
    yield (
        "search",
        Kind("search 1,000 customers", 200, lambda: get(f"/customers?search=Customer+{chance.randrange(_ROWS)}")),
    )
    yield "add", Kind("add one, durably", 201, add)


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


def _run(started: server.Server, kind: Kind, seconds: float) -> Seen:
    started.wait_ready()
    seen = uvloop.run(_closed(started.port, kind, seconds, started.cpu_s))
    if seen.wrong:
        raise server.Trouble(f"{kind.title}: {seen.wrong.decode(errors='replace')}; {started.last_words()}")
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.rest", description="REST beside bare aiohttp.")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--floor", type=int, help="serve the floor at this port")
    given = parser.parse_args()
    if given.floor:
        uvloop.run(_floor(given.floor))
        return 0
    print(report.machine())
    server.pin(server.CLIENT_CORE)
    key = f"fd_{secrets.token_urlsafe(32)}"
    replies = [new_uid() for _ in range(_ROWS)]
    rows = []
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as folder:
        room = Path(folder)
        url = f"sqlite:///{room}/desk.db"
        shop.make(url, fill=_fill(key, replies))
        port, floor_port = servers.free_port(), servers.free_port()
        env = server.frontdesk_env(url, room, port=port) | {"FRONTDESK_LIMITS__ENABLED": "false"}
        ours = server.start(server.frontdesk_command(), port=port, log=room / "log", env=env)
        command = [sys.executable, "-m", "bench.rest", "--floor", str(floor_port)]
        floor = server.start(command, port=floor_port, log=room / "floor.log")
        try:
            for name, kind in kinds(key, replies, random.Random(7)):
                bare, seen = _run(floor, kind, given.seconds), _run(ours, kind, given.seconds)
                p99 = load.percentile(seen.waits_s, 99) * 1000
                ratio = seen.rate / bare.rate
                rows.append(
                    [kind.title, f"{bare.rate:,.0f}", f"{seen.rate:,.0f}", f"{ratio:.3f}", f"{bare.cpu_us:.0f}"]
                )
                rows[-1] += [f"{seen.cpu_us:,.0f}", f"{p99:.1f}"]
                print(f"{name} done", file=sys.stderr, flush=True)
        except server.Trouble as trouble:
            print(trouble, file=sys.stderr)
            return 1
        finally:
            floor.kill()
            ours.stop()
    print(report.table(["16 at once", "bare/s", "ours/s", "ratio", "bare CPU µs", "ours CPU µs", "p99 ms"], rows))
    return 0


async def _floor(port: int) -> None:
    """Constant answers of about the same size."""

    def answer(size: int, status: int) -> Callable[[web.Request], Awaitable[web.Response]]:
        body = b'{"text":"' + b"x" * size + b'"}'

        async def handle(request: web.Request) -> web.Response:
            await request.read()
            return web.Response(status=status, body=body, content_type="application/json")

        return handle

    async def ready(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/healthz", ready)
    app.router.add_get("/api/v1/canned-replies/{id}", answer(_BARE["one"], 200))
    app.router.add_get("/api/v1/canned-replies", answer(_BARE["page"], 200))
    app.router.add_get("/api/v1/customers", answer(_BARE["one"], 200))
    app.router.add_post("/api/v1/canned-replies", answer(_BARE["add"], 201))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
