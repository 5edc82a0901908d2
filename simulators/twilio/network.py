"""The phone network's state: accounts, numbers, phones, the record of all that passed, and what is under way."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING
from uuid import uuid4

import aiohttp

from simulators.twilio import checks
from simulators.twilio.faults import Dice, Faults
from simulators.twilio.model import Account, Alert, Content, Exchange, Media, Message, Number, StoredMedia
from simulators.twilio.phone import Phone
from simulators.twilio.voice_model import Callee, Queue, Recording
from simulators.twilio.voice_time import Timeline
from simulators.twilio.webhooks import Form, Post, Poster, Spoil

if TYPE_CHECKING:
    from simulators.twilio.voice_call import Call
    from simulators.twilio.voice_conference import Room


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _fresh_id() -> str:
    return uuid4().hex


class Network(ABC):
    """Accounts, numbers and phones, with everything that happened between them.

    `clock` and `sleep` are the network's time (pauses, schedules, dates); only the time-outs of HTTP are real.
    `pace_s` is the pause before each delivery state. Read `messages`, `posts` (every request to the application)
    and `alerts` (what Twilio's error log would show) to see what went on. With `advance` (a `HandClock`'s) whoever
    plays a caller moves the time on by waiting; see `voice_time`.
    """

    def __init__(
        self,
        *,
        accounts: Iterable[Account],
        numbers: Iterable[Number] = (),
        faults: Faults | None = None,
        reach: Mapping[str, str] | None = None,
        clock: Callable[[], datetime] = _utc_now,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        rng: Random | None = None,
        new_id: Callable[[], str] = _fresh_id,
        pace_s: float = 0.0,
        advance: Callable[[float], Awaitable[object]] | None = None,
    ) -> None:
        self.clock = clock
        self.sleep = sleep
        self.new_id = new_id
        self.pace_s = pace_s
        self.url = ""  # where the REST API is; known once it is served
        self.storage_url = ""  # where media redirects lead: another origin, as with Twilio
        self.accounts = {account.sid: account for account in accounts}
        self.numbers: dict[str, Number] = {}
        self.messages: dict[str, Message] = {}
        self.media: dict[str, StoredMedia] = {}
        self.posts: list[Post] = []
        self.alerts: list[Alert] = []
        self.opted_out: set[tuple[str, str]] = set()  # (Number.opt_out_scope, phone)
        self.usual_number: dict[tuple[str, str], Number] = {}  # (service, phone): people keep talking to one number
        self.contents: dict[str, Content] = {}
        self.heard_at: dict[
            tuple[str, str], datetime
        ] = {}  # (number, phone): when they last wrote, for WhatsApp's window
        self.joined: set[str] = set()  # phones that have joined the sandbox
        self.time = Timeline(clock=clock, sleep=sleep, advance=advance)
        self.calls: dict[str, Call] = {}
        self.callees: dict[str, Callee] = {}  # how a phone behaves when it rings
        self.recordings: dict[str, Recording] = {}
        self.queues: dict[str, Queue] = {}
        self.conferences: dict[str, Room] = {}
        self.refused_whisper_is = "completed"  # DialCallStatus when the callee hangs up in the whisper (unconfirmed)
        self.relay_takes_config = False  # whether `config` and `hints` are understood (their layout is unconfirmed)
        self.held: dict[str, asyncio.Event] = {}  # phones with a text that waits to be overtaken
        self.closing = asyncio.Event()
        self._rng = rng or Random()
        self._reach = reach or {}
        self.dice = Dice(faults or Faults(), self._rng)
        self._phones: dict[str, Phone] = {}
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._scheduled: set[asyncio.Task[None]] = set()
        for number in numbers:
            self.add_number(number)

    @abstractmethod
    async def carry(
        self, phone: Phone, to: str, body: str, *, media: Sequence[Media], extra: Mapping[str, str], sid: str | None
    ) -> Exchange:
        """Take a text from a phone to the application and act on the answer. See `Phone.text`."""

    @abstractmethod
    async def look(self, phone: Phone) -> None:
        """Report what was on the phone as read. See `Phone.read`."""

    @property
    def faults(self) -> Faults:
        """What goes wrong, and how often; setting it starts counting afresh."""
        return self.dice.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.dice = Dice(faults, self._rng)

    def add_number(self, number: Number) -> None:
        """Connect a number, or change the settings of one.

        Raises:
            LookupError: its account does not exist.
        """
        if number.account_sid not in self.accounts:
            raise LookupError(f"{number.number!r} belongs to the account {number.account_sid!r}, which does not exist")
        self.numbers[number.number] = number

    def rotate_token(self, account_sid: str, new_token: str) -> None:
        """Sign with a new token from now on; the REST API still takes the old one as well."""
        old = self.accounts[account_sid]
        self.accounts[account_sid] = replace(
            old, auth_token=new_token, other_tokens=(old.auth_token, *old.other_tokens)
        )

    def phone(self, number: str) -> Phone:
        """The phone with this number; whoever asks first makes it.

        Raises:
            ValueError: that is no phone number.
        """
        if number not in self._phones:
            if not checks.is_phone_number(number):
                raise ValueError(f"{number!r} is no phone number; write it like +15551230001")
            self._phones[number] = Phone(number, self.carry, self.look)
        return self._phones[number]

    def alert(self, code: int, text: str, *, url: str = "", message_sid: str = "", call_sid: str = "") -> None:
        """Write a line into the error log."""
        self.alerts.append(Alert(code, text, url, message_sid, call_sid))

    async def post(self, account_sid: str, url: str, form: Form, method: str = "POST") -> Post:
        """Call the application with a signed form; the last attempt's outcome."""
        token = self.accounts[account_sid].auth_token
        posts = await self._poster().form(url, form, token=token, method=method, spoil=self._spoil())
        self.posts += posts
        return posts[-1]

    async def post_json(self, account_sid: str, url: str, body: bytes) -> Post:
        """Call the application with JSON, as Twilio's event streams do; the last attempt's outcome."""
        token = self.accounts[account_sid].auth_token
        posts = await self._poster().json(url, body, token=token, spoil=self._spoil())
        self.posts += posts
        return posts[-1]

    def session(self) -> aiohttp.ClientSession:
        """What the application is called with."""
        if self._session is None:
            # No limit: a copy of a webhook must be able to arrive at the same moment as the webhook.
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self._session

    def reached(self, url: str) -> str:
        """Where a public address (also one of a WebSocket) really is."""
        web_url = url.replace("ws", "http", 1) if url.startswith("ws") else url
        for public, real in self._reach.items():
            if web_url.startswith(public):
                return real + web_url[len(public) :]
        return web_url

    def _poster(self) -> Poster:
        return Poster(self.session(), reach=self._reach, new_id=self.new_id)

    def _spoil(self) -> Spoil:
        return Spoil(
            bad_signature=self.dice.strikes("bad_signature"),
            sign_with_port=self.dice.strikes("sign_with_port"),
            drop_connection=self.dice.strikes("drop_connection"),
        )

    def start(self, work: Coroutine[object, object, None], *, sid: str, is_scheduled: bool = False) -> None:
        """Let something go on by itself, for the message `sid`."""
        tasks = self._scheduled if is_scheduled else self._tasks
        task = asyncio.create_task(work, name=sid)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def settled(self, sid: str | None = None) -> None:
        """Wait until nothing (or nothing for that message) is under way: no delivery, no status callback.

        Messages scheduled for later are not waited for.
        """
        while tasks := [task for task in self._tasks if sid in (None, task.get_name())]:
            await asyncio.gather(*tasks)

    async def close(self) -> None:
        """Drop everything that is still under way."""
        self.closing.set()
        tasks = [*self._tasks, *self._scheduled]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
