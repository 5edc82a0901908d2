"""The two floors: how fast could this be at all?

    python -m bench.floors bare --port 9000       aiohttp on uvloop, a constant answer
    python -m bench.floors durable --port 9000    the smallest flow that keeps everything it answers

The second checks the signature, takes a step in a `transitions` machine and writes three rows (the text, the answer, the
new state) in a group commit at synchronous=FULL. It knows one dialogue by heart and nothing else.
"""

import argparse
import asyncio
import hmac
import itertools
import sqlite3
import tempfile
import threading
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

import uvloop
from aiohttp import web
from transitions import Machine

from bench.phones import PATH, PUBLIC_URL
from bench.shop import TWILIO_TOKEN

_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?><Response><Message><Body>'
_TAIL: Final = "</Body></Message></Response>"
CONSTANT: Final = (_HEAD + "Hello, what can I do for you?" + _TAIL).encode()
STATES: Final = ("new", "greeted", "service", "day", "time", "read_back", "booked")
_GROUP: Final = 128

Handler = Callable[[web.Request], Awaitable[web.Response]]


async def _bare(_: web.Request) -> web.Response:
    return web.Response(body=CONSTANT, content_type="text/xml")


class _Run:
    """What the machine moves: one conversation."""

    __slots__ = ("state",)

    def __init__(self, state: str) -> None:
        self.state = state


class _Text(NamedTuple):
    sid: str
    phone: str
    body: str
    answered: "asyncio.Future[str]"


class Durable:
    """The smallest durable flow over one SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._texts: SimpleQueue[_Text] = SimpleQueue()
        self._machine = Machine(
            model=None,
            states=list(STATES),
            initial=STATES[0],
            transitions=[["said", here, there] for here, there in itertools.pairwise(STATES)],
            auto_transitions=False,
        )
        threading.Thread(target=self._write, daemon=True).start()

    async def handle(self, request: web.Request) -> web.Response:
        """The answer to one text, once it is on the disk."""
        pairs = parse_qsl((await request.read()).decode(), keep_blank_values=True)
        signed = PUBLIC_URL + request.raw_path + "".join(name + value for name, value in sorted(pairs))
        expected = b64encode(hmac.digest(TWILIO_TOKEN.encode(), signed.encode(), "sha1")).decode()
        if not hmac.compare_digest(expected, request.headers.get("X-Twilio-Signature", "")):
            return web.Response(status=403)
        fields = dict(pairs)
        answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._texts.put(_Text(fields["MessageSid"], fields["From"], fields["Body"], answered))
        return web.Response(text=_HEAD + await answered + _TAIL, content_type="text/xml")

    def _write(self) -> None:
        db = sqlite3.connect(self._path, isolation_level=None)
        db.executescript(
            """
            PRAGMA journal_mode=WAL;
            PRAGMA synchronous=FULL;
            CREATE TABLE conversations (phone TEXT PRIMARY KEY, state TEXT NOT NULL);
            CREATE TABLE messages (id INTEGER PRIMARY KEY, sid TEXT UNIQUE, phone TEXT NOT NULL, text TEXT NOT NULL);
            """
        )
        while True:
            texts = [self._texts.get()]
            while len(texts) < _GROUP and not self._texts.empty():
                texts.append(self._texts.get())
            db.execute("BEGIN IMMEDIATE")
            answers = [self._turn(db, text) for text in texts]
            db.execute("COMMIT")
            texts[0].answered.get_loop().call_soon_threadsafe(_settle, texts, answers)

    def _turn(self, db: sqlite3.Connection, text: _Text) -> str:
        row = db.execute("SELECT state FROM conversations WHERE phone = ?", (text.phone,)).fetchone()
        run = _Run(row[0] if row else STATES[0])
        self._machine.events["said"].trigger(run)
        answer = f"You said {text.body}. Now: {run.state}."
        db.execute("INSERT INTO messages (sid, phone, text) VALUES (?, ?, ?)", (text.sid, text.phone, text.body))
        db.execute("INSERT INTO messages (phone, text) VALUES (?, ?)", (text.phone, answer))
        db.execute(
            "INSERT INTO conversations VALUES (?, ?) ON CONFLICT (phone) DO UPDATE SET state = excluded.state",
            (text.phone, run.state),
        )
        return answer


def _settle(texts: list[_Text], answers: list[str]) -> None:
    for text, answer in zip(texts, answers, strict=True):
        if not text.answered.done():
            text.answered.set_result(answer)


async def _ready(_: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _serve(port: int, handler: Handler) -> None:
    app = web.Application()
    app.router.add_post(PATH, handler)
    app.router.add_get("/healthz", _ready)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="One of the two floors.")
    parser.add_argument("floor", choices=("bare", "durable"))
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as room:
        handler = Durable(Path(room) / "floor.db").handle if given.floor == "durable" else _bare
        uvloop.run(_serve(given.port, handler))


if __name__ == "__main__":
    main()
