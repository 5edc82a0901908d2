"""Somebody's phone with WhatsApp on it: writes to a number in every way there is, and reads what comes back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from simulators.meta.model import File, Json, Number, Received
from simulators.meta.webhooks import Post

Match = str | Callable[[Received], bool]


class Carry(Protocol):
    """Takes a message from a phone to the application."""

    def __call__(
        self, phone: "Phone", to: str, message: Json, *, file: File | None = None, message_id: str | None = None
    ) -> Awaitable[list[Post]]: ...


class Phone:
    """One person's phone. Change the attributes at any time; the network looks at them when it needs to.

    `fails_with` is the error with which messages to it end (131026 no WhatsApp, 131050 wants no offers). With `user_id`
    the person is known by that as well, and alone by that if `hides_number`. `reads` whatever comes. `dialled` is a number
    by which others call them and WhatsApp does not, as in Brazil with its ninth digit.
    """

    def __init__(self, number: str, carry: Carry) -> None:
        self.number = number
        self.name = ""
        self.user_id = ""
        self.dialled = ""
        self.hides_number = False
        self.reads = True
        self.fails_with: int | None = None
        self.inbox: list[Received] = []
        self._carry = carry
        self._read = 0
        self._rang = asyncio.Event()

    async def say(self, to: str, text: str, *, quotes: str = "", message_id: str | None = None) -> list[Post]:
        """Write a text; with the `message_id` of an earlier one this is the same message once more."""
        more: Json = {"context": {"id": quotes}} if quotes else {}
        return await self.send(to, "text", {"body": text}, message_id=message_id, **more)

    async def send(
        self, to: str, kind: str, content: object = None, *, message_id: str | None = None, **more: object
    ) -> list[Post]:
        """Write anything: `content` stands under the name of its `kind`, `more` beside it.

        Raises:
            LookupError: nobody has the number `to`.
        """
        message: Json = {"type": kind, **({kind: content} if content is not None else {}), **more}
        return await self._carry(self, to, message, message_id=message_id)

    async def send_file(self, to: str, kind: str, file: File, *, caption: str = "", voice: bool = False) -> list[Post]:
        """Send a picture, a voice message or another file."""
        content: Json = {"caption": caption} if caption else {}
        if kind == "audio":
            content["voice"] = voice
        if kind == "document":
            content["filename"] = file.name
        return await self._carry(self, to, {"type": kind, kind: content}, file=file)

    async def choose(self, asked: Received, choice: str) -> list[Post]:
        """Press the button, or pick the row, with that title or id.

        Raises:
            LookupError: there is none.
        """
        to, context = asked.sender.number, {"from": asked.sender.digits, "id": asked.id}
        found = next((one for one in asked.options if choice in (one["title"], one["id"])), None)
        if found is None:
            titles = [one["title"] for one in asked.options]
            raise LookupError(f"{choice!r} is not among {titles}")
        kind = "button_reply" if asked.content["type"] == "button" else "list_reply"
        return await self.send(to, "interactive", {"type": kind, kind: found}, context=context)

    async def press_template(self, asked: Received, *, payload: str, title: str) -> list[Post]:
        """Press a quick-reply button below a template."""
        context = {"from": asked.sender.digits, "id": asked.id}
        return await self.send(asked.sender.number, "button", {"payload": payload, "text": title}, context=context)

    async def react(self, received: Received, emoji: str) -> list[Post]:
        """Put an emoji on a message; an empty one takes it away."""
        content: Json = {"message_id": received.id, **({"emoji": emoji} if emoji else {})}
        return await self.send(received.sender.number, "reaction", content)

    async def next(self, timeout_s: float = 5.0) -> Received:
        """The oldest message not yet read, waiting for it if need be.

        Raises:
            TimeoutError: nothing came in `timeout_s` seconds.
        """
        return await self.wait_for(lambda _: True, timeout_s)

    async def wait_for(self, match: Match, timeout_s: float = 5.0) -> Received:
        """The first unread message that contains `match` (or for which it is true); those before it count as read.

        Raises:
            TimeoutError: none came in `timeout_s` seconds; the error tells what came instead.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    for place in range(self._read, len(self.inbox)):
                        one = self.inbox[place]
                        if match in one.text if isinstance(match, str) else match(one):
                            self._read = place + 1
                            return one
                    self._rang.clear()
                    await self._rang.wait()
        except TimeoutError:
            unread = [one.text for one in self.inbox[self._read :]]
            raise TimeoutError(f"{self.number} waited {timeout_s} s in vain; unread: {unread}") from None

    def receive(self, message: Received) -> None:
        """Put a message on the phone; the network does this."""
        self.inbox.append(message)
        self._rang.set()

    def identity(self, number: Number) -> Json:
        """How the application is told who this is."""
        who: Json = {} if self.hides_number else {"wa_id": self.number.removeprefix("+")}
        profile: Json = {"name": self.name or f"On {number.number[-4:]}"}
        return {"profile": profile, **who, **({"user_id": self.user_id} if self.user_id else {})}
