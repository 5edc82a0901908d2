"""WhatsApp by Meta's Cloud API."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from channels.base import AccountKeys, Answer, Capabilities, FileLimit, Request, Sent
from channels.errors import SendError
from channels.files import Located
from channels.messages import Address, Event, ListedTemplate, Media, OutboundMessage
from channels.meta import codec, errors
from channels.meta.client import MetaClient
from channels.meta.signing import is_from_meta
from channels.render import render

_MB: Final = 1024**2
# Source: reference, whatsapp-sms.md section B5; developers.facebook.com/docs/whatsapp/cloud-api/reference/media, supported
# types. As a document by link goes what is none of the others.
FILES: Final = (
    FileLimit("image", 5 * _MB, frozenset({"image/jpeg", "image/png"})),
    FileLimit("video", 16 * _MB, frozenset({"video/mp4", "video/3gpp"})),
    FileLimit("audio", 16 * _MB, frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"})),
    FileLimit("document", 100 * _MB),
)

CAPABILITIES: Final = Capabilities(
    text_max=4096,
    buttons_max=3,
    button_title_max=20,
    list_max=10,
    list_title_max=24,
    list_description_max=72,
    menu_max=20,
    choice_text_max=1024,
    media_max=1,
    files=FILES,
    documents_any=True,
    template_file=True,
    media_takes_text=True,
    uncaptioned=("audio", "sticker"),
    caption_max=1024,
    location=True,
    contact=True,
    link_button=True,
    link_text_max=1024,
    asks_location=True,
    templates=True,
    reactions=True,
    quotes=True,
    read_receipts=True,
    typing=True,
    markdown="whatsapp",
    session_window_h=24,
)

# Meta cannot be asked whether a message went out, but tells of each that did, with our reference, within seconds. After
# this time without a word it did not.
_TOLD_BY: Final = timedelta(minutes=5)


class WhatsAppAdapter:
    """WhatsApp by Meta's webhooks and Graph API."""

    provider: Final = "meta"
    channel: Final = "whatsapp"
    capabilities: Final = CAPABILITIES

    def __init__(self, client: MetaClient) -> None:
        self.client: Final = client

    def claimed_account(self, request: Request) -> str:
        return codec.claimed_account(request)

    def verify(self, request: Request, keys: AccountKeys) -> bool:
        return is_from_meta(request, keys)

    def parse(self, request: Request) -> tuple[Event, ...]:
        return codec.decode(request)

    def reply(self, messages: Sequence[OutboundMessage], *, status_url: str = "") -> Answer:
        return Answer()

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
        if tried_at is not None and self.client.now() - tried_at < _TOLD_BY:
            raise SendError("", "Meta has not said yet whether the message went out.", kind="unclear")
        return await self.client.create(keys, codec.encode(pieces[0], to=to))

    async def show_typing(self, provider_id: str, *, sender: Address, keys: AccountKeys) -> None:
        await self.client.seen(keys, provider_id, typing=True)

    async def mark_read(self, provider_id: str, *, keys: AccountKeys) -> None:
        """Show the customer two blue ticks on this message and those before it.

        Raises: SendError
        """
        await self.client.seen(keys, provider_id, typing=False)

    async def templates(self, keys: AccountKeys) -> list[ListedTemplate]:
        return await self.client.templates(keys)

    async def locate(self, media: Media, *, keys: AccountKeys) -> Located:
        return await self.client.locate(keys, media.media_id)

    def explain(self, code: str) -> SendError:
        return errors.explain(code)
