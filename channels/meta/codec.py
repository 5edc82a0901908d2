"""Meta's JSON to our messages, and our messages to theirs. No I/O. Source: reference, whatsapp-sms.md part B.

A request may hold messages and statuses of several numbers and accounts. What one of them gets wrong does not touch the
others: a message of a kind or shape that we do not know is kept as `Unsupported`, with the payload.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, Literal

import orjson

from channels.base import Request
from channels.clean import clean, clean_json
from channels.errors import BadRequest, SendError
from channels.messages import (
    JSON,
    Address,
    Billing,
    Choice,
    Contact,
    Echo,
    Edit,
    Event,
    Form,
    InboundMessage,
    Location,
    Media,
    MediaKind,
    Notice,
    Order,
    OrderItem,
    OutboundMessage,
    Part,
    Reaction,
    Referral,
    Revoke,
    Status,
    StatusUpdate,
    System,
    Text,
    Trouble,
    Unsupported,
)
from channels.meta import templates
from channels.split import shorten

Fields = Mapping[str, JSON]
Reader = Callable[[Fields, Fields, str], Event]

_NAME_MAX: Final = 200
_TEXT_MAX: Final = 65_536
_ITEMS_MAX: Final = 200
_DEEPEST: Final = 40  # the envelope included
_ID: Final = re.compile(r"[!-~]{1,200}")
_NUMBER: Final = re.compile(r"\+?([1-9][0-9]{6,14})")
_USER_ID: Final = re.compile(r"[A-Z]{2}\.[A-Za-z0-9._-]{1,128}")
_ERROR_MAX: Final = 500
_STATUSES: Final[dict[str, Status]] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "played": "read",  # a voice message was listened to
    "failed": "failed",
}
_ON_BUTTON: Final = 256
_ON_ROW: Final = 200
_LINK_MAX: Final = 20  # its button
_MENU: Final = "Choose"
_NO_WORDS: Final = "…"  # above buttons there has to be a text


# -- What comes in -----------------------------------------------------------------------------------------------------


def claimed_account(request: Request) -> str:
    """The id of the first WhatsApp business account in the request, not yet checked; empty when there is none."""
    try:
        return next((_string(entry, "id", 80) for entry in _entries(_envelope(request.body))), "")
    except BadRequest:
        return ""


def decode(request: Request) -> tuple[Event, ...]:
    """Everything that happened, in Meta's order.

    Raises:
        BadRequest: it is no JSON object, or what is in it cannot be kept and there is nothing else.
    """
    events: list[Event] = []
    wrong: BadRequest | None = None
    for read, one, value, account in _each(_envelope(request.body)):
        try:
            events.append(read(one, value, account))
        except BadRequest as bad:
            wrong = wrong or bad
    if wrong is not None and all(isinstance(event, Notice) for event in events):
        raise wrong
    return tuple(events)


def _envelope(body: bytes) -> dict[str, JSON]:
    try:
        data = clean_json(orjson.loads(body), depth=_DEEPEST)
    except ValueError:
        raise BadRequest("body", "not JSON, or nested too deep") from None
    if not isinstance(data, dict):
        raise BadRequest("body", "not an object")
    return data


def _entries(data: Fields) -> Iterator[Fields]:
    yield from _objects(data, "entry")


def _each(data: Fields) -> Iterator[tuple[Reader, Fields, Fields, str]]:
    """Each event with what reads it, the change it stands in and the account that this is about."""
    if data.get("object") != "whatsapp_business_account":
        raise BadRequest("object", "not whatsapp_business_account")
    for entry in _entries(data):
        account = _string(entry, "id", 80)
        for change in _objects(entry, "changes"):
            value = _object(change, "value")
            known = [
                (read, one, value, account)
                for name, read in _FIELDS.get(_string(change, "field", 80), ())
                for one in _objects(value, name)
            ]
            yield from known or ((_notice, {}, {**change, "value": value}, account),)


def _notice(_: Fields, change: Fields, account: str) -> Notice:
    """A change that is none of ours, as it stands there. Some that are of one number name it by its digits."""
    value = _object(change, "value")
    number_id = _string(_object(value, "metadata"), "phone_number_id", 80)
    ours = Address("whatsapp", number_id) if number_id else None
    ours = ours or _number(value.get("display_phone_number")) or _number(value.get("phone_number"))
    return Notice(ours, account, raw=dict(change))


def _message(data: Fields, value: Fields, account: str) -> InboundMessage | Notice:
    if data.get("group_id"):  # not said to us alone, and an answer would go to one person only
        return Notice(_ours(value), account, raw=_raw(value, "messages", data, {}))
    contact = _contact_of(data, value)
    known = _identities(data, contact)
    if not known:
        raise BadRequest("messages.from", "neither a number nor the id of a user")
    context = _object(data, "context")
    return InboundMessage(
        _id(data, "messages.id"),
        known[0],
        _ours(value),
        _parts(data),
        profile_name=_profile_name(contact),
        other_identities=known[1:],
        reply_to=_id_or_none(context, "id"),
        sent_at=_moment(data),
        forwarded=context.get("forwarded") is True or context.get("frequently_forwarded") is True,
        frequently_forwarded=context.get("frequently_forwarded") is True,
        referral=_referral(referral) if (referral := _object(data, "referral")) else None,
        provider_account=account,
        raw=_raw(value, "messages", data, contact),
    )


def _echo(data: Fields, value: Fields, account: str) -> Echo:
    told = _number(data.get("to")), _user_id(data.get("to_user_id")), _user_id(data.get("to_parent_user_id"))
    known = tuple(one for one in told if one is not None)
    if not known:
        raise BadRequest("message_echoes.to", "neither a number nor the id of a user")
    return Echo(
        _id(data, "message_echoes.id"),
        _ours(value),
        known[0],
        _parts(data),
        other_recipients=known[1:],
        reply_to=_id_or_none(_object(data, "context"), "id"),
        sent_at=_moment(data),
        provider_account=account,
        raw=_raw(value, "message_echoes", data, {}),
    )


def _status(data: Fields, value: Fields, account: str) -> StatusUpdate | Notice:
    status = _STATUSES.get(_string(data, "status", 40))
    if status is None:
        return Notice(_ours(value), account, raw=_raw(value, "statuses", data, {}))
    error = next(_objects(data, "errors"), {})
    said = _string(error, "title", _ERROR_MAX) or _string(error, "message", _ERROR_MAX)
    return StatusUpdate(
        _id(data, "statuses.id"),
        status,
        at=_moment(data),
        error_code=_code(error) if status == "failed" else "",
        error_text=said if status == "failed" else "",
        reference=_string(data, "biz_opaque_callback_data", 512),
        sender=_ours(value),
        provider_account=account,
        recipient=_recipient(data),
        billing=_billing(_object(data, "pricing")),
        raw=_raw(value, "statuses", data, {}),
    )


def _trouble(data: Fields, value: Fields, account: str) -> Trouble:
    return Trouble(_ours(value), _code(data), provider_account=account, raw=_raw(value, "errors", data, {}))


def _billing(pricing: Fields) -> Billing | None:
    is_billable = pricing.get("billable")
    return Billing(is_billable, _string(pricing, "category", 40)) if isinstance(is_billable, bool) else None


# By the field of the subscription: the lists in a change, and what reads them. All other fields are others' news.
_FIELDS: Final[Mapping[str, tuple[tuple[str, Reader], ...]]] = {
    "messages": (("messages", _message), ("statuses", _status), ("errors", _trouble)),
    "smb_message_echoes": (("message_echoes", _echo),),
}


def _ours(value: Fields) -> Address:
    """Our number by the id that Meta gives it; its digits are written in many ways."""
    number_id = _string(_object(value, "metadata"), "phone_number_id", 80)
    if not number_id:
        raise BadRequest("metadata.phone_number_id", "missing")
    return Address("whatsapp", number_id)


def _contact_of(data: Fields, value: Fields) -> Fields:
    """Who wrote this message, among the contacts beside it."""
    contacts = [*_objects(value, "contacts")]
    mine = {_string(data, "from", 80), _string(data, "from_user_id", 200)} - {""}
    for one in contacts:
        if _string(one, "wa_id", 80) in mine or _string(one, "user_id", 200) in mine:
            return one
    is_alone = len(contacts) == 1 and len([*_objects(value, "messages")]) == 1
    return contacts[0] if is_alone else {}


def _identities(data: Fields, contact: Fields) -> tuple[Address, ...]:
    """All by which the sender is known, the number first: people with a user name may come without it. When their id was
    changed, the new one before that until then (developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/
    reference/messages/system).
    """
    news = _object(data, "system")
    found = (
        _number(data.get("from")),
        _number(contact.get("wa_id")),
        _user_id(news.get("user_id")),
        _user_id(data.get("from_user_id")),
        _user_id(contact.get("user_id")),
        _user_id(news.get("parent_user_id")),
        _user_id(data.get("from_parent_user_id")),
        _user_id(contact.get("parent_user_id")),
        _user_id(news.get("previous_user_id")),
        _user_id(news.get("previous_parent_user_id")),
    )
    return tuple(dict.fromkeys(one for one in found if one is not None))


def _recipient(data: Fields) -> tuple[Address, ...]:
    """All by which whoever got a message of ours is known, where that is more than one."""
    number, user_id = data.get("recipient_id"), data.get("recipient_user_id")
    found = _number(number), _user_id(number), _user_id(user_id), _user_id(data.get("recipient_parent_user_id"))
    known = tuple(dict.fromkeys(one for one in found if one is not None))
    return known if len(known) > 1 else ()


def _number(value: JSON) -> Address | None:
    found = _NUMBER.fullmatch(value) if isinstance(value, str) else None
    return Address("whatsapp", "+" + found.group(1)) if found else None


def _user_id(value: JSON) -> Address | None:
    return Address("bsuid", value) if isinstance(value, str) and _USER_ID.fullmatch(value) else None


def _profile_name(contact: Fields) -> str:
    profile = _object(contact, "profile")
    return _string(profile, "name", _NAME_MAX) or _string(profile, "username", _NAME_MAX)


def _parts(data: Fields) -> tuple[Part, ...]:
    """What the message holds; one that is not as it should be is kept like one of an unknown kind."""
    kind = _string(data, "type", 40)
    read = _KINDS.get(kind)
    errors = next(_objects(data, "errors"), {})
    if read is not None:
        try:
            if parts := read(data):
                return parts
        except BadRequest:
            pass
    if kind == "unsupported":
        kind = _string(_object(data, "unsupported"), "type", 40) or kind
    return (Unsupported(kind or "unknown", _code(errors)),)


def _text(data: Fields) -> tuple[Part, ...]:
    return (Text(_string(_object(data, "text"), "body", _TEXT_MAX)),)


def _media(data: Fields) -> tuple[Part, ...]:
    kind: MediaKind = data["type"]  # type: ignore[assignment]  # `_KINDS` has this for these kinds only
    file = _object(data, kind)
    size = file.get("file_size")
    return (
        Media(
            kind,
            media_id=_id_or_none(file, "id") or "",
            content_type=_string(file, "mime_type", 200),
            name=_string(file, "filename", 300),
            caption=_string(file, "caption", _TEXT_MAX),
            voice=file.get("voice") is True,
            animated=file.get("animated") is True,
            sha256=_string(file, "sha256", 100),
            size=size if type(size) is int and 0 <= size < 2**53 else None,
        ),
    )


def _location(data: Fields) -> tuple[Part, ...]:
    place = _object(data, "location")
    return (
        Location(
            _degrees(place, "latitude", 90),
            _degrees(place, "longitude", 180),
            _string(place, "name", 300),
            _string(place, "address", 500),
            _string(place, "url", 2000),
        ),
    )


def _degrees(place: Fields, name: str, limit: int) -> float:
    value = place.get(name)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            value = math.nan
    if not isinstance(value, int | float) or isinstance(value, bool) or not -limit <= value <= limit:
        raise BadRequest(f"location.{name}", f"not a number of degrees from -{limit} to {limit}")
    return float(value)


def _contacts(data: Fields) -> tuple[Part, ...]:
    cards = []
    for card in _objects(data, "contacts"):
        name = _object(card, "name")
        phones = [*_objects(card, "phones")]
        cards.append(
            Contact(
                _string(name, "formatted_name", 300) or _string(name, "first_name", 300),
                phones=tuple(filter(None, (_string(one, "phone", 80) for one in phones))),
                whatsapp_ids=tuple(one.value for phone in phones if (one := _number(phone.get("wa_id")))),
                emails=tuple(filter(None, (_string(one, "email", 320) for one in _objects(card, "emails")))),
            )
        )
    return tuple(cards)


def _interactive(data: Fields) -> tuple[Part, ...]:
    answer = _object(data, "interactive")
    kind = _string(answer, "type", 40)
    reply = _object(answer, kind)
    if kind == "nfm_reply":
        return (_form(reply),)
    source: Literal["button", "list"] = "list" if kind == "list_reply" else "button"
    if kind not in ("button_reply", "list_reply"):
        return (Unsupported(f"interactive {kind}".strip()),)
    title = _string(reply, "title", 1000)
    return (Choice(_string(reply, "id", _ON_BUTTON), title, _string(reply, "description", 1000), source=source),)


def _form(reply: Fields) -> Form:
    name, text = _string(reply, "name", 200), _string(reply, "body", _TEXT_MAX)
    try:
        answers = clean_json(orjson.loads(_string(reply, "response_json", _TEXT_MAX)))
    except ValueError:
        return Form(name, text)
    return Form(name, text, answers if isinstance(answers, dict) else {"value": answers})


def _button(data: Fields) -> tuple[Part, ...]:
    button = _object(data, "button")
    return (Choice(_string(button, "payload", _ON_BUTTON), _string(button, "text", 1000), source="template"),)


def _reaction(data: Fields) -> tuple[Part, ...]:
    reaction = _object(data, "reaction")
    return (Reaction(_id(reaction, "message_id"), _string(reaction, "emoji", 40)),)


def _order(data: Fields) -> tuple[Part, ...]:
    order = _object(data, "order")
    items = tuple(
        OrderItem(
            _string(item, "product_retailer_id", 200),
            quantity if type(quantity := item.get("quantity")) is int and 0 < quantity < 2**31 else 1,
            _amount(item.get("item_price")),
            _string(item, "currency", 3),
        )
        for item in _objects(order, "product_items")
    )
    return (Order(_string(order, "catalog_id", 200), _string(order, "text", _TEXT_MAX), items),)


def _amount(value: JSON) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return ""
    return value[:40] if isinstance(value, str) else f"{value:.10g}"


def _system(data: Fields) -> tuple[Part, ...]:
    news = _object(data, "system")
    text = _string(news, "body", 1000)
    if news.get("type") in ("user_changed_number", "customer_changed_number"):
        return (System("number_changed", text, _number(news.get("wa_id")) or _number(news.get("new_wa_id"))),)
    return (System(_string(news, "type", 40) or "system", text),)


def _edit(data: Fields) -> tuple[Part, ...]:
    change = _object(data, "edit")
    now = _object(change, "message")
    parts = _parts(now)
    words = [part.text if isinstance(part, Text) else part.caption for part in parts if isinstance(part, Text | Media)]
    return (Edit(_id(change, "original_message_id"), "\n".join(words)),)


def _revoke(data: Fields) -> tuple[Part, ...]:
    return (Revoke(_id(_object(data, "revoke"), "original_message_id")),)


def _welcome(_: Fields) -> tuple[Part, ...]:
    return (System("welcome"),)


_KINDS: Final[dict[str, Callable[[Fields], tuple[Part, ...]]]] = {
    "text": _text,
    **dict.fromkeys(("image", "video", "audio", "document", "sticker"), _media),
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "button": _button,
    "reaction": _reaction,
    "order": _order,
    "system": _system,
    "edit": _edit,
    "revoke": _revoke,
    "request_welcome": _welcome,
}


def _referral(data: Fields) -> Referral:
    kind = _string(data, "media_type", 40)
    return Referral(
        source_url=_string(data, "source_url", 2000),
        source_type=_string(data, "source_type", 40),
        source_id=_string(data, "source_id", 200),
        headline=_string(data, "headline", 1000),
        body=_string(data, "body", 4000),
        media_url=_string(data, f"{kind}_url", 2000) if kind in ("image", "video") else "",
        media_type=kind,
        click_id=_string(data, "ctwa_clid", 500),
    )


def _moment(data: Fields) -> datetime | None:
    """Seconds, as a string; it is by Meta's clock and may be days ago."""
    value = data.get("timestamp")
    text = str(value) if type(value) in (int, str) else ""
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 11):
        return None
    return datetime.fromtimestamp(int(text), UTC)


def _raw(value: Fields, kind: str, one: Fields, contact: Fields) -> dict[str, JSON]:
    """The payload as if this one had come alone."""
    raw: dict[str, JSON] = {"metadata": _object(value, "metadata"), kind: [dict(one)]}
    return {**raw, "contacts": [dict(contact)]} if contact else raw


def _object(data: Fields, name: str) -> dict[str, JSON]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _objects(data: Fields, name: str) -> Iterator[dict[str, JSON]]:
    found = data.get(name)
    yield from (one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()


def _string(data: Fields, name: str, longest: int) -> str:
    found = data.get(name)
    return found[:longest] if isinstance(found, str) else ""


def _id(data: Fields, name: str) -> str:
    found = _id_or_none(data, name.rpartition(".")[2])
    if found is None:
        raise BadRequest(name, "missing, or not an id")
    return found


def _id_or_none(data: Fields, name: str) -> str | None:
    found = data.get(name)
    return found if isinstance(found, str) and _ID.fullmatch(found) else None


def _code(error: Fields) -> str:
    code = error.get("code")
    return str(code) if type(code) is int and 0 <= code < 10**8 else ""


# -- What goes out -----------------------------------------------------------------------------------------------------


def encode(message: OutboundMessage, *, to: Address) -> dict[str, JSON]:
    """The body of the request that sends a rendered message.

    Raises:
        SendError: of the kind `bug`, for what WhatsApp has no form for.
    """
    body: dict[str, JSON] = {"messaging_product": "whatsapp", "recipient_type": "individual"}
    body |= {"recipient": to.value} if to.kind == "bsuid" else {"to": to.value.removeprefix("+")}
    if message.reply_to and not message.reaction:
        body["context"] = {"message_id": message.reply_to}
    if message.reference:
        body["biz_opaque_callback_data"] = message.reference
    kind, content = _content(message)
    body["type"] = kind
    body[kind] = content
    return body


def recipient(answer: Fields, *, written: JSON) -> Address | None:
    """The WhatsApp number of whom we wrote to, where it is another than the one `written`: some in Brazil, Mexico and
    Argentina have a digit more or less there, and theirs is the one that messages from them come with.
    """
    contacts = [*_objects(answer, "contacts")]
    found = _number(contacts[0].get("wa_id")) if len(contacts) == 1 else None
    return None if found is None or not isinstance(written, str) or found == _number(written) else found


def seen(provider_id: str, *, typing: bool) -> dict[str, JSON]:
    """The body that marks a message as read, and everything before it; with `typing` it shows that we are writing."""
    body: dict[str, JSON] = {"messaging_product": "whatsapp", "status": "read", "message_id": provider_id}
    return {**body, "typing_indicator": {"type": "text"}} if typing else body


def _content(message: OutboundMessage) -> tuple[str, JSON]:
    if message.template:
        return "template", templates.encode(message.template, header=message.media, location=message.location)
    if message.reaction:
        return "reaction", {"message_id": message.reaction.target, "emoji": message.reaction.emoji}
    if message.media:
        return _file(message.media, message.text)
    if place := message.location:
        words = {"name": clean(place.name), "address": clean(place.address)}
        filled = {name: text for name, text in words.items() if text}
        return "location", {"latitude": place.latitude, "longitude": place.longitude, **filled}
    if message.contact:
        return "contacts", [_card(message.contact)]
    if message.choices:
        return "interactive", _choices(message)
    if message.asks_location:
        action: JSON = {"name": "send_location"}
        return "interactive", {"type": "location_request_message", "body": _body(message), "action": action}
    if link := message.link:
        title = shorten(clean(link.title), _LINK_MAX) or shorten(link.url, _LINK_MAX)
        shown: JSON = {"display_text": title, "url": link.url}
        return "interactive", {
            "type": "cta_url",
            "body": _body(message),
            "action": {"name": "cta_url", "parameters": shown},
        }
    if not message.text.strip():
        raise SendError("", "There is nothing in the message.", kind="bug")
    return "text", {"body": clean(message.text), "preview_url": False}


def _file(files: tuple[Media, ...], text: str) -> tuple[str, JSON]:
    if len(files) != 1:
        raise SendError("", "WhatsApp takes one file in a message.", kind="bug")
    (file,) = files
    if not file.media_id and not file.url:
        raise SendError("", "The file is not there any more.", kind="content")
    content: dict[str, JSON] = {"id": file.media_id} if file.media_id else {"link": file.url}
    if text.strip():
        content["caption"] = clean(text)
    if file.kind == "document" and file.name:
        content["filename"] = clean(file.name)
    if file.kind == "audio" and file.voice:
        content["voice"] = True
    return file.kind, content


def _card(contact: Contact) -> JSON:
    name = clean(contact.name) or next(iter((*contact.phones, *contact.emails)), _NO_WORDS)
    phones: list[JSON] = [{"phone": number, "type": "CELL"} for number in contact.phones]
    emails: list[JSON] = [{"email": address, "type": "WORK"} for address in contact.emails]
    card: dict[str, JSON] = {"name": {"formatted_name": name, "first_name": name}}
    return {**card, **({"phones": phones} if phones else {}), **({"emails": emails} if emails else {})}


def _choices(message: OutboundMessage) -> JSON:
    if message.style == "buttons":
        buttons: list[JSON] = [
            {"type": "reply", "reply": {"id": _fitting(option.id, _ON_BUTTON), "title": clean(option.title)}}
            for option in message.choices
        ]
        return {"type": "button", "body": _body(message), "action": {"buttons": buttons}}
    rows: list[JSON] = []
    for option in message.choices:
        row: dict[str, JSON] = {"id": _fitting(option.id, _ON_ROW), "title": clean(option.title)}
        rows.append({**row, "description": clean(option.description)} if option.description else row)
    action: JSON = {"button": clean(message.menu) or _MENU, "sections": [{"rows": rows}]}
    return {"type": "list", "body": _body(message), "action": action}


def _fitting(option_id: str, longest: int) -> str:
    """Raises: SendError, when the id would not come back as it is"""
    if not 0 < len(option_id) <= longest:
        raise SendError("", "The id of a choice is empty or too long for WhatsApp.", kind="bug")
    return option_id


def _body(message: OutboundMessage) -> JSON:
    return {"text": clean(message.text).strip() or _NO_WORDS}
