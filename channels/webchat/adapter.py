"""The web chat: a page that posts JSON and shows what comes back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from channels.base import AccountKeys, Answer, Capabilities, Request, Sent
from channels.errors import SendError
from channels.messages import Address, Event, OutboundMessage
from channels.render import render_all
from channels.webchat import codec

CAPABILITIES: Final = Capabilities(
    text_max=4000,
    buttons_max=5,
    button_title_max=40,
    list_max=50,
    list_title_max=80,
    list_description_max=200,
    menu_max=40,
    choice_text_max=4000,
    media_max=codec.MEDIA_MAX,
    media_takes_text=True,
    link_button=True,
    link_beside_choices=True,
    reactions=True,
    quotes=True,
    knows_by_our_ids=True,
    inline_reply=True,
)


class WebChatAdapter:
    """Plain HTTP: replies stand in the answer, later messages wait until the page asks for them."""

    provider: Final = "webchat"
    channel: Final = "web"
    capabilities: Final = CAPABILITIES

    def claimed_account(self, request: Request) -> str:
        return codec.claimed_site(request)

    def verify(self, request: Request, keys: AccountKeys) -> bool:
        """Visitors have nothing to sign with; insisting on JSON makes browsers ask before another site's page posts."""
        return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"

    def parse(self, request: Request) -> tuple[Event, ...]:
        return (codec.decode(request),)

    def reply(self, messages: Sequence[OutboundMessage], *, status_url: str = "") -> Answer:
        return Answer("application/json", codec.encode(render_all(messages, CAPABILITIES)))

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
        """Nothing goes out: the stored message is there for the page to fetch, under its own reference."""
        if not message.reference:
            raise SendError("", "A message to the web chat needs a reference.", kind="bug")
        return Sent(message.reference, "sent")

    def explain(self, code: str) -> SendError:
        return SendError(code, "The web chat has no error codes.", kind="none")
