"""SMS and MMS through Twilio."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from channels.base import AccountKeys, Answer, Capabilities, Request, Sent
from channels.clean import clean
from channels.errors import SendError
from channels.messages import Address, Event, OutboundMessage
from channels.render import render, render_all
from channels.signing import is_from_twilio
from channels.twilio import codec, errors
from channels.twilio.client import TwilioClient

CAPABILITIES: Final = Capabilities(
    text_max=1600,
    media_max=10,
    media_takes_text=True,
    inline_reply=True,
    carrier_opt_out=True,
    priced_per_part=True,
)


class SmsAdapter:
    """SMS and MMS by Twilio's webhooks, TwiML and REST API."""

    provider: Final = "twilio"
    channel: Final = "sms"
    capabilities: Final = CAPABILITIES

    def __init__(self, client: TwilioClient) -> None:
        self._client = client

    def claimed_account(self, request: Request) -> str:
        return clean(next((value for name, value in request.form if name == "AccountSid"), ""))

    def verify(self, request: Request, keys: AccountKeys) -> bool:
        return codec.has_plausible_names(request) and is_from_twilio(request, keys)

    def parse(self, request: Request) -> tuple[Event, ...]:
        return codec.decode(request)

    def reply(self, messages: Sequence[OutboundMessage], *, status_url: str = "") -> Answer:
        return Answer("text/xml; charset=utf-8", codec.twiml(render_all(messages, CAPABILITIES), status_url=status_url))

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
        pieces = render(message, CAPABILITIES)
        if len(pieces) != 1:
            raise SendError("", "The message has to be rendered into single ones before sending.", kind="bug")
        parameters = codec.rest_parameters(
            pieces[0], to=to, sender=sender, service_id=keys.service_id, status_url=status_url
        )
        if tried_at is not None and (earlier := await self._earlier(keys, parameters, tried_at)):
            return earlier
        return await self._client.create(keys, parameters)

    def explain(self, code: str) -> SendError:
        return errors.explain(code)

    async def _earlier(
        self, keys: AccountKeys, parameters: dict[str, str | list[str]], tried_at: datetime
    ) -> Sent | None:
        try:
            return await self._client.find(keys, parameters, since=tried_at)
        except SendError as error:
            # Whatever keeps us from asking, the earlier try stays unclear, and nothing may be sent on a guess.
            kind = "unclear" if error.retryable else error.kind
            raise SendError(error.code, error.text, kind=kind, retry_after_s=error.retry_after_s) from None
