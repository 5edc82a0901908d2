"""Who misbehaves, and how long the others wait meanwhile: `python -m bench.guard [--seconds 12] [--engine postgresql]`.

Texts to one tenant come at a steady rate all the time, and each wait counts from the moment it was due. Beside it, in turn:
nothing; five hundred connections that send half a head and five hundred that send half a body, a byte a second; and a flood,
another tenant's sixty-four phones that write again as soon as they are answered. Every answer is checked.
"""

import argparse
import asyncio
import contextlib
import itertools
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import uvloop

from bench import load, phones, report, server, shop
from storage.base import Db
from tests import servers

_FLOODED: Final = shop.NUMBER
_QUIET: Final = "+15125550141"
_SLOW: Final = 500  # of each kind
_PHONES: Final = 64
_SEATS: Final = 32
_CLOSED_WITHIN_S: Final = 15.0
_WARM_S: Final = 2.0
_HEAD: Final = b"POST /api/v1/webhooks/twilio/messages HTTP/1.1\r\nHost: x\r\n"
_BODY: Final = _HEAD + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 5000\r\n\r\nBody="


@dataclass(slots=True)
class Seen:
    waits_s: list[float] = field(default_factory=list)
    flood: int = 0  # texts of the other tenant that were answered
    closed_s: list[float] = field(default_factory=list)  # how long slow connections lasted
    wrong: bytes = b""

    def ms(self, percent: float) -> float:
        return load.percentile(self.waits_s, percent) * 1000


def texts(to: str, run: int) -> Iterator[bytes]:
    """Greetings from ever new phones."""
    for number in itertools.count(run * 1_000_000):
        phone = f"+1555{number % 10_000_000:07d}"
        yield phones.request(f"SM{to[-2:]}{number:030x}", phone, "hi", to=to)


async def steady(port: int, rate: float, seconds: float, run: int, seen: Seen) -> None:
    """Texts to the quiet tenant, each from whichever line is free, at `rate` a second."""
    loop = asyncio.get_running_loop()
    lines = [(await loop.create_connection(load.Line, "127.0.0.1", port))[1] for _ in range(_SEATS)]
    free: asyncio.Queue[load.Line] = asyncio.Queue()
    for line in lines:
        free.put_nowait(line)
    wanted = texts(_QUIET, run)
    began_s = time.perf_counter()
    for number in range(round(rate * (_WARM_S + seconds))):
        due_s = began_s + number / rate
        await asyncio.sleep(max(due_s - time.perf_counter(), 0))
        line = await free.get()

        def answered(status: int, body: bytes, line: load.Line = line, due_s: float = due_s) -> None:
            if status != 200 or shop.NAME.encode() not in body:
                seen.wrong = b"%d %s" % (status, body[:300])
            elif due_s - began_s > _WARM_S:
                seen.waits_s.append(time.perf_counter() - due_s)
            free.put_nowait(line)

        line.ask(next(wanted), answered)
    for _ in lines:
        await asyncio.wait_for(free.get(), 30)
    for line in lines:
        line.close()


@contextlib.asynccontextmanager
async def flooded(port: int, run: int, seen: Seen):  # type: ignore[no-untyped-def]
    """Another tenant's phones, as fast as they are answered."""
    loop = asyncio.get_running_loop()
    wanted, is_over = texts(_FLOODED, run), False
    lines = [(await loop.create_connection(load.Line, "127.0.0.1", port))[1] for _ in range(_PHONES)]

    def go_on(line: load.Line) -> None:
        def answered(status: int, body: bytes) -> None:
            if is_over:
                return
            if status != 200 or shop.NAME.encode() not in body:
                seen.wrong = b"flood: %d %s" % (status, body[:300])
                return
            seen.flood += 1
            go_on(line)

        line.ask(next(wanted), answered)

    for line in lines:
        go_on(line)
    try:
        yield
    finally:
        is_over = True
        for line in lines:
            line.close()


@contextlib.asynccontextmanager
async def dripping(port: int, _run: int, seen: Seen):  # type: ignore[no-untyped-def]
    """A thousand connections that send a byte a second, until each is closed."""

    async def drip(begin: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began_s = time.perf_counter()
        writer.write(begin)
        said = asyncio.ensure_future(reader.read())
        while not said.done():
            if not writer.transport.is_closing():
                writer.write(b"a")
            await asyncio.wait([said], timeout=1.0)
        said.exception()  # a reset is an end like any other
        seen.closed_s.append(time.perf_counter() - began_s)
        writer.close()

    slow = [asyncio.ensure_future(drip(begin)) for begin in (_HEAD + b"X-A: ", _BODY) for _ in range(_SLOW)]
    yield
    await asyncio.wait(slow, timeout=_CLOSED_WITHIN_S * 2)
    for one in slow:
        if not one.done():
            seen.closed_s.append(float("inf"))
            one.cancel()


Beside = Callable[[int, int, Seen], contextlib.AbstractAsyncContextManager[None]]


@contextlib.asynccontextmanager
async def nothing(_port: int, _run: int, _seen: Seen):  # type: ignore[no-untyped-def]
    yield


async def _one(port: int, beside: Beside, rate: float, seconds: float, run: int) -> Seen:
    seen = Seen()
    async with beside(port, run, seen):
        await steady(port, rate, seconds, run, seen)
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.guard", description="Floods and slow connections.")
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--rate", type=float, default=20.0, help="texts a second to the tenant that is measured")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    given = parser.parse_args()
    print(report.machine())
    server.pin(server.CLIENT_CORE)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))
    with contextlib.ExitStack() as stack:
        room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="frontdesk-bench-")))
        url = f"sqlite:///{room}/desk.db"
        if given.engine == "postgresql":
            url = stack.enter_context(servers.postgres())
        shop.make(url, fill=_add_quiet)
        port = servers.free_port()
        env = server.frontdesk_env(url, room, port=port) | {"FRONTDESK_LOG__LEVEL": "warning"}
        ours = server.start(server.frontdesk_command(), port=port, log=room / "log", env=env)
        stack.callback(ours.stop)
        ours.wait_ready()
        found: dict[str, Seen] = {}
        kinds: dict[str, Beside] = {
            "nothing": nothing,
            "1,000 that drip": dripping,
            "a flood of another tenant": flooded,
        }
        for run, (what, beside) in enumerate(kinds.items()):
            found[what] = uvloop.run(_one(port, beside, given.rate, given.seconds, run))
            if found[what].wrong:
                print(f"{what}: {found[what].wrong.decode(errors='replace')}; {ours.last_words()}", file=sys.stderr)
                return 1
    usual = found["nothing"].ms(99)
    lasts_s = _WARM_S + given.seconds
    rows = [
        [what, f"{one.ms(50):.1f}", f"{one.ms(99):.1f}", f"{one.ms(99) / usual:.2f}", f"{one.flood / lasts_s:,.0f}"]
        for what, one in found.items()
    ]
    print(report.table(["beside it", "p50 ms", "p99 ms", "× usual", "flood/s"], rows))
    closed = found["1,000 that drip"].closed_s
    print(f"\n{len(closed)} slow connections, all closed within {max(closed):.1f} s.")
    is_kept = len(closed) == 2 * _SLOW and max(closed) <= _CLOSED_WITHIN_S
    return 0 if is_kept else 1


def _add_quiet(db: Db, _account_id: int) -> None:
    shop.add(db, datetime.now(UTC), number=_QUIET)


if __name__ == "__main__":
    sys.exit(main())
