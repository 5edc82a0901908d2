"""The simulator channel: a phone on your own screen, with WhatsApp's limits and nobody in between."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from channels.base import AccountKeys, Answer, Capabilities, Request, Sent
from channels.errors import SendError
from channels.messages import Address, Event, OutboundMessage
from channels.render import render, render_all
from channels.webchat import codec

# The tightest channel with buttons, so that what fits here fits everywhere.
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
    media_takes_text=True,
    link_button=True,
    link_beside_choices=True,
    inline_reply=True,
    read_receipts=True,
)


class SimulatorAdapter:
    """Takes the web chat's JSON; what is sent goes to `deliver`, straight away and in the same process."""

    provider: Final = "simulator"
    channel: Final = "sim"
    capabilities: Final = CAPABILITIES

    def __init__(self, deliver: Callable[[Address, OutboundMessage], None]) -> None:
        self._deliver = deliver

    def claimed_account(self, request: Request) -> str:
        return codec.claimed_site(request)

    def verify(self, request: Request, keys: AccountKeys) -> bool:
        """True: it is for the demo and the terminal; the gateway opens it to nobody else."""
        return True

    def parse(self, request: Request) -> tuple[Event, ...]:
        return (codec.decode(request, "sim"),)

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
        for piece in render(message, CAPABILITIES):
            self._deliver(to, piece)
        return Sent(message.reference, "delivered")

    def explain(self, code: str) -> SendError:
        return SendError(code, "The simulator has no error codes.", kind="none")
