"""WhatsApp through Twilio: TwiML for texts and files, and the REST API for all that it cannot say."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from channels.base import AccountKeys, Answer, Capabilities, FileLimit, Request, Sent
from channels.errors import SendError
from channels.files import Located
from channels.messages import Address, Charge, Event, ListedTemplate, Media, OutboundMessage, StatusUpdate, Template
from channels.render import render, render_all
from channels.twilio import codec, content, errors, files
from channels.twilio.client import TwilioClient
from channels.twilio.sms import claimed_account, is_from_twilio, one_piece, send

_MB: Final = 1024**2
# Source: twilio.com/docs/whatsapp/guidance-whatsapp-media-messages. What a file is shown as Twilio decides by its type, so
# none can be sent as something else.
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
FILES: Final = (
    FileLimit("image", 5 * _MB, frozenset({"image/jpeg", "image/png"})),
    FileLimit("video", 16 * _MB, frozenset({"video/mp4"})),
    FileLimit("audio", 16 * _MB, frozenset({"audio/ogg", "audio/amr", "audio/3gpp", "audio/aac", "audio/mpeg"})),
    FileLimit(
        "document",
        16 * _MB,
        frozenset(
            {
                *("application/pdf", "application/msword", "text/vcard"),
                *(_OFFICE + kind for kind in ("wordprocessingml.document", "presentationml.presentation")),
                _OFFICE + "spreadsheetml.sheet",
            }
        ),
    ),
)

CAPABILITIES: Final = Capabilities(
    text_max=1600,
    buttons_max=3,
    button_title_max=20,
    list_max=10,
    list_title_max=24,
    list_description_max=72,
    menu_max=20,
    choice_text_max=1024,
    media_max=1,
    files=FILES,
    media_takes_text=True,
    uncaptioned=("document", "audio", "sticker"),  # twilio.com/docs/whatsapp/guidance-whatsapp-media-messages
    caption_max=1024,
    location=True,
    contact=True,
    contact_by_file=True,
    link_button=True,
    link_text_max=640,
    templates=True,
    inline_reply=True,
    inline_plain=True,
    read_receipts=True,
    typing=True,
    tells_status=True,
    markdown="whatsapp",
    session_window_h=24,
)
_CONTENT_SID: Final = re.compile(r"HX[0-9a-fA-F]{32}")
_CONTENT_GONE: Final = "21655"


class WhatsAppAdapter:
    """WhatsApp by Twilio's webhooks, TwiML, REST API and Content API."""

    provider: Final = "twilio"
    channel: Final = "whatsapp"
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

        async def put(piece: OutboundMessage, tried_at: datetime | None) -> Sent:
            parameters = codec.rest_parameters(piece, to=to, sender=sender, keys=keys, status_url=status_url)
            return await send(self._client, keys, parameters, tried_at=tried_at)

        if (shaped := content.of(piece)) is None:
            return await put(await self._with_sid(piece, keys), tried_at)
        shape, words = shaped
        try:
            return await put(_filled(piece, await self._client.content_sid(keys, shape), words), tried_at)
        except SendError as error:
            if error.code != _CONTENT_GONE:
                raise
        self._client.forget_contents(keys)  # somebody has tidied up in Twilio's console: make it anew, once
        return await put(_filled(piece, await self._client.content_sid(keys, shape), words), None)

    async def show_typing(self, provider_id: str, *, sender: Address, keys: AccountKeys) -> None:
        await self._client.show_typing(keys, provider_id)

    async def status(self, provider_id: str, *, keys: AccountKeys) -> StatusUpdate | None:
        return await self._client.status(keys, provider_id)

    async def forget(self, provider_id: str, *, keys: AccountKeys) -> bool:
        return await self._client.forget(keys, provider_id)

    def charges(self, sender: Address, since: datetime, until: datetime, *, keys: AccountKeys) -> AsyncIterator[Charge]:
        return self._client.charges(keys, "" if keys.service_id else codec.address_to(sender), since, until)

    async def locate(self, media: Media, *, keys: AccountKeys) -> Located:
        return files.locate(media, keys, api_base=self._client.api_base)

    async def templates(self, keys: AccountKeys) -> list[ListedTemplate]:
        return await self._client.templates(keys)

    def explain(self, code: str) -> SendError:
        return errors.explain(code)

    async def _with_sid(self, piece: OutboundMessage, keys: AccountKeys) -> OutboundMessage:
        """The same with the id of its template, which may be called by its name."""
        template = piece.template
        if template is None or _CONTENT_SID.fullmatch(template.name):
            return piece
        sid = await self._client.template_sid(keys, template.name, template.language)
        return replace(piece, template=replace(template, name=sid))


def _filled(piece: OutboundMessage, sid: str, words: dict[str, str]) -> OutboundMessage:
    return replace(piece, template=Template(sid, variables=words))
