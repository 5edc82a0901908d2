"""SMS and MMS through Twilio, and what WhatsApp through Twilio has in common with them."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final

from channels import signing
from channels.base import AccountKeys, Answer, Capabilities, Request, Sent
from channels.clean import clean
from channels.errors import SendError
from channels.files import Located
from channels.messages import Address, Charge, Event, Media, OutboundMessage, StatusUpdate
from channels.render import render, render_all
from channels.twilio import codec, errors, files
from channels.twilio.client import TwilioClient

CAPABILITIES: Final = Capabilities(
    text_max=1600,
    media_max=10,
    files_max_bytes=5 * 1024**2,  # twilio.com/docs/sms/accepted-mime-types
    media_takes_text=True,
    inline_reply=True,
    tells_status=True,
    carrier_opt_out=True,
    priced_per_part=True,
)
_NOT_IN_POOL: Final = ("21606", "21711")  # our number cannot send there, or is not of that service


class SmsAdapter:
    """SMS and MMS by Twilio's webhooks, TwiML and REST API."""

    provider: Final = "twilio"
    channel: Final = "sms"
    capabilities: Final = CAPABILITIES

    def __init__(self, client: TwilioClient) -> None:
        self._client = client

    def claimed_account(self, request: Request) -> str:
        return claimed_account(request)

    def verify(self, request: Request, keys: AccountKeys) -> bool:
        return is_from_twilio(request, keys)

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
        piece = one_piece(render(message, CAPABILITIES))
        parameters = codec.rest_parameters(piece, to=to, sender=sender, keys=keys, status_url=status_url)
        return await send(self._client, keys, parameters, tried_at=tried_at)

    async def status(self, provider_id: str, *, keys: AccountKeys) -> StatusUpdate | None:
        return await self._client.status(keys, provider_id)

    async def forget(self, provider_id: str, *, keys: AccountKeys) -> bool:
        return await self._client.forget(keys, provider_id)

    def charges(self, sender: Address, since: datetime, until: datetime, *, keys: AccountKeys) -> AsyncIterator[Charge]:
        return self._client.charges(keys, "" if keys.service_id else codec.address_to(sender), since, until)

    async def locate(self, media: Media, *, keys: AccountKeys) -> Located:
        return files.locate(media, keys, api_base=self._client.api_base)

    def explain(self, code: str) -> SendError:
        return errors.explain(code)


def claimed_account(request: Request) -> str:
    """See `Adapter.claimed_account`."""
    return clean(next((value for name, value in request.form if name == "AccountSid"), ""))


def is_from_twilio(request: Request, keys: AccountKeys) -> bool:
    """See `Adapter.verify`."""
    return codec.has_plausible_names(request) and signing.is_from_twilio(request, keys)


def one_piece(pieces: Sequence[OutboundMessage]) -> OutboundMessage:
    """The only one.

    Raises: SendError
    """
    if len(pieces) != 1:
        raise SendError("", "The message has to be rendered into single ones before sending.", kind="bug")
    return pieces[0]


async def send(
    client: TwilioClient, keys: AccountKeys, parameters: codec.Parameters, *, tried_at: datetime | None
) -> Sent:
    """The message sent, or the one that an earlier try with an unclear outcome has sent. A number that the pool does not
    have any more is left to Twilio to replace.

    Raises: SendError
    """
    if tried_at is not None and (earlier := await _earlier(client, keys, parameters, tried_at)):
        return earlier
    try:
        return await client.create(keys, parameters)
    except SendError as error:
        if error.code not in _NOT_IN_POOL or not {"from_", "messaging_service_sid"} <= parameters.keys():
            raise
    return await client.create(keys, {name: value for name, value in parameters.items() if name != "from_"})


async def _earlier(
    client: TwilioClient, keys: AccountKeys, parameters: codec.Parameters, tried_at: datetime
) -> Sent | None:
    try:
        return await client.find(keys, parameters, since=tried_at)
    except SendError as error:
        # Whatever keeps us from asking, the earlier try stays unclear, and nothing may be sent on a guess.
        kind = "unclear" if error.retryable else error.kind
        raise SendError(error.code, error.text, kind=kind, retry_after_s=error.retry_after_s) from None
