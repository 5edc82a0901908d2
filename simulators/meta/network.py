"""Meta's state: the app, numbers, phones, the record of all that passed, and what is under way."""

import asyncio
import base64
import contextlib
import hashlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from uuid import uuid4

import aiohttp

from simulators.meta.faults import Dice, Faults
from simulators.meta.model import App, File, Json, Message, Number, Received, Seen, Stored, Template
from simulators.meta.phone import Phone
from simulators.meta.webhooks import Post, Poster

_RETRIES = 4
_FIRST_RETRY_S = 2.0
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_REASONS = {
    131026: "Message undeliverable",
    131047: "Re-engagement message",
    131049: "This message was not delivered to maintain healthy ecosystem engagement.",
    131050: "User has stopped marketing messages",
    131053: "Media upload error",
}


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _fresh_id() -> str:
    return uuid4().hex


class Network:
    """One app with its numbers, and the phones of everybody else.

    `clock` and `sleep` are the network's time (pauses, repeats, dates); only the time-outs of HTTP are real. `pace_s` is the
    pause before each state of a message. Read `messages`, `posts` (every request to the application) and `seen`.
    """

    def __init__(
        self,
        *,
        app: App,
        numbers: Iterable[Number] = (),
        templates: Iterable[Template] = (),
        faults: Faults | None = None,
        reach: Mapping[str, str] | None = None,
        clock: Callable[[], datetime] = _utc_now,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        rng: Random | None = None,
        new_id: Callable[[], str] = _fresh_id,
        pace_s: float = 0.0,
    ) -> None:
        self.app = app
        self.clock = clock
        self.sleep = sleep
        self.new_id = new_id
        self.pace_s = pace_s
        self.url = ""  # known once it is served
        self.numbers = {number.number: number for number in numbers}
        self.templates = list(templates)
        self.messages: dict[str, Message] = {}
        self.media: dict[str, Stored] = {}
        self.posts: list[Post] = []
        self.seen = Seen()
        self.last_said: dict[tuple[str, str], datetime] = {}  # by our number and theirs, for the 24 hours
        self.closing = asyncio.Event()
        self._rng = rng or Random()
        self._reach = reach or {}
        self.dice = Dice(faults or Faults(), self._rng)
        self._phones: dict[str, Phone] = {}
        self._held: list[tuple[str, Json]] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def faults(self) -> Faults:
        """What goes wrong, and how often; setting it starts counting afresh."""
        return self.dice.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.dice = Dice(faults, self._rng)

    def rotate_secret(self, secret: str) -> None:
        """Sign with a new secret from now on."""
        self.app = replace(self.app, secret=secret)

    def phone(self, number: str) -> Phone:
        """The phone with this number; whoever asks first makes it.

        Raises:
            ValueError: that is no phone number.
        """
        if number not in self._phones:
            if not _NUMBER.fullmatch(number):
                raise ValueError(f"{number!r} is no phone number; write it like +15551230001")
            self._phones[number] = Phone(number, self.carry)
        return self._phones[number]

    def phone_of(self, recipient: str) -> Phone | None:
        """Whose phone a message to this number or business-scoped id reaches."""
        if recipient.startswith("+"):
            called = (phone for phone in self._phones.values() if phone.dialled == recipient)
            return next(called, None) or self.phone(recipient)
        return next((phone for phone in self._phones.values() if phone.user_id == recipient), None)

    def add_number(self, number: Number) -> None:
        """One more number of the business, or of another one whose webhook is the same.

        Raises:
            ValueError: it is no phone number, or there is one with that number or id.
        """
        if not _NUMBER.fullmatch(number.number):
            raise ValueError(f"{number.number!r} is no phone number; write it like +15125550102")
        if number.number in self.numbers or self.by_id(number.phone_number_id) is not None:
            raise ValueError(f"{number.number} or the id {number.phone_number_id} is there already")
        self.numbers[number.number] = number

    def by_id(self, phone_number_id: str) -> Number | None:
        """The business's number with this id."""
        return next((one for one in self.numbers.values() if one.phone_number_id == phone_number_id), None)

    # What happens --------------------------------------------------------------------------------------------------

    async def carry(
        self, phone: Phone, to: str, message: Json, *, file: File | None = None, message_id: str | None = None
    ) -> list[Post]:
        """Take a message from a phone to the application. See `Phone.send`."""
        number = self.numbers.get(to)
        if number is None:
            raise LookupError(f"nobody has {to!r}; there are {', '.join(self.numbers) or 'no numbers at all'}")
        self.last_said[number.number, phone.number] = self.clock()
        told: Json = {"id": message_id or f"wamid.{self.new_id()}", "timestamp": self._timestamp(), **message}
        if not phone.hides_number:
            told["from"] = phone.number.removeprefix("+")
        if phone.user_id:
            told["from_user_id"] = phone.user_id
        if file is not None:
            kind = str(message["type"])
            content = message.get(kind)
            told[kind] = {**(content if isinstance(content, dict) else {}), **self.keep(file)}
        return await self.tell(number, "messages", {"contacts": [phone.identity(number)], "messages": [told]})

    async def write_from_shop(self, sender: str, to: str, text: str, *, message_id: str | None = None) -> list[Post]:
        """Somebody of the business writes from the WhatsApp app on the shop's own phone; the application is told. With the
        `message_id` of an earlier one it is told of the same once more.
        """
        return await self.send_from_shop(sender, to, "text", {"body": text}, message_id=message_id)

    async def send_from_shop(
        self,
        sender: str,
        to: str,
        kind: str,
        content: object,
        *,
        file: File | None = None,
        message_id: str | None = None,
    ) -> list[Post]:
        """The same for anything: `content` stands under the name of its `kind`, with what is told of the `file`."""
        number = self.numbers[sender]
        if file is not None:
            content = {**(content if isinstance(content, dict) else {}), **self.keep(file)}
        if message_id is None:
            message_id = f"wamid.{self.new_id()}"
            shown = content if isinstance(content, dict) else {}
            self.phone(to).receive(Received(message_id, number, kind, shown, "", self.clock()))
        return await self._echo(number, to, message_id, {"type": kind, kind: content})

    async def echo(self, message: Message) -> list[Post]:
        """Tell the application of what it has sent by itself as if that had been written on the shop's phone."""
        kind: Json = {"type": message.kind, message.kind: message.body[message.kind]}
        return await self._echo(message.sender, message.to, message.id, kind)

    async def _echo(self, number: Number, to: str, message_id: str, message: Json) -> list[Post]:
        phone = self.phone_of(to)
        whose = {"to": to.removeprefix("+")} if to.startswith("+") else {"to_user_id": to}
        if phone is not None and phone.user_id:
            whose["to_user_id"] = phone.user_id
        echo: Json = {"from": number.digits, **whose, "id": message_id, "timestamp": self._timestamp(), **message}
        return await self.tell(number, "smb_message_echoes", {"message_echoes": [echo]})

    def keep(self, file: File) -> Json:
        """Store a file; what a webhook says of it."""
        media_id = str(int(self.new_id()[:13], 16))
        self.media[media_id] = Stored(file, self.clock())
        digest = base64.b64encode(hashlib.sha256(file.content).digest()).decode()
        return {"id": media_id, "mime_type": file.content_type, "sha256": digest}

    async def report(self, message: Message) -> list[Post]:
        """Tell the application how far a message has come."""
        status: Json = {
            "id": message.id,
            "status": message.status,
            "timestamp": self._timestamp(),
            "recipient_id": message.to.removeprefix("+"),
        }
        if (phone := self.phone_of(message.to)) is not None and phone.user_id:
            status["recipient_user_id"] = phone.user_id
        if callback := message.body.get("biz_opaque_callback_data"):
            status["biz_opaque_callback_data"] = callback
        if message.error is not None:
            title = _REASONS.get(message.error, "Something went wrong")
            status["errors"] = [{"code": message.error, "title": title, "message": title, "href": ""}]
        else:
            category = "utility" if message.kind == "template" else "service"
            is_free = category == "service"
            pricing: Json = {"billable": not is_free, "pricing_model": "PMP", "category": category}
            status["pricing"] = {**pricing, "type": "free_customer_service" if is_free else "regular"}
        return await self.tell(message.sender, "messages", {"statuses": [status]})

    async def tell(self, number: Number, field: str, news: Json) -> list[Post]:
        """Post news of a number to the application; what the first attempt came to, with its copies."""
        value: Json = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": number.digits, "phone_number_id": number.phone_number_id},
            **news,
        }
        return await self.announce(number.waba_id, field, value)

    async def announce(self, waba_id: str, field: str, value: Json) -> list[Post]:
        """The same for news of a whole account, such as that a template was approved: `value` is all that is said."""
        change: Json = {"value": value, "field": field}
        if self._held is not None:
            self._held.append((waba_id, change))
            return []
        return await self._post([(waba_id, change)])

    @contextlib.asynccontextmanager
    async def batching(self) -> AsyncIterator[None]:
        """Everything that is to be told meanwhile goes out in one request at the end, as Meta does when much happens. What
        is told within another one goes with that.
        """
        if self._held is not None:
            yield
            return
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            if held:
                await self._post(held)

    async def challenge(self, *, verify_token: str | None = None, word: str = "1158201444") -> Post:
        """Ask the application whether the webhook is its own."""
        token = self.app.verify_token if verify_token is None else verify_token
        return await self._poster().challenge(self.app.webhook_url, verify_token=token, word=word)

    async def _post(self, news: list[tuple[str, Json]]) -> list[Post]:
        if not self.app.webhook_url:
            return []
        entries: dict[str, list[Json]] = {}
        for waba_id, change in news:
            entries.setdefault(waba_id, []).append(change)
        entry = [{"id": waba_id, "changes": changes} for waba_id, changes in entries.items()]
        body = json.dumps({"object": "whatsapp_business_account", "entry": entry}).encode()
        copies = self.dice.faults.copies if self.dice.strikes("duplicate") else 0
        posts = await asyncio.gather(*(self._once(body) for _ in range(copies + 1)))
        if posts[0].status != 200 or self.dice.strikes("drop_answer"):
            self.start(self._again(body))
        return list(posts)

    async def _once(self, body: bytes) -> Post:
        secret = f"not {self.app.secret}" if self.dice.strikes("bad_signature") else self.app.secret
        post = await self._poster().post(self.app.webhook_url, body, secret=secret)
        self.posts.append(post)
        return post

    async def _again(self, body: bytes) -> None:
        """Until it is taken, with growing pauses. Meta does so for a week; after a few times this gives up."""
        for attempt in range(_RETRIES):
            await self.sleep(_FIRST_RETRY_S * 4**attempt)
            if (await self._once(body)).status == 200:
                return

    def _timestamp(self) -> str:
        return str(int(self.clock().timestamp()))

    def _poster(self) -> Poster:
        if self._session is None:
            # No limit: a copy of a webhook must be able to arrive at the same moment as the webhook.
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return Poster(self._session, reach=self._reach)

    # What goes on by itself ----------------------------------------------------------------------------------------

    def start(self, work: Coroutine[object, object, None], *, name: str = "") -> None:
        """Let something go on by itself."""
        task = asyncio.create_task(work, name=name or None)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self, name: str | None = None) -> None:
        """Wait until nothing (or nothing of that name) is under way: no delivery, no status, no repeat."""
        while tasks := [task for task in self._tasks if name in (None, task.get_name())]:
            await asyncio.gather(*tasks)

    async def close(self) -> None:
        """Drop everything that is still under way."""
        self.closing.set()
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
