"""What people and we say to each other, in words that belong to no vendor.

An inbound message is a tuple of parts, an outbound one is a wish that each channel fulfils as well as it can
(`channels.render`). Everything is frozen; `to_json`/`from_json` give what the database keeps.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Final, Literal, get_args

from pydantic import JsonValue, TypeAdapter

JSON = JsonValue

AddressKind = Literal["phone", "whatsapp", "bsuid", "web", "sim", "call"]
MediaKind = Literal["image", "video", "audio", "document", "sticker"]
OptOut = Literal["stop", "start", "help"]
# In the order in which they win, see `advance`.
Status = Literal["queued", "sending", "sent", "canceled", "failed", "undelivered", "delivered", "read"]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)


@dataclass(frozen=True, slots=True)
class Address:
    """Who somebody is on a channel, in one canonical form.

    `phone` is E.164 with its plus, a short code (digits) or an alphanumeric sender; `whatsapp` is E.164 with its plus;
    `bsuid` is WhatsApp's business-scoped id for people without a shared number (`US.1234`); `web` and `sim` are the
    session ids of the web chat and the simulator, `call` the id of a call whose number is withheld. Our own may be the
    vendor's id of the number (Meta's phone_number_id).
    """

    kind: AddressKind
    value: str


# -- Parts of what a customer sends ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Media:
    """A file: behind `url` (Twilio) or `media_id` (Meta), or one that we have, as `file`; none when the vendor lost it.

    `content_type` is what the vendor claims. `name` is the sender's and never a path of ours. `written`: it holds the words
    of a message that was too long for its channel (`channels.written`).
    """

    kind: MediaKind
    url: str = ""
    media_id: str = ""
    file: str = ""
    content_type: str = ""
    name: str = ""
    caption: str = ""
    voice: bool = False
    animated: bool = False
    written: bool = False
    sha256: str = ""
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Location:
    latitude: float
    longitude: float
    name: str = ""
    address: str = ""
    url: str = ""

    @property
    def map_url(self) -> str:
        """Where it is shown on a map."""
        return f"https://maps.google.com/?q={self.latitude:.6f},{self.longitude:.6f}"


@dataclass(frozen=True, slots=True)
class Contact:
    """A visiting card. Of one that we send, `url` is where it lies as a file (`channels.vcard`), once it is on its way."""

    name: str
    phones: tuple[str, ...] = ()
    whatsapp_ids: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    url: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A button pressed or a list row picked; `id` is the one we gave to the `Option`, empty when absent."""

    id: str
    title: str = ""
    description: str = ""
    source: Literal["button", "list", "template"] = "button"


@dataclass(frozen=True, slots=True)
class Form:
    """A filled-in form (WhatsApp flow); `data` holds its fields."""

    name: str = ""
    text: str = ""
    data: dict[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reaction:
    """An emoji put on the message with the provider id `target`; an empty `emoji` takes it away."""

    target: str
    emoji: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """What the database keeps of `InboundMessage.reply_to`, beside the parts: the id of the message that is answered."""

    target: str


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The same of `InboundMessage.forwarded`: it was written for others; `frequently`, for many of them."""

    frequently: bool = False


@dataclass(frozen=True, slots=True)
class Before:
    """What the database keeps of a message that was changed, beside the parts: its words until then (RFC 3339)."""

    text: str
    at: str = ""


@dataclass(frozen=True, slots=True)
class Revoked:
    """All that the database keeps of a message that was taken back: when (RFC 3339)."""

    at: str = ""


@dataclass(frozen=True, slots=True)
class OrderItem:
    product_id: str
    quantity: int = 1
    price: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    catalog_id: str
    text: str = ""
    items: tuple[OrderItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Edit:
    """The message `target` now reads `text`."""

    target: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Revoke:
    """The message `target` was deleted by its sender."""

    target: str


@dataclass(frozen=True, slots=True)
class System:
    """What the channel says about the customer: `number_changed` (with the new address), `welcome` (first opening)."""

    event: str
    text: str = ""
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A message whose kind we, or the vendor's interface, do not know; the raw payload has the rest."""

    raw_type: str
    error_code: str = ""


@dataclass(frozen=True, slots=True)
class Referral:
    """The advertisement or post through which the customer came; kept beside the parts, as a quote is."""

    source_url: str = ""
    source_type: str = ""
    source_id: str = ""
    headline: str = ""
    body: str = ""
    media_url: str = ""
    media_type: str = ""
    click_id: str = ""


Part = (
    Text | Media | Location | Contact | Choice | Form | Reaction | Quote | Before | Revoked | Forwarded | Referral
    | Order | Edit | Revoke | System | Unsupported
)  # fmt: skip


# -- Events that come in -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One message of a customer.

    `provider_id` is the key for recognising a second delivery. `recipient` is our address. `reply_to` is the provider
    id of the message that is quoted or whose button was pressed. `sent_at` is aware UTC, None where the vendor does
    not say. `opt_out` is set only when the provider itself recognised the word; with `answered_by_provider` it has also
    replied, and we keep silent. `raw` is the vendor's payload, cleaned of what no database takes.
    """

    provider_id: str
    sender: Address
    recipient: Address
    parts: tuple[Part, ...]
    profile_name: str = ""
    other_identities: tuple[Address, ...] = ()
    reply_to: str | None = None
    sent_at: datetime | None = None
    opt_out: OptOut | None = None
    answered_by_provider: bool = False
    forwarded: bool = False
    frequently_forwarded: bool = False
    referral: Referral | None = None
    provider_account: str = ""
    provider_service: str = ""
    raw: dict[str, JSON] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What the customer said as one string: texts, captions, the title of a choice; empty without words."""
        if len(self.parts) == 1 and type(first := self.parts[0]) is Text:
            return first.text
        return "\n".join(filter(None, map(_words, self.parts)))

    @property
    def is_wordless(self) -> bool:
        """Whether nothing is said that could be answered: a reaction, a change to what was said before, news of them."""
        return all(isinstance(part, Reaction | Edit | Revoke | System) for part in self.parts)

    @property
    def choice(self) -> Choice | None:
        """The button or list row picked, if this message is one."""
        return next((part for part in self.parts if isinstance(part, Choice)), None)


@dataclass(frozen=True, slots=True)
class Charge:
    """What a message of ours has cost, by the provider; millionths of a unit of the currency (ISO 4217)."""

    provider_id: str
    millionths: int
    currency: str


@dataclass(frozen=True, slots=True)
class Billing:
    """Whether the provider counts a message as one to be paid, and as which kind; what it costs it does not say."""

    is_billable: bool
    category: str = ""


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """News about a message of ours, which `sender` (our own address) has sent; `provider_service` is the vendor's pool of
    numbers that it was chosen from.

    `reference` is the one of the `OutboundMessage`, when the channel carried it along: it finds messages whose provider
    id we never learnt (replies inside a webhook's answer, sends that timed out). `recipient` are all addresses by which the
    vendor calls whom it went to, when it tells of several.
    """

    provider_id: str
    status: Status
    at: datetime | None = None
    error_code: str = ""
    error_text: str = ""
    reference: str = ""
    sender: Address | None = None
    provider_account: str = ""
    provider_service: str = ""
    recipient: tuple[Address, ...] = ()
    billing: Billing | None = None
    raw: dict[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Echo:
    """What a person of the business has sent from the channel's own app, such as WhatsApp on the shop's phone.

    `sender` is our own address, `other_recipients` are further ones by which the vendor calls whom it went to. It went out
    already; whoever wrote it has taken over.
    """

    provider_id: str
    sender: Address
    recipient: Address
    parts: tuple[Part, ...]
    other_recipients: tuple[Address, ...] = ()
    reply_to: str | None = None
    sent_at: datetime | None = None
    provider_account: str = ""
    raw: dict[str, JSON] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Its words as one string."""
        return "\n".join(filter(None, map(_words, self.parts)))


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the vendor says is wrong with one of our numbers (`sender`) and not with a message. `code` is the vendor's; it gives
    no id to such news.
    """

    sender: Address
    code: str
    provider_id: str = ""
    provider_account: str = ""
    raw: dict[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """News that nothing comes of, but that somebody may look for in the channel log: of one of our numbers (`sender`, or one of
    the pool `provider_service`), or of all that the vendor's account has.
    """

    sender: Address | None = None
    provider_account: str = ""
    provider_service: str = ""
    provider_id: str = ""
    raw: dict[str, JSON] = field(default_factory=dict)


Event = InboundMessage | StatusUpdate | Echo | Trouble | Notice


def advance(current: Status | None, new: Status) -> Status:
    """The status to keep when `new` arrives: the one that comes later in `STATUSES`.

    Callbacks arrive doubled and in any order, so the answer must not depend on the order: a proof of delivery beats a
    failure, a failure beats "sent", and nothing ever goes back.
    """
    return new if current is None or _RANK[new] > _RANK[current] else current


# -- What we want to say -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Option:
    """Something to choose from. `id` comes back in `Choice.id` where the channel has buttons; where it has none the
    customer answers by the `letter`, or by the number of the line.
    """

    id: str
    title: str
    description: str = ""
    letter: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A button that opens a page."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Template:
    """A text approved beforehand: `name` is the vendor's name or id, `payloads` belong to its quick-reply buttons.

    `variables` are called as in the template, "1", "2", … or by name. On WhatsApp Cloud those of its header begin with
    `header.`, and `button.0` is the end of the address behind its first button.
    """

    name: str
    language: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    payloads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListedTemplate:
    """A template as the vendor has it. `status` is its word, such as APPROVED, PENDING, REJECTED or PAUSED.

    `text` is its wording with the blanks in it. `variables` are what `Template.variables` has to name; `header` is the
    kind of file that it wants besides, and `payloads` is how many quick-reply buttons it has.
    """

    name: str
    language: str
    status: str
    category: str = ""
    text: str = ""
    variables: tuple[str, ...] = ()
    header: str = ""
    payloads: int = 0


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """What we want to say; `channels.render.render` turns it into what one channel can carry.

    `style` is how `choices` are shown; `auto` takes what fits. `menu` labels the button that opens a list. With a
    `template`, `text` is its wording for people and for channels without templates. `reply_to` quotes a provider id,
    `reference` is our own id and comes back in `StatusUpdate.reference`.
    """

    text: str = ""
    choices: tuple[Option, ...] = ()
    style: Literal["buttons", "list", "auto"] = "auto"
    menu: str = ""
    media: tuple[Media, ...] = ()
    location: Location | None = None
    contact: Contact | None = None
    link: Link | None = None
    template: Template | None = None
    reaction: Reaction | None = None
    asks_location: bool = False
    reply_to: str = ""
    reference: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing but its text."""
        more = self.choices or self.media or self.menu or self.location or self.contact or self.link or self.template
        return not (more or self.reaction or self.asks_location or self.reply_to)

    def to_json(self) -> dict[str, JSON]:
        """What the database keeps: only the fields that differ from their defaults."""
        fields: dict[str, JSON] = _outbound().dump_python(self, mode="json", exclude_defaults=True)
        return fields

    @classmethod
    def from_json(cls, data: object) -> "OutboundMessage":
        """The message `to_json` wrote.

        Raises:
            ValueError: `data` is something else.
        """
        return _outbound().validate_python(data)


# -- Parts as JSON -----------------------------------------------------------------------------------------------------


def parts_to_json(parts: Iterable[Part]) -> list[JSON]:
    """What the database keeps of a message's parts: `[{"type": "text", "text": "hi"}]`, defaults left out."""
    return [_part_to_json(part) for part in parts]


def parts_from_json(data: Iterable[JSON]) -> tuple[Part, ...]:
    """The parts `parts_to_json` wrote; a type of a newer version comes back as `Unsupported`.

    Raises:
        ValueError: a part lacks a field or has a wrong one.
    """
    return tuple(_part_from_json(item) for item in data)


def _part_to_json(part: Part) -> JSON:
    if isinstance(part, Text):  # nearly every message, and 20 times cheaper
        return {"type": "text", "text": part.text}
    fields: dict[str, JSON] = _part(type(part).__name__.lower()).dump_python(part, mode="json", exclude_defaults=True)
    return {"type": type(part).__name__.lower(), **fields}


def _part_from_json(data: JSON) -> Part:
    if not isinstance(data, dict) or not isinstance(kind := data.get("type"), str):
        raise ValueError("a part is an object with a type")
    if kind not in _PARTS:
        return Unsupported(kind)
    return _part(kind).validate_python({name: value for name, value in data.items() if name != "type"})


def _words(part: Part) -> str:
    match part:
        case Text(text=words) | Media(caption=words) | Order(text=words):
            return words
        case Choice():
            return part.title or part.id
        case _:
            return ""


# Pydantic's readers and writers are built at first use: all of them together cost 50 ms of start-up.
@cache
def _outbound() -> TypeAdapter[OutboundMessage]:
    return TypeAdapter(OutboundMessage)


@cache
def _part(kind: str) -> TypeAdapter[Part]:
    return TypeAdapter(_PARTS[kind])


_RANK: Final = {status: rank for rank, status in enumerate(STATUSES)}
_PARTS: Final[dict[str, type[Part]]] = {kind.__name__.lower(): kind for kind in get_args(Part)}
