"""The things in the phone network: accounts, numbers, texts, and the record of what happened."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from simulators.twilio import segments
from simulators.twilio.optout import Policy
from simulators.twilio.webhooks import Post


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A Twilio account. Requests to the application are signed with `auth_token`; the REST API takes every token."""

    sid: str
    auth_token: str
    other_tokens: tuple[str, ...] = ()
    parent_sid: str | None = None  # set on a sub-account: the parent's credentials open it too
    api_keys: Mapping[str, str] = field(default_factory=dict)  # SK… to its secret
    prefixes: tuple[str, ...] = ("+",)  # countries that may be texted


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number the application owns (on WhatsApp one that starts with `whatsapp:`), and where Twilio is told to report
    what happens on it.

    Addresses may carry connection overrides (`#rc=2&rt=500`). Numbers with one `messaging_service_sid` make up that
    service: they share its opt-outs, and sending through it picks one of them.
    """

    number: str
    account_sid: str
    webhook_url: str = ""  # empty: texts to it are only answered by Twilio itself
    webhook_method: str = "POST"
    fallback_url: str | None = None
    status_callback_url: str | None = None
    messaging_service_sid: str | None = None
    opt_out: Policy = "default"
    city: str = ""
    state: str = ""
    zip_code: str = ""
    country: str = "US"
    is_sandbox: bool = False  # WhatsApp's: only phones in `Network.joined` hear from it
    voice_url: str = ""  # empty: nobody answers
    voice_method: str = "POST"
    voice_fallback_url: str | None = None
    voice_status_callback_url: str | None = None
    voice_status_events: tuple[str, ...] = ("completed",)

    @property
    def opt_out_scope(self) -> str:
        return self.messaging_service_sid or self.number


@dataclass(frozen=True, slots=True)
class Media:
    """A file that somebody sends from a phone."""

    content: bytes
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMedia:
    """A file that Twilio keeps for the application to fetch."""

    sid: str
    message_sid: str
    account_sid: str
    media: Media
    created_at: datetime


@dataclass(slots=True, kw_only=True)
class Content:
    """A template of the Content API. `is_approved`: WhatsApp lets it open a conversation."""

    sid: str
    account_sid: str
    friendly_name: str
    language: str
    variables: Mapping[str, str]
    types: Mapping[str, object]
    created_at: datetime
    is_approved: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A button, or a row of a list."""

    id: str
    title: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a message is besides text. `menu` is the label of the button that opens the list."""

    buttons: tuple[Choice, ...] = ()
    rows: tuple[Choice, ...] = ()
    menu: str = ""
    links: tuple[tuple[str, str], ...] = ()  # what stands on the button, and where it leads
    place: str = ""  # geo:lat,long|label
    is_approved: bool = False


PLAIN = Shown()


@dataclass(slots=True, kw_only=True)
class Message:
    """Twilio's record of one message, which changes as the message travels."""

    sid: str
    account_sid: str
    sender: str | None  # None until a messaging service has picked one
    to: str
    body: str
    direction: str  # inbound, outbound-api, outbound-reply
    status: str
    created_at: datetime
    updated_at: datetime
    sent_at: datetime | None = None
    error_code: int | None = None
    messaging_service_sid: str | None = None
    media_urls: tuple[str, ...] = ()
    status_callback: str | None = None
    callback_method: str = "POST"
    shown: Shown = PLAIN

    @property
    def num_segments(self) -> int:
        return segments.count(self.body)


@dataclass(frozen=True, slots=True)
class Received:
    """A text as it stands on somebody's phone, whatever the REST API later makes of it."""

    sid: str
    sender: str
    body: str
    media_urls: tuple[str, ...]
    at: datetime
    shown: Shown = PLAIN

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The buttons or rows that can be tapped."""
        return self.shown.buttons or self.shown.rows


@dataclass(frozen=True, slots=True)
class Alert:
    """A line in Twilio's error log: what went wrong with whose message, at which address."""

    code: int
    text: str
    url: str = ""
    message_sid: str = ""
    call_sid: str = ""


@dataclass(slots=True)
class Exchange:
    """What one text from a phone led to."""

    message: Message
    posts: list[Post] = field(default_factory=list)  # requests to the application, copies and retries included
    replies: list[Message] = field(default_factory=list)  # Twilio's own answer first, then the application's

    @property
    def texts(self) -> list[str]:
        """What the replies say, in order."""
        return [reply.body for reply in self.replies]
