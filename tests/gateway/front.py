"""A whole front desk in a test: the real server on a real socket, a real database, a clock that stands still."""

import contextlib
import math
import socket
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from argon2 import PasswordHasher, profiles
from sqlalchemy import func, select, text
from twilio.request_validator import RequestValidator

from gateway import demo
from gateway.app import make_app, workers
from gateway.auth.passwords import Passwords
from gateway.context import House, open_house
from gateway.jobs.schedule import Sweeper
from gateway.pipeline.spool import Spool
from gateway.settings import Settings, load
from storage.base import Db
from storage.models.jobs import jobs
from storage.store import Store
from tests import canaries
from tests.clock import FakeClock

OURS = "+15125550100"
SID = "AC" + "0a1b2c3d" * 4
TOKEN = canaries.TWILIO_TOKEN
MESSAGES = "/api/v1/webhooks/twilio/messages"
STATUS = "/api/v1/webhooks/twilio/status"
NOON = datetime(2026, 3, 2, 18, tzinfo=UTC)  # a Monday, noon in Austin

_NO_ENV: Mapping[str, str] = {}
QUICK = PasswordHasher.from_parameters(profiles.CHEAPEST)
_NOBODYS = QUICK.hash("nobody's")
_numbers = count(1)
_NEXT_DUE = select(func.min(jobs.c.run_at)).where(jobs.c.status == "ready")


@dataclass
class Answer:
    """What the webhook answered: its status and the texts in its TwiML."""

    status: int
    body: bytes
    texts: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


class Front:
    """Drives one running front desk through its public doors."""

    def __init__(
        self, house: House, app: web.Application, http: aiohttp.ClientSession, url: str, clock: FakeClock
    ) -> None:
        self.house = house
        self.app = app
        self.http = http
        self.url = url
        self.clock = clock
        self._workers = workers(house)
        self._sweeper = Sweeper(house, Spool(house.settings.data_dir / "spool", house.sealer))

    async def text(self, sender: str, body: str, *, sid: str | None = None, **more: str) -> Answer:
        """Text the business and read what comes back in the webhook's answer."""
        return await self.post(form(sender, body, sid=sid, **more))

    async def post(
        self, fields: Mapping[str, str], *, path: str = MESSAGES, token: str = TOKEN, signature: str | None = None
    ) -> Answer:
        """Post a form signed by the provider's own validator."""
        signed = RequestValidator(token).compute_signature(self.url + path, dict(fields))
        headers = {"X-Twilio-Signature": signed if signature is None else signature}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        async with self.http.post(self.url + path, data=urlencode(fields), headers=headers) as answer:
            body = await answer.read()
            canaries.absent(body)
            return Answer(answer.status, body, _texts(body), dict(answer.headers))

    async def says(self, sender: str, *lines: str) -> list[str]:
        """A conversation: one text after the other, and the reply to each."""
        return [(await self.text(sender, line)).text for line in lines]

    async def work(self) -> None:
        """Whatever is due now: jobs and sweeps, until nothing is."""
        await self._sweeper.sweep()
        while sum([await worker.drain() for worker in self._workers]):
            pass

    async def pass_time(self, span: timedelta, *, step: timedelta = timedelta(minutes=15)) -> None:
        """Let the clock run on, with the worker awake at every step by which a job is due, and every four hours."""
        end = self.clock.now() + span
        while (now := self.clock.now()) < end:
            due = await self.house.store.read(lambda db: db.execute(_NEXT_DUE).scalar_one())
            idle = min(timedelta(hours=4), due - now) if due is not None else timedelta(hours=4)
            self.clock.advance(min(step * max(1, math.ceil(idle / step)), end - now))
            await self.work()

    async def rows(self, sql: str, **values: object) -> list[tuple[Any, ...]]:
        """Rows of the database, for what no door shows yet."""
        return await self.house.store.read(lambda db: [tuple(row) for row in db.execute(text(sql), values)])

    async def one(self, sql: str, **values: object) -> Any:
        """A single value of the database."""
        ((value,),) = await self.rows(sql, **values)
        return value

    async def change(self, sql: str, **values: object) -> None:
        """Put the database into a state that no door leads to yet."""

        def run(db: Db) -> None:
            db.execute(text(sql), values)

        await self.house.store.write(run)
        self.house.accounts.forget()


def busy(store: Store) -> Callable[[], bool]:
    """Whether the store reads or writes for somebody, from now on."""
    at_work = 0

    def counted(run: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counting(*args: Any, **kwargs: Any) -> Any:
            nonlocal at_work
            at_work += 1
            try:
                return await run(*args, **kwargs)
            finally:
                at_work -= 1

        return counting

    for name in ("read", "write"):
        setattr(store, name, counted(getattr(store, name)))
    return lambda: at_work > 0


def form(sender: str, body: str, *, sid: str | None = None, **more: str) -> dict[str, str]:
    """A text as Twilio posts it."""
    sid = sid or f"SM{next(_numbers):032x}"
    return {
        "ToCountry": "US",
        "SmsMessageSid": sid,
        "NumMedia": "0",
        "SmsSid": sid,
        "SmsStatus": "received",
        "Body": body,
        "FromCountry": "US",
        "To": OURS,
        "NumSegments": "1",
        "MessageSid": sid,
        "AccountSid": SID,
        "From": sender,
        "ApiVersion": "2010-04-01",
        **more,
    }


def settings(database_url: str, data_dir: Path, port: int, env: Mapping[str, str] = _NO_ENV) -> Settings:
    return load(
        None,
        {
            "DATABASE_URL": database_url,
            "PORT": str(port),
            "TWILIO_ACCOUNT_SID": SID,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "FRONTDESK_SECRETS__KEY": canaries.MASTER_KEY,
            "FRONTDESK_DATA_DIR": str(data_dir),
            "FRONTDESK_SENDING__RATES": "",  # no second passes while the clock stands still
            "FRONTDESK_VOICE__LOOK_MIN": "0",  # nobody is there to be asked
            **env,
        },
    )


@contextlib.asynccontextmanager
async def opened(
    database_url: str, data_dir: Path, clock: FakeClock, env: Mapping[str, str] = _NO_ENV, *, seeded: bool = True
) -> AsyncIterator[Front]:
    """A front desk with the demo business, serving on a port of its own."""
    with listening() as (door, port):
        async with open_house(settings(database_url, data_dir, port, env), clock=clock) as house:
            # A password takes a quarter of a second and 64 MB otherwise, several times in a test.
            object.__setattr__(house, "passwords", Passwords(2, QUICK, nobodys=_NOBODYS))
            if seeded:
                await house.store.write(demo.seed, now=clock.now())
            app = make_app(house)
            async with served(app, door), browser() as http:
                yield Front(house, app, http, f"http://localhost:{port}", clock)


@contextlib.contextmanager
def listening() -> Iterator[tuple[socket.socket, int]]:
    """A door and the number on it: nobody else can take it any more."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield door, door.getsockname()[1]


@contextlib.asynccontextmanager
async def served(app: web.Application, door: socket.socket) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, door).start()
        yield
    finally:
        await runner.cleanup()


def browser() -> aiohttp.ClientSession:
    """Somebody who calls from outside. Only localhost is looked up, for which the system is quicker than c-ares to set up."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver()))


def _texts(body: bytes) -> tuple[str, ...]:
    if not body.startswith(b"<?xml"):
        return ()
    return tuple("".join(part.itertext()) for part in ET.fromstring(body).iter("Message"))
