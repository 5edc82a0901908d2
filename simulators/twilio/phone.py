"""Somebody's phone: texts a number, reads what comes back."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from simulators.twilio.model import Choice, Exchange, Media, Received

Look = Callable[["Phone"], Awaitable[None]]
Match = str | Callable[[Received], bool]


class Carry(Protocol):
    """Takes a text from a phone into the network."""

    def __call__(
        self, phone: "Phone", to: str, body: str, *, media: Sequence[Media], extra: Mapping[str, str], sid: str | None
    ) -> Awaitable[Exchange]: ...


class Phone:
    """One person's phone. Change the attributes at any time; the network looks at them when it needs to.

    `fails_with` is the error with which texts to it end (30003 switched off, 30005 no such number, 30007 filtered);
    `is_landline` makes the REST API refuse it. A WhatsApp user is a phone whose number starts with `whatsapp:`; there
    `ticked` are their messages that were marked as read, and `typing_since` says since when somebody writes an answer.
    """

    def __init__(self, number: str, carry: Carry, look: Look) -> None:
        self.number = number
        self.inbox: list[Received] = []
        self.name = ""
        self.city, self.state, self.zip_code, self.country = "", "", "", "US"
        self.fails_with: int | None = None
        self.is_landline = False
        self.ticked: list[str] = []
        self.typing_since: datetime | None = None
        self._carry = carry
        self._look = look
        self._read = 0
        self._rang = asyncio.Event()

    async def text(
        self,
        to: str,
        body: str = "",
        *,
        media: Sequence[Media] = (),
        extra: Mapping[str, str] | None = None,
        sid: str | None = None,
    ) -> Exchange:
        """Text a number and wait until the application has answered and its answer has been acted on.

        `extra` adds or replaces webhook parameters (`ButtonPayload`, `Latitude`, …). With the `sid` of an earlier
        text this is the same message once more.

        Raises:
            UnknownNumber: nobody in this network owns `to`.
        """
        return await self._carry(self, to, body, media=media, extra=extra or {}, sid=sid)

    async def tap(self, title: str) -> Exchange:
        """Press the button, or pick the row of the list, that is labelled so in the latest message that has it.

        Raises:
            LookupError: no message on the phone has it.
        """
        for message in reversed(self.inbox):
            for choice in message.choices:
                if choice.title == title:
                    return await self.text(message.sender, choice.title, extra=_tapped(message, choice))
        raise LookupError(f"nothing on {self.number} can be tapped that is called {title!r}")

    async def read(self) -> None:
        """Look at everything: its senders hear that it was read."""
        await self._look(self)

    async def next(self, timeout_s: float = 5.0) -> Received:
        """The oldest text not yet read, waiting for it if need be.

        Raises:
            TimeoutError: nothing came in `timeout_s` seconds.
        """
        return await self.wait_for(lambda _: True, timeout_s)

    async def wait_for(self, match: Match, timeout_s: float = 5.0) -> Received:
        """The first unread text that contains `match` (or for which it is true); texts before it count as read.

        Raises:
            TimeoutError: none came in `timeout_s` seconds; the error tells what came instead.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    for place in range(self._read, len(self.inbox)):
                        text = self.inbox[place]
                        if match in text.body if isinstance(match, str) else match(text):
                            self._read = place + 1
                            return text
                    self._rang.clear()
                    await self._rang.wait()
        except TimeoutError:
            unread = [text.body for text in self.inbox[self._read :]]
            raise TimeoutError(f"{self.number} waited {timeout_s} s in vain; unread: {unread}") from None

    def receive(self, text: Received) -> None:
        """Put a text on the phone; the network does this."""
        self.inbox.append(text)
        self.typing_since = None
        self._rang.set()


def _tapped(message: Received, choice: Choice) -> dict[str, str]:
    quoted = {"OriginalRepliedMessageSid": message.sid, "OriginalRepliedMessageSender": message.sender}
    if choice in message.shown.rows:
        return {**quoted, "MessageType": "interactive", "ListId": choice.id, "ListTitle": choice.title}
    kind = "button" if message.shown.is_approved else "interactive"
    return {**quoted, "MessageType": kind, "ButtonText": choice.title, "ButtonPayload": choice.id}
