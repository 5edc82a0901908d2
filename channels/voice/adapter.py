"""The number that is called. Calls have doors of their own (`gateway.voice`); what is written to a caller goes by SMS."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from channels.base import AccountKeys, Answer, Capabilities, Request, Sent
from channels.errors import SendError
from channels.files import Located
from channels.messages import Address, Charge, Event, Media, OutboundMessage, StatusUpdate
from channels.twilio.sms import CAPABILITIES as SMS
from channels.twilio.sms import SmsAdapter, claimed_account, is_from_twilio
from channels.voice import codec
from channels.voice.client import CallsClient

# Of what is said in a call: choices are kept apart from the words, for the keys of the telephone.
SPOKEN: Final = Capabilities(
    text_max=4000, list_max=99, list_title_max=200, list_description_max=200, choice_text_max=4000, inline_reply=True
)
# Of what is written to a caller. A file would have nobody to show it to as long as they are on the line.
CAPABILITIES: Final = replace(SMS, media_max=0, files_max_bytes=0, media_takes_text=False)


class VoiceAdapter:
    """Answers calls with TwiML, and sends text messages from the same number."""

    provider: Final = "twilio"
    channel: Final = "voice"
    capabilities: Final = CAPABILITIES

    def __init__(self, texts: SmsAdapter, calls: CallsClient) -> None:
        self._texts = texts
        self.calls: Final = calls

    def claimed_account(self, request: Request) -> str:
        return claimed_account(request)

    def verify(self, request: Request, keys: AccountKeys) -> bool:
        return is_from_twilio(request, keys)

    def parse(self, request: Request) -> tuple[Event, ...]:
        """Nothing: a call is no message, and what is texted to the number comes as SMS."""
        return ()

    def reply(self, messages: Sequence[OutboundMessage], *, status_url: str = "") -> Answer:
        said = " ".join(message.text for message in messages)
        return codec.goodbye(said, language=codec.locale("en")) if said else codec.nothing()

    async def send(
        self,
        message: OutboundMessage,
        *,
        to: Address,
        sender: Address,
        keys: AccountKeys,
        status_url: str = "",
        tried_at: datetime | None = None,
    ) -> Sent:
        if to.kind == "call":
            raise SendError("", "Their number is withheld, so nothing can be written to them.", kind="permanent")
        return await self._texts.send(
            message, to=to, sender=sender, keys=keys, status_url=status_url, tried_at=tried_at
        )

    async def status(self, provider_id: str, *, keys: AccountKeys) -> StatusUpdate | None:
        return await self._texts.status(provider_id, keys=keys)

    async def locate(self, media: Media, *, keys: AccountKeys) -> Located:
        """Where a recording lies: below the account, like the files of messages."""
        return await self._texts.locate(media, keys=keys)

    def charges(self, sender: Address, since: datetime, until: datetime, *, keys: AccountKeys) -> AsyncIterator[Charge]:
        return self._texts.charges(sender, since, until, keys=keys)

    def explain(self, code: str) -> SendError:
        return self._texts.explain(code)
