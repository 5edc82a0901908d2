"""What every channel can do for us: the adapter contract and the plain types it speaks in.

A webhook takes four steps, and only the second needs keys:
`claimed_account` (whose keys?), `verify` (is it the vendor?), `parse` (what happened?), `reply` (our answer to the
request). What does not fit into the answer goes through `send`. The words come from `channels.render`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, Protocol, runtime_checkable
from urllib.parse import unquote_to_bytes

from channels.errors import BadRequest, SendError
from channels.messages import Address, Charge, Event, ListedTemplate, MediaKind, OutboundMessage, Status, StatusUpdate

Pairs = tuple[tuple[str, str], ...]
MAX_FIELDS: Final = 1000


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request as it arrived. Make one with `Request.read`.

    `url` is the raw path and query, percent-encoding untouched. Header names are lower case. `form` are the decoded
    pairs of a form body, or of the query when the method is GET; bytes that are not UTF-8 are kept as surrogate
    escapes, so that the signature is checked over what was sent.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    form: Pairs = ()

    @classmethod
    def read(cls, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> "Request":
        """The request with its form parsed.

        Raises:
            BadRequest: the form has more than `MAX_FIELDS` fields.
        """
        lower = {name.lower(): value for name, value in headers.items()}
        form: Pairs = ()
        if method == "GET":
            form = _query(url)
        elif body and lower.get("content-type", "").lower().startswith("application/x-www-form-urlencoded"):
            form = _pairs(body)
        return cls(method, url, lower, body, form)

    @property
    def query(self) -> dict[str, str]:
        """The parameters in the URL; of a repeated one the last value."""
        return dict(_query(self.url))


@dataclass(frozen=True, slots=True)
class AccountKeys:
    """What a connected account needs: to check what comes in, and to send.

    `secrets` sign webhooks, all of them valid, the newest first. `public_url` is where the vendor reaches us.
    `user` and `password` are an API key, empty to use `account_id` and the newest secret; for Meta the password is the
    access token. `service_id` is what to send from instead of the number as people write it: Twilio's pool
    (Messaging Service), Meta's phone_number_id. `keeps_sender`: of a pool, only the number that is
    given as the sender. `shortens_links`: the vendor is to shorten links in texts.
    """

    account_id: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    public_url: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    service_id: str = ""
    keeps_sender: bool = False
    shortens_links: bool = False


@dataclass(frozen=True, slots=True)
class FileLimit:
    """What a channel carries as one kind of file; without `types` (content types) it is whatever there is."""

    kind: MediaKind
    max_bytes: int
    types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel can carry. A limit of 0 means "not at all"; lengths are counted by `split.size`."""

    text_max: int
    buttons_max: int = 0
    button_title_max: int = 0
    list_max: int = 0
    list_title_max: int = 0
    list_description_max: int = 0
    menu_max: int = 0  # label of the button that opens a list
    choice_text_max: int = 0  # text above buttons or a list
    media_max: int = 0  # files in one message
    files: tuple[FileLimit, ...] = ()  # what each may be; none: whatever there is
    files_max_bytes: int = 0  # all of one message together; 0: each by itself
    documents_any: bool = False  # what is no picture, film or sound to the channel goes as a document
    template_file: bool = False  # a template may have a file of ours in its header
    media_takes_text: bool = False
    uncaptioned: tuple[MediaKind, ...] = ()  # files that carry no text even so
    caption_max: int = 0  # of that text, where it has to be shorter than others
    location: bool = False
    contact: bool = False
    contact_by_file: bool = False  # as the address of a vCard, which the vendor fetches
    link_button: bool = False
    link_text_max: int = 0  # text above it, where it has to be shorter than others
    link_beside_choices: bool = False  # in one message
    asks_location: bool = False
    templates: bool = False
    reactions: bool = False
    quotes: bool = False
    knows_by_our_ids: bool = False  # a message that is quoted or reacted to; else by the provider's
    inline_reply: bool = False  # the webhook's answer can carry our messages
    inline_plain: bool = False  # but only texts and files; with anything else all of a turn goes by `send`
    read_receipts: bool = False
    typing: bool = False
    tells_status: bool = False  # can be asked what became of a message
    markdown: Literal["none", "whatsapp", "commonmark"] = "none"
    session_window_h: int | None = None  # free text only so long after the customer's last message
    carrier_opt_out: bool = False  # the carrier itself acts on STOP, CANCEL, END, ...
    priced_per_part: bool = False  # long texts cost more: see `split.count`


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer the vendor's request with."""

    content_type: str = "text/plain; charset=utf-8"
    body: bytes = b""
    status: int = 200


@dataclass(frozen=True, slots=True)
class Sent:
    """The vendor took the message. `recipient` is how it calls whom we wrote to, where that is not as we did."""

    provider_id: str
    status: Status = "queued"
    recipient: Address | None = None


class Adapter(Protocol):
    """One channel. Everything but `send` is plain computing and never waits."""

    @property
    def provider(self) -> str:
        """Whose interface it speaks, as accounts name it: `twilio`, `meta`, `webchat`, `simulator`."""
        ...

    @property
    def channel(self) -> str:
        """What customers use, as accounts and conversations name it: `sms`, `whatsapp`, `web`, `sim`."""
        ...

    @property
    def capabilities(self) -> Capabilities: ...

    def claimed_account(self, request: Request) -> str:
        """The vendor's account that the request says it is from, not yet checked; empty when it does not say."""
        ...

    def verify(self, request: Request, keys: AccountKeys) -> bool:
        """Whether the vendor sent this. Never raises, takes the same time for every wrong signature."""
        ...

    def parse(self, request: Request) -> tuple[Event, ...]:
        """What happened, in order; empty when it is nothing that we act on.

        Raises:
            BadRequest: never anything else, whatever the bytes.
        """
        ...

    def reply(self, messages: Sequence[OutboundMessage], *, status_url: str = "") -> Answer:
        """The answer to the request that brought an event, with our messages in it if `capabilities.inline_reply`.

        Render the messages first and give each its own reference: news about them comes to `status_url` and carries
        that, since no provider id is known yet. Without messages it says "received, nothing to add".
        """
        ...

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
        """Send one rendered message.

        `tried_at` is when an earlier try with an unclear outcome began (aware UTC): the vendor is then asked whether
        that one went out, and if so nothing is sent again.

        Raises:
            SendError: and nothing else.
        """
        ...

    def explain(self, code: str) -> SendError:
        """What a vendor's error code of a `StatusUpdate` means, as if `send` had raised it."""
        ...


@runtime_checkable
class ShowsTyping(Protocol):
    """An adapter with `capabilities.typing`."""

    async def show_typing(self, provider_id: str, *, sender: Address, keys: AccountKeys) -> None:
        """Tell the customer whose message that is that we have read it and are writing an answer.

        Raises:
            SendError: and nothing else.
        """
        ...


@runtime_checkable
class MarksRead(Protocol):
    """An adapter whose vendor is told apart from typing what was read."""

    async def mark_read(self, provider_id: str, *, keys: AccountKeys) -> None:
        """Show the customer that we have read this message and those before it.

        Raises:
            SendError: and nothing else.
        """
        ...


@runtime_checkable
class TellsStatus(Protocol):
    """An adapter with `capabilities.tells_status`."""

    async def status(self, provider_id: str, *, keys: AccountKeys) -> StatusUpdate | None:
        """How far a message of ours has come, as if the vendor had told it; None where it says nothing we know.

        Raises:
            SendError: and nothing else.
        """
        ...


@runtime_checkable
class ForgetsMessages(Protocol):
    """An adapter whose vendor can be told to forget what was said."""

    async def forget(self, provider_id: str, *, keys: AccountKeys) -> bool:
        """Have the vendor delete what it keeps of a message, in or out: words, files, numbers. False when it is not done with
        the message yet, and will be later. What it no longer has is no trouble.

        Raises:
            SendError: and nothing else.
        """
        ...


@runtime_checkable
class TellsCharges(Protocol):
    """An adapter whose vendor can be asked what messages have cost."""

    def charges(self, sender: Address, since: datetime, until: datetime, *, keys: AccountKeys) -> AsyncIterator[Charge]:
        """Of what that number has sent in the time, as far as a price is known.

        Raises:
            SendError: and nothing else.
        """
        ...


@runtime_checkable
class ListsTemplates(Protocol):
    """An adapter whose vendor can be asked for the account's templates."""

    async def templates(self, keys: AccountKeys) -> list[ListedTemplate]:
        """All of them, whatever their state.

        Raises:
            SendError: and nothing else.
        """
        ...


def _query(url: str) -> Pairs:
    return _pairs(url.partition("?")[2].encode("utf-8", "surrogatepass"))


def _pairs(encoded: bytes) -> Pairs:
    # urllib's parse_qsl takes twice as long and replaces what is not UTF-8, which breaks the signature.
    if encoded.count(b"&") >= MAX_FIELDS:
        raise BadRequest("form", f"more than {MAX_FIELDS} fields")
    pairs = []
    for piece in encoded.decode("utf-8", "surrogateescape").split("&"):
        name, _, value = piece.partition("=")
        if "%" in value or "+" in value:
            value = _decoded(value)
        if "%" in name or "+" in name:
            name = _decoded(name)
        if piece:
            pairs.append((name, value))
    return tuple(pairs)


def _decoded(text: str) -> str:
    raw = text.replace("+", " ").encode("utf-8", "surrogateescape")
    return unquote_to_bytes(raw).decode("utf-8", "surrogateescape")
