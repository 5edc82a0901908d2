"""Calls, beside bare aiohttp in the same run: `python -m bench.voice [--quick] [--calls 100] [--seconds 60]`.

Relay: from a caller's words to the first of ours. Streams: callers whose sound comes in as frames of 20 ms, who answer when
we are quiet and break in one time of three; what is late is told by a buffer that plays like a telephone. Words and sound are
made and understood by the simulated ElevenLabs in a process of its own.
"""

import argparse
import asyncio
import base64
import hmac
import itertools
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import aiohttp
import orjson
import uvloop
from aiohttp import web
from sqlalchemy import insert, select

from bench import load, phones, report, server, shop
from simulators import tones
from simulators.elevenlabs import ElevenLabsSimulator
from storage.base import Db
from storage.models.accounts import accounts
from tests.servers import free_port

_KEY: Final = "opens-nothing-but-this-benchmark"
_VOICE: Final = "/api/v1/webhooks/twilio/voice"
_FRAME_S: Final = 0.02
_PHASES: Final = 10  # in which the frames of the callers go out
_SILENT: Final = base64.b64encode(tones.SILENCE * 160).decode()
_QUIET_S: Final = 0.5
_THINKS_S: Final = 4.0  # from an answer to the next words, by relay: people listen first
_COME_S: Final = 6.0  # in which the calls by stream come in, as long as a question and its answer: nobody keeps step
# What callers say, and the pause after which each question takes an answer for finished (channels/voice/listen.py).
_LINES: Final = (("book a visit please", 0.5), ("haircut", 0.5), ("in ten days please", 0.7), ("at three p m", 0.7))
_SAME: Final = (("book a visit please", 0.5),)  # asked again and again: what is said to it is in the store after once
_LATE_MS: Final = 40.0


@dataclass(slots=True)
class Seen:
    answers_s: list[float] = field(default_factory=list)
    clears_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)  # of every frame; 0: in time
    trips_s: list[float] = field(default_factory=list)
    after_clear: int = 0  # frames of an utterance that had been cleared
    broken: int = 0  # sockets that were closed on a caller


@dataclass(slots=True)
class Caller:
    """One telephone with an open stream."""

    sid: str
    socket: aiohttp.ClientWebSocketResponse
    seen: Seen
    is_echoed: bool
    number: int
    lines: Sequence[tuple[str, float]]
    frames: int = 0
    sound: list[str] = field(default_factory=list)  # what is still to be said, frame by frame
    plays_until_s: float = 0.0
    began_s: float = 0.0  # the utterance that is playing
    marks: list[tuple[float, str]] = field(default_factory=list)  # and when they are reached
    onset_s: float = 0.0  # of a break-in that was not yet noticed
    finished_s: float = 0.0  # when what was said is over, pause included
    line: int = 0
    cleared: int = -1  # number of the last utterance that was cleared

    async def tick(self, now_s: float) -> None:
        """20 ms of the caller."""
        while self.marks and self.marks[0][0] <= now_s:
            await self._send("mark", {"name": self.marks.pop(0)[1]})
        if not self.sound and not self.is_echoed:
            self._decide(now_s)
        self.frames += 1
        payload = self.sound.pop(0) if self.sound else _SILENT
        await self._send("media", {"track": "inbound", "timestamp": f"{now_s:.6f}", "payload": payload})

    def _decide(self, now_s: float) -> None:
        """Answer when it is quiet; one time of three break in after a second."""
        if self.finished_s and now_s > self.finished_s + 3.0:  # nothing came of it
            self.onset_s = self.finished_s = 0.0
        if self.finished_s:
            return
        is_playing = now_s < self.plays_until_s
        breaks_in = is_playing and self.line % 3 == 0 and now_s - self.began_s > 1.0
        is_quiet = self.began_s and self.plays_until_s + _QUIET_S < now_s
        if not (breaks_in or is_quiet):
            return
        words, pause_s = self.lines[self.line % len(self.lines)]
        self.line += 1
        sound = tones.encode(words)
        parts = (sound[at : at + 160].ljust(160, tones.SILENCE) for at in range(0, len(sound), 160))
        self.sound = [base64.b64encode(part).decode() for part in parts]
        if breaks_in:
            self.onset_s = now_s
        # The first frame goes out now, and its sound has been spoken by then.
        self.finished_s = now_s + (len(self.sound) - 1) * _FRAME_S + pause_s

    async def _send(self, event: str, inner: dict[str, str]) -> None:
        await self.socket.send_str(orjson.dumps({"event": event, "streamSid": self.sid, event: inner}).decode())

    async def listen(self) -> None:
        async for frame in self.socket:
            now_s = time.perf_counter()
            message = orjson.loads(frame.data)
            match message["event"]:
                case "media" if self.is_echoed:
                    self.seen.trips_s.append(now_s - float(message["media"]["timestamp"]))
                case "media":
                    self._hear(now_s, len(base64.b64decode(message["media"]["payload"])) // 160)
                case "mark":
                    if int(message["mark"]["name"].partition(":")[0]) <= self.cleared:
                        self.seen.after_clear += 1
                    self.marks.append((self.plays_until_s, message["mark"]["name"]))
                case "clear":
                    if self.onset_s:
                        self.seen.clears_s.append(now_s - self.onset_s)
                    self.onset_s, self.plays_until_s = 0.0, now_s
                    numbers = [int(name.partition(":")[0]) for _, name in self.marks]
                    self.cleared = max([self.cleared, *numbers])
                    self.marks = [(now_s, name) for _, name in self.marks]

    def _hear(self, now_s: float, frames: int) -> None:
        gap_s = now_s - self.plays_until_s
        if self.finished_s and now_s > self.finished_s - 0.1 and gap_s > 0:
            self.seen.answers_s.append(max(0.0, now_s - self.finished_s))
            self.finished_s = 0.0
        is_new = gap_s > _QUIET_S
        if is_new:
            self.began_s = now_s
        self.seen.late_s += [gap_s if gap_s > 0 and not is_new else 0.0] + [0.0] * (frames - 1)
        self.plays_until_s = max(self.plays_until_s, now_s) + frames * _FRAME_S


async def streams(
    port: int, calls: int, seconds: float, *, floor: bool, lines: Sequence[tuple[str, float]] = _LINES
) -> tuple[Seen, int, str]:
    """Callers who say these lines for so long; what they saw, how many got a stream, and what one more was answered."""
    seen, began_s = Seen(), time.perf_counter()
    callers: list[Caller] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def ticking() -> None:
            for number in itertools.count():  # telephones do not keep step either
                due_s = began_s + number * _FRAME_S / _PHASES
                await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
                for caller in callers[number % _PHASES :: _PHASES]:
                    try:
                        await caller.tick(time.perf_counter())
                    except ConnectionError:
                        seen.broken += 1
                        callers.remove(caller)

        clock = asyncio.create_task(ticking())
        listening: list[asyncio.Task[None]] = []
        for number in range(calls):
            await asyncio.sleep(0 if floor else _COME_S / calls)
            caller = await _connect(http, port, number, seen, lines, floor=floor)
            listening.append(asyncio.create_task(caller.listen()))
            callers.append(caller)
        if not floor:
            await asyncio.sleep(2.0)
        more = "" if floor else await _ring(http, port, f"CA{calls:032x}", f"+1555{calls:07d}")
        seen.late_s.clear()
        seen.answers_s.clear()  # those of a process that says everything for the first time
        await asyncio.wait({clock}, timeout=seconds)
        clock.cancel()
        open_ = sum(not caller.socket.closed for caller in callers)
        for caller in callers:
            await caller.socket.close()
        await asyncio.gather(*listening, return_exceptions=True)
    return seen, open_, more


async def _connect(
    http: aiohttp.ClientSession, port: int, number: int, seen: Seen, lines: Sequence[tuple[str, float]], *, floor: bool
) -> Caller:
    sid, call = f"MZ{number:032x}", f"CA{number:032x}"
    path, told = "/echo", {}
    if not floor:
        stream = ET.fromstring(await _ring(http, port, call, f"+1555{number:07d}")).find("Connect/Stream")
        if stream is None:
            raise server.Trouble(f"call {number} got no stream")
        path = "/" + stream.attrib["url"].partition("://")[2].partition("/")[2]
        told = {one.attrib["name"]: one.attrib["value"] for one in stream}
    signed = {"X-Twilio-Signature": _signature("wss" + phones.PUBLIC_URL.removeprefix("https") + path, {})}
    socket = await http.ws_connect(f"http://127.0.0.1:{port}{path}", headers=signed)
    if not floor:
        start: dict[str, object] = {
            "streamSid": sid,
            "accountSid": shop.TWILIO_ACCOUNT,
            "callSid": call,
            "customParameters": told,
        }
        await socket.send_str(orjson.dumps({"event": "connected"}).decode())
        await socket.send_str(orjson.dumps({"event": "start", "streamSid": sid, "start": start}).decode())
    return Caller(sid, socket, seen, floor, number, lines)


async def _ring(http: aiohttp.ClientSession, port: int, call: str, number: str) -> str:
    fields = {"CallSid": call, "AccountSid": shop.TWILIO_ACCOUNT, "From": number, "To": shop.NUMBER}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    headers["X-Twilio-Signature"] = _signature(phones.PUBLIC_URL + _VOICE, fields)
    async with http.post(f"http://127.0.0.1:{port}{_VOICE}", data=urlencode(fields), headers=headers) as answer:
        return await answer.text()


def _signature(url: str, fields: dict[str, str]) -> str:
    text = url + "".join(name + value for name, value in sorted(fields.items()))
    return base64.b64encode(hmac.digest(shop.TWILIO_TOKEN.encode(), text.encode(), "sha1")).decode()


async def relays(port: int, calls: int, seconds: float, *, floor: bool) -> list[float]:
    """Seconds from a caller's words to the first of ours. One call goes before all others and is not counted: of a process
    that says everything for the first time.
    """
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def one(number: int, seconds: float, thinks_s: float) -> list[float]:
            waits_s: list[float] = []
            await asyncio.sleep(thinks_s * max(0, number) / calls)
            call, caller = f"CA{number + 100_001:032x}", f"+1555{number + 5001:07d}"
            path = "/words"
            if not floor:
                await _ring(http, port, call, caller)
                path = f"{_VOICE}/relay?account={shop.TWILIO_ACCOUNT}"
            signed = {"X-Twilio-Signature": _signature("wss" + phones.PUBLIC_URL.removeprefix("https") + path, {})}
            async with http.ws_connect(f"http://127.0.0.1:{port}{path}", headers=signed) as socket:
                setup: dict[str, object] = {
                    "type": "setup",
                    "callSid": call,
                    "accountSid": shop.TWILIO_ACCOUNT,
                    "to": shop.NUMBER,
                }
                setup |= {"from": caller, "customParameters": {"turn": "0"}}
                if not floor:
                    await socket.send_str(orjson.dumps(setup).decode())
                ends_s = time.perf_counter() + seconds
                for words in itertools.cycle([words for words, _ in _LINES]):
                    await asyncio.sleep(thinks_s)
                    if time.perf_counter() > ends_s:
                        return waits_s
                    began_s = time.perf_counter()
                    await socket.send_str(orjson.dumps({"type": "prompt", "voicePrompt": words, "last": True}).decode())
                    while orjson.loads(await socket.receive_str())["type"] != "text":
                        pass
                    waits_s.append(time.perf_counter() - began_s)
            raise AssertionError  # the lines do not end

        await one(-1, 2 * _THINKS_S, 0.2)
        found = await asyncio.gather(*(one(number, seconds, _THINKS_S) for number in range(calls)))
    return list(itertools.chain.from_iterable(found))


# The floor, and who speaks.


async def _echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    async for frame in socket:
        await socket.send_str(frame.data)
    return socket


async def _words(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    async for frame in socket:
        orjson.loads(frame.data)
        await socket.send_str('{"type":"text","token":"What would you like to book?","last":true}')
    return socket


async def _ready(_: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _bare(port: int) -> None:
    app = web.Application()
    app.add_routes([web.get("/echo", _echo), web.get("/words", _words), web.get("/healthz", _ready)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


async def _speech(port: int) -> None:
    await ElevenLabsSimulator(api_keys=[_KEY], most_at_once=10_000).serve("127.0.0.1", port)
    await asyncio.Event().wait()


@contextmanager
def _running(room: Path, what: str, speech: int, *, most: int) -> Iterator[server.Server]:
    port = free_port()
    folder = room / f"{what}-{port}"
    folder.mkdir()
    if what == "bare":
        command, env = [sys.executable, "-m", "bench.voice", "--serve", "bare", "--port", str(port)], {}
    else:
        url = f"sqlite:///{folder}/desk.db"
        shop.make(url, fill=_add_voice)
        command, env = server.frontdesk_command(), server.frontdesk_env(url, folder, port=port)
        env |= {
            "FRONTDESK_VOICE__MODE": what,
            "FRONTDESK_VOICE__STREAMS_MAX": str(most),
            "FRONTDESK_ELEVENLABS__API_KEY": _KEY,
            "FRONTDESK_ELEVENLABS__API_BASE": f"http://127.0.0.1:{speech}",
            "FRONTDESK_LOG__LEVEL": "warning",
        }
    tested = server.start(command, port=port, log=folder / "log", env=env)
    try:
        tested.wait_ready()
        yield tested
    finally:
        tested.stop()


def _add_voice(db: Db, account_id: int) -> None:
    row = dict(db.execute(select(accounts).where(accounts.c.id == account_id)).mappings().one())
    kept = ("tenant_id", "business_id", "bot_id", "created_at", "provider", "address")
    db.execute(insert(accounts).values({name: row[name] for name in kept} | {"channel": "voice"}))


def _ms(waits_s: list[float], percent: float) -> str:
    return f"{load.percentile(waits_s, percent) * 1000:.1f}" if waits_s else "none"


def _tails(waits_s: list[float]) -> tuple[str, str]:
    return _ms(waits_s, 50), _ms(waits_s, 95)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.voice", description="Calls, by relay and by stream.")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--serve", choices=("bare", "speech"), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        uvloop.run((_bare if given.serve == "bare" else _speech)(given.port))
        return 0
    calls, seconds = (20, 15.0) if given.quick else (given.calls, given.seconds)
    talking = calls // 2
    print(report.machine())
    server.pin(server.CLIENT_CORE)
    with ExitStack() as stack:
        room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="frontdesk-bench-")))
        speech = free_port()
        command = [sys.executable, "-m", "bench.voice", "--serve", "speech", "--port", str(speech)]
        speaking = server.start(command, port=speech, log=room / "speech", env={})
        server.pin(server.CLIENT_CORE, process=speaking.process.pid)
        stack.callback(speaking.stop)
        rows: list[list[str]] = []
        echoed, bare_share = Seen(), 0.0
        for what in ("bare", "relay"):
            with _running(room, what, speech, most=calls) as tested:
                waits = uvloop.run(relays(tested.port, talking, seconds / 2, floor=what == "bare"))
                name = {"bare": "aiohttp, constant words", "relay": "Frontdesk, relay"}[what]
                rows.append([name, str(talking), str(len(waits)), *_tails(waits)])
                if what == "bare":
                    used_s = tested.cpu_s()
                    echoed, _, _ = uvloop.run(streams(tested.port, calls, seconds / 2, floor=True))
                    bare_share = (tested.cpu_s() - used_s) / (seconds / 2)
        with _running(room, "stream", speech, most=calls) as tested:
            same, _, _ = uvloop.run(streams(tested.port, talking, seconds / 2, floor=False, lines=_SAME))
            count = str(len(same.answers_s))
            rows.append(["a stream, words that are in the store", str(talking), count, *_tails(same.answers_s)])
        print(report.table(["words in, words out", "calls", "answers", "p50 ms", "p95 ms"], rows))
        with _running(room, "stream", speech, most=calls) as tested:
            used_s = tested.cpu_s()
            seen, open_, more = uvloop.run(streams(tested.port, calls, seconds, floor=False))
            share, peak_mb = (tested.cpu_s() - used_s) / seconds, tested.peak_mb()
            print(f"\nBare aiohttp sends {calls} callers' frames back in {_ms(echoed.trips_s, 99)} ms (p99), of a core")
            print(f"{bare_share:.2f}; Frontdesk takes {share:.2f}, {share / bare_share:.2f} times as much.\n")
            late = sum(one * 1000 > _LATE_MS for one in seen.late_s)
            found = [
                ["calls to the end", f"{open_} of {calls}"],
                ["frames that were heard", str(len(seen.late_s))],
                ["late, p99 ms", _ms(seen.late_s, 99)],
                [f"late by more than {_LATE_MS:.0f} ms", str(late)],
                ["answers", str(len(seen.answers_s))],
                ["end of turn to first frame, p50 ms", _ms(seen.answers_s, 50)],
                ["the same, p95 ms", _ms(seen.answers_s, 95)],
                ["break-ins", str(len(seen.clears_s))],
                ["onset to clear, p95 ms", _ms(seen.clears_s, 95)],
                ["marks of what had been cleared", str(seen.after_clear)],
                ["one call more", "gather" if "<Gather" in more else "stream" if "<Stream" in more else "refused"],
                ["peak MB", f"{peak_mb:.0f}"],
            ]
            print(report.table(["streams", "seen"], found))
            if (words := tested.last_words()) and "too many streams" not in words:
                print(words[-600:], file=sys.stderr)
    return 0 if open_ == calls and not seen.after_clear else 1


if __name__ == "__main__":
    sys.exit(main())
