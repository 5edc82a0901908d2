"""What each channel does, as a page for people: `docs/channels.md`, written from the capabilities.

What a channel lacks needs a reason in `_LACKS`: `exempt`, it cannot be or need not be; `todo`, it could. One without a
reason is an error, and so is a reason for what is there by now.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from channels.base import Adapter, Capabilities
from channels.fitting import MB

Card = Mapping[str, tuple[Literal["todo", "exempt"], str]]


@dataclass(frozen=True, slots=True)
class Feature:
    """A row. `says` is what the channel does, empty when it does not; `otherwise` is what customers get then."""

    name: str
    says: Callable[[Capabilities], str]
    otherwise: str = ""


def _yes(has: bool, how: str = "done") -> str:
    return how if has else ""


def _inline(able: Capabilities) -> str:
    if not able.inline_reply:
        return ""
    return "done: texts and files; with anything else, none of a turn" if able.inline_plain else "done"


def _files(able: Capabilities) -> str:
    count = "done: one in a message" if able.media_max == 1 else _up_to(able.media_max, "in a message")
    sizes = [f"{_KINDS[one.kind]} to {one.max_bytes // MB} MB" for one in able.files]
    if able.files_max_bytes:
        sizes.append(f"{able.files_max_bytes // MB} MB together")
    return ", ".join((count, *sizes))


def _contact(able: Capabilities) -> str:
    return _yes(able.contact, "done: as a vCard file" if able.contact_by_file else "done")


def _up_to(count: int, what: str) -> str:
    return f"done: up to {count:,} {what}" if count else ""


FEATURES: Final = (
    Feature("Texts", lambda able: f"done: {able.text_max:,} characters, longer ones in pieces"),
    Feature("Choices as buttons", lambda able: _up_to(able.buttons_max, "buttons"), "a list, or lines with numbers"),
    Feature("Choices as a list", lambda able: _up_to(able.list_max, "rows"), "lines with numbers or letters"),
    Feature("Files", _files, "a link"),
    Feature("Text beside a file", lambda able: _yes(able.media_takes_text), "a message of its own"),
    Feature("Places", lambda able: _yes(able.location), "name, address and a link to a map"),
    Feature("Visiting cards", _contact, "name, numbers and addresses as text"),
    Feature(
        "Calendar entries", lambda able: "done: a button that opens it" if able.link_button else "done: a link to it"
    ),
    Feature("Links as buttons", lambda able: _yes(able.link_button), "the address in the text"),
    Feature("Asking where somebody is", lambda able: _yes(able.asks_location), "the question alone"),
    Feature("Templates", lambda able: _yes(able.templates), "their wording as text"),
    Feature("Reactions", lambda able: _yes(able.reactions), "nothing"),
    Feature("Quoting a message", lambda able: _yes(able.quotes), "the answer alone"),
    Feature("Reply in the webhook's answer", _inline, "a request of ours, by the outbox"),
    Feature("Read marks", lambda able: _yes(able.read_receipts), "nothing"),
    Feature("Typing", lambda able: _yes(able.typing), "nothing"),
    Feature("Asking what became of a message", lambda able: _yes(able.tells_status), "people see that nobody said"),
)

_KINDS: Final[Mapping[str, str]] = {
    "image": "pictures",
    "video": "films",
    "audio": "sound",
    "document": "documents",
    "sticker": "stickers",
}
_NONE_IN_SMS: Final = ("exempt", "SMS has none")
_LACKS: Final[Mapping[tuple[str, str], Card]] = {
    ("twilio", "sms"): {
        "Choices as buttons": _NONE_IN_SMS,
        "Choices as a list": _NONE_IN_SMS,
        "Places": _NONE_IN_SMS,
        "Visiting cards": ("exempt", "words do as well"),
        "Links as buttons": _NONE_IN_SMS,
        "Asking where somebody is": _NONE_IN_SMS,
        "Templates": ("exempt", "any text may be sent at any time"),
        "Reactions": _NONE_IN_SMS,
        "Quoting a message": _NONE_IN_SMS,
        "Read marks": _NONE_IN_SMS,
        "Typing": _NONE_IN_SMS,
    },
    ("twilio", "whatsapp"): {
        "Asking where somebody is": ("exempt", "Twilio has no content of that type"),
        "Reactions": ("exempt", "Twilio sends none"),
        "Quoting a message": ("exempt", "Twilio's API cannot quote"),
    },
    ("meta", "whatsapp"): {
        "Reply in the webhook's answer": ("exempt", "Meta reads nothing from an answer"),
        "Asking what became of a message": ("exempt", "Meta has no such call, and repeats its news for days"),
    },
    ("webchat", "web"): {
        "Places": ("exempt", "a link to a map is as good on a page"),
        "Visiting cards": ("exempt", "text is as good on a page"),
        "Asking where somebody is": ("exempt", "visitors can write it"),
        "Templates": ("exempt", "any text may be sent at any time"),
        "Asking what became of a message": ("exempt", "the page fetches it from us"),
    },
}

# What a channel does otherwise than by its adapter, which is all that the capabilities tell of.
_ELSEWHERE: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    # Twilio's API has no other way (whatsapp-sms.md A4).
    ("twilio", "whatsapp"): {"Read marks": "done: theirs; ours only while we show that we write"},
    ("twilio", "sms"): {"Calendar entries": "done: a link, if `conversations.calendar_link_by_sms` is on"},
    ("webchat", "web"): {
        "Calendar entries": "done: a button that saves the file, with its sequence",
        "Read marks": "done: by its socket, both ways",
        "Typing": "done: by its socket, both ways",
    },
}

_TITLES: Final[Mapping[tuple[str, str], str]] = {
    ("twilio", "sms"): "SMS (Twilio)",
    ("twilio", "whatsapp"): "WhatsApp (Twilio)",
    ("meta", "whatsapp"): "WhatsApp (Meta)",
    ("webchat", "web"): "Web chat",
}
_TOP: Final = """# What each channel does

Written by `frontdesk channels > docs/channels.md` from what the channels declare (`Capabilities` in
`channels/base.py`) and the reasons in `channels/cards.py`.
Where a channel lacks something, the last column says what customers get instead.

"""
_NOTES: Final = """
## Also good to know

"""


def page(adapters: Iterable[Adapter]) -> str:
    """The page, in Markdown.

    Raises:
        ValueError: a channel lacks something without a reason, or has one for what it does.
    """
    shown = {
        (one.provider, one.channel): one.capabilities for one in adapters if (one.provider, one.channel) in _TITLES
    }
    lines = [
        _row("", *(_TITLES[key] for key in shown), "Otherwise"),
        _row(*["---"] * (len(shown) + 2)),
        *(_row(one.name, *(_cell(key, able, one) for key, able in shown.items()), one.otherwise) for one in FEATURES),
    ]
    notes = [f"- **{_TITLES[key]}**: {', '.join((*_notes(able), *_MORE.get(key, ())))}." for key, able in shown.items()]
    return _TOP + "\n".join(lines) + "\n" + _NOTES + "\n".join(notes) + "\n"


def _cell(key: tuple[str, str], able: Capabilities, feature: Feature) -> str:
    done = _ELSEWHERE.get(key, {}).get(feature.name) or feature.says(able)
    lacks = _LACKS[key].get(feature.name)
    if bool(done) == (lacks is not None):
        raise ValueError(f"{feature.name!r} of {key}: {'has a reason and is done' if done else 'is not done: why?'}")
    return done or ": ".join(lacks or ())


# What else is to be known of a channel.
_MORE: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("twilio", "sms"): (
        "visits as a link and not as a file, which would make each confirmation an MMS: Twilio takes `text/calendar` and "
        "passes it on as it is (twilio.com/docs/sms/accepted-mime-types)",
    ),
    ("twilio", "whatsapp"): (
        "visits as a link and not as a file: `text/calendar` is not among the types that Twilio takes for WhatsApp "
        "(twilio.com/docs/whatsapp/guidance-whatsapp-media-messages)",
    ),
    ("meta", "whatsapp"): (
        "visits as a link and not as a file: `text/calendar` is not among Meta's types of documents "
        "(developers.facebook.com/documentation/business-messaging/whatsapp/messages/document-messages)",
        "files of ours go by a signed link that Meta fetches and not by upload, which would hold each file in memory "
        "once more and give it an id for every number that ends after 30 days",
    ),
}


def _notes(able: Capabilities) -> Iterable[str]:
    if able.session_window_h:
        yield f"free text for {able.session_window_h} hours after the customer's last message, then templates"
    if able.carrier_opt_out:
        yield "the carrier itself acts on STOP, CANCEL, END and the like"
    if able.priced_per_part:
        yield "long texts cost more"
    if able.uncaptioned:
        *most, last = able.uncaptioned
        yield f"no text beside {', '.join(most)}{' or ' if most else ''}{last}"
    yield "no formatting" if able.markdown == "none" else "*bold* and _italics_"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
